package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/pipeline/state"
	"rollcall/schema/fault"
	"rollcall/schema/process"
)

// as opens a folder as another process than those before, to whom the processes in alive can be seen.
func as(dir string, pid int, alive ...int) (*state.Folder, error) {
	holder := me
	holder.PID, holder.Process = pid, process.Identity{PID: pid}
	return state.Open(state.Options{Path: dir, Random: func() uint64 { return 7 }, Holder: holder, Look: func(i process.Identity) process.Liveness {
		for _, pid := range alive {
			if i.PID == pid {
				return process.Alive
			}
		}
		return map[bool]process.Liveness{true: process.Dead}[i.PID != 0]
	}})
}

func TestARemovedLockFileLetsNobodyIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := as(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Held(); err != nil {
		t.Errorf("before: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	held := &state.HeldError{}
	if err := first.Held(); !errors.As(err, &held) || !held.Lost || fault.HintOf(err) == "" {
		t.Errorf("the process at work is told %v", err)
	}
	if _, err := as(dir, 2, 1); !errors.As(err, &held) || held.Holder.PID != 1 || !strings.Contains(err.Error(), "process 1 on batch-1") {
		t.Errorf("another one is told %v", err)
	}
	if err := first.Held(); err == nil { // the other one's attempt has left a file of that name
		t.Error("the process at work takes the new file for its own")
	}
	first.Close()
	if _, there, _ := state.ReadHolder(dir); !there {
		t.Error("who lost the lock removed what says who works here")
	}
	again, err := as(dir, 3)
	if err != nil {
		t.Fatalf("after it has ended: %v", err)
	}
	again.Close()
}

func TestAFolderIsTakenUpWhereNobodyIsKnownToBeAlive(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(dir string) (*state.Folder, error){
		"the holder is dead": func(dir string) (*state.Folder, error) { return as(dir, 2) },
		"nobody can tell": func(dir string) (*state.Folder, error) {
			return state.Open(state.Options{Path: dir, Random: func() uint64 { return 7 }, Holder: me})
		},
		"the holder is who takes it up": func(dir string) (*state.Folder, error) { return as(dir, 1, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "holder.json"), `{"pid":1,"host":"batch-1","command":"run","since":"2026-11-21T01:05:00Z","process":{"pid":1}}`)
			f, err := open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if h, _, _ := state.ReadHolder(dir); h != f.Holder {
				t.Errorf("it says %+v works here", h)
			}
			f.Close()
		})
	}
}

func TestALockFileThatIsReplacedIsNoticed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	other := filepath.Join(dir, "lock.new")
	write(t, other, "")
	if err := os.Rename(other, filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if err := f.Held(); err == nil {
		t.Error("it is not noticed")
	}
}
