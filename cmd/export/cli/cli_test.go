package cli

import (
	"bytes"
	"context"
	entropy "crypto/rand"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/event"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// golden compares what a person reads with the committed text.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./cmd/export/cli -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./cmd/export/cli -update rewrites it)\n--- got\n%s\n--- want\n%s", path, got, want)
	}
}

// outcome is what one command line did.
type outcome struct {
	code           int
	stdout, stderr string
}

// rollcall runs one command line in process.
func rollcall(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Main(t.Context(), testEnv(&stdout, &stderr, args...))
	return outcome{code, stdout.String(), stderr.String()}
}

func testEnv(stdout, stderr *bytes.Buffer, args ...string) Env {
	return Env{
		Args:      args,
		Stdin:     strings.NewReader(""),
		Stdout:    stdout,
		Stderr:    stderr,
		LookupEnv: func(string) (string, bool) { return "", false },
		Now:       func() time.Time { return midnight },
		Entropy:   entropy.Reader,
		Exit:      func(int) {},
		Width:     func() (int, bool) { return 0, false },
		Version:   "v0.0.0-test",
	}
}

// testApp is one command line that was not begun by Main.
func testApp(t *testing.T, f flags, stdout, stderr *bytes.Buffer) *app {
	t.Helper()
	a := &app{env: testEnv(stdout, stderr), flags: f, talk: console.NewTalk(stderr)}
	a.out = console.NewAnswer(t.Context(), stdout, func() {})
	t.Cleanup(a.said)
	return a
}

// said waits until all that was said is written.
func (a *app) said() { a.talk.Flush(time.Hour) }

func TestHelpTexts(t *testing.T) {
	t.Parallel()
	var list bytes.Buffer
	a := testApp(t, flags{}, &list, &list)
	names := []string{""}
	for _, c := range a.commands() {
		names = append(names, c.Name())
		for _, sub := range c.Commands() {
			names = append(names, c.Name()+" "+sub.Name())
		}
	}
	for _, name := range names {
		t.Run("help "+name, func(t *testing.T) {
			t.Parallel()
			got := rollcall(t, strings.Fields("help "+name)...)
			if got.code != Done || got.stderr != "" {
				t.Errorf("help %s ended with %d and said %q", name, got.code, got.stderr)
			}
			golden(t, strings.TrimSpace("help "+name), got.stdout)
		})
	}
}

func TestMisuseIsAnsweredWithAdvice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args, want string
	}{
		{"versoin", "Error: there is no command \"versoin\"\nWhat to do: did you mean `rollcall version`?\n"},
		{"help frobnicate", "Error: there is no command \"frobnicate\"\nWhat to do: `rollcall help` lists the commands\n"},
		{"version --frobnicate", "Error: there is no flag --frobnicate\nWhat to do: `rollcall help version` lists its flags\n"},
		{"--frobnicate", "Error: there is no flag --frobnicate\nWhat to do: `rollcall help` lists the commands and the flags\n"},
		{"run --metrcs :17655", "Error: there is no flag --metrcs\nWhat to do: did you mean --metrics?\n"},
		{"version --confg x", "Error: there is no flag --confg\nWhat to do: did you mean --config?\n"},
		{"version -x", "Error: there is no flag -x\nWhat to do: `rollcall help version` lists its flags\n"},
		{"demo --users many", "Error: --users \"many\" is no whole number\nWhat to do: give a whole number, such as 100\n"},
		{"demo --seed -1", "Error: --seed \"-1\" is no whole number from 0\nWhat to do: give a whole number from 0, such as 7\n"},
		{"demo --latency 5", "Error: --latency \"5\" is no time\nWhat to do: give a number with its unit, such as 40ms or 2s\n"},
		{"demo --oddities=maybe", "Error: --oddities \"maybe\" is no yes or no\nWhat to do: give true or false, or leave the value out for true\n"},
		{"run --date", "Error: --date has no value\nWhat to do: give it one: --date YYYY-MM-DD\n"},
		{"run 2026-11-21", "Error: rollcall run takes flags only, and was given \"2026-11-21\"\nWhat to do: `rollcall help run` lists its flags\n"},
		{"sql", "Error: rollcall sql needs a dialect\nWhat to do: type `rollcall sql duckdb` or `rollcall sql athena`\n"},
		{"sql trino", "Error: there is no SQL for \"trino\"\nWhat to do: type `rollcall sql duckdb` or `rollcall sql athena`\n"},
		{"version --date 21.11.2026", "Error: --date \"21.11.2026\" is no date\nWhat to do: write it as 2026-11-21\n"},
		{"version --date=", "Error: --date is empty\nWhat to do: write it as 2026-11-21, or leave it out for tonight's; is the variable set that should hold it?\n"},
		{"version --progress loud", "Error: --progress \"loud\" is not known\nWhat to do: use auto, bar, log or none\n"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			got := rollcall(t, strings.Fields(c.args)...)
			if got.code != ChangeFirst || got.stderr != c.want || got.stdout != "" {
				t.Errorf("ended with %d, stdout %q, stderr:\n%s\nwant:\n%s", got.code, got.stdout, got.stderr, c.want)
			}
		})
	}
}

