package sinktest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/sinks"
)

// aside is where the suite's old manifest goes.
var aside = sinks.ReplacedPath(date, 1)

// newText is the manifest of the snapshot that replaces.
const newText = "{\"date\":\"" + date + "\",\"new\":true}\n"

// newFiles are what replaces: one file under an old name with other bytes, one under a new name;
// two old ones have no successor.
func newFiles() map[string][]byte {
	return map[string][]byte{
		"groups/snapshot_date=" + date + "/part-00000.parquet": []byte("other groups"),
		"groups/snapshot_date=" + date + "/part-00001.parquet": []byte("more groups"),
	}
}

func oldOf(text string) sinks.Old {
	sum := sha256.Sum256([]byte(text))
	return sinks.Old{SHA256: hex.EncodeToString(sum[:]), To: aside}
}

// oldSnapshot is every file of the sealed snapshot, its manifest included.
func (p Place) oldSnapshot() map[string][]byte {
	all := p.files()
	all[sinks.ManifestPath(date)] = []byte(manifestText)
	return all
}

// newSnapshot is every file once it was replaced.
func newSnapshot() map[string][]byte {
	all := newFiles()
	all[sinks.ManifestPath(date)] = []byte(newText)
	all[aside] = []byte(manifestText)
	return all
}

// wantFiles demands exactly those files, byte for byte, and nothing invisible.
func wantFiles(t testing.TB, place Place, want map[string][]byte) {
	t.Helper()
	wantVisible(t, place, slices.Sorted(maps.Keys(want))...)
	wantClean(t, place)
	wantContent(t, place, want)
}

func wantContent(t testing.TB, place Place, want map[string][]byte) {
	t.Helper()
	sink := place.Open(t, nil)
	for path, content := range want {
		if got, err := read(t.Context(), sink, path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s holds %d bytes, %v; want %d", path, len(got), err, len(content))
		}
	}
}

// sealOld seals the snapshot that a test replaces.
func sealOld(t testing.TB, place Place) {
	t.Helper()
	if err := newNight(t, place, "a", nil).run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// replacing is a night with its lock and the staging that replaces, all files put.
func replacing(t testing.TB, n *night) (sinks.Lock, sinks.Staging) {
	t.Helper()
	lock := must[sinks.Lock](t)(n.lock(t.Context()))
	t.Cleanup(func() { lock.Release(context.Background()) })
	staging := must[sinks.Staging](t)(n.sink.Replace(t.Context(), lock, date, n.journal, oldOf(manifestText)))
	if err := n.putNew(t.Context(), staging); err != nil {
		t.Fatal(err)
	}
	return lock, staging
}

func (n *night) putNew(ctx context.Context, staging sinks.Staging) error {
	for path, content := range newFiles() {
		local := filepath.Join(n.folder, "new_"+strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(local, content, 0o644); err != nil {
			return err
		}
		if err := staging.Put(ctx, path, local, sha256.Sum256(content)); err != nil {
			return err
		}
	}
	return nil
}

func sealNew(t testing.TB, staging sinks.Staging) error {
	return staging.Seal(t.Context(), sinks.ManifestPath(date), []byte(newText))
}

func replaced(t *testing.T, place Place) {
	sealOld(t, place)
	_, staging := replacing(t, newNight(t, place, "a", nil))
	wantVisible(t, place, place.sealedPaths()...)
	wantContent(t, place, place.oldSnapshot())
	if err := sealNew(t, staging); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, place, newSnapshot())
	if names, err := place.Open(t, nil).Manifests(t.Context()); err != nil || !slices.Equal(names, []string{sinks.ManifestPath(date)}) {
		t.Errorf("manifests: %q, %v", names, err)
	}
}

func abortedReplacement(t *testing.T, place Place) {
	sealOld(t, place)
	_, staging := replacing(t, newNight(t, place, "a", nil))
	if err := staging.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	wantFiles(t, place, place.oldSnapshot())
}

func replacedAnother(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	lock := must[sinks.Lock](t)(n.lock(t.Context()))
	if _, err := n.sink.Replace(t.Context(), lock, date, n.journal, oldOf(manifestText)); !isMissing(err) {
		t.Errorf("a date that is not sealed: %v", err)
	}
	if err := lock.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealOld(t, place)
	lock = must[sinks.Lock](t)(n.lock(t.Context()))
	defer lock.Release(t.Context())
	if _, err := n.sink.Replace(t.Context(), lock, date, n.journal, oldOf("{}\n")); !isSealed(err) {
		t.Errorf("another manifest: %v", err)
	}
	for _, to := range []string{sinks.ManifestPath(date), "_snapshots/replaced/../" + date + ".json", "users/snapshot_date=" + date + "/part-00000.parquet"} {
		old := oldOf(manifestText)
		old.To = to
		if _, err := n.sink.Replace(t.Context(), lock, date, n.journal, old); err == nil {
			t.Errorf("the old manifest may go to %s", to)
		}
	}
	wantFiles(t, place, place.oldSnapshot())
}

func replacedMeanwhile(t *testing.T, place Place) {
	sealOld(t, place)
	_, staging := replacing(t, newNight(t, place, "a", nil))
	place.Write(t, sinks.ManifestPath(date), []byte("{}\n"))
	if err := sealNew(t, staging); !isSealed(err) {
		t.Errorf("got %v, want SealedError", err)
	}
	if err := staging.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	want := place.oldSnapshot()
	want[sinks.ManifestPath(date)] = []byte("{}\n")
	wantFiles(t, place, want)
}

func replacedOverOther(t *testing.T, place Place) {
	sealOld(t, place)
	place.Write(t, aside, []byte("{}\n"))
	_, staging := replacing(t, newNight(t, place, "a", nil))
	if err := sealNew(t, staging); err == nil || isSealed(err) {
		t.Errorf("got %v", err)
	}
	want := place.oldSnapshot()
	want[aside] = []byte("{}\n")
	wantFiles(t, place, want)
}

func lostLockReplaces(t *testing.T, place Place) {
	sealOld(t, place)
	holder := &frozen{}
	_, staging := replacing(t, newNight(t, place, "a", holder.inject))
	holder.yes.Store(true)
	taken := must[sinks.Lock](t)(newNight(t, place, "b", nil).lock(t.Context()))
	defer taken.Release(context.Background())
	holder.yes.Store(false)
	if err := sealNew(t, staging); !isHeld(err) {
		t.Errorf("got %v, want HeldError", err)
	}
	wantVisible(t, place, place.sealedPaths()...)
	wantContent(t, place, place.oldSnapshot())
}

func readWhileReplaced(t *testing.T, place Place) {
	sealOld(t, place)
	path := "groups/snapshot_date=" + date + "/part-00000.parquet"
	file := must[sinks.File](t)(place.Open(t, nil).OpenAt(t.Context(), path))
	defer file.Close()
	_, staging := replacing(t, newNight(t, place, "a", nil))
	if err := sealNew(t, staging); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("groups"))
	if n, err := file.ReadAt(got, 0); err == nil && string(got[:n]) != "groups" {
		t.Errorf("read %q", got[:n])
	}
}

