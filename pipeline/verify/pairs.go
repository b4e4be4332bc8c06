package verify

import (
	"cmp"
	"context"

	"rollcall/pipeline/sorted"
	"rollcall/schema"
)

// pairs goes through memberships with the tables that have the same order.
type pairs struct {
	*content
	groups        *cursor[schema.Group]
	discrepancies *cursor[schema.Discrepancy]
	changes       *cursor[schema.Change]
	asked         *reports // groups that data blocks were asked about

	members, keys, disputes, moves *sum // agreements

	verdicts  map[string]int64
	roles     map[string]int64 // memberships with a role, known or not, by source
	held      map[string]int64 // memberships by role, as the manifest counts them
	moved     map[string]int64 // rows of changes, by kind
	uncertain int64            // of these

	acknowledged acknowledged
	owned        map[schema.Ownership]int64 // groups that were read completely
}

// tally counts the memberships of one group.
type tally struct{ collected, unknown, owners, admins int64 }

// pairs holds memberships, groups, discrepancies and changes against each other, and keeps the
// users.
func (c *content) pairs(ctx context.Context, asked, byUser *sorted.Sorter) error {
	records, err := asked.Sort()
	if err != nil {
		return full(err)
	}
	defer records.Close()
	p := &pairs{
		content: c, groups: open(ctx, c, groups()), discrepancies: open(ctx, c, discrepancies()), changes: open(ctx, c, changes()),
		asked:   &reports{cursor: records},
		members: c.agreement("groups", "memberships"), keys: c.agreement("groups", "outcomes"),
		disputes: c.agreement("discrepancies", "memberships"), moves: c.agreement("changes", "memberships"),
		acknowledged: acknowledgedIn(c.snapshot.Manifest, false), owned: map[schema.Ownership]int64{},
		verdicts: map[string]int64{}, roles: map[string]int64{}, held: map[string]int64{}, moved: map[string]int64{},
	}
	defer p.groups.stop()
	defer p.discrepancies.stop()
	defer p.changes.stop()
	p.asked.next()
	if err := p.run(ctx, byUser); err != nil {
		return err
	}
	for _, s := range []*sum{p.members, p.keys, p.disputes, p.moves} {
		s.close()
	}
	c.counted("groups", p.verdicts, c.snapshot.Verdicts.Groups)
	c.unfound("groups", p.acknowledged)
	p.ownership()
	c.census(p.roles)
	p.figures()
	if err := records.Err(); err != nil {
		return full(err)
	}
	return c.err
}

// census holds how many memberships have a role against the manifest's figures, which older ones
// don't have.
func (c *content) census(roles map[string]int64) {
	if len(c.snapshot.Roles) == 0 {
		return
	}
	claimed := map[string]int64{}
	for source, counts := range c.snapshot.Roles {
		claimed[source] = total(counts)
	}
	s := c.agreement("memberships")
	defer s.close()
	if got, want := words(roles), words(claimed); got != want {
		s.wrong("memberships with a role are %s by source, and the manifest says %s", got, want)
	}
}

// ownership holds the groups without an owner and the empty ones against the manifest's figures. Older
// manifests, which don't count the empty ones, had another definition.
func (p *pairs) ownership() {
	claimed := p.snapshot.Ownership
	if claimed.Empty == nil {
		return
	}
	s := p.agreement("groups", "memberships")
	defer s.close()
	judged := p.owned[schema.Owned] + p.owned[schema.Ownerless]
	if claimed.Judged != judged || claimed.Ownerless != p.owned[schema.Ownerless] || *claimed.Empty != p.owned[schema.EmptyGroup] {
		s.wrong("of %d groups whose owner can be told %d have none, and %d are empty; the manifest says %d, %d and %d", judged, p.owned[schema.Ownerless], p.owned[schema.EmptyGroup], claimed.Judged, claimed.Ownerless, *claimed.Empty)
	}
}

// figures holds memberships by role and changes by kind against what the manifest counts, which
// older ones don't.
func (p *pairs) figures() {
	for _, f := range []struct {
		table, what  string
		got, claimed map[string]int64
	}{{"memberships", "by role", p.held, p.snapshot.RoleCounts}, {"changes", "by kind", p.moved, p.snapshot.Changes}} {
		s := p.agreement(f.table)
		if got, want := words(f.got), words(f.claimed); f.claimed != nil && got != want {
			s.wrong("%s %s are %s, and the manifest says %s", f.table, f.what, got, want)
		}
		if f.table == "changes" && f.claimed != nil && p.uncertain != p.snapshot.ChangesUncertain {
			s.wrong("%d changes are not certain, and the manifest says %d", p.uncertain, p.snapshot.ChangesUncertain)
		}
		s.close()
	}
}

func (p *pairs) run(ctx context.Context, byUser *sorted.Sorter) error {
	var group primary // whose memberships are being counted
	var t tally
	begun := false
	var key []byte
	for m := range rows(ctx, p.content, memberships()) {
		if next := (primary{m.Source, m.GroupID}); !begun || next != group {
			if begun {
				p.group(group, t)
			}
			group, t, begun = next, tally{}, true
		}
		t.add(m)
		if m.Role != nil || m.RoleRaw != nil {
			p.roles[m.Source]++
		}
		p.held[cmp.Or(text(m.Role), "unknown")]++
		p.dispute(m)
		p.move(m)
		value := byte(aMember)
		if m.InUserView != nil && *m.InUserView {
			value = aListed
		}
		key = sorted.AppendString(sorted.AppendString(key[:0], m.Source), m.UserID)
		if err := byUser.Add(key, []byte{value}); err != nil {
			return full(err)
		}
	}
	if begun {
		p.group(group, t)
	}
	for p.groups.row != nil {
		p.emptyGroup()
	}
	for p.asked.ok {
		p.unknownKey()
	}
	p.dispute(nil)
	p.move(nil)
	return p.err
}

