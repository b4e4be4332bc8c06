// Package cli is Rollcall's command line: one file a command, each of which reads its flags, calls
// a package that does the work, and renders what came back.
//
// It promises: answers go to stdout, talk to stderr; with --json the answer is JSON, and so is the
// error; every failure says what happened, to what, and what to do; exit codes are those of the
// published table ([Codes]) and never change meaning; text that came from a vendor is escaped
// before it is shown. On the first signal the work is asked to stop and keeps its state; on the
// second the program ends at once.
//
// The world is handed in as an [Env], so that tests run whole commands in process.
package cli

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/term"

	"rollcall/schema/fault"
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
	Host      string // for the lock
	PID       int
	Signals   <-chan os.Signal               // the first cancels, the second exits
	Exit      func(code int)                 // ends the process at once
	Width     func() (columns int, tty bool) // of the terminal on Stderr
	Version   string
}

// System is the world as the operating system gives it.
func System() Env {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return Env{
		Args:      os.Args[1:],
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		LookupEnv: os.LookupEnv,
		Now:       time.Now,
		Random:    rand.Uint64,
		Host:      host,
		PID:       os.Getpid(),
		Signals:   signals,
		Exit:      os.Exit,
		Width:     stderrWidth,
		Version:   version(),
	}
}

// Main runs one command line and returns the exit code.
func Main(ctx context.Context, env Env) int {
	ctx, stop := listen(ctx, env)
	defer stop()
	a := &app{env: env}
	root := a.root()
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started { // cobra's own complaint, before any command ran
		err = usage(err)
	}
	a.complain(err)
	return code(err)
}

// listen cancels the context on the first signal and ends the process on the second.
func listen(ctx context.Context, env Env) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		for count := 0; ; count++ {
			select {
			case <-done:
				return
			case received := <-env.Signals:
				if count > 0 {
					env.Exit(Stopped)
					return
				}
				cancel(&stopped{received.String()})
			}
		}
	}()
	return ctx, func() {
		close(done)
		cancel(nil)
	}
}

// stopped is why the context of a run was cancelled.
type stopped struct{ signal string }

// Error names the signal.
func (s *stopped) Error() string { return "stopped by signal: " + s.signal }

func usage(err error) error {
	return &fault.Error{Kind: fault.Configuration, Message: firstLine(err.Error()), Hint: "`rollcall help` lists the commands, `rollcall help COMMAND` a command's flags"}
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

// version is what the build says of itself: the module's version, else "devel".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
