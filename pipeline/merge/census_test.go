package merge

import (
	"fmt"
	"strings"
	"testing"

	"rollcall/schema"
)

func TestACensusStaysSmallWhateverAVendorCallsItsRoles(t *testing.T) {
	t.Parallel()
	c := newCensus()
	c.count(schema.NoRole, schema.Text{}, true)
	c.count(schema.Owner, schema.Text{}, true)
	for i := range 1000 {
		c.count(schema.NoRole, schema.SomeText(fmt.Sprintf("role %d", i)), true)
	}
	c.count(schema.NoRole, schema.SomeText("role 5"), true)
	s := Summary{Roles: map[string]map[string]int64{}}
	c.add("v.prod", &s)
	roles := s.Roles["v.prod"]
	if len(roles) != maxRoleWords+1 || roles["owner"] != 1 || roles["role 5"] != 2 || roles[OtherRoles] != 1000-(maxRoleWords-1) {
		t.Errorf("%d words; owner %d, role 5 %d, other %d", len(roles), roles["owner"], roles["role 5"], roles[OtherRoles])
	}
	long := newCensus()
	long.count(schema.NoRole, schema.SomeText(strings.Repeat("é", 100)), true)
	long.add("v.prod", &s)
	if n := s.Roles["v.prod"][strings.Repeat("é", maxRoleBytes/2)]; n != 1 {
		t.Errorf("a long word counts as %v", s.Roles["v.prod"])
	}
}

func TestOnlyGroupsReadCompletelyWithMembersAndTheirRolesCanLackAnOwner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		verdict                  schema.Verdict
		role                     schema.Role
		members, owners          int64
		judged, ownerless, empty int64
	}{
		{schema.Exact, schema.Member, 1, 0, 1, 1, 0},
		{schema.Exact, schema.Owner, 1, 1, 1, 0, 0},
		{schema.Exact, schema.NoRole, 1, 0, 0, 0, 0},
		{schema.Exact, schema.NoRole, 2, 1, 1, 0, 0},
		{schema.Exact, schema.Member, 0, 0, 0, 0, 1},
		{schema.Short, schema.Member, 1, 0, 0, 0, 0},
		{schema.Short, schema.Owner, 1, 1, 0, 0, 0},
	} {
		census, s := newCensus(), Summary{}
		census.count(c.role, schema.Text{}, c.members > 0)
		census.judge(&schema.Group{Verdict: string(c.verdict), CollectedMembers: c.members, Owners: c.owners}, &s)
		if s.Judged != c.judged || s.Ownerless != c.ownerless || s.Empty != c.empty {
			t.Errorf("%+v: judged %d, ownerless %d, empty %d", c, s.Judged, s.Ownerless, s.Empty)
		}
		if census.unknown != 0 {
			t.Errorf("%+v: roles of one group count for the next", c)
		}
	}
}
