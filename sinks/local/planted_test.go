package local_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/local"
)

// treasure is a file outside the sink that no run may touch.
const treasure = "treasure"

// paths that a run writes or makes.
func written() []string {
	return []string{
		"_locks", "_locks/run.json", "_locks/run.json.tmp", ".staging",
		"users", "users/snapshot_date=" + today, "users/snapshot_date=" + today + "/part-00000.parquet",
		"_snapshots", "_snapshots/" + today + ".json",
	}
}

// plant puts something at a path below root.
func plant(t *testing.T, root, path string, make func(at string) error) {
	t.Helper()
	at := filepath.Join(root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), make(at)); err != nil {
		t.Skip(err)
	}
}

// within gives what do gives, unless that hangs.
func within(t *testing.T, do func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("it hangs")
		return nil
	}
}

// plants are what may lie where a plain file or folder belongs; each gives what is outside.
func plants(outside string) map[string]func(at string) error {
	link := func(to string) func(at string) error {
		return func(at string) error { return os.Symlink(to, at) }
	}
	return map[string]func(at string) error{
		"a link to a file":    link(filepath.Join(outside, treasure)),
		"a link to a folder":  link(outside),
		"a link to nothing":   link(filepath.Join(outside, "nothing")),
		"a link to /dev/zero": link("/dev/zero"),
		"a pipe":              func(at string) error { return syscall.Mkfifo(at, 0o666) },
		"a device":            func(at string) error { return syscall.Mknod(at, syscall.S_IFCHR|0o666, 1<<8|5) },
	}
}

func TestNothingPlantedIsFollowedOrOpened(t *testing.T) {
	t.Parallel()
	for _, path := range written() {
		for name, make := range plants("") {
			t.Run(name+" at "+path, func(t *testing.T) {
				t.Parallel()
				root, outside := filepath.Join(t.TempDir(), "snapshots"), t.TempDir()
				if err := os.WriteFile(filepath.Join(outside, treasure), []byte("gold"), 0o644); err != nil {
					t.Fatal(err)
				}
				make = plants(outside)[name]
				plant(t, root, path, make)
				err := within(t, func() error { return attempt(t, open(t, root, nil)) })
				_, planted := errors.AsType[*disk.NotPlainError](err)
				sealed := path == "_snapshots/"+today+".json" && isSealed(err)
				if leftover := strings.HasSuffix(path, ".tmp") || strings.HasSuffix(path, ".parquet"); leftover && err != nil || !leftover && !planted && !sealed {
					t.Errorf("got %v", err)
				}
				if planted && (fault.KindOf(err) != fault.Configuration || !strings.Contains(fault.HintOf(err), "remove it") || !strings.Contains(err.Error(), filepath.Join(root, path))) {
					t.Errorf("got %v, kind %v, hint %q", err, fault.KindOf(err), fault.HintOf(err))
				}
				untouched(t, outside)
			})
		}
	}
}

