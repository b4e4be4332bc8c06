package parquet

import (
	"io"
	"iter"
	"reflect"

	"github.com/parquet-go/parquet-go"

	"rollcall/schema"
	"rollcall/schema/fault"
)

// Equal asks for rows whose column of texts has this value.
type Equal struct{ Column, Value string }

// Find goes through the rows of one file for which all of where holds, in the file's order. Row
// groups that can hold none, by their least and greatest values or their bloom filters, are not
// read. Rows and errors are as in [Read].
func Find[Row any](file io.ReaderAt, size int64, where ...Equal) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		wanted, err := newMatch[Row](where)
		if err != nil {
			yield(nil, err)
			return
		}
		groups, err := mayHold(file, size, where)
		if err != nil {
			yield(nil, unreadable(err))
			return
		}
		batch := make([]Row, readBatch)
		for _, group := range groups {
			if !each(group, batch, wanted, yield) {
				return
			}
		}
	}
}

// each yields the rows of group that are wanted, and tells whether to go on.
func each[Row any](group parquet.RowGroup, batch []Row, wanted match[Row], yield func(*Row, error) bool) bool {
	rows, err := rowsOf[Row](group)
	if err != nil {
		yield(nil, unreadable(err))
		return false
	}
	return drain(rows, batch, wanted, yield)
}

func rowsOf[Row any](group parquet.RowGroup) (rows *parquet.GenericReader[Row], err error) {
	defer recovered(&err)
	return parquet.NewGenericRowGroupReader[Row](group), nil
}

// mayHold lists the row groups in which all of where may be true.
func mayHold(file io.ReaderAt, size int64, where []Equal) (groups []parquet.RowGroup, err error) {
	defer recovered(&err)
	opened, err := openFile(file, size)
	if err != nil {
		return nil, err
	}
	for _, group := range opened.RowGroups() {
		possible := true
		for _, w := range where {
			column, found := opened.Schema().Lookup(w.Column)
			if !found {
				return nil, fault.New(fault.Bug, "the file has no column %s", w.Column)
			}
			if possible, err = chunkMayHold(group.ColumnChunks()[column.ColumnIndex], w.Value); err != nil {
				return nil, err
			}
			if !possible {
				break
			}
		}
		if possible {
			groups = append(groups, group)
		}
	}
	return groups, nil
}

func chunkMayHold(chunk parquet.ColumnChunk, value string) (bool, error) {
	wanted := parquet.ByteArrayValue([]byte(value))
	if bounded, ok := chunk.(*parquet.FileColumnChunk); ok {
		least, greatest, known := bounded.Bounds()
		compare := chunk.Type().Compare
		if known && (compare(wanted, least) < 0 || compare(wanted, greatest) > 0) {
			return false, nil
		}
	}
	if filter := chunk.BloomFilter(); filter != nil {
		return filter.Check(wanted)
	}
	return true, nil
}

// match holds rows against what is asked; the zero match wants all of them.
type match[Row any] struct {
	fields []int
	values []string
}

func newMatch[Row any](where []Equal) (match[Row], error) {
	m := match[Row]{}
	for _, w := range where {
		index := -1
		for i, c := range schema.TableOf[Row]().Columns {
			if c.Name == w.Column && c.Type == "string" && !c.Nullable {
				index = i
			}
		}
		if index < 0 {
			return m, fault.New(fault.Bug, "%s is no column of texts without nulls", w.Column)
		}
		m.fields, m.values = append(m.fields, index), append(m.values, w.Value)
	}
	return m, nil
}

func (m match[Row]) holds(row *Row) bool {
	for i, field := range m.fields {
		if reflect.ValueOf(row).Elem().Field(field).String() != m.values[i] {
			return false
		}
	}
	return true
}
