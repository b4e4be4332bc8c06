package local_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rollcall/schema/disk/disktest"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
	"rollcall/sinks/local"
	"rollcall/sinks/sinktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, sinktest.Options{New: newPlace, Virtual: true})
}

func newPlace(t testing.TB) sinktest.Place {
	root := filepath.Join(t.TempDir(), "snapshots")
	return sinktest.Place{
		Open: func(t testing.TB, inject sinktest.Injector) sinks.Sink {
			return open(t, root, func(operation, path string) error {
				if inject == nil || inject(operation+" "+path) == sinktest.None {
					return nil
				}
				return &fs.PathError{Op: operation, Path: path, Err: syscall.EIO}
			})
		},
		Visible: func(t testing.TB) []string { return walk(t, root, false) },
		Hidden:  func(t testing.TB) []string { return walk(t, root, true) },
		Write: func(t testing.TB, name string, content []byte) {
			path := filepath.Join(root, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644)); err != nil {
				t.Fatal(err)
			}
		},
		Pace:   lease.Pace{Beat: sinks.HeartbeatEvery, Stale: sinks.StaleAfter, Dead: sinktest.Dead},
		Faults: []sinktest.Fault{sinktest.Refused},
		Fresh:  newPlace,
		Large:  1 << 18,
	}
}

func open(t testing.TB, root string, before func(operation, path string) error) *local.Sink {
	t.Helper()
	sink, err := local.Open(local.Config{Path: root, Now: time.Now, Pace: lease.Pace{Dead: sinktest.Dead}, Disk: disktest.New(t, disktest.Options{Before: before})})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

// walk lists files: hidden ones under a name with a dot before it, or those that are to be seen.
func walk(t testing.TB, root string, hidden bool) []string {
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if name = filepath.ToSlash(name); !strings.HasPrefix(name, "_locks/") && strings.Contains("/"+name, "/.") == hidden {
			names = append(names, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// attempt runs a whole night on sink and gives its first fault.
func attempt(t *testing.T, sink sinks.Sink) error {
	t.Helper()
	lock, err := sink.Lock(t.Context(), sinks.Owner{State: "a", Since: time.Now()})
	if err != nil {
		return err
	}
	defer lock.Release(t.Context())
	staging, err := sink.Begin(t.Context(), lock, "2026-11-21", filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		return err
	}
	part := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(part, []byte("x"), 0o600); err != nil {
		return err
	}
	if err := staging.Put(t.Context(), "users/snapshot_date=2026-11-21/part-00000.parquet", part, sha256.Sum256([]byte("x"))); err != nil {
		return err
	}
	return staging.Seal(t.Context(), "_snapshots/2026-11-21.json", []byte("{}\n"))
}

func TestFaultsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cause error
		kind  fault.Kind
		hint  string
	}{
		{syscall.EACCES, fault.Configuration, "let this user write"},
		{syscall.EROFS, fault.Configuration, "let this user write"},
		{syscall.ENOTDIR, fault.Configuration, "folder"},
		{syscall.ENOSPC, fault.Bug, "make room"},
		{syscall.EDQUOT, fault.Bug, "make room"},
	} {
		for _, operation := range []string{"mkdir", "create", "sync", "rename"} {
			t.Run(fmt.Sprint(operation, " gives ", test.cause), func(t *testing.T) {
				t.Parallel()
				sink := open(t, t.TempDir(), func(at, path string) error {
					if at == operation {
						return &fs.PathError{Op: at, Path: path, Err: test.cause}
					}
					return nil
				})
				err := attempt(t, sink)
				if fault.KindOf(err) != test.kind || !strings.Contains(fault.HintOf(err), test.hint) {
					t.Errorf("got %v, %v, hint %q", err, fault.KindOf(err), fault.HintOf(err))
				}
			})
		}
	}
}

func TestAFileSystemWithoutLinksIsRefused(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	sink := open(t, root, func(at, path string) error {
		if at == "link" {
			return &os.LinkError{Op: at, New: path, Err: syscall.EPERM}
		}
		return nil
	})
	err := attempt(t, sink)
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(fault.HintOf(err), "hard links") {
		t.Errorf("got %v, hint %q", err, fault.HintOf(err))
	}
	if left := walk(t, root, false); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestAFileIsNoFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := local.Open(local.Config{Path: path, Now: time.Now}); fault.KindOf(err) != fault.Configuration || fault.HintOf(err) == "" {
		t.Errorf("opening a file: %v", err)
	}
	below, err := local.Open(local.Config{Path: filepath.Join(path, "below"), Now: time.Now})
	if err == nil {
		err = attempt(t, below)
	}
	if fault.KindOf(err) != fault.Configuration || fault.HintOf(err) == "" {
		t.Errorf("a folder below a file: %v", err)
	}
}

func TestOpeningTouchesNothing(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "snapshots")
	sink := open(t, root, nil)
	if _, err := sink.Manifests(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

func TestEverybodyMayRead(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "snapshots")
	if err := attempt(t, open(t, root, nil)); err != nil {
		t.Fatal(err)
	}
	umask := fs.FileMode(0o022) // a stricter one is the user's own wish
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		want := fs.FileMode(0o644)
		if entry.IsDir() {
			want = 0o755
		}
		if got := info.Mode().Perm(); got&^umask != want&^umask && got != want {
			t.Errorf("%s has mode %o", path, got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
