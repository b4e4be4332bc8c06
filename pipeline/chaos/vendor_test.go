package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"rollcall/pipeline"
	"rollcall/pipeline/client"
	"rollcall/schema/fault"
	"rollcall/sources/simulated"
)

// outage is a transport whose vendors are away for a while.
type outage struct {
	http.RoundTripper
	from, to time.Time
	failure  func(*http.Request) (*http.Response, error)
}

func (o *outage) RoundTrip(r *http.Request) (*http.Response, error) {
	if now := time.Now(); now.Before(o.from) || !now.Before(o.to) {
		return o.RoundTripper.RoundTrip(r)
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return o.failure(r)
}

func outages() map[string]func(*http.Request) (*http.Response, error) {
	return map[string]func(*http.Request) (*http.Response, error){
		"refuses connections": func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		},
		"answers with its gateway's 502": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 502, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("<html>")), Request: r}, nil
		},
		"never answers": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
	}
}

// slowly gives a night budgets with which it takes some minutes.
const slowly = 2

// away lets the vendors go away for a minute, and for good.
func away(t *testing.T, quiet reference) {
	for name, failure := range outages() {
		minute := line{fault: "the vendor " + name + " for a minute", happened: "waited and went on; sealed, the bytes of a quiet night"}
		good := line{fault: "the vendor " + name + " for good", happened: "exit 5, the answers kept; run again the next morning: sealed, the bytes of a quiet night"}
		for range many(5) {
			minute.held(t, quiet, func(n *night) (pipeline.Result, error) {
				r := n.request()
				r.Transport = &outage{r.Transport, time.Now().Add(10 * time.Second), time.Now().Add(70 * time.Second), failure}
				return pipeline.Run(t.Context(), r)
			})
			good.held(t, quiet, func(n *night) (pipeline.Result, error) {
				r := n.request()
				r.Transport = &outage{r.Transport, time.Now().Add(10 * time.Second), time.Now().Add(time.Hour), failure}
				began := time.Now()
				_, err := pipeline.Run(t.Context(), r)
				stopped := &pipeline.StoppedError{}
				if !errors.As(err, &stopped) || stopped.Done == 0 || !errors.Is(err, client.ErrDown) || !strings.Contains(err.Error(), "has not answered well since") || !strings.Contains(fault.HintOf(err), "run the same command again") {
					return pipeline.Result{}, fmt.Errorf("down for good: %w", err)
				}
				if took := time.Since(began); took > 5*time.Minute {
					return pipeline.Result{}, fmt.Errorf("it was given up after %v only", took)
				}
				time.Sleep(time.Hour)
				return pipeline.Run(t.Context(), n.request())
			})
		}
		minute.tell(t)
		good.tell(t)
	}
}

// held carries out a slow night in some way and holds it against the quiet one. No second may have
// brought a vendor more than its budget, whatever happened.
func (l *line) held(t *testing.T, quiet reference, how func(n *night) (pipeline.Result, error)) {
	world := chaotic(simulated.Options{MaxLatency: 200 * time.Millisecond})
	n := newNight(t, world)
	defer n.clear()
	n.budget(slowly)
	result, err := how(n)
	if err != nil {
		t.Errorf("%s: %v", l.fault, err)
		return
	}
	s, err := n.read(result)
	if err != nil {
		t.Errorf("%s: %v", l.fault, err)
		return
	}
	h := compared(s, quiet.snapshot)
	l.times++
	l.harm.add(h)
	l.repeated += arrived(world) - quiet.requests
	if !h.none() || s.Code != quiet.Code || !sameTables(s, quiet.snapshot) {
		t.Errorf("%s: %+v, code %d", l.fault, h, s.Code)
	}
	for path, count := range world.Counts() {
		if count.MaxPerSecond > slowly {
			t.Errorf("%s: %s got %d requests in a second, %d may", l.fault, path, count.MaxPerSecond, slowly)
		}
	}
}

// wall is a clock whose wall reading can be set, as by a person or by NTP. Its monotonic reading
// goes on undisturbed, as the system's does.
type wall struct {
	mu  sync.Mutex
	off time.Duration
}

func (w *wall) set(off time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.off = off
}

func (w *wall) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	// A bubble's clock has no monotonic reading, which every real one has. This is how package time
	// keeps both: seconds since 1885 in bits 30 to 62 of its first word, the reading in its second.
	const since1885 = 2_682_288_000 // from 1885 to 1970
	now := time.Now()
	inside := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&now))
	mono := now.UnixNano()
	inside.wall = 1<<63 | uint64(now.Add(w.off).Unix()+since1885)<<30 | uint64(now.Nanosecond())
	inside.ext = mono
	return now
}

