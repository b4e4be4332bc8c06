package tencentchat

import (
	"context"
	"slices"
	"strings"

	"rollcall/schema"
	"rollcall/sources"
	"rollcall/sources/wire"
)

// walk collects the pages of one question.
type walk struct {
	source *Source
	ctx    context.Context
	call   sources.Caller
	q      sources.Question

	rows     []sources.Row
	seen     map[string]struct{} // IDs in rows
	replaced int
	total    int64 // the last one declared; -1 for none
	drifted  bool
	filtered bool // only some roles were asked for
}

func (w *walk) reading() sources.Reading {
	return sources.Reading{Rows: w.rows, Declared: w.total, Drifted: w.drifted, Unverified: w.filtered, Replaced: w.replaced}
}

// joinedQuestion asks get_joined_group_list. Without the filters it names nothing but group IDs;
// without the two switches it leaves out inactive and huge groups.
type joinedQuestion struct {
	Account  string `json:"Member_Account"`
	Huge     int    `json:"WithHugeGroups"`
	Inactive int    `json:"WithNoActiveGroups"`
	Limit    int
	Offset   int
	Type     string         `json:"GroupType,omitzero"`
	Topics   int            `json:"SupportTopic,omitzero"`
	Filter   responseFilter `json:"ResponseFilter"`
}

type responseFilter struct {
	Group []string `json:"GroupBaseInfoFilter"`
	Self  []string `json:"SelfInfoFilter"`
}

// joinedGroups walks the user's groups, and a second time those communities with topics that come
// only when they are asked for by type. What both walks gave counts once in the total.
func (w *walk) joinedGroups() error {
	ask := joinedQuestion{
		Account: w.q.Key, Huge: 1, Inactive: 1,
		Filter: responseFilter{Group: []string{"Type", "Name"}, Self: []string{"Role", "JoinTime"}},
	}
	if err := w.joinedBy(ask); err != nil || !w.q.Topics {
		return err
	}
	topics := walk{source: w.source, ctx: w.ctx, call: w.call, q: w.q}
	ask.Type, ask.Topics = "Community", 1
	if err := topics.joinedBy(ask); err != nil {
		return err
	}
	fresh := w.take(page{rows: topics.rows, replaced: topics.replaced})
	w.drifted = w.drifted || topics.drifted
	if w.total >= 0 && topics.total >= 0 {
		w.total += topics.total - int64(len(topics.rows)-fresh)
	} else {
		w.total = -1
	}
	return nil
}

func (w *walk) joinedBy(ask joinedQuestion) error {
	return w.offsets(joinedGroupsPath, joinedPage, func(limit, offset int) any {
		ask.Limit, ask.Offset = limit, offset
		return ask
	})
}

// membersQuestion asks get_group_member_info: communities by Next, all other groups by Offset.
type membersQuestion struct {
	Group  string `json:"GroupId"`
	Limit  int
	Offset *int     `json:",omitzero"`
	Next   *string  `json:",omitzero"`
	Fields []string `json:"MemberInfoFilter"`
	Roles  []string `json:"MemberRoleFilter,omitzero"`
}

// groupMembers walks the group's members. A community is known by its ID (Tencent, document
// 1047/34948).
func (w *walk) groupMembers() error {
	ask := membersQuestion{Group: w.q.Key, Fields: []string{"Role", "JoinTime", "NameCard"}, Roles: filter(w.q.Only)}
	w.filtered = len(w.q.Only) > 0
	if strings.HasPrefix(w.q.Key, communityPrefix) {
		return w.nexts(ask)
	}
	return w.offsets(groupMembersPath, membersPage, func(limit, offset int) any {
		ask.Limit, ask.Offset = limit, &offset
		return ask
	})
}

// filter gives each role that is asked for in Tencent's word, once.
func filter(only []schema.Role) []string {
	var words []string
	for _, role := range []struct {
		role schema.Role
		word string
	}{{schema.Owner, "Owner"}, {schema.Admin, "Admin"}, {schema.Member, "Member"}} {
		if slices.Contains(only, role.role) {
			words = append(words, role.word)
		}
	}
	return words
}

