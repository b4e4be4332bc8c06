package simulated

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"strconv"
)

// unpaged is how many groups user_groups gives at most where no page is asked for.
const unpaged = 5000

// number reads an optional number of the form; fallback where it is left out.
func (f form) number(name string, fallback, least, most int) (int, bool) {
	s, given := f[name]
	if !given {
		return fallback, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= least && n <= most && strconv.Itoa(n) == s
}

// start opens an answer of code 200.
func (q *query) start() *text {
	t := &text{b: q.buf, quoted: q.options.NumbersAsStrings, ascii: q.options.EscapeUnicode}
	t.raw("{")
	t.key("code")
	t.number(200)
	return t
}

func (q *query) finish(t *text) answer {
	q.newFields(t)
	t.raw("}")
	q.buf = t.b
	return answer{status: http.StatusOK, body: t.b}
}

// newFields adds what a client must ignore.
func (q *query) newFields(t *text) {
	if q.options.NewFields {
		t.raw(`,"x_future":{"code":[1,null,{"members":[]}]}`)
	}
}

// cut takes the rows from offset on, at most size, from either end, and lets the faults spoil them.
func (q *query) cut(rows []entry, offset, size int, backwards bool) (page []entry, more bool) {
	n := len(rows)
	from := min(offset, n)
	to := min(from+size, n)
	page = rows[from:to]
	if backwards {
		page = slices.Clone(rows[n-to : n-from])
		slices.Reverse(page)
	}
	if q.plan.drop && len(page) > 0 {
		page = page[:len(page)-1]
	}
	if q.plan.duplicate && from > 0 {
		before := rows[from-1]
		if backwards {
			before = rows[n-from]
		}
		page = append([]entry{before}, page...)
	}
	return page, to < n
}

// userGroups answers without a page with the first 5000 groups, else with that page of them.
func (s rongServer) userGroups(q *query) answer {
	page, ok1 := q.form.number("page", 0, 0, 1<<30)
	most := 1000
	if page == 0 {
		most = 1 << 30 // size has no effect then
	}
	size, ok2 := q.form.number("size", 50, 1, most)
	if !ok1 || !ok2 {
		return s.refuse(q, 1002, "page or size is out of range; size is 1 to 1000.")
	}
	a := q.RongCloud
	var rows []entry
	if u, known := a.userAt[q.form["userId"]]; known {
		rows = a.users[u].groups
	}
	offset := 0
	if page == 0 {
		size = unpaged
	} else {
		offset = (page - 1) * size
	}
	rows, _ = q.cut(rows, offset, size, page != 0 && q.options.PagedOrderDiffers)
	t := q.start()
	q.named(t, "userId", q.form["userId"], false)
	q.rows(t, "groups", len(rows), func(i int) {
		t.raw(`{"name":`)
		t.string(q.spoil(a.groups[rows[i].other].Name))
		t.raw(`,"id":`)
		t.string(a.groups[rows[i].other].ID)
		t.raw("}")
	})
	return q.finish(t)
}

// spoil cuts an emoji in half in the first text of an answer where a fault demands it.
func (q *query) spoil(s string) string {
	if !q.plan.surrogate {
		return s
	}
	q.plan.surrogate = false
	return s + LoneSurrogate
}

// listing is what the two entrust calls share: a list by time of joining, filtered by role.
type listing struct {
	all    []entry // ascending
	role   int     // 0: all
	order  int     // 0: ascending
	size   int
	offset int
	turn   uint64 // the offset, and above it how many pages in a row were empty
	seal   uint32 // binds a token to its question
}

func (s rongServer) listing(q *query, all []entry, roleField string) (l listing, problem string) {
	var ok [3]bool
	l.all = all
	l.role, ok[0] = q.form.number(roleField, 0, 0, 3)
	l.order, ok[1] = q.form.number("order", 1, 0, 1)
	l.size, ok[2] = q.form.number("size", 50, 1, 100)
	if ok != [3]bool{true, true, true} {
		return l, roleField + ", order or size is out of range; size is 1 to 100."
	}
	key := q.form["groupId"] + q.form["userId"]
	l.seal = uint32(hashText(q.path, key, strconv.Itoa(l.role), strconv.Itoa(l.order)))
	if token := q.form["pageToken"]; token != "" {
		b, err := base64.StdEncoding.DecodeString(token)
		if err != nil || len(b) != 12 || binary.BigEndian.Uint32(b[8:]) != l.seal {
			return l, "pageToken is not of this query."
		}
		if q.plan.expire {
			return l, "pageToken has expired."
		}
		l.turn = binary.BigEndian.Uint64(b) ^ tokenMask
		l.offset = int(l.turn & (1<<40 - 1))
	}
	return l, ""
}

// tokenMask keeps tokens opaque, and full of the + and / that a form must escape.
const tokenMask = 0xfbefbe3fffbefbef

func (l listing) token(turn uint64) string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], turn^tokenMask)
	binary.BigEndian.PutUint32(b[8:], l.seal)
	return base64.StdEncoding.EncodeToString(b[:])
}

// rows gives the page's rows, the total, and whether there are more.
func (l listing) rows(q *query) (page []entry, total int, more bool) {
	rows := l.all
	if l.role != 0 {
		rows = nil
		for _, e := range l.all {
			if int(e.role)+1 == l.role {
				rows = append(rows, e)
			}
		}
	}
	total = len(l.all)
	if q.options.TotalFollowsFilter {
		total = len(rows)
	}
	if l.barren(q) {
		return nil, total, true
	}
	page, more = q.cut(rows, l.offset, l.size, l.order == 1)
	return q.told(page), total, more
}

