package budget_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/budget"
)

// server counts requests where they arrive.
type server struct {
	mu       sync.Mutex
	arrivals []time.Time
}

func (s *server) arrive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals = append(s.arrivals, time.Now())
}

// most is the largest number of arrivals in any second, both of its ends included.
func (s *server) most(second time.Duration) int {
	most, first := 0, 0
	slices.SortFunc(s.arrivals, time.Time.Compare)
	for last := range s.arrivals {
		for s.arrivals[last].Sub(s.arrivals[first]) > second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// network is what lies between: the time on the way there and back.
type network struct {
	there, back func(*rand.Rand) time.Duration
	lost        float64 // part of the answers that never come
	throttled   float64 // part of the answers that say "too many"
}

func constant(d time.Duration) func(*rand.Rand) time.Duration {
	return func(*rand.Rand) time.Duration { return d }
}

func between(from, to time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return from + time.Duration(r.Int64N(int64(to-from))) }
}

const timeout = 5 * time.Second

// send keeps asking until the deadline, as one worker of a data block does.
func (n network) send(ctx context.Context, b *budget.Budget, s *server, r *rand.Rand) {
	for {
		ticket, err := b.Wait(ctx)
		if err != nil {
			return
		}
		if r.Float64() < n.lost {
			time.Sleep(n.there(r))
			s.arrive()
			time.Sleep(time.Until(ticket.Sent().Add(timeout)))
			b.Unanswered(ticket)
			continue
		}
		time.Sleep(n.there(r))
		s.arrive()
		time.Sleep(n.back(r))
		b.Answered(ticket)
		if r.Float64() < n.throttled {
			b.Throttled(ticket, 0)
		}
	}
}

// run lets workers send for so long, on virtual time.
func (n network) run(b *budget.Budget, s *server, workers int, seed uint64, length time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() { n.send(ctx, b, s, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	group.Wait()
}

func TestWithoutLatencyTheWholeBudgetIsUsedAndNotOneMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b := budget.New(budget.Config{Limit: budget.Steady(100), Timeout: timeout}, time.Now)
		network{there: constant(0), back: constant(0)}.run(b, s, 8, 1, 10*time.Second)
		if most := s.most(time.Second); most != 100 {
			t.Errorf("largest second holds %d, want 100", most)
		}
		if len(s.arrivals) != 1000 {
			t.Errorf("%d requests in ten seconds, want 1000", len(s.arrivals))
		}
		if gap := s.arrivals[1].Sub(s.arrivals[0]); gap != 10*time.Millisecond {
			t.Errorf("requests are %v apart, want 10ms", gap)
		}
	})
}

func TestCallersAreServedInTheOrderInWhichTheyCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(budget.Config{Limit: budget.Steady(10), Timeout: timeout}, time.Now)
		var mu sync.Mutex
		var order []int
		var group sync.WaitGroup
		for i := range 50 {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			group.Go(func() {
				ticket, err := b.Wait(ctx)
				if err != nil {
					return
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				b.Answered(ticket)
			})
			synctest.Wait()
			if i%5 == 4 {
				cancel()
			}
		}
		group.Wait()
		if !slices.IsSorted(order) || len(order) != 40 {
			t.Errorf("order of %d was %v", len(order), order)
		}
	})
}
