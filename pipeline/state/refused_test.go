package state_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rollcall/pipeline/state"
	"rollcall/schema/disk/disktest"
	"rollcall/schema/fault"
)

// TestAFolderThatCannotBeUsedIsRefusedWithAWayOut: exit code 2, and the words to act on.
func TestAFolderThatCannotBeUsedIsRefusedWithAWayOut(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a file")
	unlockable := t.TempDir()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(unlockable, "lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	readOnly := disktest.New(t, disktest.Options{Before: func(operation, path string) error {
		return &fs.PathError{Op: operation, Path: path, Err: syscall.EROFS}
	}})
	for name, c := range map[string]struct {
		options state.Options
		says    string
	}{
		"a file":               {state.Options{Path: file}, "not a directory"},
		"below a file":         {state.Options{Path: filepath.Join(file, "below")}, "not a directory"},
		"no lock can be taken": {state.Options{Path: unlockable}, "can't be locked"},
		"a read-only disk":     {state.Options{Path: filepath.Join(t.TempDir(), "new"), Disk: readOnly}, "read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.options.Random = func() uint64 { return 7 }
			_, err := state.Open(c.options)
			if err == nil || fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.options.Path) {
				t.Errorf("got %v of kind %v, want a configuration fault that says %q and names the folder", err, fault.KindOf(err), c.says)
			}
			if hint := fault.HintOf(err); !strings.Contains(hint, "--state") {
				t.Errorf("the hint %q offers no other folder", hint)
			}
		})
	}
}

func TestAFolderOfAnotherUserIsSaidToBeUnwritable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := state.Open(state.Options{Path: dir, Random: func() uint64 { return 7 }})
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "can't be written") || !strings.Contains(fault.HintOf(err), "let this user write") {
		t.Errorf("got %v, hint %q", err, fault.HintOf(err))
	}
}
