package plan

import (
	"cmp"
	"slices"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/fetch"
	"rollcall/sources"
)

// end is when a block has its last answer, once that is computed.
type end struct {
	at    time.Time
	known bool
}

// schedule lays the requests of every endpoint on the clock, and the chains beside them.
func (p *planner) schedule() {
	for _, l := range p.lanes {
		l.requests = exactly(0)
		for _, b := range l.blocks {
			l.requests = l.requests.plus(b.requests)
		}
	}
	from := p.begin()
	for _, b := range p.blocks {
		at := b.finish(from)
		b.lane.end = latest(b.lane.end, at)
	}
	slices.SortStableFunc(p.lanes, func(x, y *lane) int {
		return cmp.Or(y.end.Compare(x.end), -cmp.Compare(x.requests.Expected, y.requests.Expected))
	})
	p.EndsAt = p.StartsAt.Add(startAndSeal)
	if len(p.lanes) > 0 && p.lanes[0].requests.Expected > 0 {
		p.EndsAt = p.lanes[0].end.Add(startAndSeal)
		p.Bound = p.bound(from)
	}
	p.EndsAtUTC = p.EndsAt.UTC()
	p.Seconds = p.EndsAt.Sub(p.StartsAt).Seconds()
}

// begin is when the first request may leave: a resumed run keeps its distance from what was sent before.
func (p *planner) begin() time.Time {
	if p.Resumed {
		return p.StartsAt.Add(budget.Grace)
	}
	return p.StartsAt
}

// bound is what decides when the run ends: the endpoint that is busy for as long, but for a
// fiftieth, else the data block that ends last and those that it waits for.
func (p *planner) bound(from time.Time) string {
	busiest := slices.MaxFunc(p.lanes, func(x, y *lane) int { return x.whole(from).Compare(y.whole(from)) })
	whole := p.lanes[0].end.Sub(from)
	if busiest.whole(from).Sub(from) >= whole-whole/50 {
		return busiest.name
	}
	last := slices.MaxFunc(p.lanes[0].blocks, func(x, y *block) int { return x.end.at.Compare(y.end.at) })
	text := last.data.Address
	for _, up := range last.upstream {
		text += " after " + up.data.Address
	}
	return text
}

// whole is when all requests of the endpoint have been answered, if nothing has to be waited for.
func (l *lane) whole(from time.Time) time.Time {
	if l.requests.Expected == 0 {
		return from
	}
	return from.Add(l.span(float64(l.requests.Expected), from, l.rate) + l.latency)
}

// finish is when the block has its last answer. Blocks on one endpoint share it, so that each is
// taken to end when the endpoint does.
func (b *block) finish(from time.Time) time.Time {
	if b.end.known {
		return b.end.at
	}
	at := from
	upstream := from
	for _, up := range b.upstream {
		upstream = latest(upstream, up.finish(from))
	}
	switch {
	case b.requests.Expected == 0:
		at = upstream
	case len(b.upstream) == 0:
		at = b.tail(from, b.lane.whole(from))
	case b.product():
		at = latest(b.lane.whole(from), b.lane.after(float64(b.requests.Expected), upstream))
	case b.data.Kind.Key == sources.RoleKey:
		at = latest(b.lane.whole(from), b.finishPairs(from, upstream))
	default: // a key may be discovered by the last answer
		at = latest(b.tail(from, b.lane.whole(from)), upstream.Add(b.lane.latency))
	}
	b.end = end{at, true}
	return at
}

// after is when requests that are sent from a moment on have been answered.
func (l *lane) after(requests float64, from time.Time) time.Time {
	if requests <= 0 {
		return from
	}
	return from.Add(l.span(requests, from, l.rate) + l.latency)
}

// tail puts off an end for a key whose many requests, one after the other, are not over by then.
// While the endpoint is busy such a key gets one turn in as many as there are workers.
func (b *block) tail(from, at time.Time) time.Time {
	rate := b.lane.rate(from)
	turn := max(b.lane.latency, seconds((rate*(b.lane.latency.Seconds()+0.05)*1.5+2)/rate)).Seconds()
	put := at
	for _, k := range b.long {
		begin := from.Add(seconds(float64(k.before) / rate))
		rest := float64(k.requests) - max(0, at.Sub(begin).Seconds()/turn)
		put = latest(put, at.Add(seconds(rest*b.lane.latency.Seconds())))
	}
	return put
}

// finishPairs follows the batches: those that become full while pairs are discovered go at once,
// the rest when discovery has ended. Once memory holds no more waiting pairs, no batch becomes full.
func (b *block) finishPairs(from, upstream time.Time) time.Time {
	const slices = 100
	sent, early, total := 0.0, 0.0, float64(b.requests.Expected)
	overflow := len(b.upstream) > 1 // of several blocks' pairs only the spool can tell which are new
	for i := range slices {
		at := from.Add(upstream.Sub(from) * time.Duration(i) / slices)
		rate := b.lane.rate(at)
		full, waiting := b.fullAt(float64(i+1) / slices)
		overflow = overflow || waiting >= fetch.PairsHeld
		if !overflow {
			early = min(full, total)
		}
		sent = min(early, sent+rate*upstream.Sub(from).Seconds()/slices)
	}
	return b.lane.after(total-sent, upstream)
}

// fullAt tells how many batches are full, and how many pairs wait, when a part of all pairs has
// been discovered.
func (b *block) fullAt(part float64) (full, waiting float64) {
	batch := float64(b.data.Kind.Batch)
	for size, groups := range b.sizes {
		pairs := float64(size) * part
		batches := float64(int64(pairs / batch))
		full += batches * float64(groups)
		waiting += (pairs - batches*batch) * float64(groups)
	}
	return full, waiting
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
