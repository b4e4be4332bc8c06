package verify_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"rollcall/pipeline/verify"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// TestWhatIsNoFileIsFoundAndNotOpened puts something in the place of a sealed file. A pipe that is opened
// would hang, and /dev/zero has no end.
func TestWhatIsNoFileIsFoundAndNotOpened(t *testing.T) {
	t.Parallel()
	h := simulate(t, false, nights()...)
	newest := nights()[len(nights())-1]
	for name, plant := range map[string]func(from, at string) error{
		"a link to the same bytes": func(from, at string) error { return os.Symlink(from, at) },
		"a link to /dev/zero":      func(_, at string) error { return os.Symlink("/dev/zero", at) },
		"a pipe":                   func(_, at string) error { return syscall.Mkfifo(at, 0o666) },
	} {
		for _, path := range []string{part("memberships", newest), manifest.Path(newest), part("groups", nights()[0])} {
			t.Run(name+" at "+path, func(t *testing.T) {
				t.Parallel()
				h := h.copied(t)
				at, moved := filepath.Join(h.root, path), filepath.Join(t.TempDir(), "moved")
				if err := errors.Join(os.Rename(at, moved), plant(moved, at)); err != nil {
					t.Fatal(err)
				}
				report := soon(t, func() verify.Report { return h.verified(t, nil) })
				found(t, report, verify.NotAFile, path)
			})
		}
	}
}

func TestAFolderThatIsALinkIsFound(t *testing.T) {
	t.Parallel()
	h := simulate(t, false, nights()...)
	for _, path := range []string{"memberships", "_snapshots", filepath.Dir(part("users", nights()[0]))} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			h := h.copied(t)
			at, moved := filepath.Join(h.root, path), filepath.Join(t.TempDir(), "moved")
			if err := errors.Join(os.Rename(at, moved), os.Symlink(moved, at)); err != nil {
				t.Fatal(err)
			}
			found(t, h.verified(t, nil), verify.NotAFile, path)
		})
	}
}

// TestALargerFileIsFoundByItsSize makes files of a terabyte, which nobody could copy.
func TestALargerFileIsFoundByItsSize(t *testing.T) {
	t.Parallel()
	h := simulate(t, false, nights()...)
	newest := nights()[len(nights())-1]
	for _, path := range []string{part("memberships", newest), part("groups", nights()[0]), manifest.Path(newest)} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			h := h.copied(t)
			if err := os.Truncate(filepath.Join(h.root, path), 1<<40); err != nil {
				t.Skip(err)
			}
			found(t, soon(t, func() verify.Report { return h.verified(t, nil) }), verify.Altered, path)
		})
	}
}

// soon gives what do gives, unless that takes very long.
func soon[T any](t *testing.T, do func() T) (result T) {
	t.Helper()
	done := make(chan T, 1)
	go func() { done <- do() }()
	select {
	case result = <-done:
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	return result
}

func found(t *testing.T, report verify.Report, kind verify.Kind, path string) {
	t.Helper()
	for _, f := range report.Findings {
		if f.Kind == kind && f.Path == path {
			return
		}
	}
	t.Errorf("nobody found that %s is %s: %+v", path, kind, report.Findings)
}

// TestALockThatIsNoFileExcusesNothing takes a manifest away and plants a link or a pipe as the lock of a
// run at work.
func TestALockThatIsNoFileExcusesNothing(t *testing.T) {
	t.Parallel()
	h := simulate(t, false, nights()...)
	newest := nights()[len(nights())-1]
	for name, plant := range map[string]func(at string) error{
		"a link": func(at string) error { return os.Symlink("/dev/zero", at) },
		"a pipe": func(at string) error { return syscall.Mkfifo(at, 0o666) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := h.copied(t)
			at := filepath.Join(h.root, "_locks", "run.json")
			if err := errors.Join(os.Remove(filepath.Join(h.root, manifest.Path(newest))), os.MkdirAll(filepath.Dir(at), 0o755), plant(at)); err != nil {
				t.Fatal(err)
			}
			report := soon(t, func() verify.Report { return h.verified(t, nil) })
			found(t, report, verify.NotAFile, "_locks/run.json")
			found(t, report, verify.Extra, part("memberships", newest))
		})
	}
}

// growing is a sink whose manifests have become too large for one since they were listed.
type growing struct {
	sinks.Sink
	path string
}

func (g growing) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	if path != g.path {
		return g.Sink.Open(ctx, path)
	}
	return io.NopCloser(io.LimitReader(spaces{}, manifest.MaxSize+2)), nil
}

// spaces has no end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestAManifestThatIsTooLargeOnlyWhenReadIsFound lists it with a size that it does not have.
func TestAManifestThatIsTooLargeOnlyWhenReadIsFound(t *testing.T) {
	t.Parallel()
	h := simulate(t, false, "2026-11-20", "2026-11-21")
	h.sink = growing{h.sink, manifest.Path("2026-11-21")}
	found(t, h.verified(t, nil), verify.Altered, manifest.Path("2026-11-21"))
}
