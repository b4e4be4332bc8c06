package rongcloud

import (
	"bytes"

	"rollcall/schema"
	"rollcall/sources"
	"rollcall/sources/wire"
)

// page is one answer of any of the three endpoints.
type page struct {
	code     int64 // -1 where there is none
	message  string
	total    int64  // totalCount; -1 where there is none
	token    string // of the next page; empty at the end
	rows     []sources.Row
	listed   bool // there is a list, be it empty
	replaced int
}

// millis is RongCloud's unit of time in microseconds.
const millis = 1000

// decode reads the answer to q. Absent, null and "" all end a walk by token: the documents promise
// the token only while there is more.
func decode(body []byte, q sources.Question) (page, error) {
	p := page{code: -1, total: -1}
	list, field := "groups", group
	switch q.Data {
	case groupMembers:
		list, field = "members", member
	case joinedGroups:
		field = joined
	}
	replaced, err := wire.Decode(body, func(d *wire.Decoder, name []byte) {
		switch string(name) {
		case "code":
			p.code = number(d)
		case "errorMessage":
			p.message = d.Text().Value
		case "totalCount":
			p.total = number(d)
		case "pageToken":
			p.token = d.ID()
		case list:
			p.listed = true
			p.rows = make([]sources.Row, 0, min(bytes.Count(body, []byte("{")), unpagedGroups))
			rows(d, q, field, &p)
		}
	})
	p.replaced = replaced
	return p, err
}

// rows reads the list of groups or members. What the question names is filled in beforehand.
func rows(d *wire.Decoder, q sources.Question, field func(*wire.Decoder, []byte, *sources.Row), p *page) {
	var row sources.Row
	each := func(name []byte) { field(d, name, &row) }
	d.List(func() {
		row = sources.Row{User: q.Key}
		if q.Data == groupMembers {
			row = sources.Row{Group: q.Key}
		}
		d.Object(each)
		if row.Group == "" || row.User == "" {
			d.Fail("a row without an ID")
		}
		p.rows = append(p.rows, row)
	})
}

func number(d *wire.Decoder) int64 {
	if n, ok := d.Int(); ok {
		return n
	}
	return -1
}

func group(d *wire.Decoder, name []byte, row *sources.Row) {
	switch string(name) {
	case "id":
		row.Group = d.ID()
	case "name":
		row.GroupName = d.Text()
	}
}

func member(d *wire.Decoder, name []byte, row *sources.Row) {
	switch string(name) {
	case "userId":
		row.User = d.ID()
	case "nickname":
		row.Nickname = d.Text()
	case "role":
		row.Role, row.RoleRaw = role(d.Word())
	case "time":
		row.Joined = d.Time(millis)
	case "extra":
		row.Extra = d.Text()
	}
}

func joined(d *wire.Decoder, name []byte, row *sources.Row) {
	switch string(name) {
	case "groupId":
		row.Group = d.ID()
	case "name":
		row.GroupName = d.Text()
	case "role":
		row.Role, row.RoleRaw = role(d.Word())
	case "joinTime":
		row.Joined = d.Time(millis)
	}
}

// role reads RongCloud's number of a role; what it does not know it leaves as it is.
func role(raw schema.Text) (schema.Role, schema.Text) {
	switch raw.Value {
	case "1":
		return schema.Member, raw
	case "2":
		return schema.Admin, raw
	case "3":
		return schema.Owner, raw
	default:
		return schema.NoRole, raw
	}
}
