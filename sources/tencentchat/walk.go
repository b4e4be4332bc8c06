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
	wire.Collector
}

func newWalk(s *Source, ctx context.Context, call sources.Caller, q sources.Question) *walk {
	w := &walk{source: s, ctx: ctx, call: call, q: q}
	w.Subject = subject(q)
	w.ID = func(row *sources.Row) string { return row.User }
	if q.Data == joinedGroups {
		w.ID = func(row *sources.Row) string { return row.Group }
	}
	w.RolesAsked = q.Data == groupRoles
	w.Totals, w.Filtered = !w.RolesAsked, len(q.Only) > 0
	w.Begin()
	return w
}

func (w *walk) reading() sources.Reading {
	return sources.Reading{Rows: w.Rows, Declared: w.Declared, Drifted: w.Drifted, Unverified: w.Filtered, Replaced: w.Altered.Replaced, Cut: w.Altered.Cut}
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
	topics := newWalk(w.source, w.ctx, w.call, w.q)
	ask.Type, ask.Topics = "Community", 1
	if err := topics.joinedBy(ask); err != nil {
		return err
	}
	before, total := len(w.Rows), w.Declared
	if err := w.Take(wire.Page{Rows: topics.Rows, Listed: true, Total: total, Altered: topics.Altered}); err != nil {
		return err
	}
	w.Drifted = w.Drifted || topics.Drifted
	twice := len(topics.Rows) - (len(w.Rows) - before)
	w.Declared = total + topics.Declared - int64(twice)
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

// offsets walks by Offset until a page is not full, which is the only end that Tencent's pages tell: the
// total counts the whole group even under a filter, and it may lag.
//
// Under a role filter only an empty page ends the walk. Tencent doesn't say whether it filters before
// it cuts pages or after; if after, any page may be short. Nor is it known what Offset counts then: the
// walk goes on by as many as came, which skips nobody, and by whole pages once rows came again, since
// these show that Offset counts who was filtered out too.
func (w *walk) offsets(path string, limit int, ask func(limit, offset int) any) error {
	unfiltered := false
	for offset := 0; ; {
		p, err := w.page(path, &limit, func() any { return ask(limit, offset) })
		if err != nil {
			return err
		}
		before := len(w.Rows)
		if err := w.take(p); err != nil {
			return err
		}
		if len(p.rows) == 0 || !w.Filtered && len(p.rows) < limit {
			return nil
		}
		if err := w.Advancing(); err != nil {
			return err
		}
		unfiltered = unfiltered || w.Filtered && len(w.Rows)-before < len(p.rows)
		if offset += len(p.rows); unfiltered {
			offset += max(0, limit-len(p.rows))
		}
	}
}

// nexts walks a community by Next, which is empty on the last page alone, so that an empty page with one
// is not the end.
func (w *walk) nexts(ask membersQuestion) error {
	limit, next, used := membersPage, "", map[string]bool{}
	for {
		p, err := w.page(groupMembersPath, &limit, func() any {
			ask.Limit, ask.Next = limit, &next
			return ask
		})
		if err != nil {
			return wire.Restart(err, next != "")
		}
		if err := w.take(p); err != nil || p.next == "" {
			return err
		}
		if used[p.next] {
			return w.Stuck("a Next came a second time")
		}
		if err := w.Advancing(); err != nil {
			return err
		}
		used[p.next] = true
		next = p.next
	}
}

// take accepts a page, unless it says itself that it failed.
func (w *walk) take(p page) error {
	if p.refused {
		return w.Contradictory("an answer says FAIL and yet ErrorCode 0")
	}
	return w.Take(p.page())
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
			e := w.Failed("Tencent says that even one row is too large an answer")
			e.Code = "10018"
			return page{}, e
		}
		*limit = max(*limit/2, 1)
	}
}

// groupRoles asks for the roles of one batch. Tencent promises neither order nor one row for each
// account, so rows are joined by account; an account without a row that names a role was not answered.
func (w *walk) groupRoles() error {
	p, err := w.source.fetch(w.ctx, w.call, w.q, groupRolesPath, struct {
		Group    string   `json:"GroupId"`
		Accounts []string `json:"User_Account"`
	}{w.q.Key, w.q.Users})
	if err != nil {
		return err
	}
	if err := w.take(p); err != nil {
		return err
	}
	w.Rows = slices.DeleteFunc(w.Rows, func(row sources.Row) bool { return row.RoleRaw.Value == "" })
	if left := len(w.q.Users) - len(w.Rows); left > 0 {
		return w.Failed("Tencent left out %d of the %d users asked about", left, len(w.q.Users))
	}
	return nil
}
