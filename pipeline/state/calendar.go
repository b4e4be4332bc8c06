package state

import "time"

// A date lasts longer than a day: it begins in UTC+14 and ends in UTC-12.
const (
	farEast = 14 * time.Hour
	farWest = -12 * time.Hour
)

// Today is the date at a moment, in UTC.
func Today(at time.Time) string { return at.UTC().Format(time.DateOnly) }

// Yesterday is the date before, in UTC.
func Yesterday(at time.Time) string { return at.UTC().AddDate(0, 0, -1).Format(time.DateOnly) }

// ToCome tells whether a date has begun nowhere yet.
func ToCome(date string, at time.Time) bool {
	return date > at.UTC().Add(farEast).Format(time.DateOnly)
}

// Over tells whether a date is over: it is today's nowhere, and it is not yesterday's in UTC, which is what
// schedulers call the night after it.
func Over(date string, at time.Time) bool {
	return date < min(Yesterday(at), at.UTC().Add(farWest).Format(time.DateOnly))
}
