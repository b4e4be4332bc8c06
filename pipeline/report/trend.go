package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// series is one line of a trend.
type series struct {
	name string
	of   func(night) *int64
}

// trends are the charts over the last snapshots. One that no snapshot tells anything for is left out.
func trends(nights []night) []chart {
	table := func(name string) func(night) *int64 { return func(n night) *int64 { return n.rows(name) } }
	role := func(name string) func(night) *int64 { return func(n night) *int64 { return n.role(name) } }
	var all []chart
	for _, c := range []struct {
		id, title string
		lines     []series
	}{
		{"memberships", "Memberships", []series{{"memberships", table("memberships")}}},
		{"groups", "Groups", []series{{"groups", table("groups")}}},
		{"users", "Users", []series{{"users", table("users")}}},
		{"missing", "Keys missing, counts that differ", []series{{"keys missing", func(n night) *int64 { return n.Missing }}, {"counts that differ", func(n night) *int64 { return n.Differs }}}},
		{"movement", "Joined and left", []series{{"joined", func(n night) *int64 { return n.Joined }}, {"left", func(n night) *int64 { return n.Left }}}},
		{"owners", "Owners and admins", []series{{"owners", role("owner")}, {"admins", role("admin")}}},
		{"members", "Members without a higher role", []series{{"members", role("member")}}},
		{"ownerless", "Groups without an owner", []series{{"ownerless", func(n night) *int64 { return n.Orphans }}}},
		{"empty", "Empty groups", []series{{"empty", func(n night) *int64 { return n.Empty }}}},
		{"requests", "Requests", []series{{"requests", func(n night) *int64 { return n.Requests }}}},
	} {
		if made, ok := trend("trend-"+c.id, c.title, nights, c.lines); ok {
			all = append(all, made)
		}
	}
	return all
}

// trend draws lines over dates: where a date lies follows from the calendar, so that nights that were
// not sealed show as a longer way, and a figure that is not known as a gap.
func trend(id, title string, nights []night, lines []series) (chart, bool) {
	c := chart{ID: id, Title: title}
	low, high, known := bounds(nights, lines)
	if !known {
		return c, false
	}
	y, ticks := axis(low, high, true)
	c.YTicks = ticks
	xs, dates := calendar(nights)
	c.XTicks = anchored(spread(dates, 4))
	for i, l := range lines {
		class := fmt.Sprintf("s%d", i+1)
		ys := make([]*float64, len(nights))
		for j, n := range nights {
			v := l.of(n)
			if v == nil {
				continue
			}
			at := y.at(float64(*v))
			ys[j] = &at
			c.Dots = append(c.Dots, dot{X: xs[j], Y: at, Class: class, Text: fmt.Sprintf("%s: %s %s", n.Date, humanize.Comma(*v), l.name)})
		}
		c.Paths = append(c.Paths, path{D: line(xs, ys), Class: "line " + class})
		if len(lines) > 1 {
			c.Legend = append(c.Legend, key{Class: class, Text: l.name})
		}
		if c.Summary != "" {
			c.Summary += " "
		}
		c.Summary += told(nights, l, len(lines) > 1)
	}
	return c, true
}

func bounds(nights []night, lines []series) (low, high float64, known bool) {
	for _, n := range nights {
		for _, l := range lines {
			if v := l.of(n); v != nil {
				value := float64(*v)
				if !known {
					low, high, known = value, value, true
				}
				low, high = min(low, value), max(high, value)
			}
		}
	}
	return low, high, known
}

// calendar places the nights by their dates.
func calendar(nights []night) (xs []float64, ticks []tick) {
	days := make([]float64, len(nights))
	for i, n := range nights {
		if at, err := time.Parse(time.DateOnly, n.Date); err == nil {
			days[i] = float64(at.Unix() / 86400)
		}
	}
	x := scale{days[0], days[len(days)-1], plotLeft + 8, plotRight - 4}
	for i, n := range nights {
		xs = append(xs, x.at(days[i]))
		ticks = append(ticks, tick{At: xs[i], Text: n.Date[len("2006-"):]})
	}
	return xs, ticks
}

// told is a series in words: its last value, where it was least and greatest, and what is not known.
func told(nights []night, l series, named bool) string {
	var first, last *int64
	var from, to string
	least, most, unknown := "", "", 0
	var low, high int64
	for _, n := range nights {
		v := l.of(n)
		if v == nil {
			unknown++
			continue
		}
		if first == nil {
			first, from, low, high, least, most = v, n.Date, *v, *v, n.Date, n.Date
		}
		if *v < low {
			low, least = *v, n.Date
		}
		if *v > high {
			high, most = *v, n.Date
		}
		last, to = v, n.Date
	}
	if first == nil {
		return fmt.Sprintf("%s: not known.", capital(l.name))
	}
	text := fmt.Sprintf("%s on %s", humanize.Comma(*last), to)
	if from != to {
		text += fmt.Sprintf(", %s on %s", humanize.Comma(*first), from)
	}
	if low != high {
		text += fmt.Sprintf("; between %s (%s) and %s (%s)", humanize.Comma(low), least, humanize.Comma(high), most)
	}
	if unknown > 0 {
		text += fmt.Sprintf("; %s without this figure", count(int64(unknown), "snapshot", "snapshots"))
	}
	if named {
		text = capital(l.name) + ": " + text
	}
	return text + "."
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
