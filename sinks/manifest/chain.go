package manifest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"

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
	return fault.New(fault.Bug, "%s is no manifest: it has more than %d bytes", sink.URL(path), MaxSize)
}

// Read reads the manifest at path.
func Read(ctx context.Context, sink sinks.Sink, path string) (Sealed, error) {
	encoded, err := Bytes(ctx, sink, path)
	if err != nil {
		return Sealed{}, err
	}
	m, err := Decode(encoded)
	if err != nil {
		return Sealed{}, fault.Wrap(err, "%s", sink.URL(path))
	}
	return Sealed{Manifest: m, Path: path, Sum: Sum(encoded), Replaced: sinks.IsReplaced(path)}, nil
}

// Chain reads all manifests of the sink in the order in which they were sealed, those that were
// replaced included: [Live] leaves them out. The next must link to the last. It reports what is there and judges nothing: gaps and
// broken links are for verify to find. Its old end may be missing, since history may be pruned: the
// first need not have the sequence number 1.
//
// A manifest that is on its way from its place to that of the replaced ones lies at both; it is
// listed once, as one that still seals its date.
func Chain(ctx context.Context, sink sinks.Sink) ([]Sealed, error) {
	for attempt := 1; ; attempt++ {
		all, err := readAll(ctx, sink)
		if errors.Is(err, fs.ErrNotExist) && attempt < listings {
			continue // it was moved or pruned between listing and reading
		}
		if err != nil {
			return nil, err
		}
		slices.SortStableFunc(all, func(a, b Sealed) int { return cmp.Compare(a.Sequence, b.Sequence) })
		live := map[string]bool{}
		for _, m := range all {
			live[m.Sum] = live[m.Sum] || !m.Replaced
		}
		return slices.DeleteFunc(all, func(m Sealed) bool { return m.Replaced && live[m.Sum] }), nil
	}
}

// listings is how often the manifests are listed anew because one of them was gone when it was read.
const listings = 5

func readAll(ctx context.Context, sink sinks.Sink) ([]Sealed, error) {
	var paths []string
	for object, err := range sink.List(ctx, "_snapshots/") {
		if err != nil {
			return nil, err
		}
		if object.Size > MaxSize {
			return nil, tooLarge(sink, object.Path)
		}
		if sinks.IsManifest(object.Path) || sinks.IsReplaced(object.Path) {
			paths = append(paths, object.Path)
		}
	}
	return Each(ctx, paths, func(ctx context.Context, path string) (Sealed, error) { return Read(ctx, sink, path) })
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
	for i := range slices.Backward(chain) {
		if chain[i].Date == date {
			return &chain[i]
		}
	}
	return nil
}
