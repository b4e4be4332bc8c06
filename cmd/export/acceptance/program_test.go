package acceptance

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// module is Rollcall's root, seen from this folder.
const module = "../../.."

// program is built once for all tests.
var program struct {
	once   sync.Once
	folder string
	path   string
	err    error
}

// Build builds the program once, as it is released: static, without C.
func Build(t testing.TB) string {
	t.Helper()
	program.once.Do(func() {
		if program.folder, program.err = os.MkdirTemp("", "rollcall"); program.err != nil {
			return
		}
		program.path = filepath.Join(program.folder, "rollcall")
		build := exec.Command("go", "build", "-trimpath", "-o", program.path, "./cmd/export")
		build.Dir = module
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if talk, err := build.CombinedOutput(); err != nil {
			program.err = errors.Join(err, errors.New(string(talk)))
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

// forget removes what Build made.
func forget() {
	if program.folder != "" {
		os.RemoveAll(program.folder)
	}
}

// Command is the program in dir, ready to start. Its environment is env and, of this process's own, what
// a program can't do without: nothing of the machine's AWS settings reaches it.
func Command(t testing.TB, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	if len(args) > 0 && args[0] == "run" {
		args = append(slices.Clone(args), "--backdate") // the tests' dates are of the past
	}
	command := exec.Command(Build(t), args...)
	command.Dir = dir
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, set := os.LookupEnv(name); set {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	command.Env = append(command.Env, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true")
	command.Env = append(command.Env, env...)
	return command
}

// Run runs the program to its end.
func Run(t testing.TB, dir string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	command := Command(t, dir, env, args...)
	var out, talk bytes.Buffer
	command.Stdout, command.Stderr = &out, &talk
	err := command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	} else if ok && exit.ExitCode() < 0 {
		t.Fatalf("rollcall %s was killed: %v\n%s", strings.Join(args, " "), exit, talk.String())
	}
	return command.ProcessState.ExitCode(), out.String(), talk.String()
}

func TestTheProgramIsBuiltAndKnowsItsCommands(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := Run(t, t.TempDir(), nil, "--help")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	for _, command := range []string{"run", "validate", "demo"} {
		if !strings.Contains(stdout, "\n  "+command) {
			t.Errorf("--help does not name %s:\n%s", command, stdout)
		}
	}
}
