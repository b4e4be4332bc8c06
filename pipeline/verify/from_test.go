package verify_test

import (
	"errors"
	"testing"
	"time"

	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/verify"
	"rollcall/sinks/manifest"
)

// TestFromADateAfterTheNewestSnapshot proves from a date on that nothing was sealed since: the date that a script
// computes (a month ago), after a month without a snapshot.
func TestFromADateAfterTheNewestSnapshot(t *testing.T) {
	t.Parallel()
	h := simulate(t, false, nights()[:2]...) // 2026-11-20 and 2026-11-21
	now := noon("2026-11-28")
	for _, all := range []bool{false, true} {
		from := func(date string, daily time.Time) func(*verify.Options) {
			return func(o *verify.Options) { o.All, o.From, o.Daily = all, date, daily }
		}
		check(t, h.verified(t, from("2026-11-25", now)), want{verify.NoSnapshot, manifest.Path("2026-11-25"), "2026-11-25 to 2026-11-27 (3 days)"})
		check(t, h.verified(t, from("2026-11-22", now)), want{verify.NoSnapshot, manifest.Path("2026-11-22"), "2026-11-22 to 2026-11-27 (6 days)"})
		for _, daily := range []time.Time{{}, now} { // today's is not due yet, so that nothing is left to look at
			o := verify.Options{Share: 1, Key: key, Scratch: t.TempDir()}
			from("2026-11-28", daily)(&o)
			_, err := verify.Run(t.Context(), h.sink, o)
			if missing, ok := errors.AsType[*snapshot.MissingError](err); !ok || missing.Date != "2026-11-28" || len(missing.Sealed) != 2 {
				t.Errorf("all %v, daily %v: %v", all, daily, err)
			}
		}
		check(t, h.verified(t, from("2026-11-21", time.Time{})))
	}
}
