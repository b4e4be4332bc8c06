package applock_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rollcall/pipeline/applock"
	"rollcall/schema/fault"
)

// No goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	me  = applock.Holder{PID: 4711, Host: "batch-1", Since: time.Date(2026, 11, 21, 1, 5, 0, 0, time.UTC), State: "/srv/a/.rollcall", Sink: "s3://lake/a", Date: "2026-11-21"}
	app = applock.App{Source: "rongcloud.prod", Vendor: "rongcloud", ID: "key"}
)

// place is one machine's folder for locks.
func place(t *testing.T) applock.Place {
	return applock.Place{Folders: []applock.Folder{{Path: filepath.Join(t.TempDir(), "rollcall")}}, UID: os.Getuid()}
}

func take(t *testing.T, p applock.Place, apps ...applock.App) *applock.Locks {
	t.Helper()
	l, err := applock.Take(p, apps, me)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Release(time.Time{}) })
	return l
}

func TestAnAppIsAskedByOneRunAtATime(t *testing.T) {
	t.Parallel()
	p := place(t)
	first := take(t, p, app)
	_, err := applock.Take(p, []applock.App{app}, applock.Holder{PID: 1})
	held := &applock.HeldError{}
	if !errors.As(err, &held) || held.Holder != me || fault.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"source.rongcloud.prod", "process 4711", "2026-11-21T01:05:00Z", "/srv/a/.rollcall", "s3://lake/a"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %s", err, want)
		}
	}
	if err := first.Release(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if next := take(t, p, app); next.Recent || next.Skipped != nil {
		t.Errorf("after the first has ended: %+v", next)
	}
}

func TestWhichAppsAreOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(a *applock.App)
		same   bool
	}{
		"the same":                    {func(*applock.App) {}, true},
		"under another source's name": {func(a *applock.App) { a.Source = "rongcloud.test" }, true},
		"another app":                 {func(a *applock.App) { a.ID = "other" }, false},
		"another vendor":              {func(a *applock.App) { a.Vendor = "tencentchat" }, false},
		"a simulated vendor's":        {func(a *applock.App) { a.Address = "loopback:8080" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, other := place(t), app
			c.change(&other)
			take(t, p, app)
			l, err := applock.Take(p, []applock.App{other}, me)
			if held := err != nil; held != c.same {
				t.Errorf("got %v", err)
			}
			if l != nil {
				l.Release(time.Time{})
			}
		})
	}
}

func TestWhoLacksOneLockHoldsNone(t *testing.T) {
	t.Parallel()
	p := place(t)
	other, third := app, app
	other.ID, third.ID = "other", "third"
	take(t, p, other)
	if _, err := applock.Take(p, []applock.App{app, other, third, app}, me); err == nil {
		t.Fatal("it was taken")
	}
	take(t, p, app, third, app)
}

func TestTheAppIsNotNamedInAFileName(t *testing.T) {
	t.Parallel()
	p := place(t)
	take(t, p, app)
	entries, err := os.ReadDir(p.Folders[0].Path)
	if err != nil || len(entries) != 1 || strings.Contains(entries[0].Name(), app.ID+".") {
		t.Errorf("%v, %v", entries, err)
	}
	info, err := os.Stat(filepath.Join(p.Folders[0].Path, entries[0].Name()))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestAFolderThatIsNotTheUsersAloneIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(path string, p *applock.Place) error{
		"a link": func(path string, _ *applock.Place) error {
			return errors.Join(os.Mkdir(path+".real", 0o700), os.Symlink(path+".real", path))
		},
		"a link to nowhere": func(path string, _ *applock.Place) error { return os.Symlink(path+".real", path) },
		"a file":            func(path string, _ *applock.Place) error { return os.WriteFile(path, nil, 0o600) },
		"a pipe":            func(path string, _ *applock.Place) error { return syscall.Mkfifo(path, 0o600) },
		"a folder that others read": func(path string, _ *applock.Place) error {
			return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o755))
		},
		"another user's":    func(path string, p *applock.Place) error { p.UID++; return os.Mkdir(path, 0o700) },
		"nothing to lie in": func(path string, p *applock.Place) error { p.Folders[0].Path = filepath.Join(path, "a"); return nil },
		"a runtime folder that others read": func(path string, p *applock.Place) error {
			p.Folders[0].Within = true
			return os.Chmod(filepath.Dir(path), 0o755)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := place(t)
			if err := plant(p.Folders[0].Path, &p); err != nil {
				t.Fatal(err)
			}
			if l := take(t, p, app); l.Skipped == nil {
				t.Error("it was used")
			}
			if entries, _ := os.ReadDir(p.Folders[0].Path); len(entries) > 0 {
				t.Errorf("it holds %v", entries)
			}
			p.Folders = append(p.Folders, place(t).Folders...) // beside it is one that can be used
			p.UID = os.Getuid()
			if l := take(t, p, app); l.Skipped != nil {
				t.Errorf("with a good folder beside it: %v", l.Skipped)
			}
			if _, err := applock.Take(p, []applock.App{app}, me); err == nil {
				t.Error("the good folder's lock is no lock")
			}
		})
	}
}

