package wire

import (
	"errors"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// Rows reads a list of objects into rows, and adds them to rows. Each begins as blank, which holds
// what the question names; field reads one value of it. A row without a group or a user is an error.
// Listed tells whether there was a list at all: null is none.
func (d *Decoder) Rows(rows []sources.Row, blank sources.Row, field func(d *Decoder, name []byte, row *sources.Row)) (_ []sources.Row, listed bool) {
	listed = d.listing()
	var row sources.Row
	each := func(name []byte) { field(d, name, &row) }
	d.List(func() {
		row = blank
		d.Object(each)
		if row.Group == "" || row.User == "" {
			d.Fail("a row without an ID")
		}
		rows = append(rows, row)
	})
	return rows, listed
}

// listing tells whether the value that comes is a list.
func (d *Decoder) listing() bool { return d.err == nil && d.json.PeekKind() == '[' }

// Number is Int with -1 for what is not there: a negative code or total is none.
func (d *Decoder) Number() int64 {
	if n, ok := d.Int(); ok {
		return n
	}
	return -1
}

// Restart makes the refusal of a page that was asked for by a token one that is worth another reading
// of the whole key: tokens expire, and no vendor says with which code. What was read before the token
// was refused is no reading, and is dropped with it. Other errors, and those of a first page, pass.
func Restart(err error, byToken bool) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !byToken || f.Kind != fault.Item || f.Code == "" || f.Outcome != schema.Failed {
		return err
	}
	again := *f
	again.Kind, again.Outcome, again.Message = fault.Transient, "", "the walk could not go on by its token: "+f.Message
	return &again
}

// Unreadable puts the noun before an error of decoding: whose answer it was, and to what.
func (s Subject) Unreadable(status int, err error) *fault.Error {
	e := fault.New(fault.KindOf(err), "%s answered %s of %s (HTTP %d) with %s", s.Vendor, s.Data, s.Key, status, err.Error())
	if e.Kind == fault.Item {
		e.Outcome = schema.Failed
	}
	return e
}
