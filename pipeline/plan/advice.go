package plan

import (
	"fmt"
	"math"
	"time"

	"github.com/dustin/go-humanize"

	"rollcall/schema"
	"rollcall/sources"
)

const nightly = 8 * time.Hour // what a nightly run should end within

// advise warns of endpoints that need more than a day, and says what would help.
func (p *planner) advise() {
	var slowest *lane
	for _, l := range p.lanes {
		took := l.took(p.begin())
		if took > dayLong {
			p.Warnings = append(p.Warnings, Warning{
				Text:   fmt.Sprintf("%s needs %s%s for %s requests: that is no nightly run", l.name, doubtful(l.requests), Span(took), humanize.Comma(l.requests.Expected)),
				Levers: p.levers(l),
			})
		}
		if slowest == nil || took > slowest.took(p.begin()) {
			slowest = l
		}
	}
	if len(p.Warnings) == 0 && p.Seconds > dayLong.Seconds() {
		p.Warnings = append(p.Warnings, Warning{
			Text:   fmt.Sprintf("%s needs more than a day: that is no nightly run; of its endpoints %s takes longest", p.Bound, slowest.name),
			Levers: p.levers(slowest),
		})
	}
}

// took is how long the endpoint's own requests take.
func (l *lane) took(from time.Time) time.Duration { return l.whole(from).Sub(from) }

// doubtful are the words before a time that may well be longer.
func doubtful(c Count) string {
	if c.Most == nil {
		return "at least "
	}
	return "about "
}

func (p *planner) levers(l *lane) []string {
	levers := []string{}
	from, requests := p.begin(), float64(l.requests.Expected)
	if l.source.Share < 1 || !l.steady {
		if whole, err := l.paceOf(l.perSecond, 1, nil, l.latency); err == nil {
			levers = append(levers, fmt.Sprintf("share = 1, without windows: %s", Span(whole.span(requests, from, whole.rate))))
		}
	}
	if n := p.needed(l); n > 0 {
		levers = append(levers, fmt.Sprintf("have the vendor raise the limit: budget %q { per_second = %d } ends within %s", l.endpoint, n, Span(nightly)))
	}
	for _, b := range l.blocks {
		levers = append(levers, b.levers(l)...)
	}
	part := min(1, nightly.Seconds()/l.took(from).Seconds())
	for _, b := range l.blocks {
		if keys := b.asked.Expected; keys > 1 {
			levers = append(levers, fmt.Sprintf("ask fewer IDs: about %s of %s %s of %s a night end within %s", humanize.Comma(int64(float64(keys)*part)), humanize.Comma(keys), b.unit(), b.data.Address, Span(nightly)))
		}
	}
	return levers
}

// needed is the least whole budget with which an endpoint ends within a night; 0 where none does.
func (p *planner) needed(l *lane) int64 {
	from, requests := p.begin(), float64(l.requests.Expected)
	ends := func(n int64) bool {
		pace, err := l.paceOf(float64(n), l.source.Share, l.source.Windows, l.latency)
		return err == nil && pace.span(requests, from, pace.rate) <= nightly-startAndSeal
	}
	low, high := int64(math.Ceil(l.perSecond)), int64(1)<<20
	if !ends(high) {
		return 0
	}
	for low < high {
		if middle := (low + high) / 2; ends(middle) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return high
}

// levers are other data blocks that answer the same question with fewer requests.
func (b *block) levers(l *lane) []string {
	var levers []string
	if sibling, ok := b.sibling(); ok {
		ratio, _ := b.ratio()
		requests := float64(b.other[0]) + float64(b.other[1])*ratio + float64(b.fresh+b.surplus)
		if b.before.keys == 0 {
			requests = float64(b.asked.Expected)
		}
		if int64(requests) < b.requests.Expected || b.before.keys == 0 {
			levers = append(levers, fmt.Sprintf("ask %s_%s instead: %s rows a request instead of %s, so %s%s requests%s",
				b.definition.Type, sibling.Name, humanize.Comma(int64(sibling.PageSize)), humanize.Comma(int64(b.data.Kind.PageSize)),
				doubtful(b.requests), humanize.Comma(int64(requests)), lacks(b.data.Kind, sibling)))
		}
	}
	if b.data.Kind.Key != sources.RoleKey {
		return levers
	}
	for _, up := range b.upstream {
		if up.data.Kind.Roles {
			levers = append(levers, fmt.Sprintf("leave %s out: %s already names the roles", b.data.Address, up.data.Address))
		}
	}
	for _, d := range b.definition.Data {
		if d.Key == sources.GroupKey && d.View == schema.GroupView && d.Roles {
			levers = append(levers, fmt.Sprintf("ask %s_%s instead: it names everybody's role, %s members a request, so at least %s requests",
				b.definition.Type, d.Name, humanize.Comma(int64(d.PageSize)), humanize.Comma(b.asked.Expected)))
		}
	}
	return levers
}

// lacks says what the other block does not tell.
func lacks(this, other sources.Data) string {
	switch {
	case this.Roles && !other.Roles && this.Total && !other.Total:
		return " (it tells neither roles nor the vendor's total)"
	case this.Roles && !other.Roles:
		return " (it tells no roles)"
	default:
		return ""
	}
}

// Span is a duration as people plan by it: "3 weeks 2 days", "2h 3m", "40s".
func Span(d time.Duration) string {
	whole := func(n int64, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%s %ss", humanize.Comma(n), unit)
	}
	two := func(n int64, unit string, m int64, lower string) string {
		if m == 0 {
			return whole(n, unit)
		}
		return whole(n, unit) + " " + whole(m, lower)
	}
	s := int64(d.Round(time.Second) / time.Second)
	switch hours := (s + 1800) / 3600; {
	case hours >= 365*24:
		return two(hours/24/365, "year", hours/24%365/7, "week")
	case hours >= 14*24:
		return two(hours/24/7, "week", hours/24%7, "day")
	case hours >= 48:
		return two(hours/24, "day", hours%24, "hour")
	case s >= 3600:
		minutes := (s + 30) / 60
		return fmt.Sprintf("%dh %dm", minutes/60, minutes%60)
	case s >= 60:
		return fmt.Sprintf("%dm %ds", s/60, s%60)
	default:
		return fmt.Sprintf("%ds", s)
	}
}
