package changes

import (
	"rollcall/pipeline/merge"
	"rollcall/schema"
)

// Kind is what became of a pair.
type Kind byte

// The kinds. Unseen is for who asks for it: no row of the table changes.
const (
	Same        Kind = iota
	Joined           // it is named, and the base did not name it
	Left             // the base named it, and it is denied
	RoleChanged      // both name it, with roles that differ
	Unseen           // the base named it, and nobody names or denies it: not asked, or not read whole
)

// String is the kind as the table spells it.
func (k Kind) String() string {
	return [...]string{"same", "joined", "left", "role_changed", "unseen"}[k]
}

// group is what a night knows of a group.
type group struct {
	whole bool // its own list was read whole
	roles bool // every role block that was asked about it answered
}

// side is one pair on one night.
type side struct {
	merge.Pair
	group group
}

// users tells how the user's own lists were read on both nights.
type users struct {
	before, after uint64 // the kinds of user views that read the user whole, a bit each
}

// finding is what the rules make of a pair.
type finding struct {
	kind    Kind
	certain bool
	ask     bool // the user's own lists decide; see settle
}

// judge holds a pair's two nights against each other, as far as its group can tell. The base's
// pair is not Present where the base does not have it. Unlisted tells whether, on the night that
// does not name the pair, user views were not asked for groups like this one.
func judge(before, after *side, unlisted bool) finding {
	switch {
	case before.Present() && after.Present():
		return judgeRoles(before, after)
	case after.Present():
		return finding{
			kind:    Joined,
			certain: after.Whole[schema.GroupView] && after.group.whole && before.group.whole,
			ask:     after.Whole[schema.UserView] && !unlisted,
		}
	case !before.Present():
		return finding{}
	case before.Named[schema.GroupView] && before.group.whole && after.group.whole,
		before.Named[schema.RoleView] && before.group.roles && after.group.roles && after.Denied:
		return finding{kind: Left, certain: true}
	default:
		return finding{kind: Unseen, ask: before.Named[schema.UserView] && !unlisted}
	}
}

// judgeRoles compares two roles that are known. That one is not known is no change.
func judgeRoles(before, after *side) finding {
	if before.Role == schema.NoRole || after.Role == schema.NoRole || before.Role == after.Role {
		return finding{}
	}
	f := finding{kind: RoleChanged}
	if before.RoleFrom != after.RoleFrom {
		return f // two views may differ for longer than a night
	}
	switch after.RoleFrom {
	case schema.RoleView:
		f.certain = before.group.roles && after.group.roles
	case schema.GroupView:
		f.certain = before.group.whole && after.group.whole && after.Whole[schema.GroupView]
	default:
		f.ask = after.Whole[schema.UserView]
	}
	return f
}

// settle decides what the group could not tell, by the user's own lists. A list counts by its
// kind: what one endpoint listed another need not.
func (u users) settle(kind Kind) (Kind, bool) {
	switch kind {
	case Joined:
		return Joined, u.after != 0 && u.after&^u.before == 0
	case RoleChanged:
		return RoleChanged, u.after != 0 && u.after == u.before
	case Unseen:
		if u.before != 0 && u.before&^u.after == 0 {
			return Left, true
		}
	}
	return kind, false
}
