package client

import (
	"errors"
	"fmt"
	"time"

	"rollcall/schema/fault"
)

const (
	// leastFailures keeps a slow budget, with minutes between its requests, from being called
	// down after a single failure.
	leastFailures = 3

	// leastCuts is how often the pace must have been cut in vain before throttling is final; it
	// counts rounds, since hundreds of answers can be on their way when the first one says no.
	leastCuts = 5
)

// health tells whether an endpoint answers. A good answer is any that was understood, one that
// concerns its item alone included; throttling and transient faults are not.
type health struct {
	patience time.Duration

	active   int       // calls under way
	idle     time.Time // since when there are none
	since    time.Time // when the first request was sent after the last good answer; zero: all is well
	failures int       // transient ones since then
	cuts     int       // rounds of throttling since then
	ever     bool      // there was a good answer in this night, be it in an earlier process
	stopped  *fault.Error
}

// enter leaves out of the count the time in which nothing was asked.
func (h *health) enter(now time.Time) {
	if h.active == 0 && !h.since.IsZero() {
		h.since = h.since.Add(now.Sub(h.idle))
	}
	h.active++
}

func (h *health) leave(now time.Time) {
	if h.active--; h.active == 0 {
		h.idle = now
	}
}

func (h *health) good() { h.since, h.failures, h.cuts, h.ever = time.Time{}, 0, 0, true }

func (h *health) failed(sent time.Time) {
	h.begin(sent)
	h.failures++
}

func (h *health) throttled(sent time.Time, news bool) {
	h.begin(sent)
	if news {
		h.cuts++
	}
}

func (h *health) begin(sent time.Time) {
	if h.since.IsZero() {
		h.since = sent
	}
}

func (h *health) hopeless(now time.Time) bool {
	return now.Sub(h.since) >= h.patience && (h.failures >= leastFailures || h.cuts >= leastCuts)
}

// fault says which endpoint is down, since when, and what its last answer was.
func (h *health) fault(name Name, way route, now time.Time, last error) *fault.Error {
	since := h.since.UTC().Format("15:04:05")
	waited := now.Sub(h.since).Round(time.Second)
	if h.failures == 0 {
		f := fault.New(fault.Throttled, "%s (%s) has answered every request since %s UTC (%v) by throttling",
			name, name.Path, since, waited)
		f.Hint = "either something else uses up this endpoint's budget (lower share or per_second, or wait), " +
			"or the vendor has not enabled this API for the app (ask its console); then run again to go on"
		f.Code, f.Err = code(last), down(last)
		return f
	}
	f := fault.New(fault.Transient, "%s (%s) has not answered well since %s UTC (%v)", name, name.Path, since, waited)
	if way.switches > 0 {
		f.Message += ", neither at " + way.hosts.Main + " nor at " + way.hosts.Backup
	}
	f.Hint = "run the same command again when the vendor can be reached: it asks only what is missing"
	f.Code, f.Err = code(last), down(last)
	return f
}

func down(last error) error { return fmt.Errorf("%w; last: %w", ErrDown, last) }

func code(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Code
	}
	return ""
}

func retryAfter(err error) time.Duration {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.RetryAfter
	}
	return 0
}
