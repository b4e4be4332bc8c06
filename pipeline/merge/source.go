package merge

import (
	"context"

	"rollcall/pipeline/sorted"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/fault"
)

// source merges one source, a witness hearing of it.
func (m *merger) source(ctx context.Context, s source) error {
	w := m.options.Witness
	if w == nil {
		return m.tables(ctx, s)
	}
	if err := w.Source(ctx, s.address); err != nil {
		return err
	}
	if err := m.tables(ctx, s); err != nil {
		return err
	}
	return w.Done(ctx)
}

// tables writes the tables of one source. Where its users were asked and something else named pairs too, the
// rows are read twice: first for the pairs whose user-side answer must be looked up, then, with the
// answers sorted back by group, for the memberships. Reading the spool again is cheaper than
// writing all memberships down in between.
func (m *merger) tables(ctx context.Context, s source) error {
	questions, denials := m.sorter(), m.sorter()
	defer questions.Close()
	defer denials.Close()
	asker := &asker{sorter: questions, all: len(s.views[schema.UserView]) > 1}

	if len(s.views[schema.UserView]) == 0 {
		questions.Unique = true
		asker.usersOnly = true
		if err := m.groupsOf(ctx, s, nil, asker); err != nil {
			return err
		}
		return m.usersOf(ctx, s, questions, denials)
	}
	if asker.all || len(s.blocks) > 1 {
		if err := m.ask(ctx, s, asker); err != nil {
			return err
		}
	}
	if err := m.usersOf(ctx, s, questions, denials); err != nil {
		return err
	}
	return m.groupsOf(ctx, s, denials, nil)
}

func (m *merger) sorter() *sorted.Sorter {
	s := sorted.New(m.options.Scratch, m.options.Memory)
	s.Disk = m.options.Disk
	return s
}

// asker collects what must be known by user: the pairs that no user view names, or all of them
// where several user views have to be counted together; where no user was asked, just the users.
type asker struct {
	sorter    *sorted.Sorter
	all       bool
	usersOnly bool
	key       []byte
}

func (a *asker) ask(group string, p *pair) error {
	named := p.views[schema.UserView].named
	if !p.named() || named && !a.all {
		return nil
	}
	a.key = sorted.AppendString(a.key[:0], p.user)
	if !a.usersOnly {
		a.key = sorted.AppendString(a.key, group)
	}
	var value [1]byte
	if named {
		value[0] = 1
	}
	return fault.Wrap(a.sorter.Add(a.key, value[:]), "sort memberships by user")
}

// ask reads the rows for the user side alone.
func (m *merger) ask(ctx context.Context, s source, a *asker) error {
	rows, err := m.in.Rows(ctx, s.blocks)
	if err != nil {
		return err
	}
	defer rows.Close()
	pairs := newPairs(rows, m.blocks, &m.texts)
	for pairs.next() {
		if err := a.ask(pairs.group, &pairs.pair); err != nil {
			return err
		}
	}
	return rows.Err()
}

// groupPass goes through the groups of one source: those asked, those known by name and those that
// rows name, each once, in order.
type groupPass struct {
	*merger
	address string
	panel   panel
	pairs   *pairs
	infos   Cursor[spool.Group]
	info    *spool.Group // where infos stands; nil at the end
	denials *denials
	asker   *asker // nil where the users have been asked already
	census  census
	told    Pair // to the witness
}

// groupsOf writes the groups, memberships and discrepancies of one source.
func (m *merger) groupsOf(ctx context.Context, s source, answers *sorted.Sorter, a *asker) error {
	panel, err := openPanel(ctx, m.in, m.blocks, s.askedByGroup())
	if err != nil {
		return err
	}
	defer panel.close()
	rows, err := m.in.Rows(ctx, s.blocks)
	if err != nil {
		return err
	}
	defer rows.Close()
	infos, err := m.in.Groups(ctx, s.blocks)
	if err != nil {
		return err
	}
	defer infos.Close()
	denials, err := openDenials(answers)
	if err != nil {
		return err
	}
	defer denials.close()
	g := &groupPass{merger: m, address: s.address, panel: panel, pairs: newPairs(rows, m.blocks, &m.texts), infos: infos, denials: denials, asker: a, census: newCensus()}
	if err := g.run(ctx); err != nil {
		return err
	}
	g.census.add(s.address, &m.summary)
	if err := rows.Err(); err != nil {
		return err
	}
	if err := infos.Err(); err != nil {
		return err
	}
	return denials.finish()
}

