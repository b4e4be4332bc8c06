// Package changes tells who joined, left and changed role between two nights: the base, a sealed
// snapshot, and a later look, be it the night that is about to be sealed ([New]) or another sealed
// snapshot ([Between]).
//
// What it promises: no false departures. `left` needs a view that named the pair in the base, was
// read whole on both nights and denies the pair now, while nothing else names it; a view that was
// not asked, failed, stopped, was asked for some roles or not for topics only denies nothing. What
// is certain was told by a group or user that was read whole on both nights. The truth table is in
// rules.go, in words in pipeline/decisions.
//
// Both nights are read once in the order of the tables' keys. What hinges on a user's own list
// meets the order of the groups through an external sort, in which only pairs take part that
// differ, so that memory stays flat and a quiet night costs one reading of its base.
//
// Beside that it counts the memberships of the base that nobody asked about now ([Comparison.Uncovered]): they are
// no change, and what shows that an ID list was cut.
//
// A file of the base that is not as its manifest says is *snapshot.DamagedError, one that is archived
// is sinks.ErrArchived. A [Comparison] of a night at hand swallows both: it then has no rows and a Note that says why. Other errors (a sink
// that is down, a full disk) end the comparison.
package changes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/sorted"
	"rollcall/schema"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// Account is whom a source asks. The same name with another account is another source.
type Account struct{ Type, AppID string }

// Night is the night at hand: what a merge reads, and whom it was asked of.
type Night struct {
	Input    merge.Input
	Accounts map[string]Account // by the source's address
}

// Options is what a comparison may use.
type Options struct {
	Scratch string    // an existing folder for what doesn't fit in memory while sorting
	Memory  int       // bytes for each of two sorters
	Disk    disk.Disk // for Scratch; nil: the real one
}

// Comparison compares a night with its base while the night is merged. It is a merge.Witness.
type Comparison struct {
	options  Options
	base     *book
	accounts map[string]Account // of the base
	night    Night
	only     Only
	unseen   bool // pairs that are Unseen are kept
	tolerant bool // a damaged base is a note, no error
	readers  func(ctx context.Context, source string) (readers, error)

	kinds  kinds
	rows   *sorted.Sorter // all that was found
	asks   *sorted.Sorter // what hinges on the users of the source at hand
	source string
	blind  [2][]string // of the base and of the later night, prefixes of groups that user views were not asked for
	active bool        // the source at hand can be compared
	group  group       // at hand, on the later night
	asked  bool        // it was asked on the later night
	id     string
	before side // scratch
	after  side
	key    []byte
	damage error
	notes  []string

	read      int64 // memberships of the base that were compared
	uncovered int64 // of these, those whose group and user nobody asked about
	unknown   bool  // not all of the base could be compared
}

// New compares night with base. Base should be proven; it is read until Close.
func New(ctx context.Context, base *snapshot.Snapshot, night Night, options Options) (*Comparison, error) {
	c := newComparison(options)
	c.night, c.tolerant = night, true
	c.readers = func(ctx context.Context, source string) (readers, error) {
		return openSpoolUsers(ctx, night.Input, source, c.kinds)
	}
	return c, c.forgive(c.open(ctx, base))
}

func newComparison(options Options) *Comparison {
	c := &Comparison{options: options, kinds: kinds{}}
	c.rows = c.sorter()
	return c
}

func (c *Comparison) sorter() *sorted.Sorter {
	s := sorted.New(c.options.Scratch, c.options.Memory)
	s.Disk = c.options.Disk
	return s
}

func (c *Comparison) open(ctx context.Context, base *snapshot.Snapshot) error {
	var err error
	if c.accounts, err = accountsOf(ctx, base); err != nil {
		return err
	}
	c.base, err = openBook(ctx, base, c.only)
	return err
}

// forgive takes note of a damaged base, after which nothing more is compared.
func (c *Comparison) forgive(err error) error {
	_, damaged := errors.AsType[*snapshot.DamagedError](err)
	if !damaged && !errors.Is(err, sinks.ErrArchived) || !c.tolerant {
		return err
	}
	c.damage, c.active = err, false
	return nil
}

