package plan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// idleTimeout is how long the sink may be silent before the plan goes on without it.
const idleTimeout = 10 * time.Second

var errSilent = errors.New("no answer within 10 s")

// readSink reads something in the sink. Where the sink can't be read, the plan says what is missing and goes on
// without it; what is damaged in it is an error.
func (p *planner) readSink(ctx context.Context, missing string, read func(context.Context) error) error {
	if len(p.Unread) > 0 {
		return nil
	}
	err := p.Closed
	if err == nil {
		err = p.readWithTimeout(ctx, read)
	}
	_, damaged := errors.AsType[*manifest.UnreadableError](err)
	if err == nil || damaged || ctx.Err() != nil || fault.KindOf(err) == fault.Bug {
		return err
	}
	p.Unread = append(p.Unread, Unread{What: p.Place, Reason: err.Error(), Hint: fault.HintOf(err)})
	p.Notes = append(p.Notes, fmt.Sprintf("the snapshots in %s could not be read: %s. A run needs that access. What happened: %v (%s)", p.Place, missing, err, fault.HintOf(err)))
	return nil
}

// readWithTimeout reads with a sink that is given up when it is silent for too long.
func (p *planner) readWithTimeout(ctx context.Context, read func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	timer := time.AfterFunc(idleTimeout, func() { stop(errSilent) })
	defer timer.Stop()
	sink := p.Sink
	defer func() { p.Sink = sink }()
	p.Sink = &observedSink{Sink: sink, observe: func() { timer.Reset(idleTimeout) }}
	err := read(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return &fault.Error{Kind: fault.Transient, Message: "it is silent", Err: errSilent, Hint: "is it the right endpoint, and can it be reached from here?"}
	}
	return err
}

// observedSink is a sink that calls observe whenever it answers.
type observedSink struct {
	sinks.Sink
	observe func()
}

// Open opens a file that calls observe whenever it gives bytes.
func (s *observedSink) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	file, err := s.Sink.Open(ctx, path)
	s.observe()
	if err != nil {
		return nil, err
	}
	return &observedFile{file, s.observe}, nil
}

// List is the sink's.
func (s *observedSink) List(ctx context.Context, folder string) iter.Seq2[sinks.Object, error] {
	return func(yield func(sinks.Object, error) bool) {
		for object, err := range s.Sink.List(ctx, folder) {
			s.observe()
			if !yield(object, err) {
				return
			}
		}
	}
}

type observedFile struct {
	io.ReadCloser
	observe func()
}

// Read is the file's.
func (f *observedFile) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	f.observe()
	return n, err
}
