package fence_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rollcall/pipeline/event"
	"rollcall/pipeline/fence"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// No goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lock is a sink's lock that says what it is told to.
type lock struct {
	mu     sync.Mutex
	acked  time.Time
	err    error
	checks int
}

func (l *lock) Acknowledged() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

func (l *lock) Check(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checks++; l.err == nil {
		l.acked = time.Now()
	}
	return l.err
}

func (l *lock) Release(context.Context) error { return nil }

func (l *lock) answers(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func TestHowAClosedFenceOpensOrEnds(t *testing.T) {
	t.Parallel()
	down := fault.New(fault.Credentials, "the token has expired")
	held := &sinks.HeldError{Place: "lake", Owner: sinks.Owner{Host: "other"}}
	for name, c := range map[string]struct {
		first, then error         // what the sink says, and from a minute on
		waits       time.Duration // how long nobody goes on
		ends        func(error) bool
		told        []string
	}{
		"the lock is still ours":       {nil, nil, 0, func(err error) bool { return err == nil }, nil},
		"it is another's":              {held, held, 0, func(err error) bool { return errors.Is(err, held) }, nil},
		"the sink comes back":          {down, nil, time.Minute, func(err error) bool { return err == nil }, []string{"no requests are sent: the lock of lake can't be renewed", "is renewed, and is ours: requests go on after 1m"}},
		"the sink comes back too late": {down, held, time.Minute, func(err error) bool { return errors.Is(err, held) }, []string{"no requests are sent"}},
		"the sink does not come back": {down, down, fence.GiveUp, func(err error) bool {
			closed, ok := errors.AsType[*fence.ClosedError](err)
			return ok && errors.Is(err, down) && strings.Contains(err.Error(), "the token has expired") && closed.Hint() != ""
		}, []string{"no requests are sent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &lock{acked: time.Now().Add(-sinks.FreshFor), err: c.first}
				var told []string
				f := fence.New("lake", l, time.Now, func(e event.Event) { told = append(told, fmt.Sprint(e)) })
				if f.Open() {
					t.Fatal("it is open")
				}
				began := time.Now()
				time.AfterFunc(time.Minute, func() { l.answers(c.then) })
				var all sync.WaitGroup
				for range 50 {
					all.Go(func() {
						if err := f.Wait(t.Context()); !c.ends(err) {
							t.Errorf("got %v", err)
						}
					})
				}
				all.Wait()
				if waited := time.Since(began); waited < c.waits || waited > c.waits+time.Second {
					t.Errorf("it took %v, want %v", waited, c.waits)
				}
				if l.checks > int(c.waits/time.Second)+2 {
					t.Errorf("the sink was asked %d times", l.checks)
				}
				if len(told) != len(c.told) {
					t.Fatalf("told %q", told)
				}
				for i, want := range c.told {
					if !strings.Contains(told[i], want) {
						t.Errorf("told %q, want %q", told[i], want)
					}
				}
			})
		})
	}
}

func TestWhoIsStoppedDoesNotWaitAtTheFence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fence.New("lake", &lock{err: fault.New(fault.Transient, "down")}, time.Now, func(event.Event) {})
		reason := errors.New("stopped by signal")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Second, func() { cancel(reason) })
		began := time.Now()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := f.Wait(ctx); !errors.Is(err, reason) {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if waited := time.Since(began); waited != 10*time.Second {
			t.Errorf("it took %v", waited)
		}
	})
}
