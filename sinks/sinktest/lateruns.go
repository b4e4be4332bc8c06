package sinktest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// lateRun is one run of the program as far as a sink sees it, with a manifest that continues the chain.
type lateRun struct {
	sink   sinks.Sink
	folder string
	state  string
	date   string
	old    string   // SHA-256 of the manifest that it replaces; empty: it replaces none
	more   bool     // it has a second file of users
	sealed []string // SHA-256 of the manifests that it reported as sealed by it
}

var errNotWhole = errors.New("what another run sealed is not whole")

// run goes on where an earlier run of the same state folder stopped.
func (r *lateRun) run(ctx context.Context) error {
	if done, err := r.done(ctx); done || err != nil {
		return err
	}
	lock, err := r.sink.Lock(ctx, sinks.Owner{State: r.state, Host: "host " + r.state, PID: 1, Date: r.date, Since: time.Now()})
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	after := context.WithoutCancel(ctx)
	defer lock.Release(after)
	if done, err := r.done(ctx); done || err != nil {
		return err
	}
	m, err := r.manifest(ctx)
	if err != nil {
		return err
	}
	encoded, err := manifest.Encode(m)
	if err != nil {
		return err
	}
	staging, err := r.begin(ctx, lock)
	if err == nil {
		err = r.put(ctx, staging)
		if err == nil {
			err = staging.Seal(ctx, manifest.Path(r.date), encoded)
		}
		if err != nil {
			_ = staging.Abort(after)
		}
	}
	if isSealed(err) {
		return r.proveWinner(ctx)
	}
	if err == nil {
		r.sealed = append(r.sealed, manifest.Sum(encoded))
	}
	return err
}

// done tells whether the date is sealed as this run wants it.
func (r *lateRun) done(ctx context.Context) (bool, error) {
	m, err := manifest.Read(ctx, r.sink, manifest.Path(r.date))
	if isMissing(err) {
		return false, nil
	}
	return err == nil && m.Sum != r.old, err
}

func (r *lateRun) begin(ctx context.Context, lock sinks.Lock) (sinks.Staging, error) {
	journal := filepath.Join(r.folder, "journal")
	there, err := manifest.Read(ctx, r.sink, manifest.Path(r.date))
	if isMissing(err) {
		return r.sink.Begin(ctx, lock, r.date, journal)
	}
	if err != nil {
		return nil, err
	}
	return r.sink.Replace(ctx, lock, r.date, journal, sinks.Old{SHA256: r.old, To: manifest.ReplacedPath(r.date, there.Sequence)})
}

// files are what the run stores: most of it is the same whoever stores it, one file is not.
func (r *lateRun) files() map[string]string {
	files := map[string]string{
		"groups/snapshot_date=" + r.date + "/part-00000.parquet":   "the groups of " + r.date,
		"outcomes/snapshot_date=" + r.date + "/part-00000.parquet": "asked by " + r.state + " at " + time.Now().String(),
	}
	if r.more {
		files["groups/snapshot_date="+r.date+"/part-00001.parquet"] = "more groups of " + r.date
	}
	return files
}

// manifest is what the run seals, as files in its folder.
func (r *lateRun) manifest(ctx context.Context) (manifest.Manifest, error) {
	m := manifest.Manifest{Date: r.date, Sequence: 1, Tool: r.state, SealedAt: manifest.At(time.Now()),
		Lists: manifest.Lists{}, Outcomes: map[string]map[string]int64{}, Requests: map[string]map[string]manifest.Figures{}}
	history, err := manifest.ReadHistory(ctx, r.sink)
	if err != nil {
		return m, err
	}
	link := func(before manifest.Sealed) *manifest.Link {
		if before.Date == r.date {
			before.Path = manifest.ReplacedPath(before.Date, before.Sequence)
		}
		return before.Link()
	}
	head, err := history.Head()
	if head != nil {
		m.Sequence, m.Previous = head.Sequence+1, link(*head)
	}
	if old := manifest.LatestOf(history.Chain, r.date); old != nil {
		m.Replaces = link(*old)
	}
	for path, content := range r.files() {
		sum := sha256.Sum256([]byte(content))
		m.Files = append(m.Files, manifest.File{Path: path, Table: path[:strings.Index(path, "/")], Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])})
		err = errors.Join(err, os.WriteFile(r.local(path), []byte(content), 0o600))
	}
	return m, err
}

