package state_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline/state"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestTheFolderSaysWhatItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir)
	got := read(t, filepath.Join(dir, "README"))
	golden := filepath.Join("testdata", "README.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, golden); got != want {
		t.Errorf("the README differs (go test ./pipeline/state -update rewrites it):\n%s", got)
	}
	if got := read(t, filepath.Join(dir, "version")); got != "2\n" {
		t.Errorf("the version is %q", got)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAFolderOfANewerVersionIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	for version, message := range map[string]string{
		"3\n":      " is of version 3, and this program knows versions up to 2",
		"soon\n":   "version holds no version",
		"-1\n":     "version holds no version",
		"\x00\x00": "version holds no version",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "version"), version)
		_, err := state.Open(state.Options{Path: dir, Random: func() uint64 { return 1 }})
		if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), message) || fault.HintOf(err) == "" {
			t.Errorf("version %q: %v, hint %q", version, err, fault.HintOf(err))
		}
		if _, err := state.Nights(dir); fault.KindOf(err) != fault.Configuration {
			t.Errorf("version %q is read without holding the folder: %v", version, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "README")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("version %q: the folder was changed (%v)", version, err)
		}
		os.Remove(filepath.Join(dir, "version"))
		open(t, dir) // the refusal gave the lock back
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderFromBeforeVersionsIsTakenUpAndTightened(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	night := filepath.Join(dir, "2026-11-21")
	write(t, filepath.Join(night, "night.json"), `{"date":"2026-11-21","started":"2026-11-21T01:00:00Z","generation":1,"binding":["data: a"],"lists":{}}`)
	write(t, filepath.Join(night, "spool", "run-000001-000001", "rows.arrow"), "rows")
	write(t, filepath.Join(night, "keys", "7374616666.keys"), "u1")
	write(t, filepath.Join(dir, "owner"), "00000000000000ff\n")
	if err := os.Symlink(night, filepath.Join(night, "link")); err != nil {
		t.Fatal(err)
	}
	f := open(t, dir)
	if f.Owner != "00000000000000ff" || read(t, filepath.Join(dir, "version")) != "2\n" {
		t.Errorf("taken up as %s", f.Owner)
	}
	if _, resumed, err := f.Begin("2026-11-21", []string{"data: a"}, time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)); err != nil || !resumed {
		t.Errorf("resumed %v, %v", resumed, err)
	}
	private(t, dir)
}

// private fails where anybody else may do anything in the folder.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFolderThatHoldsOtherThingsKeepsThemAndItsOwnMode(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "shared")
	write(t, filepath.Join(dir, "notes", "mine.txt"), "mine")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	for _, path := range []string{dir, filepath.Join(dir, "notes"), filepath.Join(dir, "notes", "mine.txt")} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o044 == 0 {
			t.Errorf("%s: %v, %v", path, info.Mode().Perm(), err)
		}
	}
	private(t, filepath.Join(dir, "owner"))
}

func TestTheHolderIsNamedWhileItHoldsTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	if h, there, err := state.ReadHolder(dir); h != me || !there || err != nil {
		t.Errorf("%+v, %v, %v", h, there, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if h, there, err := state.ReadHolder(dir); there || err != nil {
		t.Errorf("after it was given back: %+v, %v", h, err)
	}
	write(t, filepath.Join(dir, "holder.json"), "{")
	if h, there, err := state.ReadHolder(dir); there || err != nil {
		t.Errorf("of a damaged file: %+v, %v", h, err)
	}
}

// stubborn is a disk on which nothing can be removed.
type stubborn struct{ disk.Disk }

func (stubborn) RemoveAll(string) error { return errors.New("the machine has stopped") }

func TestADiscardedNightIsGoneWholeEvenWhenCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := state.Open(state.Options{Path: dir, Random: func() uint64 { return 7 }, Disk: stubborn{disk.OS{}}})
	if err != nil {
		t.Fatal(err)
	}
	night, _, err := f.Begin("2026-11-21", []string{"data: a"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(night.Spool(), "run-000001-000001", "rows.arrow"), "rows")
	if err := f.Discard("2026-11-21"); err == nil {
		t.Fatal("a disk that refuses to remove was not heard")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	if nights, err := again.Nights(); err != nil || len(nights) != 0 {
		t.Errorf("left: %+v, %v", nights, err)
	}
	if entries, err := filepath.Glob(filepath.Join(dir, "discarded-*")); err != nil || len(entries) != 0 {
		t.Errorf("not swept away: %v, %v", entries, err)
	}
	if _, resumed, err := again.Begin("2026-11-21", []string{"data: b"}, time.Now()); err != nil || resumed {
		t.Errorf("begun anew: resumed %v, %v", resumed, err)
	}
	if runs, err := os.ReadDir(night.Spool()); err != nil || len(runs) != 0 {
		t.Errorf("the new night begins with %v, %v", runs, err)
	}
}
