package tencentchat

import (
	"bytes"
	"strings"

	"rollcall/schema"
	"rollcall/sources"
	"rollcall/sources/wire"
)

// page is one answer of any of the three commands.
type page struct {
	code    int64 // ErrorCode; -1 where there is none
	info    string
	refused bool   // ActionStatus says FAIL
	total   int64  // TotalCount or MemberNum; -1 where there is none
	next    string // of a community's members; empty at the end
	rows    []sources.Row
	listed  bool // there is a list, be it empty
	altered wire.Altered
	echo    wire.Echo // of the key
}

func (p page) page() wire.Page {
	return wire.Page{Rows: p.rows, Listed: p.listed, Total: p.total, Altered: p.altered}
}

// seconds is Tencent's unit of time in microseconds.
const seconds = 1_000_000

// shape is how the answers to one kind of question look.
type shape struct {
	list, total, echo string
	field             func(d *wire.Decoder, name []byte, row *sources.Row)
	blank             sources.Row
}

func shapeOf(q sources.Question) shape {
	switch q.Data {
	case joinedGroups:
		return shape{"GroupIdList", "TotalCount", "Member_Account", joined, sources.Row{User: q.Key}}
	case groupMembers:
		return shape{"MemberList", "MemberNum", "GroupId", member, sources.Row{Group: q.Key}}
	default:
		return shape{"UserIdList", "", "GroupId", role, sources.Row{Group: q.Key}}
	}
}

// decode reads the answer to q. The three commands have lists of different names, so that a list of
// another one shows that the answer is another question's. Tencent's page about members speaks of
// TotalCount where its samples have MemberNum: beside a list of members, either will do.
func decode(body []byte, q sources.Question) (page, error) {
	s := shapeOf(q)
	p := page{code: -1, total: -1, echo: wire.Echo{Asked: q.Key}}
	count := int64(-1)
	field := func(d *wire.Decoder, name []byte, row *sources.Row) {
		if string(name) == s.echo {
			p.echo.See(d.Echo())
			return
		}
		s.field(d, name, row)
	}
	altered, err := wire.Decode(body, func(d *wire.Decoder, name []byte) {
		switch string(name) {
		case "ErrorCode":
			p.code = d.Number()
		case "ActionStatus":
			p.refused = strings.HasPrefix(strings.ToUpper(d.Word().Value), "FAIL")
		case "ErrorInfo":
			p.info = d.Text().Value
		case s.total:
			p.total = d.Number()
		case "TotalCount":
			count = d.Number()
		case "Next":
			p.next = d.Word().Value
		case s.echo:
			p.echo.See(d.Echo())
		case s.list:
			room := min(bytes.Count(body, []byte("{")), joinedPage)
			p.rows, p.listed = d.Rows(make([]sources.Row, 0, room), s.blank, field)
		case "GroupIdList", "MemberList", "UserIdList":
			p.echo.List(d, string(name))
		}
	})
	if q.Data == groupMembers && p.total < 0 && p.listed {
		p.total = count
	}
	p.altered = altered
	return p, err
}

func joined(d *wire.Decoder, name []byte, row *sources.Row) {
	switch string(name) {
	case "GroupId":
		row.Group = d.ID()
	case "Name":
		row.GroupName = d.Text()
	case "Type":
		row.GroupType = d.Label()
	case "SelfInfo":
		d.Object(func(name []byte) { self(d, name, row) })
	}
}

func self(d *wire.Decoder, name []byte, row *sources.Row) {
	switch string(name) {
	case "Role":
		readRole(d, row)
	case "JoinTime":
		row.Joined = d.Time(seconds)
	}
}

func member(d *wire.Decoder, name []byte, row *sources.Row) {
	switch string(name) {
	case "Member_Account":
		row.User = d.ID()
	case "Role":
		readRole(d, row)
	case "JoinTime":
		row.Joined = d.Time(seconds)
	case "NameCard":
		row.Nickname = d.Text()
	}
}

func role(d *wire.Decoder, name []byte, row *sources.Row) {
	switch string(name) {
	case "Member_Account":
		row.User = d.ID()
	case "Role":
		readRole(d, row)
	}
}

// readRole reads Tencent's word for a role; what it does not know it leaves as it is, since
// communities can have roles of their own.
func readRole(d *wire.Decoder, row *sources.Row) {
	row.RoleRaw = d.Word()
	switch row.RoleRaw.Value {
	case "Owner":
		row.Role = schema.Owner
	case "Admin":
		row.Role = schema.Admin
	case "Member":
		row.Role = schema.Member
	case "NotMember":
		row.NotMember = true
	}
}
