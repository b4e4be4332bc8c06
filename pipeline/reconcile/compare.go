package reconcile

import (
	"context"
	"iter"
	"slices"

	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/sorted"
	"rollcall/schema"
)

// pair is a user in a group.
type pair struct{ source, group, user string }

func (p pair) compare(q pair) int {
	return slices.Compare([]string{p.source, p.group, p.user}, []string{q.source, q.group, q.user})
}

// records goes through them, each pair once.
type records struct {
	cursor     *sorted.Cursor
	more       bool // the cursor stands at a record that was not taken
	at         record
	ok         bool
	duplicates int64
	err        error
}

func (r *records) next() {
	if r.ok = r.more && r.err == nil; !r.ok {
		return
	}
	if r.at, r.err = cutRecord(r.cursor); r.err != nil {
		r.ok = false
		return
	}
	for r.more = r.cursor.Next(); r.more; r.more = r.cursor.Next() {
		other, err := cutRecord(r.cursor)
		if err != nil || other.pair != r.at.pair {
			break // an error comes back with the next record
		}
		if other.reach != ofSource {
			r.at.other = &other // the last of them, and the only one of its kind
			continue
		}
		r.duplicates++
		r.at.says(other.role)
		r.at.says(other.contrary)
	}
	if r.err = r.cursor.Err(); r.err != nil {
		r.ok = false
	}
}

func cutPair(key []byte) (p pair, err error) {
	for _, place := range []*string{&p.source, &p.group, &p.user} {
		var text []byte
		if text, key, err = sorted.CutString(key); err != nil {
			return p, err
		}
		*place = string(text)
	}
	return p, nil
}

// comparison goes through records, memberships and groups side by side.
type comparison struct {
	*reconciler
	records  records
	groups   func() (*schema.Group, error, bool)
	group    *schema.Group // where groups stands; nil at the end
	lastSeen pair          // the group of the last record that was passed
}

func (r *reconciler) compare(ctx context.Context) error {
	cursor, err := r.records.Sort()
	if err != nil {
		return err
	}
	defer cursor.Close()
	next, stop := iter.Pull2(snapshot.Rows[schema.Group](ctx, r.snapshot))
	defer stop()
	c := &comparison{reconciler: r, records: records{cursor: cursor, more: cursor.Next()}, groups: next}
	if err := c.nextGroup(); err != nil {
		return err
	}
	if err := c.advance(); err != nil {
		return err
	}
	for m, err := range snapshot.Rows[schema.Membership](ctx, r.snapshot) {
		if err != nil {
			return err
		}
		r.tick()
		if !slices.Contains(r.summary.Sources, m.Source) {
			continue
		}
		if err := c.membership(m); err != nil {
			return err
		}
	}
	for c.records.ok {
		if err := c.absent(); err != nil {
			return err
		}
	}
	r.summary.Duplicates += c.records.duplicates
	return c.records.err
}

// advance goes to the next record.
func (c *comparison) advance() error {
	if c.records.ok {
		c.lastSeen = pair{c.records.at.source, c.records.at.group, ""}
	}
	c.records.next()
	if c.records.ok && c.records.at.reach == ofSource {
		c.summary.Pairs++ // the others are counted when they are settled
	}
	if c.records.ok && c.records.at.other != nil {
		return c.absorb(c.records.at, *c.records.at.other)
	}
	return nil
}

func (c *comparison) nextGroup() error {
	group, err, ok := c.groups()
	if c.group = nil; ok {
		c.group = group
	}
	return err
}

// membership takes one of the snapshot, and the records before it.
func (c *comparison) membership(m *schema.Membership) error {
	here := pair{m.Source, m.GroupID, m.UserID}
	for c.records.ok && c.records.at.compare(here) < 0 {
		if err := c.absent(); err != nil {
			return err
		}
	}
	group := pair{m.Source, m.GroupID, ""}
	if !c.records.ok || c.records.at.pair != here {
		if err := c.unmatched(here, inSnapshot); err != nil {
			return err
		}
		listed := c.lastSeen == group || c.records.ok && group == pair{c.records.at.source, c.records.at.group, ""}
		if c.OnlyListedGroups && !listed {
			c.summary.Unlisted++
			return nil
		}
		c.summary.Memberships++
		return c.add(here, UnknownToApplication, "", m.RoleWord(), seenBy(m))
	}
	c.summary.Memberships++
	record := c.records.at
	if err := c.advance(); err != nil {
		return err
	}
	return c.present(record, m)
}

// present compares a record with the membership that it is about.
func (c *comparison) present(r record, m *schema.Membership) error {
	role := m.RoleWord()
	switch {
	case r.contrary != "":
		return c.conclude(r, finding{differs, Contradiction, role, "the records also say " + r.contrary})
	case r.role == "" || r.role == role:
		return c.conclude(r, finding{weight: agrees})
	case role == "":
		return c.conclude(r, finding{unclear, CantTell, role, "no view names a role"})
	case m.Disputed:
		return c.conclude(r, finding{differs, RoleDiffers, role, "views contradict each other: see discrepancies"})
	default:
		return c.conclude(r, finding{differs, RoleDiffers, role, ""})
	}
}

// seenBy says which views name a membership.
func seenBy(m *schema.Membership) string {
	text := ""
	for _, v := range []struct {
		named *bool
		view  string
	}{{m.InUserView, "the user's own list"}, {m.InGroupView, "the group's own list"}, {m.InRoleView, "the role query"}} {
		if v.named != nil && *v.named {
			if text != "" {
				text += " and "
			}
			text += v.view
		}
	}
	if m.Disputed {
		text += "; disputed"
	}
	return "named by " + text
}

