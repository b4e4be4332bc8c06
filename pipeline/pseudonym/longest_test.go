package pseudonym_test

import (
	"strings"
	"testing"

	"rollcall/pipeline/job"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/sources"
)

// The longest texts and IDs that a vendor's answer may have fit into what is sorted, all of them in one
// row: no text can keep a snapshot from being sealed.
func TestTheLongestTextsOfAllFieldsAreSortedTogether(t *testing.T) {
	t.Parallel()
	text := func(letter string) schema.Text {
		cut, _ := schema.CutText(strings.Repeat(letter, schema.MaxText))
		return schema.SomeText(cut)
	}
	id := strings.Repeat("\x00", schema.MaxID) // which a sort key spells with two bytes each
	w := &world{blocks: []spool.Block{{Address: "a", Source: "s", View: schema.GroupView}}}
	row := spool.Row{Row: sources.Row{
		Group: id, User: id, RoleRaw: text("長"), Nickname: text("😀"), Extra: text("x"), GroupType: text("é"), Joined: schema.Micros{Value: -1 << 63, Valid: true},
	}}
	w.rows = []spool.Row{row}
	w.groups = []spool.Group{{ID: id, Name: text("名"), Type: text("T")}}
	w.records = []spool.Record{{Key: id, Generation: 1, Outcome: schema.OK, Verdict: schema.Exact, Code: "10018", Message: strings.Repeat(`\U0001f600`, 1000)}}
	for name, columns := range map[string][]job.Column{"both": both(key), "users": {{Name: "user_id", Key: key}}, "groups": {{Name: "group_id", Key: key}}} {
		in := pseudonym.New(columns).Input(w, pseudonym.Options{Scratch: t.TempDir(), Memory: 1})
		rows, err := in.Rows(t.Context(), []int{0})
		got := all(t, rows, err)
		if len(got) != 1 || got[0].RoleRaw != row.RoleRaw || got[0].Nickname != row.Nickname || got[0].Extra != row.Extra || got[0].GroupType != row.GroupType {
			t.Errorf("%s: the row came back changed", name)
		}
		groups, err := in.Groups(t.Context(), []int{0})
		if named := all(t, groups, err); len(named) != 1 || named[0].Name != w.groups[0].Name {
			t.Errorf("%s: the group came back changed", name)
		}
		records, err := in.Records(t.Context(), 0)
		if len(all(t, records, err)) != 1 {
			t.Errorf("%s: the record is missing", name)
		}
	}
}
