package merge_test

import (
	"cmp"
	"context"
	"slices"
	"unsafe"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// fake is a spool in memory. Its rows lie in any order; cursors sort them as a spool does.
type fake struct {
	blocks  []spool.Block
	rows    []spool.Row
	groups  []spool.Group
	records []spool.Record
	opened  int // cursors not yet closed
}

func (f *fake) Blocks() []spool.Block { return f.blocks }

func (f *fake) Rows(_ context.Context, blocks []int) (merge.Cursor[spool.Row], error) {
	var rows []spool.Row
	for _, r := range f.rows {
		if slices.Contains(blocks, r.Block) {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b spool.Row) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.User, b.User), cmp.Compare(a.Block, b.Block))
	})
	return newCursor(f, rows, func(r *spool.Row, m *memory) {
		r.Group, r.User = m.text(r.Group), m.text(r.User)
		for _, t := range []*schema.Text{&r.GroupName, &r.GroupType, &r.RoleRaw, &r.Nickname, &r.Extra} {
			t.Value = m.text(t.Value)
		}
	}), nil
}

func (f *fake) Groups(_ context.Context, blocks []int) (merge.Cursor[spool.Group], error) {
	var groups []spool.Group
	for _, g := range f.groups {
		if slices.Contains(blocks, g.Block) {
			groups = append(groups, g)
		}
	}
	slices.SortStableFunc(groups, func(a, b spool.Group) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Block, b.Block))
	})
	return newCursor(f, groups, func(g *spool.Group, m *memory) {
		g.ID, g.Name.Value, g.Type.Value = m.text(g.ID), m.text(g.Name.Value), m.text(g.Type.Value)
	}), nil
}

func (f *fake) Records(_ context.Context, block int) (merge.Cursor[spool.Record], error) {
	var records []spool.Record
	for _, r := range f.records {
		if r.Block == block {
			records = append(records, r)
		}
	}
	slices.SortStableFunc(records, func(a, b spool.Record) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Generation, b.Generation))
	})
	return newCursor(f, records, func(r *spool.Record, m *memory) {
		r.Key, r.Code, r.Message = m.text(r.Key), m.text(r.Code), m.text(r.Message)
	}), nil
}

// cursor hands out rows whose memory it overwrites with the next one, as a spool may.
type cursor[Row any] struct {
	owner  *fake
	rows   []Row
	row    Row
	move   func(*Row, *memory)
	memory memory
	closed bool
}

func newCursor[Row any](owner *fake, rows []Row, move func(*Row, *memory)) *cursor[Row] {
	owner.opened++
	return &cursor[Row]{owner: owner, rows: rows, move: move, memory: memory{make([]byte, 0, 4096)}}
}

func (c *cursor[Row]) Next() bool {
	c.memory.spoil()
	if len(c.rows) == 0 {
		return false
	}
	c.row, c.rows = c.rows[0], c.rows[1:]
	c.move(&c.row, &c.memory)
	return true
}

func (c *cursor[Row]) Row() *Row  { return &c.row }
func (c *cursor[Row]) Err() error { return nil }
func (c *cursor[Row]) Close() error {
	if !c.closed {
		c.closed = true
		c.owner.opened--
	}
	return nil
}

// memory holds the texts of one row; what was handed out before changes when it is spoiled.
type memory struct{ bytes []byte }

func (m *memory) text(s string) string {
	if s == "" {
		return ""
	}
	start := len(m.bytes)
	m.bytes = append(m.bytes, s...)
	return unsafe.String(&m.bytes[start], len(s))
}

func (m *memory) spoil() {
	for i := range m.bytes {
		m.bytes[i] = '#'
	}
	m.bytes = m.bytes[:0]
}

// table keeps what is written, its texts copied at once.
type table[Row any] struct {
	rows []Row
	copy func(Row) Row
}

func (t *table[Row]) Write(rows []Row) error {
	for _, r := range rows {
		t.rows = append(t.rows, t.copy(r))
	}
	return nil
}

func point[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// snapshot is all that a merge wrote.
type snapshot struct {
	Memberships   []schema.Membership
	Groups        []schema.Group
	Users         []schema.User
	Outcomes      []schema.KeyOutcome
	Discrepancies []schema.Discrepancy
	Summary       merge.Summary
}

func run(in merge.Input, scratch string) (snapshot, error) {
	memberships := &table[schema.Membership]{copy: func(r schema.Membership) schema.Membership {
		r.Role, r.RoleRaw, r.Nickname, r.Extra, r.JoinedAt = point(r.Role), point(r.RoleRaw), point(r.Nickname), point(r.Extra), point(r.JoinedAt)
		return r
	}}
	groups := &table[schema.Group]{copy: func(r schema.Group) schema.Group {
		r.Name, r.Type, r.DeclaredMembers = point(r.Name), point(r.Type), point(r.DeclaredMembers)
		return r
	}}
	users := &table[schema.User]{copy: func(r schema.User) schema.User {
		r.DeclaredGroups = point(r.DeclaredGroups)
		return r
	}}
	outcomes := &table[schema.KeyOutcome]{copy: func(r schema.KeyOutcome) schema.KeyOutcome {
		r.Declared, r.VendorCode, r.Message = point(r.Declared), point(r.VendorCode), point(r.Message)
		return r
	}}
	discrepancies := &table[schema.Discrepancy]{copy: func(r schema.Discrepancy) schema.Discrepancy {
		r.UserView, r.GroupView, r.RoleView = point(r.UserView), point(r.GroupView), point(r.RoleView)
		return r
	}}
	out := merge.Output{Memberships: memberships, Groups: groups, Users: users, Outcomes: outcomes, Discrepancies: discrepancies}
	summary, err := merge.Run(context.Background(), in, out, merge.Options{Scratch: scratch})
	return snapshot{memberships.rows, groups.rows, users.rows, outcomes.rows, discrepancies.rows, summary}, err
}
