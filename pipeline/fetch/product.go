package fetch

import (
	"context"
	"errors"
	"strings"

	"rollcall/pipeline/job"
	"rollcall/pipeline/spool"
	"rollcall/sources"
)

// product asks for the role of every user in every group, for those who hold both lists. It
// begins when both inputs are complete. Groups come in ascending order, and the users of a group
// in batches as large as the vendor allows, less those that an earlier run asked in that group.
type product struct {
	*node
	users []string // discovered ones, with those given; read from the spool once, not for each group
}

// recall counts what earlier runs asked, and all that is to ask where that is known before anything is asked.
func (p *product) recall(ctx context.Context) error {
	if err := p.recountBatches(ctx); err != nil {
		return err
	}
	before, err := p.askedBefore(ctx)
	if err != nil {
		return err
	}
	defer before.close()
	group, user := "", ""
	for ; before.more; before.more = before.rows.Next() {
		row := before.rows.Row()
		if row.Group == group && row.User == user {
			continue
		}
		group, user = strings.Clone(row.Group), strings.Clone(row.User)
		p.done.Add(1)
		p.asked.Add(1)
	}
	p.known.Store(p.done.Load())
	if err := before.err(); err != nil || len(p.upstream) > 0 {
		return err
	}
	return p.knowAll(ctx)
}

func (p *product) offer(*node, []sources.Row) { p.wakeUp() }

func (p *product) run(ctx context.Context) error {
	for !p.upstreamEnded() {
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
	if err := p.knowAll(ctx); err != nil {
		return err
	}
	asked, err := p.askedBefore(ctx)
	if err != nil {
		return err
	}
	defer asked.close()
	cursor, err := p.input(ctx, p.data.Groups, false)
	if err != nil {
		return err
	}
	defer cursor.Close()
	for cursor.Next() {
		if err := p.askGroup(ctx, cursor.ID(), asked); err != nil {
			return err
		}
	}
	return cursor.Err()
}

// knowAll counts the pairs.
func (p *product) knowAll(ctx context.Context) error {
	groups, users, err := p.size(ctx)
	if err != nil {
		return err
	}
	p.known.Store(groups * users)
	p.final.Store(true)
	return nil
}

// size tells how many groups and users there are.
func (p *product) size(ctx context.Context) (groups, users int64, err error) {
	for _, side := range []struct {
		open func() (Cursor, error)
		n    *int64
	}{
		{func() (Cursor, error) { return p.input(ctx, p.data.Groups, false) }, &groups},
		{func() (Cursor, error) { return p.everyUser(ctx) }, &users},
	} {
		cursor, err := side.open()
		if err != nil {
			return 0, 0, err
		}
		for cursor.Next() {
			*side.n++
		}
		if err := errors.Join(cursor.Err(), cursor.Close()); err != nil {
			return 0, 0, err
		}
	}
	return groups, users, nil
}

// everyUser streams the users; it is called for each group.
func (p *product) everyUser(ctx context.Context) (Cursor, error) {
	if len(p.data.Users.From) == 0 {
		return p.fetch.Keys.Union(p.data.Users.Lists)
	}
	if p.users == nil {
		cursor, err := p.input(ctx, p.data.Users, true)
		if err != nil {
			return nil, err
		}
		for cursor.Next() {
			p.users = append(p.users, cursor.ID())
		}
		if err := errors.Join(cursor.Err(), cursor.Close()); err != nil {
			return nil, err
		}
	}
	return &held{ids: p.users}, nil
}

// held is a cursor over IDs in memory.
type held struct {
	ids []string
	at  int
}

func (h *held) Next() bool   { h.at++; return h.at <= len(h.ids) }
func (h *held) ID() string   { return h.ids[h.at-1] }
func (h *held) Err() error   { return nil }
func (h *held) Close() error { return nil }

func (p *product) input(ctx context.Context, in job.Input, users bool) (Cursor, error) {
	var discovered []*node
	for _, up := range p.upstream {
		for _, address := range in.From {
			if up.data.Address == address {
				discovered = append(discovered, up)
			}
		}
	}
	if len(discovered) == 0 {
		return p.fetch.Keys.Union(in.Lists)
	}
	return p.fetch.Keys.With(ctx, in.Lists, func(add func(id string) error) error {
		rows, err := p.spooled(ctx, discovered, place{})
		if err != nil {
			return err
		}
		defer rows.Close()
		last := ""
		for rows.Next() {
			id := rows.Row().Group
			if users {
				id = rows.Row().User
			}
			if id == last {
				continue
			}
			last = strings.Clone(id)
			if err := add(last); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func (p *product) askGroup(ctx context.Context, group string, asked *askedPairs) error {
	users, err := p.everyUser(ctx)
	if err != nil {
		return err
	}
	defer users.Close()
	batch := make([]string, 0, p.data.Kind.Batch)
	for users.Next() {
		user := users.ID()
		if asked.has(group, user) {
			continue
		}
		batch = append(batch, user)
		if len(batch) == p.data.Kind.Batch {
			if err := p.submit(ctx, sources.Question{Key: group, Users: batch}, nil); err != nil {
				return err
			}
			batch = make([]string, 0, p.data.Kind.Batch)
		}
	}
	if len(batch) > 0 {
		if err := p.submit(ctx, sources.Question{Key: group, Users: batch}, nil); err != nil {
			return err
		}
	}
	return errors.Join(users.Err(), asked.err())
}

// askedPairs streams the pairs that earlier runs asked, in ascending order.
type askedPairs struct {
	rows *spool.RowCursor
	more bool
}

func (p *product) askedBefore(ctx context.Context) (*askedPairs, error) {
	if !p.fetch.Resumed {
		return &askedPairs{}, nil
	}
	rows, err := p.spooled(ctx, []*node{p.node}, place{})
	if err != nil {
		return nil, err
	}
	return &askedPairs{rows: rows, more: rows.Next()}, nil
}

// has tells whether the pair was asked. Pairs must be sought in ascending order.
func (a *askedPairs) has(group, user string) bool {
	for a.more {
		row := a.rows.Row()
		switch {
		case row.Group > group || row.Group == group && row.User > user:
			return false
		case row.Group == group && row.User == user:
			return true
		}
		a.more = a.rows.Next()
	}
	return false
}

func (a *askedPairs) err() error {
	if a.rows == nil {
		return nil
	}
	return a.rows.Err()
}

func (a *askedPairs) close() {
	if a.rows != nil {
		a.rows.Close()
	}
}
