package pipeline_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/check"
	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sinks/manifest"
	"rollcall/sources/simulated"
)

// watched is a run over a world of 200 users and 40 groups, with the checks that nobody has to write.
func watched(t *testing.T) *night {
	t.Helper()
	n := newNight(t, simulated.New(unlimited(simulated.Options{Seed: 3, Users: 200, Groups: 40})))
	n.job.Checks = job.BuiltIn()
	return n
}

// list gives a list other IDs.
func (n *night) list(name string, change func(ids []string) []string) {
	at := slices.IndexFunc(n.job.Lists, func(l job.List) bool { return l.Name == name })
	n.job.Lists[at].Values = change(slices.Clone(n.job.Lists[at].Values))
}

func first(k int) func([]string) []string { return func(ids []string) []string { return ids[:k] } }

// refused are the names of the checks that kept a run from sealing.
func refused(t *testing.T, err error) []string {
	t.Helper()
	unsealed := &pipeline.ChecksError{}
	if !errors.As(err, &unsealed) {
		t.Fatalf("it was not refused by a check: %v", err)
	}
	var names []string
	for _, c := range check.Refused(unsealed.Results) {
		names = append(names, c.Name)
	}
	return names
}

func accepting(names ...string) func(*pipeline.Request) {
	return func(r *pipeline.Request) { r.Accept = names }
}

// uncovered counts the memberships of base whose group and user later did not ask about.
func uncovered(base, later snapshot) (n int64) {
	asked := map[[3]string]bool{}
	for _, o := range later.outcomes {
		kind := "group"
		if later.Manifest.Data[o.Data].View == "user" {
			kind = "user"
		}
		asked[[3]string{o.Source, kind, o.Key}] = true
	}
	for _, m := range base.memberships {
		if !asked[[3]string{m.Source, "group", m.GroupID}] && !asked[[3]string{m.Source, "user", m.UserID}] {
			n++
		}
	}
	return n
}

func TestAListThatWasCutHoldsTheRunUntilThatIsAccepted(t *testing.T) {
	t.Parallel()
	n := watched(t).block("rongcloud_user_groups", users("rc_users"))
	result, err := n.run(func(r *pipeline.Request) { r.Date = before })
	if err != nil {
		t.Fatal(err)
	}
	base := n.read(result)
	for _, c := range result.Manifest.Checks {
		if c.Result != check.Pass {
			t.Errorf("the first run: %+v", c)
		}
	}
	all, _ := result.Manifest.Lists.Find("rc_users")
	if all.Before != nil || !reflect.DeepEqual(all.Keys, []string{manifest.UserKeys}) || result.Manifest.Uncovered != nil {
		t.Errorf("the first run's list is %+v, uncovered %v", all, result.Manifest.Uncovered)
	}

	n.list("rc_users", first(30))
	_, err = n.run(nil)
	if got := refused(t, err); !slices.Equal(got, []string{"fewer_memberships", "list_shrunk", "uncovered"}) {
		t.Fatalf("refused by %v", got)
	}
	requests := n.world.Counts()["/user/group/query.json"].Requests
	if _, err = n.run(accepting("fewer_memberships", "list_shrunk")); !slices.Equal(refused(t, err), []string{"uncovered"}) {
		t.Errorf("with two of three accepted: %v", err)
	}
	result, err = n.run(accepting("fewer_memberships", "list_shrunk", "uncovered"))
	if err != nil {
		t.Fatal(err)
	}
	if again := n.world.Counts()["/user/group/query.json"].Requests - requests; again != 0 {
		t.Errorf("%d requests were sent again", again)
	}
	m := result.Manifest
	cut, _ := m.Lists.Find("rc_users")
	if cut.IDs != 30 || cut.Before == nil || *cut.Before != all.IDs || cut.WithoutRows == nil || *cut.WithoutRows > 5 {
		t.Errorf("the list is %+v", cut)
	}
	if want := uncovered(base, n.read(result)); m.Uncovered == nil || *m.Uncovered != want || want < 100 {
		t.Errorf("uncovered %v, counted %d", m.Uncovered, want)
	}
	for _, c := range m.Checks {
		want := check.Accepted
		if c.Name == "emptied" || c.Name == "list_without_rows" {
			want = check.Pass
		}
		if c.Result != want {
			t.Errorf("%+v", c)
		}
	}
	if text := fmt.Sprint(m.Checks); !strings.Contains(text, fmt.Sprintf("ids.rc_users: 30 IDs, %d on %s", all.IDs, before)) || !strings.Contains(text, "memberships no longer covered by the lists, of ") {
		t.Errorf("measured: %s", text)
	}
}

