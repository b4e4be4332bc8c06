package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/job"
	"rollcall/sources/simulated"
)

// two is a world with one group of 260 on each side, which everybody joined before tonight.
func two() *simulated.World {
	world := simulated.New(unlimited(simulated.Options{Seed: 1}))
	for _, app := range []*simulated.App{world.RongCloud, world.Tencent} {
		app.AddGroup(simulated.Group{ID: "g", Name: "group", Type: "Public"})
		for i := range 260 {
			role := simulated.Ordinary
			if i == 259 {
				role = simulated.Owner
			}
			app.AddMember("g", fmt.Sprintf("u%03d", i), simulated.Member{Role: role, Joined: time.Unix(1_700_000_000+int64(i), 0)})
		}
	}
	return world
}

// blocks are all data blocks about the world of two.
func blocks(n *night) *night {
	n.job.Tolerate.Share = 1
	n.job.Lists = []job.List{{Name: "groups", Values: []string{"g"}}, {Name: "users", Values: []string{"u000", "u259"}}}
	return n.block("rongcloud_user_groups", users("users")).
		block("rongcloud_joined_groups", users("users")).
		block("rongcloud_group_members", groups("groups")).
		block("tencentchat_joined_groups", users("users")).
		block("tencentchat_group_members", groups("groups")).
		block("tencentchat_group_roles", func(d *job.Data) { d.Groups.Lists, d.Users.Lists = []string{"groups"}, []string{"users"} })
}

// What can't be true is read a second time, then its key fails: no membership is called gone for it, and
// no key costs ten attempts.
func TestAnswersThatCanNotBeTrueFailTheirKeysAndAccuseNobody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lie    simulated.Effect
		honest []string // data blocks that have nothing to lie about in this way
	}{
		"no total":             {simulated.NoTotal(), []string{"rongcloud_user_groups", "tencentchat_group_roles"}},
		"no list":              {simulated.NoList(), nil},
		"no list and no total": {simulated.NoListNoTotal(), nil},
		"two roles":            {simulated.TwoRoles(), []string{"rongcloud_user_groups"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := two()
			n := blocks(newNight(t, world))
			n.sealedOn("2026-11-20", 0)
			world.Fault(simulated.Fault{Do: c.lie})
			s := n.sealedOn(date, pipeline.CodeNotWhole)
			for _, o := range s.outcomes {
				kind := strings.TrimSuffix(o.Data, ".all")
				honest := false
				for _, block := range c.honest {
					honest = honest || block == kind
				}
				most := int64(2)
				if honest {
					most = 1
				}
				if (o.Outcome == "ok") != honest || o.Requests > most || o.Outcome != "ok" && (o.Message == nil || o.Attempts > 2) {
					t.Errorf("%s of %s: %s with %d requests in %d attempts", o.Data, o.Key, o.Outcome, o.Requests, o.Attempts)
				}
			}
			if len(s.changes) > 0 || len(s.discrepancies) > 0 {
				t.Errorf("%d changes and %d discrepancies: %+v", len(s.changes), len(s.discrepancies), s.changes[:min(3, len(s.changes))])
			}
		})
	}
}

// A lie that is told once is got over by the second reading.
func TestAnAnswerThatCanNotBeTrueOnceIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]simulated.Effect{"no total": simulated.NoTotal(), "no list": simulated.NoListNoTotal(), "two roles": simulated.TwoRoles(), "another group": simulated.Foreign()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := two()
			n := blocks(newNight(t, world))
			n.sealedOn("2026-11-20", 0)
			for _, path := range simulated.Paths() {
				world.Fault(simulated.Fault{Path: path, Times: 1, Do: lie})
			}
			if s := n.sealedOn(date, 0); len(s.changes) > 0 {
				t.Errorf("%d changes", len(s.changes))
			}
		})
	}
}

