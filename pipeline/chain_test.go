package pipeline_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/plan"
	"rollcall/pipeline/state"
	"rollcall/pipeline/verify"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/local"
	"rollcall/sinks/manifest"
)

// places are the sinks that a run may seal in, each with a way to put something there behind its back. A
// sink is opened anew for each run, whose clock it has.
func places() map[string]func(*lake) (open func() sinks.Sink, put func(path string, content []byte)) {
	return map[string]func(*lake) (func() sinks.Sink, func(string, []byte)){
		"a bucket": func(l *lake) (func() sinks.Sink, func(string, []byte)) {
			return func() sinks.Sink { return l.sink(nil) }, l.bucket.Put
		},
		"a folder": func(l *lake) (func() sinks.Sink, func(string, []byte)) {
			root := l.t.TempDir()
			open := func() sinks.Sink {
				sink, err := local.Open(local.Config{Path: root, Now: l.now(), Disk: unsynced{}})
				if err != nil {
					l.t.Fatal(err)
				}
				return sink
			}
			return open, func(path string, content []byte) {
				if err := os.WriteFile(filepath.Join(root, path), content, 0o600); err != nil {
					l.t.Fatal(err)
				}
			}
		},
	}
}

// TestWhatLiesAmongTheManifestsIsFoundBeforeTheVendorsAreAsked puts there what is none: where the chain
// can still be known it is told, otherwise nothing is asked.
func TestWhatLiesAmongTheManifestsIsFoundBeforeTheVendorsAreAsked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path, content string
		stops         bool
	}{
		"a file of another name":               {"_snapshots/foo.json", "{}\n", false},
		"a copy beside a manifest":             {"_snapshots/" + date + ".json.bak", "{}\n", false},
		"a day that does not exist":            {"_snapshots/2026-11-31.json", "{}\n", false},
		"a manifest's name without a manifest": {"_snapshots/2026-11-19.json", "oops\n", true},
		"an empty file of a manifest's name":   {"_snapshots/2026-11-19.json", "", true},
		"a manifest under another date":        {"_snapshots/2026-11-19.json", "copy", true},
	} {
		for place, at := range places() {
			t.Run(name+" in "+place, func(t *testing.T) {
				t.Parallel()
				l := newLake(t)
				open, put := at(l)
				here := func(date string) func(*pipeline.Request) {
					return func(r *pipeline.Request) { r.Sink, r.Date = open(), date }
				}
				first := l.must(here("2026-11-20"))
				content := []byte(test.content)
				if test.content == "copy" {
					var err error
					if content, err = manifest.Bytes(t.Context(), open(), first.Path); err != nil {
						t.Fatal(err)
					}
				}
				put(test.path, content)
				asked := l.asked()
				result, err := l.run(here(date))
				if !test.stops {
					if err != nil || !strings.Contains(strings.Join(l.told, "\n"), test.path) {
						t.Errorf("got %v, told %q", err, l.told)
					}
					if result.Manifest.Sequence != 2 {
						t.Errorf("sealed with sequence %d", result.Manifest.Sequence)
					}
					return
				}
				if fault.KindOf(err) != fault.Configuration || !strings.Contains(fmt.Sprint(err), test.path) || fault.HintOf(err) == "" {
					t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
				}
				if l.asked() != asked {
					t.Errorf("%d requests were sent to vendors", l.asked()-asked)
				}
			})
		}
	}
}

func TestADeniedListingIsFoundBeforeTheVendorsAreAsked(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	l.must(func(r *pipeline.Request) { r.Date = "2026-11-20" })
	asked := l.asked()
	l.deny = func(r *http.Request) bool { return r.URL.Query().Get("list-type") == "2" }
	_, err := l.run(nil)
	if fault.KindOf(err) != fault.Credentials || !strings.Contains(fmt.Sprint(err), "_snapshots/") || !strings.Contains(fault.HintOf(err), "s3:ListBucket") {
		t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
	}
	if l.asked() != asked {
		t.Errorf("%d requests were sent to vendors", l.asked()-asked)
	}
}

