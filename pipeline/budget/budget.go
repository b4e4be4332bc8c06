package budget

import (
	"context"
	"sync"
	"time"
)

// Budget is one endpoint's [Pace] with a clock and a turnstile. It is safe for concurrent use.
type Budget struct {
	now func() time.Time

	// turn holds the one token of the turnstile. Only who has it computes a wait, so a stalled
	// process wakes up to one sender and not to many whose timers ran out together. Goroutines
	// that wait for a channel are served in the order in which they came.
	turn chan struct{}
	wake chan struct{} // tells the one who has the turn that the state changed

	mu   sync.Mutex
	pace *Pace
}

// New makes a budget. Now must carry a monotonic reading, as time.Now does, so that setting the
// wall clock changes nothing.
func New(config Config, now func() time.Time) *Budget {
	b := &Budget{now: now, pace: NewPace(config), turn: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	b.turn <- struct{}{}
	return b
}

// Wait returns once a request may be sent, with its place taken: callers are let through in the
// order in which they came. The ticket must be given back, exactly once, by Answered or
// Unanswered. It fails with ctx's cause alone, and then no place is taken.
func (b *Budget) Wait(ctx context.Context) (Ticket, error) {
	select {
	case <-b.turn:
	case <-ctx.Done():
		return Ticket{}, context.Cause(ctx)
	}
	defer func() { b.turn <- struct{}{} }()
	for {
		if ctx.Err() != nil {
			return Ticket{}, context.Cause(ctx)
		}
		ticket, wait := b.try()
		if wait == 0 {
			return ticket, nil
		}
		b.sleep(ctx, wait)
	}
}

// try takes a place if there is one, else tells how long to wait before trying again.
func (b *Budget) try() (Ticket, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	wait, ok := b.pace.Next(now)
	switch {
	case !ok:
		return Ticket{}, recheck
	case wait > 0:
		return Ticket{}, min(wait, recheck)
	}
	return b.pace.Sent(now), 0
}

func (b *Budget) sleep(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.wake:
	case <-ctx.Done():
	}
}

// Answered gives a ticket back whose answer has come, or whose request never left.
func (b *Budget) Answered(ticket Ticket) {
	b.change(func(now time.Time) { b.pace.Answered(ticket, now) })
}

// Unanswered gives a ticket back whose request may have been sent and got no answer.
func (b *Budget) Unanswered(ticket Ticket) {
	b.change(func(now time.Time) { b.pace.Unanswered(ticket, now) })
}

// Throttled slows the endpoint down after a throttling answer, and pauses it for as long as the
// vendor asked (at most five minutes). It tells whether this answer is news: not one of many that
// were on the way together. The ticket is given back by Answered.
func (b *Budget) Throttled(ticket Ticket, retryAfter time.Duration) (news bool) {
	b.change(func(now time.Time) {
		news = b.pace.Throttled(ticket, now)
		if retryAfter > 0 {
			b.pace.Pause(now, retryAfter)
		}
	})
	return news
}

// Allowed is what the limit and throttling leave now, requests a second.
func (b *Budget) Allowed() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pace.Allowed(b.now())
}

// Limit is what the configuration allows now, requests a second.
func (b *Budget) Limit() float64 { return b.pace.config.Limit(b.now()) }

// change does one step under the lock and wakes the waiter, whose wait may have become shorter.
func (b *Budget) change(step func(now time.Time)) {
	b.mu.Lock()
	step(b.now())
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
