package local_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/schema/disk/disktest"
	"rollcall/sinks"
	"rollcall/sinks/lease"
	"rollcall/sinks/local"
)

const (
	today     = "2026-11-21"
	yesterday = "2026-11-20"
)

// contest is a folder for which several processes contend.
type contest struct {
	t    *testing.T
	root string
	what string // which schedule it is, for messages
	pids int
}

// process is one of them: it seals a date, or replaces what seals it.
type process struct {
	contest *contest
	name    string
	pid     int
	date    string
	replace bool
	disk    *disktest.Suspended
	done    chan struct{}
	sum     string // of its manifest
	err     error
}

// statement is what stands in the manifests of this test: a place in the chain, and the SHA-256 of each file.
type statement struct {
	By       string            `json:"by"`
	Sequence int               `json:"sequence"`
	Previous string            `json:"previous"` // SHA-256 of the manifest before it
	Files    map[string]string `json:"files"`
}

// last gives the manifest that the next one follows, as a run reads it that has the lock.
func (c *contest) last() (last statement, sum string) {
	for _, folder := range []string{"_snapshots", sinks.ReplacedFolder} {
		paths, _ := filepath.Glob(filepath.Join(c.root, folder, "*.json"))
		for _, path := range paths {
			var s statement
			if encoded, err := os.ReadFile(path); err == nil && json.Unmarshal(encoded, &s) == nil && s.Sequence > last.Sequence {
				last, sum = s, sumOf(encoded)
			}
		}
	}
	return last, sum
}

func (c *contest) process(name, date string, replace bool, at int) *process {
	c.pids++
	return &process{contest: c, name: name, pid: c.pids, date: date, replace: replace, disk: disktest.Suspend(disktest.New(c.t, disktest.Options{}), at, nil), done: make(chan struct{})}
}

// start runs it until it ends or is suspended.
func (p *process) start() *process {
	go func() {
		defer close(p.done)
		p.err = p.run(p.contest.t.Context())
	}()
	select {
	case <-p.done:
	case <-p.disk.Reached():
	}
	return p
}

func (p *process) finish() {
	p.disk.Resume()
	<-p.done
}

// run does what the pipeline does with a sink.
func (p *process) run(ctx context.Context) error {
	sink, err := local.Open(local.Config{Path: p.contest.root, Now: time.Now, Disk: p.disk})
	if err != nil {
		return err
	}
	lock, err := sink.Lock(ctx, sinks.Owner{State: p.name, Host: "host", PID: p.pid, Date: p.date, Since: time.Now()})
	if err != nil {
		return err
	}
	defer lock.Release(context.WithoutCancel(ctx))
	last, previous := p.contest.last()
	staging, err := p.stage(ctx, sink, lock)
	if err != nil {
		return err
	}
	defer staging.Abort(context.WithoutCancel(ctx))
	manifest, err := p.put(ctx, staging, statement{By: p.name, Sequence: last.Sequence + 1, Previous: previous, Files: map[string]string{}})
	if err != nil {
		return err
	}
	return staging.Seal(ctx, sinks.ManifestPath(p.date), manifest)
}

func (p *process) stage(ctx context.Context, sink sinks.Sink, lock sinks.Lock) (sinks.Staging, error) {
	there, err := os.ReadFile(filepath.Join(p.contest.root, sinks.ManifestPath(p.date)))
	if errors.Is(err, fs.ErrNotExist) || !p.replace {
		return sink.Begin(ctx, lock, p.date, "")
	}
	if err != nil {
		return nil, err
	}
	return sink.Replace(ctx, lock, p.date, "", sinks.Old{SHA256: sumOf(there), To: p.contest.free(p.date)})
}

// free is a name for the next manifest that is put aside.
func (c *contest) free(date string) string {
	left, _ := filepath.Glob(filepath.Join(c.root, sinks.ReplacedFolder, date+"-*.json"))
	return sinks.ReplacedPath(date, int64(len(left)+1))
}

