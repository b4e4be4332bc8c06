package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/schema"
	"rollcall/sources/simulated"
)

// changing is a transport that changes the vendors' groups while they are paged, and remembers who was
// a member ever and who always. A group only grows or only shrinks: that a member came and another
// went between two pages, so that the total stayed, no total can show.
type changing struct {
	http.RoundTripper
	world *simulated.World
	every int

	mu     sync.Mutex
	random *rand.Rand
	sent   int
	joined map[[3]string]bool // by source, group and user
	left   map[[3]string]bool
}

// growing and shrinking are the groups that change.
func growing() [][2]string {
	return [][2]string{{"rongcloud.prod", "big"}, {"tencentchat.intl", "@TGS#_big"}}
}

func shrinking() [][2]string { return [][2]string{{"tencentchat.intl", "big"}} }

func (c *changing) app(source string) *simulated.App {
	if source == "rongcloud.prod" {
		return c.world.RongCloud
	}
	return c.world.Tencent
}

func (c *changing) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	if c.sent++; c.sent%c.every == 0 {
		c.change()
	}
	c.mu.Unlock()
	return c.RoundTripper.RoundTrip(r)
}

func (c *changing) change() {
	for _, g := range growing() {
		user := fmt.Sprintf("newcomer%04d", c.sent)
		c.app(g[0]).AddUnlistedUser(user)
		c.app(g[0]).AddMember(g[1], user, simulated.Member{Joined: time.Unix(1_700_000_000+int64(c.sent), 0)})
		c.joined[[3]string{g[0], g[1], user}] = true
	}
	for _, g := range shrinking() {
		user := fmt.Sprintf("member%03d", c.random.IntN(400))
		c.app(g[0]).RemoveMember(g[1], user)
		c.left[[3]string{g[0], g[1], user}] = true
	}
}

// paging lets groups change while they are paged, lets tokens expire, repeats and leaves out rows, and
// holds every row and every verdict against what the vendors held.
func paging(t *testing.T, quiet reference) {
	l := line{fault: "members join and leave while their group is paged, tokens expire, pages repeat a row", happened: "sealed with honest verdicts"}
	for i := range many(20) {
		drawn := seed(i)
		world := chaotic(simulated.Options{})
		world.Fault(simulated.Fault{Do: simulated.ExpiredToken(), Probability: 0.02}, simulated.Fault{Path: simulated.PathGroupMembers, Do: simulated.DuplicateRow(), Probability: 0.1})
		n := newNight(t, world)
		n.job.Tolerate.Share = 0.5
		r := n.request()
		c := &changing{RoundTripper: r.Transport, world: world, every: 1 + i%5, random: rand.New(rand.NewPCG(drawn, 1)), joined: map[[3]string]bool{}, left: map[[3]string]bool{}}
		r.Transport, r.Workers = c, 1+i%7
		result, err := pipeline.Run(t.Context(), r)
		if err == nil {
			var s snapshot
			if s, err = n.read(result); err == nil {
				h := c.judge(t, s, quiet.snapshot)
				l.times++
				l.harm.add(h)
				l.repeated += max(0, arrived(world)-quiet.requests)
				if !h.none() {
					err = fmt.Errorf("%+v", h)
				}
			}
		}
		if err != nil {
			t.Errorf("seed %d: %v", drawn, err)
		}
		n.clear()
	}
	l.tell(t)
}

// judge counts what is lost, doubled or untrue in a snapshot of groups that changed.
func (c *changing) judge(t *testing.T, s, quiet snapshot) (h harm) {
	changed := map[[2]string]bool{}
	for _, g := range append(growing(), shrinking()...) {
		changed[g] = true
	}
	verdicts := map[[2]string]string{}
	for _, g := range s.groups {
		verdicts[[2]string{g.Source, g.GroupID}] = g.Verdict
		declared, collected := int64(-1), g.CollectedMembers
		if g.DeclaredMembers != nil {
			declared = *g.DeclaredMembers
		}
		switch schema.Verdict(g.Verdict) {
		case schema.Exact, schema.Drifted:
			if declared != collected {
				t.Errorf("%s has verdict %s with %d of %d", g.GroupID, g.Verdict, collected, declared)
				h.lies++
			}
		case schema.Short, schema.Over:
			if (collected < declared) != (g.Verdict == string(schema.Short)) || collected == declared {
				t.Errorf("%s has verdict %s with %d of %d", g.GroupID, g.Verdict, collected, declared)
				h.lies++
			}
		}
	}
	always := map[[3]string]bool{}
	for _, m := range quiet.memberships {
		key := [3]string{m.Source, m.GroupID, m.UserID}
		always[key] = m.InGroupView != nil && *m.InGroupView
	}
	found := map[[3]string]bool{}
	for _, m := range s.memberships {
		key := [3]string{m.Source, m.GroupID, m.UserID}
		if found[key] {
			h.twice++
		}
		found[key] = true
		if _, known := always[key]; !known && !c.joined[key] {
			t.Errorf("%v is a member, and never was", key)
			h.lies++
		}
	}
	for key, inGroup := range always {
		group := [2]string{key[0], key[1]}
		whole := verdicts[group] == string(schema.Exact) || !changed[group] && verdicts[group] != string(schema.VerdictFailed)
		if inGroup && whole && !c.left[key] && !found[key] {
			t.Errorf("%v is missing, and the group is called %s", key, verdicts[group])
			h.lost++
		}
	}
	return h
}
