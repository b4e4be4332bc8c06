package scratch_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/cmd/export/scratch"
	"rollcall/schema/fault"
)

func newFolder(t *testing.T, parent string) *scratch.Folder {
	t.Helper()
	f, err := scratch.New(parent, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Remove)
	return f
}

func TestWhatTheDeadLeftIsSweptAndTheLivingKeepTheirs(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	living := newFolder(t, parent)
	dead := filepath.Join(parent, "rollcall-scratch-123")
	outside := filepath.Join(t.TempDir(), "precious")
	for path, text := range map[string]string{
		filepath.Join(dead, "rollcall.lock"):                           "",
		filepath.Join(dead, "sorted-1", "000001.run"):                  "rows",
		filepath.Join(parent, "rollcall-scratch-mine", "no lock here"): "not of this package",
		filepath.Join(parent, "rollcall-verify-1", "rollcall.lock"):    "another name",
		outside: "what a link leads to",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(dead, "link")); err != nil {
		t.Fatal(err)
	}
	early, late := filepath.Join(parent, "rollcall-scratch-early"), filepath.Join(parent, "rollcall-scratch-late") // killed before there was a lock, and about to lock
	for path, age := range map[string]time.Duration{early: time.Hour, late: time.Minute} {
		made := time.Now().Add(-age)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chtimes(path, made, made)); err != nil {
			t.Fatal(err)
		}
	}
	mine := newFolder(t, parent)
	if _, err := os.Stat(early); !os.IsNotExist(err) {
		t.Error("what a process left that was killed before it had a lock is still there")
	}
	if _, err := os.Stat(late); err != nil {
		t.Error("a folder was taken from a process that is about to lock it")
	}
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Error("what a dead process left is still there")
	}
	for _, path := range []string{living.Path, mine.Path, filepath.Join(parent, "rollcall-scratch-mine", "no lock here"), filepath.Join(parent, "rollcall-verify-1"), outside} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s was taken away", path)
		}
	}
	if info, err := os.Stat(mine.Path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has the mode %v: %v", info.Mode(), err)
	}
	mine.Remove()
	mine.Remove()
	if _, err := os.Stat(filepath.Dir(mine.Path)); !os.IsNotExist(err) {
		t.Error("a folder was not removed")
	}
}

func TestManyProcessesAtOnceTakeNobodysFolderAway(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				f, err := scratch.New(parent, time.Now)
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(f.Path, "a file"), nil, 0o600); err != nil {
					t.Error(err)
				}
				f.Remove()
			}
		})
	}
	all.Wait()
}

func TestAFolderThatCantBeMadeIsAFaultThatNamesTMPDIR(t *testing.T) {
	t.Parallel()
	parent := filepath.Join(t.TempDir(), "none")
	_, err := scratch.New(parent, time.Now)
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), parent) || !strings.Contains(fault.HintOf(err), "TMPDIR") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}
