package spelling_test

import (
	"testing"

	"rollcall/schema/spelling"
)

func TestNearestNames(t *testing.T) {
	t.Parallel()
	names := []string{"source", "ids", "data", "sink", "snapshot", "group_members"}
	for _, c := range []struct{ rule, given, want string }{
		{"a letter too many", "sources", "source"},
		{"a letter missing", "snapsht", "snapshot"},
		{"two swapped", "dtaa", "data"},
		{"a short name with one fault", "id", "ids"},
		{"a long name with several faults", "groupmembrs", "group_members"},
		{"something else altogether", "provider", ""},
		{"nothing", "", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := spelling.Nearest(c.given, names); got != c.want {
				t.Errorf("%q: got %q, want %q", c.given, got, c.want)
			}
		})
	}
}
