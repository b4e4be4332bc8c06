package fetch

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"strings"
	"sync"

	"rollcall/sources"
)

// singles asks about users or groups one by one: those of the ID lists first, then those that
// other nodes discover.
//
// Discovered keys wait in a queue of bounded length. What does not fit is not lost, since its rows
// are in the spool: when the queue runs dry, the asker reads the spool again and takes from there
// what it does not know yet. So a key's text is held only while it waits, and of a key that was
// asked only its fingerprint.
type singles struct {
	*node

	given int64 // keys of the ID lists

	mu       sync.Mutex
	hash     hasher
	seen     map[fingerprint]struct{} // asked, answered before, or waiting in the queue; used with upstream nodes only
	queue    []string
	overflow bool // keys were discovered that are neither known nor in the queue
}

const queueLength = 1 << 16

func newSingles(n *node) *singles {
	return &singles{node: n, hash: newHasher(), seen: map[fingerprint]struct{}{}}
}

func (s *singles) run(ctx context.Context) error {
	if err := s.askGiven(ctx); err != nil {
		return err
	}
	return s.askDiscovered(ctx)
}

func (s *singles) bound() int { return cmp.Or(s.fetch.Waiting, queueLength) }

func (s *singles) lists() []string {
	if s.data.Kind.Key == sources.UserKey {
		return s.data.Users.Lists
	}
	return s.data.Groups.Lists
}

// recall counts the given keys, and those that were answered; where keys are discovered too, it learns which
// these are.
func (s *singles) recall(ctx context.Context) (err error) {
	if s.given, err = s.fetch.Keys.Count(s.lists()); err != nil {
		return err
	}
	s.known.Store(s.given)
	s.final.Store(len(s.upstream) == 0)
	if !s.fetch.Resumed {
		return nil
	}
	before, err := s.answeredBefore(ctx)
	if err != nil {
		return err
	}
	defer before.Close()
	for before.Next() {
		if len(s.upstream) > 0 {
			s.learn(before.key)
		}
		s.recount(before)
	}
	s.overflow = true // what the earlier run discovered stands in the spool alone
	return before.Err()
}

// recount counts a key that an earlier run had answered.
func (n *node) recount(a *answers) {
	n.done.Add(1)
	n.asked.Add(1)
	n.rows.Add(a.rows)
	n.requests.Add(a.requests)
}

// askGiven asks the keys of the ID lists, but not what is answered already.
func (s *singles) askGiven(ctx context.Context) error {
	given, err := s.fetch.Keys.Union(s.lists())
	if err != nil {
		return err
	}
	defer given.Close()
	known, before, err := s.knower(ctx)
	if err != nil {
		return err
	}
	defer before.Close()
	for given.Next() {
		id := given.ID()
		if known(id) {
			continue
		}
		if err := s.submit(ctx, sources.Question{Key: id}, nil); err != nil {
			return err
		}
	}
	return errors.Join(given.Err(), before.Err())
}

// knower gives what tells of a given key whether it need not be asked. With upstream nodes the
// fingerprints know; without them keys and answers, both in ascending order, are walked side by side.
func (s *singles) knower(ctx context.Context) (known func(id string) bool, before *answers, err error) {
	if len(s.upstream) > 0 {
		return func(id string) bool { return !s.learn(id) }, &answers{}, nil
	}
	before, err = s.answeredBefore(ctx)
	return before.seek, before, err
}

// askDiscovered asks what other nodes name, until they have ended and nothing is left.
func (s *singles) askDiscovered(ctx context.Context) error {
	for {
		ended := s.upstreamEnded() // before looking at the queue: what came last was offered before the end
		queue, overflow := s.take()
		for _, id := range queue {
			if err := s.submit(ctx, sources.Question{Key: id}, nil); err != nil {
				return err
			}
		}
		switch {
		case len(queue) > 0:
		case overflow:
			if err := s.askSpooled(ctx); err != nil {
				return err
			}
		case ended:
			s.final.Store(true)
			return nil
		default:
			if err := s.wait(ctx); err != nil {
				return err
			}
		}
	}
}

// take empties the queue; when it is empty, it also takes the overflow mark.
func (s *singles) take() (queue []string, overflow bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue, s.queue = s.queue, nil
	if len(queue) == 0 {
		overflow, s.overflow = s.overflow, false
	}
	return queue, overflow
}

// askSpooled asks the discovered keys that stand in the spool and are not known yet, a bounded
// number at a time, so that no cursor holds the spool's files for long.
func (s *singles) askSpooled(ctx context.Context) error {
	for from := (place{}); ; {
		ids, next, err := s.unknown(ctx, from)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := s.submit(ctx, sources.Question{Key: id}, nil); err != nil {
				return err
			}
		}
		if next == (place{}) {
			return nil
		}
		from = next
	}
}

// unknown reads the rows of the upstream nodes and learns up to queueLength keys that are new.
// Next is where to read on; its zero value means that the end was reached.
func (s *singles) unknown(ctx context.Context, from place) (ids []string, next place, err error) {
	rows, err := s.spooled(ctx, s.upstream, from)
	if err != nil {
		return nil, place{}, err
	}
	defer rows.Close()
	for rows.Next() {
		row := rows.Row()
		id := s.idOf(row.Group, row.User)
		if !s.learn(id) {
			continue
		}
		ids = append(ids, strings.Clone(id))
		if len(ids) == s.bound() {
			return ids, place{source: s.data.Source, group: strings.Clone(row.Group)}, nil
		}
	}
	return ids, place{}, rows.Err()
}

func (s *singles) idOf(group, user string) string {
	if s.data.Kind.Key == sources.UserKey {
		return user
	}
	return group
}

// learn makes a key known; false where it was already. Until all given keys are learned, nobody knows which of
// them were discovered too: there are at least as many keys as either has.
func (s *singles) learn(id string) bool {
	f := s.hash.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.seen[f]; ok {
		return false
	}
	s.see(f)
	return true
}

// see needs s.mu.
func (s *singles) see(f fingerprint) {
	s.seen[f] = struct{}{}
	s.known.Store(max(s.given, int64(len(s.seen))))
}

func (s *singles) offer(_ *node, rows []sources.Row) {
	s.mu.Lock()
	for i := range rows {
		id := s.idOf(rows[i].Group, rows[i].User)
		f := s.hash.of(id)
		if _, ok := s.seen[f]; ok {
			continue
		}
		if len(s.queue) == s.bound() {
			s.overflow = true
			break
		}
		s.see(f)
		s.queue = append(s.queue, id)
	}
	s.mu.Unlock()
	s.wakeUp()
}

// fingerprint stands for an ID: 128 bits, so that two IDs never share one.
type fingerprint [2]uint64

type hasher [2]maphash.Seed

func newHasher() hasher { return hasher{maphash.MakeSeed(), maphash.MakeSeed()} }

func (h hasher) of(id string) fingerprint {
	return fingerprint{maphash.String(h[0], id), maphash.String(h[1], id)}
}

func (h hasher) ofPair(group, user string) fingerprint {
	g, u := h.of(group), h.of(user)
	return fingerprint{g[0]*3 + u[1], g[1]*3 + u[0]}
}
