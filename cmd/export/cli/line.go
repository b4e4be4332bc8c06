package cli

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-runewidth"

	"rollcall/pipeline/event"
	"rollcall/schema/spelling"
)

// layout says what a line of progress has room for besides what it is about and how far that is.
type layout struct {
	cells            int  // of the bar; 0: there is none
	gap              bool // blocks whose share is not known leave the place of bar and share blank
	rows, rate, left bool
	what, short      bool // what a block does that asks nothing; in short
	bare             bool // the share alone, or how many are done
}

// layouts are all of them, the roomiest first.
func layouts() []layout {
	return []layout{
		{cells: 10, gap: true, rows: true, rate: true, left: true, what: true},
		{cells: 10, gap: true, rate: true, left: true, what: true},
		{cells: 10, gap: true, left: true, what: true},
		{cells: 10, left: true, what: true},
		{cells: 10, left: true, what: true, short: true},
		{cells: 10, what: true, short: true},
		{cells: 5, what: true, short: true},
		{what: true, short: true},
		{},
		{bare: true},
	}
}

// fitting gives the first text that fits into width columns, else the last one, cut.
func fitting(width int, text func(layout) string) string {
	line := ""
	for _, l := range layouts() {
		if line = spelling.Visible(text(l)); runewidth.StringWidth(line) <= width {
			return line
		}
	}
	return cut(line, width)
}

// blockLines are the data blocks in width columns: name, bar, count, and what else there is room for.
// All blocks have the same layout, the roomiest in which each of them fits.
func blockLines(p event.Progress, width int) []string {
	lines := make([]string, len(p.Blocks))
	name := 0
	for _, b := range p.Blocks {
		name = max(name, runewidth.StringWidth(b.Address))
	}
	for _, l := range layouts() {
		fits := true
		for i := 0; i < len(lines) && fits; i++ {
			lines[i] = spelling.Visible(laid(p, i, name, l))
			fits = runewidth.StringWidth(lines[i]) <= width
		}
		if fits {
			return lines
		}
	}
	for i := range lines {
		lines[i] = cut(spelling.Visible(laid(p, i, name, layout{bare: true})), width)
	}
	return lines
}

// laid is one data block in a layout, however wide that is; names have so many columns.
func laid(p event.Progress, i, name int, l layout) string {
	b := p.Blocks[i]
	line := runewidth.FillRight(b.Address, name)
	switch done := shareDone(b, l); {
	case done != "":
		line += " " + done
	case l.gap:
		line += strings.Repeat(" ", len(" [] 100%")+l.cells)
	}
	switch {
	case l.bare && b.Final:
		return line
	case l.bare:
		return line + " " + humanize.Comma(b.Done) + " done"
	}
	return strings.Join(append([]string{line + " " + counted(b)}, details(p, b, l)...), ", ")
}

// shareDone is a block's part that is done, where it is known: "[###.......]  31%".
func shareDone(b event.Block, l layout) string {
	if !b.Final {
		return ""
	}
	done := percent(b.Done, b.Known)
	return strings.TrimPrefix(bar(done, l.cells)+fmt.Sprintf(" %3d%%", done), " ")
}

// bar draws a percentage; empty where there is no room for it.
func bar(share int64, cells int) string {
	if cells == 0 {
		return ""
	}
	full := int(share) * cells / 100
	return fmt.Sprintf("[%s%s]", strings.Repeat("#", full), strings.Repeat(".", cells-full))
}

// details are the parts of a block's line behind its count, those that say something.
func details(p event.Progress, b event.Block, l layout) []string {
	parts := []string{}
	add := func(wanted bool, text string) {
		if wanted && text != "" {
			parts = append(parts, text)
		}
	}
	add(l.what, activity(b, l.short))
	add(l.rate && b.Activity == event.Asking && !finished(b), pace(endpointOf(p, b)))
	add(l.rows, humanize.Comma(b.Rows)+" rows")
	add(l.what && b.Missing > 0, humanize.Comma(b.Missing)+" missing")
	add(l.left && !finished(b), left(b.Left, b.AtLeast))
	return parts
}

// wholeLine is the whole run in width columns.
func wholeLine(p event.Progress, width int) string {
	return fitting(width, func(l layout) string { return whole(p, l) })
}

// whole sums a run up in one line, for a narrow terminal and for the last line of the bars.
func whole(p event.Progress, l layout) string {
	if p.Phase != event.Fetching {
		return working(p)
	}
	sum := event.Block{Unit: "keys", Final: true, Activity: event.Proving}
	for _, b := range p.Blocks {
		sum.Done, sum.Known, sum.Rows, sum.Missing = sum.Done+b.Done, sum.Known+b.Known, sum.Rows+b.Rows, sum.Missing+b.Missing
		sum.Final = sum.Final && b.Final
		switch b.Activity {
		case event.Proving:
			sum.Pending += b.Pending
		case event.Asking, event.Filling, event.Waiting:
			if !finished(b) && !waitsForProof(p, b) {
				sum.Activity = event.Asking
			}
		}
	}
	if sum.Activity == event.Proving && sum.Pending > 0 {
		return "fetching: " + activity(sum, l.short || !l.what)
	}
	line := "fetching: " + known(sum.Done, true) + " of " + known(sum.Known, false) + " keys"
	if sum.Final {
		line = "fetching: " + strings.Replace(shareDone(sum, l), "  ", " ", 1)
	}
	parts := []string{line}
	if rate := p.Rate(); l.rate && rate >= 0 {
		parts = append(parts, tenths(rate)+" requests/s")
	}
	if l.rows {
		parts = append(parts, humanize.Comma(sum.Rows)+" rows")
	}
	if text := left(p.Left, p.AtLeast); l.left && text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// waitsForProof tells whether a block waits for others that have nothing left but answers to be proved.
func waitsForProof(p event.Progress, b event.Block) bool {
	if b.Activity != event.Waiting {
		return false
	}
	for _, other := range p.Blocks {
		for _, address := range b.For {
			if other.Address == address && other.Activity != event.Proving && !waitsForProof(p, other) {
				return false
			}
		}
	}
	return len(b.For) > 0
}

// cut shortens s to width columns, between words where it can: a number without its end is another
// number.
func cut(s string, width int) string {
	short := runewidth.Truncate(s, max(0, width), "")
	if short == s {
		return s
	}
	if last := strings.LastIndexByte(short, ' '); last > 0 && s[len(short)] != ' ' {
		short = short[:last]
	}
	return strings.TrimRight(short, " ,")
}
