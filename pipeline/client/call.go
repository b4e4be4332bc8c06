package client

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"rollcall/schema/fault"
	"rollcall/sources"
)

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
	longestAsked = 5 * time.Minute // of Retry-After

	// mostThrottles of one request in a row make it a failure of its item: others are answered in
	// the meantime, or the endpoint would have been stopped long ago.
	mostThrottles = 60

	// mostForeign of one request's answers may name another question: the first on a connection that others
	// have used, the rest on connections of their own.
	mostForeign = 3
)

// Call is the sources.Caller of one question. It counts what the question cost, and like the
// question it serves it is not safe for concurrent use.
type Call struct {
	Sending func() // called before each request is sent; nil: nobody counts

	endpoint *Endpoint
	requests int64
	attempts int64
	retries  int64
	began    time.Time

	bindings *bindings
	alone    bool // each request has a connection of its own
}

// Requests is how many different requests the question took: pages, not attempts.
func (c *Call) Requests() int64 { return c.requests }

// Attempts is how often a request was sent, throttled and repeated ones included.
func (c *Call) Attempts() int64 { return c.attempts }

// Retries is how often a request was sent again because the attempt before it failed; being
// throttled is no failure.
func (c *Call) Retries() int64 { return c.retries }

// Began is when the question's first request was sent, zero where none was: it can be long after it
// was put, since the budget comes first.
func (c *Call) Began() time.Time { return c.began }

var _ sources.Caller = (*Call)(nil)

// Call sends one request until its answer is good or its failure final; see the package comment.
// When ctx ends, its cause comes back, unclassified.
func (c *Call) Call(ctx context.Context, x sources.Exchange) error {
	if c.Void() {
		return unbound()
	}
	c.requests++
	c.endpoint.enter()
	defer c.endpoint.leave()
	pauses := newPauses(c.endpoint.client.options.Random)
	throttled, foreign, renewed, blame := 0, 0, false, blame{}
	for try := 0; ; try++ {
		err := c.attempt(ctx, try > 0, x)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errFenced) {
			continue
		}
		var f *fault.Error
		if !errors.As(err, &f) || errors.Is(err, ErrDown) {
			return err
		}
		switch {
		case f.Kind == fault.Throttled:
			if throttled++; throttled >= mostThrottles {
				return exhausted(f, throttled)
			}
		case f.Kind == fault.Transient && errors.Is(err, sources.ErrForeign):
			// A connection out of step answers other questions; what answers so on a connection of its own,
			// too, contradicts itself, and that is the reading's to judge.
			if foreign++; foreign >= mostForeign {
				return err
			}
			c.alone = true
			c.retries++
			continue
		case f.Kind == fault.Transient:
			throttled = 0
			if blame.failed(c.endpoint, err) {
				return exhausted(f, blame.attempts)
			}
			c.retries++
		case f.Kind == fault.Credentials && f.Again && !renewed:
			renewed = true
			c.retries++
			continue
		default:
			return err
		}
		if err := sleep(ctx, pauses.next(f)); err != nil {
			return err
		}
	}
}

// blame tells whether a key is at fault for its failed attempts, or an endpoint that fails everybody.
type blame struct {
	attempts int       // failed
	own      int       // of these, those between which the endpoint answered somebody well
	first    time.Time // when the first one failed
	last     time.Time
}

// failed counts one attempt and tells whether it was the last. A vendor that is away for a minute
// costs no key: attempts count while others are answered, and where nobody is they go on for three
// quarters of the time after which the endpoint is called down. The rest is for who is alone with a
// key that can't be answered: it must fail before the endpoint does. Where nobody gets a connection,
// or nobody was answered well since the night began, no key is to blame: the endpoint is down by then.
func (b *blame) failed(e *Endpoint, err error) bool {
	options := e.client.options
	now := options.Now()
	if b.attempts == 0 {
		b.first = now
	}
	since, ever := e.answeredSince(b.last)
	if b.attempts == 0 || since {
		b.own++
	}
	b.attempts, b.last = b.attempts+1, now
	_, away := errors.AsType[unreached](err)
	return b.attempts >= options.Attempts &&
		(b.own >= options.Attempts || ever && !away && now.Sub(b.first) >= options.DownAfter*3/4)
}

// attempt waits for the budget, then builds and sends the request once.
func (c *Call) attempt(ctx context.Context, again bool, x sources.Exchange) error {
	e := c.endpoint
	if err := e.down(); err != nil {
		return err
	}
	ticket, err := e.permit(ctx)
	if err != nil {
		return err
	}
	request, err := x.Build()
	if err != nil {
		e.budget.Answered(ticket)
		return err
	}
	if err := e.down(); err != nil {
		e.budget.Answered(ticket)
		return err
	}
	if c.attempts++; c.attempts == 1 {
		c.began = ticket.Sent()
	}
	if c.Sending != nil {
		c.Sending()
	}
	way := e.sending(request, ticket.Sent(), again)
	defer e.sent(way)
	request.Close = request.Close || c.alone
	status, answer, err := e.client.exchange(e.fenced(ctx), request, e.budget, ticket, x)
	if errors.Is(err, errFenced) {
		return err
	}
	err = c.bind(ctx, answer, err)
	if ctx.Err() != nil {
		return err
	}
	return e.judge(ticket, way, status, err)
}

// exhausted is what a failure becomes that outlasted its attempts.
func exhausted(last *fault.Error, attempts int) error {
	f := fault.New(fault.Item, "no good answer in %d attempts", attempts)
	f.Code, f.Hint, f.Err = last.Code, last.Hint, last
	return f
}

// pauses are the waits between attempts: they double from 200 ms to 10 s, each somewhere
// between half and one and a half times that long, and never shorter than the vendor asked for.
type pauses struct {
	steps  backoff.ExponentialBackOff
	random func() uint64
}

func newPauses(random func() uint64) *pauses {
	p := &pauses{random: random, steps: backoff.ExponentialBackOff{
		InitialInterval: firstPause, Multiplier: 2, MaxInterval: longestPause, // jitter is ours: given, not taken
	}}
	p.steps.Reset()
	return p
}

func (p *pauses) next(f *fault.Error) time.Duration {
	jitter := 0.5 + float64(p.random()>>11)/(1<<53)
	own := time.Duration(float64(p.steps.NextBackOff()) * jitter)
	return max(own, min(f.RetryAfter, longestAsked))
}

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
