package parquet

import (
	"reflect"
	"strings"

	"rollcall/schema"
	"rollcall/schema/fault"
)

// maxKey is the number of columns in the longest primary key.
const maxKey = 4

// key is a row's primary key; places beyond the table's key are empty.
type key [maxKey]string

func (k key) clone() key {
	for i := range k {
		k[i] = strings.Clone(k[i])
	}
	return k
}

// order holds the rows of a table to its key: ascending bytewise, each key once.
type order[Row any] struct {
	table  string
	fields []int // of the struct, in the order of the key
	last   key   // of the newest row; a clone, since rows are used again by their owner
	begun  bool
}

func newOrder[Row any](table schema.Table) *order[Row] {
	o := &order[Row]{table: table.Name}
	for _, name := range table.Key() {
		for i, c := range table.Columns {
			if c.Name == name {
				o.fields = append(o.fields, i)
			}
		}
	}
	return o
}

// of reads the key of a row; its texts are the row's own.
func (o *order[Row]) of(row *Row) key {
	var k key
	v := reflect.ValueOf(row).Elem()
	for i, field := range o.fields {
		k[i] = v.Field(field).String()
	}
	return k
}

// check takes the next rows, or says which one is out of order.
func (o *order[Row]) check(rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	last := o.last
	for i := range rows {
		next := o.of(&rows[i])
		if o.begun && compare(last, next) >= 0 {
			return fault.New(fault.Bug, "table %s: row %q does not come after row %q", o.table, o.texts(next), o.texts(last))
		}
		last, o.begun = next, true
	}
	o.last = last.clone()
	return nil
}

// compare orders keys column by column, bytewise.
func compare(a, b key) int {
	for i := range a {
		if c := strings.Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// texts gives the key's values, one for each key column.
func (o *order[Row]) texts(k key) []string {
	k = k.clone()
	return k[:len(o.fields)]
}

// clone copies a row with everything it points to.
func clone[Row any](row *Row) Row {
	copied := *row
	v := reflect.ValueOf(&copied).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		if field.Kind() == reflect.Pointer && !field.IsNil() {
			pointed := reflect.New(field.Type().Elem())
			pointed.Elem().Set(field.Elem())
			field.Set(pointed)
			field = pointed.Elem()
		}
		if field.Kind() == reflect.String {
			field.SetString(strings.Clone(field.String()))
		}
	}
	return copied
}
