package spool

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"rollcall/schema/disk/disktest"
)

func TestACrashLosesOnlyWhatWasNotFlushed(t *testing.T) {
	t.Parallel()
	const flushes = 3*fanIn + 2
	crashes := 0
	for seed := range uint64(72) {
		steps := 1 + int(seed)*16
		if seed >= 36 { // around the first merge, closely
			steps = 12*fanIn + int(seed-36)*3
		}
		mortal := disktest.New(t, disktest.Options{Crash: steps, Seed: seed})
		o := Options{Dir: filepath.Join(t.TempDir(), "spool"), Blocks: testBlocks(), Disk: mortal, batchRows: 5}
		r := rand.New(rand.NewPCG(seed, 3))
		entries, safe, err := work(o, r, flushes)
		if err != nil {
			crashes++
			if !errors.Is(err, disktest.ErrCrash) {
				t.Fatalf("crash at step %d: %v", steps, err)
			}
		}
		mortal.Lose(t, disktest.Losses()[seed%3])

		o.Disk = hasty{}
		s, err := Open(o)
		if err != nil {
			t.Fatalf("crash at step %d: %v", steps, err)
		}
		got := shown(t, s, Filter{})
		if len(got.records) < safe {
			t.Fatalf("crash at step %d: %d of %d flushed entries are left", steps, len(got.records), safe)
		}
		same(t, got, sorted(o.Blocks, entries[:len(got.records)]))
		for _, e := range entries[len(got.records):] {
			must(t, s.Add(t.Context(), e))
		}
		must(t, s.Flush(t.Context()))
		same(t, shown(t, s, Filter{}), sorted(o.Blocks, entries))
		must(t, s.Close())
	}
	if crashes < 50 {
		t.Errorf("only %d runs crashed: the steps lie too far apart", crashes)
	}
}

// work adds entries and flushes now and then, until it is done or the disk fails. Safe counts the
// entries that a flush had made durable.
func work(o Options, r *rand.Rand, flushes int) (entries []Entry, safe int, err error) {
	s, err := Open(o)
	if err != nil {
		return nil, 0, err
	}
	defer s.Close()
	for range flushes {
		for range 1 + r.IntN(3) {
			e := randomEntry(r, 6)
			if err := s.Add(context.Background(), e); err != nil {
				return entries, safe, err
			}
			entries = append(entries, e)
		}
		if err := s.Flush(context.Background()); err != nil {
			return entries, safe, err
		}
		safe = len(entries)
	}
	return entries, safe, s.Settle(context.Background())
}
