package manifest_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// vault is a shelf some of whose files are archived.
type vault struct {
	shelf
	archived map[string]bool
	written  map[string]time.Time
}

func (v vault) List(ctx context.Context, folder string) iter.Seq2[sinks.Object, error] {
	return func(yield func(sinks.Object, error) bool) {
		for object, err := range v.shelf.List(ctx, folder) {
			object.Modified = v.written[object.Path]
			if !yield(object, err) {
				return
			}
		}
	}
}

func (v vault) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	if v.archived[path] {
		return nil, &fault.Error{Kind: fault.Configuration, Message: path, Err: sinks.ErrArchived}
	}
	return v.shelf.Open(ctx, path)
}

// shelve seals dates one after the other, an hour apart; a date that comes again replaces itself.
func shelve(t *testing.T, dates ...string) vault {
	v := vault{shelf{files: map[string]string{}}, map[string]bool{}, map[string]time.Time{}}
	var before *manifest.Link
	for i, date := range dates {
		m := sample()
		m.Date, m.Sequence, m.Previous = date, int64(i+1), before
		for j := range m.Files {
			m.Files[j].Path = strings.ReplaceAll(m.Files[j].Path, "2026-11-21", date)
		}
		path := manifest.Path(date)
		if old, there := v.files[path]; there {
			decoded, err := manifest.Decode([]byte(old))
			if err != nil {
				t.Fatal(err)
			}
			aside := manifest.ReplacedPath(date, decoded.Sequence)
			v.files[aside], v.written[aside] = old, at(i)
			if before.Path == path {
				m.Previous = &manifest.Link{Path: aside, SHA256: before.SHA256}
			}
		}
		line := encode(t, m)
		v.files[path], v.written[path] = string(line), at(i)
		before = &manifest.Link{Path: path, SHA256: manifest.Sum(line)}
	}
	return v
}

func at(hour int) time.Time { return time.Date(2026, 11, 1, hour, 0, 0, 0, time.UTC) }

func TestTheHeadOfAChainIsKnownOrItIsAFault(t *testing.T) {
	t.Parallel()
	const a, b, c = "2026-11-01", "2026-11-02", "2026-11-03"
	for name, test := range map[string]struct {
		sealed   []string
		archived []string
		timeless bool // the sink does not tell when a manifest was written
		head     string
	}{
		"nothing is sealed":                                   {head: ""},
		"nothing is archived":                                 {sealed: []string{a, b, c}, head: c},
		"the oldest is archived":                              {sealed: []string{a, b, c}, archived: []string{manifest.Path(a)}, head: c},
		"the oldest two are archived":                         {sealed: []string{a, b, c}, archived: []string{manifest.Path(a), manifest.Path(b)}, head: c},
		"one that the head links to, without times":           {sealed: []string{a, b, c}, archived: []string{manifest.Path(b)}, timeless: true, head: c},
		"two, of which the head links to one, without times":  {sealed: []string{a, b, c}, archived: []string{manifest.Path(a), manifest.Path(b)}, timeless: true, head: "?"},
		"the one sealed last is archived":                     {sealed: []string{b, c, a}, archived: []string{manifest.Path(a)}, head: "?"},
		"all are archived":                                    {sealed: []string{a, b}, archived: []string{manifest.Path(a), manifest.Path(b)}, head: "?"},
		"one that was replaced is archived":                   {sealed: []string{a, a, b}, archived: []string{manifest.ReplacedPath(a, 1)}, timeless: true, head: b},
		"the link is to what lay there before the newest one": {sealed: []string{a, b, a}, archived: []string{manifest.Path(a)}, timeless: true, head: "?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := shelve(t, test.sealed...)
			for _, path := range test.archived {
				v.archived[path] = true
			}
			if test.timeless {
				v.written = nil
			}
			h, err := manifest.ReadHistory(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(h.Archived, test.archived) {
				t.Errorf("archived: %q", h.Archived)
			}
			head, err := h.Head()
			switch {
			case test.head == "?":
				if !errors.Is(err, sinks.ErrArchived) || fault.KindOf(err) != fault.Configuration || !strings.Contains(fault.HintOf(err), "restore") {
					t.Errorf("got %v, %v, hint %q", head, err, fault.HintOf(err))
				}
			case err != nil, test.head == "" && head != nil, test.head != "" && head.Date != test.head:
				t.Errorf("got %v, %v", head, err)
			}
		})
	}
}

func TestTheLatestOfADateIsKnownOrItIsAFault(t *testing.T) {
	t.Parallel()
	const a, b = "2026-11-01", "2026-11-02"
	v := shelve(t, a, a, a, b)
	delete(v.files, manifest.Path(a)) // a replacement was stopped
	for name, test := range map[string]struct {
		archived string
		sequence int64 // 0: a fault
	}{
		"nothing is archived":           {"", 2},
		"an older one is archived":      {manifest.ReplacedPath(a, 1), 2},
		"the latest is archived":        {manifest.ReplacedPath(a, 2), 0},
		"one of other dates is archive": {manifest.Path(b), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := v
			v.archived = map[string]bool{test.archived: true}
			h, err := manifest.ReadHistory(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			latest, err := h.LatestOf(a)
			if test.sequence == 0 && !errors.Is(err, sinks.ErrArchived) || test.sequence > 0 && (err != nil || latest.Sequence != test.sequence) {
				t.Errorf("got %v, %v", latest, err)
			}
		})
	}
}

func TestWhatLiesAmongTheManifestsIsNamed(t *testing.T) {
	t.Parallel()
	v := shelve(t, "2026-11-01")
	strays := []string{"_snapshots/2026-11-01.json.bak", "_snapshots/2026-13-01.json", "_snapshots/foo.json", "_snapshots/replaced/x.json"}
	for _, path := range append(strays, "_snapshots/", "_snapshots/replaced/") {
		v.files[path] = ""
	}
	h, err := manifest.ReadHistory(t.Context(), v)
	if err != nil || !slices.Equal(h.Strays, strays) || len(h.Chain) != 1 {
		t.Errorf("got %+v, %v", h, err)
	}
	if is, err := h.Is(t.Context(), v); err != nil || !is {
		t.Errorf("it changed: %v, %v", is, err)
	}
	v.files[manifest.Path("2026-11-02")] = "{}\n"
	if is, err := h.Is(t.Context(), v); err != nil || is {
		t.Errorf("it did not change: %v, %v", is, err)
	}
	_, err = manifest.ReadHistory(t.Context(), v)
	if unreadable, is := errors.AsType[*manifest.UnreadableError](err); !is || unreadable.Path != manifest.Path("2026-11-02") {
		t.Errorf("got %v", err)
	}
}

// planted has something else in the place of a folder.
type planted struct {
	vault
	folder string
}

func (p planted) List(context.Context, string) iter.Seq2[sinks.Object, error] {
	return func(yield func(sinks.Object, error) bool) {
		yield(sinks.Object{Path: p.folder, NotPlain: "a symbolic link"}, nil)
	}
}

func (p planted) Open(_ context.Context, path string) (io.ReadCloser, error) {
	return nil, &fault.Error{Kind: fault.Configuration, Message: path + " is a symbolic link"}
}

func TestAFolderOfManifestsThatIsNoFolderIsAFault(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"_snapshots", "_snapshots/replaced"} {
		_, err := manifest.ReadHistory(t.Context(), planted{shelve(t, "2026-11-01"), folder})
		if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), folder+" is a symbolic link") {
			t.Errorf("%s: %v", folder, err)
		}
	}
}