func TestADeniedFolderIsFoundBeforeTheVendorsAreAsked(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("nothing is denied to root")
	}
	l := newLake(t)
	root := t.TempDir()
	sink, err := local.Open(local.Config{Path: root, Now: l.clock(), Disk: unsynced{}})
	if err != nil {
		t.Fatal(err)
	}
	l.must(func(r *pipeline.Request) { r.Sink, r.Date = sink, "2026-11-20" })
	asked := l.asked()
	if err := os.Chmod(filepath.Join(root, "_snapshots"), 0o300); err != nil {
		t.Fatal(err)
	}
	_, err = l.run(func(r *pipeline.Request) { r.Sink = sink })
	if fault.KindOf(err) != fault.Configuration || l.asked() != asked {
		t.Errorf("got %v (%v) after %d requests", err, fault.KindOf(err), l.asked()-asked)
	}
}

// TestWhatLiesInATablesPlaceIsFoundBeforeTheVendorsAreAsked plants something where a folder of a sealed
// table must lie.
func TestWhatLiesInATablesPlaceIsFoundBeforeTheVendorsAreAsked(t *testing.T) {
	t.Parallel()
	plants := map[string]func(at string) error{
		"a link to a folder": func(at string) error { return os.Symlink(filepath.Dir(at), at) },
		"a link to nothing":  func(at string) error { return os.Symlink("nothing", at) },
		"a pipe":             func(at string) error { return syscall.Mkfifo(at, 0o600) },
		"a plain file":       func(at string) error { return os.WriteFile(at, nil, 0o600) },
	}
	for _, partition := range sinks.Partitions(date) {
		for _, path := range []string{filepath.Dir(filepath.Clean(partition)), filepath.Clean(partition)} {
			for name, plant := range plants {
				t.Run(name+" at "+path, func(t *testing.T) {
					t.Parallel()
					l, root := newLake(t), t.TempDir()
					at := filepath.Join(root, path)
					if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), plant(at)); err != nil {
						t.Fatal(err)
					}
					sink, err := local.Open(local.Config{Path: root, Now: l.now(), Disk: unsynced{}})
					if err != nil {
						t.Fatal(err)
					}
					_, err = l.run(func(r *pipeline.Request) { r.Sink = sink })
					if fault.KindOf(err) != fault.Configuration || !strings.Contains(fmt.Sprint(err), at) || fault.HintOf(err) == "" {
						t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
					}
					if l.asked() != 0 {
						t.Errorf("%d requests were sent to vendors", l.asked())
					}
				})
			}
		}
	}
}

// aged is a lake with three sealed dates, the oldest of which is archived whole.
func aged(t *testing.T) (*lake, []string) {
	l := newLake(t)
	dates := []string{"2026-11-18", "2026-11-19", "2026-11-20"}
	for _, d := range dates {
		l.must(func(r *pipeline.Request) { r.Date = d })
	}
	l.archive(dates[0])
	return l, dates
}

func (l *lake) archive(date string) {
	for _, key := range l.bucket.Keys() {
		if strings.Contains(key, date) {
			l.bucket.Archive(key)
		}
	}
}

func TestAnArchivedOldSnapshotStopsNoRun(t *testing.T) {
	t.Parallel()
	l, dates := aged(t)
	result := l.must(nil)
	if result.Manifest.Sequence != 4 || result.Manifest.ChangesBase == nil || *result.Manifest.ChangesBase != dates[2] {
		t.Errorf("sealed %d after %v", result.Manifest.Sequence, result.Manifest.ChangesBase)
	}
	if !strings.Contains(strings.Join(l.told, "\n"), dates[0]) {
		t.Errorf("told %q", l.told)
	}
	p, err := plan.Make(t.Context(), plan.Request{Job: l.job, Date: "2026-11-22", State: t.TempDir(), Sink: l.sink(nil), Temp: t.TempDir(), Stdin: &bytes.Buffer{}, Now: l.clock(), Random: func() uint64 { return 1 }, Holder: state.Holder{}})
	if err != nil || p.Base != date {
		t.Errorf("the plan has base %q, %v", p.Base, err)
	}
}

