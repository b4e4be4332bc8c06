// Package fence keeps requests from leaving while nobody can prove that the sink's lock is ours.
//
// Runs on several machines are kept apart by that lock alone, and so are their requests: whoever finds it
// without a heartbeat for [sinks.StaleAfter] takes it and begins to ask. A [Fence] is open while the last
// heartbeat that the sink acknowledged was sent less than [sinks.FreshFor] ago, and no later. It is asked
// right before a request leaves. Where it is closed, the lock is proved anew, which after a sleep of the
// machine takes one request to the sink; until then everybody waits. What ends the waiting for good is
// *sinks.HeldError where the lock is another's, and *ClosedError where the sink has not acknowledged
// anything for [GiveUp]. Both stop a run, which keeps what it has.
package fence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/pipeline/client"
	"rollcall/pipeline/event"
	"rollcall/sinks"
)

const (
	// GiveUp is how long requests are held back before the run stops: as long as a vendor may be down.
	GiveUp = 2 * time.Minute

	again = time.Second // between two proofs
)

// ClosedError says that a run stopped because its lock could not be renewed.
type ClosedError struct {
	Place string    // the sink
	Since time.Time // requests were held back
	Err   error     // what the sink said last
}

// Error names the sink.
func (e *ClosedError) Error() string {
	return fmt.Sprintf("the lock of %s could not be renewed, and no request has been sent since %s UTC: another run may have taken it: %v",
		e.Place, e.Since.UTC().Format("15:04:05"), e.Err)
}

// Hint says what to do.
func (e *ClosedError) Hint() string {
	return "what was fetched is kept: see that the sink can be reached and its credentials have not expired, then run the same command again to go on"
}

// Unwrap gives the cause.
func (e *ClosedError) Unwrap() error { return e.Err }

// Fence is one run's. It is safe for concurrent use.
type Fence struct {
	place  string
	lock   sinks.Lock
	now    func() time.Time
	listen event.Listener

	turn  chan struct{} // one waits at the sink for all; what follows belongs to who has put its token there
	since time.Time     // it has been closed, as far as somebody came to it; zero: it was open
	told  bool
	ended error
}

var _ client.Fence = (*Fence)(nil)

// New makes the fence of a run that holds lock. Now is the clock that the sink was given.
func New(place string, lock sinks.Lock, now func() time.Time, listen event.Listener) *Fence {
	return &Fence{place: place, lock: lock, now: now, listen: listen, turn: make(chan struct{}, 1)}
}

// Open tells whether a request may leave now.
func (f *Fence) Open() bool { return sinks.Fresh(f.lock.Acknowledged(), f.now()) }

// Wait returns when the fence is open, with ctx's cause when that ends, and with the reason when it will
// not open any more.
func (f *Fence) Wait(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-f.turn }()
	for f.ended == nil && !f.Open() {
		if f.since.IsZero() {
			f.since = f.now()
		}
		err := f.prove(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && f.ended == nil {
			f.hold(err)
			pause(ctx)
		}
	}
	if f.ended == nil {
		f.release()
	}
	return f.ended
}

// prove asks the sink whether the lock is ours; the answer, if it comes soon enough, opens the fence.
func (f *Fence) prove(ctx context.Context) error {
	ctx, stop := context.WithTimeoutCause(ctx, sinks.HeartbeatEvery, errors.New("it did not answer within "+sinks.HeartbeatEvery.String()))
	defer stop()
	err := f.lock.Check(ctx)
	if held, lost := errors.AsType[*sinks.HeldError](err); lost {
		f.ended = held
		return held
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = context.Cause(ctx)
	}
	if err == nil && !f.Open() {
		err = errors.New("its answer took too long")
	}
	return err
}

// hold says that requests are held back, and gives up after a while.
func (f *Fence) hold(err error) {
	if f.now().Sub(f.since) >= GiveUp {
		f.ended = &ClosedError{Place: f.place, Since: f.since, Err: err}
		return
	}
	if f.told {
		return
	}
	f.told = true
	f.listen(event.Notice{Warning: true,
		Text: "no requests are sent: the lock of " + f.place + " can't be renewed, and another run may take it: " + err.Error(),
		Hint: fmt.Sprintf("they go on by themselves when the sink answers; after %v the run stops and keeps what it has", GiveUp)})
}

// release says that requests go on, where it was said that they don't.
func (f *Fence) release() {
	if f.told {
		f.listen(event.Notice{Recovery: true, Text: fmt.Sprintf("the lock of %s is renewed, and is ours: requests go on after %v", f.place, f.now().Sub(f.since).Round(time.Second))})
	}
	f.since, f.told = time.Time{}, false
}

func pause(ctx context.Context) {
	timer := time.NewTimer(again)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