// Damage is what keeps the base from being read; nil where it was read.
func (c *Comparison) Damage() error { return c.damage }

// Uncovered is how many memberships of the base belong to no group and no user that was asked now, those of
// sources that are not asked at all any more included. A pair that a role query was about counts as asked.
// Where the base could not be read, or a source asks another app, it is not known.
func (c *Comparison) Uncovered() (n int64, known bool) {
	if c.damage != nil || c.unknown {
		return 0, false
	}
	return c.uncovered + c.base.RowsOf("memberships") - c.read, true
}

// Notes are sentences about what could not be compared.
func (c *Comparison) Notes() []string { return c.notes }

// Source begins one source.
func (c *Comparison) Source(ctx context.Context, address string) error {
	c.active = c.damage == nil
	if !c.active {
		return nil
	}
	before, known := c.accounts[address]
	if now, still := c.night.Accounts[address]; known && still && now != before {
		c.active, c.unknown = false, true
		c.notes = append(c.notes, fmt.Sprintf("%s asks another app than on %s: its memberships are not compared", address, c.base.Date))
		return nil
	}
	c.source, c.id, c.group, c.asked = address, "", group{}, false
	c.asks = c.sorter()
	if err := c.base.begin(ctx, address); err != nil {
		return c.forgive(err)
	}
	c.blind[0] = c.base.blind()
	if c.night.Input != nil {
		c.blind[1] = merge.Blind(c.night.Input.Blocks(), address)
	}
	return nil
}

// Group begins one group of the source; the base's groups before it are gone through first.
func (c *Comparison) Group(id string, known merge.GroupReading) error {
	if !c.active {
		return nil
	}
	for m := c.base.member(); m != nil && m.GroupID < id; m = c.base.member() {
		if err := c.vanished(m); err != nil {
			return c.forgive(err)
		}
	}
	c.id, c.group, c.asked = id, group{whole: known.Whole, roles: known.Roles}, known.Asked
	return nil
}

// Pair is one user of the group that was begun.
func (c *Comparison) Pair(p *merge.Pair) error {
	if !c.active {
		return nil
	}
	for m := c.base.member(); m != nil && m.GroupID == c.id && m.UserID < p.User; m = c.base.member() {
		if err := c.vanished(m); err != nil {
			return c.forgive(err)
		}
	}
	c.before = side{}
	c.after.Pair, c.after.group = *p, c.group
	m := c.base.member()
	if m == nil || m.GroupID != c.id || m.UserID != p.User {
		return c.forgive(c.compare(c.id, p.User, false))
	}
	return c.forgive(c.matched(m, c.id, false))
}

// vanished looks at a membership of the base that the later night has no word about. Of its group
// it has, where that is the one at hand.
func (c *Comparison) vanished(m *schema.Membership) error {
	c.after = side{}
	unasked := c.night.Input != nil
	if m.GroupID == c.id {
		c.after.group = c.group
		unasked = unasked && !c.asked
	}
	return c.matched(m, m.GroupID, unasked)
}

// matched compares a membership of the base with after, and goes on to the next. Unasked tells that nobody
// asked its group or about the pair itself.
func (c *Comparison) matched(m *schema.Membership, id string, unasked bool) error {
	c.read++
	if c.quiet(m) {
		return c.base.members.next()
	}
	known, err := c.base.group(id)
	if err != nil {
		return err
	}
	c.before = sideOf(m, known)
	if err := c.compare(id, m.UserID, unasked); err != nil {
		return err
	}
	return c.base.members.next()
}

// quiet tells, without looking anything up, that a membership is on both nights with one role.
func (c *Comparison) quiet(m *schema.Membership) bool {
	return c.after.Present() && (m.Role == nil || *m.Role == c.after.Role.String())
}

