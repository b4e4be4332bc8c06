// Package cli is Rollcall's command line: one file a command, each of which reads its flags, calls
// a package that does the work, and renders what came back.
//
// It promises: answers go to stdout, talk to stderr; with --json the answer is JSON, and so is the
// error; every failure says what happened, to what, and what to do; exit codes are those of the
// published table ([Codes]) and never change meaning; text that came from elsewhere is escaped when it
// is printed, and nobody who reads the streams, or does not, stops or hangs the program (package
// console). On the first signal the work is asked to stop, says so, and keeps its state; on the second
// the program ends at once.
//
// The world is handed in as an [Env], so that tests run whole commands in process.
package cli

import (
	"context"
	entropy "crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/pipeline/applock"
	"rollcall/pipeline/event"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
	"rollcall/schema/process"
)

// Env is all that the program takes from the world.
type Env struct {
	Args   []string // without the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	LookupEnv func(name string) (string, bool)
	Now       func() time.Time
	Random    func() uint64
	Entropy   io.Reader // random bytes that nobody can guess, for keys
	Host      string    // for the locks
	PID       int
	Alive     func(pid int) bool                      // of this machine's processes
	Process   process.Identity                        // this one's
	Look      func(process.Identity) process.Liveness // what is certain of a process
	Apps      applock.Place                           // where runs meet that ask the same app
	Signals   <-chan os.Signal                        // the first cancels, another a second later exits
	Exit      func(code int)                          // ends the process at once
	Width     func() (columns int, tty bool)          // of the terminal on Stderr
	Height    func() (rows int)                       // of that terminal; nil: not known
	Shown     func() bool                             // Stdout is a terminal; nil: it is none
	Version   string
	Program   string // what a person types to start it; empty: rollcall

	served func(url string)    // told where metrics are served; nil but in tests
	heard  func(e event.Event) // told each event of a run before it goes on; nil but in tests
}

// sameSignal is how long after a signal another one is taken for it: many tools signal the process
// and its group.
const sameSignal = time.Second

// stopWithin is how long a stop may take, whatever hangs: a scheduler kills after ten seconds or
// thirty. What is on disk by then is whole, as after any kill.
const stopWithin = 8 * time.Second

// lastWords is how long the end of the program waits for those who read what it says, and atOnce where
// it is to end at once.
const (
	lastWords = time.Second
	atOnce    = 200 * time.Millisecond
)

// System is the world as the operating system gives it. A terminal that is closed stops the work as
// SIGTERM does, unless it was begun with nohup; a reader of the streams that goes away stops nothing.
func System() Env {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE) // the write fails, and package console knows what that means
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	table := process.NewTable("/", host, os.Getpid(), process.Gone)
	return Env{
		Args:      os.Args[1:],
		Stdin:     standardInput(),
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		LookupEnv: os.LookupEnv,
		Now:       time.Now,
		Random:    rand.Uint64,
		Entropy:   entropy.Reader,
		Host:      host,
		PID:       os.Getpid(),
		Alive:     alive,
		Process:   table.Self(),
		Look:      table.Look,
		Apps:      applock.Place{Folders: lockFolders(os.LookupEnv, os.TempDir(), os.Getuid()), UID: os.Getuid()},
		Signals:   signals,
		Exit:      os.Exit,
		Width:     stderrWidth,
		Height:    stderrHeight,
		Shown:     func() bool { return term.IsTerminal(int(os.Stdout.Fd())) },
		Version:   version(),
		Program:   program(),
	}
}

// standardInput is standard input, for Rollcall alone. A credential_process of ~/.aws/config inherits os.Stdin
// from the AWS SDK, and would take IDs away from a list that is read there; a person at a terminal may have to
// answer it.
func standardInput() *os.File {
	given := os.Stdin
	if !term.IsTerminal(int(given.Fd())) {
		if nothing, err := os.Open(os.DevNull); err == nil {
			os.Stdin = nothing
		}
	}
	return given
}

// lockFolders are those in which a user's runs meet, whether they were started from a session, which has a
// folder of its own, or by a scheduler, which has none: both are used where both are there.
func lockFolders(lookup func(string) (string, bool), temp string, uid int) []applock.Folder {
	var folders []applock.Folder
	if runtime, _ := lookup("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) {
		folders = append(folders, applock.Folder{Path: filepath.Join(runtime, "rollcall"), Within: true})
	}
	return append(folders, applock.Folder{Path: filepath.Join(temp, fmt.Sprintf("rollcall-%d", uid))})
}

// Main runs one command line and returns the exit code.
func Main(ctx context.Context, env Env) int {
	if env.Program == "" {
		env.Program = "rollcall"
	}
	a := &app{env: env, talk: console.NewTalk(env.Stderr)}
	ctx, stop := listen(ctx, env, a.tellStop)
	defer stop()
	a.out = console.NewAnswer(ctx, env.Stdout, func() { a.talk.Flush(lastWords) })
	root := a.root()
	root.SetArgs(env.Args)
	a.env.Stdin = console.NewInput(ctx, env.Stdin)
	root.SetIn(a.env.Stdin)
	root.SetOut(a.out.Raw())
	root.SetErr(a.talk.Raw())
	command, err := root.ExecuteContextC(ctx)
	a.command = command
	if err != nil && !a.started { // cobra's own complaint, before any command ran
		err = usage(err)
		a.flags.json = a.flags.json || slices.Contains(env.Args, "--json") // it may stand behind what could not be read
	}
	err = stoppedBy(ctx, a.answered(err))
	a.complain(err)
	a.talk.Close(lastWords)
	return code(err)
}

