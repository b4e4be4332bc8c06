package cli

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/event"
	"rollcall/schema/spelling"
)

// wideEnough is the number of columns from which each data block has a line of its own.
const wideEnough = 72

// bars draws progress on a terminal: a line for each data block and one for the whole, or that
// one alone where the terminal is small.
type bars struct {
	screen *mpb.Progress
	talk   *console.Talk
	size   func() (columns, rows int) // of the terminal now

	mu    sync.Mutex // the screen draws from goroutines of its own
	last  event.Progress
	drawn []*mpb.Bar
	lines struct {
		at    time.Time // of the progress that they show
		width int
		text  []string
	}
}

// widest is the width up to which lines are drawn.
const widest = 1000

func newBars(talk *console.Talk, size func() (columns, rows int)) *bars {
	return &bars{
		screen: mpb.New(mpb.WithOutput(frames{talk}), mpb.WithWidth(widest), mpb.WithAutoRefresh(), mpb.WithRefreshRate(250*time.Millisecond)),
		talk:   talk,
		size:   size,
	}
}

// frames takes the screen's drawings. One with a sentence, which begins with a carriage return, is
// as good as a sentence; of others only the newest counts.
type frames struct{ talk *console.Talk }

// Write queues one drawing.
func (f frames) Write(p []byte) (int, error) {
	if bytes.ContainsRune(p, '\r') {
		return f.talk.Raw().Write(p)
	}
	return f.talk.Frames().Write(p)
}

// Listen keeps the newest progress for the next drawing; sentences appear above the bars.
func (b *bars) Listen(e event.Event) {
	switch e := e.(type) {
	case event.Started:
		b.Say(opening(e))
	case event.Notice:
		b.Say(sentence(e))
	case event.Progress:
		e.Blocks, e.Endpoints = append([]event.Block(nil), e.Blocks...), append([]event.Endpoint(nil), e.Endpoints...)
		b.mu.Lock()
		if e.Phase != event.Fetching { // the blocks stay on the screen as they ended
			e.Blocks, e.Endpoints = b.last.Blocks, b.last.Endpoints
		}
		b.last = e
		b.mu.Unlock()
		b.extend(len(e.Blocks))
	}
}

// Say writes a line above the bars with their next drawing. It begins at the left edge, from which
// a terminal that became narrower may have moved the cursor.
func (b *bars) Say(line string) {
	if _, err := io.WriteString(b.screen, "\r"+spelling.Visible(line)+"\n"); err != nil { // the screen is closed
		b.talk.Printer().Println(line)
	}
}

// extend adds the lines that are not there yet: the whole's first, which stays at the bottom.
func (b *bars) extend(blocks int) {
	if len(b.drawn) == 0 {
		b.add(1<<20, wholeLine)
	}
	columns, rows := b.size()
	if columns < wideEnough || rows <= blocks+1 {
		return
	}
	for i := len(b.drawn) - 1; i < blocks; i++ {
		b.add(i, func(p event.Progress, width int) string { return b.blockLine(p, i, width) })
	}
}

// blockLine is the line of one data block. Those of all are laid out together, once for each drawing.
func (b *bars) blockLine(p event.Progress, i, width int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.lines.at.Equal(p.At) || b.lines.width != width || len(b.lines.text) != len(p.Blocks) {
		b.lines.at, b.lines.width, b.lines.text = p.At, width, blockLines(p, width)
	}
	if i >= len(b.lines.text) {
		return ""
	}
	return b.lines.text[i]
}

func (b *bars) add(priority int, draw func(p event.Progress, width int) string) {
	line := mpb.BarFillerFunc(func(w io.Writer, _ decor.Statistics) error {
		b.mu.Lock()
		p := b.last
		b.mu.Unlock()
		columns, _ := b.size()
		_, err := io.WriteString(w, draw(p, columns))
		return err
	})
	// A total of 0 keeps the bar open until Close says that it is complete.
	bar, err := b.screen.Add(0, line, mpb.BarPriority(priority), mpb.BarFillerTrim())
	if err == nil { // else the screen is closed, and nobody watches
		b.drawn = append(b.drawn, bar)
	}
}

// Close draws the last state and leaves it standing.
func (b *bars) Close() {
	for _, bar := range b.drawn {
		bar.SetTotal(1, true)
	}
	b.screen.Wait()
}