// absent takes a record that the snapshot lacks, and moves past it. What the group can't decide is
// left to the user's own list.
func (c *comparison) absent() error {
	r := c.records.at
	for c.group != nil && slices.Compare([]string{c.group.Source, c.group.GroupID}, []string{r.source, r.group}) < 0 {
		if err := c.nextGroup(); err != nil {
			return err
		}
	}
	verdict, known := "", c.group != nil && c.group.Source == r.source && c.group.GroupID == r.group
	if known {
		verdict = c.group.Verdict
	}
	if err := c.advance(); err != nil {
		return err
	}
	switch {
	case r.contrary != "":
		return c.conclude(r, finding{denies, Contradiction, "", "the records also say " + r.contrary})
	case verdict == string(schema.Exact):
		return c.conclude(r, finding{denies, MissingAtVendor, "", "the group was read whole and does not name the user"})
	case verdict == string(schema.VerdictGone):
		return c.conclude(r, finding{lacks, MissingAtVendor, "", "the vendor says that the group does not exist any more"})
	case verdict == string(schema.VerdictUnsupported):
		return c.conclude(r, finding{untold, CantTell, "", "the vendor can't list this group's members"})
	case c.Blind != nil && c.Blind(r.source, r.group, known):
		return c.conclude(r, finding{untold, CantTell, "", groupSays(verdict) + ", and users' own lists may leave it out"})
	}
	key := sorted.AppendString(sorted.AppendString(sorted.AppendString(nil, r.source), r.user), r.group)
	return c.questions.Add(key, sorted.AppendString(r.appendValue(nil), verdict))
}

// groupSays says why a group's own list can't decide.
func groupSays(verdict string) string {
	if verdict == "" {
		return "no view names the group"
	}
	return "the group is " + verdict
}

// ask lets the users' own lists decide.
func (r *reconciler) ask(ctx context.Context) error {
	cursor, err := r.questions.Sort()
	if err != nil {
		return err
	}
	defer cursor.Close()
	next, stop := iter.Pull2(snapshot.Rows[schema.User](ctx, r.snapshot))
	defer stop()
	u, err, ok := next()
	for cursor.Next() {
		question, group, cut := cutQuestion(cursor)
		if cut != nil {
			return cut
		}
		p := question.pair
		for ok && err == nil && slices.Compare([]string{u.Source, u.UserID}, []string{p.source, p.user}) < 0 {
			u, err, ok = next()
		}
		if err != nil {
			return err
		}
		verdict := ""
		if ok && u.Source == p.source && u.UserID == p.user {
			verdict = u.Verdict
		}
		if err := r.decide(question, group, verdict); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return cursor.Err()
}

// cutQuestion is the record that a user's own list must decide, with the verdict of its group.
func cutQuestion(cursor *sorted.Cursor) (r record, group string, err error) {
	swapped, err := cutPair(cursor.Key()) // the user stands where the group does elsewhere
	if err != nil {
		return r, "", err
	}
	r.pair = pair{swapped.source, swapped.user, swapped.group}
	rest, err := r.cutValue(cursor.Value())
	if err != nil {
		return r, "", err
	}
	text, _, err := sorted.CutString(rest)
	return r, string(text), err
}

// decide takes the verdicts of the group and the user on a record that the snapshot lacks.
func (r *reconciler) decide(question record, group, user string) error {
	switch schema.Verdict(user) {
	case schema.Exact, schema.Unverifiable:
		return r.conclude(question, finding{denies, MissingAtVendor, "", "the user's own list was read whole and does not name the group"})
	case schema.VerdictGone:
		return r.conclude(question, finding{lacks, MissingAtVendor, "", "the vendor says that the user does not exist any more"})
	case "":
		return r.conclude(question, finding{untold, CantTell, "", groupSays(group) + ", and no view names the user"})
	default:
		return r.conclude(question, finding{untold, CantTell, "", groupSays(group) + ", and the user is " + user})
	}
}

// add keeps a difference until all are known.
func (r *reconciler) add(p pair, kind Kind, expected, vendor, why string) error {
	r.summary.Counts[kind]++
	key := sorted.AppendString(sorted.AppendString(sorted.AppendString(nil, p.source), p.group), p.user)
	value := sorted.AppendString(sorted.AppendString(sorted.AppendString(sorted.AppendString(nil, string(kind)), expected), vendor), why)
	return r.results.Add(key, value)
}

// tell gives all differences in order.
func (r *reconciler) tell(yield func(*Difference) error) error {
	cursor, err := r.results.Sort()
	if err != nil {
		return err
	}
	defer cursor.Close()
	for cursor.Next() {
		p, err := cutPair(cursor.Key())
		if err != nil {
			return err
		}
		var texts [4]string
		rest := cursor.Value()
		for i := range texts {
			var text []byte
			if text, rest, err = sorted.CutString(rest); err != nil {
				return err
			}
			texts[i] = string(text)
		}
		d := Difference{Source: some(p.source), GroupID: p.group, UserID: p.user, Kind: Kind(texts[0]), ExpectedRole: some(texts[1]), VendorRole: some(texts[2]), Why: texts[3]}
		if err := yield(&d); err != nil {
			return err
		}
	}
	return cursor.Err()
}

func some(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
