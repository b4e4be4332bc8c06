package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"rollcall/sinks/manifest"
)

// endpoint is what one endpoint was asked.
type endpoint struct {
	ID, Name  string
	Figures   []fact
	Pace      *chart // nil: an older manifest does not tell it
	Latency   *chart
	Table     []slot // the pace, as a table
	Throttled bool
}

// fact is one line of figures.
type fact struct {
	Label  string
	Figure *figure // a count; nil: Text says it
	Text   string
}

// slot is a stretch of the night.
type slot struct {
	From              string
	Sent              int64
	PerSecond         string
	Throttled, Failed int64
}

// slots is how many rows the table of a pace has at most.
const slots = 24

func endpoints(m manifest.Manifest) []endpoint {
	var all []endpoint
	for _, source := range slices.Sorted(maps.Keys(m.Requests)) {
		for _, name := range slices.Sorted(maps.Keys(m.Requests[source])) {
			f := m.Requests[source][name]
			e := endpoint{ID: "endpoint-" + strconv.Itoa(len(all)+1), Name: shown(source + " " + name), Throttled: f.Throttles > 0}
			id := "requests." + source + "." + name + "."
			e.Figures = []fact{
				{Label: "requests", Figure: &figure{id + "sent", f.Requests}},
				{Label: "sent again", Figure: &figure{id + "retries", f.Retries}},
				{Label: "refused as too many", Figure: &figure{id + "throttles", f.Throttles}},
				{Label: "budget", Text: rate(f.PerSecond) + "/s"},
				{Label: "reached", Text: reached(f)},
				{Label: "mean latency", Text: strconv.FormatFloat(f.LatencyMS, 'f', 0, 64) + " ms"},
				{Label: "at work for", Text: span(time.Duration(f.Seconds * float64(time.Second)))},
			}
			if f.Series != nil || len(f.Latencies) > 0 {
				e.Figures = slices.Insert(e.Figures, 3, fact{Label: "transient failures", Figure: &figure{id + "failures", f.Failures}})
			}
			if f.Series != nil && len(f.Series.Sent) > 0 {
				pace := paceChart(e.ID+"-pace", f)
				e.Pace, e.Table = &pace, slotsOf(*f.Series)
			}
			if latency, ok := latencyChart(e.ID+"-latency", f); ok {
				e.Latency = &latency
			}
			all = append(all, e)
		}
	}
	return all
}

// reached is the mean pace: so many requests may arrive in so many seconds and the one that they overlap.
func reached(f manifest.Figures) string {
	if f.Requests == 0 {
		return "–"
	}
	pace := float64(f.Requests) / (f.Seconds + 1)
	if f.PerSecond <= 0 {
		return rate(pace) + "/s"
	}
	return fmt.Sprintf("%s/s, %s of it", rate(pace), percent(int64(1000*pace), int64(1000*f.PerSecond)))
}

// paceChart draws requests a second over the run, with what was refused, and what was allowed.
func paceChart(id string, f manifest.Figures) chart {
	s := f.Series
	c := chart{ID: id, Title: "Requests a second"}
	step := float64(s.Step)
	peak, at, limit := 0.0, 0, 0.0
	sent, refused, allowed := make([]float64, len(s.Sent)), make([]float64, len(s.Sent)), make([]*float64, 2*len(s.Sent))
	for i := range s.Sent {
		sent[i], refused[i] = float64(s.Sent[i])/step, float64(s.Throttled[i]+s.Failed[i])/step
		if sent[i] > peak {
			peak, at = sent[i], i
		}
		limit = max(limit, s.Limit[i])
	}
	drawn := limit > 0 && limit <= 4*peak // a line far above would press the rest to the ground
	high := peak
	if drawn {
		high = max(peak, limit)
	}
	y, ticks := axis(0, high, false)
	c.YTicks = ticks
	x := scale{0, float64(len(s.Sent)), plotLeft, plotRight}
	xs, limits := make([]float64, len(s.Sent)+1), make([]float64, 2*len(s.Sent))
	for i := range xs {
		xs[i] = x.at(float64(i))
	}
	trouble := false
	for i := range sent {
		limits[2*i], limits[2*i+1] = xs[i], xs[i+1]
		if s.Limit[i] > 0 {
			level := y.at(s.Limit[i])
			allowed[2*i], allowed[2*i+1] = &level, &level
		}
		trouble = trouble || refused[i] > 0
		sent[i], refused[i] = y.at(sent[i]), y.at(refused[i])
	}
	c.Paths = append(c.Paths, path{steps(xs, sent), "area s1"})
	c.Legend = append(c.Legend, key{"s1", "sent"})
	if trouble {
		c.Paths = append(c.Paths, path{steps(xs, refused), "area bad"})
		c.Legend = append(c.Legend, key{"bad", "refused or failed"})
	}
	if drawn {
		c.Paths = append(c.Paths, path{line(limits, allowed), "limit"})
		c.Legend = append(c.Legend, key{"limit", "allowed"})
	}
	c.XTicks = clock(*s)
	c.Summary = fmt.Sprintf("At most %s requests a second, at %s UTC, counted over %s at a time", rate(peak), startOf(*s, at).Format(time.TimeOnly), span(time.Duration(s.Step)*time.Second))
	switch {
	case drawn:
		c.Summary += fmt.Sprintf("; %s were allowed.", rate(limit))
	case limit > 0:
		c.Summary += fmt.Sprintf("; %s were allowed, far above the picture.", rate(limit))
	default:
		c.Summary += "."
	}
	return c
}

