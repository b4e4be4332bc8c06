package verify_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/verify"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// place is a sink with two nights, and how to tamper with it.
type place struct {
	sink   sinks.Sink
	write  func(path string, content []byte)
	remove func(path string)
}

const lockRecord = `{"state":"other","host":"night","pid":7,"date":"2026-11-21","beat":3}`

// beat writes the lock as a run at work on date does.
func (p place) beat(date string, n int) {
	p.write(sinks.LockPath, fmt.Appendf(nil, `{"state":"other","host":"night","pid":7,"date":"%s","beat":%d}`, date, n))
}

// left is how a sink was left, what of it is wrong, and what of it is told besides.
type left struct {
	tamper func(p place)
	date   string // "": all
	found  []want
	note   string

	meanwhile func(p place, waited time.Duration) // what happens while verify watches; nil: nothing
	waits     time.Duration                       // how long it watches
}

// TestDataFilesThatNobodySealsAreFound holds what a lock means for files that no manifest names, in
// a folder and in a bucket.
func TestDataFilesThatNobodySealsAreFound(t *testing.T) {
	t.Parallel()
	const night, newest = "2026-11-20", "2026-11-21"
	h := simulate(t, false, night, newest)
	orphans := func(date string) want {
		return want{verify.Extra, part("memberships", date), "7 files of " + date + ", of which this is the first: no manifest names them, and no run is at work"}
	}
	cases := map[string]left{
		"the newest manifest removed": {tamper: func(p place) { p.remove(manifest.Path(newest)) }, found: []want{orphans(newest)}},
		"that date asked for":         {tamper: func(p place) { p.remove(manifest.Path(newest)) }, date: newest, found: []want{orphans(newest)}},
		"all manifests removed": {tamper: func(p place) { p.remove(manifest.Path(night)); p.remove(manifest.Path(newest)) },
			found: []want{orphans(night), orphans(newest)}},
		"a run at work on that date": {tamper: func(p place) { p.remove(manifest.Path(newest)); p.beat(newest, 0) }, meanwhile: working(newest),
			note: newest + " is not sealed, and has 7 files: a run is at work on it", waits: sinks.HeartbeatEvery},
		"a run at work on another date": {tamper: func(p place) { p.remove(manifest.Path(newest)); p.beat("2026-12-01", 0) }, meanwhile: working("2026-12-01"),
			found: []want{orphans(newest)}, waits: sinks.HeartbeatEvery},
		"a lock that was left or planted": {tamper: func(p place) { p.remove(manifest.Path(newest)); p.write(sinks.LockPath, []byte(lockRecord)) },
			found: []want{orphans(newest)}, waits: 2 * sinks.HeartbeatEvery},
		"a lock that goes away": {tamper: func(p place) { p.remove(manifest.Path(newest)); p.beat(newest, 0) },
			meanwhile: func(p place, _ time.Duration) { p.remove(sinks.LockPath) }, found: []want{orphans(newest)}, waits: time.Second},
		"a run that stops, and removes its files": {tamper: func(p place) { p.write(part("groups", "2026-12-01"), []byte("x")); p.beat(newest, 0) },
			meanwhile: func(p place, _ time.Duration) { p.remove(part("groups", "2026-12-01")); p.remove(sinks.LockPath) }, waits: time.Second},
		"a run at work, and nothing unsealed": {tamper: func(p place) { p.beat(newest, 0) }, meanwhile: working(newest)},
		"what is left of a lock is none": {tamper: func(p place) { p.remove(manifest.Path(newest)); p.write(sinks.LockPath+".tmp", []byte(lockRecord)) },
			found: []want{orphans(newest)}},
		"no data files": {tamper: func(p place) {
			for _, name := range []string{"_SUCCESS", ".part.parquet", "notes.txt"} {
				p.write(folder("groups", "2026-12-01")+name, []byte("x"))
			}
		}, note: "2026-12-01 is not sealed, and has 3 files"},
		"a manifest in the middle": {tamper: func(p place) { p.remove(manifest.Path(night)) },
			found: []want{{verify.Removed, manifest.Path(night), "; still there: 7 files of " + night}}},
	}
	for name, c := range cases {
		for kind, open := range map[string]func(*testing.T, *history) place{"folder": folderOf, "bucket": bucketOf} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				c.held(t, open(t, h))
			})
		}
	}
}

// working beats on a date every five seconds.
func working(date string) func(place, time.Duration) {
	return func(p place, waited time.Duration) {
		if waited%sinks.HeartbeatEvery == 0 {
			p.beat(date, int(waited.Seconds()))
		}
	}
}

