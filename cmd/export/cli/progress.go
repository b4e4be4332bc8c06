package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/event"
)

// renderer shows a run's events on stderr while it works. Close draws the last state and gives
// stderr back; after it nothing more is written. Say, which may be called from another goroutine,
// writes a line at once.
type renderer interface {
	Listen(event.Event)
	Say(line string)
	Close()
}

// renderer picks what --progress asks for: auto is a bar on a terminal, plain lines elsewhere.
func (a *app) renderer() renderer {
	_, tty := a.env.Width()
	switch {
	case a.flags.progress == "none":
		return silent{a.talk.Printer()}
	case a.flags.progress == "bar", a.flags.progress == "auto" && tty:
		return newBars(a.talk, a.size)
	default:
		return newLines(a.talk)
	}
}

// size is how many columns and rows the terminal on stderr has now.
func (a *app) size() (columns, rows int) {
	columns, rows = 80, 24
	if width, _ := a.env.Width(); width > 0 {
		columns = width
	}
	if a.env.Height != nil && a.env.Height() > 0 {
		rows = a.env.Height()
	}
	return columns, rows
}

// silent shows warnings alone: that a list has changed, say, stands in no report.
type silent struct{ out console.Printer }

func (s silent) Listen(e event.Event) {
	if notice, ok := e.(event.Notice); ok && notice.Warning {
		s.out.Println(sentence(notice))
	}
}
func (s silent) Say(line string) { s.out.Println(line) }
func (silent) Close()            {}

// opening is the first line of a run.
func opening(e event.Started) string {
	if !e.Resumed {
		return fmt.Sprintf("Snapshot %s into %s", e.Date, e.Place)
	}
	return fmt.Sprintf("Snapshot %s into %s: going on with the run begun %s, %s %s there already",
		e.Date, e.Place, e.Since.UTC().Format(time.RFC3339), plural(e.Found, "key"), english.PluralWord(int(e.Found), "is", "are"))
}

// sentence is a notice as a line.
func sentence(e event.Notice) string {
	text := e.Text
	if e.Warning {
		text = "Warning: " + text
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// counted tells how far a block is: "12,000 of 40,000 groups". A plus sign says that more may
// become known.
func counted(b event.Block) string {
	switch {
	case waiting(b) && b.Known == 0:
		return "waiting for " + b.Unit
	case waiting(b):
		return fmt.Sprintf("%s %s, waiting for more", humanize.Comma(b.Done), b.Unit)
	case b.Final:
		return fmt.Sprintf("%s of %s %s", humanize.Comma(b.Done), humanize.Comma(b.Known), b.Unit)
	default:
		return fmt.Sprintf("%s of %s+ %s", humanize.Comma(b.Done), humanize.Comma(b.Known), b.Unit)
	}
}

// waiting tells whether a block has done all that it knows of, and more may become known.
func waiting(b event.Block) bool { return !b.Final && b.Done >= b.Known }

// finished tells whether a block has nothing more to do.
func finished(b event.Block) bool { return b.Final && b.Done >= b.Known }

// percent of done in known, rounded down, and never 100 before the end.
func percent(done, known int64, final bool) int64 {
	switch {
	case known <= 0 && final:
		return 100
	case known <= 0:
		return 0
	case done >= known && !final:
		return 99
	default:
		return min(100, done*100/known)
	}
}

// pace tells an endpoint's requests a second against what is allowed now: "79.8 of 80 requests/s".
func pace(e event.Endpoint) string {
	return fmt.Sprintf("%s of %s requests/s", tenths(e.Pace), tenths(e.Allowed))
}

func tenths(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }

// left is a duration that people plan by: "1h05m", "5m10s", "40s"; empty where it is not known.
func left(d time.Duration) string {
	if d < 0 {
		return ""
	}
	return span(d) + " left"
}

func span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%ds", d/time.Second)
	}
}

// endpointOf finds the budget that a block is asked under.
func endpointOf(p event.Progress, b event.Block) event.Endpoint {
	for _, e := range p.Endpoints {
		if e.Source == b.Source && e.Name == b.Endpoint {
			return e
		}
	}
	return event.Endpoint{}
}

// layout says what a line of progress has room for besides what it is about and how far that is.
type layout struct{ bar, rows, rate, rest bool }

// layouts are all of them, the roomiest first.
func layouts() []layout {
	return []layout{
		{bar: true, rows: true, rate: true, rest: true},
		{rows: true, rate: true, rest: true},
		{rate: true, rest: true},
		{rest: true},
		{},
	}
}

// details are the parts of a block's line behind its count, those that say something.
func details(p event.Progress, b event.Block, l layout) []string {
	parts := []string{}
	if l.rate && !finished(b) {
		parts = append(parts, pace(endpointOf(p, b)))
	}
	if l.rows {
		parts = append(parts, humanize.Comma(b.Rows)+" rows")
	}
	if l.rest && b.Missing > 0 {
		parts = append(parts, humanize.Comma(b.Missing)+" missing")
	}
	if text := left(b.Left); l.rest && text != "" && b.Left >= time.Second/2 {
		parts = append(parts, text)
	}
	return parts
}

// working tells what the phases after fetching have done.
func working(p event.Progress) string {
	switch p.Phase {
	case event.Merging:
		if p.Merged == 0 {
			return "merging"
		}
		return "merging: " + humanize.Comma(p.Merged) + " rows"
	case event.Storing:
		if p.Files == 0 {
			return "storing"
		}
		return "storing: " + count(p.Files, "file")
	case event.Sealing:
		return "sealing: " + count(p.Files, "file")
	default:
		return string(p.Phase)
	}
}

// whole sums a run up in one line, for a narrow terminal and for the last line of the bars.
func whole(p event.Progress, l layout) string {
	if p.Phase != event.Fetching {
		return working(p)
	}
	var done, known, rows int64
	final := true
	for _, b := range p.Blocks {
		done, known, rows = done+b.Done, known+b.Known, rows+b.Rows
		final = final && b.Final
	}
	var sent float64
	for _, e := range p.Endpoints {
		sent += e.Pace
	}
	parts := []string{fmt.Sprintf("fetching: %d%%", percent(done, known, final))}
	if l.rate {
		parts = append(parts, tenths(sent)+" requests/s")
	}
	if l.rows {
		parts = append(parts, humanize.Comma(rows)+" rows")
	}
	if text := left(p.Left); l.rest && text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