// barren tells whether this page is an empty one: never a third in a row.
func (l listing) barren(q *query) bool { return q.plan.barren && l.turn>>40 < 2 }

func (l listing) end(q *query, t *text, more bool) {
	switch {
	case q.plan.repeatToken && q.form["pageToken"] != "":
		t.key("pageToken")
		t.string(q.form["pageToken"])
	case l.barren(q):
		t.key("pageToken")
		t.string(l.token(l.turn + 1<<40))
	case more:
		t.key("pageToken")
		t.string(l.token(uint64(l.offset + l.size)))
	case q.options.TokenEnd == TokenEmpty:
		t.raw(`,"pageToken":""`)
	case q.options.TokenEnd == TokenNull:
		t.raw(`,"pageToken":null`)
	}
}

func (s rongServer) groupMembers(q *query) answer {
	a := q.RongCloud
	g, known := a.groupAt[q.form["groupId"]]
	if !known || a.groups[g].Dissolved {
		return s.refuse(q, q.options.UnknownGroupCode, "group does not exist.")
	}
	l, problem := s.listing(q, a.groups[g].members, "type")
	if problem != "" {
		return s.refuse(q, 1002, problem)
	}
	rows, total, more := l.rows(q)
	t := q.start()
	q.total(t, "totalCount", total)
	l.end(q, t, more)
	q.named(t, "groupId", a.groups[g].ID, true)
	q.rows(t, "members", len(rows), func(i int) { a.writeRongMember(q, t, g, rows[i]) })
	return q.finish(t)
}

// writeRongMember writes a row; its keys come in varying order, and nickname and extra may be absent.
func (a *App) writeRongMember(q *query, t *text, g uint32, e entry) {
	t.raw("{")
	t.key("userId")
	t.string(a.users[e.other].id)
	if e.other&1 == 0 {
		t.key("role")
		a.writeRongRole(t, e.role)
	}
	a.writeText(q, t, "nickname", g, e)
	if e.joined != 0 {
		t.key("time")
		t.number(e.joined)
	}
	if e.other&1 == 1 {
		t.key("role")
		a.writeRongRole(t, e.role)
	}
	if s, present := a.extra(g, e.other, e.flags); present {
		t.key("extra")
		t.string(s)
	}
	t.raw("}")
}

func (a *App) writeRongRole(t *text, role uint8) {
	if role < 3 {
		t.number(int64(role) + 1)
		return
	}
	if n, err := strconv.Atoi(a.roles[role]); err == nil {
		t.number(int64(n))
		return
	}
	t.string(a.roles[role])
}

// writeText writes a member's name in the group where there is one.
func (a *App) writeText(q *query, t *text, key string, g uint32, e entry) {
	switch {
	case e.flags&generated != 0:
		stem, number, present := a.nickname(g, e.other)
		if !present {
			return
		}
		t.key(key)
		t.raw(`"`)
		t.b = appendEscaped(t.b, q.spoil(stem), t.ascii)
		if number != 0 {
			t.b = strconv.AppendUint(t.b, number, 10)
		}
		t.raw(`"`)
	case e.flags&detailed != 0:
		if nick := a.details[pair(g, e.other)].nickname; nick != nil {
			t.key(key)
			t.string(q.spoil(*nick))
		}
	}
}

// extra is a membership's extension text.
func (a *App) extra(g, u uint32, flags uint8) (string, bool) {
	switch {
	case flags&generated != 0:
		return a.extension(g, u)
	case flags&detailed != 0:
		if s := a.details[pair(g, u)].extra; s != nil {
			return *s, true
		}
	}
	return "", false
}

func (s rongServer) joinedGroups(q *query) answer {
	a := q.RongCloud
	var all []entry
	if u, known := a.userAt[q.form["userId"]]; known {
		all = a.users[u].groups
	}
	l, problem := s.listing(q, all, "role")
	if problem != "" {
		return s.refuse(q, 1002, problem)
	}
	rows, total, more := l.rows(q)
	t := q.start()
	q.total(t, "totalCount", total)
	l.end(q, t, more)
	q.named(t, "userId", q.form["userId"], false)
	q.rows(t, "groups", len(rows), func(i int) { a.writeRongJoined(q, t, rows[i]) })
	return q.finish(t)
}

// writeRongJoined writes a row of query-member-join-group; profiles are JSON inside strings.
func (a *App) writeRongJoined(q *query, t *text, e entry) {
	g := &a.groups[e.other]
	t.raw("{")
	t.key("groupId")
	t.string(g.ID)
	t.key("name")
	t.string(q.spoil(g.Name))
	t.raw(`,"remarkName":"","groupProfile":"{\"introduction\":\"\",\"portraitUrl\":\"\"}","groupExtProfile":"{}"`)
	t.raw(`,"permissions":"{\"joinPerm\":0,\"invitePerm\":0}"`)
	t.key("createTime")
	t.number(g.created)
	if e.joined != 0 {
		t.key("joinTime")
		t.number(e.joined)
	}
	t.key("role")
	a.writeRongRole(t, e.role)
	t.key("count")
	t.number(int64(len(g.members)))
	if g.owner != 0 {
		t.key("owner")
		t.string(a.users[g.owner-1].id)
	}
	t.raw("}")
}