// held verifies a sink that is left so.
func (c left) held(t *testing.T, p place) {
	c.tamper(p)
	waited := time.Duration(0)
	report := p.verified(t, c.date, func(_ context.Context, d time.Duration) error {
		if waited += d; c.meanwhile != nil {
			c.meanwhile(p, waited)
		}
		return nil
	})
	if waited != c.waits {
		t.Errorf("it watched for %v, want %v", waited, c.waits)
	}
	check(t, report, c.found...)
	if len(report.Findings) != len(c.found) {
		t.Errorf("%d findings, and %d are due: %+v", len(report.Findings), len(c.found), report.Findings)
	}
	if text := strings.Join(report.Notes, "\n"); c.note == "" && text != "" || !strings.Contains(text, c.note) || len(report.Notes) > 1 {
		t.Errorf("notes: %q", report.Notes)
	}
}

func folderOf(t *testing.T, h *history) place {
	c := h.copied(t)
	return place{c.sink, func(path string, content []byte) { c.write(t, path, content) }, func(path string) { c.remove(t, path) }}
}

func bucketOf(t *testing.T, h *history) place {
	bucket := &sinktest.Bucket{Name: "audit"}
	for _, path := range h.paths(t) {
		if !strings.HasPrefix(path, filepath.Dir(sinks.LockPath)) {
			bucket.Put("im/"+path, h.read(t, path))
		}
	}
	sink, err := s3.Open(t.Context(), s3.Config{
		Bucket: "audit", Prefix: "im", Region: "eu-central-1", Endpoint: "http://s3.test", HTTP: bucket,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return place{sink, func(path string, content []byte) { bucket.Put("im/"+path, content) }, func(path string) { bucket.Delete("im/" + path) }}
}

func (p place) verified(t *testing.T, date string, pause func(context.Context, time.Duration) error) verify.Report {
	t.Helper()
	report, err := verify.Run(t.Context(), p.sink, verify.Options{All: date == "", Date: date, Key: key, Scratch: t.TempDir(), Pause: pause})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// sealing is a sink in which a run seals a night, and gives back its lock, while its files are listed.
type sealing struct {
	sinks.Sink
	seal func()
}

func (s sealing) List(ctx context.Context, folder string) iter.Seq2[sinks.Object, error] {
	if strings.HasPrefix(folder, "users") {
		s.seal()
	}
	return s.Sink.List(ctx, folder)
}

func TestANightThatIsSealedMeanwhileIsNoFinding(t *testing.T) {
	t.Parallel()
	const date = "2026-11-21"
	h := simulate(t, false, "2026-11-20", date)
	line := h.read(t, manifest.Path(date))
	h.remove(t, manifest.Path(date))
	h.sink = sealing{h.sink, func() { h.write(t, manifest.Path(date), line) }}
	report := h.verified(t, nil)
	check(t, report)
	if want := []string{date + " was sealed while this was being verified, and was not looked at"}; !slices.Equal(report.Notes, want) {
		t.Errorf("notes: %q", report.Notes)
	}
}

func TestASinkWithoutSnapshotsIsNotVerified(t *testing.T) {
	t.Parallel()
	empty, absent, working := at(t, t.TempDir()), at(t, filepath.Join(t.TempDir(), "none")), at(t, t.TempDir())
	working.write(t, sinks.LockPath, []byte(lockRecord))
	beats := func(context.Context, time.Duration) error {
		working.write(t, sinks.LockPath, append(working.read(t, sinks.LockPath), ' '))
		return nil
	}
	working.write(t, part("groups", "2026-11-21"), []byte("x"))
	for name, h := range map[string]*history{"empty": empty, "absent": absent, "the first run at work": working} {
		for _, all := range []bool{true, false} {
			_, err := verify.Run(t.Context(), h.sink, verify.Options{All: all, Scratch: t.TempDir(), Pause: beats})
			if missing, ok := errors.AsType[*snapshot.MissingError](err); !ok || missing.Date != "" || len(missing.Sealed) > 0 {
				t.Errorf("%s, all %v: %v (%v)", name, all, err, fault.KindOf(err))
			}
		}
	}
}

func TestANoteIsToldOnce(t *testing.T) {
	t.Parallel()
	const date = "2026-11-20"
	h := simulate(t, false, date)
	path := part("memberships", date)
	content := h.read(t, path)
	content[len(content)/2] ^= 4
	h.write(t, path, content)
	report := h.verified(t, nil)
	check(t, report, want{verify.Altered, path, "its SHA-256 is"})
	slices.Sort(report.Notes)
	if n := len(report.Notes); n == 0 || len(slices.Compact(report.Notes)) != n {
		t.Errorf("notes: %q", report.Notes)
	}
}
