package report

import (
	"cmp"
	"context"

	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/sinks/parquet"
)

// How many rows the lists of the page have at most.
const (
	keptGroups  = 20
	keptKeys    = 50
	keptReasons = 40
	keptChanges = 25

	// countedReasons is how many different reasons are told apart; a vendor can't make it more.
	countedReasons = 1000
)

// found is what one reading of the tables gave.
type found struct {
	Largest   top[schema.Group]
	Ownerless top[schema.Group] // see schema.OwnershipOf
	Differing top[schema.Group]
	DiffUsers top[schema.User]

	Reasons map[reason]*cause
	Missing top[schema.KeyOutcome] // failed and denied

	Privileged top[schema.Change] // who became or ceased to be owner or admin
	Moved      top[moved]
}

// reason is why keys have no rows, as the ledger says.
type reason struct {
	Data, Outcome, Code string
}

// cause is how often there was one reason, with one of its messages.
type cause struct {
	Keys         int64
	Key, Message string // of the first
}

// moved is a group and how many memberships changed in it.
type moved struct {
	Source, GroupID       string
	Joined, Left, Changed int64
}

func (m moved) sum() int64 { return m.Joined + m.Left + m.Changed }

func gather(ctx context.Context, s *snapshot.Snapshot) (*found, error) {
	f := &found{
		Largest:    top[schema.Group]{keep: keptGroups, less: byMembers},
		Differing:  top[schema.Group]{keep: keptGroups},
		DiffUsers:  top[schema.User]{keep: keptGroups},
		Ownerless:  top[schema.Group]{keep: keptGroups, less: byMembers},
		Reasons:    map[reason]*cause{},
		Missing:    top[schema.KeyOutcome]{keep: keptKeys},
		Privileged: top[schema.Change]{keep: keptChanges},
		Moved:      top[moved]{keep: keptGroups, less: func(a, b moved) int { return cmp.Compare(b.sum(), a.sum()) }},
	}
	for _, pass := range []func(context.Context, *snapshot.Snapshot) error{f.groups, f.users, f.outcomes, f.changes} {
		if err := pass(ctx, s); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func byMembers(a, b schema.Group) int { return cmp.Compare(members(b), members(a)) }

// members is how large a group is: what was collected, or else what the vendor declares.
func members(g schema.Group) int64 {
	if g.CollectedMembers == 0 && g.DeclaredMembers != nil {
		return *g.DeclaredMembers
	}
	return g.CollectedMembers
}

func (f *found) groups(ctx context.Context, s *snapshot.Snapshot) error {
	for g, err := range snapshot.Rows[schema.Group](ctx, s) {
		if err != nil {
			return err
		}
		f.Largest.add(*g)
		if schema.Verdict(g.Verdict).Disagrees() {
			f.Differing.add(*g)
		}
		if schema.OwnershipOf(schema.Verdict(g.Verdict), g.CollectedMembers, 0, g.Owners) == schema.Ownerless {
			f.Ownerless.add(*g)
		}
	}
	return f.knownRoles(ctx, s)
}

// knownRoles leaves out of the groups without an owner those that are shown and in which some role is not
// known: for them alone the memberships are looked up. How many there are in all the manifest counts.
func (f *found) knownRoles(ctx context.Context, s *snapshot.Snapshot) error {
	known := top[schema.Group]{keep: keptGroups, less: byMembers}
	for _, g := range f.Ownerless.Rows {
		unknown, err := unknownRoles(ctx, s, g)
		if err != nil {
			return err
		}
		if schema.OwnershipOf(schema.Verdict(g.Verdict), g.CollectedMembers, unknown, g.Owners) == schema.Ownerless {
			known.add(g)
		}
	}
	known.Total = int64(len(known.Rows))
	if counted := s.Ownership; counted.Judged > 0 || counted.Empty != nil {
		known.Total = max(known.Total, counted.Ownerless)
	}
	f.Ownerless = known
	return nil
}

// unknownRoles is 1 where the role of some member of the group's own list is not known.
func unknownRoles(ctx context.Context, s *snapshot.Snapshot, g schema.Group) (int64, error) {
	where := []parquet.Equal{{Column: "source", Value: g.Source}, {Column: "group_id", Value: g.GroupID}}
	for m, err := range snapshot.Find[schema.Membership](ctx, s, where...) {
		if err != nil || m.Role == nil && m.InGroupView != nil && *m.InGroupView {
			return 1, err
		}
	}
	return 0, nil
}

func (f *found) users(ctx context.Context, s *snapshot.Snapshot) error {
	if differing(s.Verdicts.Users) == 0 {
		return nil // millions of rows need not be read to find none
	}
	for u, err := range snapshot.Rows[schema.User](ctx, s) {
		if err != nil {
			return err
		}
		if schema.Verdict(u.Verdict).Disagrees() {
			f.DiffUsers.add(*u)
		}
	}
	return nil
}

func (f *found) outcomes(ctx context.Context, s *snapshot.Snapshot) error {
	for o, err := range snapshot.Rows[schema.KeyOutcome](ctx, s) {
		if err != nil {
			return err
		}
		if schema.Outcome(o.Outcome) == schema.OK {
			continue
		}
		if schema.Outcome(o.Outcome).Missing() {
			f.Missing.add(*o)
		}
		r := reason{Data: o.Data, Outcome: o.Outcome, Code: text(o.VendorCode)}
		c := f.Reasons[r]
		if c == nil && len(f.Reasons) >= countedReasons {
			r.Code = "(other)"
			c = f.Reasons[r]
		}
		if c == nil {
			c = &cause{Key: o.Key, Message: text(o.Message)}
			f.Reasons[r] = c
		}
		c.Keys++
	}
	return nil
}

func (f *found) changes(ctx context.Context, s *snapshot.Snapshot) error {
	var group moved
	settle := func() {
		if group.sum() > 0 {
			f.Moved.add(group)
		}
	}
	for c, err := range snapshot.Rows[schema.Change](ctx, s) {
		if err != nil {
			return err
		}
		if c.Source != group.Source || c.GroupID != group.GroupID {
			settle()
			group = moved{Source: c.Source, GroupID: c.GroupID}
		}
		switch c.Change {
		case "joined":
			group.Joined++
		case "left":
			group.Left++
		default:
			group.Changed++
		}
		if privileged(c.RoleBefore) || privileged(c.RoleAfter) {
			f.Privileged.add(*c)
		}
	}
	settle()
	return nil
}

func privileged(role *string) bool {
	return text(role) == schema.Owner.String() || text(role) == schema.Admin.String()
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
