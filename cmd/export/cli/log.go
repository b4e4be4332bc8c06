package cli

import (
	"fmt"
	"strings"
	"time"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/event"
)

// logEvery is how often lines shows a run's progress within a phase.
const logEvery = 5 * time.Second

// lines writes progress as plain lines without any control characters, for logs: at each change
// of phase and every five seconds of the run's own clock. A block that has ended is told once.
type lines struct {
	talk  *console.Talk
	phase event.Phase
	next  time.Time
	last  event.Progress
	shown bool              // the last progress has been written
	ended map[string]string // by address: what was written of a block last, which is not repeated once it has ended
}

func newLines(talk *console.Talk) *lines { return &lines{talk: talk, ended: map[string]string{}} }

// Listen writes what is due.
func (l *lines) Listen(e event.Event) {
	switch e := e.(type) {
	case event.Started:
		l.Say(opening(e))
	case event.Notice:
		l.Say(sentence(e))
	case event.Progress:
		l.progress(e)
	}
}

// Say writes a line.
func (l *lines) Say(line string) { l.talk.Printer().Println(line) }

func (l *lines) progress(p event.Progress) {
	if p.Phase != l.phase {
		l.Close() // the phase before it, as it ended
		l.phase, l.next = p.Phase, p.At
	}
	l.last, l.shown = p, false
	if !p.At.Before(l.next) {
		l.next = p.At.Add(logEvery)
		l.write()
	}
}

// Close writes the last progress if it has not been written.
func (l *lines) Close() {
	if l.phase != "" && !l.shown {
		l.write()
	}
}

func (l *lines) write() {
	l.shown = true
	at := l.last.At.UTC().Format(time.RFC3339)
	if l.last.Phase != event.Fetching {
		l.talk.Progress().Printf("%s %s\n", at, working(l.last))
		return
	}
	for _, b := range l.last.Blocks {
		text := l.block(b)
		if finished(b) && text == l.ended[b.Address] {
			continue
		}
		l.ended[b.Address] = text
		l.talk.Progress().Printf("%s fetching %s: %s\n", at, b.Address, text)
	}
}

// block is how far one data block is.
func (l *lines) block(b event.Block) string {
	text := counted(b)
	if b.Final {
		text += fmt.Sprintf(" (%d%%)", percent(b.Done, b.Known))
	}
	return strings.Join(append([]string{text}, details(l.last, b, layouts()[0])...), ", ")
}
