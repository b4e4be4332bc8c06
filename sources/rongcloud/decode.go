package rongcloud

import (
	"bytes"

	"rollcall/schema"
	"rollcall/sources"
	"rollcall/sources/wire"
)

// page is one answer of any of the three endpoints.
type page struct {
	code    int64 // -1 where there is none
	message string
	total   int64  // totalCount; -1 where there is none
	token   string // of the next page; empty at the end
	rows    []sources.Row
	listed  bool // there is a list, be it empty
	altered wire.Altered
	echo    wire.Echo // of the key
}

func (p page) page() wire.Page {
	return wire.Page{Rows: p.rows, Listed: p.listed, Total: p.total, Altered: p.altered}
}

// millis is RongCloud's unit of time in microseconds.
const millis = 1000

// decode reads the answer to q. Absent, null and "" all end a walk by token: the documents promise
// the token only while there is more. Members name their group at the top; what names a group there, or
// has a list of the other kind, is no answer to a user's question, and the other way round.
func decode(body []byte, q sources.Question) (page, error) {
	p := page{code: -1, total: -1, echo: wire.Echo{Asked: q.Key}}
	list, other, echo, field, blank := "groups", "members", "userId", group, sources.Row{User: q.Key}
	switch q.Data {
	case groupMembers:
		list, other, echo, field, blank = "members", "groups", "groupId", member, sources.Row{Group: q.Key}
	case joinedGroups:
		field = joined
	}
	read := func(d *wire.Decoder, name []byte, row *sources.Row) {
		if string(name) == echo {
			p.echo.See(d.Echo())
			return
		}
		field(d, name, row)
	}
	altered, err := wire.Decode(body, func(d *wire.Decoder, name []byte) {
		switch string(name) {
		case "code":
			p.code = d.Number()
		case "errorMessage":
			p.message = d.Text().Value
		case "totalCount":
			p.total = d.Number()
		case "pageToken":
			p.token = d.Token()
		case echo:
			p.echo.See(d.Echo())
		case other:
			p.echo.List(d, other)
		case "groupId":
			if named := d.Echo(); named != "" { // one that names nothing takes nothing back
				p.echo.Other = named
			}
		case list:
			room := min(bytes.Count(body, []byte("{")), unpagedGroups)
			p.rows, p.listed = d.Rows(make([]sources.Row, 0, room), blank, read)
		}
	})
	p.altered = altered
	return p, err
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
