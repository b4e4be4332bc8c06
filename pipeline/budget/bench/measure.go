package main

import (
	"slices"
	"sync"
	"time"
)

// contestants in the order of the table's columns. All but the first pace evenly.
var contestants = []string{"Rollcall", "Rollcall, even", "x/time/rate, burst 1", "uber ratelimit"}

// warmUp is left out of paces, not out of counts: a pace by places starts with a full second.
const warmUp = 2 * time.Second

// result is what one limiter did in one cell.
type result struct {
	pace    float64       // requests a second that arrived
	largest int           // requests in the largest second, however it is cut
	over    int           // requests that arrived in a second that was already full
	latency time.Duration // mean
}

// bound is what a pace can reach that holds a place until one second after each answer.
func (r result) bound(limit float64) float64 { return limit / (1 + r.latency.Seconds()) }

// counter notes arrivals and latencies.
type counter struct {
	mu       sync.Mutex
	arrivals []time.Time
	waited   time.Duration
	answers  int
}

func (c *counter) arrive(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrivals = append(c.arrivals, at)
}

func (c *counter) answered(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waited += after
	c.answers++
}

// result counts what arrived from start on, in so long after warming up.
func (c *counter) result(start time.Time, length time.Duration, limit float64) result {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.arrivals, time.Time.Compare)
	r := result{latency: c.waited / time.Duration(max(1, c.answers))}
	first, counted := 0, 0
	for last, at := range c.arrivals {
		for at.Sub(c.arrivals[first]) >= time.Second {
			first++
		}
		inSecond := last - first + 1
		r.largest = max(r.largest, inSecond)
		if float64(inSecond) > limit {
			r.over++
		}
		if since := at.Sub(start); since >= warmUp && since < warmUp+length {
			counted++
		}
	}
	r.pace = float64(counted) / length.Seconds()
	return r
}
