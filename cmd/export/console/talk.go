package console

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// What is queued while nobody reads.
const (
	maxKept     = 256 << 10 // bytes of sentences: the newest
	maxProgress = 64        // lines of progress: the newest
)

// kind is what becomes of a piece of talk that waits for its reader.
type kind int

const (
	kept     kind = iota // sentences: warnings, errors, the last lines
	progress             // a line that the next one makes old
	frame                // a drawing, of which only the newest counts
	mark                 // nothing to be written: tells that everything before it was
)

// piece is what is written at once.
type piece struct {
	kind kind
	text []byte
	done chan struct{} // of a mark
}

// Talk is the queue in front of stderr. Writing to it never waits and never fails; while something is
// queued, a goroutine writes it to the stream.
type Talk struct {
	out io.Writer

	mu    sync.Mutex
	queue []piece
	part  []byte // of a sentence's line
	size  int    // bytes of the sentences queued
	lines int    // of progress queued
	lost  int    // lines that found no place, and were not told of yet
	busy  bool   // the goroutine is at work
	off   bool   // nobody reads any more, or everything is said
	stuck bool   // what was said was waited for in vain, and nothing was written since
}

// NewTalk is talk that goes to out.
func NewTalk(out io.Writer) *Talk { return &Talk{out: out} }

// writer writes pieces of one kind.
type writer struct {
	talk *Talk
	kind kind
}

// Write queues p.
func (w writer) Write(p []byte) (int, error) {
	w.talk.put(w.kind, p)
	return len(p), nil
}

// Printer prints sentences.
func (t *Talk) Printer() Printer { return Printer{writer{t, kept}} }

// Progress prints lines of progress, which may be left out.
func (t *Talk) Progress() Printer { return Printer{writer{t, progress}} }

// Raw takes sentences that are escaped already.
func (t *Talk) Raw() io.Writer { return writer{t, kept} }

// Frames takes drawings with the codes of a terminal, each in one piece.
func (t *Talk) Frames() io.Writer { return writer{t, frame} }

// put queues a copy of p. Sentences are queued by lines.
func (t *Talk) put(of kind, p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.off {
		return
	}
	if of != kept {
		t.add(piece{kind: of, text: bytes.Clone(p)})
		return
	}
	t.part = append(t.part, p...)
	if end := bytes.LastIndexByte(t.part, '\n') + 1; end > 0 || len(t.part) > maxKept {
		t.take(end)
	}
}

// take queues the first bytes of the line that is not whole; 0 are all.
func (t *Talk) take(end int) {
	if end == 0 {
		end = len(t.part)
	}
	if end > 0 {
		t.add(piece{kind: kept, text: bytes.Clone(t.part[:end])})
		t.part = t.part[end:]
	}
}

// add queues a piece, and takes out what has to give way to it.
func (t *Talk) add(p piece) {
	t.queue = append(t.queue, p)
	switch p.kind {
	case kept:
		for t.size += len(p.text); t.size > maxKept; {
			t.drop(kept)
		}
	case progress:
		if t.lines++; t.lines > maxProgress {
			t.drop(progress)
		}
	case frame:
		for i, old := range t.queue[:len(t.queue)-1] {
			if old.kind == frame {
				t.queue = append(t.queue[:i], t.queue[i+1:]...)
				break
			}
		}
	}
	if !t.busy {
		t.busy = true
		go t.write()
	}
}

// drop takes the oldest piece of a kind out of the queue and counts its lines.
func (t *Talk) drop(of kind) {
	for i, old := range t.queue {
		if old.kind == of {
			t.forget(old)
			t.lost += bytes.Count(old.text, []byte("\n"))
			t.queue = append(t.queue[:i], t.queue[i+1:]...)
			return
		}
	}
}

// forget takes a piece out of what is counted.
func (t *Talk) forget(p piece) {
	switch p.kind {
	case kept:
		t.size -= len(p.text)
	case progress:
		t.lines--
	}
}

// next takes the first piece; ok is false when there is none, and the goroutine ends.
func (t *Talk) next() (p piece, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		t.busy = false
		return p, false
	}
	p = t.queue[0]
	t.queue = t.queue[1:]
	t.forget(p)
	if t.lost > 0 && (p.kind == kept || p.kind == progress) {
		p.text = append(fmt.Appendf(nil, "(%d lines were not shown: nobody read them)\n", t.lost), p.text...)
		t.lost = 0
	}
	return p, true
}

// write writes what is queued to the stream. A reader that has gone ends it;
// whatever else goes wrong costs the piece, and the next one is tried.
func (t *Talk) write() {
	for {
		p, ok := t.next()
		if !ok {
			return
		}
		if p.kind == mark {
			close(p.done)
			continue
		}
		_, err := t.out.Write(p.text)
		t.wrote(p, err)
	}
}

// wrote notes whether a piece was written.
func (t *Talk) wrote(p piece, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stuck = false; err == nil {
		return
	}
	if !gone(err) {
		t.lost += bytes.Count(p.text, []byte("\n"))
		return
	}
	t.off = true
	for _, left := range t.queue {
		t.forget(left)
		if left.kind == mark {
			close(left.done)
		}
	}
	t.queue = nil
}

// Flush waits until everything that was said is written, and no longer than within; not at all where
// that was in vain before.
func (t *Talk) Flush(within time.Duration) { t.flush(within, false) }

func (t *Talk) flush(within time.Duration, again bool) {
	done := t.mark(again)
	if done == nil {
		return
	}
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		t.mu.Lock()
		t.stuck = true
		t.mu.Unlock()
	}
}

// mark queues a mark behind everything that was said; nil where there is nothing to wait for.
func (t *Talk) mark(again bool) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.off || t.stuck && !again {
		return nil
	}
	if t.take(0); !t.busy {
		return nil
	}
	done := make(chan struct{})
	t.add(piece{kind: mark, done: done})
	return done
}

// Close flushes, and lets nothing more be said.
func (t *Talk) Close(within time.Duration) {
	t.flush(within, true)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.off = true
}
