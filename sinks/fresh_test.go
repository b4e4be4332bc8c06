package sinks_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rollcall/sinks"
)

// No goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAHeartbeatProvesTheLockForTwentySeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the bubble's clock has a monotonic reading
		sent := time.Now()
		wall := sent.Round(0)
		for name, c := range map[string]struct {
			acknowledged, now time.Time
			fresh             bool
		}{
			"at once":                                   {sent, sent, true},
			"for less than twenty seconds":              {sent, sent.Add(sinks.FreshFor - 1), true},
			"not for twenty":                            {sent, sent.Add(sinks.FreshFor), false},
			"not when the machine slept":                {sent, wall.Add(sinks.FreshFor), false},
			"not when only the wall clock is known":     {wall, wall.Add(sinks.FreshFor), false},
			"not when the clock was set back behind it": {wall, wall.Add(-time.Hour), false},
			"not when the lock is lost":                 {time.Time{}, sent, false},
		} {
			if got := sinks.Fresh(c.acknowledged, c.now); got != c.fresh {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}
