package plan

import (
	"math"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/client"
	"rollcall/pipeline/job"
	"rollcall/schema/fault"
)

// pace is how fast an endpoint can be asked, by the time of day.
type pace struct {
	limit   func(time.Time) float64
	steady  bool // the limit never changes
	even    bool
	latency time.Duration
}

// lane is one endpoint of one app, with the blocks that ask it.
type lane struct {
	pace
	name           string // rongcloud.prod group_members
	source         job.Source
	endpoint       string // group_members
	perSecond      float64
	latencyAssumed bool
	blocks         []*block

	requests Count
	end      time.Time
}

func (p *planner) newLane(s job.Source, name string) (*lane, error) {
	l := &lane{name: s.Address + " " + name, source: s, endpoint: name, perSecond: s.Budgets[name].PerSecond}
	latency, known := p.base.latency(s.Address, name)
	l.latencyAssumed = !known
	pace, err := l.paceOf(l.perSecond, s.Share, s.Windows, latency)
	l.pace = pace
	return l, fault.Wrap(err, "source.%s", s.Address)
}

// paceOf is the pace with another budget or share.
func (l *lane) paceOf(perSecond, share float64, windows []job.Window, latency time.Duration) (pace, error) {
	limit, err := budget.Schedule(perSecond, share, windows, client.DefaultTimeout)
	return pace{limit: limit, steady: len(windows) == 0, even: l.source.Budgets[l.endpoint].Even, latency: latency}, err
}

// rate is how many requests a second pacing reaches at a moment. There are as many places as the
// limit has whole requests, each held for a second and the latency (see package budget); and no
// more workers than a client has.
func (p pace) rate(at time.Time) float64 {
	limit := p.limit(at)
	workers := 1024.0
	if limit >= 10_000 {
		workers = 64
	}
	reach := limit
	if !p.even {
		held := budget.Second + p.latency
		if limit < 1 {
			held += time.Duration(float64(time.Second)/limit) - time.Second
		}
		reach = math.Max(1, math.Floor(limit+1e-9)) / held.Seconds()
	}
	return min(limit, reach, workers/max(p.latency, time.Millisecond).Seconds())
}

// span is how long so many requests take from a moment on, at rate or at limit.
func (p pace) span(requests float64, from time.Time, rate func(time.Time) float64) time.Duration {
	switch {
	case requests <= 0:
		return 0
	case p.steady:
		return seconds(requests / rate(from))
	}
	day, _ := walkTime(math.Inf(1), from, from.Add(dayLong), rate)
	whole := math.Floor(requests / day)
	rest := requests - whole*day
	_, took := walkTime(rest, from, from.Add(2*dayLong), rate)
	return seconds(whole*dayLong.Seconds()) + took
}

// walkTime sends requests from a moment on until they are all sent or the end has come, and tells
// how many were sent and how long that took. A limit changes at whole minutes and half a minute before them.
func walkTime(requests float64, from, until time.Time, rate func(time.Time) float64) (sent float64, took time.Duration) {
	const step = 5 * time.Second
	for at := from; at.Before(until); {
		next := at.Truncate(step).Add(step)
		r := rate(at)
		if more := r * next.Sub(at).Seconds(); sent+more < requests {
			sent += more
			at = next
			continue
		}
		took := at.Sub(from) + seconds((requests-sent)/r)
		return requests, took
	}
	return sent, until.Sub(from)
}

// seconds is so many seconds; what is longer than a Duration can tell is the longest Duration.
func seconds(s float64) time.Duration {
	if s > (math.MaxInt64>>1)/float64(time.Second) {
		return math.MaxInt64 >> 1
	}
	return time.Duration(s * float64(time.Second))
}
