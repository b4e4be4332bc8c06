package snapshot_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline/snapshot"
)

func TestMissingDatesAreNamedAsRanges(t *testing.T) {
	t.Parallel()
	noon := func(date string) time.Time {
		at, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		return at.Add(12 * time.Hour)
	}
	for _, c := range []struct {
		name, sealed, from string
		now                time.Time // zero: nobody expects one each day
		want               string
	}{
		{"no snapshot", "", "", time.Time{}, ""},
		{"one", "2026-11-20", "", time.Time{}, ""},
		{"no gap", "2026-11-20 2026-11-21 2026-11-22", "", time.Time{}, ""},
		{"one day", "2026-11-26 2026-11-28", "", time.Time{}, "no snapshot for 2026-11-27"},
		{"a week, over a month's end", "2026-11-28 2026-12-06", "", time.Time{}, "no snapshots for 2026-11-29 to 2026-12-05 (7 days)"},
		{"a leap day", "2028-02-28 2028-03-01", "", time.Time{}, "no snapshot for 2028-02-29"},
		{"not in order, and one twice", "2026-11-28 2026-11-25 2026-11-28 2026-11-26", "", time.Time{}, "no snapshot for 2026-11-27"},
		{"what is older than --from", "2026-11-01 2026-11-05 2026-11-20 2026-11-22", "2026-11-10", time.Time{}, "no snapshots for 2026-11-10 to 2026-11-19 (10 days), no snapshot for 2026-11-21"},
		{"--from is the first", "2026-11-01 2026-11-05 2026-11-06", "2026-11-05", time.Time{}, ""},
		{"--from is after the newest", "2026-11-01 2026-11-05", "2026-11-10", noon("2026-11-28"), "no snapshots for 2026-11-10 to 2026-11-27 (18 days): the newest snapshot is of 2026-11-05"},
		{"--from is after the newest, and nobody expects one each day", "2026-11-01 2026-11-05", "2026-11-10", time.Time{}, ""},
		{"--from is today", "2026-11-01 2026-11-05", "2026-11-28", noon("2026-11-28"), ""},
		{"history is pruned up to --from", "2026-11-20 2026-11-22", "2026-11-10", time.Time{}, "no snapshot for 2026-11-21"},
		{"the newest is of yesterday", "2026-11-26 2026-11-27", "", noon("2026-11-28"), ""},
		{"the newest is of today", "2026-11-27 2026-11-28", "", noon("2026-11-28"), ""},
		{"the newest is of tomorrow", "2026-11-28 2026-11-29", "", noon("2026-11-28"), ""},
		{"yesterday's is not there", "2026-11-25 2026-11-26", "", noon("2026-11-28"), "no snapshot for 2026-11-27: the newest snapshot is of 2026-11-26"},
		{"the last week's are not there", "2026-11-18 2026-11-20", "", noon("2026-11-28"), "no snapshot for 2026-11-19, no snapshots for 2026-11-21 to 2026-11-27 (7 days): the newest snapshot is of 2026-11-20"},
		{"what is no date", "2026-11-20 2026-13-45 2026-11-22", "", time.Time{}, "no snapshot for 2026-11-21"},
	} {
		missing := snapshot.Missing(strings.Fields(c.sealed), c.from, c.now)
		var said []string
		for _, m := range missing {
			said = append(said, m.String())
		}
		if got := strings.Join(said, ", "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	got := snapshot.Missing([]string{"2026-11-20", "2026-11-24"}, "", noon("2026-11-26"))
	want := []snapshot.MissingDates{{From: "2026-11-21", To: "2026-11-23", Days: 3, After: "2026-11-20"}, {From: "2026-11-25", To: "2026-11-25", Days: 1, After: "2026-11-24", Last: true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