func (t *tally) add(m *schema.Membership) {
	if m.InGroupView != nil && *m.InGroupView {
		t.collected++
		if m.Role == nil {
			t.unknown++
		}
	}
	if m.Role == nil {
		return
	}
	switch *m.Role {
	case schema.Owner.String():
		t.owners++
	case schema.Admin.String():
		t.admins++
	}
}

// group holds what its memberships add up to against the group's row.
func (p *pairs) group(group primary, t tally) {
	for p.groups.row != nil && groupKey(p.groups.row).compare(group) < 0 {
		p.emptyGroup()
	}
	if p.groups.row == nil || groupKey(p.groups.row) != group {
		p.members.wrong("group %.80q of %s has memberships, and no row in groups", group[1], group[0])
		return
	}
	p.judge(t)
}

// emptyGroup takes a row of groups without memberships.
func (p *pairs) emptyGroup() { p.judge(tally{}) }

// judge holds the row at which groups stands against its memberships and its keys.
func (p *pairs) judge(t tally) {
	g := p.groups.row
	p.verdicts[g.Verdict]++
	p.acknowledged.take(g.Source, g.GroupID, g.Verdict, g.DeclaredMembers, g.CollectedMembers)
	if schema.Verdict(g.Verdict) == schema.Exact {
		p.owned[schema.OwnershipOf(schema.Exact, g.CollectedMembers, t.unknown, g.Owners)]++
	}
	for _, figure := range []struct {
		column, of string
		says, has  int64
	}{
		{"collected_members", "in_group_view", g.CollectedMembers, t.collected},
		{"owners", "role owner", g.Owners, t.owners},
		{"admins", "role admin", g.Admins, t.admins},
	} {
		if figure.says != figure.has {
			p.members.wrong("group %.80q of %s has %d in %s, and %d memberships with %s", g.GroupID, g.Source, figure.says, figure.column, figure.has, figure.of)
		}
	}
	for p.asked.ok && p.asked.before(g.Source, g.GroupID) {
		p.unknownKey()
	}
	about := report{source: g.Source, id: g.GroupID}
	if p.asked.ok && p.asked.is(g.Source, g.GroupID) {
		p.asked.take(&about)
	}
	p.standing(p.keys, about, g.Verdict, "group")
	p.groups.advance()
}

// unknownKey takes a group that was asked about and has no row.
func (p *pairs) unknownKey() {
	var about report
	p.asked.take(&about)
	p.keys.stranger(p.keys, &about, "group")
}

// dispute holds a membership against the discrepancies of its pair; nil takes all that are left.
func (p *pairs) dispute(m *schema.Membership) {
	disputed := false
	for d := p.discrepancies.row; d != nil; d = p.discrepancies.row {
		c := -1
		if m != nil {
			c = (primary{d.Source, d.GroupID, d.UserID}).compare(primary{m.Source, m.GroupID, m.UserID})
		}
		if c > 0 {
			break
		}
		if c < 0 {
			p.disputes.wrong("(%.80q, %.80q) of %s has a discrepancy, and no membership", d.GroupID, d.UserID, d.Source)
		}
		disputed = disputed || c == 0
		p.discrepancies.advance()
	}
	if m == nil || m.Disputed == disputed {
		return
	}
	if disputed {
		p.disputes.wrong("(%.80q, %.80q) of %s has a discrepancy, and is not disputed", m.GroupID, m.UserID, m.Source)
	} else {
		p.disputes.wrong("(%.80q, %.80q) of %s is disputed, and has no discrepancy", m.GroupID, m.UserID, m.Source)
	}
}

// move holds a membership against the change of its pair; nil takes all that are left. Who left may
// still be named by a view that did not see it.
func (p *pairs) move(m *schema.Membership) {
	for c := p.changes.row; c != nil; c = p.changes.row {
		place := -1
		if m != nil {
			place = changeKey(c).compare(primary{m.Source, m.GroupID, m.UserID})
		}
		if place > 0 {
			return
		}
		switch {
		case p.snapshot.ChangesBase == nil:
			p.moves.wrong("(%.80q, %.80q) of %s %s, and the manifest names no base to compare with", c.GroupID, c.UserID, c.Source, c.Change)
		case place < 0 && c.Change != "left":
			p.moves.wrong("(%.80q, %.80q) of %s %s, and has no membership", c.GroupID, c.UserID, c.Source, c.Change)
		case place == 0 && c.Change != "left" && text(c.RoleAfter) != text(m.Role):
			p.moves.wrong("(%.80q, %.80q) of %s %s as %q, and its membership says %q", c.GroupID, c.UserID, c.Source, c.Change, text(c.RoleAfter), text(m.Role))
		}
		p.moved[c.Change]++
		if !c.Certain {
			p.uncertain++
		}
		p.changes.advance()
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