// replaceAll is a whole night that replaces: it goes on where an earlier one stopped, as the
// program does, and gives SealedError where that one was done.
func (n *night) replaceAll(ctx context.Context) (err error) {
	lock, err := n.lock(ctx)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	after := context.WithoutCancel(ctx)
	defer lock.Release(after)
	there, err := read(ctx, n.sink, sinks.ManifestPath(date))
	var staging sinks.Staging
	switch {
	case isMissing(err), err == nil && string(there) == newText:
		staging, err = n.sink.Begin(ctx, lock, date, n.journal)
	case err == nil:
		staging, err = n.sink.Replace(ctx, lock, date, n.journal, oldOf(manifestText))
	}
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer staging.Abort(after)
	if err := n.putNew(ctx, staging); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := staging.Seal(ctx, sinks.ManifestPath(date), []byte(newText)); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

// failOnceReplacing fails the nth operation of a replacement, for every n, in every way.
func failOnceReplacing(t *testing.T, place Place) {
	failEachReplacing(t, place, func(n, nth int64) bool { return n == nth })
}

// failForGoodReplacing fails the nth operation and all after it.
func failForGoodReplacing(t *testing.T, place Place) {
	failEachReplacing(t, place, func(n, nth int64) bool { return n >= nth })
}

func failEachReplacing(t *testing.T, place Place, due func(n, nth int64) bool) {
	for _, fault := range place.Faults {
		for nth := int64(1); ; nth += int64(max(1, place.Stride)) {
			fresh := place.Fresh(t)
			for path, content := range fresh.oldSnapshot() {
				fresh.Write(t, path, content)
			}
			counter := &counter{due: func(n int64) bool { return due(n, nth) }, fault: fault}
			broken := newNight(t, fresh, "a", counter.inject)
			err := broken.replaceAll(t.Context())
			reached := counter.n.Load() >= nth
			judgeReplacement(t, fresh, broken, err, fmt.Sprintf("fault %d at operation %d (%s)", fault, nth, counter.at()))
			if t.Failed() || !reached {
				break
			}
		}
	}
}

// judgeReplacement looks at what a broken replacement left: the old snapshot whole, the new one
// whole, or a date without a manifest whose old one was put aside. The next night must end with the new one.
func judgeReplacement(t *testing.T, place Place, broken *night, err error, what string) {
	t.Helper()
	there, missing := read(t.Context(), place.Open(t, nil), sinks.ManifestPath(date))
	switch {
	case isMissing(missing):
		wantContent(t, place, map[string][]byte{aside: []byte(manifestText)})
	case string(there) == manifestText:
		wantContent(t, place, place.oldSnapshot())
	default:
		wantContent(t, place, newSnapshot())
		wantVisible(t, place, slices.Sorted(maps.Keys(newSnapshot()))...)
	}
	done := missing == nil && string(there) == newText
	if err == nil && !done {
		t.Errorf("%s: the replacement succeeded and sealed nothing", what)
	}
	if again := broken.again(t).replaceAll(t.Context()); done && !isSealed(again) || !done && again != nil {
		t.Errorf("%s (%v; done: %v): the next night gave %v", what, err, done, again)
	}
	wantFiles(t, place, newSnapshot())
	if t.Failed() {
		t.Logf("that was %s: %v", what, err)
	}
}
