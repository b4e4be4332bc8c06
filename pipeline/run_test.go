package pipeline_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline"
	"rollcall/schema"
	"rollcall/sources/simulated"
)

// pair is what a membership row says, for comparing with the truth.
type pair struct {
	group, user, roleRaw, nickname, extra string
	joined                                int64
	userView, groupView                   bool
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func quoted(p *string) string {
	if p == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *p)
}

func collected(rows []schema.Membership, source string) map[pair]int {
	pairs := map[pair]int{}
	for _, m := range rows {
		if m.Source == source {
			pairs[pair{m.GroupID, m.UserID, deref(m.RoleRaw), quoted(m.Nickname), quoted(m.Extra), deref(m.JoinedAt), deref(m.InUserView), deref(m.InGroupView)}]++
		}
	}
	return pairs
}

// compare tells the differences of two sets, a few of them.
func compare[K comparable](t *testing.T, what string, got, want map[K]int) {
	t.Helper()
	wrong := 0
	for k, n := range want {
		if got[k] != n {
			if wrong++; wrong <= 5 {
				t.Errorf("%s: %+v is there %d times, want %d", what, k, got[k], n)
			}
		}
	}
	for k, n := range got {
		if want[k] == 0 {
			if wrong++; wrong <= 10 {
				t.Errorf("%s: %+v is there %d times, and should not be", what, k, n)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d differences", what, wrong)
	}
}

func nasty(seed uint64, users, groups int) *simulated.World {
	return simulated.New(unlimited(simulated.Options{Seed: seed, Users: users, Groups: groups, Nasty: true, Disagreements: 4, ShuffledRoles: true}))
}

func TestAllDataBlocksTogetherTellTheTruthAndNothingElse(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 1, Users: 800, Groups: 120, Nasty: true, Huge: true, Disagreements: 4, ShuffledRoles: true}))
	n := newNight(t, world).everything()
	s := n.sealed()

	rong := map[pair]int{}
	for m := range world.RongCloud.Truth().Memberships() {
		if m.InUserView && m.UserListed || m.InGroupView {
			p := pair{m.Group, m.User, m.Role, quoted(m.Nickname), quoted(m.Extra), m.JoinedMicros, m.InUserView && m.UserListed, m.InGroupView}
			if !m.InGroupView { // only the group's own list tells these
				p.nickname, p.extra = "null", "null"
			}
			rong[p]++
		}
	}
	compare(t, "rongcloud memberships", collected(s.memberships, "rongcloud.prod"), rong)

	listed := map[string]bool{}
	for g := range world.Tencent.Truth().Groups() {
		listed[g.ID] = g.Listed
	}
	tencent := map[pair]int{}
	for m := range world.Tencent.Truth().Memberships() {
		inGroup := m.InGroupView && listed[m.Group]
		if m.InUserView && m.UserListed || inGroup {
			p := pair{m.Group, m.User, m.Role, quoted(m.Nickname), "null", m.JoinedMicros, m.InUserView && m.UserListed, inGroup}
			if !inGroup {
				p.nickname = "null"
			}
			tencent[p]++
		}
	}
	compare(t, "tencent memberships", collected(s.memberships, "tencentchat.intl"), tencent)
	n.onlyManifested(s.Manifest)
	if s.Code != pipeline.CodeComplete {
		t.Errorf("code %d, gaps %+v, verdicts %+v", s.Code, s.Gaps, s.Manifest.Verdicts)
	}
	checkKnownOutcomes(t, s)
}

func checkKnownOutcomes(t *testing.T, s snapshot) {
	t.Helper()
	outcomes := map[string]string{}
	for _, o := range s.outcomes {
		outcomes[o.Data+" "+o.Key] = o.Outcome
	}
	for key, want := range map[string]string{
		"rongcloud_group_members.all odd-dissolved":   "gone",
		"tencentchat_group_members.all odd-dissolved": "gone",
		"tencentchat_group_roles.all odd-dissolved":   "gone",
		"tencentchat_group_members.all odd-live":      "unsupported",
		"tencentchat_group_roles.all odd-live":        "unsupported",
		"rongcloud_group_members.all size-00000":      "ok",
		"rongcloud_user_groups.all nasty-loner":       "ok",
	} {
		if outcomes[key] != want {
			t.Errorf("outcome of %s is %q, want %q", key, outcomes[key], want)
		}
	}
	verdicts := map[string]string{}
	for _, g := range s.groups {
		verdicts[g.Source+" "+g.GroupID] = g.Verdict
	}
	for key, want := range map[string]string{
		"rongcloud.prod size-00000": "exact", "rongcloud.prod size-20000": "exact", "rongcloud.prod odd-dissolved": "gone",
		"tencentchat.intl size-00501": "exact", "tencentchat.intl odd-live": "unsupported", "tencentchat.intl @TGS#_size-00501": "exact",
	} {
		if verdicts[key] != want {
			t.Errorf("verdict of %s is %q, want %q", key, verdicts[key], want)
		}
	}
	kinds := map[string]int{}
	for _, d := range s.discrepancies {
		kinds[d.Source+" "+d.Kind]++
	}
	for _, want := range []string{"rongcloud.prod user_view_only", "rongcloud.prod group_view_only", "tencentchat.intl user_view_only", "tencentchat.intl group_view_only"} {
		if kinds[want] == 0 {
			t.Errorf("no discrepancy %s; there are %v", want, kinds)
		}
	}
}

