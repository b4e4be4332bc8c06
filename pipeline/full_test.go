package pipeline_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/schema/disk/disktest"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// refusal is a disk that refuses from some step on.
type refusal struct {
	cause error
	steps []string // that are refused; empty: all
	sink  bool     // the sink's disk, else the state folder's

	kind fault.Kind
	says string // part of the message or of the hint
}

func refusals() map[string]refusal {
	room := []string{disktest.Mkdir, disktest.Create, disktest.Write, disktest.Sync, disktest.Link}
	return map[string]refusal{
		"the state folder's disk is full":        {cause: syscall.ENOSPC, steps: room, kind: fault.Bug, says: "make room"},
		"the state folder becomes read-only":     {cause: syscall.EROFS, kind: fault.Configuration, says: "--state"},
		"the state folder's disk breaks":         {cause: syscall.EIO, kind: fault.Bug, says: "the disk"},
		"the sink's disk is full":                {cause: syscall.ENOSPC, steps: room, sink: true, kind: fault.Bug, says: "make room"},
		"the sink becomes read-only":             {cause: syscall.EROFS, sink: true, kind: fault.Configuration, says: "let this user write"},
		"the sink's network file system is down": {cause: syscall.EIO, sink: true, kind: fault.Transient, says: "run the same command again"},
	}
}

func TestADiskThatRefusesAtAnyStepIsSaidAndGoesOnToTheSameBytes(t *testing.T) {
	t.Parallel()
	q := quietNight(t)
	for name, r := range refusals() {
		count := newTried(t, name)
		for _, step := range sample(len(q.steps), 83) {
			t.Run(fmt.Sprintf("%s at step %d", name, step), func(t *testing.T) {
				t.Parallel()
				n := tiny(t)
				n.inBubble(func() { n.refuseAndGoOn(q, r, step, count) })
			})
		}
	}
}

// refuseAndGoOn has the disk refuse from a step on, demands the right words, and runs again on a
// disk that is well.
func (n *night) refuseAndGoOn(q quiet, r refusal, step int, count *tried) {
	n.t.Helper()
	place := n.state
	if r.sink {
		place = n.out
	}
	var steps atomic.Int64
	d := disktest.New(n.t, disktest.Options{Before: func(operation, path string) error {
		if steps.Add(1) < int64(step) || !strings.HasPrefix(path, place) || len(r.steps) > 0 && !slices.Contains(r.steps, operation) {
			return nil
		}
		return &fs.PathError{Op: operation, Path: path, Err: r.cause}
	}})
	var warnings []string
	result, err := n.virtually(d, func(r *pipeline.Request) {
		r.Listen = func(e event.Event) {
			if notice, is := e.(event.Notice); is && notice.Warning {
				warnings = append(warnings, notice.Text)
			}
		}
	})
	if err != nil {
		n.told(err, r)
	} else if _, unsealed := os.Stat(filepath.Join(n.out, result.Path)); unsealed != nil {
		n.t.Error("nothing was said, and nothing is sealed")
	}
	safe, before := n.safe(), n.requests()
	if result, err = n.virtually(disktest.New(n.t, disktest.Options{}), nil); err != nil {
		n.t.Fatalf("the run that goes on: %v", err)
	}
	if asked, want := n.requests()-before, q.unsafe(safe); asked != want && !result.Already || asked > 0 && result.Already {
		n.t.Errorf("%d requests, %d are needed for the keys that were not safe (%d were; sealed before: %v)", asked, want, len(safe), result.Already)
	}
	count.add(n.requests()-q.total(), true)
	if _, gone := os.Stat(filepath.Join(n.out, filepath.FromSlash(sinks.LockPath))); gone == nil && result.Already {
		n.same(q, result, n.clearedByAnother(warnings))
		return
	}
	n.same(q, result)
}

// clearedByAnother is the night that follows one that was sealed on a sink that then would not let the
// run tidy up: that must have been said, and the night that follows must do it. Its date is an earlier
// one, so that it compares with nothing: package parquet keeps decoders for whoever reads next, and
// those that are made in a bubble may not be used outside it.
func (n *night) clearedByAnother(warnings []string) manifest.Manifest {
	n.t.Helper()
	if !slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, "could not be released") }) {
		n.t.Errorf("the lock is left, and it warns %q", warnings)
	}
	next, err := n.virtually(disktest.New(n.t, disktest.Options{}), func(r *pipeline.Request) { r.Date = "2026-11-20" })
	if err != nil {
		n.t.Fatalf("the night that follows: %v", err)
	}
	return next.Manifest
}

// told holds an error against what a person must be told.
func (n *night) told(err error, r refusal) {
	n.t.Helper()
	if kind := fault.KindOf(err); kind != r.kind {
		n.t.Errorf("%v is of kind %v, want %v", err, kind, r.kind)
	}
	if hint := fault.HintOf(err); !strings.Contains(err.Error()+"\n"+hint, r.says) {
		n.t.Errorf("%v, hint %q: want %q", err, hint, r.says)
	}
}
