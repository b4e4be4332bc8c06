package tencentchat

import (
	"bytes"

	"rollcall/schema"
	"rollcall/sources"
	"rollcall/sources/wire"
)

// page is one answer of any of the three commands.
type page struct {
	code     int64 // ErrorCode; -1 where there is none
	info     string
	refused  bool   // ActionStatus says FAIL
	total    int64  // TotalCount or MemberNum; -1 where there is none
	next     string // of a community's members; empty at the end
	rows     []sources.Row
	listed   bool // there is a list, be it empty
	replaced int
}

// seconds is Tencent's unit of time in microseconds.
const seconds = 1_000_000

// decode reads the answer to q.
func decode(body []byte, q sources.Question) (page, error) {
	p := page{code: -1, total: -1}
	list, field, blank := "UserIdList", role, sources.Row{Group: q.Key}
	switch q.Data {
	case joinedGroups:
		list, field, blank = "GroupIdList", joined, sources.Row{User: q.Key}
	case groupMembers:
		list, field = "MemberList", member
	}
	replaced, err := wire.Decode(body, func(d *wire.Decoder, name []byte) {
		switch string(name) {
		case "ErrorCode":
			p.code = d.Number()
		case "ActionStatus":
			p.refused = d.Word().Value == "FAIL"
		case "ErrorInfo":
			p.info = d.Text().Value
		case "TotalCount", "MemberNum":
			p.total = d.Number()
		case "Next":
			p.next = d.Word().Value
		case list:
			p.listed = true
			room := min(bytes.Count(body, []byte("{")), joinedPage)
			p.rows = d.Rows(make([]sources.Row, 0, room), blank, field)
		}
	})
	p.replaced = replaced
	return p, err
}

func joined(d *wire.Decoder, name []byte, row *sources.Row) {
	switch string(name) {
	case "GroupId":
		row.Group = d.ID()
	case "Name":
		row.GroupName = d.Text()
	case "Type":
		row.GroupType = d.Word()
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
