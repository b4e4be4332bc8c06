package pseudonym

import (
	"encoding/binary"
	"errors"
	"strings"

	"rollcall/pipeline/sorted"
	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// nth counts rows with one key, which keep their order by it.
type nth struct {
	last []byte
	n    uint16
}

func (c *nth) append(key []byte) []byte {
	if string(key) == string(c.last) {
		c.n++
	} else {
		c.last, c.n = append(c.last[:0], key...), 0
	}
	return sorted.AppendUint16(key, c.n)
}

// rowForm sorts rows by group, user and block.
type rowForm struct {
	*input
	nth
	raw, is string // the group of the last row that was encoded, and its pseudonym
	decoded string // the group of the last row that was decoded
}

func (f *rowForm) encode(r *spool.Row, key, value []byte) (k, v []byte) {
	row := *r
	if f.last == nil || r.Group != f.raw {
		f.raw, f.is = strings.Clone(r.Group), f.veil.Group(r.Group)
	}
	f.details(&row)
	row.Group, row.User = f.is, f.veil.User(r.User)
	key = sorted.AppendString(sorted.AppendString(key, row.Group), row.User)
	key = f.append(sorted.AppendUint16(key, uint16(row.Block)))
	value = append(value, bits(row.Whole, row.NotMember, row.RoleRaw.Valid, row.Nickname.Valid, row.Extra.Valid, row.GroupType.Valid, row.Joined.Valid), byte(row.Role))
	value = binary.AppendVarint(value, row.Joined.Value)
	for _, t := range []string{row.RoleRaw.Value, row.Nickname.Value, row.Extra.Value, row.GroupType.Value} {
		value = appendText(value, t)
	}
	return key, value
}

func (f *rowForm) decode(key, value []byte, row *spool.Row) error {
	group, rest, err := sorted.CutString(key)
	if err != nil {
		return err
	}
	user, rest, err := sorted.CutString(rest)
	if err != nil {
		return err
	}
	block, _, err := sorted.CutUint16(rest)
	if err != nil {
		return err
	}
	if len(value) < 2 {
		return errCut
	}
	if f.decoded != string(group) {
		f.decoded = string(group)
	}
	set, role := value[0], value[1]
	d := decoder{rest: value[2:]}
	*row = spool.Row{Block: int(block), Whole: set&1 != 0}
	row.Group, row.User, row.NotMember, row.Role = f.decoded, string(user), set&2 != 0, schema.Role(role)
	row.Joined = schema.Micros{Value: d.number(), Valid: set&64 != 0}
	for i, t := range []*schema.Text{&row.RoleRaw, &row.Nickname, &row.Extra, &row.GroupType} {
		*t = schema.Text{Value: d.text(), Valid: set&(4<<i) != 0}
	}
	return d.err
}

// groupForm sorts groups by ID and block.
type groupForm struct {
	*input
	nth
}

func (f *groupForm) encode(g *spool.Group, key, value []byte) (k, v []byte) {
	group := *g
	f.input.group(&group)
	key = f.append(sorted.AppendUint16(sorted.AppendString(key, group.ID), uint16(group.Block)))
	value = append(value, bits(group.Name.Valid, group.Type.Valid))
	return key, appendText(appendText(value, group.Name.Value), group.Type.Value)
}

func (f *groupForm) decode(key, value []byte, g *spool.Group) error {
	id, rest, err := sorted.CutString(key)
	if err != nil {
		return err
	}
	block, _, err := sorted.CutUint16(rest)
	if err != nil {
		return err
	}
	if len(value) == 0 {
		return errCut
	}
	d := decoder{rest: value[1:]}
	*g = spool.Group{Block: int(block), ID: string(id), Name: schema.Text{Value: d.text(), Valid: value[0]&1 != 0}}
	g.Type = schema.Text{Value: d.text(), Valid: value[0]&2 != 0}
	return d.err
}

// recordForm sorts records of one block by key and generation.
type recordForm struct {
	nth
	block  int
	change func(*spool.Record)
}

func (f *recordForm) encode(r *spool.Record, key, value []byte) (k, v []byte) {
	record := *r
	f.change(&record)
	key = f.append(sorted.AppendUint32(sorted.AppendString(key, record.Key), uint32(record.Generation)))
	for _, t := range []string{string(record.Outcome), string(record.Verdict), record.Code, record.Message} {
		value = appendText(value, t)
	}
	for _, n := range []int64{record.Rows, record.Declared, record.Requests, record.Attempts, record.Replaced, record.Cut, record.AskedAt, record.AnsweredAt} {
		value = binary.AppendVarint(value, n)
	}
	return key, value
}

func (f *recordForm) decode(key, value []byte, r *spool.Record) error {
	id, rest, err := sorted.CutString(key)
	if err != nil {
		return err
	}
	generation, _, err := sorted.CutUint32(rest)
	if err != nil {
		return err
	}
	d := decoder{rest: value}
	*r = spool.Record{Block: f.block, Key: string(id), Generation: int(generation)}
	r.Outcome, r.Verdict, r.Code, r.Message = schema.Outcome(d.text()), schema.Verdict(d.text()), d.text(), d.text()
	for _, n := range []*int64{&r.Rows, &r.Declared, &r.Requests, &r.Attempts, &r.Replaced, &r.Cut, &r.AskedAt, &r.AnsweredAt} {
		*n = d.number()
	}
	return d.err
}

var errCut = errors.New("a sorted row is cut short")

func bits(set ...bool) (b byte) {
	for i, is := range set {
		if is {
			b |= 1 << i
		}
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// decoder reads texts and numbers; its first failure stays.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) text() string {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > uint64(len(d.rest)-size) {
		d.rest, d.err = nil, errCut
		return ""
	}
	text := string(d.rest[size : size+int(n)])
	d.rest = d.rest[size+int(n):]
	return text
}

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.rest, d.err = nil, errCut
		return 0
	}
	d.rest = d.rest[size:]
	return n
}
