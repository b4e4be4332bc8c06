package plan

import "math"

// Count is a figure with its bounds.
type Count struct {
	Least    int64  `json:"least"`
	Expected int64  `json:"expected"` // Least where nothing tells more
	Most     *int64 `json:"most"`     // null: not known
}

// Exact tells whether there is no doubt.
func (c Count) Exact() bool { return c.Most != nil && *c.Most == c.Least }

func exactly(n int64) Count { return Count{Least: n, Expected: n, Most: &n} }

func atLeast(n int64) Count { return Count{Least: n, Expected: n} }

// plus adds what is counted apart.
func (c Count) plus(o Count) Count {
	sum := Count{Least: c.Least + o.Least, Expected: c.Expected + o.Expected}
	if c.Most != nil && o.Most != nil {
		most := *c.Most + *o.Most
		sum.Most = &most
	}
	return sum
}

// How far a night is from the one before it.
const (
	narrow = 0.03 // of a key that was asked then
	wide   = 0.15 // of a key that was not
)

// spread is a Count while it is estimated.
type spread struct{ least, expected, most float64 }

// add adds n, give or take the given part of it, and at least one.
func (s *spread) add(n, part float64) {
	if n <= 0 {
		return
	}
	s.addScaled(n, 1, part)
}

// addScaled adds what is discovered by ratio times the keys that discovered n: between n and
// ratio x n, since a group is discovered by its first member.
func (s *spread) addScaled(n, ratio, part float64) {
	if n <= 0 {
		return
	}
	s.addBetween(n*min(1, ratio), n*ratio, n*max(1, ratio), part)
}

// addBetween adds what is somewhere between low and high, give or take the given part of high.
func (s *spread) addBetween(low, expected, high, part float64) {
	if high <= 0 {
		return
	}
	margin := max(1, high*part)
	s.least += max(0, low-margin)
	s.expected += expected
	s.most += high + margin
}

// addUnknown adds keys that nobody asked about before, by the mean and the scatter of others.
func (s *spread) addUnknown(keys, mean, scatter float64) {
	if keys <= 0 {
		return
	}
	s.add(keys*mean, max(wide, 3*scatter*math.Sqrt(keys)/(keys*mean)))
}

// count rounds away from the middle. Floor is what it can't fall below.
func (s spread) count(floor int64) Count {
	c := Count{Least: max(floor, int64(math.Floor(s.least)))}
	c.Expected = max(c.Least, int64(math.Round(s.expected)))
	most := max(c.Expected, int64(math.Ceil(s.most)))
	c.Most = &most
	return c
}

// ceil is how many batches of size hold n; at least one.
func ceil(n, size int64) int64 { return max(1, (n+size-1)/size) }
