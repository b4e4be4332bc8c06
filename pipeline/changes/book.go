package changes

import (
	"context"
	"errors"
	"iter"
	"strings"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/sinks/parquet"
)

// cursor goes through rows one by one. Row is nil at the end.
type cursor[Row any] struct {
	row  *Row
	pull func() (*Row, error, bool)
	stop func()
}

func openCursor[Row any](rows iter.Seq2[*Row, error]) (*cursor[Row], error) {
	c := &cursor[Row]{}
	c.pull, c.stop = iter.Pull2(rows)
	return c, c.next()
}

func (c *cursor[Row]) next() error {
	row, err, ok := c.pull()
	if c.row = row; !ok || err != nil {
		c.row = nil
	}
	return err
}

// book is a sealed snapshot that is read source by source, each in the order of its groups.
type book struct {
	*snapshot.Snapshot
	source  string
	members *cursor[schema.Membership]
	groups  *cursor[schema.Group]
	roles   []*cursor[schema.KeyOutcome] // the role blocks of the source, by group
	at      string                       // the group that state is about
	state   group
}

// openBook stands at the first source. Of memberships it reads those that only lets through.
func openBook(ctx context.Context, s *snapshot.Snapshot, only Only) (*book, error) {
	b := &book{Snapshot: s}
	var err, second error
	members := snapshot.Rows[schema.Membership](ctx, s)
	if only != (Only{}) {
		members = snapshot.Find[schema.Membership](ctx, s, only.where("")...)
	}
	b.members, err = openCursor(members)
	b.groups, second = openCursor(snapshot.Rows[schema.Group](ctx, s))
	return b, errors.Join(err, second)
}

func (b *book) close() {
	b.members.stop()
	b.groups.stop()
	b.closeRoles()
}

func (b *book) closeRoles() {
	for _, c := range b.roles {
		c.stop()
	}
	b.roles = nil
}

// begin goes to the first row of source. Sources come in ascending order.
func (b *book) begin(ctx context.Context, source string) error {
	b.source, b.at, b.state = source, "", group{}
	for b.members.row != nil && b.members.row.Source < source {
		if err := b.members.next(); err != nil {
			return err
		}
	}
	for b.groups.row != nil && b.groups.row.Source < source {
		if err := b.groups.next(); err != nil {
			return err
		}
	}
	b.closeRoles()
	for _, address := range b.blocks("role") {
		c, err := openCursor(outcomesOf(ctx, b.Snapshot, source, address))
		if b.roles = append(b.roles, c); err != nil {
			return err
		}
	}
	return nil
}

func outcomesOf(ctx context.Context, s *snapshot.Snapshot, source, address string) iter.Seq2[*schema.KeyOutcome, error] {
	return snapshot.Find[schema.KeyOutcome](ctx, s, parquet.Equal{Column: "source", Value: source}, parquet.Equal{Column: "data", Value: address})
}

// member is the next membership of the source; nil behind the last.
func (b *book) member() *schema.Membership {
	if row := b.members.row; row != nil && row.Source == b.source {
		return row
	}
	return nil
}

