package pipeline_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/fence"
	"rollcall/schema/disk/disktest"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
	"rollcall/sources/simulated"
)

// host is one of several machines whose runs share a bucket and an app.
type host struct {
	*night
	bucket *sinktest.Bucket
	cut    atomic.Bool // from the bucket
	denied atomic.Bool // by the bucket: its token has expired
	sent   *arrivals
	date   string // empty: that of all nights
	mu     sync.Mutex
	told   []string
}

// hosts are two machines that are to seal one date from one slow app.
func hosts(t *testing.T) (a, b *host) {
	world := simulated.New(unlimited(simulated.Options{Seed: 8, Users: 400, Groups: 3}))
	bucket := &sinktest.Bucket{Name: "audit"}
	on := func() *host {
		n := slow(t, world)
		return &host{night: n, bucket: bucket, sent: &arrivals{RoundTripper: world.Transport()}}
	}
	return on(), on()
}

// slow is a night that takes two minutes of virtual time.
func slow(t *testing.T, world *simulated.World) *night {
	n := newNight(t, world).block("rongcloud_joined_groups", users("rc_users"))
	for i := range n.job.Sources {
		for name, b := range n.job.Sources[i].Budgets {
			b.PerSecond = 4
			n.job.Sources[i].Budgets[name] = b
		}
	}
	return n
}

// Do reaches the bucket, unless it is cut off.
func (h *host) Do(r *http.Request) (*http.Response, error) {
	switch {
	case h.cut.Load():
		<-r.Context().Done()
		return nil, r.Context().Err()
	case h.denied.Load():
		return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	return h.bucket.Do(r)
}

// work runs the night; all machines have one clock.
func (h *host) work(ctx context.Context) (pipeline.Result, error) {
	sink, err := s3.Open(ctx, s3.Config{
		Bucket: "audit", Region: "eu-central-1", Endpoint: "http://s3.test", Now: time.Now, HTTP: h,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
	if err != nil {
		return pipeline.Result{}, err
	}
	r := h.request()
	r.Date = cmp.Or(h.date, r.Date)
	r.Sink, r.Transport, r.Disk, r.Linger = sink, h.sent, disktest.New(h.t, disktest.Options{}), 0
	r.Listen = func(e event.Event) {
		if n, ok := e.(event.Notice); ok {
			h.mu.Lock()
			h.told = append(h.told, n.Text)
			h.mu.Unlock()
		}
	}
	r.Given = cmp.Or(r.Given, noon(r.Date))
	return pipeline.Run(ctx, r)
}

// span tells when the first and the last request were sent.
func (h *host) span() (first, last time.Time) {
	h.sent.mu.Lock()
	defer h.sent.mu.Unlock()
	if len(h.sent.at) == 0 {
		return first, last
	}
	return time.UnixMicro(h.sent.at[0]), time.UnixMicro(h.sent.at[len(h.sent.at)-1])
}

// heard tells whether a person was told what has these words.
func (h *host) heard(words string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(strings.Join(h.told, "\n"), words)
}

func TestWhoCannotRenewTheLockAsksNothingMore(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(h *host){
		"the network is cut":    func(h *host) { h.cut.Store(true) },
		"the token has expired": func(h *host) { h.denied.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := hosts(t)
			h.inBubble(func() {
				began := time.Now()
				time.AfterFunc(30*time.Second, func() { lose(h) })
				_, err := h.work(h.t.Context())
				stopped, closed := &pipeline.StoppedError{}, &fence.ClosedError{}
				if !errors.As(err, &stopped) || !errors.As(err, &closed) || stopped.Done == 0 || fault.HintOf(err) == "" {
					t.Fatalf("got %v, hint %q", err, fault.HintOf(err))
				}
				if took := time.Since(began); took < 2*time.Minute || took > 4*time.Minute {
					t.Errorf("it ended after %v", took)
				}
				if _, last := h.span(); last.Sub(began) > 30*time.Second+sinks.FreshFor {
					t.Errorf("its last request was sent %v after it began", last.Sub(began))
				}
				if !h.heard("no requests are sent: the lock of ") {
					t.Errorf("told %q", h.told)
				}
				h.t.Logf("| the sink's lock can't be renewed for good: %s | 1 | no request 20 s later; exit 5, what was fetched is kept | 0 | 0 | 0 | 0 |", name)
			})
		})
	}
}

func TestRequestsGoOnWhenTheLockIsRenewed(t *testing.T) {
	t.Parallel()
	h, _ := hosts(t)
	h.inBubble(func() {
		began := time.Now()
		time.AfterFunc(30*time.Second, func() { h.cut.Store(true) })
		time.AfterFunc(90*time.Second, func() { h.cut.Store(false) })
		result, err := h.work(h.t.Context())
		if err != nil || result.Code != pipeline.CodeComplete {
			t.Fatalf("code %d, %v", result.Code, err)
		}
		for _, at := range h.sent.at {
			if after := time.UnixMicro(at).Sub(began); after > 30*time.Second+sinks.FreshFor && after < 90*time.Second {
				t.Errorf("a request was sent %v after it began", after)
			}
		}
		if !h.heard("is renewed, and is ours: requests go on after") {
			t.Errorf("told %q", h.told)
		}
	})
}

// TestTwoMachinesNeverAskInOneSecond cuts the first one off, for good and for a while, and lets a second
// one take its lock.
func TestTwoMachinesNeverAskInOneSecond(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]time.Duration{"cut off for good": time.Hour, "back when it has lost the lock": 80 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := hosts(t)
			a.inBubble(func() {
				b.t = a.t
				var first error
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, first = a.work(a.t.Context())
				}()
				time.AfterFunc(21*time.Second, func() { a.cut.Store(true) })
				time.AfterFunc(back, func() { a.cut.Store(false) })
				time.Sleep(22 * time.Second) // virtual
				if result, err := b.work(a.t.Context()); err != nil || result.Code != pipeline.CodeComplete {
					t.Errorf("the second machine: code %d, %v", result.Code, err)
				}
				<-done
				held, closed := &sinks.HeldError{}, &fence.ClosedError{}
				if lost := errors.As(first, &held); lost != (back < time.Hour) || !lost && !errors.As(first, &closed) {
					t.Errorf("the first machine: %v", first)
				}
				_, last := a.span()
				if next, _ := b.span(); next.Sub(last) < time.Second {
					t.Errorf("the second machine began %v after the first one's last request", next.Sub(last))
				}
				if !b.heard("waiting for the lock of ") || !b.heard(" is ours after ") {
					t.Errorf("the second machine was told %q", b.told)
				}
				b.t.Logf("| a machine is cut off from its bucket, and another one takes its lock: %s | 1 | they never asked in one second; sealed | 0 | 0 | 0 | 0 |", name)
			})
		})
	}
}

