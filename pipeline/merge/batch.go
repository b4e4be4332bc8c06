package merge

import "strings"

// batchRows is how many rows go to a writer at once.
const batchRows = 4096

// batch collects rows of one table and hands them on when it is full. Every row has values of its
// own for its pointers to point to, so that rows cost no allocation.
type batch[Row, Values any] struct {
	out    Writer[Row]
	rows   []Row
	values []Values
}

func newBatch[Row, Values any](out Writer[Row]) batch[Row, Values] {
	return batch[Row, Values]{out: out, rows: make([]Row, 0, batchRows), values: make([]Values, batchRows)}
}

// next gives the place of a new row, zeroed, and the values that go with it, which are not. Both
// are valid until the next call.
func (b *batch[Row, Values]) next() (*Row, *Values, error) {
	if len(b.rows) == batchRows {
		if err := b.flush(); err != nil {
			return nil, nil, err
		}
	}
	var zero Row
	b.rows = append(b.rows, zero)
	i := len(b.rows) - 1
	return &b.rows[i], &b.values[i], nil
}

func (b *batch[Row, Values]) flush() error {
	if len(b.rows) == 0 {
		return nil
	}
	err := b.out.Write(b.rows)
	b.rows = b.rows[:0]
	return err
}

// arena copies texts out of a cursor's memory, many to an allocation. What it gave stays valid;
// the garbage collector takes a chunk when its last text is forgotten.
type arena struct{ chunk strings.Builder }

const chunkBytes = 64 << 10

func (a *arena) keep(s string) string {
	if s == "" {
		return ""
	}
	if len(s) > chunkBytes/4 {
		return strings.Clone(s)
	}
	start := a.place(len(s))
	a.chunk.WriteString(s)
	return a.chunk.String()[start:]
}

func (a *arena) keepBytes(b []byte) string {
	if len(b) > chunkBytes/4 {
		return string(b)
	}
	start := a.place(len(b))
	a.chunk.Write(b)
	return a.chunk.String()[start:]
}

// place sees to it that n bytes fit, and tells where they will stand.
func (a *arena) place(n int) int {
	if a.chunk.Cap()-a.chunk.Len() < n {
		a.chunk.Reset()
		a.chunk.Grow(chunkBytes)
	}
	return a.chunk.Len()
}
