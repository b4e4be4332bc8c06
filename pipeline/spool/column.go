package spool

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"rollcall/schema"
)

// Columns of one batch while it is written. They are Arrow's layout filled by hand, which costs a
// quarter of what Arrow's builders do. An array aliases its column until the column is reset.

// column is one column of a table being written.
type column interface {
	array(n int) arrow.Array // of the n values added
	reset()
}

// texts is a column of texts.
type texts struct {
	ends  []int32 // of each text in data, after a leading 0
	data  []byte
	valid bits
	nulls int
}

func (c *texts) add(s string) {
	if len(c.ends) == 0 {
		c.ends = append(c.ends, 0)
	}
	c.data = append(c.data, s...)
	c.ends = append(c.ends, int32(len(c.data)))
}

// addText is add for a column with absent texts; one column takes all of its values by add or all by addText.
func (c *texts) addText(t schema.Text) {
	c.add(t.Value)
	c.valid.add(t.Valid)
	if !t.Valid {
		c.nulls++
	}
}

func (c *texts) array(n int) arrow.Array {
	return finish(arrow.BinaryTypes.String, n, c.nulls, c.valid.bytes, arrow.Int32Traits.CastToBytes(c.ends), c.data)
}

func (c *texts) reset() {
	c.ends, c.data, c.nulls = c.ends[:0], c.data[:0], 0
	c.valid.reset()
}

// numbers is a column of 64-bit integers.
type numbers struct {
	kind   arrow.DataType
	values []int64
	valid  bits
	nulls  int
}

func (c *numbers) add(v int64) { c.values = append(c.values, v) }

// addMicros is add for a column with absent moments.
func (c *numbers) addMicros(m schema.Micros) {
	c.add(m.Value)
	c.valid.add(m.Valid)
	if !m.Valid {
		c.nulls++
	}
}

func (c *numbers) array(n int) arrow.Array {
	return finish(c.kind, n, c.nulls, c.valid.bytes, arrow.Int64Traits.CastToBytes(c.values))
}

func (c *numbers) reset() {
	c.values, c.nulls = c.values[:0], 0
	c.valid.reset()
}

// ordinals is a column of small numbers: blocks, roles.
type ordinals struct{ values []int32 }

func (c *ordinals) add(v int) { c.values = append(c.values, int32(v)) }
func (c *ordinals) reset()    { c.values = c.values[:0] }
func (c *ordinals) array(n int) arrow.Array {
	return finish(arrow.PrimitiveTypes.Int32, n, 0, nil, arrow.Int32Traits.CastToBytes(c.values))
}

// bits is a column of booleans, and the validity of other columns.
type bits struct {
	bytes []byte
	n     int
}

func (c *bits) add(v bool) {
	if c.n%8 == 0 {
		c.bytes = append(c.bytes, 0)
	}
	if v {
		c.bytes[c.n/8] |= 1 << (c.n % 8)
	}
	c.n++
}

func (c *bits) reset() { c.bytes, c.n = c.bytes[:0], 0 }
func (c *bits) array(n int) arrow.Array {
	return finish(arrow.FixedWidthTypes.Boolean, n, 0, nil, c.bytes)
}

// finish makes an array of buffers in Arrow's layout: validity first, unless there are no nulls.
func finish(kind arrow.DataType, n, nulls int, valid []byte, values ...[]byte) arrow.Array {
	buffers := make([]*memory.Buffer, 1, 3)
	if nulls > 0 {
		buffers[0] = memory.NewBufferBytes(valid)
	}
	for _, v := range values {
		buffers = append(buffers, memory.NewBufferBytes(v))
	}
	data := array.NewData(kind, n, buffers, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}
