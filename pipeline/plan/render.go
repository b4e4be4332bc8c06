package plan

import (
	"encoding/hex"
	"slices"

	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sinks/parquet"
)

// expectFiles scales the base's files by how many more keys there are tonight.
func (p *planner) expectFiles() {
	p.Files = int64(len(schema.Tables()))
	if p.base == nil {
		return
	}
	now, then := 0.0, 0.0
	for _, b := range p.blocks {
		if b.before.keys > 0 {
			now += float64(b.asked.Expected + b.answered)
			then += float64(b.before.keys)
		}
	}
	ratio := 1.0
	if now > 0 && then > 0 {
		ratio = now / then
	}
	rows, bytes := map[string]int64{}, 0.0
	for _, f := range p.base.Files {
		scale := ratio
		if f.Rows == 0 {
			scale = 1
		}
		rows[f.Table] += f.Rows
		bytes += float64(f.Size) * scale
	}
	files, all := int64(0), int64(0)
	for _, table := range schema.Tables() {
		n := int64(float64(rows[table.Name])*ratio + 0.5)
		files += ceil(n, parquet.FileRows)
		all += n
	}
	size := int64(bytes + 0.5)
	p.Files, p.Rows, p.Bytes = files, &all, &size
}

// render fills in what a plan shows of its blocks and endpoints.
func (p *planner) render() {
	p.Requests = exactly(0)
	for _, b := range p.blocks {
		p.Requests = p.Requests.plus(b.requests)
		p.Plan.Blocks = append(p.Plan.Blocks, Block{
			Address: b.data.Address, Endpoint: b.lane.name, Unit: b.unit(), Given: b.givenKeys, Answered: b.answered, Unread: b.unlisted,
			Keys: b.asked, Requests: b.requests, Basis: b.basis, Seconds: b.end.at.Sub(p.StartsAt).Seconds(),
		})
	}
	from := p.begin()
	for _, l := range p.lanes {
		e := Endpoint{
			Name: l.name, PerSecond: l.perSecond, Limit: l.limit(from), Use: l.rate(from) / l.limit(from),
			LatencyMS: float64(l.latency.Microseconds()) / 1000, LatencyAssumed: l.latencyAssumed, Requests: l.requests,
			SecondsAtBudget: l.span(float64(l.requests.Expected), from, l.limit).Seconds(), Seconds: l.end.Sub(p.StartsAt).Seconds(),
		}
		p.SecondsAtBudget = max(p.SecondsAtBudget, e.SecondsAtBudget)
		p.Endpoints = append(p.Endpoints, e)
	}
	p.note()
}

// note says what the figures stand on.
func (p *planner) note() {
	switch {
	case p.base == nil && len(p.Unread) > 0:
		p.Notes = append(p.Notes, "requests that depend on answers are counted as one a key, and latency is taken to be 50 ms")
	case p.base == nil:
		p.Notes = append(p.Notes, "no snapshot is sealed yet: requests that depend on answers are counted as one a key, and latency is taken to be 50 ms")
	default:
		if p.changed() {
			p.Notes = append(p.Notes, "the configuration has changed since "+p.Base+": where `only` or `topics` changed, the figures of that snapshot mislead")
		}
		for _, l := range p.lanes {
			if l.latencyAssumed {
				p.Notes = append(p.Notes, "latency of "+l.name+" is taken to be 50 ms: "+p.Base+" did not ask it")
			}
		}
	}
	if slices.ContainsFunc(p.lanes, func(l *lane) bool { return l.source.Share == 1 }) {
		p.Notes = append(p.Notes, "this run takes the whole of its budgets: two runs of one app on one machine are refused, and what other machines or containers ask of the same app nobody can see from here. Where they do, give each a part with `share`")
	}
}

// changed tells whether the configuration is another than the base's. Where app IDs stand with the
// secrets nobody can tell.
func (p *planner) changed() bool {
	for _, s := range p.Job.Sources {
		if s.Config.Account().AppID == "" {
			return false
		}
	}
	fingerprint := job.Fingerprint(p.Job)
	return p.base.Configuration != hex.EncodeToString(fingerprint[:])
}
