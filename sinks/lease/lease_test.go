package lease_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// board is a store in memory. A hook may answer instead of it, before or after the deed.
type board struct {
	mu     sync.Mutex
	record []byte
	writes int
	before func(operation string) error
	after  func(operation string) error
}

func (b *board) String() string { return "board" }

func (b *board) do(operation string, deed func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.before != nil {
		if err := b.before(operation); err != nil {
			return err
		}
	}
	err := deed()
	if err == nil && b.after != nil {
		err = b.after(operation)
	}
	return err
}

func (b *board) tag() string { return fmt.Sprint(b.writes) }

func (b *board) Read(context.Context) (record []byte, tag string, err error) {
	err = b.do("read", func() error {
		if b.record == nil {
			return fs.ErrNotExist
		}
		record, tag = b.record, b.tag()
		return nil
	})
	return record, tag, err
}

func (b *board) Create(_ context.Context, record []byte) (tag string, err error) {
	return b.write("create", record, func() bool { return b.record == nil })
}

func (b *board) Replace(_ context.Context, record []byte, tag string) (string, error) {
	return b.write("replace", record, func() bool { return b.record != nil && b.tag() == tag })
}

func (b *board) write(operation string, record []byte, allowed func() bool) (tag string, err error) {
	err = b.do(operation, func() error {
		if !allowed() {
			return lease.ErrConflict
		}
		b.record = record
		b.writes++
		tag = b.tag()
		return nil
	})
	return tag, err
}

func (b *board) Remove(_ context.Context, tag string) error {
	return b.do("remove", func() error {
		if b.record != nil && b.tag() != tag {
			return lease.ErrConflict
		}
		b.record = nil
		return nil
	})
}

func take(t *testing.T, b *board, state string) (*lease.Lease, error) {
	held, err := lease.Take(t.Context(), b, sinks.Owner{State: state, Host: "h", PID: 1, Date: "2026-11-21", Since: time.Now()}, lease.Pace{}, time.Now)
	if err == nil {
		t.Cleanup(func() { held.Release(context.Background()) })
	}
	return held, err
}

func isHeld(err error) bool { _, held := errors.AsType[*sinks.HeldError](err); return held }

func TestOfManyTakersOneWins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		results := make(chan error)
		for i := range 8 {
			go func() {
				_, err := take(t, b, fmt.Sprint(i))
				results <- err
			}()
		}
		won := 0
		for range 8 {
			if err := <-results; err == nil {
				won++
			} else if !isHeld(err) {
				t.Errorf("a loser got %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}

func TestOfManyWhoWatchADeadLockOneWins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{record: []byte(`{"state":"dead"}`)}
		results := make(chan error)
		for i := range 4 {
			go func() {
				_, err := take(t, b, fmt.Sprint(i))
				results <- err
			}()
		}
		won := 0
		for range 4 {
			if err := <-results; err == nil {
				won++
			} else if !isHeld(err) {
				t.Errorf("a loser got %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}

func TestAnUnreadableRecordIsWatchedLikeAStrangers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if _, err := take(t, &board{record: []byte("\x00")}, "a"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited < sinks.StaleAfter {
			t.Errorf("taken after %v", waited)
		}
	})
}

func TestALostAnswerLosesNoLease(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"create", "replace", "remove"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				once := true
				b := &board{after: func(done string) error {
					if done == operation && once {
						once = false
						return lease.ErrConflict // what a retried write is told that had succeeded
					}
					return nil
				}}
				held, err := take(t, b, "a")
				if err != nil {
					t.Fatal(err)
				}
				if err := held.Check(t.Context()); err != nil {
					t.Error(err)
				}
				if err := held.Release(t.Context()); err != nil {
					t.Error(err)
				}
				if b.record != nil {
					t.Errorf("left %s", b.record)
				}
			})
		})
	}
}

func TestAStoreThatIsDownLosesNoLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		held, err := take(t, b, "a")
		if err != nil {
			t.Fatal(err)
		}
		down := fault.New(fault.Transient, "down")
		b.mu.Lock()
		b.before = func(string) error { return down }
		b.mu.Unlock()
		time.Sleep(time.Minute) // virtual
		if err := held.Check(t.Context()); !errors.Is(err, down) {
			t.Errorf("while it is down: %v", err)
		}
		b.mu.Lock()
		b.before = nil
		b.mu.Unlock()
		if err := held.Check(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestARecordThatWasTakenAwayIsALostLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		held, err := take(t, b, "a")
		if err != nil {
			t.Fatal(err)
		}
		b.mu.Lock()
		b.record = nil
		b.mu.Unlock()
		for range 2 {
			if err := held.Check(t.Context()); !isHeld(err) {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestAStoreThatContradictsItselfIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{before: func(operation string) error {
			if operation == "create" {
				return lease.ErrConflict
			}
			return nil
		}}
		if _, err := take(t, b, "a"); fault.KindOf(err) != fault.Configuration || fault.HintOf(err) == "" {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheHeartbeatKeepsStrangersAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		if _, err := take(t, b, "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // virtual
		if _, err := take(t, b, "b"); !isHeld(err) {
			t.Errorf("got %v", err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if beats := int(time.Hour / sinks.HeartbeatEvery); b.writes < beats-2 || b.writes > beats+2 {
			t.Errorf("%d writes in an hour, want %d", b.writes, beats)
		}
	})
}
