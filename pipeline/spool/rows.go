package spool

import (
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"rollcall/schema"
	"rollcall/sources"
)

// rowSchema is the layout of rows.arrow.
func rowSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "block", Type: arrow.PrimitiveTypes.Int32},
		{Name: "group_id", Type: arrow.BinaryTypes.String},
		{Name: "user_id", Type: arrow.BinaryTypes.String},
		{Name: "group_name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "group_type", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "role", Type: arrow.PrimitiveTypes.Int32},
		{Name: "role_raw", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "not_member", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "nickname", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "joined_at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "extra", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "whole", Type: arrow.FixedWidthTypes.Boolean},
	}, nil)
}

// rowColumns is a batch of rows while it is written.
type rowColumns struct {
	block, role                                   ordinals
	group, user, name, kind, raw, nickname, extra texts
	notMember, whole                              bits
	joined                                        numbers
}

func newRowColumns() *rowColumns {
	return &rowColumns{joined: numbers{kind: arrow.FixedWidthTypes.Timestamp_us}}
}

// list has the columns in the order of rowSchema.
func (c *rowColumns) list() []column {
	return []column{&c.block, &c.group, &c.user, &c.name, &c.kind, &c.role, &c.raw, &c.notMember, &c.nickname, &c.joined, &c.extra, &c.whole}
}

// add puts r into the columns and tells how many bytes its texts took.
func (c *rowColumns) add(r *Row) int {
	c.block.add(r.Block)
	c.group.add(r.Group)
	c.user.add(r.User)
	c.name.addText(r.GroupName)
	c.kind.addText(r.GroupType)
	c.role.add(int(r.Role))
	c.raw.addText(r.RoleRaw)
	c.notMember.add(r.NotMember)
	c.nickname.addText(r.Nickname)
	c.joined.addMicros(r.Joined)
	c.extra.addText(r.Extra)
	c.whole.add(r.Whole)
	return len(r.Group) + len(r.User) + len(r.GroupName.Value) + len(r.GroupType.Value) +
		len(r.RoleRaw.Value) + len(r.Nickname.Value) + len(r.Extra.Value)
}

// rowLane is the rows of one run within a merge.
type rowLane struct {
	batches
	order             int // of the run among the merge's
	at                place
	user              string
	block             int
	blocks, role      []int32
	groupIDs, userIDs *array.String
	name, kind, raw   *array.String
	nickname, extra   *array.String
	notMember, whole  *array.Boolean
	joined            *array.Timestamp
}

// advance goes on to the next row that the filter lets through; false at the end.
func (l *rowLane) advance() (bool, error) {
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
		l.at = place{l.scope.ordinals[l.block], l.groupIDs.Value(l.i)}
		if l.scope.starts(l.at) {
			l.user = l.userIDs.Value(l.i)
			return true, nil
		}
	}
}

// take unpacks a batch; its columns are rowSchema's.
func (l *rowLane) take(batch arrow.Record) {
	l.blocks = batch.Column(0).(*array.Int32).Int32Values()
	l.groupIDs = batch.Column(1).(*array.String)
	l.userIDs = batch.Column(2).(*array.String)
	l.name = batch.Column(3).(*array.String)
	l.kind = batch.Column(4).(*array.String)
	l.role = batch.Column(5).(*array.Int32).Int32Values()
	l.raw = batch.Column(6).(*array.String)
	l.notMember = batch.Column(7).(*array.Boolean)
	l.nickname = batch.Column(8).(*array.String)
	l.joined = batch.Column(9).(*array.Timestamp)
	l.extra = batch.Column(10).(*array.String)
	l.whole = batch.Column(11).(*array.Boolean)
}

// before is the order of rows: source, group, user, block, then the order of arrival.
func (l *rowLane) before(o *rowLane) bool {
	if l.at.source != o.at.source {
		return l.at.source < o.at.source
	}
	if c := strings.Compare(l.at.group, o.at.group); c != 0 {
		return c < 0
	}
	if c := strings.Compare(l.user, o.user); c != 0 {
		return c < 0
	}
	if l.block != o.block {
		return l.block < o.block
	}
	return l.order < o.order
}

// fill copies the current row into r.
func (l *rowLane) fill(r *Row) {
	i := l.i
	*r = Row{Block: l.block, Whole: l.whole.Value(i), Row: sources.Row{
		Group: l.at.group, User: l.user,
		GroupName: text(l.name, i), GroupType: text(l.kind, i),
		Role: schema.Role(l.role[i]), RoleRaw: text(l.raw, i), NotMember: l.notMember.Value(i),
		Nickname: text(l.nickname, i), Extra: text(l.extra, i),
	}}
	if l.joined.IsValid(i) {
		r.Joined = schema.Micros{Value: int64(l.joined.Value(i)), Valid: true}
	}
}

func text(c *array.String, i int) schema.Text {
	if c.IsNull(i) {
		return schema.Text{}
	}
	return schema.Text{Value: c.Value(i), Valid: true}
}
