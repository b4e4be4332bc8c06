package pipeline_test

import (
	"sync"
	"testing"
)

// tried counts what a sweep over faults came to, for the table in CHAOS.md.
type tried struct {
	mu                               sync.Mutex
	times, sealed, refused, repeated int64
}

// newTried prints its counts when all of the test's cases have ended.
func newTried(t *testing.T, what string) *tried {
	c := &tried{}
	t.Cleanup(func() {
		if !t.Failed() {
			t.Logf("| %s | %d | %d sealed to the same bytes, %d refused in words | 0 | 0 | 0 | %d |", what, c.times, c.sealed, c.refused, c.repeated)
		}
	})
	return c
}

// add counts one case: how many requests were repeated, and whether it ended with a seal.
func (c *tried) add(repeated int64, sealed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times++
	c.repeated += max(0, repeated)
	if sealed {
		c.sealed++
	} else {
		c.refused++
	}
}