func TestEachDataBlockAloneAsksTheFewestRequests(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 3, Users: 300, Groups: 60, Nasty: true, Huge: true}))
	for _, c := range []struct {
		kind, path string
		change     func(*night)
		ask        simulated.Ask
		app        *simulated.App
	}{
		{"rongcloud_user_groups", "/user/group/query.json", func(n *night) { n.block("rongcloud_user_groups", users("rc_users")) }, simulated.Ask{Data: "user_groups", Keys: world.RongCloud.UserIDs()}, world.RongCloud},
		{"rongcloud_joined_groups", "/entrust/joined/group/query.json", func(n *night) { n.block("rongcloud_joined_groups", users("rc_users")) }, simulated.Ask{Data: "joined_groups", Keys: world.RongCloud.UserIDs()}, world.RongCloud},
		{"rongcloud_group_members", "/entrust/group/member/query.json", func(n *night) { n.block("rongcloud_group_members", groups("rc_groups", "rc_groups")) }, simulated.Ask{Data: "group_members", Keys: world.RongCloud.GroupIDs()}, world.RongCloud},
		{"tencentchat_joined_groups", "/v4/group_open_http_svc/get_joined_group_list", func(n *night) { n.block("tencentchat_joined_groups", users("tx_users")) }, simulated.Ask{Data: "joined_groups", Keys: world.Tencent.UserIDs()}, world.Tencent},
		{"tencentchat_group_members", "/v4/group_open_http_svc/get_group_member_info", func(n *night) { n.block("tencentchat_group_members", groups("tx_groups")) }, simulated.Ask{Data: "group_members", Keys: world.Tencent.GroupIDs()}, world.Tencent},
		{"tencentchat_group_roles", "/v4/group_open_http_svc/get_role_in_group", func(n *night) {
			n.block("tencentchat_joined_groups", users("tx_users")).
				block("tencentchat_group_roles", func(d *jobData) { d.Memberships = []string{"tencentchat_joined_groups.all"} })
		}, simulated.Ask{Data: "group_roles", Keys: world.Tencent.UserIDs()}, world.Tencent},
	} {
		t.Run(c.kind, func(t *testing.T) {
			n := newNight(t, world)
			c.change(n)
			before := world.Counts()[c.path].Requests
			s := n.sealed()
			if got, want := world.Counts()[c.path].Requests-before, c.app.Fewest(c.ask); int(got) != want {
				t.Errorf("%d requests, the fewest are %d", got, want)
			}
			sum := int64(0)
			for _, o := range s.outcomes {
				if o.Data == c.kind+".all" {
					sum += o.Requests
				}
			}
			if got := world.Counts()[c.path].Requests - before; int64(got) != sum {
				t.Errorf("the vendor counted %d requests, the ledger %d", got, sum)
			}
		})
	}
}

func TestTheBytesAreTheSameWhateverTheWorkers(t *testing.T) {
	t.Parallel()
	world := nasty(5, 400, 80)
	var first map[string]string
	for _, workers := range []int{1, 64, 7} {
		n := newNight(t, world).everything()
		result, err := n.run(func(r *pipeline.Request) { r.Workers = workers })
		if err != nil {
			t.Fatal(err)
		}
		sums := n.read(result).sums
		if first == nil {
			first = sums
		}
		for _, table := range []string{"memberships", "groups", "users", "discrepancies", "changes"} {
			if sums[table] != first[table] {
				t.Errorf("%s differs between 1 and %d workers", table, workers)
			}
		}
	}
}

func TestASealedDateIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(7, 50, 10)).everything()
	first := n.sealed()
	before := maps.Clone(n.world.Counts())
	again, err := n.run(nil)
	if err != nil || !again.Already || again.Code != first.Code {
		t.Fatalf("the second run gave %+v, %v", again, err)
	}
	for path, count := range n.world.Counts() {
		if count.Requests != before[path].Requests {
			t.Errorf("%s was asked again", path)
		}
	}
	if left := slices.Collect(maps.Keys(n.left())); len(left) > 0 {
		t.Errorf("the state folder still holds %v", left)
	}
}

// TestAPlaceThatCantBeMadeIsNamedOnce has a sink where nobody can make a folder.
func TestAPlaceThatCantBeMadeIsNamedOnce(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(1, 5, 2)).block("rongcloud_user_groups", users("rc_users"))
	const place = "/proc/nobody can make this"
	n.job.Sink.Local.Path = place
	_, err := n.run(nil)
	if err == nil || strings.Count(err.Error(), place) != 1 {
		t.Errorf("the place is not named once: %v", err)
	}
}
