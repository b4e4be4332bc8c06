package job_test

import (
	"testing"

	"rollcall/pipeline/job"
)

func TestAToleranceAllowsWhatItSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tolerance      job.Tolerance
		missing, asked int64
		want           bool
	}{
		{job.Tolerance{}, 0, 0, true},
		{job.Tolerance{}, 1, 1_000_000, false},
		{job.Tolerance{Share: 0.7 / 100}, 7, 1000, true},
		{job.Tolerance{Share: 0.7 / 100}, 8, 1000, false},
		{job.Tolerance{Share: 0.1 / 100}, 1, 999, false},
		{job.Tolerance{Count: 3}, 3, 10, true},
		{job.Tolerance{Share: 1}, 10, 10, true},
		{job.Tolerance{Share: 0.2, Count: 19}, 19, 20, true}, // more than a fifth, and not twenty
		{job.Tolerance{Share: 0.2, Count: 19}, 20, 99, false},
		{job.Tolerance{Share: 0.2, Count: 19}, 20, 100, true}, // twenty, and not more than a fifth
		{job.Tolerance{Share: 0.2, Count: 19}, 21, 100, false},
	} {
		if got := c.tolerance.Allows(c.missing, c.asked); got != c.want {
			t.Errorf("%+v: %d of %d allowed: %v", c.tolerance, c.missing, c.asked, got)
		}
	}
	// A whole number of per cents of a round number of keys is never a key short.
	for percent := int64(1); percent <= 100; percent++ {
		tolerance := job.Tolerance{Share: float64(percent) / 1000}
		for asked := int64(1000); asked <= 100_000; asked += 1000 {
			if missing := percent * asked / 1000; !tolerance.Allows(missing, asked) || tolerance.Allows(missing+1, asked) {
				t.Fatalf("%d per mille of %d", percent, asked)
			}
		}
	}
}
