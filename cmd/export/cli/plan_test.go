package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/job"
	"rollcall/pipeline/plan"
)

func sure(n int64) plan.Count { return plan.Count{Least: n, Expected: n, Most: &n} }

func between(least, expected, most int64) plan.Count {
	return plan.Count{Least: least, Expected: expected, Most: &most}
}

func some(n int64) plan.Count { return plan.Count{Least: n, Expected: n} }

// planned is a plan with a snapshot to go by.
func planned() plan.Plan {
	rows, size := int64(1_250_000), int64(48<<20)
	ends := midnight.Add(2*time.Hour + 3*time.Minute + 5*time.Second)
	return plan.Plan{
		Date: "2026-11-21", Place: "s3://acme-audit/im", Base: "2026-11-20",
		Blocks: []plan.Block{
			{Address: "rongcloud_group_members.all", Unit: "groups", Given: 11_000, Keys: between(12_100, 12_300, 12_500), Requests: between(40_000, 41_000, 42_000), Basis: plan.Snapshot, Seconds: 500},
			{Address: "tencentchat_group_roles.all", Unit: "groups", Given: 2, Keys: sure(2), Requests: sure(8), Basis: plan.Exact, Seconds: 1.2},
		},
		Endpoints: []plan.Endpoint{
			{Name: "rongcloud.prod group_members", PerSecond: 100, Limit: 80, Use: 0.951, LatencyMS: 50, Requests: between(40_000, 41_000, 42_000), SecondsAtBudget: 512.5, Seconds: 539},
			{Name: "tencentchat.intl group_roles", PerSecond: 200, Limit: 200, Use: 0.9, LatencyMS: 110, Requests: sure(8), SecondsAtBudget: 0.04, Seconds: 1.2},
		},
		Requests: between(40_008, 41_008, 42_008), Seconds: 7385, Bound: "rongcloud.prod group_members",
		StartsAt: midnight, EndsAt: ends.In(time.FixedZone("CST", 8*3600)), EndsAtUTC: ends, Files: 7, Rows: &rows, Bytes: &size,
	}
}

func TestPlansAsPeopleReadThem(t *testing.T) {
	t.Parallel()
	fresh := planned()
	fresh.Base, fresh.Rows, fresh.Bytes, fresh.EndsAt = "", nil, nil, fresh.EndsAtUTC
	fresh.Blocks[0].Keys, fresh.Blocks[0].Requests, fresh.Blocks[0].Basis = some(11_000), some(11_000), plan.AtLeast
	fresh.Blocks[1].Keys, fresh.Blocks[1].Requests, fresh.Blocks[1].Basis = some(0), some(0), plan.AtLeast
	fresh.Requests, fresh.Endpoints[0].Requests, fresh.Endpoints[1].Requests = some(11_000), some(11_000), some(0)
	fresh.Notes = []string{"no snapshot is sealed yet"}

	resumed := planned()
	resumed.Resumed, resumed.Answered = true, 123_456
	resumed.Blocks[1].Basis = plan.Tonight

	absurd := planned()
	absurd.Running, absurd.Notes = true, []string{"a run is at work in /state\x1b[2J: this plan counts everything anew"}
	absurd.Seconds, absurd.EndsAt, absurd.EndsAtUTC = 1.9e6, midnight.Add(22*24*time.Hour), midnight.Add(22*24*time.Hour)
	absurd.Warnings = []plan.Warning{{Text: "rongcloud.prod group_members needs about 3 weeks 1 day for 150,000,000 requests: that is no nightly run", Levers: []string{"share = 1: 2 weeks 4 days", "ask fewer IDs"}}}

	at := midnight.Add(-time.Hour)
	for name, p := range map[string]plan.Plan{
		"plan_from_snapshot": planned(), "plan_fresh": fresh, "plan_resumed": resumed, "plan_absurd": absurd,
		"plan_sealed": {Date: "2026-11-21", Place: "s3://acme-audit/im", Sealed: true, SealedAt: &at},
	} {
		var out bytes.Buffer
		showPlan(console.NewPrinter(&out), p)
		golden(t, name, out.String())
	}
}

func TestPlanListsBlocksAfterThoseTheyWaitFor(t *testing.T) {
	t.Parallel()
	var blocks []plan.Block
	for _, address := range []string{"a.members", "a.user", "b.joined", "b.roles"} {
		blocks = append(blocks, plan.Block{Address: address})
	}
	got := upstreamFirst(blocks, []job.Data{
		{Address: "a.members", Groups: job.Input{From: []string{"a.user", "b.roles"}}},
		{Address: "b.roles", Memberships: []string{"b.joined"}},
	})
	var order []string
	for _, b := range got {
		order = append(order, b.Address)
	}
	if want := "a.user b.joined b.roles a.members"; strings.Join(order, " ") != want {
		t.Errorf("the order is %v, want %s", order, want)
	}
}

func TestPlanAsksNobodyAndNeedsNoSecrets(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if got := realTime(t, nil, append(small, "demo", "--progress", "none", "--out", out)...); got.code != Done {
		t.Fatalf("demo ended with %d: %s", got.code, got.stderr)
	}
	for _, name := range []string{"rongcloud.key", "rongcloud.secret", "tencentchat.secret"} {
		if err := os.Remove(filepath.Join(out, name)); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(out, "rollcall.hcl") // its vendors are gone, too
	sealed := rollcall(t, "plan", "--config", config)
	if sealed.code != Done || !strings.HasSuffix(sealed.stdout, "\n\nPlan: nothing to ask.\n") {
		t.Errorf("the plan of a sealed date ended with %d: %s%s", sealed.code, sealed.stdout, sealed.stderr)
	}
	text := rollcall(t, "plan", "--config", config, "--date", "2026-11-22")
	if text.code != Done || text.stderr != "" || !strings.Contains(text.stdout, "from 2026-11-21") || !strings.Contains(text.stdout, "\nPlan: 6 data blocks, ") {
		t.Errorf("plan ended with %d: %s%s", text.code, text.stdout, text.stderr)
	}
	var p plan.Plan
	asJSON := rollcall(t, "plan", "--json", "--config", config, "--date", "2026-11-22")
	if err := json.Unmarshal([]byte(asJSON.stdout), &p); err != nil || p.Base != "2026-11-21" || len(p.Blocks) != 6 || p.Requests.Expected == 0 || p.Seconds < p.SecondsAtBudget {
		t.Errorf("plan --json gave %s (%v)", asJSON.stdout, err)
	}
	if err := os.WriteFile(filepath.Join(out, "rongcloud/users.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if empty := rollcall(t, "plan", "--config", config, "--date", "2026-11-22"); empty.code != ChangeFirst || !strings.Contains(empty.stderr, "the list is empty") {
		t.Errorf("with an empty list plan ended with %d: %s", empty.code, empty.stderr)
	}
}
