package reconcile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rollcall/pipeline/keys"
	"rollcall/pipeline/reconcile"
	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/sinks/local"
	"rollcall/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const first, second = "rongcloud.prod", "tencentchat.intl"

// everyone names each membership of [twoVendors] as the application has it, without a source.
var everyone = []string{
	"r1,u1,owner", "r1,u2,member", "r2,u1,member", "t1,u1,owner", "t1,u3,member",
	"both,u1,member", // an owner at the second
	"both,u2,admin", "both,u4,member", "half,u5,member", "moved,u3,member",
}

// twoVendors is a snapshot of two sources. Groups r are known to the first, t to the second; "both" was read
// whole at both of them, "half" only at the first, "moved" is gone from the first; r2 could not be read.
// The lists of u2 and u9 were read whole at both.
func twoVendors(t *testing.T) *snapshot.Snapshot {
	t.Helper()
	sink, err := local.Open(local.Config{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	tables := sinktest.Tables{Sources: []schema.SourceFigures{{Source: first, Type: "rongcloud"}, {Source: second, Type: "tencentchat"}}}
	for _, row := range []string{
		first + " both u1 member", first + " both u2 admin", first + " r1 u1 owner", first + " r1 u2 member", first + " r2 u1 member",
		second + " both u1 owner", second + " both u4 member", second + " half u5 member", second + " moved u3 member", second + " t1 u1 owner", second + " t1 u3 member",
	} {
		f := strings.Fields(row)
		tables.Memberships = append(tables.Memberships, schema.Membership{Source: f[0], GroupID: f[1], UserID: f[2], Role: &f[3], InGroupView: &yes})
	}
	for _, row := range []string{
		first + " both exact", first + " half exact", first + " moved gone", first + " r1 exact", first + " r2 failed",
		second + " both exact", second + " half failed", second + " moved exact", second + " t1 exact",
	} {
		f := strings.Fields(row)
		tables.Groups = append(tables.Groups, schema.Group{Source: f[0], GroupID: f[1], Verdict: f[2]})
	}
	for _, source := range []string{first, second} {
		for _, user := range []string{"u2", "u9"} {
			tables.Users = append(tables.Users, schema.User{Source: source, UserID: user, Verdict: "exact"})
		}
	}
	sinktest.Seal(t, sink, "2026-11-21", tables)
	s, err := snapshot.Open(t.Context(), sink, "2026-11-21")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compare gives each difference as "kind source group user expected vendor: why", with - for what is null.
func compare(t *testing.T, s *snapshot.Snapshot, rows []string, change func(*reconcile.Options)) (told []string, summary reconcile.Summary) {
	t.Helper()
	header := "group_id,user_id,role"
	if slices.ContainsFunc(rows, func(row string) bool { return strings.Count(row, ",") == 3 }) {
		header += ",source"
	}
	var text strings.Builder
	text.WriteString(header + "\n")
	for _, row := range rows {
		text.WriteString(row + strings.Repeat(",", strings.Count(header, ",")-strings.Count(row, ",")) + "\n")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "members.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	options := reconcile.Options{Records: keys.RowOptions{Path: path}, Scratch: dir}
	if change != nil {
		change(&options)
	}
	summary, err := reconcile.Run(t.Context(), s, options, func(d *reconcile.Difference) error {
		told = append(told, strings.TrimSuffix(fmt.Sprintf("%s %s %s %s %s %s: %s", d.Kind, dash(d.Source), d.GroupID, d.UserID, dash(d.ExpectedRole), dash(d.VendorRole), d.Why), ": "))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind in the scratch folder: %v, %v", left, err)
	}
	return told, summary
}

func dash(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}

// TestRecordsWithoutASourceAreHeldAgainstAllOfThem changes a file that agrees, and wants that told and nothing else.
func TestRecordsWithoutASourceAreHeldAgainstAllOfThem(t *testing.T) {
	t.Parallel()
	s := twoVendors(t)
	for name, c := range map[string]struct {
		less, more []string
		want       []string
		twice      int64
	}{
		"all agree":                 {},
		"missing":                   {more: []string{"r1,nobody,member"}, want: []string{"missing_at_vendor rongcloud.prod r1 nobody member -: the group was read whole and does not name the user"}},
		"unknown":                   {less: []string{"t1,u3,member"}, want: []string{"unknown_to_application tencentchat.intl t1 u3 - member: named by the group's own list"}},
		"another role":              {less: []string{"t1,u1,owner"}, more: []string{"t1,u1,admin"}, want: []string{"role_differs tencentchat.intl t1 u1 admin owner"}},
		"no role":                   {less: []string{"t1,u1,owner", "both,u2,admin"}, more: []string{"t1,u1,", "both,u2,"}},
		"not read":                  {more: []string{"r2,nobody,member"}, want: []string{"cant_tell rongcloud.prod r2 nobody member -: the group is failed, and no view names the user"}},
		"not read, the user was":    {more: []string{"r2,u2,member"}, want: []string{"missing_at_vendor rongcloud.prod r2 u2 member -: the user's own list was read whole and does not name the group"}},
		"the second agrees":         {less: []string{"both,u1,member"}, more: []string{"both,u1,owner"}},
		"neither agrees":            {less: []string{"both,u1,member"}, more: []string{"both,u1,admin"}, want: []string{"role_differs rongcloud.prod both u1 admin member"}},
		"one has another role":      {less: []string{"both,u4,member"}, more: []string{"both,u4,owner"}, want: []string{"role_differs tencentchat.intl both u4 owner member"}},
		"both deny":                 {more: []string{"both,nobody,"}, want: []string{"missing_at_vendor rongcloud.prod both nobody - -: the group was read whole and does not name the user"}},
		"both are unknown":          {less: []string{"both,u1,member"}, want: []string{"unknown_to_application rongcloud.prod both u1 - member: named by the group's own list", "unknown_to_application tencentchat.intl both u1 - owner: named by the group's own list"}},
		"one can't tell":            {more: []string{"half,nobody,member"}, want: []string{"cant_tell tencentchat.intl half nobody member -: the group is failed, and no view names the user"}},
		"one can't tell by group":   {more: []string{"half,u9,member"}, want: []string{"missing_at_vendor rongcloud.prod half u9 member -: the group was read whole and does not name the user"}},
		"gone from one":             {more: []string{"moved,nobody,"}, want: []string{"missing_at_vendor tencentchat.intl moved nobody - -: the group was read whole and does not name the user"}},
		"no source knows either":    {more: []string{"g,nobody,member"}, want: []string{"cant_tell - g nobody member -: no source knows the group; rongcloud.prod: no view names the group, and no view names the user"}},
		"no source knows it":        {more: []string{"g,u9,"}, want: []string{"missing_at_vendor - g u9 - -: no source knows the group; rongcloud.prod: the user's own list was read whole and does not name the group"}},
		"twice":                     {more: []string{"r1,u1,owner", "both,u4,member", "both,u4,", "half,u5,"}, twice: 4},
		"they contradict":           {more: []string{"r1,u2,owner", "both,u4,owner"}, twice: 2, want: []string{"contradiction rongcloud.prod r1 u2 member member: the records also say owner", "contradiction tencentchat.intl both u4 member member: the records also say owner"}},
		"a role of each source":     {more: []string{"both,u1,owner"}, twice: 1},
		"a third role":              {more: []string{"both,u1,owner", "both,u1,admin"}, twice: 2, want: []string{"contradiction rongcloud.prod both u1 admin member: the records also say member and owner"}},
		"they contradict of no one": {more: []string{"both,x,owner", "both,x,member"}, twice: 1, want: []string{"contradiction rongcloud.prod both x member -: the records also say owner"}},
		"some name their source":    {more: []string{"r1,u1,owner,rongcloud.prod", "both,u1,member,rongcloud.prod", "both,u1,owner,tencentchat.intl"}, twice: 2},
		"another role of one":       {less: []string{"both,u4,member"}, more: []string{"both,u4,admin", "both,u4,member,tencentchat.intl"}, want: []string{"contradiction tencentchat.intl both u4 admin -: the records also say member, of tencentchat.intl"}},
		"named and not":             {more: []string{"both,x,member,rongcloud.prod", "both,x,,", "g,u9,,tencentchat.intl", "g,u9,,"}, twice: 2, want: []string{"missing_at_vendor rongcloud.prod both x member -: the group was read whole and does not name the user", "missing_at_vendor tencentchat.intl g u9 - -: the user's own list was read whole and does not name the group"}},
	} {
		rows := slices.DeleteFunc(slices.Clone(everyone), func(row string) bool { return slices.Contains(c.less, row) })
		if len(rows) != len(everyone)-len(c.less) {
			t.Fatalf("%s: %v are not all there", name, c.less)
		}
		told, summary := compare(t, s, append(rows, c.more...), nil)
		slices.Sort(told)
		if !slices.Equal(told, c.want) {
			t.Errorf("%s: told\n  %s\nwant\n  %s", name, strings.Join(told, "\n  "), strings.Join(c.want, "\n  "))
		}
		wrong := int64(len(c.want)) - summary.Counts[reconcile.UnknownToApplication]
		pairs := int64(len(rows)+len(c.more)) - c.twice
		if summary.Pairs != pairs || summary.Agree != pairs-wrong || summary.Duplicates != c.twice || summary.Memberships != 11 {
			t.Errorf("%s: %+v, want %d records, %d twice, %d agree", name, summary, pairs, c.twice, pairs-wrong)
		}
		if !slices.Equal(summary.Sources, []string{first, second}) || len(summary.NotCompared) != 0 {
			t.Errorf("%s: compared %v, not %v", name, summary.Sources, summary.NotCompared)
		}
	}
}

func TestOneSourceMaySayNothingOfAGroupThatNoneKnows(t *testing.T) {
	t.Parallel()
	told, _ := compare(t, twoVendors(t), append(slices.Clone(everyone), "g,u9,"), func(o *reconcile.Options) {
		o.Blind = func(source, group string, known bool) bool { return source == second && !known }
	})
	want := []string{"cant_tell - g u9 - -: no source knows the group; tencentchat.intl: no view names the group, and users' own lists may leave it out"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestGroupsThatNoRecordNamesAreLeftOutOfAllSources(t *testing.T) {
	t.Parallel()
	told, summary := compare(t, twoVendors(t), []string{"both,u1,member", "r1,u1,owner"}, func(o *reconcile.Options) { o.OnlyListedGroups = true })
	want := []string{
		"unknown_to_application rongcloud.prod both u2 - admin: named by the group's own list",
		"unknown_to_application rongcloud.prod r1 u2 - member: named by the group's own list",
		"unknown_to_application tencentchat.intl both u4 - member: named by the group's own list",
	}
	if !slices.Equal(told, want) || summary.Unlisted != 5 || summary.Memberships != 6 || summary.Agree != 2 {
		t.Errorf("told %q, %+v", told, summary)
	}
}

func TestASourceThatIsNamedForAllIsTheOnlyOneThatIsCompared(t *testing.T) {
	t.Parallel()
	told, summary := compare(t, twoVendors(t), []string{"both,u1,member", "both,u2,admin", "t1,u1,owner"}, func(o *reconcile.Options) { o.Source, o.OnlyListedGroups = first, true })
	want := []string{"cant_tell rongcloud.prod t1 u1 owner -: no view names the group, and no view names the user"}
	if !slices.Equal(told, want) || !slices.Equal(summary.Sources, []string{first}) || !slices.Equal(summary.NotCompared, []string{second}) {
		t.Errorf("told %q, %+v", told, summary)
	}
}

// TestMoreThanMemoryHoldsIsToldOnce has groups that both sources know, in which a third of the pairs is the second's alone, a third the
// first's, and a third of both; the second has all as owners, the first as members.
func TestMoreThanMemoryHoldsIsToldOnce(t *testing.T) {
	t.Parallel()
	sink, err := local.Open(local.Config{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	yes, member, owner := true, "member", "owner"
	tables := sinktest.Tables{Sources: []schema.SourceFigures{{Source: first, Type: "rongcloud"}, {Source: second, Type: "tencentchat"}}}
	var rows []string
	for i, source := range []string{first, second} {
		for g := range 200 {
			group := fmt.Sprintf("g%04d", g)
			tables.Groups = append(tables.Groups, schema.Group{Source: source, GroupID: group, Verdict: "exact"})
			for u := range 200 {
				if u%3 == 2-i { // the other one has it alone
					continue
				}
				role := &member
				if i == 1 {
					role = &owner
				}
				tables.Memberships = append(tables.Memberships, schema.Membership{Source: source, GroupID: group, UserID: fmt.Sprintf("u%04d", u), Role: role, InGroupView: &yes})
			}
			for u := range 200 * (1 - i) {
				rows = append(rows, fmt.Sprintf("%s,u%04d,owner", group, u))
			}
		}
	}
	sinktest.Seal(t, sink, "2026-11-21", tables)
	s, err := snapshot.Open(t.Context(), sink, "2026-11-21")
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(rows)
	told, summary := compare(t, s, rows, func(o *reconcile.Options) { o.Memory = 1 })
	alone := int64(200 * len(slices.DeleteFunc(numbers(200), func(u int) bool { return u%3 != 1 }))) // of the first, as members
	if int64(len(told)) != alone || summary.Counts[reconcile.RoleDiffers] != alone || summary.Agree != int64(len(rows))-alone || summary.Pairs != int64(len(rows)) {
		t.Errorf("%d are told: %+v, want %d", len(told), summary, alone)
	}
}

func numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
