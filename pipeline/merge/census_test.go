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
	c.count(schema.NoRole, schema.Text{})
	c.count(schema.Owner, schema.Text{})
	for i := range 1000 {
		c.count(schema.NoRole, schema.SomeText(fmt.Sprintf("role %d", i)))
	}
	c.count(schema.NoRole, schema.SomeText("role 5"))
	s := Summary{Roles: map[string]map[string]int64{}}
	c.add("v.prod", &s)
	roles := s.Roles["v.prod"]
	if len(roles) != maxRoleWords+1 || roles["owner"] != 1 || roles["role 5"] != 2 || roles[OtherRoles] != 1000-(maxRoleWords-1) {
		t.Errorf("%d words; owner %d, role 5 %d, other %d", len(roles), roles["owner"], roles["role 5"], roles[OtherRoles])
	}
	long := newCensus()
	long.count(schema.NoRole, schema.SomeText(strings.Repeat("é", 100)))
	long.add("v.prod", &s)
	if n := s.Roles["v.prod"][strings.Repeat("é", maxRoleBytes/2)]; n != 1 {
		t.Errorf("a long word counts as %v", s.Roles["v.prod"])
	}
}

func TestOnlyGroupsReadWholeWithRolesCanLackAnOwner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		whole             bool
		role              schema.Role
		owners            int64
		judged, ownerless int64
	}{
		{true, schema.Member, 0, 1, 1},
		{true, schema.Owner, 1, 1, 0},
		{false, schema.Member, 0, 0, 0},
		{true, schema.NoRole, 0, 0, 0},
	} {
		census, s := newCensus(), Summary{}
		census.count(c.role, schema.Text{})
		census.judge(c.whole, c.owners, &s)
		if s.Judged != c.judged || s.Ownerless != c.ownerless {
			t.Errorf("%+v: judged %d, ownerless %d", c, s.Judged, s.Ownerless)
		}
		census.judge(true, 0, &s)
		if s.Judged != c.judged {
			t.Errorf("%+v: roles of one group count for the next", c)
		}
	}
}