// TestTheNextRunBeginsWhenTheLastRequestDoesNotCountAnyMore stops a run, whose lock is then free.
func TestTheNextRunBeginsWhenTheLastRequestDoesNotCountAnyMore(t *testing.T) {
	t.Parallel()
	a, b := hosts(t)
	a.inBubble(func() {
		b.t = a.t
		ctx, cancel := context.WithCancel(a.t.Context())
		time.AfterFunc(20*time.Second, cancel)
		if _, err := a.work(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if _, err := b.work(a.t.Context()); err != nil {
			t.Fatal(err)
		}
		_, last := a.span()
		if next, _ := b.span(); next.Sub(last) < time.Second {
			t.Errorf("the next run asked %v after the last request", next.Sub(last))
		}
	})
}

// TestWhoFollowsASealedRunAtOnceKeepsItsDistance: a run that has sealed holds its lock no longer than it works,
// and its manifest tells the next one, on another machine, when it last asked.
func TestWhoFollowsASealedRunAtOnceKeepsItsDistance(t *testing.T) {
	t.Parallel()
	a, b := hosts(t)
	a.inBubble(func() {
		b.t, b.date = a.t, "2026-11-20" // earlier, so that no base is read: the library's pool of decompressors outlives a bubble
		if _, err := a.work(a.t.Context()); err != nil {
			t.Fatal(err)
		}
		_, last := a.span()
		if ended := time.Since(last); ended > time.Second {
			t.Errorf("the first run ended %v after its last request", ended)
		}
		if _, err := b.work(a.t.Context()); err != nil {
			t.Fatal(err)
		}
		if next, _ := b.span(); next.Sub(last) < time.Second {
			t.Errorf("the next run asked %v after the last request", next.Sub(last))
		}
	})
}

// TestTheLockIsLookedAtAfterASleep has the machine sleep: its wall clock jumps, and another run has taken
// the lock meanwhile.
func TestTheLockIsLookedAtAfterASleep(t *testing.T) {
	t.Parallel()
	h, other := hosts(t)
	h.inBubble(func() {
		time.AfterFunc(30*time.Second, func() {
			h.bucket.Put("_locks/run.json", []byte(`{"state":"stranger","host":"elsewhere","pid":7,"date":"2026-11-21","since":"2026-11-21T00:00:00Z"}`))
			other.cut.Store(true)
		})
		sink, err := s3.Open(h.t.Context(), s3.Config{
			Bucket: "audit", Region: "eu-central-1", Endpoint: "http://s3.test", HTTP: h,
			Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""), Now: other.slept,
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		r := h.request()
		r.Sink, r.Transport, r.Disk, r.Now = sink, h.sent, disktest.New(h.t, disktest.Options{}), other.slept
		r.Given = cmp.Or(r.Given, noon(r.Date))
		if _, err := pipeline.Run(h.t.Context(), r); !isHeldSink(err) {
			t.Fatalf("got %v", err)
		}
		if _, last := h.span(); last.Sub(began) > 30*time.Second {
			t.Errorf("a request was sent %v after it began, before the lock was looked at", last.Sub(began))
		}
	})
}

// slept is the clock of a machine that slept for an hour while the host was cut.
func (h *host) slept() time.Time {
	if h.cut.Load() {
		return time.Now().Add(time.Hour)
	}
	return time.Now()
}

func isHeldSink(err error) bool {
	_, held := errors.AsType[*sinks.HeldError](err)
	return held
}