func TestGroupsThatWereDiscoveredCountAsAsked(t *testing.T) {
	t.Parallel()
	n := watched(t).block("rongcloud_user_groups", users("rc_users")).
		block("rongcloud_group_members", func(d *job.Data) { d.Groups.From = []string{"rongcloud_user_groups.all"} })
	result, err := n.run(func(r *pipeline.Request) { r.Date = before })
	if err != nil {
		t.Fatal(err)
	}
	base := n.read(result)
	n.list("rc_users", func(ids []string) []string { return ids[:len(ids)*9/10] })
	s := n.sealed()
	lost := uncovered(base, s)
	if s.Manifest.Uncovered == nil || *s.Manifest.Uncovered != lost {
		t.Errorf("uncovered %v, counted %d", s.Manifest.Uncovered, lost)
	}
	asked := map[string]bool{}
	for _, u := range s.outcomes {
		asked[u.Key] = true
	}
	unasked := int64(0)
	for _, m := range base.memberships {
		if !asked[m.UserID] {
			unasked++
		}
	}
	if lost*10 > unasked {
		t.Errorf("%d of the %d memberships of users who were taken from the list are uncovered, although other users lead to their groups", lost, unasked)
	}
}

func TestAListWithoutASingleMembershipHoldsTheFirstRun(t *testing.T) {
	t.Parallel()
	misread := func(ids []string) []string {
		for i := range ids {
			ids[i] += ";Someone"
		}
		return ids
	}
	for _, c := range []struct {
		name, list string
		configure  func(*night) *night
		want       string
	}{
		{"users of RongCloud", "rc_users", func(n *night) *night { return n.block("rongcloud_user_groups", users("rc_users")) }, "200 of 200 users are in no group: is ids.rc_users the right list?"},
		{"users of RongCloud, asked twice", "rc_users", func(n *night) *night {
			return n.block("rongcloud_user_groups", users("rc_users")).block("rongcloud_joined_groups", users("rc_users")).block("rongcloud_group_members", groups("rc_groups"))
		}, "200 of 200 users are in no group: is ids.rc_users the right list?"},
		{"groups of RongCloud that are gone", "rc_groups", func(n *night) *night { return n.block("rongcloud_group_members", groups("rc_groups")) }, "40 of 40 groups have no member: is ids.rc_groups the right list?"},
		{"groups of Tencent", "tx_groups", func(n *night) *night { return n.block("tencentchat_group_members", groups("tx_groups")) }, "40 of 40 groups have no member: is ids.tx_groups the right list?"},
		{"users asked for their roles alone", "tx_users", func(n *night) *night {
			n.list("tx_groups", first(3))
			return n.block("tencentchat_group_roles", func(d *job.Data) { d.Groups.Lists, d.Users.Lists = []string{"tx_groups"}, []string{"tx_users"} })
		}, "200 of 200 users are in no group: is ids.tx_users the right list?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := watched(t)
			n.list(c.list, misread)
			c.configure(n)
			_, err := n.run(nil)
			if got := refused(t, err); !slices.Equal(got, []string{"list_without_rows"}) {
				t.Fatalf("refused by %v", got)
			}
			if !strings.Contains(fmt.Sprint(err.(*pipeline.ChecksError).Results), c.want) {
				t.Errorf("measured: %+v", err.(*pipeline.ChecksError).Results)
			}
			if _, err := n.run(accepting("list_without_rows")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOneAnswerWithARowOrWithoutAnAnswerSparesAList(t *testing.T) {
	t.Parallel()
	misread := func(ids []string) []string {
		for i := range ids[1:] {
			ids[i+1] += ";Someone"
		}
		return ids
	}
	n := watched(t).block("rongcloud_user_groups", users("rc_users")).block("tencentchat_group_roles", func(d *job.Data) { d.Groups.Lists, d.Users.Lists = []string{"tx_groups"}, []string{"tx_users"} })
	n.job.Tolerate.Share = 1
	for m := range n.world.RongCloud.Truth().Memberships() {
		n.list("rc_users", func(ids []string) []string { ids[0] = m.User; return misread(ids) })
		break
	}
	s := n.sealed()
	if list, _ := s.Manifest.Lists.Find("rc_users"); list.WithoutRows == nil || *list.WithoutRows != list.IDs-1 {
		t.Errorf("one of them has a group: %+v", list)
	}
	if list, _ := s.Manifest.Lists.Find("tx_users"); list.WithoutRows != nil {
		t.Errorf("a role block vouches for its users: %+v", list)
	}
	failing := watched(t).block("rongcloud_user_groups", users("rc_users"))
	failing.job.Tolerate.Share = 1
	failing.list("rc_users", func(ids []string) []string {
		failing.world.Fault(simulated.Fault{Path: simulated.PathUserGroups, Key: ids[0], Do: simulated.Code(1002, "not tonight")})
		return misread(ids)
	})
	if list, _ := failing.sealed().Manifest.Lists.Find("rc_users"); list.WithoutRows == nil || *list.WithoutRows != list.IDs-1 {
		t.Errorf("one of them failed: %+v", list)
	}
}

// TestGroupsWhoseMembersWereLeftOutSpareAList: where a block asks for some roles only, groups may have none of them.
func TestGroupsWhoseMembersWereLeftOutSpareAList(t *testing.T) {
	t.Parallel()
	n := watched(t).block("tencentchat_group_members", func(d *job.Data) { d.Groups.Lists, d.Only = []string{"tx_groups"}, []schema.Role{schema.Admin} })
	for _, m := range slices.Collect(n.world.Tencent.Truth().Memberships()) { // it is locked while it is gone through
		if m.Role == "Admin" {
			n.world.Tencent.SetRole(m.Group, m.User, "Member")
		}
	}
	s := n.sealed()
	if list, _ := s.Manifest.Lists.Find("tx_groups"); len(s.memberships) > 0 || list.WithoutRows == nil || *list.WithoutRows > 0 {
		t.Errorf("%d memberships, %+v", len(s.memberships), list)
	}
}

func TestATableThatLostAllRowsHoldsTheRun(t *testing.T) {
	t.Parallel()
	n := watched(t).block("rongcloud_user_groups", users("rc_users"))
	n.list("rc_users", first(10))
	if _, err := n.run(func(r *pipeline.Request) { r.Date = before }); err != nil {
		t.Fatal(err)
	}
	n.list("rc_users", func(ids []string) []string { return []string{"nobody"} })
	_, err := n.run(nil)
	if got := refused(t, err); !slices.Contains(got, "emptied") {
		t.Errorf("refused by %v", got)
	}
}

func TestTheBaseIsTheNearestEarlierDateAlsoForAReplacement(t *testing.T) {
	t.Parallel()
	n := watched(t).block("rongcloud_user_groups", users("rc_users"))
	for _, d := range []string{"2026-11-19", date} {
		if _, err := n.run(func(r *pipeline.Request) { r.Date = d }); err != nil {
			t.Fatal(err)
		}
	}
	n.list("rc_users", first(30))
	_, err := n.run(func(r *pipeline.Request) { r.Replace = true })
	if got := refused(t, err); !slices.Contains(got, "list_shrunk") {
		t.Fatalf("refused by %v", got)
	}
	if text := fmt.Sprint(err.(*pipeline.ChecksError).Results); !strings.Contains(text, "30 IDs, 200 on 2026-11-19") {
		t.Errorf("measured: %s", text)
	}
	if _, err := n.run(func(r *pipeline.Request) { r.Replace, r.Accept = true, refused(t, err) }); err != nil {
		t.Error(err)
	}
}

func TestWithPseudonymsListsAreComparedAndUncoveredMembershipsCounted(t *testing.T) {
	t.Parallel()
	run := func(n *night, date, key string, accept ...string) (pipeline.Result, error) {
		n.job.Columns = []job.Column{{Name: "group_id", Key: schema.Secret(key)}, {Name: "user_id", Key: schema.Secret(key)}}
		return n.run(func(r *pipeline.Request) { r.Date, r.Accept = date, accept })
	}
	one, other := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	n := watched(t).block("rongcloud_user_groups", users("rc_users"))
	if _, err := run(n, before, one); err != nil {
		t.Fatal(err)
	}
	n.list("rc_users", first(30))
	_, err := run(n, date, one)
	if got := refused(t, err); !slices.Equal(got, []string{"fewer_memberships", "list_shrunk", "uncovered"}) {
		t.Fatalf("refused by %v", got)
	}
	result, err := run(n, date, other, "fewer_memberships", "list_shrunk")
	if err != nil {
		t.Fatal(err)
	}
	list, _ := result.Manifest.Lists.Find("rc_users")
	if result.Manifest.Uncovered != nil || list.Before == nil || *list.Before != 200 || list.WithoutRows == nil {
		t.Errorf("with another key: uncovered %v, list %+v", result.Manifest.Uncovered, list)
	}
}

func TestUncoveredMembershipsAreCountedInAllViews(t *testing.T) {
	t.Parallel()
	n := watched(t).everything()
	result, err := n.run(func(r *pipeline.Request) { r.Date = before })
	if err != nil {
		t.Fatal(err)
	}
	base := n.read(result)
	n.list("rc_users", first(20))
	n.list("rc_groups", first(10))
	n.list("tx_users", first(30))
	n.list("tx_groups", first(5))
	result, err = n.run(accepting("fewer_memberships", "list_shrunk", "uncovered"))
	if err != nil {
		t.Fatal(err)
	}
	later := n.read(result)
	covered := map[[3]string]bool{}
	for _, o := range later.outcomes {
		if view := result.Manifest.Data[o.Data].View; view != "role" { // which asks about pairs, and not about a group
			covered[[3]string{o.Source, view, o.Key}] = true
		}
	}
	for _, m := range later.memberships {
		covered[[3]string{m.Source, m.GroupID, m.UserID}] = true
	}
	want := int64(0)
	for _, m := range base.memberships {
		if !covered[[3]string{m.Source, "group", m.GroupID}] && !covered[[3]string{m.Source, "user", m.UserID}] && !covered[[3]string{m.Source, m.GroupID, m.UserID}] {
			want++
		}
	}
	if got := result.Manifest.Uncovered; got == nil || *got != want || want == 0 || want == int64(len(base.memberships)) {
		t.Errorf("uncovered %v, counted %d of %d", got, want, len(base.memberships))
	}
}
