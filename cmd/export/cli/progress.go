package cli

import (
	"fmt"
	"math"
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

// silent shows warnings alone, and when what they said is over: that a list has changed, say, stands in no report.
type silent struct{ out console.Printer }

func (s silent) Listen(e event.Event) {
	if notice, ok := e.(event.Notice); ok && (notice.Warning || notice.Recovery) {
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
	if e.Found == 0 {
		return fmt.Sprintf("Snapshot %s into %s: going on with the run begun %s, which has kept no answers yet", e.Date, e.Place, e.Since.UTC().Format(time.RFC3339))
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

// counted tells how far a block is: "12,000 of 40,000 groups". A plus sign says that there are at least so many.
func counted(b event.Block) string {
	return fmt.Sprintf("%s of %s %s", humanize.Comma(b.Done), known(b.Known, b.Final), b.Unit)
}

// known is how many there are, or at least.
func known(n int64, final bool) string {
	if final {
		return humanize.Comma(n)
	}
	return humanize.Comma(n) + "+"
}

// finished tells whether a block has nothing more to do.
func finished(b event.Block) bool { return b.Final && b.Done >= b.Known }

// percent of done in known, rounded down, and never 100 before the end. It means something only where known is
// final: else it could fall.
func percent(done, known int64) int64 {
	if known <= 0 {
		return 100
	}
	return min(100, done*100/known)
}

// activity tells what a block does that asks nothing just now; empty where it asks, or has ended. In short, data
// blocks are named without the vendor that they share with it.
func activity(b event.Block, short bool) string {
	others := strings.Join(b.For, " and ")
	if vendor, _, found := strings.Cut(b.Address, "_"); short && found {
		others = strings.ReplaceAll(others, vendor+"_", "")
	}
	switch {
	case b.Activity == event.Waiting && others != "":
		return "waiting for " + others
	case b.Activity == event.Waiting:
		return "waiting"
	case b.Activity == event.Filling && short:
		return "filling batches"
	case b.Activity == event.Filling:
		return fmt.Sprintf("waiting for %s to fill batches of %d", others, b.Batch)
	case b.Activity == event.Proving && short:
		return "proving " + humanize.Comma(b.Pending)
	case b.Activity == event.Proving:
		return "waiting for proof of the last answers, about " + humanize.Comma(b.Pending) + " " + singular(b.Unit, b.Pending)
	case b.Activity == event.Stopped:
		return "stopped"
	default:
		return ""
	}
}

// singular is a unit for so many.
func singular(unit string, n int64) string {
	if n == 1 {
		return strings.TrimSuffix(unit, "s")
	}
	return unit
}

// pace tells an endpoint's requests a second against what is allowed now: "79.8 of 80 requests/s"; empty where it
// is not known.
func pace(e event.Endpoint) string {
	if e.Rate < 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s requests/s", tenths(e.Rate), tenths(e.Allowed))
}

func tenths(f float64) string { return humanize.Commaf(math.RoundToEven(f*10) / 10) }

// left is a duration that people plan by: "1h05m left", "at least 5m10s left"; empty where it is not known or all
// but over.
func left(d time.Duration, least bool) string {
	switch {
	case d < time.Second/2:
		return ""
	case least:
		return "at least " + span(d) + " left"
	default:
		return span(d) + " left"
	}
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