// put puts files that this process alone writes: one name that all have, and one of its own.
func (p *process) put(ctx context.Context, staging sinks.Staging, s statement) ([]byte, error) {
	for i, path := range []string{"users/snapshot_date=" + p.date + "/part-00000.parquet", "groups/snapshot_date=" + p.date + "/part-0000" + fmt.Sprint(len(p.name)) + ".parquet"} {
		content := []byte(fmt.Sprint(p.name, i))
		from := filepath.Join(p.contest.t.TempDir(), "part")
		if err := os.WriteFile(from, content, 0o600); err != nil {
			return nil, err
		}
		if err := staging.Put(ctx, path, from, sha256.Sum256(content)); err != nil {
			return nil, err
		}
		s.Files[path] = sumOf(content)
	}
	encoded, err := json.Marshal(s)
	p.sum = sumOf(encoded)
	return encoded, err
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// whole demands that each manifest's files are there and that the chain has no fork, and gives what is sealed: the sums of all manifests
// and the paths of all that belongs to a snapshot.
func (c *contest) whole() (sums, paths []string) {
	c.t.Helper()
	chain := map[int]string{}    // sums by sequence
	previous := map[int]string{} // sums that they name, by sequence
	for _, path := range walk(c.t, c.root, false) {
		if !strings.HasPrefix(path, "_snapshots/") {
			continue
		}
		encoded, err := os.ReadFile(filepath.Join(c.root, path))
		var s statement
		if err := errors.Join(err, json.Unmarshal(encoded, &s)); err != nil {
			c.t.Fatalf("%s: %s: %v", c.what, path, err)
		}
		sums, paths = append(sums, sumOf(encoded)), append(paths, path)
		if other := chain[s.Sequence]; other != "" && other != sumOf(encoded) {
			c.t.Errorf("%s: two manifests have the sequence %d", c.what, s.Sequence)
		}
		chain[s.Sequence], previous[s.Sequence] = sumOf(encoded), s.Previous
		if sinks.IsReplaced(path) {
			continue
		}
		for file, sum := range s.Files {
			content, err := os.ReadFile(filepath.Join(c.root, file))
			if err != nil || sumOf(content) != sum {
				c.t.Errorf("%s: %s is sealed by %s, and %s is not what it says: %q, %v", c.what, path, s.By, file, content, err)
			}
			paths = append(paths, file)
		}
	}
	for sequence, sum := range previous {
		if sum != chain[sequence-1] {
			c.t.Errorf("%s: the manifest with the sequence %d does not follow the one before it", c.what, sequence)
		}
	}
	slices.Sort(paths)
	return sums, paths
}

// judge demands that all is well with the processes as they ended, heals by one more run of each date,
// and demands that nothing is left over.
func (c *contest) judge(all ...*process) {
	c.t.Helper()
	sums, _ := c.whole()
	for _, p := range all {
		if p.err == nil && !slices.Contains(sums, p.sum) {
			c.t.Errorf("%s: %s says that it sealed, and nothing of it is there", c.what, p.name)
		}
		_, sealed := errors.AsType[*sinks.SealedError](p.err)
		_, held := errors.AsType[*sinks.HeldError](p.err)
		if p.err != nil && !sealed && !held && !strings.Contains(p.err.Error(), "stands still") {
			c.t.Errorf("%s: %s ended with %v", c.what, p.name, p.err)
		}
	}
	for _, p := range all {
		if err := c.process("healer", p.date, false, 0).start().err; err != nil {
			if _, sealed := errors.AsType[*sinks.SealedError](err); !sealed {
				c.t.Errorf("%s: the next run gave %v", c.what, err)
			}
		}
	}
	if _, paths := c.whole(); !slices.Equal(paths, walk(c.t, c.root, false)) {
		c.t.Errorf("%s: sealed are %q, and there are %q", c.what, paths, walk(c.t, c.root, false))
	}
	if left := walk(c.t, c.root, true); len(left) > 0 {
		c.t.Errorf("%s: left over: %q", c.what, left)
	}
}

// scene is what two processes contend about.
type scene struct {
	name          string
	first, second string // dates
	replace       bool   // both replace what is sealed, if something is
	same          bool   // both have one state folder: the second takes the lock at once
}

func scenes() []scene {
	return []scene{
		{name: "the same date", first: today, second: today},
		{name: "another date", first: today, second: yesterday},
		{name: "a replacement", first: today, second: today, replace: true},
		{name: "the same state folder", first: today, second: today, same: true},
		{name: "the same state folder and a replacement", first: today, second: today, replace: true, same: true},
	}
}

func (s scene) contest(t *testing.T, what string) *contest {
	c := &contest{t: t, root: filepath.Join(t.TempDir(), "snapshots"), what: s.name + ", " + what}
	if s.replace {
		if err := c.process("zero", s.first, false, 0).start().err; err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (s scene) names() (string, string) {
	if s.same {
		return "a", "a"
	}
	return "a", "bb"
}

// steps are those of a process that nobody disturbs.
func (s scene) steps(t *testing.T) (steps []string) {
	synctest.Test(t, func(t *testing.T) {
		p := s.contest(t, "undisturbed").process("a", s.first, s.replace, 0).start()
		if p.err != nil {
			t.Fatal(p.err)
		}
		steps = p.disk.Steps()
	})
	return steps
}

// every is how many steps apart those are that are tried, where a test may take minutes and else.
func every(long, short int) int {
	if os.Getenv("ROLLCALL_CHAOS") != "" {
		return long
	}
	return short
}

// tried counts schedules, for the table in CHAOS.md.
func tried(t *testing.T, what string) *atomic.Int64 {
	count := &atomic.Int64{}
	t.Cleanup(func() {
		if !t.Failed() {
			t.Logf("| %s | %d | every manifest has its files, no fork, nothing reported that is not so | 0 | 0 | 0 | 0 |", what, count.Load())
		}
	})
	return count
}

func TestWhatASuspendedHolderDoesLateIsHarmless(t *testing.T) {
	t.Parallel()
	count := tried(t, "a run is suspended before a step in the folder of its sink, while another takes the lock and seals")
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			steps := s.steps(t)
			for at := 1; at <= len(steps); at += every(1, 5) {
				synctest.Test(t, func(t *testing.T) {
					c := s.contest(t, fmt.Sprintf("suspended before step %d (%s)", at, steps[at-1]))
					a, b := s.names()
					late := c.process(a, s.first, s.replace, at).start()
					winner := c.process(b, s.second, s.replace, 0).start()
					c.whole()
					late.finish()
					c.judge(late, winner)
					count.Add(1)
				})
			}
		})
	}
}

func TestTwoHoldersSuspendedOneAfterTheOtherAreHarmless(t *testing.T) {
	t.Parallel()
	count := tried(t, "two runs are suspended one after the other, while a third seals")
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			steps := s.steps(t)
			for first := 1; first <= len(steps); first += every(4, 29) {
				for second := 1; second <= len(steps)+8; second += every(3, 23) {
					synctest.Test(t, func(t *testing.T) {
						c := s.contest(t, fmt.Sprintf("suspended before step %d (%s), then the other before step %d", first, steps[first-1], second))
						a, b := s.names()
						late := c.process(a, s.first, s.replace, first).start()
						later := c.process(b, s.second, s.replace, second).start()
						winner := c.process("ccc", s.first, s.replace, 0).start()
						c.whole()
						late.finish()
						c.whole()
						later.finish()
						c.judge(late, later, winner)
						count.Add(1)
					})
				}
			}
		})
	}
}

// pace is one whose holders are stale after so long.
func pace(stale time.Duration) lease.Pace { return lease.Pace{Beat: stale / 6, Stale: stale} }