// A total that lags behind cuts no list short: what came is there, and nobody is called gone.
func TestATotalThatLagsCutsNoListShort(t *testing.T) {
	t.Parallel()
	world := two()
	n := blocks(newNight(t, world))
	n.sealedOn("2026-11-20", 0)
	world.Fault(simulated.Fault{Path: simulated.PathTencentMember, Do: simulated.Total(-60)}, simulated.Fault{Path: simulated.PathGroupMembers, Do: simulated.Total(-60)})
	s := n.sealedOn(date, pipeline.CodeNotWhole)
	for _, g := range s.groups {
		if g.CollectedMembers != 260 || g.Verdict != "over" {
			t.Errorf("%s: %d members, %s", g.Source, g.CollectedMembers, g.Verdict)
		}
	}
	if len(s.changes) > 0 {
		t.Errorf("%d changes: %+v", len(s.changes), s.changes[0])
	}
}

// A huge total ends a walk soon: the key fails, and the run goes on.
func TestAHugeTotalHoldsNoRunHostage(t *testing.T) {
	t.Parallel()
	world := two()
	n := blocks(newNight(t, world))
	world.Fault(simulated.Fault{Do: simulated.Total(2_000_000_000)})
	s := n.sealedOn(date, pipeline.CodeNotWhole)
	for _, o := range s.outcomes {
		if o.Requests > 6 || o.Outcome != "ok" {
			t.Errorf("%s of %s: %s after %d requests", o.Data, o.Key, o.Outcome, o.Requests)
		}
	}
}

// sealedOn runs the night of a date and demands a seal with that code. What the checks of a snapshot
// hold back is accepted: these tests look at what is sealed.
func (n *night) sealedOn(on string, code int) snapshot {
	n.t.Helper()
	result, err := n.run(func(r *pipeline.Request) {
		r.Date, r.Accept = on, []string{"fewer_memberships", "emptied", "list_without_rows", "uncovered"}
	})
	if err != nil {
		n.t.Fatal(err)
	}
	if result.Code != code {
		n.t.Errorf("%s was sealed with code %d, want %d", on, result.Code, code)
	}
	return n.read(result)
}

// No text is long enough to keep a snapshot from being sealed, with pseudonyms as without.
func TestOverlongTextsAreCutAndOverlongIDsFailTheirKeys(t *testing.T) {
	t.Parallel()
	for name, columns := range map[string][]job.Column{"plain": nil, "pseudonyms": {{Name: "user_id", Key: "an HMAC key of 32 bytes at least!"}, {Name: "group_id", Key: "an HMAC key of 32 bytes at least!"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := simulated.New(unlimited(simulated.Options{Seed: 1}))
			nickname, extra := strings.Repeat("長", 400_000), strings.Repeat("x", 2_000_000)
			for _, app := range []*simulated.App{world.RongCloud, world.Tencent} {
				app.AddGroup(simulated.Group{ID: "texts", Name: strings.Repeat("n", 100_000)})
				app.AddMember("texts", "u", simulated.Member{Nickname: &nickname, Extra: &extra})
				app.AddGroup(simulated.Group{ID: "ids", Name: "ids"})
				app.AddMember("ids", strings.Repeat("i", 1_100_000), simulated.Member{})
			}
			n := newNight(t, world)
			n.job.Tolerate.Share, n.job.Columns = 1, columns
			n.job.Lists = []job.List{{Name: "groups", Values: []string{"texts", "ids"}}, {Name: "users", Values: []string{"u"}}}
			n.block("rongcloud_group_members", groups("groups")).block("rongcloud_user_groups", users("users"))
			s := n.sealedOn(date, pipeline.CodeNotWhole)
			failed := 0
			for _, o := range s.outcomes {
				if o.Outcome != "ok" {
					failed++
				}
				if o.Outcome != "ok" && (o.Requests != 1 || columns == nil && (o.Message == nil || !strings.Contains(*o.Message, "an ID of 1100000 bytes"))) {
					t.Errorf("%+v", o)
				}
			}
			if failed != 1 || s.Manifest.CutTexts != 3 || len(s.memberships) != 1 {
				t.Errorf("%d keys failed, %d texts cut, %d memberships", failed, s.Manifest.CutTexts, len(s.memberships))
			}
			for _, m := range s.memberships {
				if m.Extra == nil || len(*m.Extra) > 64<<10 || !strings.HasSuffix(*m.Extra, "[cut]") || len(*m.Nickname) > 64<<10 {
					t.Errorf("a membership with texts that are not cut")
				}
			}
		})
	}
}
