package client_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/client"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// vendor is a RoundTripper that answers the n-th request, counted from 1, after its latency.
type vendor struct {
	latency time.Duration
	answer  func(n int) (status int, body string, err error)
	mu      sync.Mutex
	seen    []time.Time
}

func (v *vendor) RoundTrip(request *http.Request) (*http.Response, error) {
	v.mu.Lock()
	v.seen = append(v.seen, time.Now())
	n := len(v.seen)
	v.mu.Unlock()
	select {
	case <-time.After(v.latency):
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
	status, body, err := v.answer(n)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func always(status int, body string) func(int) (int, string, error) {
	return func(int) (int, string, error) { return status, body, nil }
}

func breaks(err error) func(int) (int, string, error) {
	return func(int) (int, string, error) { return 0, "", err }
}

const secret = "usersig=s3cr3t"

func build() (*http.Request, error) {
	return http.NewRequest(http.MethodPost, "https://vendor.example/members?"+secret, strings.NewReader("{}"))
}

// read classifies as a source does: by status, with the body as the message.
func read(answer sources.Answer) error {
	kinds := map[int]fault.Kind{
		400: fault.Item, 401: fault.Credentials, 404: fault.Item, 409: fault.Configuration,
		429: fault.Throttled, 500: fault.Transient, 503: fault.Transient,
	}
	if answer.Status == http.StatusOK {
		return nil
	}
	f := fault.New(kinds[answer.Status], "%s", answer.Body)
	f.Code = fmt.Sprint(answer.Status)
	f.Again = answer.Status == 401
	if answer.Status == 404 {
		f.Outcome = schema.Gone
	}
	return f
}

// readStrictly takes nothing but the answer of the simulated RongCloud to a user without groups.
func readStrictly(answer sources.Answer) error {
	switch {
	case answer.Status == http.StatusTooManyRequests:
		return fault.New(fault.Throttled, "slow down")
	case string(answer.Body) != `{"code":200,"groups":[]}`:
		return fault.New(fault.Transient, "status %d: %q", answer.Status, answer.Body)
	}
	return nil
}

// reads is how a source reads an answer that it refuses.
func reads(err error) func(sources.Answer) error { return func(sources.Answer) error { return err } }

func endpoint(v http.RoundTripper, perSecond float64, change func(*client.Options)) *client.Endpoint {
	options := client.Options{Transport: v, Now: time.Now, Random: func() uint64 { return 1 << 63 }} // no jitter
	if change != nil {
		change(&options)
	}
	timeout := options.Timeout
	if timeout == 0 {
		timeout = client.DefaultTimeout
	}
	b := budget.New(budget.Config{Limit: budget.Steady(perSecond), Timeout: timeout}, time.Now)
	name := client.Name{Source: "rongcloud.prod", Data: "group_members", Path: "/members"}
	return client.New(options).Endpoint(name, b, client.Hosts{})
}

func TestWhatBecomesOfAFailureFollowsFromItsKind(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	untrusted := x509.UnknownAuthorityError{}
	tests := map[string]struct {
		answer   func(n int) (int, string, error)
		kind     fault.Kind
		message  string // empty: no error
		attempts int64
	}{
		"a good answer is handed on":                {always(200, "ok"), 0, "", 1},
		"an item's error is final at once":          {always(404, "group is gone"), fault.Item, "group is gone", 1},
		"a configuration error is final":            {always(409, "not enabled"), fault.Configuration, "not enabled", 1},
		"a refused signature is renewed once":       {always(401, "bad signature"), fault.Credentials, "bad signature", 2},
		"who is alone with its error waits longer":  {always(503, "busy"), fault.Item, "no good answer in 15 attempts: busy", 15},
		"who refuses everybody is down":             {breaks(refused), fault.Transient, "vendor.example refused the connection", 18},
		"a cut connection is transient":             {breaks(io.ErrUnexpectedEOF), fault.Item, "was cut", 15},
		"a host that nobody finds is down":          {breaks(&net.DNSError{Name: "vendor.example"}), fault.Transient, "could not be resolved", 18},
		"an untrusted certificate is final":         {breaks(untrusted), fault.Configuration, "certificate of vendor.example", 1},
		"an error that quotes the URL is hushed":    {breaks(errors.New("bad /members?" + secret)), fault.Item, "no answer from vendor.example", 15},
		"an answer that is too large is its item's": {always(200, strings.Repeat("x", 2<<20)), fault.Item, "larger than 1 MiB", 1},
		"it recovers": {func(n int) (int, string, error) {
			if n < 10 {
				return 500, "boom", nil
			}
			return 200, "", nil
		}, 0, "", 10},
		"throttling is no failed attempt": {func(n int) (int, string, error) {
			if n < 15 {
				return 429, "slow down", nil
			}
			return 200, "", nil
		}, 0, "", 15},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &vendor{latency: 50 * time.Millisecond, answer: test.answer}
				e := endpoint(v, 100, func(o *client.Options) { o.BodyLimit = 1 << 20 })
				e.Recall()
				call := e.Caller()
				err := call.Call(t.Context(), plain(build, read))
				if call.Attempts() != test.attempts || call.Requests() != 1 || len(v.seen) != int(test.attempts) {
					t.Errorf("%d requests, %d attempts, %d seen; want 1, %d", call.Requests(), call.Attempts(), len(v.seen), test.attempts)
				}
				if test.message == "" {
					if err != nil {
						t.Errorf("got %v", err)
					}
					return
				}
				if err == nil || fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.message) {
					t.Errorf("got %v (%v), want %q (%v)", err, fault.KindOf(err), test.message, test.kind)
				}
				if err != nil && strings.Contains(err.Error(), "s3cr3t") {
					t.Errorf("the error tells the signature: %v", err)
				}
			})
		})
	}
}

