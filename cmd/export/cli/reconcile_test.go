package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/reconcile"
)

// said is what a comparison must say of one pair.
type said struct {
	pairOf
	kind             reconcile.Kind
	expected, vendor string
}

// reconciles holds records that are wrong on purpose against the third night, on which one group
// could not be read, and demands every difference and no other.
func reconciles(t *testing.T, h *audited) {
	truth := h.truth[2]
	records, want := map[pairOf]string{}, map[said]bool{}
	for i, p := range slices.SortedFunc(maps.Keys(truth), func(a, b pairOf) int { return strings.Compare(a.group+"\x00"+a.user, b.group+"\x00"+b.user) }) {
		role := truth[p]
		switch {
		case i%7 == 3: // the application does not know it
			want[said{p, reconcile.UnknownToApplication, "", role}] = true
			continue
		case i%7 == 5 && role != "owner":
			records[p] = "owner"
			want[said{p, reconcile.RoleDiffers, "owner", role}] = true
		case i%7 == 6:
			records[p] = "" // not compared
		default:
			records[p] = role
		}
	}
	for p, kind := range map[pairOf]reconcile.Kind{
		{h.group, "nobody"}:       reconcile.MissingAtVendor, // the group was read whole
		{h.unread, "nobody"}:      reconcile.CantTell,        // neither was
		{h.unread, "u0000001"}:    reconcile.MissingAtVendor, // the user's own list was
		{"no-such-group", "nome"}: reconcile.CantTell,
	} {
		if _, there := truth[p]; there {
			t.Fatalf("%v is there", p)
		}
		records[p] = "member"
		want[said{p, kind, "member", ""}] = true
	}
	counts := map[reconcile.Kind]int64{}
	for s := range want {
		counts[s.kind]++
	}
	dir := t.TempDir()
	for name, content := range encodings(t, records) {
		path, out := filepath.Join(dir, name), filepath.Join(dir, name+".out.parquet")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		got := h.run(t, "reconcile", "--expected", path, "--source", "rongcloud.demo", "--date", h.dates[2], "--out", out, "--limit", "2", "--json")
		var answer reconciled
		if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != Different {
			t.Fatalf("%s: reconcile ended with %d: %s%s (%v)", name, got.code, got.stdout, got.stderr, err)
		}
		if !maps.Equal(answer.Counts, counts) || answer.Pairs != int64(len(records)) || answer.Memberships != int64(len(truth)) || len(answer.Details) > 8 || answer.Agree != int64(len(records))-counts[reconcile.RoleDiffers]-4 {
			t.Errorf("%s: %+v, want %v of %d records and %d memberships", name, answer.Summary, counts, len(records), len(truth))
		}
		rows, err := parquet.ReadFile[reconcile.Difference](out)
		if err != nil {
			t.Fatal(err)
		}
		told := map[said]bool{}
		for _, d := range rows {
			s := said{pairOf{d.GroupID, d.UserID}, d.Kind, deref(d.ExpectedRole), deref(d.VendorRole)}
			if told[s] = true; !want[s] || deref(d.Source) != "rongcloud.demo" || d.Why == "" && d.Kind != reconcile.RoleDiffers {
				t.Errorf("%s: told %+v", name, d)
			}
		}
		if len(told) != len(want) || len(rows) != len(want) {
			t.Errorf("%s: %d differences are told in %d rows, want %d", name, len(told), len(rows), len(want))
		}
	}
	reconcileCodes(t, h, dir)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// encodings are the same records in every format.
func encodings(t *testing.T, records map[pairOf]string) map[string][]byte {
	t.Helper()
	type row struct {
		Role    string `parquet:"role,optional"`
		UserID  string `parquet:"user_id"`
		Other   int64  `parquet:"other"`
		GroupID string `parquet:"group_id"`
	}
	var csv, ndjson, packed, table bytes.Buffer
	var rows []row
	csv.WriteString("\ufeffuser_id,role,comment,group_id\r\n")
	for p, role := range records { // in no order
		fmt.Fprintf(&csv, "\"%s\",%s,x,%s\r\n", p.user, strings.ToUpper(role), p.group)
		line, err := json.Marshal(map[string]any{"group_id": p.group, "user_id": p.user, "role": role, "more": []int{1}})
		if err != nil {
			t.Fatal(err)
		}
		ndjson.Write(append(line, '\n'))
		rows = append(rows, row{role, p.user, 1, p.group})
	}
	if err := parquet.Write(&table, rows); err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(ndjson.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"a.csv": csv.Bytes(), "a.ndjson": ndjson.Bytes(), "a.jsonl.gz": packed.Bytes(), "a.parquet": table.Bytes()}
}

// reconcileCodes asks in ways that have other ends.
func reconcileCodes(t *testing.T, h *audited, dir string) {
	const all = "group_id,user_id,source,role\n"
	third := h.truth[2]
	agreeing, doubled := all, all
	for p, role := range third {
		agreeing += fmt.Sprintf("%s,%s,rongcloud.demo,%s\n", p.group, p.user, role)
		if p.group == h.group {
			doubled += fmt.Sprintf("%s,%s,rongcloud.demo,%s\n%s,%s,rongcloud.demo,\n", p.group, p.user, role, p.group, p.user)
		}
	}
	theirs := strings.NewReplacer("group_id,user_id,source,role", "room,uid,source,position", ",owner\n", ",Chief\n", ",admin\n", ",manager\n")
	unread := fmt.Sprintf("%s%s,nobody,rongcloud.demo,\n", agreeing, h.unread)
	for name, c := range map[string]struct {
		content, args string
		code          int
		says          []string
	}{
		"all agree":                {agreeing, "", Done, []string{"Nothing differs.\n", "not compared: tencentchat.demo, of which there is no record"}},
		"can't tell":               {unread, "", Done, []string{"Nothing differs.\n", "1 of which nothing can be told", "the group is failed, and no view names the user"}},
		"can't tell, strictly":     {unread, "--strict", Different, nil},
		"one group":                {doubled, "--only-listed-groups", Done, []string{"memberships are of groups that no record names", "records stand there twice"}},
		"one group is not all":     {doubled, "", Different, []string{"unknown to the application"}},
		"they contradict":          {doubled + h.group + "," + h.moved + ",rongcloud.demo,owner\n", "--only-listed-groups", Different, []string{"1 contradicted by the records themselves", `mover\x1b[2J`}},
		"their columns and roles":  {theirs.Replace(agreeing), "--columns group_id=room,user_id=uid,role=position --role CHIEF=owner --role Manager=admin", Done, []string{"Nothing differs.\n"}},
		"blanks and capitals":      {strings.ReplaceAll(strings.ReplaceAll(agreeing, ",u0", " ,U0"), "user_id ,U", "user_id,u"), "", Different, []string{" unmatched records would agree without the blanks around their IDs, in lower case\n"}},
		"no such column to map":    {agreeing, "--columns group=room", ChangeFirst, []string{`there is no column "group" to map`, "group_id, user_id, role, source"}},
		"a column for nothing":     {agreeing, "--columns group_id=", ChangeFirst, []string{"--columns names no column for group_id"}},
		"no pair of names":         {agreeing, "--columns room", ChangeFirst, []string{`--columns "room" is no pair of names`}},
		"a column for two":         {agreeing, "--columns group_id=room,user_id=room", ChangeFirst, []string{`--columns gives "room" for group_id and for user_id`}},
		"a column twice":           {agreeing, "--columns group_id=a --columns group_id=b", ChangeFirst, []string{`--columns gives "group_id" twice`}},
		"no such role":             {agreeing, "--role Manager=chief", ChangeFirst, []string{`--role gives "manager" a role that is not known: "chief"`}},
		"no column":                {"group,user_id\na,b\n", "", ChangeFirst, []string{`no column "group_id"`}},
		"a column nearly":          {"group-id,user_id\na,b\n", "", ChangeFirst, []string{`is it "group-id"? name it group_id`}},
		"no source":                {"group_id,user_id\na,b\n", "", Different, []string{"1 records of rongcloud.demo and tencentchat.demo", "no source knows the group; rongcloud.demo: no view names the group, and no view names the user"}},
		"another source":           {all + "a,b,rongcloud.dmo,\n", "", ChangeFirst, []string{`no source "rongcloud.dmo"`, `did you mean "rongcloud.demo"?`}},
		"another --source":         {agreeing, "--source tencentchat.prod", ChangeFirst, []string{`no source "tencentchat.prod"`, "tencentchat.demo"}},
		"records of other sources": {agreeing, "--source tencentchat.demo", Different, []string{"records are of other sources and were left out"}},
		"another role":             {all + "a,b,rongcloud.demo,boss\n", "", ChangeFirst, []string{`in.csv:2: the role "boss" is not known`}},
		"no ID":                    {all + "a,,rongcloud.demo,\n", "", ChangeFirst, []string{"in.csv:2: column user_id: an empty ID"}},
		"no records":               {all, "", ChangeFirst, []string{"has no records"}},
		"another format":           {agreeing, "--format xlsx", ChangeFirst, []string{`"xlsx" is no format`}},
		"the wrong format":         {agreeing, "--format ndjson", ChangeFirst, []string{"in.csv:1: not one whole JSON object"}},
		"not Parquet":              {agreeing, "--format parquet", ChangeFirst, []string{"not a whole Parquet file"}},
		"no such folder":           {agreeing, "--out /no/such/folder/x.parquet", ChangeFirst, []string{"can't be written"}},
		"below zero":               {agreeing, "--limit -1", ChangeFirst, []string{"below zero"}},
		"no such date":             {agreeing, "--date 2026-01-01", ChangeFirst, []string{"no snapshot of 2026-01-01"}},
	} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name, "in.csv")
		if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"reconcile", "--expected", path}, strings.Fields(c.args)...)
		if !strings.Contains(c.args, "--date") {
			args = append(args, "--date", h.dates[2])
		}
		got := h.run(t, args...)
		if got.code != c.code {
			t.Errorf("%s: ended with %d: %s%s", name, got.code, got.stdout, got.stderr)
		}
		for _, says := range c.says {
			if !strings.Contains(got.stdout+got.stderr, says) {
				t.Errorf("%s: lacks %q:\n%s%s", name, says, got.stdout, got.stderr)
			}
		}
	}
	if got := h.run(t, "reconcile"); got.code != ChangeFirst || !strings.Contains(got.stderr, "--expected is missing") {
		t.Errorf("without a file: %d, %s", got.code, got.stderr)
	}
	if got := h.run(t, "reconcile", "--expected", "-"); got.code != ChangeFirst || !strings.Contains(got.stderr, "--format csv") {
		t.Errorf("of standard input: %d, %s", got.code, got.stderr)
	}
}

