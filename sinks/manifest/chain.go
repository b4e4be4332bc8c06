package manifest

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// readers is how many manifests are read at the same time: a bucket answers each in some ten
// milliseconds, and three years of nights are a thousand.
const readers = 16

// maxSize bounds what is read of one manifest; a snapshot of a thousand files needs half a megabyte.
const maxSize = 64 << 20

// Sealed is a manifest as it lies in a sink.
type Sealed struct {
	Manifest
	Path string
	Sum  string // SHA-256 of its bytes, in hex
}

// Link names s for the manifest that comes after it.
func (s Sealed) Link() *Link { return &Link{Path: s.Path, SHA256: s.Sum} }

// Read reads the manifest at path.
func Read(ctx context.Context, sink sinks.Sink, path string) (Sealed, error) {
	r, err := sink.Open(ctx, path)
	if err != nil {
		return Sealed{}, err
	}
	defer r.Close()
	encoded, err := io.ReadAll(io.LimitReader(r, maxSize))
	if err != nil {
		return Sealed{}, fault.Wrap(err, "%s", sink.URL(path))
	}
	m, err := Decode(encoded)
	if err != nil {
		return Sealed{}, fault.Wrap(err, "%s", sink.URL(path))
	}
	return Sealed{Manifest: m, Path: path, Sum: Sum(encoded)}, nil
}

// Chain reads all manifests of the sink in the order in which they were sealed. It reports what
// is there and judges nothing: gaps and broken links are for verify to find.
func Chain(ctx context.Context, sink sinks.Sink) ([]Sealed, error) {
	paths, err := sink.Manifests(ctx)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	all := make([]Sealed, len(paths))
	var group sync.WaitGroup
	places := make(chan struct{}, readers)
	for i, path := range paths {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			sealed, err := Read(ctx, sink, path)
			if err != nil {
				stop(err)
			}
			all[i] = sealed
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	slices.SortStableFunc(all, func(a, b Sealed) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return all, nil
}

// Latest is the manifest sealed last, the one that the next must link to; nil in an empty sink.
func Latest(ctx context.Context, sink sinks.Sink) (*Sealed, error) {
	all, err := Chain(ctx, sink)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[len(all)-1], nil
}
