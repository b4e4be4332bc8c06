package fetch

import (
	"time"

	"rollcall/pipeline/client"
	"rollcall/pipeline/event"
	"rollcall/sources"
)

// tell emits the state of the fetch.
func (f *Fetch) tell(stopped bool) {
	p := event.Progress{At: f.Now(), Phase: event.Fetching}
	p.Elapsed = p.At.Sub(f.began)
	_, p.SpoolSize = f.Spool.Size()
	busy := map[*lane]bool{}
	for _, n := range f.nodes {
		b := n.block(stopped)
		busy[n.lane] = busy[n.lane] || b.Activity == event.Asking
		p.Blocks = append(p.Blocks, b)
	}
	for _, l := range f.lanes {
		l.observe(p.At, busy[l])
	}
	p.Endpoints = f.endpoints()
	f.estimate(&p)
	f.Listen(p)
	f.warn(p.At)
}

// block is the state of a node, but for the time that is left.
func (n *node) block(stopped bool) event.Block {
	// Done is read before what was asked, so that nothing seems to be done that was not asked; and final before
	// known, which no longer changes then.
	b := event.Block{
		Address: n.data.Address, Source: n.data.Source, Endpoint: n.data.Kind.Name, Unit: n.unit(), Batch: n.data.Kind.Batch,
		Done: n.done.Load(), Final: n.final.Load(), Rows: n.rows.Load(), Missing: n.missing.Load(), Requests: n.requests.Load(), Left: -1,
	}
	b.Known = max(b.Done, n.known.Load())
	unproved := n.unproved()
	b.Pending = max(0, n.asked.Load()-b.Done)
	for _, up := range n.upstream {
		if !up.hasEnded() {
			b.For = append(b.For, up.data.Address)
		}
	}
	inFlight := b.Pending > unproved
	switch {
	case b.Final && b.Done >= b.Known:
		b.Activity = event.Ended
	case stopped && b.Pending == 0:
		b.Activity = event.Stopped
	case stopped, n.submitted.Load() && !inFlight:
		b.Activity = event.Proving
	case n.idle.Load() && !inFlight && b.Batch > 0 && b.Known > b.Done+b.Pending:
		b.Activity = event.Filling
	case n.idle.Load() && !inFlight:
		b.Activity = event.Waiting
	}
	return b
}

func (n *node) unit() string {
	switch n.data.Kind.Key {
	case sources.UserKey:
		return "users"
	case sources.GroupKey:
		return "groups"
	default:
		return "pairs"
	}
}

// How long an endpoint is watched for its rates, at least and at most.
const (
	leastMeasured = 2 * time.Second
	mostMeasured  = 10 * time.Second
)

// sample is how far an endpoint was at a moment.
type sample struct {
	at                time.Time
	requests, answers int64
}

// observe takes the endpoint's figures. Its rates are those since it has had something to ask and has answered:
// what it does in a pause, while it is down or while this process is suspended says nothing about what it takes.
func (l *lane) observe(now time.Time, busy bool) {
	l.figures = l.endpoint.Figures()
	failing := !l.figures.FailingSince.IsZero() && now.Sub(l.figures.FailingSince) >= leastMeasured
	if !busy || failing || l.suspended(now) || len(l.samples) > 0 && l.samples[0].requests == l.figures.Requests {
		l.samples = l.samples[:0]
	}
	l.samples = append(l.samples, sample{now, l.figures.Requests, l.figures.Answers})
	for now.Sub(l.samples[0].at) > mostMeasured {
		l.samples = l.samples[1:]
	}
	l.rate, l.answering = -1, -1
	if first := l.samples[0]; now.Sub(first.at) >= leastMeasured {
		measured := now.Sub(first.at).Seconds()
		l.rate = float64(l.figures.Requests-first.requests) / measured
		l.answering = float64(l.figures.Answers-first.answers) / measured
	}
}

// suspended tells whether the process, or the machine, has stood still: figures are taken much more often.
func (l *lane) suspended(now time.Time) bool {
	last := len(l.samples) - 1
	return last >= 0 && now.Sub(l.samples[last].at) >= leastMeasured
}

func (f *Fetch) endpoints() []event.Endpoint {
	var all []event.Endpoint
	told := map[*lane]bool{}
	for _, n := range f.nodes {
		if told[n.lane] {
			continue
		}
		told[n.lane] = true
		g := n.lane.figures
		all = append(all, event.Endpoint{
			Source: n.data.Source, Name: n.data.Kind.Name,
			PerSecond: f.Job.Budget(n.data.Source, n.data.Kind.Name).PerSecond, Allowed: g.Allowed, Pace: g.Pace, Rate: n.lane.rate,
			Requests: g.Requests, Retries: g.Retries, Throttles: g.Throttles, Failures: g.Failures, Answers: g.Answers,
			Elsewhere: g.Elsewhere, Switches: g.Switches, Backup: g.Backup,
			Latency: g.Latency, Took: g.Took, Bounds: client.LatencyBounds(), Latencies: g.Buckets,
		})
	}
	return all
}

// estimate fills in the time that is left: for each endpoint the requests still to come over its rate, and
// of these the longest. It is a lower bound where more keys may become known, where nothing tells how many
// requests a key takes, or while no rate is measured.
func (f *Fetch) estimate(p *event.Progress) {
	requests, least, blocks := map[*lane]float64{}, false, map[*lane]int{}
	for i, n := range f.nodes {
		if p.Blocks[i].Activity != event.Ended {
			blocks[n.lane]++
		}
	}
	known := true
	p.Left = 0
	for i, n := range f.nodes {
		b := &p.Blocks[i]
		rate, measured := n.lane.speed()
		count, exact := n.toCome(b.Known - b.Done)
		exact = exact && measured && b.Final
		if b.Activity == event.Ended {
			b.Left = 0
			continue
		}
		least = least || !exact
		known = known && b.Final && b.Activity != event.Stopped
		if rate <= 0 || b.Activity == event.Stopped {
			continue
		}
		requests[n.lane] += count
		p.Left = max(p.Left, seconds(requests[n.lane]/rate))
		if b.Activity == event.Asking || b.Activity == event.Filling {
			b.Left, b.AtLeast = seconds(count/rate), !exact || blocks[n.lane] > 1
		}
	}
	if p.AtLeast = least; p.Left == 0 && !known {
		p.Left, p.AtLeast = -1, false
	}
}

// speed is how many requests a second the endpoint answers; where that is not measured, or the vendor throttles,
// how many it may be sent at most.
func (l *lane) speed() (rate float64, measured bool) {
	if l.answering > 0 && l.figures.Allowed >= l.figures.Limit {
		return l.answering, true
	}
	return l.figures.Limit, false
}

// toCome is how many requests so many keys still take; exact is false where it is a lower bound.
func (n *node) toCome(keys int64) (requests float64, exact bool) {
	if rest := n.rest.Load(); rest >= 0 {
		return float64(rest), true
	}
	if answered := n.answered.Load(); answered > 0 && len(n.data.Memberships) == 0 {
		return float64(keys) * float64(n.spent.Load()) / float64(answered), true
	}
	return float64(keys) / float64(max(1, n.data.Kind.Batch)), false
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