func (r *lateRun) local(path string) string {
	return filepath.Join(r.folder, strings.ReplaceAll(path, "/", "_"))
}

func (r *lateRun) put(ctx context.Context, staging sinks.Staging) error {
	for path := range r.files() {
		content, err := os.ReadFile(r.local(path))
		if err != nil {
			return err
		}
		if err := staging.Put(ctx, path, r.local(path), sha256.Sum256(content)); err != nil {
			return err
		}
	}
	return nil
}

func (r *lateRun) proveWinner(ctx context.Context) error {
	m, err := manifest.Read(ctx, r.sink, manifest.Path(r.date))
	if err != nil {
		return err
	}
	if wrong := altered(ctx, r.sink, m); len(wrong) > 0 {
		return fmt.Errorf("%w: %q", errNotWhole, wrong)
	}
	return nil
}

// altered are the files of a snapshot that are not there as its manifest says.
func altered(ctx context.Context, sink sinks.Sink, m manifest.Sealed) (wrong []string) {
	for _, f := range m.Files {
		content, err := read(ctx, sink, f.Path)
		sum := sha256.Sum256(content)
		if err != nil || int64(len(content)) != f.Size || hex.EncodeToString(sum[:]) != f.SHA256 {
			wrong = append(wrong, f.Path)
		}
	}
	return wrong
}

// wantChain demands that what is sealed is whole, that the chain has no fork, and that it holds what the
// runs reported as sealed. At the end each date must be sealed, and nothing else lie there.
func wantChain(t testing.TB, sink sinks.Sink, end bool, runs ...*lateRun) {
	t.Helper()
	history, err := manifest.ReadHistory(t.Context(), sink)
	if err != nil {
		t.Error(err)
		return
	}
	sums, named := map[string]bool{}, map[string]bool{}
	for i, m := range history.Chain {
		sums[m.Sum] = true
		if m.Sequence != int64(i+1) || i > 0 && m.Previous.SHA256 != history.Chain[i-1].Sum {
			t.Errorf("%s has sequence %d in place %d of the chain, or does not link to the one before", m.Path, m.Sequence, i+1)
		}
		if m.Replaced {
			continue
		}
		if wrong := altered(t.Context(), sink, m); len(wrong) > 0 {
			t.Errorf("%s, sealed by %s, is not whole: %q", m.Path, m.Tool, wrong)
		}
		for _, f := range m.Files {
			named[f.Path] = true
		}
	}
	for _, r := range runs {
		for _, sum := range r.sealed {
			if !sums[sum] {
				t.Errorf("what %s reported as sealed is gone", r.state)
			}
		}
		if done, err := r.done(t.Context()); end && (!done || err != nil) {
			t.Errorf("%s is not sealed as %s wants it: %v", r.date, r.state, err)
		}
	}
	if !end {
		return
	}
	for object, err := range sink.List(t.Context(), "") {
		if err != nil || !named[object.Path] && !sinks.IsManifest(object.Path) && !sinks.IsReplaced(object.Path) && object.Path != sinks.LockPath {
			t.Errorf("%s lies there and nobody names it (%v)", object.Path, err)
		}
	}
}

// LateOptions says where late operations are tried.
type LateOptions struct {
	New  func(t testing.TB) func(t testing.TB, pass Pass) sinks.Sink // an empty place: each call opens one more handle to it
	Ways []Lateness
	All  bool // every operation is tried, otherwise a part of them
}

// first and step are which operations of the first run are late.
func (o LateOptions) first(how Lateness) int64 {
	if o.All {
		return 1
	}
	return 1 + int64(how)
}

func (o LateOptions) step() int64 {
	if o.All {
		return 1
	}
	return 13
}

// after is the next moment at which what is late arrives, after the one before the operation at of the
// next run. They differ from operation to operation, so that together they are all tried.
func (o LateOptions) after(at, nth int64) int64 {
	apart := int64(7)
	if !o.All {
		apart = 29
	}
	if at == 0 {
		return 1 + nth*5%apart
	}
	return at + apart
}

// lateStory is what two runs do.
type lateStory struct {
	name        string
	sealed      bool // the first date was sealed before, and both replace it where they are for it
	left        bool // a third run died there just before its manifest
	first, next string
}