// blocks lists the addresses of the source's data blocks of one view. A manifest that does not
// tell its data blocks has none: then users and roles prove nothing.
func (b *book) blocks(view string) (addresses []string) {
	for address, d := range b.Data {
		if d.Source == b.source && d.View == view {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// blind lists the prefixes of groups that some user view of the source was not asked for.
func (b *book) blind() (prefixes []string) {
	for _, address := range b.blocks("user") {
		if prefix := b.Data[address].Blind; prefix != "" {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// whole tells whether a verdict in the tables stands for a whole reading. One that is unverifiable
// may have asked for some roles only: the manifest's data blocks tell.
func (b *book) whole(verdict, view string) bool {
	switch schema.Verdict(verdict) {
	case schema.Exact:
		return true
	case schema.Unverifiable:
		blocks := b.blocks(view)
		for _, address := range blocks {
			if len(b.Data[address].Only) > 0 {
				return false
			}
		}
		return len(blocks) > 0
	default:
		return false
	}
}

// group tells what the snapshot knows of a group. Groups are asked for in ascending order.
func (b *book) group(id string) (group, error) {
	if id == b.at && id != "" {
		return b.state, nil
	}
	b.at, b.state = id, group{roles: true}
	for b.groups.row != nil && b.groups.row.Source == b.source && b.groups.row.GroupID < id {
		if err := b.groups.next(); err != nil {
			return group{}, err
		}
	}
	if row := b.groups.row; row != nil && row.Source == b.source && row.GroupID == id {
		b.state.whole = b.whole(row.Verdict, "group")
	}
	asked := false
	for _, c := range b.roles {
		outcome, err := outcomeAt(c, id)
		if err != nil {
			return group{}, err
		}
		asked = asked || outcome != ""
		b.state.roles = b.state.roles && (outcome == "" || outcome == string(schema.OK))
	}
	b.state.roles = b.state.roles && asked
	return b.state, nil
}

// outcomeAt is the outcome of key; empty where it was not asked.
func outcomeAt(c *cursor[schema.KeyOutcome], key string) (string, error) {
	for c.row != nil && c.row.Key < key {
		if err := c.next(); err != nil {
			return "", err
		}
	}
	if c.row == nil || c.row.Key != key {
		return "", nil
	}
	return c.row.Outcome, nil
}

// sideOf is a membership as the rules see it. A table tells which views named a pair, and not which
// of them gave the role: it is the first that may have.
func sideOf(m *schema.Membership, g group) side {
	s := side{group: g}
	s.User = m.UserID
	for v, said := range [...]*bool{schema.UserView: m.InUserView, schema.GroupView: m.InGroupView, schema.RoleView: m.InRoleView} {
		s.Named[v] = said != nil && *said
		s.Whole[v] = s.Named[v] && (schema.View(v) != schema.GroupView || g.whole)
	}
	s.Denied = m.InRoleView != nil && !*m.InRoleView
	if m.Role != nil {
		s.Role, _ = schema.ParseRole(*m.Role)
	}
	for _, v := range [...]schema.View{schema.RoleView, schema.GroupView, schema.UserView} {
		if s.Named[v] {
			s.RoleFrom = v
			break
		}
	}
	return s
}

// kinds gives each kind of user view a bit.
type kinds map[string]uint64

// of is the bit of the kind of a data block: of "rongcloud_joined_groups" for
// "rongcloud_joined_groups.staff".
func (k kinds) of(address string) uint64 {
	kind, _, _ := strings.Cut(address, ".")
	if _, known := k[kind]; !known {
		k[kind] = 1 << min(len(k), 63)
	}
	return k[kind]
}

// readers tells whether a user was asked about, and by which kinds of user views they were read whole. Users
// are asked for in ascending order.
type readers interface {
	at(user string) (whole uint64, asked bool, err error)
	close() error
}

// usersOf reads the users of the source; where one is named, that one alone.
func (b *book) usersOf(ctx context.Context, k kinds, user string) (readers, error) {
	r := &bookUsers{book: b}
	var err error
	r.users, err = openCursor(snapshot.Find[schema.User](ctx, b.Snapshot, Only{User: user}.where(b.source)...))
	if err != nil {
		return r, err
	}
	for _, address := range b.blocks("user") {
		c, err := openCursor(outcomesOf(ctx, b.Snapshot, b.source, address))
		if r.outcomes = append(r.outcomes, c); err != nil {
			return r, err
		}
		r.bits = append(r.bits, k.of(address))
	}
	return r, nil
}

type bookUsers struct {
	book     *book
	users    *cursor[schema.User]
	outcomes []*cursor[schema.KeyOutcome]
	bits     []uint64 // of the outcomes' kinds
}

func (r *bookUsers) at(user string) (whole uint64, asked bool, err error) {
	for r.users.row != nil && r.users.row.UserID < user {
		if err := r.users.next(); err != nil {
			return 0, false, err
		}
	}
	if r.users.row == nil || r.users.row.UserID != user {
		return 0, false, nil
	}
	asked = r.users.row.Verdict != string(schema.NotAsked)
	if !r.book.whole(r.users.row.Verdict, "user") {
		return 0, asked, nil
	}
	for i, c := range r.outcomes {
		outcome, err := outcomeAt(c, user)
		if err != nil {
			return 0, false, err
		}
		if outcome == string(schema.OK) {
			whole |= r.bits[i]
		}
	}
	return whole, asked, nil
}

func (r *bookUsers) close() error {
	r.users.stop()
	for _, c := range r.outcomes {
		c.stop()
	}
	return nil
}

// spoolUsers reads the users of a source of the night at hand.
type spoolUsers struct {
	readings *merge.Readings
	kinds    kinds
	user     string
	mask     uint64
	ok       bool
}

func openSpoolUsers(ctx context.Context, in merge.Input, source string, k kinds) (readers, error) {
	readings, err := merge.OpenReadings(ctx, in, source)
	if err != nil {
		return nil, err
	}
	r := &spoolUsers{readings: readings, kinds: k, ok: true}
	return r, r.next()
}

func (r *spoolUsers) next() error {
	user, whole, ok, err := r.readings.Next()
	r.user, r.mask, r.ok = user, 0, ok
	for _, address := range whole {
		r.mask |= r.kinds.of(address)
	}
	return err
}

func (r *spoolUsers) at(user string) (whole uint64, asked bool, err error) {
	for r.ok && r.user < user {
		if err := r.next(); err != nil {
			return 0, false, err
		}
	}
	if !r.ok || r.user != user {
		return 0, false, nil
	}
	return r.mask, true, nil
}

func (r *spoolUsers) close() error { return r.readings.Close() }
