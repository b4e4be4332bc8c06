package fetch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"rollcall/pipeline/client"
	"rollcall/pipeline/job"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// node is one data block at work.
type node struct {
	fetch    *Fetch
	data     job.Data
	index    int // of the block in the spool
	source   sources.Source
	endpoint *client.Endpoint
	lane     *lane
	asker    asker

	upstream, downstream []*node
	ended                chan struct{} // closed when everything of this node is in the spool
	wake                 chan struct{} // something changed that the asker may wait for
	tasks                sync.WaitGroup
	pending              pending

	// What progress shows. Done, known, asked and answered count keys; of a role node, pairs.
	done, known, rows, missing, requests atomic.Int64
	asked                                atomic.Int64 // done or on their way
	answered, spent                      atomic.Int64 // keys that this process got done, and answers that they took
	rest                                 atomic.Int64 // requests still to come; negative: not counted
	final                                atomic.Bool
	idle                                 atomic.Bool // the asker waits for other nodes
	submitted                            atomic.Bool // the asker has ended
}

// asker decides what a node asks, and in which order.
type asker interface {
	// recall learns from the spool what earlier runs had answered. All nodes recall before any runs,
	// so that nothing is offered to a node that does not know yet what it has.
	recall(ctx context.Context) error
	// run submits every question of the node and returns when no more can come.
	run(ctx context.Context) error
	// offer tells of rows that the upstream node from has just put into the spool. It must not
	// block and is called by many goroutines.
	offer(from *node, rows []sources.Row)
}

func newAsker(n *node) asker {
	switch {
	case n.data.Kind.Key != sources.RoleKey:
		return newSingles(n)
	case len(n.data.Memberships) > 0:
		return newPairs(n)
	default:
		return &product{node: n}
	}
}

func (n *node) run(ctx context.Context) error {
	err := n.asker.run(ctx)
	n.submitted.Store(true)
	n.finish(ctx)
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

func (n *node) wakeUp() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// upstreamEnded tells whether no more keys can become known.
func (n *node) upstreamEnded() bool {
	return !slices.ContainsFunc(n.upstream, func(up *node) bool { return !up.hasEnded() })
}

func (n *node) hasEnded() bool {
	select {
	case <-n.ended:
		return true
	default:
		return false
	}
}

// wait blocks until something was offered or an upstream node ended.
func (n *node) wait(ctx context.Context) error {
	n.idle.Store(true)
	defer n.idle.Store(false)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.wake:
		return nil
	}
}

// submit hands one question to the endpoint's workers, waiting while they are all busy. After is
// called with its outcome once that is in the spool, and may be nil.
func (n *node) submit(ctx context.Context, q sources.Question, after func(schema.Outcome)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	q.Data, q.Only, q.Topics = n.data.Kind.Name, n.data.Only, n.data.Topics
	n.tasks.Add(1)
	n.asked.Add(keysOf(q))
	caller := n.endpoint.Caller()
	caller.Sending = func() { n.requests.Add(1) }
	return n.enqueue(ctx, &question{Question: q, after: after, caller: caller})
}

// enqueue gives a question, which is a task already, to the workers.
func (n *node) enqueue(ctx context.Context, q *question) error {
	err := n.lane.pool.Go(func() {
		held := false
		defer func() {
			if !held {
				n.giveUp(q)
			}
		}()
		n.guard(q, func() { held = n.work(ctx, q) })
	})
	if err != nil { // the pool was stopped: its context is cancelled
		n.giveUp(q)
		return errors.Join(context.Cause(ctx), err)
	}
	return nil
}

// giveUp forgets a question that gets no outcome in this process.
func (n *node) giveUp(q *question) {
	n.asked.Add(-keysOf(q.Question))
	n.tasks.Done()
}

// work asks one question and tells whether a reading is held of it.
func (n *node) work(ctx context.Context, q *question) (held bool) {
	n.fetch.room.wait(ctx)
	if ctx.Err() != nil {
		return false
	}
	if err := n.ask(ctx, q); err != nil {
		n.fetch.stop(fault.Wrap(err, "%s", n.data.Address))
		return false
	}
	n.hold(ctx, q)
	return true
}

// ask puts one question to the source and makes an entry of the answer. It reports only what must
// stop the run.
func (n *node) ask(ctx context.Context, q *question) error {
	caller := q.caller
	record := spool.Record{Block: n.index, Key: q.Key, Generation: n.fetch.Generation, Declared: -1}
	if q.put.IsZero() {
		q.put = n.fetch.Now()
	}
	reading, err := n.read(ctx, caller, q.Question, &record)
	if err != nil {
		if err := n.becomeOutcome(ctx, err, &record); err != nil {
			return err
		}
		reading.Rows = nil
	}
	put := q.put
	if began := caller.Began(); !began.IsZero() {
		put = began // the budget may have let it wait
	}
	record.AskedAt, record.AnsweredAt = put.UnixMicro(), n.fetch.Now().UnixMicro()
	record.Requests, record.Attempts = caller.Attempts(), q.attempts+record.Attempts+caller.Retries()
	record.Rows, record.Replaced, record.Cut = int64(len(reading.Rows)), int64(reading.Replaced), int64(reading.Cut)
	q.entry = spool.Entry{Record: record, Rows: reading.Rows, Whole: whole(record, reading)}
	q.rows = reading.Rows
	if n.data.Kind.Key == sources.RoleKey && answered(record.Outcome) && record.Outcome != schema.OK {
		q.entry.Rows = askedInVain(q.Question)
	}
	return nil
}

