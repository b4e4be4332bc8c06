package merge

import (
	"bytes"
	"context"

	"rollcall/pipeline/sorted"
	"rollcall/schema"
	"rollcall/schema/fault"
)

// questions goes through the pairs that the user side was asked about, by user, then group.
type questions struct {
	cursor      *sorted.Cursor
	ok          bool
	user, group []byte // valid until next
	named       bool   // a user view names the pair
	err         error
}

func (q *questions) next() {
	q.ok = q.cursor.Next()
	if !q.ok {
		q.err = q.cursor.Err()
		return
	}
	q.user, q.group, q.err = sorted.CutString(q.cursor.Key())
	if q.err == nil && len(q.group) > 0 {
		q.group, _, q.err = sorted.CutString(q.group)
	}
	q.named = len(q.cursor.Value()) > 0 && q.cursor.Value()[0] == 1
	q.ok = q.err == nil
}

// usersOf writes the users of one source, and answers the questions about pairs: those that a
// user's own list, read whole, leaves out go into denials by (group, user).
func (m *merger) usersOf(ctx context.Context, s source, asked, denials *sorted.Sorter) error {
	blocks := s.views[schema.UserView]
	panel, err := openPanel(ctx, m.in, m.blocks, blocks)
	if err != nil {
		return err
	}
	defer panel.close()
	cursor, err := asked.Sort()
	if err != nil {
		return fault.Wrap(err, "sort memberships by user")
	}
	defer cursor.Close()
	var blind []string
	for _, i := range blocks {
		if m.blocks[i].Blind != "" {
			blind = append(blind, m.blocks[i].Blind)
		}
	}
	pass := &userPass{blind: blind, merger: m, address: s.address, panel: panel, questions: questions{cursor: cursor}, denials: denials, count: len(blocks) > 1}
	return pass.run(ctx)
}

type userPass struct {
	*merger
	address   string
	panel     panel
	questions questions
	denials   *sorted.Sorter
	blind     []string // prefixes of groups about which the users' lists deny nothing
	count     bool     // groups have to be counted, since several blocks may name the same one
	key       []byte
}

func (u *userPass) run(ctx context.Context) error {
	q := &u.questions
	for q.next(); ctx.Err() == nil; {
		id, has := u.panel.lowest("", false)
		if q.ok && (!has || string(q.user) < id) {
			id, has = u.texts.keepBytes(q.user), true
		}
		if q.err != nil {
			return fault.Wrap(q.err, "sort memberships by user")
		}
		if !has {
			return nil
		}
		if err := u.user(id); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// user writes one user and answers what was asked about them.
func (u *userPass) user(id string) error {
	standing, _, err := u.panel.stand(id)
	if err != nil {
		return err
	}
	named, err := u.answer(id, standing.whole())
	if err != nil {
		return err
	}
	row, declared, err := u.users.next()
	if err != nil {
		return err
	}
	row.Source, row.UserID, row.Verdict = u.address, id, string(standing.verdict)
	row.DeclaredGroups = pointNumber(standing.declared, declared)
	row.CollectedGroups = standing.rows
	if u.count {
		row.CollectedGroups = named
	}
	u.summary.Users[standing.verdict]++
	return nil
}

// answer goes through the questions about one user and counts the groups their own lists name.
func (u *userPass) answer(id string, whole bool) (named int64, err error) {
	for q := &u.questions; q.ok && string(q.user) == id; q.next() {
		if q.named {
			named++
			continue
		}
		if !whole || u.unseen(q.group) {
			continue
		}
		u.key = sorted.AppendString(u.key[:0], u.texts.keepBytes(q.group))
		u.key = sorted.AppendString(u.key, id)
		if err := u.denials.Add(u.key, nil); err != nil {
			return named, fault.Wrap(err, "sort memberships by group")
		}
	}
	return named, nil
}

// unseen tells whether some user view was not asked for groups like this one.
func (u *userPass) unseen(group []byte) bool {
	for _, prefix := range u.blind {
		if bytes.HasPrefix(group, []byte(prefix)) {
			return true
		}
	}
	return false
}

// denials are the pairs that a user's whole list leaves out, in the order of groups, then users.
type denials struct {
	cursor *sorted.Cursor // nil where no user was asked
	ok     bool
	key    []byte
}

func openDenials(answers *sorted.Sorter) (*denials, error) {
	if answers == nil {
		return &denials{}, nil
	}
	cursor, err := answers.Sort()
	if err != nil {
		return nil, fault.Wrap(err, "sort memberships by group")
	}
	return &denials{cursor: cursor, ok: cursor.Next()}, nil
}

// take tells whether the pair is the next denial, and moves past it. Pairs must be asked for in order.
func (d *denials) take(group, user string) bool {
	if !d.ok {
		return false
	}
	d.key = sorted.AppendString(sorted.AppendString(d.key[:0], group), user)
	if !bytes.Equal(d.key, d.cursor.Key()) {
		return false
	}
	d.ok = d.cursor.Next()
	return true
}

// finish makes sure that every denial found its pair.
func (d *denials) finish() error {
	if d.cursor == nil {
		return nil
	}
	if err := d.cursor.Err(); err != nil {
		return fault.Wrap(err, "sort memberships by group")
	}
	if d.ok {
		return fault.New(fault.Bug, "the spool gave other memberships when it was read a second time")
	}
	return nil
}

func (d *denials) close() error {
	if d.cursor == nil {
		return nil
	}
	return d.cursor.Close()
}