func TestWhatReconcileSays(t *testing.T) {
	t.Parallel()
	member, owner, source := "member", "owner", "rongcloud.prod"
	r := reconciled{Limit: 2, Out: "differences.parquet", Summary: reconcile.Summary{
		Date: "2026-11-21", Place: "s3://acme-audit/im", Sources: []string{"rongcloud.prod"}, NotCompared: []string{"tencentchat.intl"}, Read: 10_000_123,
		Pairs: 10_000_000, Duplicates: 120, Others: 3, Memberships: 10_000_001, Unlisted: 42, Agree: 9_999_000,
		Counts: map[reconcile.Kind]int64{reconcile.MissingAtVendor: 1234, reconcile.UnknownToApplication: 1, reconcile.RoleDiffers: 1, reconcile.CantTell: 2},
	}, Details: []reconcile.Difference{
		{Source: &source, GroupID: "g1", UserID: "u1", Kind: reconcile.MissingAtVendor, ExpectedRole: &member, Why: "the group was read whole and does not name the user"},
		{Source: &source, GroupID: "g1", UserID: "u\x1b[2J", Kind: reconcile.MissingAtVendor, Why: "the user's own list was read whole and does not name the group"},
		{Source: &source, GroupID: "g2", UserID: "u3", Kind: reconcile.UnknownToApplication, VendorRole: &owner, Why: "named by the group's own list"},
		{Source: &source, GroupID: "g2", UserID: "u4", Kind: reconcile.RoleDiffers, ExpectedRole: &member, VendorRole: &owner},
		{Source: &source, GroupID: "g3", UserID: "u5", Kind: reconcile.CantTell, ExpectedRole: &member, Why: "the group is failed, and the user is short"},
		{GroupID: "g4", UserID: "u6", Kind: reconcile.CantTell, ExpectedRole: &member, Why: "no source knows the group; rongcloud.prod: no view names the group, and no view names the user"},
	}}
	var text bytes.Buffer
	showReconciled(console.NewPrinter(&text), r, "members.csv.gz")
	golden(t, "reconcile", text.String())
}
