package plan_test

import (
	"math"
	"testing"
	"time"

	"rollcall/pipeline/job"
	"rollcall/sources/simulated"
)

// TestTheTimeIsThatOfARealRun runs against real budgets, twice: the first run is the second's base.
func TestTheTimeIsThatOfARealRun(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	n := newNight(t, simulated.Options{Seed: 1, Users: 1500, Groups: 300, MinLatency: 60 * time.Millisecond, MaxLatency: 60 * time.Millisecond}, 0).
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
	p := n.plan(tonight)
	began := time.Now()
	n.sealed(tonight)
	took := time.Since(began).Seconds()
	t.Logf("planned %.2f s (at budget %.2f s, without a base %.2f s, bound by %s), took %.2f s", p.Seconds, p.SecondsAtBudget, first.Seconds, p.Bound, took)
	if off := math.Abs(p.Seconds - took); off > 0.03*took+1 {
		t.Errorf("off by %.2f s", off)
	}
}
