package tencentchat_test

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
	w := newWorld(simulated.Options{Seed: 3, Users: 200, Groups: 40, Nasty: true, ShuffledRoles: true})
	byUser, byGroup := map[string][]simulated.Membership{}, map[string][]simulated.Membership{}
	for m := range w.Tencent.Truth().Memberships() {
		if m.InUserView {
			byUser[m.User] = append(byUser[m.User], m)
		}
		if m.InGroupView {
			byGroup[m.Group] = append(byGroup[m.Group], m)
		}
	}
	source := open(t, w.Handler())
	for u := range w.Tencent.Truth().Users() {
		got, err := source.Ask(t.Context(), &sourcetest.Caller{}, sources.Question{Data: "joined_groups", Key: u.ID, Topics: true})
		if err != nil {
			t.Fatalf("user %q: %v", u.ID, err)
		}
		mustMatch(t, "joined_groups", got.Rows, byUser[u.ID])
		if got.Declared != int64(u.Declared) {
			t.Errorf("user %q: %d declared, want %d", u.ID, got.Declared, u.Declared)
		}
	}
	for g := range w.Tencent.Truth().Groups() {
		members, err := source.Ask(t.Context(), &sourcetest.Caller{}, sources.Question{Data: "group_members", Key: g.ID})
		outcome := map[string]schema.Outcome{"gone": schema.Gone, "unsupported": schema.Unsupported}[g.State]
		if outcome != "" {
			if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Item || e.Outcome != outcome {
				t.Errorf("group %q is %s: %v", g.ID, g.State, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("group %q: %v", g.ID, err)
		}
		mustMatch(t, "group_members", members.Rows, byGroup[g.ID])
		if members.Declared != int64(g.Declared) {
			t.Errorf("group %q: %d declared, want %d", g.ID, members.Declared, g.Declared)
		}
		mustHaveRoles(t, source, g.ID, members.Rows)
	}
}

// mustHaveRoles asks for the roles of up to 499 members and of one stranger.
func mustHaveRoles(t *testing.T, source sources.Source, group string, members []sources.Row) {
	t.Helper()
	members = members[:min(len(members), 499)]
	q := sources.Question{Data: "group_roles", Key: group, Users: []string{"a stranger"}}
	roles := map[string]schema.Text{}
	for _, row := range members {
		q.Users = append(q.Users, row.User)
		roles[row.User] = row.RoleRaw
	}
	got, err := source.Ask(t.Context(), &sourcetest.Caller{}, q)
	if err != nil || len(got.Rows) != len(q.Users) {
		t.Fatalf("roles in %q: %d rows, want %d (%v)", group, len(got.Rows), len(q.Users), err)
	}
	for _, row := range got.Rows {
		if stranger := row.User == "a stranger"; row.NotMember != stranger || !stranger && row.RoleRaw != roles[row.User] {
			t.Errorf("roles in %q: %+v", group, row)
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
		case row.RoleRaw.Value != m.Role, row.Joined.Value != m.JoinedMicros,
			data == "joined_groups" && (row.GroupName.Value != m.GroupName || row.GroupType.Value != m.GroupType),
			data == "group_members" && row.Nickname != text(m.Nickname):
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
