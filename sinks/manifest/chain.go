package manifest

import (
	"context"
	"fmt"
	"io"
	"sync"

	"rollcall/schema/advice"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// readers is how many manifests are read at the same time: a bucket answers each in some ten
// milliseconds, and three years of nights are a thousand.
const readers = 16

// MaxSize is how many bytes a manifest can have; a snapshot of a thousand files needs half a megabyte.
const MaxSize = 64 << 20

// Sealed is a manifest as it lies in a sink.
type Sealed struct {
	Manifest
	Path     string
	Sum      string // SHA-256 of its bytes, in hex
	Replaced bool   // it seals its date no more: another took its place, or is about to
}

// Link names s for a manifest that comes after it, by the path at which s lies when that one is sealed.
func (s Sealed) Link() *Link { return &Link{Path: s.Path, SHA256: s.Sum} }

// UnreadableError says that what lies under a manifest's name is none that can be read.
type UnreadableError struct {
	Path string
	Err  error // a fault that names the place
}

// Error is the fault's message.
func (e *UnreadableError) Error() string { return e.Err.Error() }

// Unwrap gives the fault.
func (e *UnreadableError) Unwrap() error { return e.Err }

// Bytes reads the manifest at path as it lies there, be it one or not.
func Bytes(ctx context.Context, sink sinks.Sink, path string) ([]byte, error) {
	r, err := sink.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	encoded, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err == nil && len(encoded) > MaxSize {
		return nil, tooLarge(sink, path)
	}
	return encoded, fault.Wrap(err, "%s", sink.URL(path))
}

func tooLarge(sink sinks.Sink, path string) error {
	return &UnreadableError{Path: path, Err: fault.New(fault.Bug, "%s is no manifest: it has more than %d bytes", sink.URL(path), MaxSize)}
}

// Read reads the manifest at path. One that speaks of another date than its place is a fault.
func Read(ctx context.Context, sink sinks.Sink, path string) (Sealed, error) {
	encoded, err := Bytes(ctx, sink, path)
	if err != nil {
		return Sealed{}, err
	}
	m, err := Decode(encoded)
	if err != nil {
		return Sealed{}, &UnreadableError{Path: path, Err: fault.Wrap(err, "%s", sink.URL(path))}
	}
	if path != Path(m.Date) && path != ReplacedPath(m.Date, m.Sequence) {
		misplaced := fmt.Sprintf("%s is a manifest of %s with the sequence number %d, which lies elsewhere", sink.URL(path), m.Date, m.Sequence)
		return Sealed{}, &UnreadableError{Path: path, Err: &fault.Error{Kind: fault.Bug, Message: misplaced, Hint: "{} tells what else is wrong", Commands: []advice.Command{advice.Rollcall("verify")}}}
	}
	return Sealed{Manifest: m, Path: path, Sum: Sum(encoded), Replaced: sinks.IsReplaced(path)}, nil
}

// Chain is the chain of [ReadHistory]. A manifest that is archived is an error.
func Chain(ctx context.Context, sink sinks.Sink) ([]Sealed, error) {
	h, err := ReadHistory(ctx, sink)
	if err == nil && len(h.Archived) > 0 {
		err = &fault.Error{Kind: fault.Configuration, Message: sink.URL(h.Archived[0]), Err: sinks.ErrArchived, Hint: sinks.HintArchived}
	}
	if err != nil {
		return nil, err
	}
	return h.Chain, nil
}

// Each gives what read makes of each path, in their order. Several are read at the same time; the
// first error stops all and is given.
func Each[T any](ctx context.Context, paths []string, read func(ctx context.Context, path string) (T, error)) ([]T, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	all := make([]T, len(paths))
	var group sync.WaitGroup
	var first error
	var failed sync.Once
	places := make(chan struct{}, readers)
	for i, path := range paths {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			one, err := read(ctx, path)
			if err != nil {
				failed.Do(func() { first = err; stop() })
			}
			all[i] = one
		})
	}
	group.Wait()
	return all, first
}

// Live leaves out of a chain what was replaced: the rest seals one date each.
func Live(chain []Sealed) []Sealed {
	var live []Sealed
	for _, m := range chain {
		if !m.Replaced {
			live = append(live, m)
		}
	}
	return live
}

// LatestOf is the manifest of date sealed last, replaced or not; nil where date was never sealed.
func LatestOf(chain []Sealed, date string) *Sealed {
	for i := len(chain) - 1; i >= 0; i-- {
		if chain[i].Date == date {
			return &chain[i]
		}
	}
	return nil
}
