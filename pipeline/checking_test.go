package pipeline_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/check"
	"rollcall/pipeline/job"
	"rollcall/sources/simulated"
)

const before = "2026-11-20"

// shrunk is a world whose first night is sealed, and a job that asks half of its groups in the next.
func shrunk(t *testing.T) (*night, *simulated.World) {
	t.Helper()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 40, Groups: 8}))
	n := newNight(t, world).block("rongcloud_group_members", groups("rc_groups"))
	if _, err := n.run(func(r *pipeline.Request) { r.Date = before }); err != nil {
		t.Fatal(err)
	}
	for i, list := range n.job.Lists {
		if list.Name == "rc_groups" {
			n.job.Lists[i].Values = list.Values[:4]
		}
	}
	return n, world
}

func TestAFailedCheckKeepsTheNightUntilAPersonAcceptsIt(t *testing.T) {
	t.Parallel()
	n, world := shrunk(t)
	n.job.Checks = []job.Check{
		{Name: "fewer", Kind: job.Drop, Table: "memberships", Limit: job.Tolerance{Share: 0.05}},
		{Name: "roles", Kind: job.NewRoles},
		{Name: "smaller", Kind: job.Drop, Table: "groups", Warn: true},
	}
	_, err := n.run(nil)
	refused := &pipeline.ChecksError{}
	if !errors.As(err, &refused) || refused.Date != date || results(refused) != "fewer: fail, roles: pass, smaller: warn" {
		t.Fatalf("got %v", err)
	}
	if hint := refused.Advice().String(); !strings.Contains(hint, "`rollcall run --date "+date+" --accept fewer`") {
		t.Errorf("the hint is %q", hint)
	}
	if !n.left()[date] {
		t.Error("the night is gone from the state folder")
	}
	n.private()
	asked := world.Counts()["/entrust/group/member/query.json"].Requests
	if _, err := n.run(func(r *pipeline.Request) { r.Accept = []string{"smaller"} }); !errors.As(err, &refused) {
		t.Errorf("accepting another check: %v", err)
	}

	result, err := n.run(func(r *pipeline.Request) { r.Accept = []string{"fewer"} })
	if err != nil {
		t.Fatal(err)
	}
	if again := world.Counts()["/entrust/group/member/query.json"].Requests - asked; again != 0 {
		t.Errorf("%d requests were sent again", again)
	}
	if result.Code != pipeline.CodeComplete || len(result.Manifest.Checks) != 3 {
		t.Fatalf("code %d, checks %+v", result.Code, result.Manifest.Checks)
	}
	overruled := result.Manifest.Checks[0]
	if overruled.Name != "fewer" || overruled.Kind != "drop" || overruled.Result != check.Accepted || overruled.Limit != "5%" || !strings.Contains(overruled.Measured, "fewer") {
		t.Errorf("the manifest records %+v", overruled)
	}
	if n.left()[date] {
		t.Error("the sealed night is still in the state folder")
	}
}

func TestChecksMayChangeBetweenAStopAndItsResumption(t *testing.T) {
	t.Parallel()
	n, world := shrunk(t)
	n.job.Checks = []job.Check{{Name: "fewer", Kind: job.Drop, Table: "memberships"}}
	refused := &pipeline.ChecksError{}
	if _, err := n.run(nil); !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	asked := world.Counts()["/entrust/group/member/query.json"].Requests
	n.job.Checks = []job.Check{{Name: "emptied", Kind: job.Emptied}}
	result, err := n.run(nil)
	if err != nil {
		t.Fatal(err)
	}
	if again := world.Counts()["/entrust/group/member/query.json"].Requests - asked; again != 0 {
		t.Errorf("%d requests were sent again", again)
	}
	if got := result.Manifest.Checks; len(got) != 1 || got[0].Result != check.Pass {
		t.Errorf("checks %+v", got)
	}
}

func TestAReplacementThatACheckRefusesIsSealedByTheCommandThatIsTold(t *testing.T) {
	t.Parallel()
	n, _ := shrunk(t)
	old := n.sealed()
	n.job.Checks = []job.Check{{Name: "fewer", Kind: job.Drop, Table: "memberships"}}
	refused := &pipeline.ChecksError{}
	replace := func(r *pipeline.Request) { r.Replace = true }
	if _, err := n.run(replace); !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	if hint := refused.Advice().String(); !strings.Contains(hint, "`rollcall run --replace --date "+date+" --accept fewer`") {
		t.Errorf("the hint is %q", hint)
	}
	result, err := n.run(func(r *pipeline.Request) { r.Replace, r.Accept = true, []string{"fewer"} })
	if err != nil || result.Already || result.Manifest.Replaces == nil || result.Manifest.Sequence == old.Manifest.Sequence {
		t.Errorf("it did not replace: %+v, %v", result, err)
	}
}

func TestARoleIsNewWhereNoEarlierNightHadIt(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 40, Groups: 8}))
	n := newNight(t, world).block("rongcloud_group_members", groups("rc_groups"))
	n.job.Checks = []job.Check{{Name: "roles", Kind: job.NewRoles, Warn: true}}
	var plain simulated.Membership
	for m := range world.RongCloud.Truth().Memberships() {
		if m.Role != simulated.Owner && m.Role != simulated.Admin {
			plain = m
		}
	}
	for _, night := range []struct{ date, role, want string }{
		{"2026-11-17", "Auditor", check.Pass}, {"2026-11-18", "", check.Pass},
		{"2026-11-19", "Auditor", check.Pass}, {"2026-11-20", "Robot", check.Warn},
	} {
		world.RongCloud.SetRole(plain.Group, plain.User, night.role)
		result, err := n.run(func(r *pipeline.Request) { r.Date = night.date })
		if err != nil || result.Manifest.Checks[0].Result != night.want {
			t.Errorf("%s, with role %q: %+v, %v", night.date, night.role, result.Manifest.Checks, err)
		}
	}
}

func TestTheFirstSnapshotPassesWhatNeedsAnEarlierOne(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 40, Groups: 8}))
	n := newNight(t, world).block("rongcloud_group_members", groups("rc_groups"))
	n.job.Checks = []job.Check{{Name: "emptied", Kind: job.Emptied}, {Name: "owners", Kind: job.Ownerless}}
	s := n.sealed()
	for i, want := range []string{"there is no earlier snapshot to compare with", "0 of 8 groups read whole have no owner (0%)"} {
		if got := s.Manifest.Checks[i]; got.Result != check.Pass || got.Measured != want {
			t.Errorf("got %+v, want %q", got, want)
		}
	}
	if roles := s.Manifest.Roles["rongcloud.prod"]; len(roles) == 0 {
		t.Errorf("roles %v", s.Manifest.Roles)
	}
}

func results(e *pipeline.ChecksError) string {
	var all []string
	for _, c := range e.Results {
		all = append(all, fmt.Sprintf("%s: %s", c.Name, c.Result))
	}
	return strings.Join(all, ", ")
}
