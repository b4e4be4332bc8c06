// Package fetch asks every data block's keys and fills the spool.
//
// Data blocks are nodes of a graph, references its edges. All nodes run at the same time: a node
// asks the keys it was given, and the keys that answers of other nodes name as soon as they are
// known. It ends when its given keys are asked and every node before it has ended.
//
//	given IDs ─▶ node ─▶ endpoint's worker pool ─▶ source ─▶ spool
//	               ▲                                  │
//	               └────── groups, users, pairs ◀─────┘
//
// What it promises: every key is asked once in a run, and a key whose answer lies in the spool is
// not asked again; a key enters the spool whole, with its outcome, or not at all; memory does not
// grow with rows, and with keys only by the fingerprints of discovered ones. An endpoint's workers
// are its own, so that a slow endpoint starves no other, and a key occupies one worker, so that a
// huge group starves no small one.
//
// What concerns one key becomes its outcome. Anything else (refused credentials, an endpoint that
// is down, a bug) stops all nodes; what was fetched stays in the spool.
package fetch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/alitto/pond/v2"

	"rollcall/pipeline/client"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/spool"
	"rollcall/sources"
)

// Keys reads key lists. Cursors give IDs in ascending bytewise order, each once.
type Keys interface {
	Union(lists []string) (Cursor, error)
	Count(lists []string) (int64, error)
	// With adds the IDs that more hands to add.
	With(ctx context.Context, lists []string, more func(add func(id string) error) error) (Cursor, error)
}

// Cursor is a stream of IDs.
type Cursor interface {
	Next() bool
	ID() string // valid for as long as the caller likes
	Err() error
	Close() error
}

// Options is what a fetch needs. All fields must be set.
type Options struct {
	Job        *job.Job
	Sources    map[string]sources.Source                  // by address
	Endpoint   func(source, name string) *client.Endpoint // of a source's data block
	Keys       Keys
	Spool      *spool.Spool
	Generation int // of this process start
	Resumed    bool
	Now        func() time.Time
	Listen     event.Listener
	Every      func() error // called after each flush of the spool, to save what else must survive
	Workers    int          // of each endpoint; 0: as many as its pace and latency need
	Waiting    int          // discovered keys, and pairs, that wait in memory; 0: queueLength and PairsHeld
}

// Blocks lists the job's data blocks as the spool knows them, in the spool's order.
func Blocks(j *job.Job) []spool.Block {
	blocks := make([]spool.Block, len(j.Data))
	for i, d := range j.Data {
		blocks[i] = spool.Block{Address: d.Address, Source: d.Source, View: d.Kind.View, Partial: len(d.Only) > 0, Total: d.Kind.Total}
		if d.Kind.Topics && !d.Topics {
			blocks[i].Blind = d.Kind.TopicIDs
		}
	}
	return blocks
}

// Fetch is a fetch at work.
type Fetch struct {
	Options
	nodes []*node // in the order of Job.Data, which is the spool's order of blocks
	lanes map[*client.Endpoint]*lane
	stop  context.CancelCauseFunc
	began time.Time
	room  room // for readings that are not proved yet
}

// lane is one endpoint's worker pool, shared by all data blocks on that endpoint.
type lane struct {
	endpoint *client.Endpoint
	pool     pond.Pool

	figures   client.Figures // as observed last
	samples   []sample       // of the last seconds in which there was something to ask
	rate      float64        // requests a second in that time; negative: not known yet
	answering float64        // good answers a second; likewise
	notices   notices
}

const (
	flushEvery = 2 * time.Second
	tellEvery  = 500 * time.Millisecond
)

// New prepares a fetch.
func New(o Options) *Fetch {
	f := &Fetch{Options: o, lanes: map[*client.Endpoint]*lane{}, began: o.Now()}
	byAddress := map[string]*node{}
	for i, d := range o.Job.Data {
		n := &node{fetch: f, data: d, index: i, source: o.Sources[d.Source], endpoint: o.Endpoint(d.Source, d.Kind.Name), ended: make(chan struct{}), wake: make(chan struct{}, 1)}
		n.rest.Store(-1)
		f.nodes = append(f.nodes, n)
		byAddress[d.Address] = n
	}
	for _, n := range f.nodes {
		for _, address := range n.data.Upstream() {
			n.upstream = append(n.upstream, byAddress[address])
		}
		for _, up := range n.upstream {
			up.downstream = append(up.downstream, n)
		}
		n.asker = newAsker(n)
	}
	return f
}

// Run asks everything that is not in the spool yet. When it returns, all that was answered is
// durable in the spool, whether it returns an error or not. The error is the one that stopped the
// fetch, or ctx's cause.
func (f *Fetch) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	f.stop = stop
	for _, n := range f.nodes {
		if err := n.asker.recall(ctx); err != nil {
			return err
		}
	}
	f.openLanes(ctx)
	f.tell(false) // all that counts as done lies in the spool by now
	var beside sync.WaitGroup
	besideCtx, endBeside := context.WithCancel(context.WithoutCancel(ctx))
	beside.Go(func() { f.flushOften(besideCtx) })
	beside.Go(func() { f.tellOften(besideCtx, ctx) })

	var nodes sync.WaitGroup
	for _, n := range f.nodes {
		nodes.Go(func() {
			if err := n.run(ctx); err != nil {
				stop(err)
			}
			close(n.ended)
			for _, d := range n.downstream {
				d.wakeUp()
			}
		})
	}
	nodes.Wait() // each has waited for its own questions: with nothing queued, the pools' workers end by themselves
	endBeside()
	beside.Wait()
	err := f.flush(context.WithoutCancel(ctx))
	if stopped := context.Cause(ctx); stopped != nil && (err == nil || err.Error() == stopped.Error()) {
		err = stopped
	} else {
		err = errors.Join(stopped, err)
	}
	f.tell(ctx.Err() != nil)
	return err
}

func (f *Fetch) openLanes(ctx context.Context) {
	for _, n := range f.nodes {
		l := f.lanes[n.endpoint]
		if l == nil {
			l = &lane{endpoint: n.endpoint, pool: pond.NewPool(f.workers(n.endpoint), pond.WithQueueSize(4), pond.WithContext(ctx))}
			f.lanes[n.endpoint] = l
		}
		n.lane = l
	}
}

func (f *Fetch) workers(e *client.Endpoint) int {
	if f.Workers > 0 {
		return f.Workers
	}
	return e.Workers()
}

func (f *Fetch) flushOften(ctx context.Context) {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := f.flush(ctx); err != nil && ctx.Err() == nil {
				f.stop(err)
			}
		}
	}
}

func (f *Fetch) flush(ctx context.Context) error {
	if err := f.Spool.Flush(ctx); err != nil {
		return err
	}
	return f.Every()
}

// tellOften tells how far the fetch is until ctx ends; working ends when nothing more is asked.
func (f *Fetch) tellOften(ctx, working context.Context) {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for _, l := range f.lanes {
				l.pool.Resize(f.workers(l.endpoint))
			}
			f.tell(working.Err() != nil)
		}
	}
}