func TestComplaintIsJSONWhereTheAnswerIs(t *testing.T) {
	t.Parallel()
	got := rollcall(t, "version", "--json", "--date", "yesterday")
	want := `{"error":"--date \"yesterday\" is no date","hint":"write it as 2026-11-21","kind":"configuration","exit_code":2}` + "\n"
	if got.stderr != want {
		t.Errorf("stderr is\n%swant\n%s", got.stderr, want)
	}
	got = rollcall(t, "run", "--nope", "--json")
	if want := `{"error":"there is no flag --nope",`; got.code != ChangeFirst || !strings.HasPrefix(got.stderr, want) {
		t.Errorf("ended with %d, stderr is\n%swant\n%s", got.code, got.stderr, want)
	}
}

func TestVersionNamesTheBuild(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"version", "--version"} {
		if got := rollcall(t, word); got.code != Done || !strings.HasPrefix(got.stdout, "rollcall v0.0.0-test (go1.") || strings.Count(got.stdout, "\n") != 1 {
			t.Errorf("%s ended with %d and printed %q", word, got.code, got.stdout)
		}
	}
}

func TestCompletionOffersWhatAFlagTakes(t *testing.T) {
	t.Parallel()
	const noFiles, onlyExtension, onlyFolders = ":4\n", ":8\n", ":16\n" // as cobra tells shells
	for typed, want := range map[string]string{
		"run --progress ":           "auto\nbar\nlog\nnone\n" + noFiles,
		"run --date ":               noFiles,
		"run --metrics ":            noFiles,
		"demo --users ":             noFiles,
		"demo --out ":               onlyFolders,
		"run --config ":             "hcl\n" + onlyExtension,
		"verify --public-key ":      "pub\n" + onlyExtension,
		"keygen --rotate ":          "pem\n" + onlyExtension,
		"run ":                      noFiles,
		"help ":                     "validate\nverify\nversion\n" + noFiles,
		"simulate --oddities=false": noFiles,
	} {
		i := strings.LastIndexByte(typed, ' ')
		got := rollcall(t, append(append([]string{"__complete"}, strings.Fields(typed[:i])...), typed[i+1:])...)
		if got.code != Done || !strings.HasSuffix(got.stdout, want) {
			t.Errorf("%q is completed by %q (%d), want %q", typed, got.stdout, got.code, want)
		}
	}
}

func TestInitWritesAStarterAndNeverOverwrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rollcall.hcl")
	if got := rollcall(t, "init", "--config", path); got.code != Done || !strings.Contains(got.stdout, "rollcall validate --config "+path) {
		t.Fatalf("init ended with %d and printed %q, %q", got.code, got.stdout, got.stderr)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := rollcall(t, "init", "--config", path)
	if got.code != ChangeFirst || !strings.Contains(got.stderr, "is already there and is not overwritten\nWhat to do: ") {
		t.Errorf("the second init ended with %d and said %q", got.code, got.stderr)
	}
	if text, _ := os.ReadFile(path); string(text) != "mine" {
		t.Errorf("the second init changed the file to %q", text)
	}
}

func TestEveryErrorHasItsExitCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"none", nil, Done},
		{"sealed but not whole", found(Partial), Partial},
		{"not sealed", found(NotSealed), NotSealed},
		{"a difference", found(Different), Different},
		{"nobody classified it", errors.New("disk full"), Unexpected},
		{"a bug", fault.New(fault.Bug, "x"), Unexpected},
		{"one key's own fault where none was expected", fault.New(fault.Item, "x"), Unexpected},
		{"credentials", fault.Wrap(fault.New(fault.Credentials, "x"), "rongcloud.prod"), ChangeFirst},
		{"configuration", fault.New(fault.Configuration, "x"), ChangeFirst},
		{"vendor down", fault.New(fault.Transient, "x"), Stopped},
		{"throttled to a stop", fault.New(fault.Throttled, "x"), Stopped},
		{"a signal", fault.Wrap(context.Canceled, "fetching"), Stopped},
		{"another run", &sinks.HeldError{}, Busy},
	} {
		if got := code(c.err); got != c.want {
			t.Errorf("%s: code %d, want %d", c.name, got, c.want)
		}
	}
	for i, c := range Codes() {
		if c.Number != i {
			t.Errorf("row %d of the published table is code %d", i, c.Number)
		}
	}
}

