package budget

import (
	"container/heap"
	"math"
	"time"
)

const (
	// Second is how long a place stays taken after the answer: the second that is counted, and a
	// millisecond for clocks that run at different rates (a clock being slewed gains or loses up
	// to 500 ppm).
	Second = time.Second + time.Millisecond

	// Grace is how long to hold everything back when an earlier process may have sent requests up
	// to now: its last second counts, and what it had written may be on its way for another.
	Grace = 2 * time.Second

	// catchUp is how late a request may be sent and the next still be due at its own time. Timers
	// wake up late, on a busy machine by tens of milliseconds; without it each such delay would be
	// lost for good. Places hold the limit whatever catches up. Without them what catches up is
	// on top of it, so Even makes less good.
	catchUp     = 100 * time.Millisecond
	catchUpEven = 20 * time.Millisecond

	// recheck is the longest wait before the limit, which may change with time, is asked again.
	recheck = time.Second

	maxPause = 5 * time.Minute
)

// Config says how to pace one endpoint.
type Config struct {
	// Limit is how many requests may arrive in any second from now on: per_second x share. Below 1
	// it means one request in 1/limit seconds. Where it is 0 or less nothing is sent.
	Limit func(now time.Time) float64

	// Even spaces requests at 1/limit seconds and takes no places: all of the limit is used, and
	// jitter on the way can bunch requests. The largest second measured in 50 minutes, with 0 to
	// 500 ms of jitter in each direction: limit + 12 at 50 a second, + 18 at 100, + 25 at 200,
	// + 62 at 1000.
	Even bool

	// Timeout is when an unanswered request is given up; it must not arrive later than that.
	Timeout time.Duration

	// HeldUntil is the moment before which nothing is sent; see [Grace].
	HeldUntil time.Time
}

// Pace is the state of one endpoint's budget. It is not safe for concurrent use. Times handed to
// it must not go backwards.
type Pace struct {
	config Config
	paused time.Time // nothing is sent before
	last   time.Time // when the last request was due
	open   int       // requests without an answer
	held   releases  // when the places of the others become free
	cut    cut
}

// Ticket is one request that was sent.
type Ticket struct{ sent time.Time }

// Sent tells when the request took its place.
func (t Ticket) Sent() time.Time { return t.sent }

// NewPace makes a pace that has sent nothing.
func NewPace(config Config) *Pace {
	return &Pace{config: config, paused: config.HeldUntil}
}

// Next tells how long to wait before a request may be sent: with 0 and true it may be sent now.
// After any other answer ask again once wait is over or the state has changed. False means that
// every place waits for an answer, so that no wait can be told.
func (p *Pace) Next(now time.Time) (wait time.Duration, ok bool) {
	allowed := p.Allowed(now)
	if allowed <= 0 {
		return recheck, true
	}
	wait = max(0, p.paused.Sub(now), p.due(now, allowed).Sub(now))
	if p.config.Even {
		return wait, true
	}
	p.release(now)
	if p.open+len(p.held) < places(allowed) {
		return wait, true
	}
	if len(p.held) == 0 {
		return 0, false
	}
	return max(wait, p.held[0].Sub(now)), true
}

// Sent takes a place for a request that is about to be written. Call it only when Next allows it.
func (p *Pace) Sent(now time.Time) Ticket {
	allowed := p.Allowed(now)
	late := max(catchUp, interval(allowed)) // at least one request may be late
	if p.config.Even {
		late = catchUpEven
	}
	p.last = latest(p.due(now, allowed), now.Add(-late))
	p.open++
	return Ticket{sent: now}
}

// Answered frees the ticket's place one second from now. It also serves a request that never left.
func (p *Pace) Answered(_ Ticket, now time.Time) {
	p.open--
	p.hold(now)
}

// Unanswered frees the place of a request that failed without an answer, one second after the
// last moment at which it may arrive.
func (p *Pace) Unanswered(ticket Ticket, now time.Time) {
	p.open--
	p.hold(latest(now, ticket.sent.Add(p.config.Timeout)))
}

// Throttled halves the pace at once; it grows back by a twentieth of the limit each second. The
// answers of requests that had been sent before the last cut change nothing, and false comes
// back: they tell of the pace before it. The place is freed by Answered, as for any answer.
func (p *Pace) Throttled(ticket Ticket, now time.Time) bool {
	return p.cut.make(ticket.sent, now, p.config.Limit(now))
}

// Pause sends nothing for so long, at most five minutes.
func (p *Pace) Pause(now time.Time, pause time.Duration) {
	p.paused = latest(p.paused, now.Add(min(pause, maxPause)))
}

// Allowed is what the limit and throttling leave now, requests a second.
func (p *Pace) Allowed(now time.Time) float64 {
	return p.config.Limit(now) * p.cut.scale(now)
}

// Held tells how many places are taken.
func (p *Pace) Held(now time.Time) int {
	p.release(now)
	return p.open + len(p.held)
}

// due is when the next request's turn comes, evenly spaced.
func (p *Pace) due(now time.Time, allowed float64) time.Time {
	if p.last.IsZero() {
		return now
	}
	return p.last.Add(interval(allowed))
}

// hold keeps a place for one counted second, or for 1/limit seconds where the limit is below 1.
func (p *Pace) hold(from time.Time) {
	if p.config.Even {
		return
	}
	second := Second
	if limit := p.config.Limit(from); limit > 0 && limit < 1 {
		second += interval(limit) - time.Second
	}
	heap.Push(&p.held, from.Add(second))
}

func (p *Pace) release(now time.Time) {
	for len(p.held) > 0 && !p.held[0].After(now) {
		heap.Pop(&p.held)
	}
}

// places is how many requests may hold one. The epsilon keeps 0.29 x 100 at 29.
func places(allowed float64) int {
	return max(1, int(math.Floor(min(allowed, math.MaxInt32)+1e-9)))
}

func interval(allowed float64) time.Duration {
	return time.Duration(min(float64(time.Second)/allowed, float64(24*time.Hour)))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// releases is a heap: places are not freed in the order in which they were taken.
type releases []time.Time

func (r releases) Len() int           { return len(r) }
func (r releases) Less(i, j int) bool { return r[i].Before(r[j]) }
func (r releases) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *releases) Push(x any)        { *r = append(*r, x.(time.Time)) }
func (r *releases) Pop() any {
	last := len(*r) - 1
	x := (*r)[last]
	*r = (*r)[:last]
	return x
}
