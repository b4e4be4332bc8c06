package spool

import (
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"rollcall/schema"
)

// recordSchema is the layout of records.arrow: texts first, then numbers.
func recordSchema() *arrow.Schema {
	fields := []arrow.Field{{Name: "block", Type: arrow.PrimitiveTypes.Int32}}
	for _, name := range []string{"key", "outcome", "verdict", "code", "message"} {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.BinaryTypes.String})
	}
	for _, name := range []string{"generation", "rows", "declared", "requests", "attempts", "replaced", "cut", "asked_at", "answered_at"} {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64})
	}
	return arrow.NewSchema(fields, nil)
}

// recordColumns is a batch of records while it is written.
type recordColumns struct {
	block   ordinals
	texts   [5]texts
	numbers [9]numbers
}

func newRecordColumns() *recordColumns {
	c := &recordColumns{}
	for i := range c.numbers {
		c.numbers[i].kind = arrow.PrimitiveTypes.Int64
	}
	return c
}

// list has the columns in the order of recordSchema.
func (c *recordColumns) list() []column {
	all := []column{&c.block}
	for i := range c.texts {
		all = append(all, &c.texts[i])
	}
	for i := range c.numbers {
		all = append(all, &c.numbers[i])
	}
	return all
}

// add puts r into the columns and tells how many bytes its texts took.
func (c *recordColumns) add(r *Record) int {
	size := 0
	c.block.add(r.Block)
	for i, s := range [...]string{r.Key, string(r.Outcome), string(r.Verdict), r.Code, r.Message} {
		c.texts[i].add(s)
		size += len(s)
	}
	for i, v := range [...]int64{int64(r.Generation), r.Rows, r.Declared, r.Requests, r.Attempts, r.Replaced, r.Cut, r.AskedAt, r.AnsweredAt} {
		c.numbers[i].add(v)
	}
	return size
}

// recordLane is the records of one run within a merge.
type recordLane struct {
	batches
	order      int // of the run among the merge's
	block      int
	key        string
	generation int64
	blocks     []int32
	texts      [5]*array.String
	numbers    [9][]int64
}

// advance goes on to the next record that the filter lets through; false at the end.
func (l *recordLane) advance() (bool, error) {
	for {
		if l.i++; l.i >= l.n {
			batch, err := l.nextBatch()
			if batch == nil {
				return false, err
			}
			l.take(batch)
		}
		l.block = int(l.blocks[l.i])
		if l.scope.blocks[l.block] {
			l.key, l.generation = l.texts[0].Value(l.i), l.numbers[0][l.i]
			return true, nil
		}
	}
}

// take unpacks a batch; its columns are recordSchema's.
func (l *recordLane) take(batch arrow.Record) {
	l.blocks = batch.Column(0).(*array.Int32).Int32Values()
	for i := range l.texts {
		l.texts[i] = batch.Column(1 + i).(*array.String)
	}
	for i := range l.numbers {
		l.numbers[i] = batch.Column(1 + len(l.texts) + i).(*array.Int64).Int64Values()
	}
}

// before is the order of records: block, key, generation, then the order of arrival.
func (l *recordLane) before(o *recordLane) bool {
	if l.block != o.block {
		return l.block < o.block
	}
	if c := strings.Compare(l.key, o.key); c != 0 {
		return c < 0
	}
	if l.generation != o.generation {
		return l.generation < o.generation
	}
	return l.order < o.order
}

// fill copies the current record into r.
func (l *recordLane) fill(r *Record) {
	i := l.i
	*r = Record{
		Block: l.block, Key: l.key, Generation: int(l.generation),
		Outcome: schema.Outcome(l.texts[1].Value(i)), Verdict: schema.Verdict(l.texts[2].Value(i)),
		Code: l.texts[3].Value(i), Message: l.texts[4].Value(i),
		Rows: l.numbers[1][i], Declared: l.numbers[2][i], Requests: l.numbers[3][i], Attempts: l.numbers[4][i],
		Replaced: l.numbers[5][i], Cut: l.numbers[6][i], AskedAt: l.numbers[7][i], AnsweredAt: l.numbers[8][i],
	}
}