func TestAKeyThatFailsWhileOthersAreAnsweredGetsTenAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := endpoint(&vendor{latency: time.Millisecond, answer: always(200, "")}, 100, nil)
		ctx, cancel := context.WithCancel(t.Context())
		others := make(chan struct{})
		go func() {
			defer close(others)
			for e.Caller().Call(ctx, plain(build, read)) == nil {
			}
		}()
		call := e.Caller()
		err := call.Call(t.Context(), plain(build, reads(fault.New(fault.Transient, "unreadable"))))
		if fault.KindOf(err) != fault.Item || call.Attempts() != 10 {
			t.Errorf("got %v (%v) after %d attempts", err, fault.KindOf(err), call.Attempts())
		}
		cancel()
		<-others
	})
}

func TestAMinuteWithoutAnAnswerCostsNoKey(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"refused": &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "cut": syscall.ECONNRESET} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				e := endpoint(&vendor{latency: 20 * time.Millisecond, answer: func(int) (int, string, error) {
					if since := time.Since(began); since >= time.Second && since < 61*time.Second {
						return 0, "", failure
					}
					return 200, "", nil
				}}, 5, nil)
				for range 20 {
					go func() {
						for time.Since(began) < 3*time.Minute {
							if err := e.Caller().Call(t.Context(), plain(build, read)); err != nil {
								t.Errorf("after %v: %v", time.Since(began), err)
								return
							}
						}
					}()
				}
				time.Sleep(4 * time.Minute)
			})
		})
	}
}

func TestAFailedRequestWaitsLongerEachTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{answer: always(500, "boom")}
		start := time.Now()
		e := endpoint(v, 1000, nil)
		e.Recall()
		_ = e.Caller().Call(t.Context(), plain(build, read))
		var pauses []time.Duration
		for i := 1; i < len(v.seen); i++ {
			pauses = append(pauses, v.seen[i].Sub(v.seen[i-1]).Round(10*time.Millisecond))
		}
		want := "[200ms 400ms 800ms 1.6s 3.2s 6.4s 10s 10s 10s 10s 10s 10s 10s 10s]"
		if fmt.Sprint(pauses) != want {
			t.Errorf("pauses %v, want %v (%v in all)", pauses, want, time.Since(start))
		}
	})
}

func TestWaitingToTryAgainHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{answer: func(n int) (int, string, error) {
			if n == 1 {
				return 500, "boom", nil
			}
			return 200, "", nil
		}}
		e := endpoint(v, 1, nil)
		slow := make(chan error)
		go func() { slow <- e.Caller().Call(t.Context(), plain(build, read)) }()
		synctest.Wait()
		start := time.Now()
		if err := e.Caller().Call(t.Context(), plain(build, read)); err != nil {
			t.Error(err)
		}
		if waited := time.Since(start); waited > budget.Second {
			t.Errorf("the other caller waited %v", waited)
		}
		if err := <-slow; err != nil {
			t.Error(err)
		}
	})
}

func TestAnEndpointWithoutAGoodAnswerForTwoMinutesIsDown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer func(n int) (int, string, error)
		kind   fault.Kind
		hint   string
	}{
		"refused":    {breaks(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), fault.Transient, "run the same command again"},
		"cut":        {breaks(syscall.ECONNRESET), fault.Transient, "run the same command again"},
		"broken":     {always(500, "boom"), fault.Transient, "run the same command again"},
		"throttling": {always(429, "slow down"), fault.Throttled, "not enabled"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &vendor{latency: 20 * time.Millisecond, answer: test.answer}
				e := endpoint(v, 100, nil)
				start := time.Now()
				var err error
				for !errors.Is(err, client.ErrDown) {
					if time.Since(start) > 4*time.Minute {
						t.Fatalf("still going after %v: %v", time.Since(start), err)
					}
					err = e.Caller().Call(t.Context(), plain(build, read))
				}
				if took := time.Since(start); took < 2*time.Minute || took > 2*time.Minute+30*time.Second {
					t.Errorf("down after %v", took)
				}
				if fault.KindOf(err) != test.kind || !strings.Contains(fault.HintOf(err), test.hint) ||
					!strings.Contains(err.Error(), "rongcloud.prod group_members") {
					t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
				}
				before := len(v.seen)
				if again := e.Caller().Call(t.Context(), plain(build, read)); !errors.Is(again, client.ErrDown) || len(v.seen) != before {
					t.Errorf("an endpoint that is down is still asked: %v", again)
				}
			})
		})
	}
}

func TestAnItemsErrorIsAGoodAnswerAndIdleTimeIsNotHeldAgainstAnEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{answer: func(n int) (int, string, error) {
			if n%5 == 0 {
				return 404, "gone", nil
			}
			return 500, "boom", nil
		}}
		e := endpoint(v, 100, nil)
		for range 300 {
			if err := e.Caller().Call(t.Context(), plain(build, read)); errors.Is(err, client.ErrDown) {
				t.Fatal(err)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		e := endpoint(&vendor{answer: always(500, "boom")}, 100, nil)
		e.Recall()
		if err := e.Caller().Call(t.Context(), plain(build, read)); err == nil || errors.Is(err, client.ErrDown) {
			t.Errorf("a minute and a half of asking passed, got %v", err)
		}
		time.Sleep(time.Hour)
		if err := e.Caller().Call(t.Context(), plain(build, read)); !errors.Is(err, client.ErrDown) {
			t.Errorf("two minutes of asking passed, got %v", err)
		}
	})
}

func TestRetryAfterPausesTheWholeEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{answer: func(n int) (int, string, error) {
			if n == 1 {
				return 429, "slow down", nil
			}
			return 200, "", nil
		}}
		asked := func(answer sources.Answer) error {
			err := read(answer)
			if f, ok := errors.AsType[*fault.Error](err); ok {
				f.RetryAfter = 20 * time.Second
			}
			return err
		}
		e := endpoint(v, 100, nil)
		go func() { _ = e.Caller().Call(t.Context(), plain(build, asked)) }()
		synctest.Wait()
		start := time.Now()
		if err := e.Caller().Call(t.Context(), plain(build, asked)); err != nil {
			t.Error(err)
		}
		if waited := time.Since(start); waited != 20*time.Second {
			t.Errorf("another caller waited %v, want 20s", waited)
		}
		time.Sleep(time.Minute)
	})
}

