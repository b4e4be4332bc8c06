package pipeline_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/client"
	"rollcall/pipeline/event"
	"rollcall/pipeline/state"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sources/simulated"
)

// cutAfter is a transport that calls cut when so many requests have been sent.
type cutAfter struct {
	http.RoundTripper
	left atomic.Int64
	cut  func()
}

func (c *cutAfter) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.left.Add(-1) == 0 {
		c.cut()
	}
	return c.RoundTripper.RoundTrip(r)
}

// runCut runs the night and stops it after so many requests.
func (n *night) runCut(requests int64) (pipeline.Result, error) {
	ctx, cancel := context.WithCancel(n.t.Context())
	defer cancel()
	r := n.request()
	transport := &cutAfter{RoundTripper: client.NewTransport(nil, nil), cut: cancel}
	transport.left.Store(requests)
	r.Transport = transport
	r.Workers = 4 // with more, all requests may be on their way before the first is answered
	r.Given = cmp.Or(r.Given, noon(r.Date))
	return pipeline.Run(ctx, r)
}

func TestARunThatIsStoppedAnywhereGoesOnToTheSameBytes(t *testing.T) {
	t.Parallel()
	world := nasty(11, 200, 40)
	whole := newNight(t, world).everything().sealed()
	total := int64(0)
	for _, o := range whole.outcomes {
		total += o.Requests
	}
	for _, step := range []int64{1, total / 7, total / 3, total - 3} {
		n := newNight(t, world).everything()
		stops := 0
		for {
			result, err := n.runCut(max(step, int64(stops)*total/5))
			if err == nil {
				s := n.read(result)
				for _, table := range []string{"memberships", "groups", "users", "discrepancies"} {
					if s.sums[table] != whole.sums[table] {
						t.Errorf("stopped %d times, first after %d requests: %s differs", stops, step, table)
					}
				}
				n.onlyManifested(result.Manifest)
				break
			}
			stopped := &pipeline.StoppedError{}
			if !errors.As(err, &stopped) {
				t.Fatalf("stopped after %d requests: %v", step, err)
			}
			if visible := n.visible(); len(visible) > 0 {
				t.Errorf("a stopped run left %v in the sink", visible)
			}
			if stops++; stops > 20 {
				t.Fatal("the run never ends")
			}
		}
		if stops == 0 {
			t.Errorf("a run of %d requests was not stopped after %d", total, step)
		}
	}
}

func TestFailedKeysAloneAreAskedAgain(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 40, Groups: 8}))
	world.Fault(simulated.Fault{Path: "/entrust/group/member/query.json", Key: "g000003", Do: simulated.Code(1002, "groupId is wrong.")})
	n := newNight(t, world).block("rongcloud_group_members", groups("rc_groups"))
	_, err := n.run(nil)
	missing := &pipeline.NotSealedError{}
	if !errors.As(err, &missing) || missing.Missing != 1 || missing.Gaps[0].Key != "g000003" || !strings.Contains(missing.Gaps[0].Message, "groupId is wrong.") {
		t.Fatalf("got %+v, %v", missing, err)
	}
	if visible := n.visible(); len(visible) > 0 {
		t.Errorf("a snapshot that is not sealed left %v", visible)
	}
	world.Heal()
	before := world.Counts()["/entrust/group/member/query.json"].Requests
	s := n.sealed()
	if asked := world.Counts()["/entrust/group/member/query.json"].Requests - before; asked != 1 {
		t.Errorf("%d requests for the one key that was missing", asked)
	}
	if s.Code != pipeline.CodeComplete {
		t.Errorf("code %d", s.Code)
	}
}

func TestToleratedFailuresSealWithCode3(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 40, Groups: 8}))
	world.Fault(simulated.Fault{Key: "g000003", Do: simulated.Code(1002, "groupId is wrong.")})
	n := newNight(t, world).block("rongcloud_group_members", groups("rc_groups"))
	n.job.Tolerate.Share = 0.2
	s := n.sealed()
	if s.Code != pipeline.CodeNotWhole || len(s.Gaps) != 1 || s.Gaps[0].Keys != 1 {
		t.Fatalf("code %d, gaps %+v", s.Code, s.Gaps)
	}
	for _, g := range s.groups {
		if g.GroupID == "g000003" && g.Verdict != "failed" {
			t.Errorf("the failed group has verdict %s", g.Verdict)
		}
	}
	failed := 0
	for _, o := range s.outcomes {
		if o.Outcome != "failed" {
			continue
		}
		failed++
		if o.Key != "g000003" || o.VendorCode == nil || *o.VendorCode != "1002" || o.Message == nil || !strings.Contains(*o.Message, "groupId is wrong.") {
			t.Errorf("the ledger says of the failed key %+v", o)
		}
	}
	if failed != 1 {
		t.Errorf("%d failed keys stand in the ledger, want 1", failed)
	}
}

