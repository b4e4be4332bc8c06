package pipeline_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/schema/fault"
	"rollcall/sinks/manifest"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

const retentionDays = 2555

// retaining is a lake whose snapshots are locked. Its clock is the real one, as the bucket's is.
func retaining(t *testing.T) *lake {
	l := newLake(t)
	l.bucket.Locking.Enabled = true
	l.retention = s3.Retention{Mode: "COMPLIANCE", Days: retentionDays}
	l.later = time.Since(l.noon())
	return l
}

// locked fails unless the files of m, its manifest and nothing else are locked, as long as they
// must be, and tells how many of them are.
func (l *lake) locked(m manifest.Manifest) (files int, all bool) {
	l.t.Helper()
	until := m.SealedAt.Time().AddDate(0, 0, retentionDays).Truncate(time.Second)
	named := map[string]bool{manifest.Path(m.Date): true}
	for _, f := range m.Files {
		named[f.Path] = true
	}
	for _, key := range l.bucket.Keys() {
		got := l.bucket.Retained(key)
		switch {
		case got.IsZero():
		case !named[key]:
			l.t.Errorf("%s is locked until %v", key, got)
		case !got.Equal(until):
			l.t.Errorf("%s is locked until %v, want %v", key, got, until)
		default:
			files++
		}
	}
	if !l.bucket.Retained(manifest.Path(m.Date)).IsZero() && files < len(named) {
		l.t.Errorf("the manifest is locked, and %d of %d files", files-1, len(named)-1)
	}
	return files, files == len(named)
}

func TestASealedSnapshotIsLockedAndNothingElse(t *testing.T) {
	t.Parallel()
	l := retaining(t)
	result := l.must(nil)
	if _, all := l.locked(result.Manifest); !all {
		t.Error("not all of it is locked")
	}
	if again := l.must(nil); !again.Already || len(l.told) > 0 {
		t.Errorf("the second run told %q", l.told)
	}
	asked := l.asked()
	_, err := l.run(replace)
	release := result.Manifest.SealedAt.Time().AddDate(0, 0, retentionDays).Format(time.RFC3339)
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), release) || l.asked() != asked {
		t.Errorf("replacing it gave %v, after %d requests", err, l.asked()-asked)
	}
	l.only(result.Manifest)
}

func TestReplacingWhatIsNotLockedAnyMore(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	l.bucket.Locking.Enabled = true // a lock of the bucket's owner, or of another configuration
	l.later = time.Since(l.noon())
	first := l.must(nil)
	l.bucket.Retain(manifest.Path(date), time.Now().Add(time.Hour))
	if _, err := l.run(replace); fault.KindOf(err) != fault.Configuration {
		t.Errorf("a locked manifest: %v", err)
	}
	l.bucket.Retain(manifest.Path(date), time.Now().Add(-time.Hour))
	if result := l.must(replace); result.Manifest.Replaces == nil || result.Manifest.Sequence != first.Manifest.Sequence+1 {
		t.Errorf("got %+v", result.Manifest)
	}
}

// TestARetentionThatDiesAnywhereIsFinishedByTheNextRun kills the run at each request that locks, and
// finishes once by a run of that date, once by one of another.
func TestARetentionThatDiesAnywhereIsFinishedByTheNextRun(t *testing.T) {
	t.Parallel()
	for _, next := range []string{date, "2026-11-22"} {
		for nth := int64(1); ; nth++ {
			l := retaining(t)
			var seen atomic.Int64
			_, err := l.run(func(r *pipeline.Request) {
				r.Sink = l.sink(func(request *http.Request) error {
					n := seen.Load()
					if request.URL.Query().Has("retention") || n >= nth {
						n = seen.Add(1)
					}
					if n >= nth {
						return errGone
					}
					return nil
				})
			})
			m := l.live(date).Manifest
			before, all := l.locked(m)
			if seen.Load() < nth {
				if err != nil || !all {
					t.Errorf("not killed: %v", err)
				}
				break
			}
			if err == nil || all || !strings.Contains(err.Error(), "is sealed, but not all of it is locked") {
				t.Errorf("killed at lock %d: %v; %d are locked", nth, err, before)
			}
			result := l.must(func(r *pipeline.Request) { r.Date = next })
			if next == date && !result.Already {
				t.Errorf("killed at lock %d: sealed again", nth)
			}
			if !strings.Contains(strings.Join(l.told, "\n"), "was not locked against removal: now it is") {
				t.Errorf("killed at lock %d: the next run told %q", nth, l.told)
			}
			for _, key := range append(files(m), manifest.Path(date)) {
				if l.bucket.Retained(key).IsZero() {
					t.Errorf("killed at lock %d: %s is not locked by the run of %s", nth, key, next)
				}
			}
			if t.Failed() {
				return
			}
		}
	}
}

func files(m manifest.Manifest) (paths []string) {
	for _, f := range m.Files {
		paths = append(paths, f.Path)
	}
	return paths
}

func TestBucketsThatLockWronglyAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		bucket    sinktest.ObjectLock
		retention s3.Retention
		say       string
	}{
		"no Object Lock":                         {sinktest.ObjectLock{}, s3.Retention{Mode: "COMPLIANCE", Days: 1}, "has no Object Lock"},
		"a default retention":                    {sinktest.ObjectLock{Enabled: true, DefaultDays: 30}, s3.Retention{Mode: "COMPLIANCE", Days: 1}, "heartbeats"},
		"a default retention, and none is asked": {sinktest.ObjectLock{Enabled: true, DefaultDays: 30}, s3.Retention{}, "heartbeats"},
	} {
		l := newLake(t)
		l.bucket.Locking, l.retention = test.bucket, test.retention
		_, err := l.run(nil)
		if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), test.say) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if keys := l.bucket.Keys(); len(keys) > 0 || l.asked() > 0 {
			t.Errorf("%s: %q, %d requests", name, keys, l.asked())
		}
	}
}

func TestAPolicyWithoutRetentionIsSaidBeforeAnythingIsFetched(t *testing.T) {
	t.Parallel()
	l := retaining(t)
	l.later -= 24 * time.Hour
	l.must(func(r *pipeline.Request) { r.Date = "2026-11-20" })
	l.bucket.Retain(manifest.Path("2026-11-20"), time.Time{})
	asked := l.asked()
	_, err := l.run(func(r *pipeline.Request) {
		l.forbid = "retention"
		r.Sink = l.sink(nil)
	})
	if fault.KindOf(err) != fault.Credentials || !strings.Contains(fault.HintOf(err), "s3:PutObjectRetention") || l.asked() != asked {
		t.Errorf("got %v, hint %q, after %d requests", err, fault.HintOf(err), l.asked()-asked)
	}
	if l.live(date) != nil {
		t.Error("it was sealed all the same")
	}
}
