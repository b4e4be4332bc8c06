package console

import (
	"context"
	"errors"
	"io"
	"time"
)

// whole is how many bytes of an answer are written at once.
const whole = 32 << 10

// afterStop is how long an answer waits for its reader when the work has been asked to stop.
const afterStop = time.Second

// Answer is what goes to stdout. One goroutine writes to it.
type Answer struct {
	out    io.Writer
	ctx    context.Context
	before func()
	limit  time.Duration
	text   []byte
	err    error
}

// NewAnswer is an answer that goes to out until ctx ends. Before is called each time before something
// is written: talk comes first, where both streams are one terminal.
func NewAnswer(ctx context.Context, out io.Writer, before func()) *Answer {
	return &Answer{out: out, ctx: ctx, before: before}
}

// Printer prints for people.
func (a *Answer) Printer() Printer { return Printer{answerWriter{a}} }

// Raw takes what is no text for people, or escaped already: JSON, SQL, a page, the help.
func (a *Answer) Raw() io.Writer { return answerWriter{a} }

// Limit lets the answer wait for its reader no longer than within at a time: the work that it tells
// of is done, and its exit code says so too.
func (a *Answer) Limit(within time.Duration) { a.limit = within }

// answerWriter writes to an answer.
type answerWriter struct{ answer *Answer }

// Write keeps p until there is enough to be written.
func (w answerWriter) Write(p []byte) (int, error) {
	a := w.answer
	if a.err != nil {
		return 0, a.err
	}
	if a.text = append(a.text, p...); len(a.text) < whole {
		return len(p), nil
	}
	return len(p), a.Flush()
}

// Flush writes what was kept. It gives the first error of all that was written.
func (a *Answer) Flush() error {
	if a.err != nil || len(a.text) == 0 {
		return a.err
	}
	a.before()
	text := a.text
	a.text = nil
	written := make(chan error, 1)
	go func() { // a pipe that nobody reads holds it, and not the program
		_, err := a.out.Write(text)
		written <- err
	}()
	a.err = a.wait(written)
	return a.err
}

// wait waits for a reader.
func (a *Answer) wait(written <-chan error) error {
	var late <-chan time.Time
	if a.limit > 0 {
		late = time.After(a.limit)
	}
	stop, overdue := a.ctx.Done(), ErrNotRead
	for {
		select {
		case err := <-written:
			if gone(err) {
				return ErrReaderGone
			}
			return cause(err)
		case <-stop:
			stop, late = nil, time.After(afterStop)
			overdue = errors.Join(ErrNotRead, a.ctx.Err())
		case <-late:
			return overdue
		}
	}
}
