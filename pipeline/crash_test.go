package pipeline_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/fetch"
	"rollcall/pipeline/job"
	"rollcall/pipeline/spool"
	"rollcall/schema/disk"
	"rollcall/schema/disk/disktest"
	"rollcall/sinks/manifest"
	"rollcall/sources/simulated"
)

// long is set where a test may take minutes: it then tries everything and not a sample.
func long() bool { return os.Getenv("ROLLCALL_CHAOS") != "" }

// tiny is a night of a few dozen keys that takes some virtual seconds, so that its spool is flushed
// several times.
func tiny(t *testing.T) *night {
	t.Helper()
	world := simulated.New(unlimited(simulated.Options{Seed: 6, Users: 12, Groups: 6, Disagreements: 1, ShuffledRoles: true}))
	n := newNight(t, world).everything()
	for i := range n.job.Sources {
		for name := range n.job.Sources[i].Budgets {
			n.job.Sources[i].Budgets[name] = job.Budget{PerSecond: 3}
		}
	}
	return n
}

// virtually runs the night on virtual time with a disk of its own.
func (n *night) virtually(d disk.Disk, change func(*pipeline.Request)) (pipeline.Result, error) {
	n.t.Helper()
	r := n.request()
	r.Transport, r.Disk = n.world.Transport(), d
	if change != nil {
		change(&r)
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Hour)
	defer cancel()
	r.Given = cmp.Or(r.Given, noon(r.Date))
	return pipeline.Run(ctx, r)
}

// inBubble calls do on virtual time, with n telling its test.
func (n *night) inBubble(do func()) {
	t := n.t
	defer func() { n.t = t }()
	synctest.Test(t, func(t *testing.T) {
		n.t = t
		do()
	})
}

// requests counts what the vendors were asked.
func (n *night) requests() (sum int64) {
	for _, c := range n.world.Counts() {
		sum += int64(c.Requests)
	}
	return sum
}

// quiet is a night in which nothing went wrong.
type quiet struct {
	snapshot
	requests map[string]int64 // by data block and key
	steps    []string
}

func quietNight(t *testing.T) quiet {
	t.Helper()
	n := tiny(t)
	q := quiet{requests: map[string]int64{}}
	var result pipeline.Result
	n.inBubble(func() {
		d := disktest.New(n.t, disktest.Options{})
		var err error
		if result, err = n.virtually(d, nil); err != nil {
			n.t.Fatal(err)
		}
		for i := range d.Steps() {
			q.steps = append(q.steps, d.Step(i+1))
		}
	})
	q.snapshot = n.read(result)
	for _, o := range q.outcomes {
		q.requests[o.Data+" "+o.Key] += o.Requests
	}
	return q
}

// safe lists the keys whose answers lie in the state folder, by data block and key. It looks at a
// copy, so that the run that goes on finds what the crash left.
func (n *night) safe() map[string]bool {
	n.t.Helper()
	keys := map[string]bool{}
	at := filepath.Join(n.state, date, "spool")
	if _, err := os.Stat(at); err != nil {
		return keys
	}
	copied := filepath.Join(n.t.TempDir(), "spool")
	if err := os.CopyFS(copied, os.DirFS(at)); err != nil {
		n.t.Fatal(err)
	}
	blocks := fetch.Blocks(n.job)
	s, err := spool.Open(spool.Options{Dir: copied, Blocks: blocks, Dropped: func(spool.Damage) {}})
	if err != nil {
		n.t.Fatal(err)
	}
	defer s.Close()
	records, err := s.Records(n.t.Context(), spool.Filter{})
	if err != nil {
		n.t.Fatal(err)
	}
	defer records.Close()
	for records.Next() {
		r := records.Record()
		if !r.Outcome.Missing() {
			keys[blocks[r.Block].Address+" "+r.Key] = true
		}
	}
	return keys
}

// unsafe is how many requests the keys need that are not safe.
func (q *quiet) unsafe(safe map[string]bool) (sum int64) {
	for key, requests := range q.requests {
		if !safe[key] {
			sum += requests
		}
	}
	return sum
}

// same demands the bytes of the quiet night, and that nothing is left over: neither of it nor of
// other nights that are sealed beside it.
func (n *night) same(q quiet, result pipeline.Result, beside ...manifest.Manifest) {
	n.t.Helper()
	sums := map[string]string{}
	for _, f := range result.Manifest.Files {
		sums[f.Table] += f.SHA256 + " "
	}
	for _, table := range []string{"memberships", "groups", "users", "discrepancies", "changes"} {
		if sums[table] != q.sums[table] {
			n.t.Errorf("%s differs from that of the quiet night", table)
		}
	}
	n.onlyManifested(append(beside, result.Manifest)...)
	left, err := os.ReadDir(n.state)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, entry := range left {
		if !slices.Contains([]string{"lock", "asked", "owner", "README", "version"}, entry.Name()) {
			n.t.Errorf("%s is left in the state folder", entry.Name())
		}
	}
}

// sample gives the steps to try: all of them, or one of every few.
func sample(steps, every int) []int {
	if long() {
		every = 1
	}
	var all []int
	for n := 1; n <= steps; n += every {
		all = append(all, n)
	}
	return all
}

func TestACrashAtAnyStepOfTheDiskGoesOnToTheSameBytes(t *testing.T) {
	t.Parallel()
	q := quietNight(t)
	for _, loss := range disktest.Losses() {
		count := newTried(t, "the process or the machine stops at a step of the disk ("+loss.String()+")")
		for _, step := range sample(len(q.steps), 41) {
			t.Run(fmt.Sprintf("%s at step %d", loss, step+int(loss)), func(t *testing.T) {
				t.Parallel()
				n := tiny(t)
				n.inBubble(func() { n.crashAndGoOn(q, step+int(loss), loss, count) })
			})
		}
	}
}

// crashAndGoOn stops the world at a step of the disk, takes what is lost, and runs again.
func (n *night) crashAndGoOn(q quiet, step int, loss disktest.Loss, count *tried) {
	n.t.Helper()
	d := disktest.New(n.t, disktest.Options{Crash: step, Seed: uint64(step)})
	result, err := n.virtually(d, nil)
	if d.Crashed() && err != nil && !errors.Is(err, disktest.ErrCrash) {
		n.t.Errorf("%s: the crash is told as %v", d.Step(step), err)
	}
	d.Lose(n.t, loss)
	safe, before := n.safe(), n.requests()
	if result, err = n.virtually(disktest.New(n.t, disktest.Options{}), nil); err != nil {
		n.t.Fatalf("%s: the run that goes on: %v", d.Step(step), err)
	}
	if asked, want := n.requests()-before, q.unsafe(safe); asked != want && !result.Already || asked > 0 && result.Already {
		n.t.Errorf("%s: %d requests, %d are needed for the keys that were not safe (%d were; sealed before: %v)", d.Step(step), asked, want, len(safe), result.Already)
	}
	n.same(q, result)
	count.add(n.requests()-q.total(), true)
}

// total is how many requests a quiet night needs.
func (q *quiet) total() int64 { return q.unsafe(nil) }
