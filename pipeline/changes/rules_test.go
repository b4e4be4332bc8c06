package changes

import (
	"strings"
	"testing"

	"rollcall/pipeline/merge"
	"rollcall/schema"
)

// night reads one side from words: the views that name the pair ("user group role"), what is known
// of the group ("whole", "roles"), that the role view says NotMember ("denied"), and the role with
// the view that it comes from ("owner/group"). A view that names the pair without having been read
// whole is written "user?".
func night(words string) *side {
	s := &side{}
	views := map[string]schema.View{"user": schema.UserView, "group": schema.GroupView, "role": schema.RoleView}
	for _, word := range strings.Fields(words) {
		role, from, isRole := strings.Cut(word, "/")
		view, unsure := strings.CutSuffix(word, "?")
		switch {
		case isRole:
			s.Role, _ = schema.ParseRole(role)
			s.RoleFrom = views[from]
		case word == "whole":
			s.group.whole = true
		case word == "roles":
			s.group.roles = true
		case word == "denied":
			s.Denied = true
		default:
			s.Named[views[view]], s.Whole[views[view]] = true, !unsure
		}
	}
	return s
}

// Each row stands in pipeline/decisions/2026-11-22-changes.md in words.
func TestTheTruthTable(t *testing.T) {
	t.Parallel()
	const joinedGroups, userGroups = 1, 2 // two kinds of user views
	for _, c := range []struct {
		name          string
		before, after string
		users         users
		unlisted      bool
		want          string // "left", "joined", "joined?" where not certain
	}{
		// Named now, and not in the base.
		{"the group was read whole on both nights", "whole", "group whole", users{}, false, "joined"},
		{"the group failed in the base", "", "group whole", users{}, false, "joined?"},
		{"the group is new, and its user was read whole on both nights", "", "user group whole", users{1, 1}, false, "joined"},
		{"the group is new, and its user was not asked in the base", "", "user group whole", users{0, 1}, false, "joined?"},
		{"the group was asked for some roles only in the base", "", "group whole", users{}, false, "joined?"},
		{"the group was asked for some roles only tonight", "whole", "group?", users{}, false, "joined?"},
		{"the group stopped short tonight", "whole", "group?", users{}, false, "joined?"},
		{"the user is new in the list, their group was read whole on both nights", "whole", "user group whole", users{0, 1}, false, "joined"},
		{"the user was read whole on both nights", "", "user", users{1, 1}, false, "joined"},
		{"the user failed in the base", "", "user", users{0, 1}, false, "joined?"},
		{"the user stopped short tonight", "", "user?", users{1, 0}, false, "joined?"},
		{"another kind of user view names the pair", "", "user", users{joinedGroups, userGroups}, false, "joined?"},
		{"a second kind of user view was added", "", "user", users{joinedGroups, joinedGroups | userGroups}, false, "joined?"},
		{"a second kind of user view was taken out", "", "user", users{joinedGroups | userGroups, joinedGroups}, false, "joined"},
		{"topics were not asked for in the base", "", "user", users{1, 1}, true, "joined?"},
		{"the role view alone names the pair", "roles", "role roles", users{}, false, "joined?"},
		{"the user's whole list names it, the group's whole list does not", "whole", "user whole", users{0, 1}, false, "joined?"},

		// In the base, and not named now.
		{"the group was read whole on both nights", "group whole", "whole", users{}, false, "left"},
		{"the group failed tonight", "group whole", "", users{}, false, ""},
		{"the group failed in the base", "group", "whole", users{}, false, ""},
		{"the group was not asked tonight", "group whole", "", users{}, false, ""},
		{"the group is gone, nobody asked its users", "group whole", "", users{}, false, ""},
		{"the group is gone, and its user was read whole on both nights", "user group whole", "", users{1, 1}, false, "left"},
		{"the group did not name the pair in the base", "user whole", "whole", users{}, false, ""},
		{"the user was read whole on both nights", "user", "", users{1, 1}, false, "left"},
		{"the user did not name the pair in the base", "group", "", users{1, 1}, false, ""},
		{"the user failed tonight", "user", "", users{1, 0}, false, ""},
		{"the user failed in the base", "user", "", users{0, 1}, false, ""},
		{"the user failed tonight, the group was read whole on both nights", "user group whole", "whole", users{1, 0}, false, "left"},
		{"another kind of user view does not name the pair", "user", "", users{joinedGroups, userGroups}, false, ""},
		{"one of two kinds of user views was taken out", "user", "", users{joinedGroups | userGroups, joinedGroups}, false, ""},
		{"a second kind of user view was added", "user", "", users{joinedGroups, joinedGroups | userGroups}, false, "left"},
		{"topics are not asked for tonight", "user", "", users{1, 1}, true, ""},
		{"topics are not asked for tonight, the group's own list denies", "user group whole", "whole", users{1, 1}, true, "left"},
		{"the role view says NotMember", "role roles", "roles denied", users{}, false, "left"},
		{"the role view says NotMember, but failed for some of the group tonight", "role roles", "denied", users{}, false, ""},
		{"the role view says NotMember, but failed for some of the group in the base", "role", "roles denied", users{}, false, ""},
		{"the role view says NotMember, and did not name the pair in the base", "user roles", "roles denied", users{}, false, ""},
		{"the role view did not answer", "role roles", "roles", users{}, false, ""},

		// In the base, and denied by one view while another names it: it is still a membership.
		{"the group denies, the user names", "user group whole", "user whole", users{1, 1}, false, ""},
		{"the user denies, the group names", "user group whole", "group whole", users{1, 1}, false, ""},
		{"the role view denies, the group names", "group role whole roles", "group whole roles denied", users{}, false, ""},

		// Named on both nights.
		{"the same role", "group whole owner/group", "group whole owner/group", users{}, false, ""},
		{"the group read whole on both nights tells another role", "group whole member/group", "group whole admin/group", users{}, false, "role_changed"},
		{"the group stopped short in the base", "group member/group", "group whole admin/group", users{}, false, "role_changed?"},
		{"the group stopped short tonight", "group whole member/group", "group? admin/group", users{}, false, "role_changed?"},
		{"no role was known in the base", "user", "group whole admin/group", users{}, false, ""},
		{"no role is known tonight", "group whole member/group", "user", users{}, false, ""},
		{"the views that tell the role differ", "user group whole admin/group", "user member/user", users{1, 1}, false, "role_changed?"},
		{"the role view tells another role", "role roles member/role", "role roles admin/role", users{}, false, "role_changed"},
		{"the role view failed for some of the group", "role roles member/role", "role admin/role", users{}, false, "role_changed?"},
		{"the user read whole on both nights tells another role", "user member/user", "user admin/user", users{1, 1}, false, "role_changed"},
		{"the user failed in the base, another list of theirs did not", "user member/user", "user admin/user", users{joinedGroups, userGroups}, false, "role_changed?"},
		{"the user stopped short tonight", "user member/user", "user? admin/user", users{1, 0}, false, "role_changed?"},

		// On neither night.
		{"the role view alone says NotMember", "", "roles denied", users{1, 1}, false, ""},
	} {
		if got := verdict(night(c.before), night(c.after), c.users, c.unlisted); got != c.want {
			t.Errorf("%s (base %q, tonight %q, user %+v): %q, want %q", c.name, c.before, c.after, c.users, got, c.want)
		}
	}
}

