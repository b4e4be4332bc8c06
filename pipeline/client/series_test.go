package client

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestASeriesCountsEverythingInFewBuckets(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 0))
		begin, span := random.Int64N(2_000_000_000), []int64{100, 10_000, 1_000_000}[seed%3]
		moments := make([]int64, 1+random.IntN(200)) // seconds after the first request: nights of minutes and of days
		for i := range moments {
			moments[i] = begin + random.Int64N(span)
		}
		slices.Sort(moments)
		cut := random.IntN(len(moments) + 1)
		whole, before, after := seriesOf(moments), seriesOf(moments[:cut]), seriesOf(moments[cut:])
		for name, s := range map[string]Series{"in one process": whole, "in two": before.Plus(after), "the other way round": after.Plus(before)} {
			if len(s.Sent) > MostBuckets || len(s.Sent) != len(s.Throttled) || len(s.Sent) != len(s.Failed) || len(s.Sent) != len(s.Limit) {
				t.Fatalf("%s: %d buckets, %d, %d, %d", name, len(s.Sent), len(s.Throttled), len(s.Failed), len(s.Limit))
			}
			if s.From%s.Step != 0 {
				t.Fatalf("%s: the first bucket begins at %d, which is no multiple of %d", name, s.From, s.Step)
			}
			want := make([]int64, len(s.Sent))
			for _, m := range moments {
				want[(m-s.From)/s.Step]++
			}
			if !slices.Equal(s.Sent, want) {
				t.Fatalf("seed %d, %s: sent %v, want %v", seed, name, s.Sent, want)
			}
			for i, limit := range s.Limit {
				if (limit == 80) != (want[i] > 0) {
					t.Fatalf("seed %d, %s: limit %v in a bucket of %d requests", seed, name, limit, want[i])
				}
			}
		}
	}
}

func seriesOf(seconds []int64) (s Series) {
	for _, second := range seconds {
		s.send(time.Unix(second, 0), 80)
	}
	return s
}

func TestASeriesKeepsWhatAClockThatWasSetBackGives(t *testing.T) {
	t.Parallel()
	var s Series
	s.send(time.Unix(1000, 0), 10)
	s.send(time.Unix(900, 0), 20)
	if !slices.Equal(s.Sent, []int64{2}) || s.Limit[0] != 20 {
		t.Errorf("sent %v at %v", s.Sent, s.Limit)
	}
	if sum := s.Plus(Series{}).Plus(s); sum.Sent[0] != 4 || s.Sent[0] != 2 {
		t.Errorf("added up to %v, and left %v", sum.Sent, s.Sent)
	}
}
