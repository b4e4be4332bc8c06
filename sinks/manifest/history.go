package manifest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// History is what a sink tells of its manifests.
type History struct {
	Chain    []Sealed // those that can be read, in the order in which they were sealed, those that were replaced included: [Live] leaves them out
	Archived []string // paths of those that must be restored before they can be read, ascending
	Strays   []string // paths of what lies among the manifests under another name, ascending

	url     func(path string) string
	written map[string]time.Time // by path; the zero time where the sink does not tell
}

// ReadHistory reads all manifests of the sink. The next must link to the last of the chain; [History.Head]
// says whether that is known. It reports what is there and judges nothing: gaps and broken links are for
// verify to find. Its old end may be missing, since history may be pruned: the first need not have the
// sequence number 1. What can't be read as a manifest is *UnreadableError.
//
// A manifest that is on its way from its place to that of the replaced ones lies at both; it is
// listed once, as one that still seals its date.
func ReadHistory(ctx context.Context, sink sinks.Sink) (History, error) {
	for attempt := 1; ; attempt++ {
		h, err := readHistory(ctx, sink)
		if errors.Is(err, fs.ErrNotExist) && attempt < listings {
			continue // it was moved or pruned between listing and reading
		}
		if err != nil {
			return History{}, err
		}
		return h, nil
	}
}

// listings is how often the manifests are listed anew because one of them was gone when it was read.
const listings = 5

func readHistory(ctx context.Context, sink sinks.Sink) (History, error) {
	h, paths, err := listHistory(ctx, sink)
	if err != nil {
		return h, err
	}
	all, err := Each(ctx, paths, func(ctx context.Context, path string) (*Sealed, error) {
		m, err := Read(ctx, sink, path)
		if errors.Is(err, sinks.ErrArchived) {
			return nil, nil
		}
		return &m, err
	})
	if err != nil {
		return h, err
	}
	live := map[string]bool{}
	for i, m := range all {
		if m == nil {
			h.Archived = append(h.Archived, paths[i])
			continue
		}
		h.Chain = append(h.Chain, *m)
		live[m.Sum] = live[m.Sum] || !m.Replaced
	}
	slices.SortStableFunc(h.Chain, func(a, b Sealed) int { return cmp.Compare(a.Sequence, b.Sequence) })
	h.Chain = slices.DeleteFunc(h.Chain, func(m Sealed) bool { return m.Replaced && live[m.Sum] })
	return h, nil
}

// listHistory lists the manifests, and what lies among them. The markers that consoles make for folders
// are nothing.
func listHistory(ctx context.Context, sink sinks.Sink) (h History, paths []string, err error) {
	h.url, h.written = sink.URL, map[string]time.Time{}
	for object, err := range sink.List(ctx, "_snapshots/") {
		switch {
		case err != nil:
			return h, nil, fault.Wrap(err, "the manifests can't be listed")
		case sinks.IsManifest(object.Path) || sinks.IsReplaced(object.Path):
			if object.Size > MaxSize {
				return h, nil, tooLarge(sink, object.Path)
			}
			paths = append(paths, object.Path)
			h.written[object.Path] = object.Modified
		case object.NotPlain != "" && isFolder(object.Path):
			_, err := Read(ctx, sink, object.Path) // fails, and says what it is and what to do
			return h, nil, err
		case !strings.HasSuffix(object.Path, "/"):
			h.Strays = append(h.Strays, object.Path)
		}
	}
	return h, paths, nil
}

// isFolder tells whether manifests lie below path. What is not a plain folder there hides all of them.
func isFolder(path string) bool {
	return path == "_snapshots" || path == strings.TrimSuffix(sinks.ReplacedFolder, "/")
}

// Is tells whether the sink still has the same manifests, under the same names.
func (h History) Is(ctx context.Context, sink sinks.Sink) (bool, error) {
	_, paths, err := listHistory(ctx, sink)
	if err != nil {
		return false, err
	}
	for _, path := range paths {
		if _, known := h.written[path]; !known {
			return false, nil
		}
	}
	return len(paths) == len(h.written), nil
}

// Head is the manifest that was sealed last; nil where none was. An archived one that may have been
// sealed later is an error: who links to another would fork the chain.
func (h History) Head() (*Sealed, error) {
	if len(h.Chain) == 0 && len(h.Archived) == 0 {
		return nil, nil
	}
	for _, path := range h.Archived {
		if len(h.Chain) == 0 || !h.precedes(path, h.Chain[len(h.Chain)-1]) {
			return nil, h.archived(path, "and nothing shows that it was not sealed last: the next manifest must link to the one that was")
		}
	}
	return &h.Chain[len(h.Chain)-1], nil
}

// precedes tells whether an archived manifest is known to have been sealed before head: by the sequence
// in its name, by a manifest that links to it, or because the sink wrote it earlier.
func (h History) precedes(archived string, head Sealed) bool {
	if sinks.IsReplaced(archived) {
		return sequenceOf(archived) < head.Sequence
	}
	if h.written[archived].Before(h.written[head.Path]) && !h.written[archived].IsZero() {
		return true
	}
	return slices.ContainsFunc(h.Chain, func(m Sealed) bool {
		if m.Previous == nil || m.Previous.Path != archived {
			return false
		}
		// The link may be to one that lay there then, and was replaced since.
		_, replaced := h.written[ReplacedPath(sinks.ManifestDate(archived), m.Sequence-1)]
		return !replaced
	})
}

// LatestOf is the manifest of date sealed last, replaced or not; nil where date was never sealed.
func (h History) LatestOf(date string) (*Sealed, error) {
	latest := LatestOf(h.Chain, date)
	for _, path := range h.Archived {
		switch {
		case path == Path(date):
			return nil, h.archived(path, "and seals "+date)
		case sinks.IsReplaced(path) && DateOf(path) == date && (latest == nil || sequenceOf(path) > latest.Sequence):
			return nil, h.archived(path, "and a new manifest of "+date+" must link to it")
		}
	}
	return latest, nil
}

func (h History) archived(path, why string) error {
	return &fault.Error{Kind: fault.Configuration, Hint: sinks.HintArchived, Err: fmt.Errorf("%w, %s", sinks.ErrArchived, why),
		Message: h.url(path)}
}

// DateOf is the date in a manifest's name, be it replaced or not.
func DateOf(manifestPath string) string {
	name := path.Base(manifestPath)
	return name[:min(len(name), len(time.DateOnly))]
}

// sequenceOf is the sequence number in the name of a manifest that was replaced.
func sequenceOf(replaced string) int64 {
	name := strings.TrimSuffix(path.Base(replaced), ".json")
	sequence, err := strconv.ParseInt(name[min(len(name), len(time.DateOnly)+1):], 10, 64)
	if err != nil {
		return 1 << 62 // not known to precede anything
	}
	return sequence
}
