package budget_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/budget"
)

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// tail is mostly quick and now and then slow, like a vendor on the other side of an ocean.
func tail(r *rand.Rand) time.Duration {
	return min(milliseconds(20)+time.Duration(r.ExpFloat64()*float64(milliseconds(40))), time.Second)
}

// TestNoSecondHoldsMoreThanTheLimit is what the package is for. Every row asks both for the promise
// and, where every request is answered, for 98 % of what a promise by places can reach.
func TestNoSecondHoldsMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	networks := map[string]network{
		"at once":                          {there: constant(0), back: constant(milliseconds(1))},
		"even 50 ms":                       {there: constant(milliseconds(25)), back: constant(milliseconds(25))},
		"5 to 200 ms":                      {there: between(milliseconds(2), milliseconds(100)), back: between(milliseconds(3), milliseconds(100))},
		"20 to 500 ms":                     {there: between(milliseconds(10), milliseconds(250)), back: between(milliseconds(10), milliseconds(250))},
		"0 to 500 ms there, 0 to 500 back": {there: between(0, milliseconds(500)), back: between(0, milliseconds(500))},
		"long tail":                        {there: tail, back: tail},
		"all jitter there":                 {there: between(0, milliseconds(500)), back: constant(0)},
		"all jitter back":                  {there: constant(0), back: between(0, milliseconds(500))},
		"lost answers":                     {there: between(0, milliseconds(200)), back: between(0, milliseconds(200)), lost: 0.02},
		"throttled":                        {there: between(0, milliseconds(200)), back: between(0, milliseconds(200)), throttled: 0.001},
		"lost and throttled":               {there: between(0, milliseconds(500)), back: between(0, milliseconds(500)), lost: 0.05, throttled: 0.01},
	}
	for name, network := range networks {
		for _, limit := range []float64{0.5, 1, 1.5, 5, 33.3, 80, 200, 1000} {
			t.Run(fmt.Sprintf("%s, %v a second", name, limit), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { holds(t, network, limit) })
			})
		}
	}
}

func holds(t *testing.T, n network, limit float64) {
	length := time.Duration(max(30, 2000/limit)) * time.Second // 2000 requests at least: means are steady
	s := &server{}
	b := budget.New(budget.Config{Limit: budget.Steady(limit), Timeout: timeout}, time.Now)
	n.run(b, s, int(limit*1.6)+4, uint64(limit*10), length)

	second, places := time.Second, int(limit)
	if limit < 1 {
		second, places = time.Duration(float64(time.Second)/limit), 1
	}
	if most := s.most(second); most > places {
		t.Errorf("%d requests arrived within %v, %d may", most, second, places)
	}
	if n.lost > 0 || n.throttled > 0 {
		return
	}
	bound := float64(places) / (second.Seconds() + n.mean().Seconds())
	if pace := float64(len(s.arrivals)) / length.Seconds(); pace < 0.98*bound {
		t.Errorf("%.2f requests a second arrived, %.3f of the %.2f that places can reach", pace, pace/bound, bound)
	}
}

// mean is the measured mean latency.
func (n network) mean() time.Duration {
	r := rand.New(rand.NewPCG(1, 2))
	var sum time.Duration
	for range 20_000 {
		sum += n.there(r) + n.back(r)
	}
	return sum / 20_000
}

func TestARestartWithinTheSameSecondKeepsTheBudget(t *testing.T) {
	t.Parallel()
	for _, died := range []int{1, 300, 700, 1000, 1300, 5000, 7777} {
		t.Run(fmt.Sprintf("killed after %d ms", died), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := network{there: between(0, milliseconds(500)), back: between(0, milliseconds(500))}
				s := &server{}
				first := budget.New(budget.Config{Limit: budget.Steady(100), Timeout: timeout}, time.Now)
				ctx, kill := context.WithTimeout(t.Context(), milliseconds(died))
				defer kill()
				var old sync.WaitGroup
				for i := range 200 { // what is on its way when the process dies arrives all the same
					old.Go(func() { n.send(ctx, first, s, rand.New(rand.NewPCG(1, uint64(i)))) })
				}
				<-ctx.Done()
				second := budget.New(budget.Config{Limit: budget.Steady(100), Timeout: timeout,
					HeldUntil: time.Now().Add(budget.Grace)}, time.Now)
				n.run(second, s, 200, 2, 10*time.Second)
				old.Wait()
				if most := s.most(time.Second); most > 100 {
					t.Errorf("largest second holds %d", most)
				}
			})
		})
	}
}

func TestALowerLimitHoldsFromItsFirstSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := network{there: between(0, milliseconds(500)), back: between(0, milliseconds(500))}
		start := time.Now()
		change := start.Add(20 * time.Second)
		at := func(now time.Time) float64 {
			if now.Before(change) {
				return 100
			}
			return 30
		}
		limit := func(now time.Time) float64 { return min(at(now), at(now.Add(timeout))) } // as Schedule does
		before, after := &server{}, &server{}
		all := &server{}
		n.run(budget.New(budget.Config{Limit: limit, Timeout: timeout}, time.Now), all, 200, 3, 40*time.Second)
		for _, arrival := range all.arrivals {
			if arrival.Before(change) {
				before.arrivals = append(before.arrivals, arrival)
			} else {
				after.arrivals = append(after.arrivals, arrival)
			}
		}
		if most := before.most(time.Second); most > 100 || most < 80 {
			t.Errorf("largest second before the change holds %d", most)
		}
		if most := after.most(time.Second); most > 30 || most < 25 {
			t.Errorf("largest second after the change holds %d", most)
		}
	})
}

func TestEvenPacingUsesAllOfTheBudget(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{2, 100, 200, 1000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := network{there: between(0, milliseconds(500)), back: between(0, milliseconds(500))}
				s := &server{}
				b := budget.New(budget.Config{Limit: budget.Steady(float64(limit)), Even: true, Timeout: timeout}, time.Now)
				n.run(b, s, limit*2, 4, time.Minute)
				if got, want := len(s.arrivals), 60*limit; got < want-1 || got > want+1 {
					t.Errorf("%d requests in a minute, want %d", got, want)
				}
				if most := s.most(time.Second); most > limit+limit/5+2 {
					t.Errorf("largest second holds %d", most)
				}
			})
		})
	}
}
