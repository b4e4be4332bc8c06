package main

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"rollcall/pipeline/budget"
)

// limiter, as the simulation sees it: somebody always waits.
type limiter interface {
	next(now time.Time) time.Time // when the next request is sent
	answered(at time.Time)        // when the answer to the last one will come
}

// virtualCell simulates every contestant with the same latencies.
func virtualCell(c cell, length time.Duration) []result {
	var results []result
	for i := range contestants {
		results = append(results, simulate(c, length, newLimiter(i, c.limit())))
	}
	return results
}

func simulate(c cell, length time.Duration, l limiter) result {
	r := rand.New(rand.NewPCG(uint64(c.budget), uint64(c.share*10)))
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	count := &counter{}
	for now := l.next(start); now.Sub(start) < warmUp+length; now = l.next(now) {
		there, back := c.latency.draw(r)
		count.arrive(now.Add(there))
		count.answered(there + back)
		l.answered(now.Add(there + back))
	}
	return count.result(start, length, c.limit())
}

func newLimiter(contestant int, limit float64) limiter {
	switch contestant {
	case 0, 1:
		return &paced{pace: budget.NewPace(budget.Config{Limit: budget.Steady(limit), Even: contestant == 1})}
	case 2:
		return bucket{rate.NewLimiter(rate.Limit(limit), 1)}
	default:
		clock := &clock{}
		return &leaky{clock, ratelimit.New(int(limit), ratelimit.WithClock(clock))}
	}
}

// paced drives Rollcall's pace through the answers that are on their way.
type paced struct {
	pace    *budget.Pace
	ticket  budget.Ticket
	pending pending
}

type answer struct {
	at     time.Time
	ticket budget.Ticket
}

func (p *paced) next(now time.Time) time.Time {
	for {
		for len(p.pending) > 0 && !p.pending[0].at.After(now) {
			due := heap.Pop(&p.pending).(answer)
			p.pace.Answered(due.ticket, due.at)
		}
		wait, ok := p.pace.Next(now)
		switch {
		case ok && wait == 0:
			p.ticket = p.pace.Sent(now)
			return now
		case len(p.pending) > 0 && (!ok || p.pending[0].at.Before(now.Add(wait))):
			now = p.pending[0].at
		default:
			now = now.Add(wait)
		}
	}
}

func (p *paced) answered(at time.Time) { heap.Push(&p.pending, answer{at, p.ticket}) }

type pending []answer

func (p pending) Len() int           { return len(p) }
func (p pending) Less(i, j int) bool { return p[i].at.Before(p[j].at) }
func (p pending) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pending) Push(x any)        { *p = append(*p, x.(answer)) }
func (p *pending) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	*p = (*p)[:last]
	return x
}

type bucket struct{ limiter *rate.Limiter }

func (b bucket) next(now time.Time) time.Time {
	return now.Add(b.limiter.ReserveN(now, 1).DelayFrom(now))
}
func (bucket) answered(time.Time) {}

type leaky struct {
	clock   *clock
	limiter ratelimit.Limiter
}

func (l *leaky) next(now time.Time) time.Time {
	l.clock.at = now
	l.limiter.Take()
	return l.clock.at
}
func (*leaky) answered(time.Time) {}

// clock is uber's: to sleep is to set it forward.
type clock struct{ at time.Time }

func (c *clock) Now() time.Time        { return c.at }
func (c *clock) Sleep(d time.Duration) { c.at = c.at.Add(d) }