func TestAWrongTotalIsReadTwiceAndSealsWithCode3(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 40, Groups: 8}))
	world.Fault(simulated.Fault{Path: "/entrust/group/member/query.json", Key: "g000003", Do: simulated.Total(5)},
		simulated.Fault{Path: "/entrust/group/member/query.json", Key: "g000004", Times: 1, Do: simulated.Total(5)})
	n := newNight(t, world).block("rongcloud_group_members", groups("rc_groups"))
	s := n.sealed()
	verdicts := map[string]string{}
	for _, g := range s.groups {
		verdicts[g.GroupID] = g.Verdict
	}
	if verdicts["g000003"] != "short" || verdicts["g000004"] != "exact" || s.Code != pipeline.CodeNotWhole {
		t.Fatalf("verdicts %v, code %d", verdicts, s.Code)
	}
	for _, o := range s.outcomes {
		if (o.Key == "g000003" || o.Key == "g000004") && o.Attempts != 2 {
			t.Errorf("%s was read %d times", o.Key, o.Attempts)
		}
	}
}

func TestWrongCredentialsStopTheRunAfterTheFirstAnswers(t *testing.T) {
	t.Parallel()
	world := nasty(2, 300, 40)
	n := newNight(t, world).everything()
	n.job.Sources[0] = n.source("rongcloud.prod", "rongcloud", wrongSecret(n.server.URL))
	_, err := n.run(nil)
	if fault.KindOf(err) != fault.Credentials || fault.HintOf(err) == "" {
		t.Fatalf("got %v, hint %q", err, fault.HintOf(err))
	}
	if strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("the secret stands in %q", err)
	}
	refused := int64(0)
	for _, path := range []string{"/user/group/query.json", "/entrust/joined/group/query.json", "/entrust/group/member/query.json"} {
		refused += int64(world.Counts()[path].Requests)
	}
	if refused > 3*70*2 {
		t.Errorf("%d requests were sent with a refused secret", refused)
	}
}

func TestASinkThatCannotBeWrittenIsSaidBeforeAnybodyIsAsked(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(2, 20, 4)).everything()
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	n.job.Sink.Local.Path = filepath.Join(file, "snapshots")
	_, err := n.run(nil)
	if kind := fault.KindOf(err); kind != fault.Configuration && kind != fault.Credentials {
		t.Fatalf("got %v of kind %v", err, kind)
	}
	for path, c := range n.world.Counts() {
		if c.Requests > 0 {
			t.Errorf("%s was asked", path)
		}
	}
}

func TestALeftOverDateThatIsSealedMakesRoomForToday(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(2, 20, 4)).everything()
	n.sealed()
	folder, err := state.Open(state.Options{Path: n.state, Random: func() uint64 { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := folder.Begin(date, pipeline.Binding(n.job), time.Now()); err != nil {
		t.Fatal(err)
	}
	folder.Close()
	begun := time.Now()
	noon := begun.UTC().Truncate(24 * time.Hour).Add(12 * time.Hour) // so that no midnight comes in between
	result, err := n.run(func(r *pipeline.Request) {
		r.Date, r.Now = "", func() time.Time { return noon.Add(time.Since(begun)) }
	})
	if today := noon.Format(time.DateOnly); err != nil || result.Already || result.Date != today {
		t.Fatalf("got %s, already %v, %v; want %s", result.Date, result.Already, err, today)
	}
	if left := n.left(); len(left) > 0 {
		t.Errorf("the state folder still holds %v", left)
	}
}

func TestALostLockStopsTheRun(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(2, 100, 20)).everything()
	var stolen atomic.Bool // the lock's heartbeat looks at the clock, too
	_, err := n.run(func(r *pipeline.Request) {
		now := r.Now
		r.Now = func() time.Time { return now().Add(map[bool]time.Duration{true: time.Minute}[stolen.Load()]) }
		r.Listen = func(e event.Event) {
			if p, ok := e.(event.Progress); !ok || p.Phase != event.Merging || stolen.Swap(true) {
				return
			}
			record := []byte(`{"state":"stranger","host":"elsewhere","pid":7,"date":"2026-11-21","since":"2026-11-21T00:00:00Z"}`)
			if err := os.WriteFile(filepath.Join(n.out, "_locks", "run.json"), record, 0o644); err != nil {
				t.Error(err)
			}
		}
	})
	held := &sinks.HeldError{}
	if !errors.As(err, &held) {
		t.Fatalf("got %v", err)
	}
	if strings.Count(err.Error(), n.out) != 1 {
		t.Errorf("the sink is to be named once: %v", err)
	}
	if _, err := os.Stat(filepath.Join(n.out, "_snapshots", date+".json")); err == nil {
		t.Error("a run without the lock sealed")
	}
}
