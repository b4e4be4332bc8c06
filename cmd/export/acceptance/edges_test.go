package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestATemporaryFolderThatIsNotThereIsNamedWithTMPDIR(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(), localSink)
	s.env = append(s.env, "TMPDIR="+filepath.Join(s.dir, "none"))
	s.run(0, "run", "--date", "2026-11-28", "--progress", "none") // which needs none
	s.write("list.csv", "group_id,user_id\n")
	s.write("file", "")
	for _, temporary := range []string{"none", "file"} {
		s.env[len(s.env)-1] = "TMPDIR=" + filepath.Join(s.dir, temporary)
		for _, command := range [][]string{{"verify"}, {"diff", "2026-11-28", "2026-11-28"}, {"plan"}, {"reconcile", "--expected", "list.csv"}} {
			_, stderr := s.run(2, command...)
			if !strings.Contains(stderr, filepath.Join(s.dir, temporary)+" (TMPDIR)") || !strings.Contains(stderr, "What to do: set TMPDIR") {
				t.Errorf("%v: %s", command, stderr)
			}
		}
	}
}

// Few files stop the run wherever one more is needed first, and nothing is blamed but the limit.
func TestARunThatCantOpenMoreFilesNamesTheLimit(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	s := newSite(t, small(), localSink)
	stopped := 0
	for _, most := range []string{"10", "14", "18", "24", "30"} {
		if err := os.RemoveAll(filepath.Join(s.dir, ".rollcall")); err != nil {
			t.Fatal(err)
		}
		command := Command(t, s.dir, s.env, "run", "--progress", "none")
		command.Args = append([]string{"sh", "-c", "ulimit -n " + most + "; exec \"$@\"", "sh"}, command.Args...)
		command.Path = "/bin/sh"
		said, err := command.CombinedOutput()
		if err == nil {
			continue // so many were enough
		}
		stopped++
		if code := command.ProcessState.ExitCode(); code > 2 || !strings.Contains(string(said), "too many open files") || !strings.Contains(string(said), "What to do: raise the limit on open files") {
			t.Errorf("with %s files: exit code %d: %s", most, code, said)
		}
	}
	if stopped < 3 {
		t.Errorf("the run was stopped %d times", stopped)
	}
}
