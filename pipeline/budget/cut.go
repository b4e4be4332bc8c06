package budget

import "time"

// recovery is the part of the limit that a cut pace regains each second.
const recovery = 0.05

// cut is what throttling answers leave of the limit: halved at once, regained slowly.
type cut struct {
	at   time.Time // of the last cut; zero: never
	left float64   // of the limit, right after it
}

// scale is the part of the limit that is left now.
func (c *cut) scale(now time.Time) float64 {
	if c.at.IsZero() {
		return 1
	}
	return min(1, c.left+recovery*now.Sub(c.at).Seconds())
}

// make halves the pace, unless the request that was throttled had been sent before the last cut:
// all that were on the way together count once. The pace never falls under one request a second,
// or a tenth of a limit that is lower than ten.
func (c *cut) make(sent, now time.Time, limit float64) bool {
	if sent.Before(c.at) {
		return false
	}
	floor := 0.1
	if limit > 10 {
		floor = 1 / limit
	}
	c.left = max(c.scale(now)/2, floor)
	c.at = now
	return true
}
