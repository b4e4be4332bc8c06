package client_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/client"
	"rollcall/schema/fault"
)

const (
	mainHost   = "vendor.example"
	backupHost = "backup.example"
)

// twoHosts is a vendor with two names. Answer says what a host answers now.
type twoHosts struct {
	latency time.Duration
	answer  func(host string, now time.Duration) (int, error)

	mu    sync.Mutex
	began time.Time
	seen  []visit
}

type visit struct {
	host string
	at   time.Time
}

func (v *twoHosts) RoundTrip(request *http.Request) (*http.Response, error) {
	v.mu.Lock()
	if v.began.IsZero() {
		v.began = time.Now()
	}
	v.seen = append(v.seen, visit{request.URL.Host, time.Now()})
	since := time.Since(v.began)
	v.mu.Unlock()
	if request.Host != request.URL.Host {
		return nil, errors.New("the Host header names another host than the address")
	}
	select {
	case <-time.After(v.latency):
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
	status, err := v.answer(request.URL.Host, since)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// at tells how many requests a host got.
func (v *twoHosts) at(host string) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.seen {
		if s.host == host {
			n++
		}
	}
	return n
}

func (v *twoHosts) endpoint(perSecond float64) *client.Endpoint {
	options := client.Options{Transport: v, Now: time.Now, Random: func() uint64 { return 1 << 63 }}
	b := budget.New(budget.Config{Limit: budget.Steady(perSecond), Timeout: client.DefaultTimeout}, time.Now)
	name := client.Name{Source: "rongcloud.prod", Data: "group_members", Path: "/members"}
	return client.New(options).Endpoint(name, b, client.Hosts{Main: "https://" + mainHost, Backup: "https://" + backupHost})
}

func refuse() error { return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED} }

func TestABackupHostIsAskedWhileTheMainOneFailsAndNoLonger(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]func() (int, error){
		"refused":     func() (int, error) { return 0, refuse() },
		"reset":       func() (int, error) { return 0, syscall.ECONNRESET },
		"unknown":     func() (int, error) { return 0, &net.DNSError{Name: mainHost} },
		"status 503":  func() (int, error) { return 503, nil },
		"certificate": func() (int, error) { return 0, x509.UnknownAuthorityError{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &twoHosts{latency: 20 * time.Millisecond, answer: func(host string, now time.Duration) (int, error) {
					if host == mainHost && now >= time.Minute && now < 5*time.Minute {
						return failure()
					}
					return 200, nil
				}}
				e := v.endpoint(20)
				began := time.Now()
				for time.Since(began) < 15*time.Minute {
					if err := e.Caller().Call(t.Context(), plain(build, read)); err != nil {
						t.Fatalf("after %v: %v", time.Since(began), err)
					}
				}
				f := e.Figures()
				if f.Switches != 2 || f.Backup || f.Host != mainHost {
					t.Errorf("%d switches, backup %v, host %s", f.Switches, f.Backup, f.Host)
				}
				if at := v.at(backupHost); int64(at) != f.Elsewhere || at < 20*60*4 {
					t.Errorf("the backup host got %d requests, %d counted", at, f.Elsewhere)
				}
				// The main host came back five minutes in; a look comes at least every five.
				if late := v.seen[slices.IndexFunc(v.seen, func(s visit) bool {
					return s.host == mainHost && s.at.Sub(began) >= 5*time.Minute
				})].at.Sub(began); late > 10*time.Minute {
					t.Errorf("the main host was tried again only after %v", late)
				}
			})
		})
	}
}

func TestWhatTheVendorItselfSaysNeverSwitches(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"throttling": 429, "an item's refusal": 400, "gone": 404, "credentials": 401} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &twoHosts{answer: func(string, time.Duration) (int, error) { return status, nil }}
				e := v.endpoint(100)
				for range 20 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					_ = e.Caller().Call(ctx, plain(build, read))
					cancel()
				}
				if n := v.at(backupHost); n > 0 || e.Figures().Switches > 0 {
					t.Errorf("%d requests at the backup host", n)
				}
			})
		})
	}
}

