package sorted_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"rollcall/pipeline/sorted"
)

func TestASortThatIsToldToStopStopsAtOnceAndLeavesNothing(t *testing.T) {
	t.Parallel()
	const records = 24_000
	stop := errors.New("stopped")
	for looks := range 60 { // far more than there are
		dir := t.TempDir()
		s := sorted.New(dir, 0)
		left := looks
		s.Check = func() error {
			if left--; left < 0 {
				return stop
			}
			return nil
		}
		given, err := 0, error(nil)
		for i := 0; i < records && err == nil; i++ {
			err = s.Add(fmt.Appendf(nil, "%0100d", i), nil)
		}
		if err == nil {
			var c *sorted.Cursor
			if c, err = s.Sort(); err == nil {
				for c.Next() {
					given++
				}
				err = errors.Join(c.Err(), c.Close())
			}
		}
		if left >= 0 && (err != nil || given != records) || left < 0 && !errors.Is(err, stop) {
			t.Fatalf("after %d looks %d records were given: %v", looks, given, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if rest, err := os.ReadDir(dir); err != nil || len(rest) > 0 {
			t.Fatalf("after %d looks %v is left: %v", looks, rest, err)
		}
	}
}
