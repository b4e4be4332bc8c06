package reconcile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/pipeline/keys"
	"rollcall/pipeline/reconcile"
	"rollcall/pipeline/snapshot"
	"rollcall/schema/fault"
)

// hold compares records of any shape.
func hold(t *testing.T, s *snapshot.Snapshot, name, text string, options reconcile.Options) (reconcile.Summary, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	options.Records, options.Scratch = keys.RowOptions{Path: path}, dir
	return reconcile.Run(t.Context(), s, options, func(*reconcile.Difference) error { return nil })
}

// theirs is everyone in words of the application's own.
func theirs() string {
	role := strings.NewReplacer("owner", "Boss", "admin", "MANAGER", "member", "member")
	return "room,uid,position\n" + role.Replace(strings.Join(everyone, "\n")) + "\n"
}

func TestColumnsAndRolesMayHaveOtherNames(t *testing.T) {
	t.Parallel()
	s := twoVendors(t)
	names := map[string]string{"group_id": "room", "user_id": "uid", "role": "position"}
	roles := map[string]string{"boss": "owner", "manager": "admin"}
	summary, err := hold(t, s, "a.csv", theirs(), reconcile.Options{ColumnNames: names, Roles: roles})
	if err != nil || summary.Differs() || summary.Agree != int64(len(everyone)) {
		t.Errorf("%+v, %v", summary, err)
	}
	line := func(record string) string {
		f := strings.Split(record, ",")
		return `{"uid":"` + f[1] + `","position":"` + f[2] + `","room":"` + f[0] + `","user_id":"another"}` + "\n"
	}
	var ndjson strings.Builder
	for _, record := range strings.Split(strings.TrimSpace(theirs()), "\n")[1:] {
		ndjson.WriteString(line(record))
	}
	summary, err = hold(t, s, "a.ndjson", ndjson.String(), reconcile.Options{ColumnNames: names, Roles: roles})
	if err != nil || summary.Differs() || summary.Agree != int64(len(everyone)) {
		t.Errorf("NDJSON: %+v, %v", summary, err)
	}
	summary, err = hold(t, s, "a.csv", theirs(), reconcile.Options{ColumnNames: names, Roles: map[string]string{"boss": "", "manager": "member", "member": "member"}})
	if err != nil || summary.Counts[reconcile.RoleDiffers] != 1 || summary.Agree != int64(len(everyone))-1 {
		t.Errorf("roles that are not compared: %+v, %v", summary, err)
	}
}

func TestAMappingThatDoesNotFitIsAFaultThatNamesIt(t *testing.T) {
	t.Parallel()
	s := twoVendors(t)
	for name, c := range map[string]struct {
		options       reconcile.Options
		message, hint string
	}{
		"no mapping":         {reconcile.Options{}, `no column "group_id"`, "--columns group_id=NAME"},
		"a name misspelt":    {reconcile.Options{ColumnNames: map[string]string{"group_id": "room", "user_id": "userid"}}, `no column "userid"`, "--columns user_id=NAME"},
		"a role's misspelt":  {reconcile.Options{ColumnNames: map[string]string{"group_id": "room", "user_id": "uid", "role": "positon"}}, `has nothing in the column "positon"`, "--columns role=positon"},
		"words of no column": {reconcile.Options{ColumnNames: map[string]string{"group_id": "room", "user_id": "uid"}, Roles: map[string]string{"boss": "owner"}}, "has no roles to compare", "--columns role=NAME"},
		"a word for no role": {reconcile.Options{ColumnNames: map[string]string{"group_id": "room", "user_id": "uid", "role": "position"}}, `the role "Boss" is not known`, "--role Manager=admin"},
	} {
		_, err := hold(t, s, "a.csv", theirs(), c.options)
		if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), c.message) || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%s: %v (%s)", name, err, fault.HintOf(err))
		}
	}
}

func TestRecordsThatFailByTheSpellingOfIDsAreCounted(t *testing.T) {
	t.Parallel()
	s := twoVendors(t)
	with := func(change func(record string) string) string {
		text := "group_id,user_id,role\n"
		for _, record := range everyone {
			text += change(record) + "\n"
		}
		return text
	}
	for name, c := range map[string]struct {
		text string
		want reconcile.Spellings
	}{
		"as they are":       {with(func(r string) string { return r }), reconcile.Spellings{}},
		"a blank behind":    {with(func(r string) string { return strings.Replace(r, ",", " ,", 1) }), reconcile.Spellings{Unmatched: 10, Trimmed: 10, Both: 10}},
		"capitals":          {with(func(r string) string { return strings.Replace(r, "u", "U", 1) }), reconcile.Spellings{Unmatched: 10, LowerCase: 10, Both: 10}},
		"both":              {with(func(r string) string { return strings.Replace(r, ",u", ",\u00a0U", 1) }), reconcile.Spellings{Unmatched: 10, Both: 10}},
		"some, others lack": {with(func(r string) string { return strings.Replace(r, "r1,", "R1,", 1) }) + "r1,nobody,\nR1,Nobody,\n", reconcile.Spellings{Unmatched: 4, LowerCase: 2, Both: 2}},
		"one for two":       {with(func(r string) string { return strings.Replace(r, "r1,u2", "r1,U2", 1) }) + "R1,u2,\n", reconcile.Spellings{Unmatched: 2, LowerCase: 1, Both: 1}},
	} {
		for _, listed := range []bool{false, true} {
			summary, err := hold(t, s, "a.csv", c.text, reconcile.Options{OnlyListedGroups: listed})
			if err != nil || summary.Spellings != c.want {
				t.Errorf("%s: %+v, want %+v, %v", name, summary.Spellings, c.want, err)
			}
		}
	}
	pseudonyms := func(_, id string) string { return id + " " }
	if summary, err := hold(t, s, "a.csv", with(func(r string) string { return r }), reconcile.Options{Hash: pseudonyms}); err != nil || summary.Spellings != (reconcile.Spellings{Unmatched: 10}) {
		t.Errorf("pseudonyms: %+v, %v", summary.Spellings, err)
	}
	// the other source has a pair of the same name, which no other spelling would bring nearer
	other := strings.ReplaceAll(with(func(r string) string { return r + "," + second }), "user_id,role\n", "user_id,role,source\n")
	if summary, err := hold(t, s, "a.csv", other, reconcile.Options{}); err != nil || summary.Spellings.Trimmed+summary.Spellings.LowerCase+summary.Spellings.Both != 0 || summary.Spellings.Unmatched == 0 {
		t.Errorf("of the other source: %+v, %v", summary.Spellings, err)
	}
}