// verdict goes the whole way, as a comparison does.
func verdict(before, after *side, u users, unlisted bool) string {
	f := judge(before, after, unlisted)
	if f.ask && !f.certain {
		f.kind, f.certain = u.settle(f.kind)
	}
	switch {
	case f.kind == Same, f.kind == Unseen:
		return ""
	case f.certain:
		return f.kind.String()
	default:
		return f.kind.String() + "?"
	}
}

// TestNothingIsClaimedThatNoWholeViewSays goes through every combination there is.
func TestNothingIsClaimedThatNoWholeViewSays(t *testing.T) {
	t.Parallel()
	roles := []schema.Role{schema.NoRole, schema.Member, schema.Admin}
	claims := map[string]int{}
	for bits := range 1 << 17 {
		flag := func(n int) bool { return bits>>n&1 == 1 }
		before, after := &side{}, &side{}
		for v := range 3 {
			before.Named[v], after.Named[v], after.Whole[v] = flag(v), flag(3+v), flag(3+v) && flag(6+v)
		}
		before.group, after.group = group{flag(9), flag(10)}, group{flag(11), flag(12)}
		after.Denied = flag(13) && !after.Named[schema.RoleView]
		unlisted := flag(14)
		for _, u := range []users{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}, {3, 1}, {1, 3}} {
			for role := range 4 {
				before.Role, after.Role = roles[role&1], roles[role&2]
				before.RoleFrom, after.RoleFrom = schema.View(bits>>15%3), schema.View(bits>>15%3)
				got := verdict(before, after, u, unlisted)
				claims[got]++
				says := claimed(before, after, u, unlisted)
				if sure := strings.TrimSuffix(got, "?"); got == sure && got != "" && !says {
					t.Fatalf("%+v, %+v, %+v: %s", before, after, u, got)
				}
				if got == "left" && after.Present() || got == "left?" || got == "" && says && !after.Present() && before.Present() {
					t.Fatalf("%+v, %+v, %+v: %q", before, after, u, got)
				}
				if strings.HasPrefix(got, "joined") != (after.Present() && !before.Present()) {
					t.Fatalf("%+v, %+v, %+v: %q", before, after, u, got)
				}
			}
		}
	}
	for _, kind := range []string{"", "left", "joined", "joined?", "role_changed", "role_changed?"} {
		if claims[kind] == 0 {
			t.Errorf("%q never comes", kind)
		}
	}
}

// claimed tells whether some view that was read whole on both nights says that the two differ.
func claimed(before, after *side, u users, unlisted bool) bool {
	both := before.Present() && after.Present()
	group := before.group.whole && after.group.whole
	userNamed := u.before != 0 && u.after&u.before == u.before && !unlisted
	userNames := u.after != 0 && u.before&u.after == u.after && !unlisted
	switch {
	case both:
		from := after.RoleFrom
		whole := [3]bool{after.Whole[schema.UserView] && u.before == u.after && u.after != 0, group && after.Whole[schema.GroupView], before.group.roles && after.group.roles}
		return before.RoleFrom == from && whole[from] && before.Role != after.Role && before.Role != schema.NoRole && after.Role != schema.NoRole
	case after.Present():
		return group && after.Whole[schema.GroupView] || userNames && after.Whole[schema.UserView]
	default:
		return group && before.Named[schema.GroupView] || userNamed && before.Named[schema.UserView] ||
			before.Named[schema.RoleView] && after.Denied && before.group.roles && after.group.roles
	}
}

var _ merge.Witness = (*Comparison)(nil)
