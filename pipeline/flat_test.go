package pipeline_test

import (
	"runtime"
	"slices"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/schema/disk/disktest"
	"rollcall/sources/simulated"
)

// TestMemoryAndGoroutinesAreFlatOverANight looks at the process all the way through a night of
// thousands of keys: its last third may hold no more than its second did, but for noise. It runs
// beside no other test, which would be counted in.
func TestMemoryAndGoroutinesAreFlatOverANight(t *testing.T) {
	users := 1500
	if long() {
		users = 30_000
	}
	world := simulated.New(unlimited(simulated.Options{Seed: 9, Users: users, Groups: users / 10}))
	n := newNight(t, world).everything()
	for i := range n.job.Sources {
		for name := range n.job.Sources[i].Budgets {
			n.job.Sources[i].Budgets[name] = job.Budget{PerSecond: 20}
		}
	}
	var goroutines []int
	var heap []uint64
	n.inBubble(func() {
		seen := 0
		_, err := n.virtually(disktest.New(n.t, disktest.Options{}), func(r *pipeline.Request) {
			r.Listen = func(e event.Event) {
				p, ok := e.(event.Progress)
				if !ok || p.Phase != event.Fetching {
					return
				}
				goroutines = append(goroutines, runtime.NumGoroutine())
				if seen++; seen%(users/60) == 0 {
					runtime.GC()
					stats := runtime.MemStats{}
					runtime.ReadMemStats(&stats)
					heap = append(heap, stats.HeapAlloc)
				}
			}
		})
		if err != nil {
			n.t.Fatal(err)
		}
	})
	if len(goroutines) < 60 || len(heap) < 9 {
		t.Fatalf("only %d and %d samples", len(goroutines), len(heap))
	}
	third := func(i, of int) (from, to int) { return of * i / 3, of * (i + 1) / 3 }
	from, to := third(1, len(goroutines))
	middle, last := slices.Max(goroutines[from:to]), slices.Max(goroutines[to:])
	if last > middle*3/2+20 {
		t.Errorf("%d goroutines at most in the last third of the night, %d in the second", last, middle)
	}
	from, to = third(1, len(heap))
	middleHeap, lastHeap := slices.Max(heap[from:to]), slices.Max(heap[to:])
	if lastHeap > middleHeap*3/2+4<<20 {
		t.Errorf("%d bytes of heap at most in the last third of the night, %d in the second", lastHeap, middleHeap)
	}
	t.Logf("%d samples: at most %d, then %d goroutines; at most %d, then %d KiB of heap", len(goroutines), middle, last, middleHeap>>10, lastHeap>>10)
}