func TestALockFileThatIsALinkIsNotWrittenThrough(t *testing.T) {
	t.Parallel()
	p := place(t)
	take(t, p, app).Release(time.Time{})
	entries, err := os.ReadDir(p.Folders[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	lock, precious := filepath.Join(p.Folders[0].Path, entries[0].Name()), filepath.Join(t.TempDir(), "precious")
	if err := errors.Join(os.Remove(lock), os.WriteFile(precious, []byte("precious"), 0o600), os.Symlink(precious, lock)); err != nil {
		t.Fatal(err)
	}
	if l := take(t, p, app); l.Skipped == nil {
		t.Error("it was used")
	}
	if text, err := os.ReadFile(precious); string(text) != "precious" || err != nil {
		t.Errorf("it now holds %q, %v", text, err)
	}
}

// TestALockFileThatIsMadeAnewWhileItIsTakenIsNotHeld lets a cleaner remove the file all the time, as one may
// that holds the lock itself. Whoever is told that he has the lock has that of the file that others find.
func TestALockFileThatIsMadeAnewWhileItIsTakenIsNotHeld(t *testing.T) {
	t.Parallel()
	p := place(t)
	take(t, p, app).Release(time.Time{})
	entries, err := os.ReadDir(p.Folders[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.Folders[0].Path, entries[0].Name())
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = whileLocked(path, func() { _ = os.Remove(path) })
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	for taken := 0; taken < 1500; {
		l, err := applock.Take(p, []applock.App{app}, me)
		if err != nil || l.Skipped != nil {
			continue // the cleaner had it
		}
		taken++
		if err := whileLocked(path, func() {}); err == nil {
			t.Fatalf("take %d is no lock: another has it, too", taken)
		}
		if err := l.Release(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
}

// whileLocked does something while it has the lock of the file that has that name.
func whileLocked(path string, do func()) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return err
	}
	locked, err := file.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Lstat(path); err != nil || !os.SameFile(locked, named) {
		return errors.Join(err, fs.ErrNotExist)
	}
	do()
	return nil
}

func TestRunsMeetInAnyOfTheirFolders(t *testing.T) {
	t.Parallel()
	session, scheduler := place(t), place(t)
	session.Folders = slices.Concat(place(t).Folders, scheduler.Folders) // a session has a folder that schedulers lack
	take(t, scheduler, app)
	if _, err := applock.Take(session, []applock.App{app}, me); err == nil {
		t.Error("they don't meet")
	}
}

// TestAKilledHolderFreesAtOnce has another process hold the lock, and kills it.
func TestWhoseRequestsStillCountFreesAtOnceToo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		counting time.Time
		recent   bool
	}{
		"they still count":  {me.Since.Add(time.Second), true},
		"they have counted": {me.Since.Add(-time.Second), false},
		"there were none":   {time.Time{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := place(t)
			if err := take(t, p, app).Release(c.counting); err != nil {
				t.Fatal(err)
			}
			if next := take(t, p, app); next.Recent != c.recent || next.Skipped != nil {
				t.Errorf("recent %v, skipped %v", next.Recent, next.Skipped)
			}
		})
	}
}

func TestAKilledHolderFreesAtOnce(t *testing.T) {
	t.Parallel()
	flock, err := exec.LookPath("flock")
	if err != nil {
		t.Skip("flock(1) is not there")
	}
	p := place(t)
	take(t, p, app).Release(time.Time{})
	entries, err := os.ReadDir(p.Folders[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(p.Folders[0].Path, entries[0].Name())
	if err := os.WriteFile(lock, []byte(`{"pid":7,"sink":"s3://lake/b"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	holder := exec.Command(flock, "--no-fork", lock, "sh", "-c", "echo held; exec sleep 60")
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	held := &applock.HeldError{}
	if _, err := applock.Take(p, []applock.App{app}, me); !errors.As(err, &held) || held.Holder.PID != 7 {
		t.Errorf("while it lives: %v", err)
	}
	holder.Process.Kill()
	_ = holder.Wait()
	if l := take(t, p, app); !l.Recent || l.Skipped != nil {
		t.Errorf("after it was killed: %+v", l)
	}
}