func (g *groupPass) run(ctx context.Context) error {
	g.nextInfo()
	for ctx.Err() == nil {
		id, has := g.panel.lowest("", false)
		if row := g.pairs.pending; row != nil && (!has || row.Group < id) {
			id, has = row.Group, true
		}
		if g.info != nil && (!has || g.info.ID < id) {
			id, has = g.info.ID, true
		}
		if !has {
			return nil
		}
		if err := g.group(g.texts.keep(id)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (g *groupPass) nextInfo() {
	g.info = nil
	if g.infos.Next() {
		g.info = g.infos.Row()
	}
}

// groupValues is what the pointers of one group point to.
type groupValues struct {
	name, kind string
	declared   int64
}

// group writes one group with its memberships.
func (g *groupPass) group(id string) error {
	standing, asked, err := g.panel.stand(id)
	if err != nil {
		return err
	}
	known, name, kind := g.names(id)
	row := schema.Group{Source: g.address, GroupID: id, Verdict: string(standing.verdict)}
	if w := g.options.Witness; w != nil {
		if err := w.Group(id, GroupReading{Asked: standing.asked != 0 || !standing.roles, Whole: standing.whole(), Roles: standing.roles}); err != nil {
			return err
		}
	}
	named, err := g.members(id, standing, &row)
	g.census.judge(&row, &g.summary)
	if err != nil || !asked && !known && !named {
		return err
	}
	place, values, err := g.groups.next()
	if err != nil {
		return err
	}
	row.Name, row.Type = point(name, &values.name), point(kind, &values.kind)
	row.DeclaredMembers = pointNumber(standing.declared, &values.declared)
	*place = row
	g.summary.Groups[standing.verdict]++
	return nil
}

// names takes all that was told of a group besides its members.
func (g *groupPass) names(id string) (known bool, name, kind schema.Text) {
	for g.info != nil && g.info.ID == id {
		known = true
		name = smaller(name, keepText(g.info.Name, &g.texts))
		kind = smaller(kind, keepText(g.info.Type, &g.texts))
		g.nextInfo()
	}
	return known, name, kind
}

// smaller chooses between two texts for the same thing: one that is there, not empty, and bytewise
// smaller, so that the choice depends on nothing else.
func smaller(a, b schema.Text) schema.Text {
	switch {
	case !a.Valid || !b.Valid:
		if a.Valid {
			return a
		}
		return b
	case a.Value == "" || b.Value != "" && b.Value < a.Value:
		return b
	default:
		return a
	}
}

// members writes the memberships of one group and counts them in its row.
func (g *groupPass) members(id string, standing standing, row *schema.Group) (named bool, err error) {
	h := hearing{pair: &g.pairs.pair, source: g.address, group: id, roles: standing.roles}
	for g.pairs.pending != nil && g.pairs.pending.Group == id {
		g.pairs.next()
		if w := g.options.Witness; w != nil {
			h.tell(&g.told)
			if err := w.Pair(&g.told); err != nil {
				return named, err
			}
		}
		if !h.named() {
			continue
		}
		named = true
		user, group, role := &h.views[schema.UserView], &h.views[schema.GroupView], &h.views[schema.RoleView]
		if !h.roles {
			role.whole, role.sure = false, schema.NoRole
		}
		h.absent[schema.GroupView] = standing.whole() && !group.named
		h.absent[schema.RoleView] = role.denied && !role.named
		h.absent[schema.UserView] = !user.named && g.denials.take(id, h.user)
		if err := g.member(&h, row); err != nil {
			return named, err
		}
	}
	return named, nil
}

func (g *groupPass) member(h *hearing, row *schema.Group) error {
	if g.asker != nil {
		if err := g.asker.ask(h.group, h.pair); err != nil {
			return err
		}
	}
	accusations, err := g.accuse(h)
	if err != nil {
		return err
	}
	role, raw, err := g.memberships.add(h, accusations > 0)
	if err != nil {
		return err
	}
	g.census.count(role, raw, h.views[schema.GroupView].named)
	switch role {
	case schema.Owner:
		row.Owners++
	case schema.Admin:
		row.Admins++
	}
	if h.views[schema.GroupView].named {
		row.CollectedMembers++
	}
	if accusations > 0 {
		g.summary.Disputed++
	}
	g.summary.Held[role]++
	g.summary.Memberships++
	return nil
}
