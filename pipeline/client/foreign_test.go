package client_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/schema/fault"
	"rollcall/sources"
)

// A vendor that answers for another question on whatever connection is neither down nor to be asked ten
// times: the key contradicts itself, soon.
func TestForeignAnswersAreAskedForAgainAFewTimes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		foreign int // answers, before the right one
		want    int64
		fails   bool
	}{
		"once":   {1, 2, false},
		"twice":  {2, 3, false},
		"always": {100, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &vendor{answer: always(200, "ok")}
				e, got := endpoint(v, 1000, nil), 0
				call := e.Caller()
				began := time.Now()
				err := call.Call(t.Context(), sources.Exchange{Build: build, Echo: "g1", Read: func(sources.Answer) (bool, error) {
					if got++; got > c.foreign {
						return true, nil
					}
					f := fault.New(fault.Transient, "an answer about another group")
					f.Err = sources.ErrForeign
					return false, f
				}})
				if failed := errors.Is(err, sources.ErrForeign); failed != c.fails || !c.fails && err != nil {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); call.Attempts() != c.want || took > time.Second {
					t.Errorf("%d requests in %v, want %d at once", call.Attempts(), took, c.want)
				}
			})
		})
	}
}
