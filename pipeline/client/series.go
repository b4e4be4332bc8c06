package client

import (
	"slices"
	"time"
)

// MostBuckets is how many buckets a Series has at most.
const MostBuckets = 240

// Series counts what an endpoint was sent over time, in buckets of equal width. They begin at
// multiples of their width, which is a power of two and grows with the time that passes: two series
// can therefore be added up exactly, and neither takes more room the longer a night lasts. The zero
// Series has counted nothing.
type Series struct {
	Step      int64     `json:"step"` // width of a bucket, in seconds
	From      int64     `json:"from"` // when the first bucket begins, in seconds since 1970; a multiple of Step
	Sent      []int64   `json:"sent"` // requests; all four have one value for each bucket
	Throttled []int64   `json:"throttled"`
	Failed    []int64   `json:"failed"`
	Limit     []float64 `json:"limit"` // requests a second, the highest that was allowed; 0 where nothing was sent
}

// Empty tells whether nothing was counted.
func (s Series) Empty() bool { return len(s.Sent) == 0 }

// Clone is a copy that shares nothing with s.
func (s Series) Clone() Series {
	s.Sent, s.Throttled, s.Failed, s.Limit = slices.Clone(s.Sent), slices.Clone(s.Throttled), slices.Clone(s.Failed), slices.Clone(s.Limit)
	return s
}

// send counts one request, sent while limit was allowed.
func (s *Series) send(at time.Time, limit float64) {
	i := s.bucket(at)
	s.Sent[i]++
	s.Limit[i] = max(s.Limit[i], limit)
}

// bucket finds or makes the bucket that holds a moment. One before all others, which only a clock that
// was set back can give, is counted in the first.
func (s *Series) bucket(at time.Time) int {
	second := at.Unix()
	if s.Empty() {
		s.Step, s.From = 1, second
	}
	for (second-s.From)/s.Step >= MostBuckets {
		s.coarsen()
	}
	i := max(0, int((second-s.From)/s.Step))
	s.extend(i + 1)
	return i
}

func (s *Series) extend(buckets int) {
	for len(s.Sent) < buckets {
		s.Sent, s.Throttled, s.Failed, s.Limit = append(s.Sent, 0), append(s.Throttled, 0), append(s.Failed, 0), append(s.Limit, 0)
	}
}

// coarsen makes the buckets twice as wide.
func (s *Series) coarsen() {
	from, step := s.From-mod(s.From, 2*s.Step), 2*s.Step
	wide := Series{Step: step, From: from}
	for i := range s.Sent {
		at := int((s.From + int64(i)*s.Step - from) / step)
		wide.extend(at + 1)
		wide.Sent[at] += s.Sent[i]
		wide.Throttled[at] += s.Throttled[i]
		wide.Failed[at] += s.Failed[i]
		wide.Limit[at] = max(wide.Limit[at], s.Limit[i])
	}
	*s = wide
}

func mod(a, b int64) int64 { return (a%b + b) % b }

// Plus is what both have counted.
func (s Series) Plus(other Series) Series {
	if s.Empty() {
		return other.Clone()
	}
	if other.Empty() {
		return s.Clone()
	}
	a, b := s.Clone(), other.Clone()
	for a.Step < b.Step {
		a.coarsen()
	}
	for b.Step < a.Step {
		b.coarsen()
	}
	for max(a.end(), b.end())-min(a.From, b.From) > MostBuckets*a.Step {
		a.coarsen()
		b.coarsen()
	}
	sum := Series{Step: a.Step, From: min(a.From, b.From)}
	for _, part := range []Series{a, b} {
		shift := int((part.From - sum.From) / sum.Step)
		sum.extend(shift + len(part.Sent))
		for i := range part.Sent {
			sum.Sent[shift+i] += part.Sent[i]
			sum.Throttled[shift+i] += part.Throttled[i]
			sum.Failed[shift+i] += part.Failed[i]
			sum.Limit[shift+i] = max(sum.Limit[shift+i], part.Limit[i])
		}
	}
	return sum
}

// end is when the last bucket ends.
func (s Series) end() int64 { return s.From + int64(len(s.Sent))*s.Step }