func TestFirstSignalStopsTheWorkAndALaterOneTheProgram(t *testing.T) {
	t.Parallel()
	signals, clock := make(chan os.Signal), make(chan time.Time)
	exited, told := make(chan int, 3), make(chan ending, 3)
	env := Env{Signals: signals, Exit: func(code int) { exited <- code }, Now: func() time.Time { return <-clock }}
	ctx, stop := listen(t.Context(), env, func(how ending) { told <- how })
	defer stop()
	signalAt := func(s os.Signal, after time.Duration) {
		signals <- s
		clock <- midnight.Add(after)
	}
	signalAt(os.Interrupt, 0)
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.Canceled) || context.Cause(ctx).Error() != "stopped by signal: interrupt" {
		t.Errorf("after one signal the context says %v, for %v", ctx.Err(), context.Cause(ctx))
	}
	if how := <-told; how != stopAsked {
		t.Error("the first signal is told as the last one")
	}
	signalAt(syscall.SIGTERM, sameSignal-1) // the same one: the process and its group were signalled
	signalAt(os.Interrupt, sameSignal)      // is received when the one before it has been dealt with
	if got := <-exited; got != Stopped || <-told != stopAgain || len(told)+len(exited) > 0 {
		t.Errorf("after a later signal the program ends with %d, want %d, once", got, Stopped)
	}
}

func TestAStopThatHangsIsEnded(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			signals := make(chan os.Signal, 1)
			exited, told := make(chan int, 3), make(chan ending, 3)
			env := Env{Signals: signals, Exit: func(code int) { exited <- code }, Now: time.Now}
			_, stop := listen(t.Context(), env, func(how ending) { told <- how })
			signals <- syscall.SIGTERM
			time.Sleep(stopWithin - time.Millisecond)
			synctest.Wait()
			if len(exited) > 0 || <-told != stopAsked {
				t.Error("the work had no time to end by itself")
			}
			if ends {
				stop()
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if ends && len(exited)+len(told) > 0 {
				t.Error("work that had ended was ended")
			}
			if !ends {
				if len(exited) != 1 || <-exited != Stopped || <-told != stopLate {
					t.Error("work that hangs was not ended")
				}
				stop()
			}
		})
	}
}

func TestWarningsAreToldWhateverShowsProgress(t *testing.T) {
	t.Parallel()
	for _, progress := range []string{"none", "log", "bar"} {
		var stdout, stderr bytes.Buffer
		a := testApp(t, flags{progress: progress}, &stdout, &stderr)
		r := a.renderer()
		r.Listen(event.Started{Date: "2026-11-21"})
		r.Listen(event.Notice{Warning: true, Text: "ids.u has changed", Hint: "the copy is asked"})
		r.Close()
		a.said()
		if want := "Warning: ids.u has changed (the copy is asked)\n"; !strings.Contains(stderr.String(), want) || progress == "none" && stderr.String() != want {
			t.Errorf("--progress %s: stderr is %q", progress, stderr.String())
		}
	}
}

func TestAStopIsToldAtOnceWhateverShowsProgress(t *testing.T) {
	t.Parallel()
	for _, progress := range []string{"none", "log", "bar"} {
		var stdout, stderr bytes.Buffer
		a := testApp(t, flags{progress: progress}, &stdout, &stderr)
		a.tellStop(stopAsked)
		a.said()
		if stderr.Len() > 0 {
			t.Errorf("without a run a signal is told as %q", stderr.String())
		}
		r := a.renderer()
		a.screen.Store(&screen{r})
		a.tellStop(stopAsked)
		r.Close()
		a.said()
		if want := "Stopping: what was fetched is being kept. (Again: end at once.)\n"; !strings.Contains(stderr.String(), want) {
			t.Errorf("--progress %s: stderr is %q", progress, stderr.String())
		}
		a.tellStop(stopAgain)
		if want := "\nEnded at once: answers of the last seconds may be lost.\n"; !strings.HasSuffix(stderr.String(), want) {
			t.Errorf("--progress %s: stderr is %q", progress, stderr.String())
		}
	}
}
