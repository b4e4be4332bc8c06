// Package sinktest holds a sink against the contract of package sinks: [Run] is the suite that
// every sink must pass, [Bucket] a strict S3 in memory for those that speak to one.
//
// The suite injects faults at every single operation a sink makes on its place, in every way the
// place knows, and demands each time that there is a sealed snapshot or nothing to be seen. In
// virtual time (testing/synctest) a night of retries takes no time.
package sinktest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/schema/process"
	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// Fault is one way in which an operation can go wrong.
type Fault int

// The faults. A place treats those that it can't tell apart alike.
const (
	None    Fault = iota
	Refused       // the operation never reached the place
	Lost          // the operation was carried out, its answer was lost
)

// Injector is asked before every operation on the place. It may be called by many goroutines.
type Injector func(operation string) Fault

// Place is one empty place and how to look at it from outside the sink.
type Place struct {
	Open    func(t testing.TB, inject Injector) sinks.Sink  // one more handle, as another process would have; inject may be nil
	Visible func(t testing.TB) []string                     // paths of all files but the lock, ascending
	Hidden  func(t testing.TB) []string                     // what lies about invisibly: staged files, open uploads
	Write   func(t testing.TB, path string, content []byte) // puts a file there behind the sink's back
	Pace    lease.Pace                                      // as given to the sinks, with [Dead]
	Faults  []Fault                                         // those worth trying
	Fresh   func(t testing.TB) Place                        // another empty place of the same kind
	Stride  int                                             // try a fault at each so manieth operation only, where time is real; 0: at each
	Large   int                                             // bytes of the largest file; more than two parts where the place cuts them

	exact bool // time is virtual: what takes long was waited for
}

// Options says which sink to try.
type Options struct {
	New     func(t testing.TB) Place
	Virtual bool // run on virtual time: nothing of the place may wait on a socket
}

// Run is the suite.
func Run(t *testing.T, options Options) {
	tests := []struct {
		name string
		run  func(*testing.T, Place)
	}{
		{"nothing can be seen before Seal, everything after", invisibleBeforeSeal},
		{"Abort leaves nothing", abortLeavesNothing},
		{"Abort after Seal does nothing", abortAfterSeal},
		{"a file that is not what was promised is refused", wrongSum},
		{"a file that can't be read leaves nothing", missingFile},
		{"a path outside the date is refused", strangePath},
		{"a sealed date can't be begun again", sealedTwice},
		{"a manifest that appears meanwhile is never overwritten", sealedMeanwhile},
		{"a second lock is held", secondLock},
		{"a released lock can be taken", releasedLock},
		{"a dead stranger's lock is taken when it has been still for long enough", strangersLock},
		{"a dead predecessor's lock is taken at once", predecessorsLock},
		{"the lock of a copied state folder is held", copiedLock},
		{"who lost the lock can't seal", lostLock},
		{"what a crashed run left is removed when the same date is begun", crashLeavesNothing},
		{"what is not a data file is never removed", foreignFiles},
		{"each operation failing once leaves a snapshot or nothing", failOnce},
		{"the place going away at each operation leaves a snapshot or nothing", failForGood},
		{"a snapshot stands until the one that replaces it is sealed", replaced},
		{"Abort of a replacement leaves the old snapshot", abortedReplacement},
		{"only the snapshot that was meant is replaced", replacedAnother},
		{"a manifest that changes before it is put aside is kept", replacedMeanwhile},
		{"a manifest that was put aside is never overwritten", replacedOverOther},
		{"who lost the lock can't replace", lostLockReplaces},
		{"who reads a file that is replaced never reads the new bytes", readWhileReplaced},
		{"each operation of a replacement failing once leaves one snapshot or none", failOnceReplacing},
		{"the place going away at each operation of a replacement leaves one snapshot or none", failForGoodReplacing},
		{"a cancelled context leaves nothing", cancelled},
		{"all manifests are listed", manyManifests},
		{"a file that is not there does not exist", missingPath},
		{"an empty place has no manifests", emptyPlace},
		{"a file can be read at any place", readAnywhere},
		{"every file that lies there is listed", everyFile},
		{"a report can be written again and again, and is no part of a snapshot", published},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if !options.Virtual {
				test.run(t, options.New(t))
				return
			}
			synctest.Test(t, func(t *testing.T) {
				place := options.New(t)
				place.exact = true
				test.run(t, place)
			})
		})
	}
}

// date is the night that the suite seals.
const date = "2026-11-21"

// night is one run of the program, as far as a sink sees it.
type night struct {
	place   Place
	sink    sinks.Sink
	state   string
	pid     int
	journal string
	folder  string
}