func TestAnArchivedBaseLeavesChangesEmpty(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]func(string) bool{
		"all of it": func(string) bool { return true },
		"its files": func(key string) bool { return !strings.HasPrefix(key, "_snapshots/") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLake(t)
			for _, d := range []string{"2026-11-19", "2026-11-10"} { // the latter links to the former
				l.must(func(r *pipeline.Request) { r.Date = d })
			}
			for _, key := range l.bucket.Keys() {
				if strings.Contains(key, "2026-11-19") && keys(key) {
					l.bucket.Archive(key)
				}
			}
			if m := l.must(nil).Manifest; m.ChangesBase != nil || m.ChangesNote == "" || m.Sequence != 3 {
				t.Errorf("sealed with base %v, note %q, sequence %d", m.ChangesBase, m.ChangesNote, m.Sequence)
			}
			if !strings.Contains(strings.Join(l.told, "\n"), "changes stays empty") {
				t.Errorf("told %q", l.told)
			}
		})
	}
}

func TestAnArchivedManifestThatMayBeTheLastLinkIsFoundBeforeTheVendorsAreAsked(t *testing.T) {
	t.Parallel()
	l, dates := aged(t)
	l.archive(dates[2])
	asked := l.asked()
	_, err := l.run(nil)
	if !errors.Is(err, sinks.ErrArchived) || fault.KindOf(err) != fault.Configuration || !strings.Contains(fmt.Sprint(err), dates[2]) || !strings.Contains(fault.HintOf(err), "restore") {
		t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
	}
	if l.asked() != asked {
		t.Errorf("%d requests were sent to vendors", l.asked()-asked)
	}
}

func TestVerifyNamesArchivedDatesAndGoesOn(t *testing.T) {
	t.Parallel()
	l, dates := aged(t)
	l.must(nil)
	report, err := verify.Run(t.Context(), l.sink(nil), verify.Options{All: true, Share: 1, Scratch: t.TempDir()})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("got %+v, %v", report.Findings, err)
	}
	if !slices.Equal(report.Dates, []string{dates[1], dates[2], date}) || !strings.Contains(strings.Join(report.Notes, "\n"), dates[0]) {
		t.Errorf("read %q, notes %q", report.Dates, report.Notes)
	}
	if _, err := verify.Run(t.Context(), l.sink(nil), verify.Options{Date: dates[0], Share: 1, Scratch: t.TempDir()}); !errors.Is(err, sinks.ErrArchived) {
		t.Errorf("the archived date itself gave %v", err)
	}
}

// TestTheLoserOfARaceProvesTheWinner seals the date for another run while this one fetches.
func TestTheLoserOfARaceProvesTheWinner(t *testing.T) {
	t.Parallel()
	for name, whole := range map[string]bool{"a winner that is whole": true, "a winner one of whose files is gone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLake(t)
			other := newLake(t)
			won := other.must(nil)
			place := func() { // as if the other run had won while this one was at its last step
				for _, f := range append([]string{won.Path}, pathsOf(won.Manifest)...) {
					content, err := manifest.Bytes(t.Context(), other.sink(nil), f)
					if err != nil {
						t.Fatal(err)
					}
					if whole || f != won.Manifest.Files[0].Path {
						l.bucket.Put(f, content)
					}
				}
			}
			_, err := l.run(func(r *pipeline.Request) {
				inner := r.Listen
				r.Listen = func(e event.Event) {
					if p, is := e.(event.Progress); is && p.Phase == event.Merging && p.Files == 0 && p.Merged == 0 {
						place()
					}
					inner(e)
				}
			})
			_, kept := os.Stat(filepath.Join(l.state, date))
			if whole && (err != nil || kept == nil) || !whole && (err == nil || kept != nil) {
				t.Errorf("got %v; what was fetched: %v", err, kept)
			}
			if !whole {
				if again, err := l.run(nil); err == nil {
					t.Errorf("the next run reports %+v", again)
				}
			}
		})
	}
}

func pathsOf(m manifest.Manifest) (all []string) {
	for _, f := range m.Files {
		all = append(all, f.Path)
	}
	return all
}
