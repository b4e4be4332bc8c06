package chaos_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/fence"
	"rollcall/sinks"
	"rollcall/sinks/sinktest"
)

// swallowed is a bucket that gives no answer at all.
func swallowed(r *http.Request, _ *sinktest.Bucket) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// moments is a transport that remembers when requests were sent.
type moments struct {
	http.RoundTripper
	mu sync.Mutex
	at []time.Time
}

func (m *moments) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.at = append(m.at, time.Now())
	m.mu.Unlock()
	return m.RoundTripper.RoundTrip(r)
}

// within counts the requests from one moment to another.
func (m *moments) within(from, to time.Time) (sent int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, at := range m.at {
		if !at.Before(from) && at.Before(to) {
			sent++
		}
	}
	return sent
}

// cutOff lets a front give no answer from one moment to another.
func (f *front) cutOff(after, until time.Duration) {
	set := func(rate float64) func() {
		return func() {
			f.mu.Lock()
			f.rate, f.refuse = rate, swallowed
			f.mu.Unlock()
		}
	}
	time.AfterFunc(after, set(1))
	time.AfterFunc(until, set(0))
}

// leases cuts runs off from their bucket while they ask, for a while and until another run has their lock.
func leases(t *testing.T, quiet reference) {
	l := line{fault: "the run is cut off from its bucket for half a minute to two while it asks", happened: "no request from 20 s after the last heartbeat on until the lock is renewed; sealed, the bytes of a quiet night"}
	for i := range many(8) {
		l.stored(t, quiet, func(n *night, f *front) (pipeline.Result, error) {
			n.budget(slowly)
			from, length := time.Duration(10+3*i)*time.Second, time.Duration(30+10*i)*time.Second
			began, sent := time.Now(), &moments{RoundTripper: n.world.Transport()}
			f.cutOff(from, from+length)
			r := n.request()
			r.Bucket, r.Transport = f, sent
			result, err := pipeline.Run(n.t.Context(), r)
			if early := sent.within(began.Add(from+sinks.FreshFor), began.Add(from+length)); err == nil && early > 0 {
				err = fmt.Errorf("%d requests were sent while nobody knew whose the lock was", early)
			}
			return result, err
		})
	}
	l.tell(t)
	l = line{fault: "the run is cut off from its bucket, and another machine's run takes its lock", happened: "never requests of both in one second; the first ends with 5 or 6, the second sealed, the bytes of a quiet night", resumed: 1}
	for i := range many(8) {
		l.stored(t, quiet, func(n *night, f *front) (pipeline.Result, error) {
			return n.robbed(f, time.Duration(i+2)*20*time.Second)
		})
	}
	l.tell(t)
}

// robbed lets a second machine seal what the first one began, which comes back to its bucket so long after
// it was cut off.
func (n *night) robbed(f *front, back time.Duration) (pipeline.Result, error) {
	n.budget(slowly)
	first, second := &moments{RoundTripper: n.world.Transport()}, &moments{RoundTripper: n.world.Transport()}
	f.cutOff(11*time.Second, 11*time.Second+back)
	ended := make(chan error)
	go func() {
		r := n.request()
		r.Bucket, r.Transport = f, first
		_, err := pipeline.Run(n.t.Context(), r)
		ended <- err
	}()
	time.Sleep(12 * time.Second) // virtual
	r := n.request()
	r.State, r.Bucket, r.Transport = n.t.TempDir(), f.bucket, second
	result, err := pipeline.Run(n.t.Context(), r)
	lost := <-ended
	held, closed := &sinks.HeldError{}, &fence.ClosedError{}
	switch {
	case err != nil && errors.As(err, &held): // the first one was back in time
		if lost != nil {
			return result, fmt.Errorf("neither sealed: %w, %w", lost, err)
		}
		r.Date = date
		return pipeline.Run(n.t.Context(), r)
	case err != nil:
		return result, err
	case !errors.As(lost, &held) && !errors.As(lost, &closed):
		return result, fmt.Errorf("the first machine ended with %w", lost)
	}
	last := first.at[len(first.at)-1]
	if next := second.at[0]; next.Sub(last) < time.Second {
		return result, fmt.Errorf("the second machine asked %v after the first one", next.Sub(last))
	}
	return result, nil
}
