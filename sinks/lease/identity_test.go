package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/schema/process"
	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// ours is the state folder of these tests; a copy of it has the same name.
const ours = "0123456789abcdef"

// claim takes the lease for a process of our state folder, by whose word the processes in dead have ended.
func claim(t *testing.T, b lease.Store, pid int, dead ...int) (*lease.Lease, error) {
	owner := sinks.Owner{State: ours, Host: "h", PID: pid, Date: "2026-11-21", Since: time.Now(), Process: process.Identity{PID: pid}}
	held, err := lease.Take(t.Context(), b, owner, lease.Pace{Dead: func(o sinks.Owner) bool {
		for _, pid := range dead {
			if o.Process.PID == pid {
				return true
			}
		}
		return false
	}}, time.Now)
	if err == nil {
		t.Cleanup(func() { held.Release(context.Background()) })
	}
	return held, err
}

func TestACopyOfTheStateFolderWaitsLikeAnybodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		first, err := claim(t, b, 1)
		if err != nil {
			t.Fatal(err)
		}
		_, err = claim(t, b, 2)
		held := &sinks.HeldError{}
		if !errors.As(err, &held) || held.Owner.PID != 1 || !held.Copy {
			t.Fatalf("the copy's run got %v", err)
		}
		if err := first.Check(t.Context()); err != nil {
			t.Errorf("the holder lost it: %v", err)
		}
	})
}

func TestOnlyAProvablyDeadPredecessorIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		record string
		waits  time.Duration
	}{
		"dead":                                   {`{"state":"0123456789abcdef","process":{"pid":7}}`, 0},
		"nobody can tell":                        {`{"state":"0123456789abcdef","process":{"pid":8}}`, sinks.StaleAfter},
		"of a version that did not say":          {`{"state":"0123456789abcdef","host":"h","pid":7}`, sinks.StaleAfter},
		"dead, but of another state folder":      {`{"state":"fedcba9876543210","process":{"pid":7}}`, sinks.StaleAfter},
		"a record that names nothing":            {`{}`, sinks.StaleAfter},
		"a record that was cut while written to": {`{"state":"0123456789abcd`, sinks.StaleAfter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				if _, err := claim(t, &board{record: []byte(c.record)}, 9, 7); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(start); waited != c.waits {
					t.Errorf("taken after %v, want %v", waited, c.waits)
				}
			})
		})
	}
}

// TestARecordIsOursOnlyByteForByte has a clone of this machine, process and all, write the lock.
func TestARecordIsOursOnlyByteForByte(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		held, err := claim(t, b, 1)
		if err != nil {
			t.Fatal(err)
		}
		since := time.Now()
		b.mu.Lock()
		b.record = []byte(`{"state":"` + ours + `","host":"h","pid":1,"date":"2026-11-21","since":"` + since.UTC().Format(time.RFC3339Nano) + `","process":{"pid":1},"beat":9}`)
		b.writes++
		b.mu.Unlock()
		if err := held.Check(t.Context()); !isHeld(err) {
			t.Errorf("got %v", err)
		}
		if at := held.Acknowledged(); !at.IsZero() {
			t.Errorf("a lost lease was acknowledged at %v", at)
		}
	})
}

// silent hangs in every write until the caller gives up, for as long as it is told to.
type silent struct {
	*board
	from, until time.Time
	takes       time.Duration // of every write
}

func (s *silent) Replace(ctx context.Context, record []byte, tag string) (string, error) {
	if now := time.Now(); !now.Before(s.from) && now.Before(s.until) {
		<-ctx.Done()
		return "", ctx.Err()
	}
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return s.board.Replace(ctx, record, tag)
}

func TestWhatALateStoreCostsTheHolder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hangs, takes time.Duration
		oldest       time.Duration // of what is acknowledged, at any time
	}{
		"a quiet store":        {0, 0, sinks.HeartbeatEvery},
		"one lost packet":      {time.Second, 0, 12 * time.Second},
		"two of them":          {7 * time.Second, 0, sinks.FreshFor - time.Millisecond},
		"a store that is slow": {0, 7 * time.Second, sinks.FreshFor - time.Millisecond},
		"one that is away":     {time.Minute, 0, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &silent{board: &board{}, takes: c.takes}
				s.from = time.Now().Add(time.Minute)
				s.until = s.from.Add(c.hangs)
				held, err := claim(t, s, 1)
				if err != nil {
					t.Fatal(err)
				}
				oldest := time.Duration(0)
				for range 4 * 60 * 10 {
					time.Sleep(100 * time.Millisecond) // virtual
					oldest = max(oldest, time.Since(held.Acknowledged()))
				}
				if oldest > c.oldest || c.hangs >= time.Minute && oldest < c.hangs {
					t.Errorf("the oldest was %v, want %v at most", oldest, c.oldest)
				}
				if !sinks.Fresh(held.Acknowledged(), time.Now()) {
					t.Error("it is not acknowledged again")
				}
			})
		})
	}
}