func newNight(t testing.TB, place Place, state string, inject Injector) *night {
	folder := t.TempDir()
	return &night{place: place, sink: place.Open(t, inject), state: state, pid: deadPID, folder: folder, journal: filepath.Join(folder, "journal")}
}

// again is the next run on the same state folder, by another process.
func (n *night) again(t testing.TB) *night {
	next := *n
	next.sink = n.place.Open(t, nil)
	return &next
}

func (n *night) lock(ctx context.Context) (sinks.Lock, error) {
	return n.sink.Lock(ctx, sinks.Owner{State: n.state, Host: "host", PID: os.Getpid(), Date: date, Since: time.Now(), Process: process.Identity{PID: n.pid}})
}

// deadPID is the process of a run that will have been killed, which the sinks can tell, when another of
// its state folder comes.
const deadPID = 666

// Dead is what the sinks of a [Place] are given to tell whose process has ended.
func Dead(o sinks.Owner) bool { return o.Process.PID == deadPID }

// files are what a night puts: one of several parts where the place cuts them, a small and an empty one.
func (p Place) files() map[string][]byte {
	return map[string][]byte{
		"memberships/snapshot_date=" + date + "/part-00000.parquet": bytes.Repeat([]byte("0123456789abcdef"), p.Large/16),
		"groups/snapshot_date=" + date + "/part-00000.parquet":      []byte("groups"),
		"users/snapshot_date=" + date + "/part-00000.parquet":       nil,
	}
}

func (p Place) sealedPaths() []string {
	paths := []string{sinks.ManifestPath(date)}
	for path := range p.files() {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

var manifestText = "{\"date\":\"" + date + "\"}\n"

// put puts all files.
func (n *night) put(ctx context.Context, staging sinks.Staging) error {
	for path, content := range n.place.files() {
		local := filepath.Join(n.folder, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(local, content, 0o644); err != nil {
			return err
		}
		if err := staging.Put(ctx, path, local, sha256.Sum256(content)); err != nil {
			return err
		}
	}
	return nil
}

// run does a whole night: it gives the error of the first step that failed, having aborted.
func (n *night) run(ctx context.Context) (err error) {
	lock, err := n.lock(ctx)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	after := context.WithoutCancel(ctx)
	defer lock.Release(after)
	staging, err := n.sink.Begin(ctx, lock, date, n.journal)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer staging.Abort(after)
	if err := n.put(ctx, staging); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := staging.Seal(ctx, sinks.ManifestPath(date), []byte(manifestText)); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// begun is a night with its lock and staging.
func begun(t testing.TB, n *night) (sinks.Lock, sinks.Staging) {
	t.Helper()
	lock := must[sinks.Lock](t)(n.lock(t.Context()))
	t.Cleanup(func() { lock.Release(context.Background()) })
	return lock, must[sinks.Staging](t)(n.sink.Begin(t.Context(), lock, date, n.journal))
}

func seal(t testing.TB, staging sinks.Staging) error {
	return staging.Seal(t.Context(), sinks.ManifestPath(date), []byte(manifestText))
}

// wantVisible demands exactly those files.
func wantVisible(t testing.TB, place Place, want ...string) {
	t.Helper()
	if got := place.Visible(t); !slices.Equal(got, want) {
		t.Errorf("visible: %q, want %q", got, want)
	}
}

// wantNothing demands that neither a file nor a leftover is there.
func wantNothing(t testing.TB, place Place) {
	t.Helper()
	wantVisible(t, place)
	wantClean(t, place)
}

func wantClean(t testing.TB, place Place) {
	t.Helper()
	if got := place.Hidden(t); len(got) > 0 {
		t.Errorf("left over: %q", got)
	}
}

// wantSealed demands the whole snapshot, byte for byte, and nothing else.
func wantSealed(t testing.TB, place Place) {
	t.Helper()
	wantVisible(t, place, place.sealedPaths()...)
	wantClean(t, place)
	sink := place.Open(t, nil)
	want := place.files()
	want[sinks.ManifestPath(date)] = []byte(manifestText)
	for path, content := range want {
		if got, err := read(t.Context(), sink, path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s holds %d bytes, %v; want %d", path, len(got), err, len(content))
		}
	}
}

func read(ctx context.Context, sink sinks.Sink, path string) ([]byte, error) {
	r, err := sink.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	return content, errors.Join(err, r.Close())
}

func isHeld(err error) bool   { _, ok := errors.AsType[*sinks.HeldError](err); return ok }
func isSealed(err error) bool { _, ok := errors.AsType[*sinks.SealedError](err); return ok }
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist)
}
