package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"rollcall/pipeline/keys"
	"rollcall/pipeline/reconcile"
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

func TestAStopAtAnyMomentEndsTheComparisonAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := twoVendors(t)
	var text strings.Builder
	text.WriteString("group_id,user_id\n")
	for i := range 10_000 { // of no source, so that they go through every sort
		fmt.Fprintf(&text, "g%d,u%d\n", i%100, i)
	}
	path := filepath.Join(t.TempDir(), "members.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for looks := int64(0); ; looks += 1 + looks/6 {
		ctx, scratch := &stopping{Context: t.Context()}, t.TempDir()
		ctx.left.Store(looks)
		_, err := reconcile.Run(ctx, s, reconcile.Options{Records: keys.RowOptions{Path: path}, Scratch: scratch}, func(*reconcile.Difference) error { return nil })
		if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
			t.Fatalf("stopped after %d looks reconcile left %v behind (%v)", looks, left, err)
		}
		switch ended := ctx.left.Load() < 0; {
		case ended && err == nil:
			t.Fatalf("stopped after %d looks reconcile says nothing", looks)
		case !ended && err != nil && !errors.Is(err, context.Canceled):
			t.Fatal(err)
		case !ended:
			if looks < 40 {
				t.Errorf("reconcile looks only %d times whether it is to stop", looks)
			}
			return
		}
	}
}
