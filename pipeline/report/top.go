package report

import "slices"

// top keeps the first few of many, in an order of its own, and counts all.
type top[T any] struct {
	Rows  []T
	Total int64
	keep  int
	less  func(a, b T) int // nil: in the order in which they come
}

// add takes one.
func (t *top[T]) add(one T) {
	t.Total++
	if t.less == nil {
		if len(t.Rows) < t.keep {
			t.Rows = append(t.Rows, one)
		}
		return
	}
	if len(t.Rows) == t.keep && t.less(t.Rows[t.keep-1], one) <= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(t.Rows, one, func(there, one T) int {
		if t.less(there, one) <= 0 {
			return -1 // equals stay in the order in which they came
		}
		return 1
	})
	t.Rows = slices.Insert(t.Rows, at, one)
	if len(t.Rows) > t.keep {
		t.Rows = t.Rows[:t.keep]
	}
}

// More is how many are not kept.
func (t top[T]) More() int64 { return t.Total - int64(len(t.Rows)) }
