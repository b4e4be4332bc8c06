package fetch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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

	// What progress shows. Done and known count keys; of a role node, pairs.
	done, known, rows, missing, requests atomic.Int64
	final                                atomic.Bool
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
	n.tasks.Wait()
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
	for _, up := range n.upstream {
		select {
		case <-up.ended:
		default:
			return false
		}
	}
	return true
}

// wait blocks until something was offered or an upstream node ended.
func (n *node) wait(ctx context.Context) error {
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
	err := n.lane.pool.Go(func() {
		defer n.tasks.Done()
		n.guard(ctx, q, after)
	})
	if err != nil { // the pool was stopped: its context is cancelled
		n.tasks.Done()
		return errors.Join(context.Cause(ctx), err)
	}
	return nil
}

// guard runs one question. A panic in a source must not be swallowed by the pool: it stops the run
// as the bug that it is.
func (n *node) guard(ctx context.Context, q sources.Question, after func(schema.Outcome)) {
	defer func() {
		if p := recover(); p != nil {
			n.fetch.stop(fault.New(fault.Bug, "%s, key %q: panic: %q\n%s", n.data.Address, q.Key, fmt.Sprint(p), debug.Stack()))
		}
	}()
	if ctx.Err() != nil {
		return
	}
	outcome, err := n.ask(ctx, q)
	if err != nil {
		n.fetch.stop(fault.Wrap(err, "%s", n.data.Address))
		return
	}
	if after != nil {
		after(outcome)
	}
}

// ask puts one question to the source and the answer into the spool, and hands what the answer
// names to the nodes that wait for it. It reports only what must stop the run.
func (n *node) ask(ctx context.Context, q sources.Question) (schema.Outcome, error) {
	caller := n.endpoint.Caller()
	record := spool.Record{Block: n.index, Key: q.Key, Generation: n.fetch.Generation, Declared: -1}
	put := n.fetch.Now()
	reading, err := n.read(ctx, caller, q, &record)
	if err != nil {
		if err := n.becomeOutcome(ctx, err, &record); err != nil {
			return "", err
		}
		reading.Rows = nil
	}
	if began := caller.Began(); !began.IsZero() {
		put = began // the budget may have let it wait
	}
	record.AskedAt, record.AnsweredAt = put.UnixMicro(), n.fetch.Now().UnixMicro()
	record.Requests, record.Attempts = caller.Attempts(), record.Attempts+caller.Retries()
	record.Rows, record.Replaced = int64(len(reading.Rows)), int64(reading.Replaced)
	entry := spool.Entry{Record: record, Rows: reading.Rows, Whole: whole(record, reading)}
	if n.data.Kind.Key == sources.RoleKey && answered(record.Outcome) && record.Outcome != schema.OK {
		entry.Rows = askedInVain(q)
	}
	if err := n.fetch.Spool.Add(context.WithoutCancel(ctx), entry); err != nil {
		return "", err
	}
	for _, d := range n.downstream {
		d.asker.offer(n, reading.Rows)
	}
	n.count(record, q)
	return record.Outcome, nil
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
// pages can't be believed together.
func (n *node) read(ctx context.Context, caller *client.Call, q sources.Question, record *spool.Record) (sources.Reading, error) {
	for {
		record.Attempts++
		reading, err := n.source.Ask(ctx, caller, q)
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

// contradictory tells whether each answer was good and yet they can't all be true. The client has
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

// whole tells whether a reading may accuse other views.
func whole(record spool.Record, r sources.Reading) bool {
	if record.Outcome != schema.OK {
		return false
	}
	return record.Verdict == schema.Exact || record.Verdict == schema.Unverifiable && !r.Unverified
}

// answered tells whether a key need not be asked again when the run is resumed.
func answered(o schema.Outcome) bool { return !o.Missing() }

func (n *node) count(record spool.Record, q sources.Question) {
	keys := int64(max(1, len(q.Users)))
	n.done.Add(keys)
	n.rows.Add(record.Rows)
	n.requests.Add(record.Requests)
	if record.Outcome.Missing() {
		n.missing.Add(keys)
	}
}
