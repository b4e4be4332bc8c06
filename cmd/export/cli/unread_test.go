package cli

import (
	"bytes"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/cmd/export/console"
)

// unread is a stream that nobody reads; a write tells that it has begun, and is held until the end of the test.
type unread struct{ begun, end chan struct{} }

func (u unread) Write([]byte) (int, error) {
	select {
	case u.begun <- struct{}{}:
	default:
	}
	<-u.end
	return 0, io.ErrClosedPipe
}

func TestASignalEndsACommandWhoseAnswerNobodyReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stdout, stderr bytes.Buffer
		signals := make(chan os.Signal, 1)
		out := unread{make(chan struct{}, 1), make(chan struct{})}
		defer close(out.end)
		env := testEnv(&stdout, &stderr, "help")
		env.Signals, env.Stdout, env.Now = signals, out, time.Now
		ended := make(chan int)
		go func() { ended <- Main(t.Context(), env) }()
		<-out.begun
		time.Sleep(time.Hour) // a pager may be read slowly: that alone ends nothing
		select {
		case code := <-ended:
			t.Fatalf("it ended by itself with %d: %s", code, stderr.String())
		default:
		}
		stop := time.Now()
		signals <- syscall.SIGTERM
		code := <-ended
		if took := time.Since(stop); code != Stopped || took > 2*time.Second || !strings.HasPrefix(stderr.String(), "Error: stopped by signal: terminated\n") {
			t.Errorf("after %v it ended with %d: %s", took, code, stderr.String())
		}
	})
}

func TestASecondSignalEndsACommandWhoseTalkNobodyReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stdout, stderr bytes.Buffer
		signals, exited := make(chan os.Signal, 2), make(chan int, 1)
		talk := unread{make(chan struct{}, 1), make(chan struct{})}
		defer close(talk.end)
		env := testEnv(&stdout, &stderr)
		env.Signals, env.Stderr, env.Now = signals, talk, time.Now
		env.Exit = func(code int) { exited <- code }
		a := testApp(t, flags{progress: "log"}, &stdout, &stderr)
		a.talk = console.NewTalk(talk)
		r := a.renderer()
		a.screen.Store(&screen{r})
		_, stop := listen(t.Context(), env, a.tellStop)
		defer stop()
		r.Say("a line that is held")
		<-talk.begun
		signals <- syscall.SIGTERM
		time.Sleep(sameSignal)
		second := time.Now()
		signals <- syscall.SIGTERM
		if code, took := <-exited, time.Since(second); code != Stopped || took > atOnce {
			t.Errorf("after %v it ended with %d", took, code)
		}
	})
}