// What the fourth byte of a record tells; the last two only of those that wait for their users.
const (
	certain = 1 << iota
	decide  // the user's own lists decide about the change
	unasked // the membership is uncovered where its user was not asked either
)

// compare judges the pair at hand.
func (c *Comparison) compare(id, user string, groupUnasked bool) error {
	if !c.before.Present() && c.after.Present() {
		known, err := c.base.group(id)
		if err != nil {
			return err
		}
		c.before.group = known
	}
	blind := c.blind[1]
	if !c.before.Present() {
		blind = c.blind[0]
	}
	unlisted := slices.ContainsFunc(blind, func(prefix string) bool { return strings.HasPrefix(id, prefix) })
	f := judge(&c.before, &c.after, unlisted)
	if f.kind == Same {
		return nil
	}
	value := [...]byte{byte(f.kind), byte(c.before.Role), byte(c.after.Role), 0}
	if f.certain {
		value[3] = certain
	}
	if f.ask && !f.certain {
		value[3] |= decide
	}
	if groupUnasked {
		value[3] |= unasked
	}
	if value[3]&(decide|unasked) != 0 {
		c.key = sorted.AppendString(sorted.AppendString(c.key[:0], user), id)
		return fault.Wrap(c.asks.Add(c.key, value[:]), "sort changes by user")
	}
	return c.found(id, user, value)
}

// found keeps a row.
func (c *Comparison) found(id, user string, value [4]byte) error {
	if Kind(value[0]) == Unseen && !c.unseen {
		return nil
	}
	c.key = sorted.AppendString(sorted.AppendString(sorted.AppendString(c.key[:0], c.source), id), user)
	return fault.Wrap(c.rows.Add(c.key, value[:]), "sort changes by group")
}

// Done ends the source.
func (c *Comparison) Done(ctx context.Context) error {
	if !c.active {
		return nil
	}
	for m := c.base.member(); m != nil; m = c.base.member() {
		if err := c.vanished(m); err != nil {
			return c.forgive(err)
		}
	}
	return c.forgive(c.settle(ctx))
}

// settle decides what hinges on the users' own lists.
func (c *Comparison) settle(ctx context.Context) (err error) {
	asks, err := c.asks.Sort()
	if err != nil {
		return fault.Wrap(err, "sort changes by user")
	}
	defer asks.Close()
	if !asks.Next() {
		return fault.Wrap(asks.Err(), "sort changes by user")
	}
	before, err := c.base.usersOf(ctx, c.kinds, c.only.User)
	if before != nil {
		defer before.close()
	}
	if err != nil {
		return err
	}
	after, err := c.readers(ctx, c.source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, after.close()) }()
	for more := true; more; more = asks.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.answer(asks, before, after); err != nil {
			return err
		}
	}
	return fault.Wrap(asks.Err(), "sort changes by user")
}

// answer decides one pair.
func (c *Comparison) answer(asks *sorted.Cursor, before, after readers) error {
	text, rest, err := sorted.CutString(asks.Key())
	if err != nil {
		return err
	}
	user := string(text)
	if text, _, err = sorted.CutString(rest); err != nil {
		return err
	}
	var u users
	if u.before, _, err = before.at(user); err != nil {
		return err
	}
	var asked bool
	if u.after, asked, err = after.at(user); err != nil {
		return err
	}
	value := [4]byte(asks.Value())
	if value[3]&unasked != 0 && !asked {
		c.uncovered++
	}
	if value[3]&decide != 0 {
		kind, sure := u.settle(Kind(value[0]))
		value[0], value[3] = byte(kind), 0
		if sure {
			value[3] = certain
		}
	}
	value[3] &= certain
	return c.found(string(text), user, value)
}

// Close ends the reading of the base and removes what lies in the scratch folder.
func (c *Comparison) Close() error {
	if c.base != nil {
		c.base.close()
	}
	var errs []error
	if c.asks != nil {
		errs = append(errs, c.asks.Close())
	}
	return errors.Join(append(errs, c.rows.Close())...)
}
