package fetch

import (
	"cmp"
	"context"
	"maps"
	"strings"
	"sync"

	"rollcall/schema"
	"rollcall/sources"
)

// pairs asks for roles in (group, user) pairs that other nodes discover.
//
// A batch is full when a group has Data.Batch pairs nobody asked about: it is sent at once, while
// discovery goes on. What is left when discovery has ended is read back from the spool, less what
// was answered, and sent group by group; so a group costs the fewest requests that its pairs
// allow. Waiting pairs are held in memory up to a bound; beyond it they are left to the end.
//
// With several upstream nodes the same pair may come twice, and only the spool can tell: then
// everything waits for the end.
type pairs struct {
	*node
	hash hasher

	mu      sync.Mutex
	named   map[*node]int64     // pairs, by upstream node; two of them may name the same
	waiting map[string][]string // users by group, each list shorter than a batch
	held    int                 // pairs in waiting and full
	full    []sources.Question
	open    map[fingerprint]struct{} // pairs of batches that are asked, and not in the spool yet
	failed  map[fingerprint]struct{} // pairs of failed batches: asked, though the spool has no rows of them
}

// PairsHeld is how many pairs wait in memory for their batch to become full.
const PairsHeld = 1 << 18

func newPairs(n *node) *pairs {
	return &pairs{
		node: n, hash: newHasher(), named: map[*node]int64{}, waiting: map[string][]string{},
		open: map[fingerprint]struct{}{}, failed: map[fingerprint]struct{}{},
	}
}

func (p *pairs) offer(from *node, rows []sources.Row) {
	p.mu.Lock()
	p.named[from] += int64(len(rows))
	if len(p.upstream) == 1 {
		p.known.Add(int64(len(rows)))
		for i := range rows {
			p.hold(rows[i].Group, rows[i].User)
		}
	} else {
		p.known.Store(max(p.known.Load(), p.named[from])) // at least: two nodes may name the same pair
	}
	p.mu.Unlock()
	p.wakeUp()
}

func (p *pairs) hold(group, user string) {
	if p.held >= cmp.Or(p.fetch.Waiting, PairsHeld) {
		return
	}
	p.held++
	users := append(p.waiting[group], user)
	if len(users) < p.data.Kind.Batch {
		p.waiting[group] = users
		return
	}
	delete(p.waiting, group)
	p.full = append(p.full, sources.Question{Key: group, Users: users})
}

func (p *pairs) run(ctx context.Context) error {
	for ended := false; !ended; {
		ended = p.upstreamEnded()
		batches := p.take()
		for _, q := range batches {
			p.begin(q)
			if err := p.submit(ctx, q, p.settle(q)); err != nil {
				return err
			}
		}
		if len(batches) == 0 && !ended {
			if err := p.wait(ctx); err != nil {
				return err
			}
		}
	}
	p.waiting = nil
	if err := p.knowAll(ctx); err != nil {
		return err
	}
	return p.askRest(ctx)
}

func (p *pairs) take() []sources.Question {
	p.mu.Lock()
	defer p.mu.Unlock()
	full := p.full
	p.full = nil
	for _, q := range full {
		p.held -= len(q.Users)
	}
	return full
}

// begin remembers the pairs of a batch until the spool has it.
func (p *pairs) begin(q sources.Question) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, user := range q.Users {
		p.open[p.hash.ofPair(q.Key, user)] = struct{}{}
	}
}

// settle forgets them then, but for those of a batch that failed.
func (p *pairs) settle(q sources.Question) func(schema.Outcome) {
	return func(o schema.Outcome) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, user := range q.Users {
			pair := p.hash.ofPair(q.Key, user)
			delete(p.open, pair)
			if o.Missing() {
				p.failed[pair] = struct{}{}
			}
		}
	}
}

// unkept gives the pairs that are asked and have no rows in the spool. Who reads the spool later finds
// every other pair that was asked.
func (p *pairs) unkept() map[fingerprint]struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := maps.Clone(p.open)
	maps.Copy(asked, p.failed)
	return asked
}

// recall counts the pairs that earlier runs left in the spool.
func (p *pairs) recall(ctx context.Context) error {
	if !p.fetch.Resumed {
		return nil
	}
	if err := p.recountBatches(ctx); err != nil {
		return err
	}
	return p.walk(ctx, place{}, func(group, user string, asked bool) bool {
		p.known.Add(1)
		if asked {
			p.done.Add(1)
			p.asked.Add(1)
		}
		return true
	})
}

// knowAll counts the pairs once no more can come, and the requests that those take which nobody asked about.
func (p *pairs) knowAll(ctx context.Context) error {
	var all, requests int64
	others, last, left := p.unkept(), "", 0
	err := p.walk(ctx, place{}, func(group, user string, asked bool) bool {
		all++
		if _, before := others[p.hash.ofPair(group, user)]; asked || before {
			return true
		}
		if group != last {
			last, left = strings.Clone(group), 0
		}
		if left%p.data.Kind.Batch == 0 {
			requests++
		}
		left++
		return true
	})
	if err != nil {
		return err
	}
	p.known.Store(all)
	p.rest.Store(requests)
	p.final.Store(true)
	return nil
}

// askRest asks all pairs in the spool that nobody asked about, group by group, some groups at a
// time, so that no cursor holds the spool's files for long.
func (p *pairs) askRest(ctx context.Context) error {
	others := p.unkept()
	for from, more := (place{}), true; more; {
		var batches []sources.Question
		more = false
		err := p.walk(ctx, from, func(group, user string, asked bool) bool {
			if group == from.group && from != (place{}) {
				return true // its batches were sent before
			}
			last := len(batches) - 1
			if last >= 0 && batches[last].Key != group && len(batches) >= cmp.Or(p.fetch.Waiting, queueLength)/p.data.Kind.Batch {
				more, from = true, place{source: p.data.Source, group: batches[last].Key}
				return false
			}
			if _, before := others[p.hash.ofPair(group, user)]; asked || before {
				return true
			}
			if last < 0 || batches[last].Key != group || len(batches[last].Users) == p.data.Kind.Batch {
				batches = append(batches, sources.Question{Key: strings.Clone(group)})
				last++
			}
			batches[last].Users = append(batches[last].Users, strings.Clone(user))
			return true
		})
		if err != nil {
			return err
		}
		for _, q := range batches {
			settle := p.settle(q)
			if err := p.submit(ctx, q, func(o schema.Outcome) { settle(o); p.rest.Add(-1) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk visits every pair that the upstream nodes named, each once in ascending order, and tells
// whether a role question about it was answered. It stops where visit returns false.
func (p *pairs) walk(ctx context.Context, from place, visit func(group, user string, asked bool) bool) error {
	rows, err := p.spooled(ctx, append([]*node{p.node}, p.upstream...), from)
	if err != nil {
		return err
	}
	defer rows.Close()
	group, user, named, asked := "", "", false, false
	for rows.Next() {
		row := rows.Row()
		if row.Group != group || row.User != user {
			if named && !visit(group, user, asked) {
				return nil
			}
			if row.Group != group {
				group = strings.Clone(row.Group)
			}
			user, named, asked = strings.Clone(row.User), false, false
		}
		if row.Block == p.index {
			asked = true
		} else {
			named = true
		}
	}
	if named {
		visit(group, user, asked)
	}
	return rows.Err()
}
