package diff

import (
	"context"
	"iter"
	"reflect"
	"slices"
	"strings"

	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/sinks/parquet"
)

// figures are columns that say how a night went and not what is true: they differ every night, and
// are no difference.
func figures(table, column string) bool {
	return table == "outcomes" && slices.Contains([]string{"requests", "attempts", "asked_at", "answered_at"}, column)
}

// lane is one of the two snapshots, row by row.
type lane[Row any] struct {
	pull func() (*Row, error, bool)
	row  *Row
	key  []string
	of   []int // the fields of the key
}

func (l *lane[Row]) next() error {
	row, err, ok := l.pull()
	if l.row = nil; !ok || err != nil {
		return err
	}
	l.row, l.key = row, l.key[:0]
	v := reflect.ValueOf(row).Elem()
	for _, field := range l.of {
		l.key = append(l.key, v.Field(field).String())
	}
	return nil
}

// compare goes through a table of both snapshots by its key.
func compare[Row any](ctx context.Context, from, to *snapshot.Snapshot, o Options) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		table := schema.TableOf[Row]()
		before, stopBefore := open[Row](ctx, from, table, o)
		defer stopBefore()
		after, stopAfter := open[Row](ctx, to, table, o)
		defer stopAfter()
		err := before.next()
		if err == nil {
			err = after.next()
		}
		for err == nil && (before.row != nil || after.row != nil) {
			var d Difference
			var different bool
			switch order := ordered(before, after); {
			case order < 0:
				d, different = describe(table, before.row, nil), true
				err = before.next()
			case order > 0:
				d, different = describe(table, nil, after.row), true
				err = after.next()
			default:
				d = describe(table, before.row, after.row)
				different = len(d.After) > 0
				if err = before.next(); err == nil {
					err = after.next()
				}
			}
			if different && !yield(d, nil) {
				return
			}
		}
		if err != nil {
			yield(Difference{}, err)
		}
	}
}

// ordered compares where two lanes stand; the end comes last.
func ordered[Row any](before, after *lane[Row]) int {
	switch {
	case before.row == nil:
		return 1
	case after.row == nil:
		return -1
	default:
		return slices.Compare(before.key, after.key)
	}
}

func open[Row any](ctx context.Context, s *snapshot.Snapshot, table schema.Table, o Options) (*lane[Row], func()) {
	l := &lane[Row]{}
	for _, name := range table.Key() {
		l.of = append(l.of, slices.IndexFunc(table.Columns, func(c schema.Column) bool { return c.Name == name }))
	}
	rows := snapshot.Rows[Row](ctx, s)
	if where := narrowed(table.Name, o); len(where) > 0 {
		rows = snapshot.Find[Row](ctx, s, where...)
	}
	var stop func()
	l.pull, stop = iter.Pull2(rows)
	return l, stop
}

// narrowed says which rows of a table are about a group or user. The ledger's keys are either.
func narrowed(table string, o Options) (where []parquet.Equal) {
	group, user := "group_id", "user_id"
	if table == "outcomes" {
		group, user = "key", "key"
	}
	if o.Group != "" {
		where = append(where, parquet.Equal{Column: group, Value: o.Group})
	}
	if o.User != "" {
		where = append(where, parquet.Equal{Column: user, Value: o.User})
	}
	return where
}

// describe tells what is different between two rows with one key; one of them may be nil. Of a row
// that is on both nights only the columns that differ are told.
func describe[Row any](table schema.Table, before, after *Row) Difference {
	d := Difference{Key: map[string]string{}, Change: Changed, Certain: true, Before: map[string]any{}, After: map[string]any{}}
	switch {
	case before == nil:
		d.Change, d.Before = Added, nil
	case after == nil:
		d.Change, d.After = Removed, nil
	}
	for i, c := range table.Columns {
		var values [2]any
		for side, row := range []*Row{before, after} {
			if row != nil {
				values[side] = plain(reflect.ValueOf(row).Elem().Field(i))
			}
		}
		switch {
		case c.Key > 0 && before != nil:
			d.Key[c.Name] = strings.Clone(values[0].(string))
		case c.Key > 0:
			d.Key[c.Name] = strings.Clone(values[1].(string))
		case figures(table.Name, c.Name) || d.Change == Changed && values[0] == values[1]:
		default:
			if d.Before != nil {
				d.Before[c.Name] = values[0]
			}
			if d.After != nil {
				d.After[c.Name] = values[1]
			}
		}
	}
	return d
}

// plain is a column's value; nil for null.
func plain(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	return v.Interface()
}
