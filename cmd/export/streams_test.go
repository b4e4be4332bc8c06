//go:build unix

package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is the program as a process of its own, ready to start.
func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Dir = dir
	command.Env = append(os.Environ(), asProgram+"=yes")
	return command
}

// ended waits for the program, whatever its streams do, and gives its exit code: -1 of one that was
// killed.
func ended(t *testing.T, command *exec.Cmd, within time.Duration) int {
	t.Helper()
	late := time.AfterFunc(within, func() {
		t.Errorf("%q has not ended after %v", command.Args[1:], within)
		_ = command.Process.Kill()
	})
	defer late.Stop()
	if err := command.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode()
}

// closedPipe is a stream whose reader has gone.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	r.Close()
	return w
}

// fullPipe is a stream that takes nothing more, since its reader does not read.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	if err := w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 4<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the pipe is not full: %v", err)
	}
	return w
}

// fullDisk is a stream on which there is no room.
func fullDisk(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// demo is a whole job in a folder: a small one, or one that takes minutes.
func demo(dir string, long bool, more ...string) []string {
	args := []string{"demo", "--out", dir, "--progress", "log", "--oddities=false", "--groups", "8", "--latency", "1ms", "--users", "40"}
	if long {
		args[len(args)-1] = "20000"
	}
	return append(args, more...)
}

func TestNoReaderOfTheStreamsEndsOrHangsARun(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string]func(*testing.T) *os.File{"has gone": closedPipe, "does not read": fullPipe, "has no room": fullDisk} {
		for _, which := range []string{"stderr", "stdout", "both"} {
			t.Run(which+" "+name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				command := program(t, dir, demo(dir, false)...)
				var said bytes.Buffer
				command.Stdout, command.Stderr = &said, &said
				if which != "stdout" {
					command.Stderr = stream(t)
				}
				if which != "stderr" {
					command.Stdout = stream(t)
				}
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				if code := ended(t, command, time.Minute); code != 0 {
					t.Errorf("the run ended with %d: %s", code, said.String())
				}
				if sealed, _ := filepath.Glob(filepath.Join(dir, "snapshots", "_snapshots", "*.json")); len(sealed) != 1 {
					t.Errorf("sealed is %q: %s", sealed, said.String())
				}
				if which == "stderr" && !strings.Contains(said.String(), "Sealed ") || strings.Contains(said.String(), "broken pipe") {
					t.Errorf("the answer is %q", said.String())
				}
				if lost := strings.Contains(said.String(), "the answer could not be written"); which == "stdout" && lost == (name == "has gone") {
					t.Errorf("the talk is %q", said.String())
				}
			})
		}
	}
}

// atWork waits until a run has a state folder, and gives its date's.
func atWork(t *testing.T, dir string) string {
	t.Helper()
	for {
		if found, _ := filepath.Glob(filepath.Join(dir, ".rollcall", "*", "progress.json")); len(found) > 0 {
			return filepath.Dir(found[0])
		}
		select {
		case <-t.Context().Done():
			t.Fatal("no run has begun")
		case <-time.After(10 * time.Millisecond): // another process: there is nothing to wait on
		}
	}
}

func TestSignalsStopARunWhoseOutputNobodyReads(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		for _, progress := range []string{"log", "bar"} {
			t.Run(signal.String()+" "+progress, func(t *testing.T) {
				t.Parallel()
				if ossignal.Ignored(signal) {
					t.Skip("these tests were begun with nohup, and so is what they begin")
				}
				dir := t.TempDir()
				command := program(t, dir, demo(dir, true, "--progress", progress)...)
				command.Stdout, command.Stderr = fullPipe(t), fullPipe(t)
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				night := atWork(t, dir)
				if err := command.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				if code := ended(t, command, 12*time.Second); code != 5 {
					t.Errorf("the run ended with %d", code)
				}
				if _, err := os.Stat(night); err != nil {
					t.Error("what was fetched is not kept: ", err)
				}
				if held, _ := filepath.Glob(filepath.Join(dir, "snapshots", "_locks", "*.json")); len(held) > 0 {
					t.Errorf("the lock was left: %q", held)
				}
			})
		}
	}
}

func TestATerminalThatIsClosedStopsNoRunBegunWithNohup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command := program(t, dir)
	command.Path = "/bin/sh"
	command.Args = append([]string{"sh", "-c", `trap '' HUP; exec "$@"`, "sh", os.Args[0]}, demo(dir, false)...)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	atWork(t, dir)
	if err := command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if code := ended(t, command, time.Minute); code != 0 {
		t.Errorf("the run ended with %d: %s", code, said.String())
	}
}

func TestAnAnswerThatCantBeWrittenIsAFailureAndOneThatNobodyWantsIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if text, err := program(t, dir, demo(dir, false)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, c := range []struct {
		args []string
		full int // exit code where there is no room
	}{
		{[]string{"snapshots"}, 1},
		{[]string{"snapshots", "--json"}, 1},
		{[]string{"verify"}, 1},
		{[]string{"sql", "duckdb"}, 1},
		{[]string{"report", "--out", "-"}, 1},
		{[]string{"plan", "--json"}, 1},
		{[]string{"status"}, 1},
		{[]string{"validate"}, 1},
		{[]string{"help"}, 1},
		{[]string{"version"}, 1},
		{[]string{"run"}, 0}, // the date is sealed
		{[]string{"run", "--json"}, 0},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			for name, of := range map[string]struct {
				stream func(*testing.T) *os.File
				code   int
			}{"has gone": {closedPipe, 0}, "has no room": {fullDisk, c.full}} {
				command := program(t, dir, slices.Concat(c.args, []string{"--config", "rollcall.hcl"})...)
				if c.args[0] == "help" {
					command = program(t, dir, c.args...)
				}
				var said bytes.Buffer
				command.Stdout, command.Stderr = of.stream(t), &said
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				if code := ended(t, command, time.Minute); code != of.code {
					t.Errorf("with a reader that %s it ends with %d, want %d: %s", name, code, of.code, said.String())
				}
				if told := strings.Contains(said.String(), "no space left on device"); told != (name == "has no room") || name == "has gone" && said.Len() > 0 {
					t.Errorf("with a reader that %s it says %q", name, said.String())
				}
			}
		})
	}
}
