package sinktest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/sinks"
)

// counter injects a fault where it is due and remembers at which operation it first did.
type counter struct {
	due   func(n int64) bool
	fault Fault
	n     atomic.Int64
	mu    sync.Mutex
	first string
}

func (c *counter) inject(operation string) Fault {
	if !c.due(c.n.Add(1)) {
		return None
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == "" {
		c.first = operation
	}
	return c.fault
}

func (c *counter) at() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.first
}

// frozen makes a process stand still, as far as the place can see.
type frozen struct{ yes atomic.Bool }

func (f *frozen) inject(string) Fault {
	if f.yes.Load() {
		return Refused
	}
	return None
}

func secondLock(t *testing.T, place Place) {
	lock, _ := begun(t, newNight(t, place, "a", nil))
	start := time.Now()
	_, err := newNight(t, place, "b", nil).lock(t.Context())
	if !isHeld(err) {
		t.Fatalf("got %v, want HeldError", err)
	}
	if waited := time.Since(start); place.exact && waited > place.Pace.Stale {
		t.Errorf("a living holder was watched for %v", waited)
	}
	if err := lock.Check(t.Context()); err != nil {
		t.Errorf("the holder lost it: %v", err)
	}
}

func releasedLock(t *testing.T, place Place) {
	lock, _ := begun(t, newNight(t, place, "a", nil))
	for range 2 {
		if err := lock.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !isHeld(lock.Check(t.Context())) {
		t.Error("a released lock says that it is held")
	}
	start := time.Now()
	next := must[sinks.Lock](t)(newNight(t, place, "b", nil).lock(t.Context()))
	defer next.Release(context.Background())
	if waited := time.Since(start); place.exact && waited >= place.Pace.Stale {
		t.Errorf("taking a free lock took %v", waited)
	}
	if err := next.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// copiedLock has two state folders of one name, whose runs are both alive.
func copiedLock(t *testing.T, place Place) {
	original := newNight(t, place, "a", nil)
	original.pid++ // which is not that of a dead process
	lock, _ := begun(t, original)
	_, err := newNight(t, place, "a", nil).lock(t.Context())
	if held, ok := errors.AsType[*sinks.HeldError](err); !ok || !held.Copy {
		t.Fatalf("got %v, want HeldError", err)
	}
	if err := lock.Check(t.Context()); err != nil {
		t.Errorf("the holder lost it: %v", err)
	}
}

// deadLock is a lock whose holder, of state "a", has stopped; by its process, that can be told.
func deadLock(t *testing.T, place Place) (*night, sinks.Lock, *frozen) {
	holder := &frozen{}
	n := newNight(t, place, "a", holder.inject)
	lock := must[sinks.Lock](t)(n.lock(t.Context()))
	t.Cleanup(func() {
		holder.yes.Store(false)
		lock.Release(context.Background())
	})
	holder.yes.Store(true)
	return n, lock, holder
}

func strangersLock(t *testing.T, place Place) {
	_, lock, holder := deadLock(t, place)
	start := time.Now()
	taken := must[sinks.Lock](t)(newNight(t, place, "b", nil).lock(t.Context()))
	defer taken.Release(context.Background())
	if waited := time.Since(start); waited < place.Pace.Stale || place.exact && waited > 2*place.Pace.Stale {
		t.Errorf("it was taken after %v, want %v", waited, place.Pace.Stale)
	}
	holder.yes.Store(false)
	if !isHeld(lock.Check(t.Context())) {
		t.Error("the old holder still thinks that it holds it")
	}
	if err := lock.Release(t.Context()); err != nil {
		t.Errorf("the old holder's release: %v", err)
	}
	if err := taken.Check(t.Context()); err != nil {
		t.Errorf("the old holder's release took the lock away: %v", err)
	}
}

func predecessorsLock(t *testing.T, place Place) {
	deadLock(t, place)
	start := time.Now()
	taken := must[sinks.Lock](t)(newNight(t, place, "a", nil).lock(t.Context()))
	defer taken.Release(context.Background())
	if waited := time.Since(start); place.exact && waited >= place.Pace.Stale {
		t.Errorf("it was taken only after %v", waited)
	}
	if err := taken.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func lostLock(t *testing.T, place Place) {
	holder := &frozen{}
	slow := newNight(t, place, "a", holder.inject)
	_, staging := begun(t, slow)
	if err := slow.put(t.Context(), staging); err != nil {
		t.Fatal(err)
	}
	holder.yes.Store(true)
	quick := newNight(t, place, "b", nil)
	lock, mine := begun(t, quick)
	holder.yes.Store(false)
	if err := seal(t, staging); !isHeld(err) {
		t.Errorf("the slow one's seal gave %v, want HeldError", err)
	}
	wantVisible(t, place)
	if err := quick.put(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	if err := staging.Abort(t.Context()); err != nil {
		t.Errorf("the slow one's abort gave %v", err)
	}
	if err := seal(t, mine); err != nil {
		t.Errorf("the quick one's seal gave %v", err)
	}
	if err := lock.Check(t.Context()); err != nil {
		t.Error(err)
	}
	wantSealed(t, place)
}