func lateStories() []lateStory {
	const other = "2026-11-22"
	return []lateStory{
		{"both seal one date", false, false, date, date},
		{"both seal a date in which another run died", false, true, date, date},
		{"the next seals another date", false, false, date, other},
		{"both replace one date", true, false, date, date},
		{"the first replaces, the next seals another date", true, false, date, other},
		{"the first seals another date, the next replaces", true, false, other, date},
	}
}

// LateWrites lets one changing operation of a run come late, whichever it is, while another run takes the
// lock and does its work; what is late arrives before any one of its operations, or when it is done. Each world is
// run by bubble, on virtual time. It tells how many were tried.
func LateWrites(t *testing.T, options LateOptions, bubble func(t *testing.T, run func(t *testing.T))) int64 {
	var tried atomic.Int64
	t.Run("stories", func(t *testing.T) {
		for _, story := range lateStories() {
			for _, how := range options.Ways {
				t.Run(story.name+", the first is "+how.String(), func(t *testing.T) {
					t.Parallel()
					for nth, more := options.first(how), true; more && !t.Failed(); nth += options.step() {
						for at, inside := int64(0), true; inside && !t.Failed(); at = options.after(at, nth) {
							bubble(t, func(t *testing.T) { more, inside = story.tell(t, options, how, nth, at) })
							tried.Add(1)
							inside = inside && more
						}
					}
				})
			}
		}
	})
	return tried.Load()
}

// tell lets the nth operation of the first run come late, before the one of the next run with the
// number at. It tells whether the runs have so many operations.
func (s lateStory) tell(t *testing.T, options LateOptions, how Lateness, nth, at int64) (more, inside bool) {
	open := options.New(t)
	plain := open(t, nil)
	first := &lateRun{state: "a", date: s.first, folder: t.TempDir()}
	next := &lateRun{state: "b", date: s.next, folder: t.TempDir(), more: true}
	others := s.prepare(t, open, plain, first, next)
	l := newLate(how, nth)
	first.sink = open(t, l.pass)
	ended := make(chan error, 1)
	go func() { ended <- first.run(t.Context()) }()
	var firstErr error
	over := false
	select {
	case <-l.reached:
	case firstErr = <-ended:
		over = true
		select {
		case <-l.reached:
		default:
			return false, false
		}
	}
	release := releasing(l, at)
	next.sink = open(t, release)
	nextErr := next.insist(t)
	select {
	case <-l.opened:
		inside = true
	default:
		l.release()
	}
	if !over {
		firstErr = <-ended
	}
	inside = inside || at == 0
	what := fmt.Sprintf("%s: operation %d (%s) is late, until operation %d; %v; %v", s.name, nth, l.point(), at, firstErr, nextErr)
	all := append([]*lateRun{first, next}, others...)
	wantChain(t, plain, false, all...)
	if errors.Is(firstErr, errNotWhole) || errors.Is(nextErr, errNotWhole) {
		t.Error("a run met a snapshot that is not whole")
	}
	for _, r := range []*lateRun{first, next} {
		r.sink = plain
		if err := r.insist(t); err != nil {
			t.Errorf("one more run of %s: %v", r.state, err)
		}
	}
	wantChain(t, plain, true, first, next)
	if t.Failed() {
		t.Log("that was " + what)
	}
	return true, inside
}

// insist runs until no other run holds the place.
func (r *lateRun) insist(t *testing.T) error {
	for range 100 {
		err := r.run(t.Context())
		if !isHeld(err) {
			return err
		}
		time.Sleep(10 * time.Second)
	}
	return errors.New("the place is held for ever")
}

// prepare makes what was there before.
func (s lateStory) prepare(t *testing.T, open func(testing.TB, Pass) sinks.Sink, plain sinks.Sink, first, next *lateRun) (others []*lateRun) {
	if s.sealed {
		old := &lateRun{state: "o", date: date, folder: t.TempDir(), sink: plain, more: true}
		if err := old.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, r := range []*lateRun{first, next} {
			if r.date == date {
				r.old = old.sealed[0]
			}
		}
		others = append(others, old)
	}
	if s.left {
		died := &lateRun{state: "d", date: date, folder: t.TempDir(), more: true}
		var gone atomic.Bool
		died.sink = open(t, func(operation string, changes bool, do func()) bool {
			if changes && strings.Contains(operation, "_snapshots/") {
				gone.Store(true)
			}
			if gone.Load() {
				return false
			}
			do()
			return true
		})
		if err := died.run(t.Context()); err == nil {
			t.Fatal("it did not die")
		}
	}
	return slices.Clip(others)
}
