package client_test

import (
	"errors"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/client"
	"rollcall/schema/fault"
	"rollcall/sources"
)

func TestAVendorThatWasNeverThereFailsNoKey(t *testing.T) {
	t.Parallel()
	unreadable := reads(fault.New(fault.Transient, "a page of HTML"))
	for name, bad := range map[string]struct {
		answer func(n int) (int, string, error)
		read   func(sources.Answer) error
	}{
		"a gateway's 503":      {always(503, "busy"), read},
		"answers without end":  {always(200, "<html>"), unreadable},
		"cut connections":      {breaks(syscall.ECONNRESET), read},
		"a bit of everything":  {func(n int) (int, string, error) { return []int{503, 429, 500, 503}[n%4], "no", nil }, read},
		"503, then nobody":     {func(n int) (int, string, error) { return 503, "", map[bool]error{true: syscall.ECONNRESET}[n > 20] }, read},
		"as slow as it can be": {func(int) (int, string, error) { time.Sleep(20 * time.Second); return 503, "busy", nil }, read},
	} {
		for _, keys := range []int{1, 3, 40} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					e := endpoint(&vendor{latency: 20 * time.Millisecond, answer: bad.answer}, 5, nil)
					began := time.Now()
					var all sync.WaitGroup
					for range keys {
						all.Go(func() {
							if err := e.Caller().Call(t.Context(), plain(build, bad.read)); !errors.Is(err, client.ErrDown) {
								t.Errorf("%d keys: after %v: %v", keys, time.Since(began), err)
							}
						})
					}
					all.Wait()
					if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute {
						t.Errorf("%d keys: down after %v", keys, took)
					}
				})
			})
		}
	}
}

func TestOneGoodAnswerMakesAKeyToBlameAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		good     func(t *testing.T, e *client.Endpoint)
		at       time.Duration // when the good answer comes, while the key is tried
		attempts int64
	}{
		"before it was asked":               {answered(200), 0, 15},
		"in the vendor's words":             {answered(404), 0, 15},
		"in an earlier process":             {func(_ *testing.T, e *client.Endpoint) { e.Recall() }, 0, 15},
		"while it was tried":                {answered(200), 50 * time.Second, 15},
		"when its time had passed":          {answered(404), 100 * time.Second, 16},
		"just before the endpoint was down": {answered(200), 119 * time.Second, 18},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := endpoint(&vendor{latency: time.Millisecond, answer: always(200, "")}, 100, nil)
				var other sync.WaitGroup
				defer other.Wait()
				if test.at == 0 {
					test.good(t, e)
				} else {
					other.Go(func() {
						time.Sleep(test.at)
						test.good(t, e)
					})
				}
				call := e.Caller()
				err := call.Call(t.Context(), plain(build, reads(fault.New(fault.Transient, "unreadable"))))
				if fault.KindOf(err) != fault.Item || call.Attempts() != test.attempts {
					t.Errorf("got %v (%v) after %d attempts, want %d", err, fault.KindOf(err), call.Attempts(), test.attempts)
				}
			})
		})
	}
}

// answered has somebody else's question answered with a status.
func answered(status int) func(*testing.T, *client.Endpoint) {
	return func(t *testing.T, e *client.Endpoint) {
		_ = e.Caller().Call(t.Context(), plain(build, func(sources.Answer) error { return read(sources.Answer{Status: status}) }))
	}
}

func TestACallTellsWhenItsFirstRequestWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{answer: func(n int) (int, string, error) {
			if n == 2 {
				return 500, "boom", nil
			}
			return 200, "", nil
		}}
		e := endpoint(v, 1, nil)
		unsent, first, second := e.Caller(), e.Caller(), e.Caller()
		_ = first.Call(t.Context(), plain(build, read))
		for range 2 { // pages
			if err := second.Call(t.Context(), plain(build, read)); err != nil {
				t.Error(err)
			}
		}
		if !unsent.Began().IsZero() || !first.Began().Equal(v.seen[0]) || !second.Began().Equal(v.seen[1]) || v.seen[1].Equal(v.seen[0]) {
			t.Errorf("sent %v; told %v, %v, %v", v.seen, unsent.Began(), first.Began(), second.Began())
		}
	})
}
