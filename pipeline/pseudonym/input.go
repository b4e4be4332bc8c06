package pseudonym

import (
	"context"
	"errors"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/sorted"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// Options is what an Input may use.
type Options struct {
	Scratch string    // an existing folder for what doesn't fit in memory while sorting
	Memory  int       // bytes for sorting the rows of one cursor; a cursor of groups or records takes an eighth
	Disk    disk.Disk // for Scratch; nil: the real one
}

// Input is in as it may be written. Its rows don't name groups: its cursor of groups does.
func (v *Veil) Input(in merge.Input, options Options) merge.Input {
	if v == nil {
		return in
	}
	return &input{Input: in, veil: v, options: options}
}

// input is a merge's input behind a veil.
type input struct {
	merge.Input
	veil    *Veil
	options Options
}

func (i *input) sorter(part int) *sorted.Sorter {
	s := sorted.New(i.options.Scratch, i.options.Memory/part)
	s.Disk = i.options.Disk
	return s
}

// Rows are sorted anew, unless only details are left out of them.
func (i *input) Rows(ctx context.Context, blocks []int) (merge.Cursor[spool.Row], error) {
	rows, err := i.Input.Rows(ctx, blocks)
	if err != nil || !i.veil.Pseudonymous() {
		return changed(rows, err, i.details)
	}
	return inOrder(ctx, rows, i.sorter(1), &rowForm{input: i})
}

// Groups are sorted anew where their IDs are pseudonyms.
func (i *input) Groups(ctx context.Context, blocks []int) (merge.Cursor[spool.Group], error) {
	groups, err := i.Input.Groups(ctx, blocks)
	if err != nil || i.veil.group == nil {
		return changed(groups, err, i.group)
	}
	return inOrder(ctx, groups, i.sorter(8), &groupForm{input: i})
}

// Records are sorted anew where their keys are pseudonyms.
func (i *input) Records(ctx context.Context, block int) (merge.Cursor[spool.Record], error) {
	records, err := i.Input.Records(ctx, block)
	view := i.Blocks()[block].View
	change := func(r *spool.Record) { i.record(r, view) }
	if err != nil || view == schema.UserView && i.veil.user == nil || view != schema.UserView && i.veil.group == nil {
		return changed(records, err, change)
	}
	return inOrder(ctx, records, i.sorter(8), &recordForm{block: block, change: change})
}

// details leaves out of a row what is not to be written.
func (i *input) details(r *spool.Row) {
	i.drop("nickname", &r.Nickname)
	i.drop("extra", &r.Extra)
	i.drop("name", &r.GroupName)
	if i.veil.dropped["joined_at"] {
		r.Joined = schema.Micros{}
	}
}

func (i *input) group(g *spool.Group) {
	g.ID = i.veil.Group(g.ID)
	i.drop("name", &g.Name)
}

func (i *input) record(r *spool.Record, view schema.View) {
	r.Key, r.Code = i.veil.Key(view, r.Key), i.veil.Code(r.Code)
	r.Message = i.veil.Message(r.Outcome, r.Code, r.Message)
}

func (i *input) drop(column string, text *schema.Text) {
	if i.veil.dropped[column] {
		*text = schema.Text{}
	}
}

// changing is a cursor whose rows are changed and stay in their order.
type changing[Row any] struct {
	merge.Cursor[Row]
	row    Row
	change func(*Row)
}

func changed[Row any](rows merge.Cursor[Row], err error, change func(*Row)) (merge.Cursor[Row], error) {
	if err != nil {
		return nil, err
	}
	return &changing[Row]{Cursor: rows, change: change}, nil
}

func (c *changing[Row]) Next() bool {
	if !c.Cursor.Next() {
		return false
	}
	c.row = *c.Cursor.Row()
	c.change(&c.row)
	return true
}

func (c *changing[Row]) Row() *Row { return &c.row }

// form is how rows of one type are sorted: the key that gives their order, and the rest.
type form[Row any] interface {
	// encode appends row, as it may be written, to key and value. Rows with one key keep the order in
	// which they are encoded.
	encode(row *Row, key, value []byte) ([]byte, []byte)
	// decode reads what encode made.
	decode(key, value []byte, row *Row) error
}

// inOrder sorts rows, which it closes.
func inOrder[Row any](ctx context.Context, rows merge.Cursor[Row], sorter *sorted.Sorter, form form[Row]) (_ merge.Cursor[Row], err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, sorter.Close())
		}
	}()
	var key, value []byte
	for n := 0; rows.Next(); n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), rows.Close())
		}
		key, value = form.encode(rows.Row(), key[:0], value[:0])
		if err := sorter.Add(key, value); err != nil {
			return nil, errors.Join(sorting(err), rows.Close())
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	cursor, err := sorter.Sort()
	if err != nil {
		return nil, sorting(err)
	}
	return &ordered[Row]{cursor: cursor, form: form}, nil
}

func sorting(err error) error { return fault.Wrap(err, "sort by pseudonyms") }

// ordered gives sorted rows.
type ordered[Row any] struct {
	cursor *sorted.Cursor
	form   form[Row]
	row    Row
	err    error
}

func (o *ordered[Row]) Next() bool {
	if o.err != nil || !o.cursor.Next() {
		return false
	}
	o.err = o.form.decode(o.cursor.Key(), o.cursor.Value(), &o.row)
	return o.err == nil
}

func (o *ordered[Row]) Row() *Row { return &o.row }

func (o *ordered[Row]) Err() error {
	return sorting(errors.Join(o.err, o.cursor.Err()))
}

func (o *ordered[Row]) Close() error { return o.cursor.Close() }
