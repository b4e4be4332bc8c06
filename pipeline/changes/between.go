package changes

import (
	"context"
	"errors"
	"maps"
	"slices"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/sinks/parquet"
)

// Only narrows a comparison of two snapshots; empty texts narrow nothing.
type Only struct{ Group, User string }

func (o Only) where(source string) (where []parquet.Equal) {
	for _, e := range []parquet.Equal{{Column: "source", Value: source}, {Column: "group_id", Value: o.Group}, {Column: "user_id", Value: o.User}} {
		if e.Value != "" {
			where = append(where, e)
		}
	}
	return where
}

// Between compares two sealed snapshots, in either order of their dates: what is different in
// later, seen from base. Pairs that are Unseen are kept. Since no table tells who was NotMember, a
// departure that only the role view showed is Unseen here. Sources that are in one of them only
// are gone through, too.
func Between(ctx context.Context, base, later *snapshot.Snapshot, only Only, options Options) (c *Comparison, err error) {
	c = newComparison(options)
	c.unseen, c.only = true, only
	if err := c.open(ctx, base); err != nil {
		return c, err
	}
	book, err := openBook(ctx, later, only)
	defer book.close()
	if err != nil {
		return c, err
	}
	c.readers = func(ctx context.Context, _ string) (readers, error) { return book.usersOf(ctx, c.kinds, only.User) }
	c.night.Accounts, err = accountsOf(ctx, later)
	if err != nil {
		return c, err
	}
	sources := maps.Clone(c.accounts)
	maps.Copy(sources, c.night.Accounts)
	for _, source := range slices.Sorted(maps.Keys(sources)) {
		if err := c.Source(ctx, source); err != nil {
			return c, err
		}
		if err := book.begin(ctx, source); err != nil {
			return c, err
		}
		c.blind[1] = book.blind()
		if err := c.tell(ctx, book); err != nil {
			return c, err
		}
		if err := c.Done(ctx); err != nil {
			return c, err
		}
	}
	return c, nil
}

func accountsOf(ctx context.Context, s *snapshot.Snapshot) (map[string]Account, error) {
	all := map[string]Account{}
	for row, err := range snapshot.Rows[schema.SourceFigures](ctx, s) {
		if err != nil {
			return nil, err
		}
		all[row.Source] = Account{row.Type, row.AppID}
	}
	return all, nil
}

// tell goes through the later snapshot's source as a merge would.
func (c *Comparison) tell(ctx context.Context, later *book) (err error) {
	groups, err := openCursor(snapshot.Find[schema.Group](ctx, later.Snapshot, Only{Group: c.only.Group}.where(later.source)...))
	defer groups.stop()
	for err == nil {
		id, has := "", false
		if groups.row != nil {
			id, has = groups.row.GroupID, true
		}
		if m := later.member(); m != nil && (!has || m.GroupID < id) {
			id, has = m.GroupID, true
		}
		if !has {
			return nil
		}
		err = errors.Join(ctx.Err(), c.tellGroup(later, id))
		if err == nil && groups.row != nil && groups.row.GroupID == id {
			err = groups.next()
		}
	}
	return err
}

func (c *Comparison) tellGroup(later *book, id string) error {
	known, err := later.group(id)
	if err != nil {
		return err
	}
	if err := c.Group(id, merge.GroupReading{Whole: known.whole, Roles: known.roles}); err != nil {
		return err
	}
	for m := later.member(); m != nil && m.GroupID == id; m = later.member() {
		s := sideOf(m, known)
		if err := c.Pair(&s.Pair); err != nil {
			return err
		}
		if err := later.members.next(); err != nil {
			return err
		}
	}
	return nil
}
