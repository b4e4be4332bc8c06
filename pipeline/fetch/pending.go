package fetch

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"rollcall/pipeline/client"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

const (
	// rowsPending is how many rows may wait in memory for the proof that they answer their questions.
	rowsPending = 1 << 16

	// proofAtStop is how long a fetch that was stopped waits for proofs: for the answers to the last requests
	// of a slow vendor, and for what may still be owed. What is not proved by then is not kept.
	proofAtStop = 3 * time.Second

	// proveEvery is how often a node that has nothing more to ask has idle connections ended.
	proveEvery = 5 * time.Millisecond
)

// question is one key on its way: asked, perhaps once more, until its answers are known to be its own.
type question struct {
	sources.Question
	after func(schema.Outcome)

	caller   *client.Call
	put      time.Time // when it was first asked; zero: it was not
	attempts int64     // readings that were void

	entry spool.Entry   // the last reading
	rows  []sources.Row // what it names to the nodes that wait for it
}

// pending are a node's readings whose answers are not proved yet.
type pending struct {
	mu        sync.Mutex
	questions map[*question]struct{}
	keys      int64 // that they are about
}

// hold keeps a reading until it is known whether its answers belong to its questions. No worker waits
// for that: it is other requests that prove it.
func (n *node) hold(ctx context.Context, q *question) {
	n.pending.mu.Lock()
	if n.pending.questions == nil {
		n.pending.questions = map[*question]struct{}{}
	}
	n.pending.questions[q] = struct{}{}
	n.pending.keys += keysOf(q.Question)
	n.pending.mu.Unlock()
	n.fetch.room.take(len(q.entry.Rows))
	q.caller.Settled(func(bound bool) {
		if n.release(q) {
			n.guard(q, func() { n.settled(ctx, q, bound) })
		}
	})
}

// release takes a reading out; false where it was dropped.
func (n *node) release(q *question) bool {
	n.pending.mu.Lock()
	_, held := n.pending.questions[q]
	delete(n.pending.questions, q)
	if held {
		n.pending.keys -= keysOf(q.Question)
	}
	n.pending.mu.Unlock()
	if held {
		n.fetch.room.give(len(q.entry.Rows))
	}
	return held
}

// settled puts a proved reading into the spool; a void one is asked again, unless the fetch was stopped:
// then the workers, or their pool, refuse it.
func (n *node) settled(ctx context.Context, q *question, bound bool) {
	if bound {
		defer n.tasks.Done()
		if err := n.complete(ctx, q); err != nil {
			n.fetch.stop(fault.Wrap(err, "%s", n.data.Address))
		}
		return
	}
	q.attempts, q.entry, q.rows = q.entry.Record.Attempts-q.caller.Retries(), spool.Entry{}, nil
	q.caller.Again()
	go n.enqueue(ctx, q) // which may wait for the workers, of whom this may be one
}

// drop forgets the readings that are not proved.
func (n *node) drop() {
	n.pending.mu.Lock()
	var all []*question
	for q := range n.pending.questions {
		all = append(all, q)
	}
	n.pending.mu.Unlock()
	for _, q := range all {
		if n.release(q) {
			n.giveUp(q)
		}
	}
}

// finish waits until every question of the node has become an entry of the spool. Nothing more is asked
// that could prove the last answers: connections that idle prove them by their end.
func (n *node) finish(ctx context.Context) {
	done := make(chan struct{})
	go func() { n.tasks.Wait(); close(done) }()
	often := time.NewTicker(proveEvery)
	defer often.Stop()
	var late <-chan time.Time
	stopped := ctx.Done()
	for {
		select {
		case <-done:
			return
		case <-often.C:
			if n.unproved() > 0 {
				n.endpoint.Prove()
			}
		case <-stopped:
			stopped, late = nil, time.After(proofAtStop)
		case <-late:
			n.drop()
			late = time.After(proveEvery) // for those that a worker still had in hand
		}
	}
}

// unproved counts the keys whose readings are not proved yet.
func (n *node) unproved() int64 {
	n.pending.mu.Lock()
	defer n.pending.mu.Unlock()
	return n.pending.keys
}

// guard does something about a question. A panic must not be swallowed by the pool: it stops the run as
// the bug that it is.
func (n *node) guard(q *question, do func()) {
	defer func() {
		if p := recover(); p != nil {
			n.fetch.stop(fault.New(fault.Bug, "%s, key %q: panic: %q\n%s", n.data.Address, q.Key, fmt.Sprint(p), debug.Stack()))
		}
	}()
	do()
}

// room bounds the rows that are pending. Who finds none waits before asking, so that a reading of any
// size has room.
type room struct {
	mu   sync.Mutex
	held int
	less chan struct{} // closed when there is room again; nil: nobody waits
}

func (r *room) take(rows int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held += rows
}

func (r *room) give(rows int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held -= rows; r.held <= rowsPending && r.less != nil {
		close(r.less)
		r.less = nil
	}
}

func (r *room) wait(ctx context.Context) {
	for {
		r.mu.Lock()
		if r.held <= rowsPending {
			r.mu.Unlock()
			return
		}
		if r.less == nil {
			r.less = make(chan struct{})
		}
		less := r.less
		r.mu.Unlock()
		select {
		case <-less:
		case <-ctx.Done():
			return
		}
	}
}