// clockKeepsItsReading holds that only the wall's reading is set.
func clockKeepsItsReading(t *testing.T) {
	clock := &wall{}
	before := clock.now()
	clock.set(-3 * time.Hour)
	time.Sleep(time.Second)
	if after := clock.now(); after.Sub(before) != time.Second || after.Round(0).Sub(before.Round(0)) != time.Second-3*time.Hour {
		t.Fatalf("the test's clock is wrong: %v and %v", before, after)
	}
}

// clocks jump by hours while a night is at work, and between a run and its resumption.
func clocks(t *testing.T, quiet reference) {
	clockKeepsItsReading(t)
	jumps := []time.Duration{3 * time.Hour, -3 * time.Hour}
	if *chaosTime > 0 {
		jumps = append(jumps, 26*time.Hour, -20*time.Hour) // a UserSig is refused that was made a day ago
	}
	for _, jump := range jumps {
		l := line{fault: fmt.Sprintf("the machine's clock jumps by %s during the run, and back", hours(jump)), happened: "no second over budget; sealed, the bytes of a quiet night"}
		for range many(5) {
			l.held(t, quiet, func(n *night) (pipeline.Result, error) {
				clock := &wall{}
				defer time.AfterFunc(20*time.Second, func() { clock.set(jump) }).Stop()
				defer time.AfterFunc(70*time.Second, func() { clock.set(0) }).Stop()
				began := time.Now()
				r := n.request()
				r.Now = clock.now
				result, err := pipeline.Run(t.Context(), r)
				if took := time.Since(began); err == nil && took > 10*time.Minute {
					err = fmt.Errorf("it took %v", took)
				}
				return result, err
			})
		}
		l.tell(t)
		l = line{fault: fmt.Sprintf("killed, and the clock set by %s before it is run again", hours(jump)), happened: "no second over budget; sealed, the bytes of a quiet night", resumed: 1}
		l.held(t, quiet, func(n *night) (pipeline.Result, error) {
			clock := &wall{}
			if err := n.killed(t, 150, clock.now); err != nil {
				return pipeline.Result{}, err
			}
			clock.set(jump)
			began := time.Now()
			r := n.request()
			r.Now = clock.now
			result, err := pipeline.Run(t.Context(), r)
			if took := time.Since(began); err == nil && took > 10*time.Minute {
				err = fmt.Errorf("it took %v", took)
			}
			return result, err
		})
		l.tell(t)
	}
}

func hours(d time.Duration) string { return fmt.Sprintf("%+g hours", d.Hours()) }

// killed runs a night until so many requests were sent, and demands that it was stopped.
func (n *night) killed(t *testing.T, requests int64, now func() time.Time) error {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := n.request()
	transport := &cutAfter{RoundTripper: r.Transport, cut: cancel}
	transport.left.Store(requests)
	r.Transport, r.Now = transport, now
	_, err := pipeline.Run(ctx, r)
	stopped := &pipeline.StoppedError{}
	if !errors.As(err, &stopped) {
		return fmt.Errorf("the run was not stopped: %w", err)
	}
	return nil
}

// midnight passes while a night without --date is at work, and between it and its resumption.
func midnight(t *testing.T, quiet reference) {
	begin := func(n *night) *wall {
		clock := &wall{}
		day := time.Date(2026, 11, 21, 23, 59, 30, 0, time.UTC)
		clock.set(time.Until(day).Truncate(time.Second))
		return clock
	}
	demand := func(result pipeline.Result, err error) (pipeline.Result, error) {
		if err == nil && result.Date != date {
			err = fmt.Errorf("the date is %s", result.Date)
		}
		return result, err
	}
	l := line{fault: "midnight passes during the run, which was given no date", happened: "the date stays; sealed, the bytes of a quiet night"}
	l.held(t, quiet, func(n *night) (pipeline.Result, error) {
		r := n.request()
		r.Date, r.Now = "", begin(n).now
		return demand(pipeline.Run(t.Context(), r))
	})
	l.tell(t)
	l = line{fault: "killed before midnight, run again after it without a date", happened: "the date stays; sealed, the bytes of a quiet night", resumed: 1}
	l.held(t, quiet, func(n *night) (pipeline.Result, error) {
		clock := begin(n)
		if err := n.killed(t, 60, clock.now); err != nil {
			return pipeline.Result{}, err
		}
		time.Sleep(5 * time.Minute)
		r := n.request()
		r.Date, r.Now = "", clock.now
		return demand(pipeline.Run(t.Context(), r))
	})
	l.tell(t)
}
