package merge

import (
	"context"

	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// Witness hears what a merge makes of the groups and pairs of each source, in the order of the
// tables, while they are written: for what compares a night with another. An error of it ends the
// merge.
type Witness interface {
	// Source begins one source.
	Source(ctx context.Context, address string) error
	// Group begins one group that was asked or named.
	Group(id string, known GroupReading) error
	// Pair is one user in the group that was begun last. It is valid until the call returns.
	Pair(p *Pair) error
	// Done ends the source.
	Done(ctx context.Context) error
}

// GroupReading is how a group was read.
type GroupReading struct {
	Asked bool // for its members; or a role query about it failed, so that it is not known about which users
	Whole bool // its own list was read whole
	Roles bool // no role block failed to answer about it
}

// Pair is one user in one group, as a night tells it.
type Pair struct {
	User     string  // its text may be kept
	Named    [3]bool // by schema.View: the view names the pair
	Whole    [3]bool // by schema.View: and was read whole where it does
	Denied   bool    // the role view calls the user no member
	Role     schema.Role
	RoleFrom schema.View // the view that names the role, known or not
}

// Present tells whether the pair is a membership.
func (p *Pair) Present() bool { return p.Named[0] || p.Named[1] || p.Named[2] }

// tell puts what the views say of a pair into p.
func (h *hearing) tell(p *Pair) {
	*p = Pair{User: h.user, Denied: h.views[schema.RoleView].denied}
	for v := range h.views {
		p.Named[v], p.Whole[v] = h.views[v].named, h.views[v].whole
	}
	p.Role, _ = h.role()
	p.RoleFrom, _ = h.roleView()
}

// Readings goes through the users of one source whom some user view was asked about, ascending.
type Readings struct {
	panel panel
	whole []string
}

// OpenReadings stands before the first user of source.
func OpenReadings(ctx context.Context, in Input, source string) (*Readings, error) {
	var indexes []int
	blocks := in.Blocks()
	for i, b := range blocks {
		if b.Source == source && b.View == schema.UserView {
			indexes = append(indexes, i)
		}
	}
	panel, err := openPanel(ctx, in, blocks, indexes)
	return &Readings{panel: panel}, err
}

// Next goes to the next user who was asked about, and tells the addresses of the blocks that read them whole: none
// where the verdict that stands in the tables is another one. Ok is false at the end. What it gives
// is valid until the next call.
func (r *Readings) Next() (user string, whole []string, ok bool, err error) {
	user, ok = r.panel.lowest("", false)
	r.whole = r.whole[:0]
	s := unasked()
	for _, a := range r.panel {
		if a.done || a.answer.Key != user {
			continue
		}
		s.hear(&a.answer, a.block, a.kind)
		if Whole(a.answer.Record, a.block) {
			r.whole = append(r.whole, a.block.Address)
		}
		if err := a.next(); err != nil {
			return "", nil, false, err
		}
	}
	if s.verdict != schema.Exact && s.verdict != schema.Unverifiable {
		r.whole = r.whole[:0]
	}
	return user, r.whole, ok, nil
}

// Close ends reading.
func (r *Readings) Close() error { return r.panel.close() }

// Blind lists the prefixes of groups that some user view of the source was not asked for.
func Blind(blocks []spool.Block, source string) (prefixes []string) {
	for _, b := range blocks {
		if b.Source == source && b.View == schema.UserView && b.Blind != "" {
			prefixes = append(prefixes, b.Blind)
		}
	}
	return prefixes
}
