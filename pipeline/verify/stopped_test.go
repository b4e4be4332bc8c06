package verify_test

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"rollcall/pipeline/verify"
)

// stopping is a context that ends when it has been looked at so many times.
type stopping struct {
	context.Context
	left atomic.Int64
}

func (s *stopping) Err() error {
	if s.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestAStopAtAnyMomentGivesNoReportAndLeavesNothing(t *testing.T) {
	t.Parallel()
	h := simulate(t, true, "2026-11-20", "2026-11-21")
	for looks := int64(0); ; looks += 1 + looks/6 {
		ctx := &stopping{Context: t.Context()}
		ctx.left.Store(looks)
		options := verify.Options{All: true, Key: key, Scratch: t.TempDir()}
		_, err := verify.Run(ctx, h.sink, options)
		if left, err := os.ReadDir(options.Scratch); err != nil || len(left) > 0 {
			t.Fatalf("stopped after %d looks verify left %v behind (%v)", looks, left, err)
		}
		switch ended := ctx.left.Load() < 0; {
		case ended && !errors.Is(err, context.Canceled):
			t.Fatalf("stopped after %d looks verify says %v", looks, err)
		case !ended && err != nil:
			t.Fatal(err)
		case !ended:
			if looks < 40 {
				t.Errorf("verify looks only %d times whether it is to stop", looks)
			}
			return
		}
	}
}
