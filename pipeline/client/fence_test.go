package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/client"
)

// gate is a fence that tests open and close.
type gate struct {
	closed atomic.Bool
	waited atomic.Int64
	opened chan struct{} // closed when it opens
	broken error         // why it will not open any more
}

func (g *gate) Open() bool { return !g.closed.Load() }

func (g *gate) Wait(ctx context.Context) error {
	g.waited.Add(1)
	select {
	case <-g.opened:
		return g.broken
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *gate) open() {
	g.closed.Store(false)
	close(g.opened)
}

func TestNoRequestLeavesWhileTheFenceIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, g := &vendor{answer: always(200, "ok")}, &gate{opened: make(chan struct{})}
		e := endpoint(v, 2, func(o *client.Options) { o.Fence = g })
		g.closed.Store(true)
		began := time.Now()
		var all sync.WaitGroup
		var early, calls atomic.Int64
		for range 6 {
			all.Go(func() {
				c := e.Caller()
				if err := c.Call(t.Context(), plain(build, read)); err != nil {
					t.Error(err)
				}
				if calls.Add(c.Attempts()); time.Since(began) < 10*time.Minute {
					early.Add(1)
				}
			})
		}
		time.Sleep(10 * time.Minute) // virtual
		if n := e.Figures().Requests; n != 0 || early.Load() != 0 {
			t.Errorf("%d requests left", n)
		}
		g.open()
		all.Wait()
		// Ten minutes at the fence are nobody's failure, and none of them holds a place: six requests at two a second.
		if took := time.Since(began) - 10*time.Minute; calls.Load() != 6 || took > 7*time.Second {
			t.Errorf("%d attempts, the last answered %v after the fence had opened", calls.Load(), took)
		}
	})
}

func TestWhatEndsTheFenceEndsTheCall(t *testing.T) {
	t.Parallel()
	lost := errors.New("the lock is another's")
	for name, c := range map[string]struct {
		end  func(g *gate, cancel func(error))
		want error
	}{
		"the lock is lost":   {func(g *gate, _ func(error)) { g.broken = lost; close(g.opened) }, lost},
		"the run is stopped": {func(_ *gate, cancel func(error)) { cancel(io.ErrClosedPipe) }, io.ErrClosedPipe},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v, g := &vendor{answer: always(200, "ok")}, &gate{opened: make(chan struct{})}
				g.closed.Store(true)
				e := endpoint(v, 100, func(o *client.Options) { o.Fence = g })
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				time.AfterFunc(time.Minute, func() { c.end(g, cancel) })
				if err := e.Caller().Call(ctx, plain(build, read)); !errors.Is(err, c.want) {
					t.Errorf("got %v", err)
				}
				if n := e.Figures().Requests; n != 0 {
					t.Errorf("%d requests left", n)
				}
			})
		})
	}
}

// closing is a transport that takes so long to connect that the fence closes meanwhile.
type closing struct {
	http.RoundTripper
	gate *gate
	once sync.Once
}

func (c *closing) RoundTrip(r *http.Request) (*http.Response, error) {
	c.once.Do(func() {
		c.gate.closed.Store(true)
		time.AfterFunc(50*time.Millisecond, c.gate.open)
	})
	return c.RoundTripper.RoundTrip(r)
}

func TestARequestThatWaitedForItsConnectionIsHeldBackToo(t *testing.T) {
	t.Parallel()
	g := &gate{opened: make(chan struct{})}
	var early, arrived atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if arrived.Add(1); !g.Open() {
			early.Add(1)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	transport := client.NewTransport(nil, nil)
	defer transport.Close()
	e := endpoint(&closing{RoundTripper: transport, gate: g}, 100, func(o *client.Options) { o.Fence = g })
	ask := plain(func() (*http.Request, error) {
		return http.NewRequest(http.MethodPost, server.URL, strings.NewReader("{}"))
	}, read)
	if err := e.Caller().Call(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	if arrived.Load() != 1 || early.Load() != 0 || g.waited.Load() == 0 {
		t.Errorf("%d requests arrived, %d of them while the fence was closed", arrived.Load(), early.Load())
	}
}