// TestNothingIsLockedWhereATableCannotLie demands that the lock be refused, and not kept, while something
// else lies in the place of a table's folder or of the date's in it.
func TestNothingIsLockedWhereATableCannotLie(t *testing.T) {
	t.Parallel()
	for _, partition := range sinks.Partitions(today) {
		for _, path := range []string{filepath.Dir(filepath.Clean(partition)), filepath.Clean(partition)} {
			kinds := plants("")
			kinds["a plain file"] = func(at string) error { return os.WriteFile(at, nil, 0o644) }
			for name := range kinds {
				t.Run(name+" at "+path, func(t *testing.T) {
					t.Parallel()
					root, outside := filepath.Join(t.TempDir(), "snapshots"), t.TempDir()
					make := kinds[name]
					if other, is := plants(outside)[name]; is {
						make = other
					}
					plant(t, root, path, make)
					sink := open(t, root, nil)
					owner := sinks.Owner{State: "a", Date: today, Since: time.Now()}
					err := within(t, func() error { _, err := sink.Lock(t.Context(), owner); return err })
					if fault.KindOf(err) != fault.Configuration || fault.HintOf(err) == "" || !strings.Contains(err.Error(), filepath.Join(root, path)) {
						t.Fatalf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
					}
					if err := os.Remove(filepath.Join(root, path)); err != nil {
						t.Fatal(err)
					}
					owner.State = "b"
					lock, err := sink.Lock(t.Context(), owner)
					if err != nil {
						t.Fatal(err)
					}
					if err := lock.Release(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

func isSealed(err error) bool { _, ok := errors.AsType[*sinks.SealedError](err); return ok }

// untouched demands that outside holds what it held.
func untouched(t *testing.T, outside string) {
	t.Helper()
	entries, err := os.ReadDir(outside)
	content, read := os.ReadFile(filepath.Join(outside, treasure))
	if err != nil || read != nil || len(entries) != 1 || string(content) != "gold" {
		t.Errorf("outside there are %v, and the treasure is %q: %v, %v", entries, content, err, read)
	}
}

func TestReportsFollowNothingThatWasPlanted(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"_reports", sinks.ReportPath(today), sinks.ReportPath(today) + ".tmp", ".staging"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			root, outside := filepath.Join(t.TempDir(), "snapshots"), t.TempDir()
			if err := os.WriteFile(filepath.Join(outside, treasure), []byte("gold"), 0o644); err != nil {
				t.Fatal(err)
			}
			target := filepath.Join(outside, treasure)
			if !strings.Contains(path, "/") {
				target = outside
			}
			plant(t, root, path, func(at string) error { return os.Symlink(target, at) })
			err := open(t, root, nil).Publish(t.Context(), sinks.ReportPath(today), []byte("page"))
			if _, planted := errors.AsType[*disk.NotPlainError](err); planted == strings.Contains(path, "/") {
				t.Errorf("got %v", err)
			}
			untouched(t, outside)
		})
	}
}

func TestReadingRefusesAtOnceWhatIsNoFile(t *testing.T) {
	t.Parallel()
	part := "users/snapshot_date=" + today + "/part-00000.parquet"
	for _, path := range []string{part, "_snapshots/" + today + ".json", "users", "users/snapshot_date=" + today} {
		for name := range plants("") {
			t.Run(name+" at "+path, func(t *testing.T) {
				t.Parallel()
				root, outside := filepath.Join(t.TempDir(), "snapshots"), t.TempDir()
				if err := os.WriteFile(filepath.Join(outside, treasure), []byte("gold"), 0o644); err != nil {
					t.Fatal(err)
				}
				plant(t, root, path, plants(outside)[name])
				reading := path
				if strings.HasPrefix(part, path) {
					reading = part
				}
				sink := open(t, root, nil)
				for what, read := range map[string]func() error{
					"Open":   func() error { _, err := sink.Open(t.Context(), reading); return err },
					"OpenAt": func() error { _, err := sink.OpenAt(t.Context(), reading); return err },
				} {
					err := within(t, read)
					if _, planted := errors.AsType[*disk.NotPlainError](err); !planted {
						t.Errorf("%s: %v", what, err)
					}
				}
				if listed := list(t, sink, "users/"); strings.HasPrefix(path, "users") && (len(listed) != 1 || listed[0].Path != path || listed[0].NotPlain == "") {
					t.Errorf("listed %+v", listed)
				}
			})
		}
	}
}

func list(t *testing.T, sink sinks.Sink, folder string) (all []sinks.Object) {
	t.Helper()
	for object, err := range sink.List(t.Context(), folder) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object)
	}
	return all
}

func TestTheSinksOwnPathMayBeALink(t *testing.T) {
	t.Parallel()
	real := filepath.Join(t.TempDir(), "real")
	root := filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Mkdir(real, 0o755), os.Symlink(real, root)); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{root, root + "/."} {
		if err := attempt(t, open(t, given, nil)); err != nil && !isSealed(err) {
			t.Fatal(err)
		}
	}
	if found := walk(t, real, false); len(found) != 2 {
		t.Errorf("there are %q", found)
	}
}

func TestALockWhoseHolderStandsStillInAChangeIsHeld(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	c := &contest{t: t, root: root}
	late := c.process("a", today, false, 0)
	sink, err := local.Open(local.Config{Path: root, Now: time.Now, Disk: late.disk})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := sink.Lock(t.Context(), sinks.Owner{State: "a", Host: "elsewhere", PID: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release(context.Background())
	folder, err := os.Open(filepath.Join(root, "_locks"))
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	impatient, err := local.Open(local.Config{Path: root, Now: time.Now, Pace: pace(50 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = impatient.Lock(t.Context(), sinks.Owner{State: "a", Host: "here", PID: 8})
	if held, ok := errors.AsType[*sinks.HeldError](err); !ok || held.Owner.Host != "elsewhere" || held.Owner.PID != 7 {
		t.Errorf("got %v", err)
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
}
