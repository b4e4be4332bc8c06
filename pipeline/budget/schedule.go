package budget

import (
	"fmt"
	"time"

	"rollcall/pipeline/job"
)

// Steady is a limit that never changes.
func Steady(perSecond float64) func(time.Time) float64 {
	return func(time.Time) float64 { return perSecond }
}

// Schedule is the limit of a budget whose share depends on the time of day. Where windows overlap
// the smaller share counts; outside of all of them share does.
//
// A smaller share is kept to from lead before its window begins. A request that was sent before
// has been answered or given up when the window begins, if lead is the timeout, so that the
// window's first second already holds its limit. It fails where a time zone is unknown.
func Schedule(perSecond, share float64, windows []job.Window, lead time.Duration) (func(time.Time) float64, error) {
	zones := make([]*time.Location, len(windows))
	for i, window := range windows {
		zone, err := time.LoadLocation(window.TimeZone)
		if err != nil {
			return nil, fmt.Errorf("time zone %q: %w", window.TimeZone, err)
		}
		zones[i] = zone
	}
	at := func(now time.Time) float64 {
		found, smallest := false, share
		for i, window := range windows {
			if within(window, now.In(zones[i])) && (!found || window.Share < smallest) {
				found, smallest = true, window.Share
			}
		}
		return perSecond * smallest
	}
	if len(windows) == 0 {
		return Steady(perSecond * share), nil
	}
	return func(now time.Time) float64 { return min(at(now), at(now.Add(lead))) }, nil
}

// within tells whether a window holds the wall clock's minute. One that ends where it begins
// holds all day.
func within(window job.Window, local time.Time) bool {
	minute := local.Hour()*60 + local.Minute()
	if window.From < window.To {
		return window.From <= minute && minute < window.To
	}
	return window.From <= minute || minute < window.To
}
