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

// patience is how long the sink may be silent before it is done without.
const patience = 10 * time.Second

var errSilent = errors.New("no answer within 10 s")

// readSink reads something in the sink. Where the sink can't be read, the plan says what is missing and goes on
// without it; what is damaged in it is an error.
func (p *planner) readSink(ctx context.Context, missing string, read func(context.Context) error) error {
	if len(p.Unread) > 0 {
		return nil
	}
	err := p.Closed
	if err == nil {
		err = p.patiently(ctx, read)
	}
	_, damaged := errors.AsType[*manifest.UnreadableError](err)
	if err == nil || damaged || ctx.Err() != nil || fault.KindOf(err) == fault.Bug {
		return err
	}
	p.Unread = append(p.Unread, Unread{What: p.Place, Reason: err.Error(), Hint: fault.HintOf(err)})
	p.Notes = append(p.Notes, fmt.Sprintf("the snapshots in %s could not be read: %s. A run needs that access. What happened: %v (%s)", p.Place, missing, err, fault.HintOf(err)))
	return nil
}

// patiently reads with a sink that is given up when it is silent for too long.
func (p *planner) patiently(ctx context.Context, read func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watch := time.AfterFunc(patience, func() { stop(errSilent) })
	defer watch.Stop()
	sink := p.Sink
	defer func() { p.Sink = sink }()
	p.Sink = &watched{Sink: sink, heard: func() { watch.Reset(patience) }}
	err := read(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return &fault.Error{Kind: fault.Transient, Message: "it is silent", Err: errSilent, Hint: "is it the right endpoint, and can it be reached from here?"}
	}
	return err
}

// watched is a sink that tells whenever it was heard of.
type watched struct {
	sinks.Sink
	heard func()
}

// Open opens a file that tells whenever it gave bytes.
func (w *watched) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	file, err := w.Sink.Open(ctx, path)
	w.heard()
	if err != nil {
		return nil, err
	}
	return &watchedFile{file, w.heard}, nil
}

// List is the sink's.
func (w *watched) List(ctx context.Context, folder string) iter.Seq2[sinks.Object, error] {
	return func(yield func(sinks.Object, error) bool) {
		for object, err := range w.Sink.List(ctx, folder) {
			w.heard()
			if !yield(object, err) {
				return
			}
		}
	}
}

type watchedFile struct {
	io.ReadCloser
	heard func()
}

// Read is the file's.
func (f *watchedFile) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	f.heard()
	return n, err
}
