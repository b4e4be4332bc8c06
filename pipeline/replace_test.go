package pipeline_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/schema/disk"
	"rollcall/sinks"
	"rollcall/sinks/lease"
	"rollcall/sinks/manifest"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
	"rollcall/sources/rongcloud"
	"rollcall/sources/simulated"
)

// lake is a bucket in memory and a job that seals into it, without a socket.
type lake struct {
	t      *testing.T
	bucket *sinktest.Bucket
	world  *simulated.World // what the vendors answer now
	job    *job.Job
	state  string
	later  time.Duration // on the clock of the next run; a while between two, so that no run waits for the budgets of the one before
	told   []string      // notices of the last run

	retention s3.Retention
	deny      func(*http.Request) bool // requests that the bucket's policy refuses; nil: none
	forbid    string                   // a parameter of requests that the bucket's policy refuses, where they change something
}

// vendors makes a world that has the same groups whatever its seed, with other members in each.
func vendors(seed uint64) *simulated.World {
	return simulated.New(unlimited(simulated.Options{Seed: seed, Users: 30, Groups: 6}))
}

func newLake(t *testing.T) *lake {
	l := &lake{t: t, bucket: &sinktest.Bucket{Name: "audit"}, world: vendors(1), state: filepath.Join(t.TempDir(), "state")}
	n := &night{t: t, job: &job.Job{}}
	n.job.Sources = []job.Source{n.source("rongcloud.prod", "rongcloud", &rongcloud.Config{Endpoint: "http://vendor.test", AllowHTTP: true, AppKey: simulated.DemoAppKey, AppSecret: simulated.DemoAppSecret})}
	n.job.Lists = []job.List{{Name: "rc_groups", Values: l.world.RongCloud.GroupIDs()}}
	l.job = n.block("rongcloud_group_members", groups("rc_groups")).job
	return l
}

// unsynced is the disk without its waits: these tests lose no power.
type unsynced struct{ disk.OS }

type unsyncedFile struct{ disk.File }

func (unsyncedFile) Sync() error { return nil }

func (unsynced) SyncFolder(string) error { return nil }

func (u unsynced) Create(path string, mode fs.FileMode) (disk.File, error) {
	file, err := u.OS.Create(path, mode)
	return unsyncedFile{file}, err
}

func (u unsynced) Append(path string, mode fs.FileMode) (disk.File, error) {
	file, err := u.OS.Append(path, mode)
	return unsyncedFile{file}, err
}

// answer is one HTTP client that may refuse.
type answer func(*http.Request) (*http.Response, error)

func (a answer) Do(r *http.Request) (*http.Response, error) { return a(r) }

