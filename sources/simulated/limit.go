package simulated

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Count is what arrived at one path.
type Count struct {
	Requests     int         // all that arrived
	Throttled    int         // refused for being over the budget
	MaxPerSecond int         // the most that arrived in any sliding second, refused ones included
	Arrivals     []time.Time // in order; only with Options.Record
}

// limits counts requests where they arrive. A refused request takes no place in the budget.
type limits struct {
	mu     sync.Mutex
	now    func() time.Time
	window Window
	record bool
	paths  map[string]*pathLimit
}

type pathLimit struct {
	limit    int // negative: none
	count    Count
	admitted []time.Time // a ring of the last limit admissions
	next     int
	recent   []time.Time // arrivals of the last second, oldest first, from head
	head     int
	second   int64 // the fixed second that is being counted
	inSecond int
}

func newLimits(o Options) *limits {
	l := &limits{now: o.Now, window: o.Window, record: o.Record, paths: map[string]*pathLimit{}}
	for _, path := range Paths() {
		limit := o.Limits[path]
		if limit == 0 {
			limit = 100
			if strings.HasPrefix(path, "/v4/") {
				limit = 200
			}
		}
		l.paths[path] = &pathLimit{limit: limit}
	}
	return l
}

// arrive counts a request and tells whether it is over the budget.
func (l *limits) arrive(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.paths[path]
	if p == nil {
		return false
	}
	t := l.now()
	p.count.Requests++
	p.note(t, l.record)
	var over bool
	if l.window == FixedSecond {
		over = p.overFixed(t)
	} else {
		over = p.overSliding(t)
	}
	if over {
		p.count.Throttled++
	}
	return over
}

func (p *pathLimit) note(t time.Time, record bool) {
	if record {
		p.count.Arrivals = append(p.count.Arrivals, t)
	}
	p.recent = append(p.recent, t)
	for t.Sub(p.recent[p.head]) >= time.Second {
		p.head++
	}
	p.count.MaxPerSecond = max(p.count.MaxPerSecond, len(p.recent)-p.head)
	if p.head > 1024 && p.head > len(p.recent)/2 {
		p.recent = p.recent[:copy(p.recent, p.recent[p.head:])]
		p.head = 0
	}
}

func (p *pathLimit) overSliding(t time.Time) bool {
	if p.limit < 0 {
		return false
	}
	if len(p.admitted) < p.limit {
		p.admitted = append(p.admitted, t)
		return false
	}
	if t.Sub(p.admitted[p.next]) < time.Second {
		return true
	}
	p.admitted[p.next] = t
	p.next = (p.next + 1) % p.limit
	return false
}

func (p *pathLimit) overFixed(t time.Time) bool {
	if p.limit < 0 {
		return false
	}
	if s := t.Unix(); s != p.second {
		p.second, p.inSecond = s, 0
	}
	if p.inSecond >= p.limit {
		return true
	}
	p.inSecond++
	return false
}

// Counts tells by path what has arrived so far.
func (w *World) Counts() map[string]Count {
	w.limits.mu.Lock()
	defer w.limits.mu.Unlock()
	counts := make(map[string]Count, len(w.limits.paths))
	for path, p := range w.limits.paths {
		c := p.count
		c.Arrivals = slices.Clone(c.Arrivals)
		counts[path] = c
	}
	return counts
}
