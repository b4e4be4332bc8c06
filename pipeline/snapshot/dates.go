package snapshot

import (
	"fmt"
	"slices"
	"time"

	"rollcall/sinks"
)

// MissingDates are consecutive dates without a snapshot.
type MissingDates struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Days  int64  `json:"days"`
	After string `json:"after"`          // the snapshot before them
	Last  bool   `json:"last,omitempty"` // no snapshot comes after them
}

// String says which dates are missing.
func (m MissingDates) String() string {
	text := "no snapshot for " + m.From
	if m.Days > 1 {
		text = fmt.Sprintf("no snapshots for %s to %s (%d days)", m.From, m.To, m.Days)
	}
	if m.Last {
		text += ": the newest snapshot is of " + m.After
	}
	return text
}

// Missing lists the dates between the first and the last of sealed that are not among them, ascending. Dates
// before from are left aside: history may have been pruned there. Where now is given, one snapshot a day is
// expected: the dates from the last one to yesterday, in UTC, are missing, too.
func Missing(sealed []string, from string, now time.Time) (missing []MissingDates) {
	dates := slices.DeleteFunc(slices.Clone(sealed), func(date string) bool { return !sinks.IsDate(date) })
	slices.Sort(dates)
	for i, date := range dates {
		if i > 0 {
			missing = appendBetween(missing, dates[i-1], date, from, false)
		}
	}
	if n := len(dates); n > 0 && !now.IsZero() {
		missing = appendBetween(missing, dates[n-1], now.UTC().Format(time.DateOnly), from, true)
	}
	return missing
}

// appendBetween appends the dates after one and before another, where there are any that are not before from.
func appendBetween(missing []MissingDates, after, before, from string, last bool) []MissingDates {
	a, errA := time.Parse(time.DateOnly, after)
	b, errB := time.Parse(time.DateOnly, before)
	first := a.AddDate(0, 0, 1)
	if least, err := time.Parse(time.DateOnly, from); err == nil && least.After(first) {
		first = least
	}
	days := int64(b.Sub(first) / (24 * time.Hour))
	if errA != nil || errB != nil || days < 1 {
		return missing
	}
	return append(missing, MissingDates{
		From: first.Format(time.DateOnly), To: b.AddDate(0, 0, -1).Format(time.DateOnly), Days: days, After: after, Last: last,
	})
}
