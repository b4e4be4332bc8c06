package sinktest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"rollcall/sinks"
)

func invisibleBeforeSeal(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	_, staging := begun(t, n)
	if err := n.put(t.Context(), staging); err != nil {
		t.Fatal(err)
	}
	wantVisible(t, place)
	if err := seal(t, staging); err != nil {
		t.Fatal(err)
	}
	wantSealed(t, place)
	names, err := n.sink.Manifests(t.Context())
	if err != nil || !slices.Equal(names, []string{sinks.ManifestPath(date)}) {
		t.Errorf("manifests: %q, %v", names, err)
	}
}

func abortLeavesNothing(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	_, staging := begun(t, n)
	if err := n.put(t.Context(), staging); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := staging.Abort(context.WithoutCancel(ended)); err != nil {
		t.Error(err)
	}
	wantNothing(t, place)
	if err := staging.Abort(t.Context()); err != nil {
		t.Errorf("aborting twice: %v", err)
	}
}

func abortAfterSeal(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	_, staging := begun(t, n)
	if err := n.put(t.Context(), staging); err != nil {
		t.Fatal(err)
	}
	if err := seal(t, staging); err != nil {
		t.Fatal(err)
	}
	if err := staging.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	wantSealed(t, place)
}

func wrongSum(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	_, staging := begun(t, n)
	local := filepath.Join(n.folder, "part")
	if err := os.WriteFile(local, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := staging.Put(t.Context(), place.sealedPaths()[1], local, sha256.Sum256([]byte("this"))); err == nil {
		t.Error("it was taken")
	}
	wantNothing(t, place)
}

func missingFile(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	_, staging := begun(t, n)
	if err := staging.Put(t.Context(), place.sealedPaths()[1], filepath.Join(n.folder, "nothing"), [32]byte{}); err == nil {
		t.Error("it was taken")
	}
	wantNothing(t, place)
}

func strangePath(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	_, staging := begun(t, n)
	local := filepath.Join(n.folder, "part")
	if err := os.WriteFile(local, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"memberships/snapshot_date=2026-11-20/part-00000.parquet", "../part-00000.parquet", "/part-00000.parquet",
		"_snapshots/2026-11-21.json", "memberships/snapshot_date=2026-11-21/../part-00000.parquet",
	} {
		if err := staging.Put(t.Context(), path, local, sha256.Sum256(nil)); err == nil {
			t.Errorf("%s was taken", path)
		}
	}
	wantNothing(t, place)
}

func sealedTwice(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	if err := n.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := newNight(t, place, "b", nil).run(t.Context())
	if !isSealed(err) {
		t.Errorf("got %v, want SealedError", err)
	}
	wantSealed(t, place)
}

func sealedMeanwhile(t *testing.T, place Place) {
	first := newNight(t, place, "a", nil)
	lock, staging := begun(t, first)
	if err := first.put(t.Context(), staging); err != nil {
		t.Fatal(err)
	}
	// The same lock lets a second staging of the date through: what a forgotten lock would do.
	second := first.again(t)
	rival := must[sinks.Staging](t)(second.sink.Begin(t.Context(), lock, date, filepath.Join(second.folder, "journal of the rival")))
	if err := rival.Seal(t.Context(), sinks.ManifestPath(date), []byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	if err := seal(t, staging); err == nil {
		t.Error("the second seal succeeded")
	}
	if got, err := read(t.Context(), first.sink, sinks.ManifestPath(date)); err != nil || string(got) != "{}\n" {
		t.Errorf("the manifest is now %q, %v", got, err)
	}
}

func crashLeavesNothing(t *testing.T, place Place) {
	crashed := newNight(t, place, "a", nil)
	lock, staging := begun(t, crashed)
	if err := crashed.put(t.Context(), staging); err != nil {
		t.Fatal(err)
	}
	next := crashed.again(t)
	if _, err := next.sink.Begin(t.Context(), lock, date, next.journal); err != nil {
		t.Fatal(err)
	}
	wantNothing(t, place)
	if err := lock.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := next.run(t.Context()); err != nil {
		t.Error(err)
	}
	wantSealed(t, place)
}

func foreignFiles(t *testing.T, place Place) {
	want := append(place.sealedPaths(),
		"users/snapshot_date="+date+"/notes.txt", "users/snapshot_date=2026-11-20/part-00000.parquet",
		"other/snapshot_date="+date+"/part-00000.parquet", "_snapshots/replaced/"+date+"-000001.json")
	for _, path := range want[len(place.sealedPaths()):] {
		place.Write(t, path, nil)
	}
	place.Write(t, "users/snapshot_date="+date+"/part-00007.parquet", nil) // this one is a leftover
	if err := newNight(t, place, "a", nil).run(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	wantVisible(t, place, want...)
}

func cancelled(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	_, staging := begun(t, n)
	if err := n.put(t.Context(), staging); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := staging.Seal(ended, sinks.ManifestPath(date), []byte(manifestText)); err == nil || isSealed(err) {
		t.Errorf("sealing with a cancelled context gave %v", err)
	}
	if err := staging.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	wantNothing(t, place)
}

// manyNights is more than one page of any listing.
const manyNights = 1100

func manyManifests(t *testing.T, place Place) {
	day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	var want []string
	for i := range manyNights {
		want = append(want, sinks.ManifestPath(day.AddDate(0, 0, i).Format(time.DateOnly)))
		place.Write(t, want[i], []byte("{}\n"))
	}
	for _, other := range []string{"_snapshots/readme.json", "_snapshots/2026-13-01.json", "_snapshots/replaced/2020-01-01-000001.json"} {
		place.Write(t, other, nil)
	}
	got, err := place.Open(t, nil).Manifests(t.Context())
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("listed %d of %d, %v", len(got), len(want), err)
	}
}

func missingPath(t *testing.T, place Place) {
	sink := place.Open(t, nil)
	for _, path := range []string{sinks.ManifestPath(date), "memberships/nothing.parquet", "../outside"} {
		if _, err := read(t.Context(), sink, path); !isMissing(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func emptyPlace(t *testing.T, place Place) {
	names, err := place.Open(t, nil).Manifests(t.Context())
	if err != nil || len(names) != 0 {
		t.Errorf("got %q, %v", names, err)
	}
	wantNothing(t, place)
}

// failOnce fails the nth operation of a night, for every n, in every way. The night may fail or
// not; the next one must seal.
func failOnce(t *testing.T, place Place) {
	failEach(t, place, func(n, nth int64) bool { return n == nth })
}

// failForGood fails the nth operation and all after it, those of Abort and Release too: to the
// place it is as if the process had died there.
func failForGood(t *testing.T, place Place) {
	failEach(t, place, func(n, nth int64) bool { return n >= nth })
}

func failEach(t *testing.T, place Place, due func(n, nth int64) bool) {
	for _, fault := range place.Faults {
		for nth := int64(1); ; nth += int64(max(1, place.Stride)) {
			fresh := place.Fresh(t)
			counter := &counter{due: func(n int64) bool { return due(n, nth) }, fault: fault}
			broken := newNight(t, fresh, "a", counter.inject)
			err := broken.run(t.Context())
			reached := counter.n.Load() >= nth
			judge(t, fresh, broken, err, fmt.Sprintf("fault %d at operation %d (%s)", fault, nth, counter.at()))
			if t.Failed() || !reached {
				break
			}
		}
	}
}

// judge looks at what a broken night left and lets the next one go on.
func judge(t *testing.T, place Place, broken *night, err error, what string) {
	t.Helper()
	visible := place.Visible(t)
	sealed := slices.Contains(visible, sinks.ManifestPath(date))
	if err == nil && !sealed {
		t.Errorf("%s: the night succeeded and sealed nothing", what)
	}
	if sealed && !slices.Equal(visible, place.sealedPaths()) {
		t.Errorf("%s: sealed, but there are %q", what, visible)
	}
	again := broken.again(t).run(t.Context())
	if sealed && !isSealed(again) || !sealed && again != nil {
		t.Errorf("%s (%v; sealed: %v): the next night gave %v", what, err, sealed, again)
	}
	wantSealed(t, place)
	if t.Failed() {
		t.Logf("that was %s: %v", what, err)
	}
}