// clock is three times of day below a pace: when it begins, its middle and its end.
func clock(s manifest.Series) []tick {
	layout := "15:04:05"
	if s.Step*int64(len(s.Sent)) >= 86400 {
		layout = "01-02 15:04"
	}
	half := len(s.Sent) / 2
	x := scale{0, float64(len(s.Sent)), plotLeft, plotRight}
	var ticks []tick
	for _, i := range slices.Compact([]int{0, half, len(s.Sent)}) {
		ticks = append(ticks, tick{At: x.at(float64(i)), Text: startOf(s, i).Format(layout)})
	}
	return anchored(ticks)
}

func startOf(s manifest.Series, i int) time.Time {
	return s.From.Time().Add(time.Duration(s.Step) * time.Second * time.Duration(i))
}

// slotsOf folds a pace into few rows.
func slotsOf(s manifest.Series) []slot {
	fold := (len(s.Sent) + slots - 1) / slots
	var all []slot
	for from := 0; from < len(s.Sent); from += fold {
		row := slot{From: moment(startOf(s, from))}
		until := min(from+fold, len(s.Sent))
		for i := from; i < until; i++ {
			row.Sent += s.Sent[i]
			row.Throttled += s.Throttled[i]
			row.Failed += s.Failed[i]
		}
		row.PerSecond = rate(float64(row.Sent) / float64(int64(until-from)*s.Step))
		all = append(all, row)
	}
	return all
}

// latencyChart draws how many answers took how long.
func latencyChart(id string, f manifest.Figures) (chart, bool) {
	var total, most int64
	for _, l := range f.Latencies {
		total, most = total+l.Answers, max(most, l.Answers)
	}
	c := chart{ID: id, Title: "Latency of answers"}
	if total == 0 {
		return c, false
	}
	y, ticks := axis(0, float64(most), true)
	c.YTicks = ticks
	x := scale{0, float64(len(f.Latencies)), plotLeft, plotRight}
	for i, l := range f.Latencies {
		left, right, top := x.at(float64(i)), x.at(float64(i+1)), y.at(float64(l.Answers))
		c.Bars = append(c.Bars, bar{X: left + 1, Y: top, W: round(right - left - 2), H: round(plotBottom - top), Class: "s1",
			Text: fmt.Sprintf("%s: %s", within(f.Latencies, i), count(l.Answers, "answer", "answers"))})
		if l.UpToMS != nil && i%2 == 1 {
			c.XTicks = append(c.XTicks, tick{At: right, Text: milliseconds(*l.UpToMS), Anchor: "middle"})
		}
	}
	c.Summary = fmt.Sprintf("Of %s, half came %s and 99%% %s.", count(total, "answer", "answers"), within(f.Latencies, quantile(f.Latencies, total, 0.5)), within(f.Latencies, quantile(f.Latencies, total, 0.99)))
	return c, true
}

// quantile finds the bar in which that share of all answers is reached.
func quantile(all []manifest.Latency, total int64, share float64) int {
	var sum int64
	for i, l := range all {
		if sum += l.Answers; float64(sum) >= share*float64(total) {
			return i
		}
	}
	return len(all) - 1
}

// within says what a bar of latencies holds.
func within(all []manifest.Latency, i int) string {
	switch bound := all[i].UpToMS; {
	case bound != nil:
		return "within " + milliseconds(*bound)
	case i > 0 && all[i-1].UpToMS != nil:
		return "after more than " + milliseconds(*all[i-1].UpToMS)
	default:
		return "at some time"
	}
}

func milliseconds(ms float64) string {
	if ms >= 1000 {
		return strconv.FormatFloat(ms/1000, 'f', -1, 64) + " s"
	}
	return strconv.FormatFloat(ms, 'f', -1, 64) + " ms"
}