// offsets walks by Offset until the declared total is reached or a page is empty. The total counts
// the whole group even under a role filter, so that a filtered walk ends at a page that isn't full.
func (w *walk) offsets(path string, limit int, ask func(limit, offset int) any) error {
	w.total = -1
	for offset := 0; ; {
		p, err := w.page(path, &limit, func() any { return ask(limit, offset) })
		if err != nil {
			return err
		}
		w.count(p.total)
		fresh := w.take(p)
		offset += len(p.rows)
		switch {
		case len(p.rows) == 0,
			w.filtered && len(p.rows) < limit,
			!w.filtered && int64(offset) >= w.total && (w.total >= 0 || len(p.rows) < limit):
			return nil
		case fresh == 0:
			return w.stuck()
		}
	}
}

// mostBarren is how many pages in a row may bring nothing new while their Next is fresh, for a list
// without a total: Next is empty on the last page alone, so that an empty page with one is not the end.
const mostBarren = 50

// nexts walks a community by Next, which is empty on the last page.
func (w *walk) nexts(ask membersQuestion) error {
	w.total = -1
	limit, next, used, barren := membersPage, "", map[string]bool{}, 0
	for {
		p, err := w.page(groupMembersPath, &limit, func() any {
			ask.Limit, ask.Next = limit, &next
			return ask
		})
		if err != nil {
			return wire.Restart(err, next != "")
		}
		w.count(p.total)
		if barren++; w.take(p) > 0 {
			barren = 0
		}
		if p.next == "" {
			return nil
		}
		if used[p.next] || barren > mostBarren+int(max(w.total, 0))/membersPage {
			return w.stuck()
		}
		used[p.next] = true
		next = p.next
	}
}

// page asks for one page, and for half of it from the same place as long as the answer is too
// large. The smaller limit stays for the pages behind it.
func (w *walk) page(path string, limit *int, ask func() any) (page, error) {
	for {
		p, err := w.source.fetch(w.ctx, w.call, w.q, path, ask())
		if err != nil || p.code != tooLarge {
			return p, err
		}
		if *limit == 1 {
			e := failed(w.q, "Tencent says that even one row is too large an answer")
			e.Code = "10018"
			return page{}, e
		}
		*limit = max(*limit/2, 1)
	}
}

// groupRoles asks for the roles of one batch. Tencent promises neither order nor one row for each
// account, so rows are joined by account; an account without a row that names a role was not answered.
func (w *walk) groupRoles() error {
	w.total = -1
	p, err := w.source.fetch(w.ctx, w.call, w.q, groupRolesPath, struct {
		Group    string   `json:"GroupId"`
		Accounts []string `json:"User_Account"`
	}{w.q.Key, w.q.Users})
	if err != nil {
		return err
	}
	open := make(map[string]struct{}, len(w.q.Users))
	for _, user := range w.q.Users {
		open[user] = struct{}{}
	}
	w.replaced = p.replaced
	w.rows = p.rows[:0]
	for _, row := range p.rows {
		if _, asked := open[row.User]; asked && row.RoleRaw.Value != "" {
			delete(open, row.User)
			w.rows = append(w.rows, row)
		}
	}
	if len(open) > 0 {
		return failed(w.q, "Tencent left out %d of the %d users asked about", len(open), len(w.q.Users))
	}
	return nil
}

func (w *walk) count(total int64) {
	if total < 0 {
		return
	}
	w.drifted = w.drifted || w.total >= 0 && total != w.total
	w.total = total
}

// mostRoom bounds the room that is made for rows before they come, on the vendor's word alone.
const mostRoom = 20_000

// take adds the rows that are new and tells how many were.
func (w *walk) take(p page) (fresh int) {
	if w.seen == nil {
		room := len(p.rows)
		if w.total > int64(room) {
			room = int(min(w.total, mostRoom))
		}
		w.seen, w.rows = make(map[string]struct{}, room), slices.Grow(w.rows, room)
	}
	w.replaced += p.replaced
	for _, row := range p.rows {
		id := row.User
		if w.q.Data == joinedGroups {
			id = row.Group
		}
		if _, twice := w.seen[id]; twice {
			continue
		}
		w.seen[id] = struct{}{}
		w.rows = append(w.rows, row)
		fresh++
	}
	return fresh
}

func (w *walk) stuck() error {
	return failed(w.q, "paging doesn't advance: Tencent repeats a page or its Next after %d rows", len(w.rows))
}