// answered ends the answer, and the command with what became of it: who reads it no more wants no more,
// and what could not be written is a failure, but for that of a snapshot, which is sealed all the same.
func (a *app) answered(err error) error {
	unwritten := a.out.Flush()
	end, told := errors.AsType[finding](err)
	if errors.Is(err, console.ErrReaderGone) || unwritten != nil && errors.Is(err, unwritten) {
		if err = nil; told {
			err = end
		}
	}
	switch {
	case unwritten == nil, errors.Is(unwritten, console.ErrReaderGone):
		return err
	case a.sealedNow:
		a.talk.Printer().Printf("Warning: the answer could not be written to stdout (%v); the snapshot is sealed all the same\n", unwritten)
		return err
	case err != nil && !told:
		return err
	case errors.Is(unwritten, context.Canceled):
		return unwritten
	default:
		return &fault.Error{Kind: fault.Bug, Message: "the answer could not be written to stdout", Hint: "free space there, or send it elsewhere, and run the same command again", Err: unwritten}
	}
}

// listen cancels the context on the first signal and ends the process on a later one, or when the
// work has not ended within stopWithin. Tell is told of each before.
func listen(ctx context.Context, env Env, tell func(ending)) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		var first time.Time
		var late <-chan time.Time
		for {
			select {
			case <-done:
				return
			case <-late:
				tell(stopLate)
				env.Exit(Stopped)
				return
			case received := <-env.Signals:
				switch now := env.Now(); {
				case first.IsZero():
					first, late = now, time.After(stopWithin)
					tell(stopAsked)
					cancel(&stopped{received.String()})
				case now.Sub(first) >= sameSignal:
					tell(stopAgain)
					env.Exit(Stopped)
					return
				}
			}
		}
	}()
	return ctx, func() {
		close(done)
		cancel(nil)
	}
}

// ending is what a signal does.
type ending int

const (
	stopAsked ending = iota // the work is asked to stop
	stopAgain               // the process ends at once
	stopLate                // it ends, since the work did not
)

// tellStop says what a signal does to the run that is at work; of other commands nothing is kept
// or lost.
func (a *app) tellStop(how ending) {
	screen := a.screen.Load()
	switch {
	case screen == nil:
	case how == stopAgain:
		a.talk.Printer().Printf("\nEnded at once: answers of the last seconds may be lost.\n")
	case how == stopLate:
		a.talk.Printer().Printf("\nEnded after %v, since something does not answer: what was fetched is kept; run the same command again to go on.\n", stopWithin)
	default:
		screen.Say("Stopping: what was fetched is being kept. (Again: end at once.)")
	}
	if how == stopAsked {
		return
	}
	a.talk.Close(atOnce) // the process ends, whoever reads
	if folder := a.scratch.Load(); folder != nil {
		folder.Remove()
	}
}

// stopped is why the context of a run was cancelled.
type stopped struct{ signal string }

// Error names the signal.
func (s *stopped) Error() string { return "stopped by signal: " + s.signal }

// Unwrap says that it ends the work as any cancellation does.
func (s *stopped) Unwrap() error { return context.Canceled }

// stoppedBy names the signal that ended a command; a run tells of it in words of its own.
func stoppedBy(ctx context.Context, err error) error {
	_, run := errors.AsType[*pipeline.StoppedError](err)
	if by, ok := errors.AsType[*stopped](context.Cause(ctx)); ok && !run && errors.Is(err, context.Canceled) {
		return by
	}
	return err
}

// usage is a complaint of cobra's as a fault; what is one already stays as it is.
func usage(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return &fault.Error{Kind: fault.Configuration, Message: firstLine(err.Error()), Hint: "{} lists the commands, and behind it the name of one its flags", Commands: []advice.Command{advice.Rollcall("help")}}
}

// alive tells whether there is such a process, whosever it is.
func alive(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = process.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, fs.ErrPermission)
}

func stderrWidth() (int, bool) {
	fd := int(os.Stderr.Fd())
	if !term.IsTerminal(fd) {
		return 0, false
	}
	columns, _, err := term.GetSize(fd)
	if err != nil {
		return 80, true
	}
	return columns, true
}

func stderrHeight() int {
	_, rows, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil {
		return 0
	}
	return rows
}

// program is what a person types to start this program again.
func program() string {
	if path, err := os.Executable(); err == nil && strings.Contains(filepath.ToSlash(path), "/go-build") {
		return "go run ./cmd/export"
	}
	return shell(os.Args[0])
}

// version is what the build says of itself: the module's version, else "devel".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