// complete puts what was read of a key into the spool, and hands what it names to the nodes that wait
// for it.
func (n *node) complete(ctx context.Context, q *question) error {
	if err := n.fetch.Spool.Add(context.WithoutCancel(ctx), q.entry); err != nil {
		return err
	}
	for _, d := range n.downstream {
		d.asker.offer(n, q.rows)
	}
	n.count(q.entry.Record, q.Question)
	n.spent.Add(q.caller.Requests())
	if q.after != nil {
		q.after(q.entry.Record.Outcome)
	}
	return nil
}

// askedInVain are the pairs of a role question that was answered, but not with roles: they are
// kept so that nobody asks them again.
func askedInVain(q sources.Question) []sources.Row {
	rows := make([]sources.Row, len(q.Users))
	for i, user := range q.Users {
		rows[i] = sources.Row{Group: q.Key, User: user}
	}
	return rows
}

// read reads a key, and a second time when the vendor's total and the rows disagree, or when the
// answers can't be believed, alone or together: two roles of one user, or no total where the vendor
// declares one.
func (n *node) read(ctx context.Context, caller *client.Call, q sources.Question, record *spool.Record) (sources.Reading, error) {
	for {
		record.Attempts++
		reading, err := n.source.Ask(ctx, caller, q)
		if err == nil && n.data.Kind.Total && reading.Declared < 0 && !reading.Unverified {
			// Sources refuse such an answer themselves. Nothing else would tell it from a complete one.
			err = fault.New(fault.Transient, "no total came with %s of %q, which declares one", q.Data, q.Key)
		}
		if contradictory(err) {
			if record.Attempts < 2 {
				continue
			}
			f := &fault.Error{Kind: fault.Item, Outcome: schema.Failed, Message: "read twice in vain", Err: err}
			if last, ok := errors.AsType[*fault.Error](err); ok {
				f.Code = last.Code
			}
			return sources.Reading{}, f
		}
		if err != nil {
			return sources.Reading{}, err
		}
		record.Outcome, record.Declared, record.Verdict = schema.OK, reading.Declared, verdict(reading)
		if !record.Verdict.Disagrees() || record.Attempts == 2 {
			return reading, nil
		}
	}
}

// contradictory tells whether each answer was good by itself and yet they can't be true. The client has
// tried again what failed by itself, so that this is of the key alone.
func contradictory(err error) bool {
	return err != nil && fault.KindOf(err) == fault.Transient && !errors.Is(err, client.ErrDown)
}

// becomeOutcome writes into the record what concerns the key alone; everything else is returned.
func (n *node) becomeOutcome(ctx context.Context, err error, record *spool.Record) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Item || ctx.Err() != nil {
		return err
	}
	record.Outcome, record.Code, record.Message, record.Declared = f.Outcome, f.Code, err.Error(), -1
	switch f.Outcome {
	case schema.Gone:
		record.Verdict = schema.VerdictGone
	case schema.Unsupported:
		record.Verdict = schema.VerdictUnsupported
	default:
		record.Verdict = schema.VerdictFailed
		if record.Outcome == "" {
			record.Outcome = schema.Failed
		}
	}
	return nil
}

// verdict holds what was collected against the vendor's total.
func verdict(r sources.Reading) schema.Verdict {
	collected := int64(len(r.Rows))
	switch {
	case r.Unverified || r.Declared < 0:
		return schema.Unverifiable
	case collected < r.Declared:
		return schema.Short
	case collected > r.Declared:
		return schema.Over
	case r.Drifted:
		return schema.Drifted
	default:
		return schema.Exact
	}
}

// whole tells whether a reading may accuse other views. One that no total verifies may only where the
// vendor never declares one, which read has seen to.
func whole(record spool.Record, r sources.Reading) bool {
	if record.Outcome != schema.OK {
		return false
	}
	return record.Verdict == schema.Exact || record.Verdict == schema.Unverifiable && !r.Unverified
}

// answered tells whether a key need not be asked again when the run is resumed.
func answered(o schema.Outcome) bool { return !o.Missing() }

// keysOf is how many keys a question is about; of a role question, pairs.
func keysOf(q sources.Question) int64 { return int64(max(1, len(q.Users))) }

func (n *node) count(record spool.Record, q sources.Question) {
	keys := keysOf(q)
	n.done.Add(keys)
	n.answered.Add(keys)
	n.rows.Add(record.Rows)
	if record.Outcome.Missing() {
		n.missing.Add(keys)
	}
}
