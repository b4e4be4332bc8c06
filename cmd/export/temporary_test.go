//go:build unix

package main_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// reconciling is a reconciliation that has made its temporary folder, and waits for records on a pipe
// that nobody writes to.
func reconciling(t *testing.T, dir, temp string) (said *bytes.Buffer, end func(signal syscall.Signal) int) {
	t.Helper()
	command := program(t, dir, "reconcile", "--expected", "-", "--format", "csv", "--config", "rollcall.hcl")
	command.Env = append(command.Env, "TMPDIR="+temp)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	said = &bytes.Buffer{}
	command.Stdin, command.Stdout, command.Stderr = r, io.Discard, said
	before := len(inside(t, temp))
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for len(inside(t, temp)) == before {
		select {
		case <-t.Context().Done():
			t.Fatal("no temporary folder was made")
		case <-time.After(10 * time.Millisecond): // another process: there is nothing to wait on
		}
	}
	return said, func(signal syscall.Signal) int {
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		return ended(t, command, 5*time.Second) // well before a stop that hangs is ended
	}
}

func inside(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "rollcall-*", "files")) // made when the lock is held
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestNothingIsLeftInTheTemporaryFolder(t *testing.T) {
	t.Parallel()
	dir, temp := t.TempDir(), t.TempDir()
	if text, err := program(t, dir, demo(dir, false)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}

	said, end := reconciling(t, dir, temp)
	if code := end(syscall.SIGTERM); code != 5 || !strings.Contains(said.String(), "Error: stopped by signal: terminated\nWhat to do: run the same command again\n") {
		t.Errorf("a signal ended it with %d: %s", code, said.String())
	}
	if left := inside(t, temp); len(left) > 0 {
		t.Errorf("a signal left %q", left)
	}

	_, living := reconciling(t, dir, temp)
	_, end = reconciling(t, dir, temp)
	end(syscall.SIGKILL)
	if left := inside(t, temp); len(left) != 2 {
		t.Fatalf("there is %q", left)
	}
	for _, args := range [][]string{{"verify"}, {"diff", night(t, dir), night(t, dir)}, {"plan"}} {
		command := program(t, dir, append(args, "--config", "rollcall.hcl")...)
		command.Env = append(command.Env, "TMPDIR="+temp)
		if text, err := command.CombinedOutput(); err != nil {
			t.Errorf("%q: %v: %s", args, err, text)
		}
		if left := inside(t, temp); len(left) != 1 {
			t.Errorf("after %q there is %q, and one process lives", args, left)
		}
	}
	if code := living(syscall.SIGINT); code != 5 || len(inside(t, temp)) > 0 {
		t.Errorf("it ended with %d and left %q", code, inside(t, temp))
	}
}

// night is the date that is sealed.
func night(t *testing.T, dir string) string {
	t.Helper()
	sealed, _ := filepath.Glob(filepath.Join(dir, "snapshots", "_snapshots", "*.json"))
	if len(sealed) != 1 {
		t.Fatalf("sealed is %q", sealed)
	}
	return strings.TrimSuffix(filepath.Base(sealed[0]), ".json")
}

func TestATemporaryFolderThatIsNotThereIsTheSettingsFault(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if text, err := program(t, dir, demo(dir, false)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, args := range [][]string{{"run"}, {"verify"}, {"plan"}, {"diff", night(t, dir), night(t, dir)}, {"reconcile", "--expected", "users.txt", "--format", "csv"}} {
		for folder, why := range map[string]string{"/nonexistent": "no such file or directory", filepath.Join(dir, "rollcall.hcl"): "not a directory"} {
			command := program(t, dir, append(args, "--config", "rollcall.hcl")...)
			command.Env = append(command.Env, "TMPDIR="+folder)
			text, _ := command.CombinedOutput()
			if code := command.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(text), folder+": "+why+"\nWhat to do: set TMPDIR") {
				t.Errorf("%q ended with %d: %s", args, code, text)
			}
		}
	}
}
