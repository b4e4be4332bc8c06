package spool

import (
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"rollcall/schema"
)

// groupSchema is the layout of groups.arrow.
func groupSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "block", Type: arrow.PrimitiveTypes.Int32},
		{Name: "group_id", Type: arrow.BinaryTypes.String},
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "type", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
}

// groupColumns is a batch of groups while it is written.
type groupColumns struct {
	block          ordinals
	id, name, kind texts
}

// list has the columns in the order of groupSchema.
func (c *groupColumns) list() []column { return []column{&c.block, &c.id, &c.name, &c.kind} }

// add puts g into the columns and tells how many bytes its texts took.
func (c *groupColumns) add(g *Group) int {
	c.block.add(g.Block)
	c.id.add(g.ID)
	c.name.addText(g.Name)
	c.kind.addText(g.Type)
	return len(g.ID) + len(g.Name.Value) + len(g.Type.Value)
}

// learn takes in what another row or run tells of the same group. It gives the same result in
// whatever order it is told.
func (g *Group) learn(name, kind schema.Text) {
	if prefer(name, g.Name) {
		g.Name = name
	}
	if prefer(kind, g.Type) {
		g.Type = kind
	}
}

// prefer tells whether t tells more than what is known: anything more than nothing, a name more
// than an empty one, and of two names the smaller, so that arrival order decides nothing.
func prefer(t, known schema.Text) bool {
	if !t.Valid || !known.Valid || known.Value == "" || t.Value == "" {
		return t.Valid && (!known.Valid || known.Value == "")
	}
	return t.Value < known.Value
}

// gatherer makes groups of rows that come in order.
type gatherer struct {
	at     place
	blocks []Group // of the group at hand, by block
	told   []bool  // which of them
	any    bool
}

func newGatherer(blocks int) gatherer {
	return gatherer{blocks: make([]Group, blocks), told: make([]bool, blocks)}
}

// row takes in r; before the first row of another group it gives the groups gathered so far.
func (g *gatherer) row(r *Row, at place, yield func(*Group, place)) {
	if !g.any || at != g.at {
		g.flush(yield)
		g.at, g.any = at, true
	}
	if !g.told[r.Block] {
		g.told[r.Block] = true
		g.blocks[r.Block] = Group{Block: r.Block, ID: r.Group, Name: r.GroupName, Type: r.GroupType}
		return
	}
	if r.GroupName.Valid || r.GroupType.Valid {
		g.blocks[r.Block].learn(r.GroupName, r.GroupType)
	}
}

func (g *gatherer) flush(yield func(*Group, place)) {
	for i := range g.told {
		if g.told[i] {
			yield(&g.blocks[i], g.at)
			g.told[i] = false
		}
	}
}

// groupLane is the groups of one run within a merge.
type groupLane struct {
	batches
	at         place
	block      int
	blocks     []int32
	ids        *array.String
	name, kind *array.String
}

// advance goes on to the next group that the filter lets through; false at the end.
func (l *groupLane) advance() (bool, error) {
	for {
		if l.i++; l.i >= l.n {
			batch, err := l.nextBatch()
			if batch == nil {
				return false, err
			}
			l.take(batch)
		}
		l.block = int(l.blocks[l.i])
		if !l.scope.blocks[l.block] {
			continue
		}
		l.at = place{l.scope.ordinals[l.block], l.ids.Value(l.i)}
		if l.scope.starts(l.at) {
			return true, nil
		}
	}
}

// take unpacks a batch; its columns are groupSchema's.
func (l *groupLane) take(batch arrow.Record) {
	l.blocks = batch.Column(0).(*array.Int32).Int32Values()
	l.ids = batch.Column(1).(*array.String)
	l.name = batch.Column(2).(*array.String)
	l.kind = batch.Column(3).(*array.String)
}

// before is the order of groups: source, group, block. Runs with the same group are told apart by nothing.
func (l *groupLane) before(o *groupLane) bool {
	if l.at.source != o.at.source {
		return l.at.source < o.at.source
	}
	if c := strings.Compare(l.at.group, o.at.group); c != 0 {
		return c < 0
	}
	return l.block < o.block
}
