package merge

import (
	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// said is what one view says about one pair, from all its blocks.
type said struct {
	named  bool        // a row names the pair
	whole  bool        // such a row comes from a whole reading, so it may accuse
	denied bool        // of the role view: NotMember
	role   schema.Role // of the lowest block that names a known one
	raw    schema.Text // of the same row; where no role is known, the first there is
	sure   schema.Role // the role of the lowest block that was read whole

	nickname, extra schema.Text
	joined          schema.Micros
}

// pair is one user in one group and what each view says.
type pair struct {
	user  string
	views [3]said
}

func (p *pair) named() bool { return p.views[0].named || p.views[1].named || p.views[2].named }

// add takes the row of the next higher block.
func (p *pair) add(row *spool.Row, view schema.View, texts *arena) {
	s := &p.views[view]
	if view == schema.RoleView {
		if row.NotMember {
			s.denied = true
			return
		}
		if row.Role == schema.NoRole && !row.RoleRaw.Valid {
			return // asked, and not answered
		}
	}
	s.named = true
	sure := row.Whole || view == schema.RoleView
	s.whole = s.whole || sure
	if sure && s.sure == schema.NoRole {
		s.sure = row.Role
	}
	switch {
	case s.role == schema.NoRole && row.Role != schema.NoRole:
		s.role, s.raw = row.Role, keepText(row.RoleRaw, texts)
	case s.role == schema.NoRole && !s.raw.Valid:
		s.raw = keepText(row.RoleRaw, texts)
	}
	if view == schema.RoleView {
		return
	}
	if !s.nickname.Valid {
		s.nickname = keepText(row.Nickname, texts)
	}
	if !s.extra.Valid {
		s.extra = keepText(row.Extra, texts)
	}
	if !s.joined.Valid {
		s.joined = row.Joined
	}
}

func keepText(t schema.Text, texts *arena) schema.Text {
	if t.Valid {
		t.Value = texts.keep(t.Value)
	}
	return t
}

// pairs goes through the rows of one source, pair by pair in the order of groups, then users.
type pairs struct {
	cursor  Cursor[spool.Row]
	blocks  []spool.Block
	texts   *arena
	pending *spool.Row // the first row of the pair to come; nil at the end
	group   string     // of the present pair
	pair    pair
}

func newPairs(cursor Cursor[spool.Row], blocks []spool.Block, texts *arena) *pairs {
	p := &pairs{cursor: cursor, blocks: blocks, texts: texts}
	p.advance()
	return p
}

func (p *pairs) advance() {
	p.pending = nil
	if p.cursor.Next() {
		p.pending = p.cursor.Row()
	}
}

// next goes to the next pair. It returns false at the end and after an error of the cursor.
func (p *pairs) next() bool {
	if p.pending == nil {
		return false
	}
	if p.pending.Group != p.group {
		p.group = p.texts.keep(p.pending.Group)
	}
	p.pair = pair{user: p.texts.keep(p.pending.User)}
	for p.pending != nil && p.pending.User == p.pair.user && p.pending.Group == p.group {
		p.pair.add(p.pending, p.blocks[p.pending.Block].View, p.texts)
		p.advance()
	}
	return true
}
