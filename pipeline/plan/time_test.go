package plan_test

import (
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/job"
	"rollcall/sources/simulated"
)

const later = "2026-11-22"

// TestTheTimeIsThatOfARealRun runs against real budgets on virtual time, where nothing but pacing, latency
// and waiting takes any: a run that is the base of the others, a whole one, and one that goes on
// where it was stopped. It runs beside no other test and empties all pools when it is done: package
// parquet keeps decoders for whoever reads next, and the channels of those made in a bubble may not
// be used outside it.
func TestTheTimeIsThatOfARealRun(t *testing.T) {
	synctest.Test(t, theTimeIsThatOfARealRun)
	runtime.GC() // a sync.Pool lets go of what two collections have found in it
	runtime.GC()
}

func theTimeIsThatOfARealRun(t *testing.T) {
	n := newNight(t, simulated.Options{Seed: 1, Users: 3500, Groups: 400, MinLatency: 60 * time.Millisecond, MaxLatency: 60 * time.Millisecond}, 0).
		block("rongcloud_user_groups", users("rc_users")).
		block("rongcloud_group_members", func(d *job.Data) { d.Groups.From = []string{"rongcloud_user_groups.all"} }).
		block("tencentchat_joined_groups", users("tx_users")).
		block("tencentchat_group_roles", func(d *job.Data) { d.Memberships = []string{"tencentchat_joined_groups.all"} })
	for i, s := range n.job.Sources {
		for _, d := range s.Definition.Data {
			s.Budgets[d.Name] = job.Budget{PerSecond: d.PerSecond}
		}
		n.job.Sources[i].Share = 0.8
	}
	n.job.Sources[1].Budgets["group_roles"] = job.Budget{PerSecond: 40}
	first := n.plan(before)
	n.workers = 0
	n.sealed(before)
	n.timed(tonight)
	n.cut(later, 1500)
	n.timed(later)
	t.Logf("without a base the plan said %.2f s", first.Seconds)
}

// timed plans and runs one date, and demands that the plan's time is the run's, within 3 %.
func (n *night) timed(date string) {
	n.t.Helper()
	p := n.plan(date)
	began := time.Now()
	n.sealed(date)
	took := time.Since(began).Seconds()
	n.t.Logf("%s: planned %.2f s (at budget %.2f s, bound by %s), took %.2f s", date, p.Seconds, p.SecondsAtBudget, p.Bound, took)
	if off := math.Abs(p.Seconds - took); off > 0.03*took {
		n.t.Errorf("%s: off by %.2f s", date, off)
	}
}
