package rongcloud

import (
	"context"
	"net/url"
	"slices"
	"strconv"

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
	w.ID = func(row *sources.Row) string { return row.Group }
	if q.Data == groupMembers {
		w.ID = func(row *sources.Row) string { return row.User }
	}
	w.Totals, w.Filtered = q.Data != userGroups, len(q.Only) > 0
	w.Begin()
	return w
}

// reading is what the walk gave. RongCloud doesn't say whether totalCount follows a role filter,
// so that a filtered walk has no total.
func (w *walk) reading() sources.Reading {
	r := sources.Reading{Rows: w.Rows, Declared: w.Declared, Drifted: w.Drifted, Unverified: w.Filtered, Replaced: w.Altered.Replaced, Cut: w.Altered.Cut}
	if w.Filtered {
		r.Declared, r.Drifted = -1, false
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
		return w.Take(first.page())
	}
	const overlap = unpagedGroups / groupsPage
	fifth, err := w.groupsPage(overlap)
	if err != nil {
		return err
	}
	if sameGroups(fifth.rows, first.rows[unpagedGroups-groupsPage:unpagedGroups]) {
		if err := w.Take(first.page()); err != nil {
			return err
		}
		return w.groupPages(len(first.rows)/groupsPage + 1) // a vendor that raised its cap gave more than it documents
	}
	if err := w.groupPages(1); err != nil {
		return err
	}
	if len(w.Rows) < unpagedGroups {
		return w.Contradictory("%d groups came unpaged, and %d by pages", len(first.rows), len(w.Rows))
	}
	return nil
}

func (w *walk) groupPages(number int) error {
	for {
		p, err := w.groupsPage(number)
		if err != nil {
			return err
		}
		if err := w.Take(p.page()); err != nil || len(p.rows) < groupsPage {
			return err
		}
		if err := w.Advancing(); err != nil {
			return err
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

// tokens walks pages by their tokens, in ascending order of joining, so that who joins meanwhile
// comes last and shifts nobody. The server's default is descending, so the order is always sent. RongCloud
// promises a token only while more exists, so that an empty page with one is not the end.
func (w *walk) tokens(path string, form url.Values) error {
	form.Set("size", strconv.Itoa(hostedPage))
	form.Set("order", "0")
	form.Del("pageToken")
	used := map[string]bool{}
	w.Begin()
	for {
		p, err := w.page(path, form)
		if err != nil {
			return wire.Restart(err, len(used) > 0)
		}
		if err := w.Take(p.page()); err != nil || p.token == "" {
			return err
		}
		if used[p.token] {
			return w.Stuck("a token came a second time")
		}
		if err := w.Advancing(); err != nil {
			return err
		}
		used[p.token] = true
		form.Set("pageToken", p.token)
	}
}

func (w *walk) page(path string, form url.Values) (page, error) {
	return w.source.fetch(w.ctx, w.call, w.q, path, form)
}
