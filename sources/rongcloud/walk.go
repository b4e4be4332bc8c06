package rongcloud

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"rollcall/schema"
	"rollcall/schema/fault"
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
	total    int64 // the last one declared
	declared bool
	drifted  bool
	filtered bool // only some roles were asked for
}

// reading is what the walk gave. RongCloud doesn't say whether totalCount follows a role filter,
// so that a filtered walk has no total.
func (w *walk) reading() sources.Reading {
	r := sources.Reading{Rows: w.rows, Declared: -1, Replaced: w.replaced, Unverified: w.filtered}
	if w.declared && !w.filtered {
		r.Declared, r.Drifted = w.total, w.drifted
	}
	return r
}

// userGroups asks unpaged, which one request answers for nearly everybody. A full answer may have
// been cut, so that pages go on from the last thousand it gave: if page 5 repeats these IDs in
// order, both ways of asking keep one order and nothing between them is lost; if not, only a walk
// from page 1 can be believed.
func (w *walk) userGroups() error {
	first, err := w.page(userGroupsPath, url.Values{"userId": {w.q.Key}})
	if err != nil {
		return err
	}
	if len(first.rows) < unpagedGroups {
		w.take(first)
		return nil
	}
	const overlap = unpagedGroups / groupsPage
	fifth, err := w.groupsPage(overlap)
	if err != nil {
		return err
	}
	if sameGroups(fifth.rows, first.rows[unpagedGroups-groupsPage:unpagedGroups]) {
		w.take(first)
		return w.groupPages(len(first.rows)/groupsPage + 1) // a vendor that raised its cap gave more than it documents
	}
	if err := w.groupPages(1); err != nil {
		return err
	}
	if len(w.rows) < unpagedGroups {
		return fault.New(fault.Transient, "RongCloud answered %s of %s with %d groups unpaged and with %d paged", w.q.Data, subject(w.q), len(first.rows), len(w.rows))
	}
	return nil
}

func (w *walk) groupPages(number int) error {
	for {
		p, err := w.groupsPage(number)
		if err != nil {
			return err
		}
		fresh := w.take(p)
		if len(p.rows) < groupsPage {
			return nil
		}
		if fresh == 0 {
			return w.stuck()
		}
		number++
	}
}

func (w *walk) groupsPage(number int) (page, error) {
	return w.page(userGroupsPath, url.Values{
		"userId": {w.q.Key},
		"page":   {strconv.Itoa(number)},
		"size":   {strconv.Itoa(groupsPage)},
	})
}

func sameGroups(a, b []sources.Row) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Group != b[i].Group {
			return false
		}
	}
	return true
}

// groupMembers walks the whole group, or once for each role asked for: the endpoint filters by one
// role at a time.
func (w *walk) groupMembers() error {
	form := url.Values{"groupId": {w.q.Key}}
	if len(w.q.Only) == 0 {
		return w.tokens(groupMembersPath, form)
	}
	w.filtered = true
	for _, filter := range []struct {
		role schema.Role
		word string
	}{{schema.Owner, "3"}, {schema.Admin, "2"}, {schema.Member, "1"}} {
		if !slices.Contains(w.q.Only, filter.role) {
			continue
		}
		form.Set("type", filter.word)
		if err := w.tokens(groupMembersPath, form); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) joinedGroups() error {
	return w.tokens(joinedGroupsPath, url.Values{"userId": {w.q.Key}, "role": {"0"}})
}

// mostBarren is how many pages in a row may bring nothing new while their tokens are fresh, for a
// list without a total. RongCloud promises a token only while more exists, so that an empty page
// with one is not the end: a server that filters by role after it has cut the page gives such pages.
const mostBarren = 50

// tokens walks pages by their tokens, in ascending order of joining, so that who joins meanwhile
// comes last and shifts nobody. The server's default is descending, so the order is always sent.
func (w *walk) tokens(path string, form url.Values) error {
	form.Set("size", strconv.Itoa(hostedPage))
	form.Set("order", "0")
	form.Del("pageToken")
	used := map[string]bool{}
	w.seen = nil // a walk by another role may meet a user whose role has just changed
	before, barren := len(w.rows), 0
	for {
		p, err := w.page(path, form)
		if err != nil {
			return wire.Restart(err, len(used) > 0)
		}
		w.count(p.total)
		if barren++; w.take(p) > 0 {
			barren = 0
		}
		if p.token == "" {
			break
		}
		if used[p.token] || barren > mostBarren+int(w.total)/hostedPage {
			return w.stuck()
		}
		used[p.token] = true
		form.Set("pageToken", p.token)
	}
	if before > 0 {
		w.merge()
	}
	return nil
}

func (w *walk) page(path string, form url.Values) (page, error) {
	return w.source.fetch(w.ctx, w.call, w.q, path, form)
}

func (w *walk) count(total int64) {
	if total < 0 {
		return
	}
	w.drifted = w.drifted || w.declared && total != w.total
	w.total, w.declared = total, true
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
		id := w.id(row)
		if _, twice := w.seen[id]; twice {
			continue
		}
		w.seen[id] = struct{}{}
		w.rows = append(w.rows, row)
		fresh++
	}
	return fresh
}

// merge leaves each ID once, the first.
func (w *walk) merge() {
	all := page{rows: w.rows}
	w.rows, w.seen = nil, nil
	w.take(all)
}

func (w *walk) id(row sources.Row) string {
	if w.q.Data == groupMembers {
		return row.User
	}
	return row.Group
}

func (w *walk) stuck() error {
	e := fault.New(fault.Item, "paging %s of %s doesn't advance: RongCloud repeats a page or a token after %d rows", w.q.Data, subject(w.q), len(w.rows))
	e.Outcome = schema.Failed
	return e
}