// sink opens the bucket; refuse is asked before each request. Nothing is tried twice.
func (l *lake) sink(refuse func(*http.Request) error) sinks.Sink {
	l.t.Helper()
	ahead, forbid, deny := time.Until(l.noon())+l.later, l.forbid, l.deny
	sink, err := s3.Open(l.t.Context(), s3.Config{
		Bucket: "audit", Region: "eu-central-1", Endpoint: "http://s3.test", Now: func() time.Time { return time.Now().Add(ahead) }, Attempts: 1, Retention: l.retention, Disk: unsynced{},
		Pace:        lease.Pace{Beat: sinks.HeartbeatEvery, Stale: 50 * time.Millisecond}, // the tests have no rival who lives
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTP: answer(func(r *http.Request) (*http.Response, error) {
			if refuse != nil {
				if err := refuse(r); err != nil {
					return nil, err
				}
			}
			if deny != nil && deny(r) {
				return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
			}
			if forbid != "" && r.Method == http.MethodPut && r.URL.Query().Has(forbid) {
				return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
			}
			return l.bucket.Do(r)
		}),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return sink
}

func (l *lake) run(change func(*pipeline.Request)) (pipeline.Result, error) {
	l.t.Helper()
	l.told = nil
	r := (&night{t: l.t, job: l.job, state: l.state}).request()
	r.Now, r.Disk = l.clock(), unsynced{}
	r.Transport, r.Sink = l.world.Transport(), l.sink(nil) // whose clock is the run's
	r.Listen = func(e event.Event) {
		if n, is := e.(event.Notice); is {
			l.told = append(l.told, n.Text)
		}
	}
	if change != nil {
		change(&r)
	}
	r.Given = cmp.Or(r.Given, noon(r.Date))
	return pipeline.Run(l.t.Context(), r)
}

func (l *lake) noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// clock is that of the next run: it begins on the date that is sealed, at noon.
func (l *lake) clock() func() time.Time {
	l.later += time.Minute
	return l.now()
}

// now is the clock of the run that was begun last.
func (l *lake) now() func() time.Time {
	ahead := time.Until(l.noon()) + l.later
	return func() time.Time { return time.Now().Add(ahead) }
}

func (l *lake) must(change func(*pipeline.Request)) pipeline.Result {
	l.t.Helper()
	result, err := l.run(change)
	if err != nil {
		l.t.Fatal(err)
	}
	return result
}

// live is the manifest that seals date; nil where none does.
func (l *lake) live(date string) *manifest.Sealed {
	l.t.Helper()
	m, err := manifest.Read(l.t.Context(), l.sink(nil), manifest.Path(date))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return &m
}

// only fails unless the bucket holds the files of m, its manifest, aside and nothing else.
func (l *lake) only(m manifest.Manifest, aside ...string) {
	l.t.Helper()
	want := append(aside, manifest.Path(m.Date))
	for _, f := range m.Files {
		want = append(want, f.Path)
	}
	slices.Sort(want)
	if got := l.bucket.Keys(); !slices.Equal(got, want) {
		l.t.Errorf("the bucket holds %q, want %q", got, want)
	}
	if open := l.bucket.Uploads(); len(open) > 0 {
		l.t.Errorf("open uploads: %q", open)
	}
}

// left lists the nights in the state folder.
func (l *lake) left() map[string]bool { return (&night{t: l.t, state: l.state}).left() }

func (l *lake) asked() (requests int64) {
	for _, c := range l.world.Counts() {
		requests += int64(c.Requests)
	}
	return requests
}

func replace(r *pipeline.Request) { r.Replace = true }

func TestAReplacementIsChainedToWhatItReplaces(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	l.must(func(r *pipeline.Request) { r.Date = "2026-11-20" })
	first := l.must(nil)
	before, sum := l.live("2026-11-20"), l.live(date).Sum
	l.world = vendors(2)
	second := l.must(replace)
	aside := manifest.ReplacedPath(date, 2)
	if second.Already || second.Manifest.Sequence != 3 || second.Manifest.Files[0].SHA256 == first.Manifest.Files[0].SHA256 && len(second.Manifest.Files) == 1 {
		t.Errorf("got %+v", second.Manifest)
	}
	for name, link := range map[string]*manifest.Link{"replaces": second.Manifest.Replaces, "previous": second.Manifest.Previous} {
		if link == nil || *link != (manifest.Link{Path: aside, SHA256: sum}) {
			t.Errorf("%s is %v", name, link)
		}
	}
	if old, err := manifest.Read(t.Context(), l.sink(nil), aside); err != nil || old.Sum != sum || !old.Replaced {
		t.Errorf("aside lies %v, %v", old, err)
	}
	if now := l.live("2026-11-20"); now.Sum != before.Sum {
		t.Error("the night before was touched")
	}
	asked := l.asked()
	if again := l.must(nil); !again.Already || again.Manifest.Sequence != 3 || l.asked() != asked {
		t.Errorf("a plain run afterwards: %+v", again)
	}
	if third := l.must(replace); third.Already || third.Manifest.Sequence != 4 || third.Manifest.Replaces.Path != manifest.ReplacedPath(date, 3) {
		t.Errorf("the third: %+v", third.Manifest)
	}
}

func TestReplacingADateThatIsNotSealedIsARun(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	result := l.must(replace)
	if result.Already || result.Manifest.Replaces != nil || result.Manifest.Sequence != 1 {
		t.Errorf("got %+v", result.Manifest)
	}
	l.only(result.Manifest)
}

func TestAStoppedReplacementKeepsBothTheOldSnapshotAndWhatWasFetched(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	l.must(nil)
	old := l.live(date)
	l.world = vendors(2)
	ctx, cancel := context.WithCancel(t.Context())
	transport := &cutAfter{RoundTripper: l.world.Transport(), cut: cancel}
	transport.left.Store(4)
	r := (&night{t: t, job: l.job, state: l.state}).request()
	r.Now = l.clock()
	r.Replace, r.Sink, r.Transport, r.Workers = true, l.sink(nil), transport, 1
	stopped := &pipeline.StoppedError{}
	r.Given = cmp.Or(r.Given, noon(r.Date))
	if _, err := pipeline.Run(ctx, r); !errors.As(err, &stopped) || stopped.Done == 0 {
		t.Fatalf("got %v", err)
	}
	asked := l.asked()
	for name, change := range map[string]func(*pipeline.Request){
		"a run of that date": nil,
		"a run of no date":   func(r *pipeline.Request) { r.Date = "" },
	} {
		result := l.must(change)
		if !result.Already || result.Manifest.Sequence != 1 || l.asked() != asked {
			t.Errorf("%s: %+v", name, result)
		}
		if !strings.Contains(strings.Join(l.told, "\n"), "a replacement of "+date+" was stopped half way") {
			t.Errorf("%s told %q", name, l.told)
		}
	}
	l.only(old.Manifest)
	l.later += 20 * time.Hour
	tomorrow := l.must(func(r *pipeline.Request) { r.Date = "" })
	if tomorrow.Date != "2026-11-22" || tomorrow.Already {
		t.Errorf("the next night: %+v", tomorrow)
	}
	asked = l.asked()
	result := l.must(replace)
	if groups := int64(len(l.world.RongCloud.GroupIDs())); result.Already || l.asked()-asked >= groups || result.Manifest.Replaces.SHA256 != old.Sum {
		t.Errorf("going on asked %d of %d groups: %+v", l.asked()-asked, groups, result.Manifest)
	}
}

var errGone = errors.New("connection refused")

// dieAt refuses the nth request to the bucket and all after it: for the bucket, the process died there.
func dieAt(nth int64) (refuse func(*http.Request) error, reached func() bool) {
	var n atomic.Int64
	return func(*http.Request) error {
		if n.Add(1) >= nth {
			return errGone
		}
		return nil
	}, func() bool { return n.Load() >= nth }
}

// TestAReplacementThatDiesAtAnyRequestEndsInOneSnapshot kills the run before every third request to
// the bucket (the conformance suite does so before each) and types the same command again.
func TestAReplacementThatDiesAtAnyRequestEndsInOneSnapshot(t *testing.T) {
	t.Parallel()
	stages := map[string]int{}
	for nth := int64(1); ; nth += 3 {
		l := newLake(t)
		l.must(nil)
		old := l.live(date)
		l.world = vendors(2)
		refuse, reached := dieAt(nth)
		_, err := l.run(func(r *pipeline.Request) { r.Replace, r.Sink = true, l.sink(refuse) })
		if err == nil {
			if !reached() {
				break // its last request was to give the lock back
			}
			continue
		}
		what := fmt.Sprintf("killed at request %d (%v)", nth, err)
		stages[l.stage(old, what)]++
		if stages["unsealed"] == 1 {
			l.loseState(old, what)
		}
		result := l.must(replace)
		if result.Manifest.Sequence != 2 || result.Manifest.Replaces == nil || result.Manifest.Replaces.SHA256 != old.Sum {
			t.Errorf("%s: then sealed %+v", what, result.Manifest)
		}
		l.only(result.Manifest, manifest.ReplacedPath(date, 1))
		if groups := int64(len(l.world.RongCloud.GroupIDs())); l.asked() != groups {
			t.Errorf("%s: %d requests for %d groups", what, l.asked(), groups)
		}
		if left := l.left(); len(left) > 0 {
			t.Errorf("%s: the state folder still has %v", what, left)
		}
		if t.Failed() {
			break
		}
	}
	for _, stage := range []string{"old", "unsealed"} {
		if stages[stage] == 0 {
			t.Errorf("no kill left the date in the stage %q: %v", stage, stages)
		}
	}
	t.Logf("kills by what they left: %v", stages)
}

// stage tells how far a killed replacement came, and holds what it left against that.
func (l *lake) stage(old *manifest.Sealed, what string) string {
	l.t.Helper()
	keys, now := l.bucket.Keys(), l.live(date)
	chain, err := manifest.Chain(l.t.Context(), l.sink(nil))
	if err != nil || chain[0].Sum != old.Sum {
		l.t.Errorf("%s: the chain is %v, %v", what, chain, err)
	}
	named := old.Files
	switch {
	case now == nil && len(chain) == 1 && chain[0].Replaced:
		return "unsealed"
	case now != nil && now.Sum != old.Sum && now.Replaces != nil && now.Replaces.SHA256 == old.Sum && len(chain) == 2:
		named = now.Files
	case now == nil || now.Sum != old.Sum:
		l.t.Errorf("%s: %v seals the date, the chain has %d", what, now, len(chain))
	}
	for _, f := range named {
		if !slices.Contains(keys, f.Path) {
			l.t.Errorf("%s: %s is not there", what, f.Path)
		}
	}
	if now.Sum == old.Sum {
		return "old"
	}
	return "new"
}

// undead is a disk on which a run dies when it clears the state folder away.
type undead struct{ unsynced }

func (undead) RemoveAll(path string) error {
	if filepath.Base(path) == "spool" {
		return errGone
	}
	return os.RemoveAll(path)
}

func TestAReplacementThatDiesAfterItsSealIsDone(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	for _, test := range []struct {
		name     string
		replaces bool // a snapshot that is there
	}{{"the first of its date", false}, {"the second", true}} {
		if _, err := l.run(func(r *pipeline.Request) { r.Replace, r.Disk = true, undead{} }); err != nil || len(l.left()) == 0 {
			t.Fatalf("%s: %v", test.name, err)
		}
		sealed, asked := l.live(date), l.asked()
		if (sealed.Replaces != nil) != test.replaces {
			t.Errorf("%s replaces %v", test.name, sealed.Replaces)
		}
		if again := l.must(replace); !again.Already || again.Manifest.Sequence != sealed.Sequence || l.asked() != asked {
			t.Errorf("%s: the same command then asked %d requests: %+v", test.name, l.asked()-asked, again.Manifest)
		}
	}
	// A run without --replace that died there wanted nothing replaced; an order to replace is a new one.
	if _, err := l.run(func(r *pipeline.Request) { r.Date, r.Disk = "2026-11-20", undead{} }); err != nil || len(l.left()) == 0 {
		t.Fatal(err)
	}
	if result := l.must(func(r *pipeline.Request) { r.Date, r.Replace = "2026-11-20", true }); result.Already || result.Manifest.Replaces == nil {
		t.Errorf("got %+v", result)
	}
}

// loseState goes on from where the date is unsealed, on a copy of the bucket, without the state folder.
func (l *lake) loseState(old *manifest.Sealed, what string) {
	l.t.Helper()
	alone := *l
	alone.bucket, alone.world, alone.state = l.bucket.Clone(), vendors(3), filepath.Join(l.t.TempDir(), "another")
	other := alone.must(func(r *pipeline.Request) { r.Date = "2026-11-22" })
	if other.Manifest.Sequence != 2 || other.Manifest.Previous.SHA256 != old.Sum || other.Manifest.Previous.Path != manifest.ReplacedPath(date, 1) {
		l.t.Errorf("%s: then another date was sealed as %+v", what, other.Manifest)
	}
	result := alone.must(nil)
	if result.Already || result.Manifest.Sequence != 3 || result.Manifest.Replaces == nil || result.Manifest.Replaces.SHA256 != old.Sum {
		l.t.Errorf("%s, the state folder lost: then sealed %+v", what, result.Manifest)
	}
}

func TestHistoryMayBePrunedFromItsOldEnd(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	days := []string{"2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"}
	for _, day := range days {
		l.must(func(r *pipeline.Request) { r.Date = day })
	}
	for _, key := range l.bucket.Keys() {
		if !strings.Contains(key, "2026-11-20") {
			l.bucket.Delete(key)
		}
	}
	if next := l.must(nil); next.Manifest.Sequence != 5 || next.Manifest.Previous.Path != manifest.Path("2026-11-20") {
		t.Errorf("after the oldest three went: %+v", next.Manifest)
	}
	l.must(replace)
	for _, key := range l.bucket.Keys() {
		if !strings.HasPrefix(key, sinks.ReplacedFolder) {
			l.bucket.Delete(key)
		}
	}
	if next := l.must(func(r *pipeline.Request) { r.Date = "2026-11-22" }); next.Manifest.Sequence != 6 || next.Manifest.Previous.Path != manifest.ReplacedPath(date, 5) {
		t.Errorf("after all but a replaced manifest went: %+v", next.Manifest)
	}
}