func TestAnUnansweredRequestIsGivenUpAfterItsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{latency: time.Hour, answer: always(200, "")}
		e := endpoint(v, 1, func(o *client.Options) { o.Timeout, o.Attempts = 5*time.Second, 2 })
		err := e.Caller().Call(t.Context(), plain(build, read))
		if err == nil || !strings.Contains(err.Error(), "within 5s") {
			t.Errorf("got %v", err)
		}
		if gap := v.seen[1].Sub(v.seen[0]); gap != 5*time.Second+budget.Second {
			t.Errorf("the second attempt came after %v", gap)
		}
	})
}

func TestCancellingEndsACallWhereverItIs(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{
		"in its request": 10 * time.Millisecond, "before its next attempt": 150 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := endpoint(&vendor{latency: 50 * time.Millisecond, answer: always(500, "boom")}, 100, nil)
				enough := errors.New("enough")
				ctx, cancel := context.WithCancelCause(t.Context())
				start := time.Now()
				time.AfterFunc(after, func() { cancel(enough) })
				if err := e.Caller().Call(ctx, plain(build, read)); !errors.Is(err, enough) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); took != after {
					t.Errorf("took %v", took)
				}
				if f := e.Figures(); f.InFlight != 0 {
					t.Errorf("%d in flight", f.InFlight)
				}
			})
		})
	}
}

func TestARequestThatCanNotBeBuiltIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{answer: always(200, "")}
		e := endpoint(v, 100, nil)
		want := fault.New(fault.Credentials, "no key")
		err := e.Caller().Call(t.Context(), plain(func() (*http.Request, error) { return nil, want }, read))
		if !errors.Is(err, want) || len(v.seen) != 0 {
			t.Errorf("got %v, %d sent", err, len(v.seen))
		}
	})
}

func TestFiguresTellWhatWasDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{latency: 40 * time.Millisecond, answer: func(n int) (int, string, error) {
			if n == 3 {
				return 500, "boom", nil
			}
			return 200, "", nil
		}}
		e := endpoint(v, 100, nil)
		if workers := e.Workers(); workers != 40 {
			t.Errorf("%d workers before the first answer, want 40", workers)
		}
		start := time.Now()
		for range 500 {
			if err := e.Caller().Call(t.Context(), plain(build, read)); err != nil {
				t.Fatal(err)
			}
		}
		f := e.Figures()
		if f.Requests != 501 || f.Retries != 1 || f.Answers != 500 || f.Latency != 40*time.Millisecond || f.Buckets[3] != 500 {
			t.Errorf("got %+v", f)
		}
		if f.Pace < 24 || f.Pace > 25.1 || !f.First.Equal(start) || f.Limit != 100 || f.Allowed != 100 {
			t.Errorf("got %+v", f)
		}
		if workers := e.Workers(); workers != 16 {
			t.Errorf("%d workers, want 16", workers)
		}
		if workers := endpoint(v, 100_000, nil).Workers(); workers != 32 {
			t.Errorf("%d workers for a budget without bounds, want 32", workers)
		}
	})
}

func TestAPanicInReadIsNotSwallowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := endpoint(&vendor{answer: always(200, "")}, 100, nil)
		defer func() {
			if recover() != "broken source" {
				t.Error("the panic is gone")
			}
			if f := e.Figures(); f.InFlight != 0 {
				t.Errorf("%d in flight", f.InFlight)
			}
		}()
		_ = e.Caller().Call(t.Context(), plain(build, func(sources.Answer) error { panic("broken source") }))
	})
}

func TestOneRequestThatIsAlwaysThrottledFailsAloneWhileOthersAreAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := endpoint(&vendor{latency: time.Millisecond, answer: always(200, "")}, 100, nil)
		ctx, cancel := context.WithCancel(t.Context())
		others := make(chan struct{})
		go func() {
			defer close(others)
			for e.Caller().Call(ctx, plain(build, read)) == nil {
			}
		}()
		call := e.Caller()
		err := call.Call(t.Context(), plain(build, func(sources.Answer) error {
			f := fault.New(fault.Throttled, "slow down")
			f.RetryAfter = time.Millisecond // never shortens our own backoff
			return f
		}))
		if fault.KindOf(err) != fault.Item || call.Attempts() != 60 {
			t.Errorf("got %v (%v) after %d attempts", err, fault.KindOf(err), call.Attempts())
		}
		cancel()
		<-others
	})
}
