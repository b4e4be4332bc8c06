package rongcloud_test

import (
	"errors"
	"testing"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
	"rollcall/sources/simulated"
	"rollcall/sources/sourcetest"
)

// A population with every nasty text, ID, size and state comes back as it is, from each data block.
func TestANastyWorldIsReadAsItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(simulated.Options{Seed: 3, Users: 200, Groups: 40, Nasty: true})
	byUser, byGroup := map[string][]simulated.Membership{}, map[string][]simulated.Membership{}
	for m := range w.RongCloud.Truth().Memberships() {
		if m.InUserView {
			byUser[m.User] = append(byUser[m.User], m)
		}
		if m.InGroupView {
			byGroup[m.Group] = append(byGroup[m.Group], m)
		}
	}
	source := open(t, w.Handler())
	for u := range w.RongCloud.Truth().Users() {
		for _, data := range []string{"user_groups", "joined_groups"} {
			got, err := source.Ask(t.Context(), &sourcetest.Caller{}, sources.Question{Data: data, Key: u.ID})
			if err != nil {
				t.Fatalf("%s of %q: %v", data, u.ID, err)
			}
			mustMatch(t, data, got.Rows, byUser[u.ID])
			if data == "joined_groups" && got.Declared != int64(u.Declared) {
				t.Errorf("%s of %q: %d declared, want %d", data, u.ID, got.Declared, u.Declared)
			}
		}
	}
	for g := range w.RongCloud.Truth().Groups() {
		got, err := source.Ask(t.Context(), &sourcetest.Caller{}, sources.Question{Data: "group_members", Key: g.ID})
		if g.State == "gone" {
			if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Item || e.Outcome != schema.Gone {
				t.Errorf("group %q is gone: %v", g.ID, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("group %q: %v", g.ID, err)
		}
		mustMatch(t, "group_members", got.Rows, byGroup[g.ID])
		if got.Declared != int64(g.Declared) {
			t.Errorf("group %q: %d declared, want %d", g.ID, got.Declared, g.Declared)
		}
	}
}

func mustMatch(t *testing.T, data string, got []sources.Row, want []simulated.Membership) {
	t.Helper()
	rows := map[[2]string]sources.Row{}
	for _, row := range got {
		rows[[2]string{row.Group, row.User}] = row
	}
	if len(got) != len(want) || len(rows) != len(got) {
		t.Errorf("%s: %d rows, %d of them distinct, want %d", data, len(got), len(rows), len(want))
	}
	for _, m := range want {
		row, ok := rows[[2]string{m.Group, m.User}]
		switch {
		case !ok:
			t.Errorf("%s: (%q, %q) is missing", data, m.Group, m.User)
		case data != "group_members" && row.GroupName.Value != m.GroupName,
			data != "user_groups" && (row.RoleRaw.Value != m.Role || row.Joined.Value != m.JoinedMicros),
			data == "group_members" && (row.Nickname != text(m.Nickname) || row.Extra != text(m.Extra)):
			t.Errorf("%s: %+v, want %+v", data, row, m)
		}
	}
}

func text(s *string) schema.Text {
	if s == nil {
		return schema.Text{}
	}
	return schema.SomeText(*s)
}