func TestABodyCodeOfTheVendorsIsNoReasonToSwitch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &twoHosts{answer: func(string, time.Duration) (int, error) { return 200, nil }}
		e := v.endpoint(100)
		e.Recall()
		busy := fault.New(fault.Transient, "busy")
		busy.Code = "60008"
		_ = e.Caller().Call(t.Context(), plain(build, reads(busy)))
		if n := v.at(backupHost); n > 0 {
			t.Errorf("%d requests at the backup host", n)
		}
		_ = e.Caller().Call(t.Context(), plain(build, reads(fault.New(fault.Transient, "a page of HTML"))))
		if n := v.at(backupHost); n == 0 {
			t.Error("an answer that is none of the vendor's is no reason to switch")
		}
	})
}

func TestBothHostsShareOneBudgetWhateverSwitches(t *testing.T) {
	t.Parallel()
	const limit = 50
	synctest.Test(t, func(t *testing.T) {
		// Each host is out for a while by turns, so that requests are on their way to both.
		v := &twoHosts{latency: 700 * time.Millisecond, answer: func(host string, now time.Duration) (int, error) {
			if out := int(now/(45*time.Second)) % 3; out == 1 && host == mainHost || out == 2 && host == backupHost {
				return 0, syscall.ECONNRESET
			}
			return 200, nil
		}}
		e := v.endpoint(limit)
		began := time.Now()
		var group sync.WaitGroup
		for range 2 * limit {
			group.Go(func() {
				for time.Since(began) < 10*time.Minute {
					if err := e.Caller().Call(t.Context(), plain(build, read)); err != nil {
						t.Errorf("after %v: %v", time.Since(began), err)
						return
					}
				}
			})
		}
		group.Wait()
		first := 0
		for last, s := range v.seen {
			for s.at.Sub(v.seen[first].at) >= time.Second {
				first++
			}
			if last-first+1 > limit {
				t.Fatalf("%d requests at both hosts within a second, %v in", last-first+1, s.at.Sub(began))
			}
		}
		if f := e.Figures(); f.Switches < 4 || f.Elsewhere == 0 || f.Requests != int64(len(v.seen)) {
			t.Errorf("figures %+v", f)
		}
	})
}

func TestAnEndpointIsDownWhenNeitherHostAnswersForTwoMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &twoHosts{latency: 20 * time.Millisecond, answer: func(string, time.Duration) (int, error) { return 0, refuse() }}
		e := v.endpoint(20)
		began := time.Now()
		err := e.Caller().Call(t.Context(), plain(build, read))
		if !errors.Is(err, client.ErrDown) || !strings.Contains(err.Error(), "neither at https://"+mainHost+" nor at https://"+backupHost) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("down after %v", took)
		}
		if v.at(mainHost) == 0 || v.at(backupHost) == 0 {
			t.Errorf("the main host got %d requests, the backup %d", v.at(mainHost), v.at(backupHost))
		}
	})
}

func TestACertificateThatNeitherHostCanShowIsFinal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &twoHosts{answer: func(string, time.Duration) (int, error) { return 0, x509.UnknownAuthorityError{} }}
		call := v.endpoint(20).Caller()
		err := call.Call(t.Context(), plain(build, read))
		if fault.KindOf(err) != fault.Configuration || call.Attempts() != 2 || v.at(mainHost) != 1 || v.at(backupHost) != 1 {
			t.Errorf("got %v (%v) after %d attempts", err, fault.KindOf(err), call.Attempts())
		}
	})
}

func TestARequestToAnotherHostGoesWhereItSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &twoHosts{answer: func(string, time.Duration) (int, error) { return 500, nil }}
		e := v.endpoint(20)
		elsewhere := func() (*http.Request, error) {
			return http.NewRequest(http.MethodPost, "https://private.example/", nil)
		}
		_ = e.Caller().Call(t.Context(), plain(elsewhere, read))
		if v.at("private.example") != len(v.seen) || e.Figures().Switches != 0 {
			t.Errorf("seen %v", v.seen)
		}
	})
}
