package fetch

import (
	"fmt"
	"time"

	"rollcall/pipeline/client"
	"rollcall/pipeline/event"
	"rollcall/sources"
)

// tell emits the state of the fetch.
func (f *Fetch) tell() {
	p := event.Progress{At: f.Now(), Elapsed: f.Now().Sub(f.began), Phase: event.Fetching}
	_, p.SpoolSize = f.Spool.Size()
	p.Endpoints = f.endpoints()
	p.Left = f.left(&p)
	f.Listen(p)
	f.warn(p.At)
}

// failingFor is how long an endpoint fails before the person who watches is told.
const failingFor = 5 * time.Second

// warn tells once of each endpoint that throttles, and once each time that one has begun to fail.
func (f *Fetch) warn(now time.Time) {
	for _, l := range f.lanes {
		g := l.endpoint.Figures()
		name := l.endpoint.Name()
		if g.Throttles > 0 && !l.toldThrottled {
			l.toldThrottled = true
			f.Listen(event.Notice{Warning: true,
				Text: fmt.Sprintf("%s: the vendor refuses requests as too many; the pace is cut and recovers slowly", name),
				Hint: "something else uses this budget too (lower share), or the vendor grants less than per_second says"})
		}
		f.tellSwitch(l, g)
		switch {
		case g.FailingSince.IsZero():
			l.toldFailing = false
		case now.Sub(g.FailingSince) >= failingFor && !l.toldFailing:
			l.toldFailing = true
			f.Listen(event.Notice{Warning: true,
				Text: fmt.Sprintf("%s has not answered well for %v: %s", name, now.Sub(g.FailingSince).Round(time.Second), g.Failure),
				Hint: "it is tried again; after two minutes without one good answer the run stops and keeps what was fetched"})
		}
	}
}

// tellSwitch tells that an endpoint has gone over to its other host.
func (f *Fetch) tellSwitch(l *lane, g client.Figures) {
	if g.Backup == l.toldBackup {
		return
	}
	l.toldBackup = g.Backup
	if g.Backup {
		f.Listen(event.Notice{Warning: true,
			Text: fmt.Sprintf("%s: going over to the backup host %s: %s", l.endpoint.Name(), g.Host, g.Why),
			Hint: "both share one budget; the main host is tried again now and then, and used as soon as it answers"})
		return
	}
	f.Listen(event.Notice{Text: fmt.Sprintf("%s: back at %s: %s", l.endpoint.Name(), g.Host, g.Why)})
}

func (f *Fetch) endpoints() []event.Endpoint {
	var all []event.Endpoint
	told := map[*lane]bool{}
	for _, n := range f.nodes {
		if told[n.lane] {
			continue
		}
		told[n.lane] = true
		g := n.endpoint.Figures()
		all = append(all, event.Endpoint{
			Source: n.data.Source, Name: n.data.Kind.Name,
			PerSecond: f.Job.Budget(n.data.Source, n.data.Kind.Name).PerSecond, Allowed: g.Allowed, Pace: g.Pace,
			Requests: g.Requests, Retries: g.Retries, Throttles: g.Throttles, Failures: g.Failures, Answers: g.Answers,
			Elsewhere: g.Elsewhere, Switches: g.Switches, Backup: g.Backup,
			Latency: g.Latency, Took: g.Took, Bounds: client.LatencyBounds(), Latencies: g.Buckets,
		})
	}
	return all
}

// left fills in the blocks and estimates the time that is left: for each endpoint the requests
// still to come over its pace, and of these the longest. It is negative while nothing can be said.
func (f *Fetch) left(p *event.Progress) time.Duration {
	requests := map[*lane]float64{}
	unknown := false
	for _, n := range f.nodes {
		b := event.Block{
			Address: n.data.Address, Source: n.data.Source, Endpoint: n.data.Kind.Name, Unit: n.unit(),
			Done: n.done.Load(), Known: n.known.Load(), Final: n.final.Load(),
			Rows: n.rows.Load(), Missing: n.missing.Load(), Requests: n.requests.Load(), Left: -1,
		}
		todo := float64(max(0, b.Known-b.Done))
		each, ok := 1.0, b.Done > 0
		if ok {
			each = float64(b.Requests) / float64(b.Done)
		}
		if rate := n.lane.rate(); rate > 0 && (ok || todo == 0) {
			b.Left = seconds(todo * each / rate)
			requests[n.lane] += todo * each
		}
		unknown = unknown || !ok && todo > 0 || !b.Final
		p.Blocks = append(p.Blocks, b)
	}
	longest := time.Duration(0)
	for l, count := range requests {
		if rate := l.rate(); rate > 0 {
			longest = max(longest, seconds(count/rate))
		}
	}
	if unknown && longest == 0 {
		return -1
	}
	return longest
}

// rate is the pace that the endpoint reaches, or may reach while it has reached none.
func (l *lane) rate() float64 {
	g := l.endpoint.Figures()
	if g.Pace > 0 {
		return g.Pace
	}
	return g.Allowed
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

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
