//go:build unix

package main_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// printed are the commands that an answer offers: lines of two blanks that begin with one of the words.
func printed(answer string, words ...string) (commands []string) {
	for line := range strings.Lines(answer) {
		line = strings.TrimRight(line, "\n")
		for _, word := range words {
			if strings.HasPrefix(line, "  "+word+" ") {
				commands = append(commands, strings.TrimSpace(line))
			}
		}
	}
	return commands
}

// shell gives a folder with the program in it, and what runs a command there.
func shell(t *testing.T) (dir string, sh func(command string) string) {
	t.Helper()
	dir = t.TempDir()
	binary, err := os.ReadFile(os.Args[0])
	if err == nil { // where `go run` has it, the program would say to type that
		err = errors.Join(os.Mkdir(filepath.Join(dir, "tmp"), 0o700), os.WriteFile(filepath.Join(dir, "rollcall"), binary, 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, func(command string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "sh", "-c", command)
		c.Dir, c.Env = dir, append(os.Environ(), asProgram+"=yes", "TMPDIR="+filepath.Join(dir, "tmp"))
		text, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, text)
		}
		return string(text)
	}
}

// small are the flags of a demo that takes a second.
const small = " --progress none --oddities=false --users 40 --groups 8 --latency 1ms"

func TestTheReadmesTwoNightsCanBeTyped(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(readme), "```sh\ngo run ./cmd/export demo --out two ")
	block, _, closed := strings.Cut("go run ./cmd/export demo --out two "+block, "```")
	if !found || !closed {
		t.Fatal("the README has no two nights")
	}
	if exec.Command("date", "-u", "-d", "yesterday").Run() != nil {
		t.Skip("date knows no yesterday")
	}
	_, sh := shell(t)
	var said []string
	for line := range strings.Lines(block) {
		command, _, _ := strings.Cut(line, "    # ")
		command = strings.ReplaceAll(strings.TrimSpace(command), "go run ./cmd/export", "./rollcall")
		if strings.Contains(command, " demo ") {
			command += small
		}
		said = append(said, sh(command))
	}
	if len(said) != 4 || !strings.Contains(said[1], " joined") || !strings.Contains(said[2], " left, in ") || !strings.Contains(said[3], "two/report.html") {
		t.Errorf("%q", said)
	}
}

// TestEveryCommandThatTheDemoPrintsCanBeTyped as it stands, in the folder in which the demo was started: also for
// two nights in the same sink.
func TestEveryCommandThatTheDemoPrintsCanBeTyped(t *testing.T) {
	t.Parallel()
	dir, sh := shell(t)
	demo := "./rollcall demo --out 'a demo'" + small
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	first := sh(demo + " --date " + yesterday)
	_, duckdb := exec.LookPath("duckdb")
	ran := 0
	for _, command := range printed(first, "./rollcall") {
		if duckdb != nil {
			command, _, _ = strings.Cut(command, " && duckdb ")
		}
		switch said := sh(command); {
		case strings.Contains(command, " demo --night 1 "):
			if strings.Contains(command, "--date") || !strings.Contains(said, "  since "+yesterday+": ") || !strings.Contains(said, " joined") || !strings.Contains(said, " left") {
				t.Errorf("%s: %s", command, said)
			}
		case strings.Contains(command, " snapshots "):
			if !strings.Contains(said, "\n"+yesterday) {
				t.Errorf("%s: %s", command, said)
			}
		case strings.Contains(command, " explain "):
			if !strings.Contains(said, "Group g000001 of rongcloud.demo") {
				t.Errorf("%s: %s", command, said)
			}
		}
		ran++
	}
	for _, file := range []string{"a demo/report.html", "a demo/views.sql", "rollcall.hcl"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s was not written: %v", file, err)
		}
	}
	again := printed(sh(demo), "rm")
	if ran != 6 || len(again) != 1 {
		t.Fatalf("%d commands in\n%s\nand then %q", ran, first, again)
	}
	if said := sh(again[0]); !strings.Contains(said, "Sealed ") || strings.Contains(said, "was sealed before") {
		t.Errorf("%s: %s", again[0], said)
	}
}
