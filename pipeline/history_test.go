package pipeline_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/diff"
	sealed "rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/sinks/local"
	"rollcall/sources/simulated"
)

// history is several nights of one world in one sink.
type history struct {
	t     *testing.T
	world *simulated.World
	out   string
	seals map[string]snapshot
	truth map[string]map[member]string // by date: the role of everyone who is in a group
}

// member is one user in one group of one source.
type member struct{ source, group, user string }

func (m member) compare(o member) int {
	return cmp.Or(cmp.Compare(m.source, o.source), cmp.Compare(m.group, o.group), cmp.Compare(m.user, o.user))
}

func newHistory(t *testing.T, world *simulated.World) *history {
	return &history{t: t, world: world, out: t.TempDir(), seals: map[string]snapshot{}, truth: map[string]map[member]string{}}
}

// night seals the world as it is, asked as configure says.
func (h *history) night(date string, configure func(*night)) snapshot {
	h.t.Helper()
	n := newNight(h.t, h.world)
	n.out, n.job.Sink.Local.Path, n.job.Tolerate.Share = h.out, h.out, 1
	configure(n)
	result, err := n.run(func(r *pipeline.Request) { r.Date = date })
	if err != nil {
		h.t.Fatalf("%s: %v", date, err)
	}
	h.seals[date] = n.read(result)
	h.truth[date] = map[member]string{}
	for source, app := range h.apps() {
		for m := range app.Truth().Memberships() {
			h.truth[date][member{source, m.Group, m.User}] = roleWord(m.Role)
		}
	}
	return h.seals[date]
}

func (h *history) apps() map[string]*simulated.App {
	return map[string]*simulated.App{"rongcloud.prod": h.world.RongCloud, "tencentchat.intl": h.world.Tencent}
}

func roleWord(raw string) string {
	return map[string]string{"1": "member", "2": "admin", "3": "owner", "Member": "member", "Admin": "admin", "Owner": "owner"}[raw]
}

// live changes the world as a day does: joins, departures, promotions, groups that go and come.
func (h *history) live(random *rand.Rand) {
	for _, source := range []string{"rongcloud.prod", "tencentchat.intl"} {
		app := h.apps()[source]
		var all []simulated.Membership
		for m := range app.Truth().Memberships() {
			all = append(all, m)
		}
		pick := func() simulated.Membership { return all[random.IntN(len(all))] }
		for range 25 {
			m := pick()
			app.RemoveMember(m.Group, m.User)
		}
		for range 25 {
			group, user := pick().Group, pick().User
			if !slices.ContainsFunc(all, func(m simulated.Membership) bool { return m.Group == group && m.User == user }) {
				app.RemoveMember(group, user) // drawn twice, it joins once
				app.AddMember(group, user, simulated.Member{Joined: time.UnixMilli(1_790_000_000_000)})
			}
		}
		for range 12 {
			m := pick()
			app.SetRole(m.Group, m.User, []string{simulated.Admin, ""}[random.IntN(2)])
		}
		gone := pick().Group
		for _, m := range all {
			if m.Group == gone {
				app.RemoveMember(gone, m.User)
			}
		}
		app.AddGroup(simulated.Group{ID: gone, Type: "Public", Dissolved: true})
		fresh := fmt.Sprintf("fresh-%s-%d", source[:4], random.IntN(1e9))
		app.AddGroup(simulated.Group{ID: fresh, Type: "Public"})
		for range 4 {
			user := pick().User
			app.RemoveMember(fresh, user)
			app.AddMember(fresh, user, simulated.Member{})
		}
		newcomer := fmt.Sprintf("newcomer-%d", random.IntN(1e9))
		app.AddMember(pick().Group, newcomer, simulated.Member{})
	}
}

// spoil makes some groups and users fail tonight, on some of the paths.
func (h *history) spoil(random *rand.Rand) {
	for _, source := range []string{"rongcloud.prod", "tencentchat.intl"} {
		app := h.apps()[source]
		code, paths := 1002, []string{simulated.PathUserGroups, simulated.PathGroupMembers, simulated.PathJoinedGroups}
		if source == "tencentchat.intl" {
			code, paths = 10004, []string{simulated.PathTencentJoined, simulated.PathTencentMember, simulated.PathTencentRoles}
		}
		keys := slices.Concat(app.GroupIDs(), app.UserIDs())
		for range len(keys) / 5 {
			h.world.Fault(simulated.Fault{Path: paths[random.IntN(3)], Key: keys[random.IntN(len(keys))], Do: simulated.Code(code, "not tonight")})
		}
		for range len(keys) / 20 {
			h.world.Fault(simulated.Fault{Path: paths[random.IntN(3)], Key: keys[random.IntN(len(keys))], Do: simulated.Total(3)})
		}
	}
}

func only(roles ...schema.Role) func(*night) {
	return func(n *night) {
		for i := range n.job.Data {
			if n.job.Data[i].Kind.Only {
				n.job.Data[i].Only = roles
			}
		}
	}
}

// without takes data blocks out.
func without(kinds ...string) func(*night) {
	out := func(address string) bool {
		return slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(address, kind) })
	}
	return func(n *night) {
		n.job.Data = slices.DeleteFunc(n.job.Data, func(d jobData) bool {
			return out(d.Address)
		})
		for i := range n.job.Data {
			from := &n.job.Data[i].Groups.From
			*from = slices.DeleteFunc(*from, out)
		}
	}
}

func TestEveryChangeIsTrueAndEveryDepartureThatAWholeViewShowsIsThere(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 7))
	world := simulated.New(unlimited(simulated.Options{Seed: 11, Users: 90, Groups: 30}))
	h := newHistory(t, world)
	nights := []struct {
		date   string
		change []func(*night)
		spoilt bool
		base   string
	}{
		{date: "2026-11-01"},
		{date: "2026-11-02", base: "2026-11-01"},
		{date: "2026-11-03", base: "2026-11-02", spoilt: true},
		{date: "2026-11-05", base: "2026-11-03", spoilt: true}, // a date was left out
		{date: "2026-11-06", base: "2026-11-05"},
		{date: "2026-11-07", base: "2026-11-06", change: []func(*night){only(schema.Owner, schema.Admin)}},
		{date: "2026-11-08", base: "2026-11-07", change: []func(*night){only(schema.Owner, schema.Admin), without("tencentchat_joined", "tencentchat_group_roles")}},
		{date: "2026-11-09", base: "2026-11-08", spoilt: true},
		{date: "2026-11-10", base: "2026-11-09", change: []func(*night){func(n *night) { n.topics(false) }}},
		{date: "2026-11-11", base: "2026-11-10", change: []func(*night){without("rongcloud_group_members", "rongcloud_joined")}},
		{date: "2026-11-12", base: "2026-11-11", change: []func(*night){without("rongcloud_user_groups", "tencentchat")}},
		{date: "2026-11-13", base: "2026-11-12"},
		{date: "2026-11-04", base: "2026-11-03"}, // sealed late
	}
	totals := map[string]int{}
	for i, c := range nights {
		if i > 0 {
			h.live(random)
		}
		world.Heal()
		if c.spoilt {
			h.spoil(random)
		}
		s := h.night(c.date, func(n *night) {
			n.everything()
			for _, change := range c.change {
				change(n)
			}
		})
		if got := deref(s.Manifest.ChangesBase); got != c.base || s.Manifest.ChangesNote != "" {
			t.Errorf("%s compares with %q, want %q; %s", c.date, got, c.base, s.Manifest.ChangesNote)
		}
		if c.base == "" {
			if len(s.changes) > 0 {
				t.Errorf("the first night has %d changes", len(s.changes))
			}
			continue
		}
		h.judge(c.date, c.base, totals)
	}
	for _, pair := range [][2]string{{"2026-11-01", "2026-11-13"}, {"2026-11-13", "2026-11-01"}, {"2026-11-03", "2026-11-05"}, {"2026-11-09", "2026-11-03"}, {"2026-11-06", "2026-11-07"}, {"2026-11-12", "2026-11-11"}} {
		h.differences(pair[0], pair[1])
	}
	for _, kind := range []string{"joined true", "joined false", "left true", "role_changed true", "role_changed false", "departures that nobody may tell"} {
		if totals[kind] < 10 {
			t.Errorf("%d of %s: the test shows little", totals[kind], kind)
		}
	}
}

// topics sets the option on the blocks that have it.
func (n *night) topics(on bool) {
	for i := range n.job.Data {
		if n.job.Data[i].Kind.Topics {
			n.job.Data[i].Topics = on
		}
	}
}

// judge holds the changes of a date against the truth of both nights, and against what the rules
// make of both nights' tables, read the plain way.
func (h *history) judge(date, base string, totals map[string]int) {
	h.t.Helper()
	before, now := h.truth[base], h.truth[date]
	a, b := newTablet(h.seals[base]), newTablet(h.seals[date])
	rows := map[member]schema.Change{}
	var last member
	for i, c := range h.seals[date].changes {
		m := member{c.Source, c.GroupID, c.UserID}
		if i > 0 && last.compare(m) >= 0 {
			h.t.Errorf("%s: %v is not above %v", date, m, last)
		}
		last, rows[m] = m, c
		totals[fmt.Sprint(c.Change, " ", c.Certain)]++
		_, was := before[m]
		_, is := now[m]
		wrong := ""
		switch {
		case c.Change == "left" && (!was || is || !c.Certain || c.RoleAfter != nil):
			wrong = "a false departure"
		case c.Change == "joined" && (!is || c.Certain && was || c.RoleBefore != nil):
			wrong = "a false joining"
		case c.Change == "role_changed" && c.Certain && (before[m] != deref(c.RoleBefore) || now[m] != deref(c.RoleAfter)):
			wrong = "a false change of role"
		}
		if wrong != "" {
			h.t.Errorf("%s: %s: %+v, role %s before and %s now; truly %q and %q", date, wrong, m, quoted(c.RoleBefore), quoted(c.RoleAfter), before[m], now[m])
		}
	}
	for m, row := range b.members {
		old, known := a.members[m]
		c, told := rows[m]
		switch {
		case !known && (!told || c.Change != "joined" || deref(c.RoleAfter) != deref(row.Role)):
			h.t.Errorf("%s: %v is new and told as %+v", date, m, c)
		case known && old.Role != nil && row.Role != nil && *old.Role != *row.Role && c.Change != "role_changed":
			h.t.Errorf("%s: %v was %s, is %s and told as %+v", date, m, *old.Role, *row.Role, c)
		case known && told && c.Change != "role_changed":
			h.t.Errorf("%s: %v is on both nights and told as %+v", date, m, c)
		}
		if !known && told && c.Certain != a.shows(b, m, b.members[m]) {
			h.t.Errorf("%s: %v joined, certain %v", date, m, c.Certain)
			g, u := [2]string{m.source, m.group}, [2]string{m.source, m.user}
			h.t.Logf("group %s -> %s, user %s -> %s, read %v -> %v, views %v %v", a.groups[g], b.groups[g], a.users[u], b.users[u], a.read[u], b.read[u], deref(row.InUserView), deref(row.InGroupView))
		}
	}
	for m, row := range a.members {
		if _, still := b.members[m]; still {
			continue
		}
		c, told := rows[m]
		if shown := b.shows(a, m, row); shown != told || told && (c.Change != "left" || deref(c.RoleBefore) != deref(row.Role)) {
			h.t.Errorf("%s: %v is named no more, a whole view shows it: %v, told as %+v", date, m, shown, c)
			g, u := [2]string{m.source, m.group}, [2]string{m.source, m.user}
			h.t.Logf("group %s -> %s, user %s -> %s, read %v -> %v, views %v %v", a.groups[g], b.groups[g], a.users[u], b.users[u], a.read[u], b.read[u], deref(row.InUserView), deref(row.InGroupView))
		}
		if _, is := now[m]; !told && !is {
			totals["departures that nobody may tell"]++
		}
	}
}

// tablet is a snapshot's tables in maps.
type tablet struct {
	snapshot
	members       map[member]schema.Membership
	groups, users map[[2]string]string
	read          map[[2]string]map[string]bool // by source and user: the kinds of user views that answered
}

func newTablet(s snapshot) tablet {
	t := tablet{s, map[member]schema.Membership{}, map[[2]string]string{}, map[[2]string]string{}, map[[2]string]map[string]bool{}}
	for _, m := range s.memberships {
		t.members[member{m.Source, m.GroupID, m.UserID}] = m
	}
	for _, g := range s.groups {
		t.groups[[2]string{g.Source, g.GroupID}] = g.Verdict
	}
	for _, u := range s.users {
		t.users[[2]string{u.Source, u.UserID}] = u.Verdict
	}
	for _, o := range s.outcomes {
		if s.Manifest.Data[o.Data].View == "user" && o.Outcome == "ok" {
			key := [2]string{o.Source, o.Key}
			if t.read[key] == nil {
				t.read[key] = map[string]bool{}
			}
			t.read[key][o.Data] = true
		}
	}
	return t
}

// shows tells whether s, which does not name m, shows what o names by a view that was whole in both.
func (s tablet) shows(o tablet, m member, named schema.Membership) bool {
	group, user := [2]string{m.source, m.group}, [2]string{m.source, m.user}
	only, blind := false, false
	for _, data := range []tablet{s, o} {
		for _, d := range data.Manifest.Data {
			only = only || d.Source == m.source && len(d.Only) > 0
		}
	}
	for _, d := range s.Manifest.Data {
		blind = blind || d.Source == m.source && d.View == "user" && d.Blind != "" && strings.HasPrefix(m.group, d.Blind)
	}
	whole := func(verdict string) bool { return verdict == "exact" || verdict == "unverifiable" }
	if deref(named.InGroupView) && whole(s.groups[group]) && whole(o.groups[group]) && !only {
		return true
	}
	if !deref(named.InUserView) || !whole(s.users[user]) || !whole(o.users[user]) || blind || len(o.read[user]) == 0 {
		return false
	}
	for kind := range o.read[user] {
		if !s.read[user][kind] {
			return false
		}
	}
	return true
}

// differences compares any two dates as `rollcall diff` does, in both directions.
func (h *history) differences(from, to string) {
	h.t.Helper()
	ctx := h.t.Context()
	sink, err := local.Open(local.Config{Path: h.out, Now: time.Now})
	if err != nil {
		h.t.Fatal(err)
	}
	a, err := sealed.Open(ctx, sink, from)
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := sealed.Open(ctx, sink, to)
	if err != nil {
		h.t.Fatal(err)
	}
	before, after := newTablet(h.seals[from]), newTablet(h.seals[to])
	told := map[member]diff.Difference{}
	var last member
	summary, err := diff.Run(ctx, a, b, diff.Options{Scratch: h.t.TempDir()}, func(d diff.Difference) error {
		m := member{d.Key["source"], d.Key["group_id"], d.Key["user_id"]}
		if len(told) > 0 && last.compare(m) >= 0 {
			h.t.Errorf("%v is not above %v", m, last)
		}
		told[m], last = d, m
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	want := map[diff.Change]int64{}
	for m, row := range after.members {
		old, known := before.members[m]
		d := told[m]
		switch {
		case !known:
			want[diff.Joined]++
			if d.Change != diff.Joined || d.Certain != before.shows(after, m, row) {
				h.t.Errorf("%s to %s: %v joined, told as %+v", from, to, m, d)
			}
		case old.Role != nil && row.Role != nil && *old.Role != *row.Role:
			want[diff.RoleChanged]++
			if d.Change != diff.RoleChanged || d.Before["role"] != *old.Role || d.After["role"] != *row.Role {
				h.t.Errorf("%s to %s: %v changed role, told as %+v", from, to, m, d)
			}
		case d.Change != "":
			h.t.Errorf("%s to %s: %v is the same, told as %+v", from, to, m, d)
		}
	}
	for m, row := range before.members {
		if _, still := after.members[m]; still {
			continue
		}
		kind := diff.Unseen
		if after.shows(before, m, row) {
			kind = diff.Left
			if _, is := h.truth[to][m]; is {
				h.t.Errorf("%s to %s: %v is a false departure", from, to, m)
			}
		}
		want[kind]++
		if told[m].Change != kind || told[m].Certain != (kind == diff.Left) {
			h.t.Errorf("%s to %s: %v is named no more, told as %+v, want %s", from, to, m, told[m], kind)
		}
	}
	if !maps.Equal(summary.Changes, want) {
		h.t.Errorf("%s to %s: %v, want %v", from, to, summary.Changes, want)
	}
	h.narrowed(a, b, told)
}

// narrowed demands of one group and of one user what the whole difference has about them.
func (h *history) narrowed(a, b *sealed.Snapshot, told map[member]diff.Difference) {
	h.t.Helper()
	for m := range told {
		for _, o := range []diff.Options{{Group: m.group}, {User: m.user}, {Group: m.group, User: m.user}} {
			want, got := 0, 0
			for other := range told {
				if (o.Group == "" || other.group == o.Group) && (o.User == "" || other.user == o.User) {
					want++
				}
			}
			o.Scratch = h.t.TempDir()
			_, err := diff.Run(h.t.Context(), a, b, o, func(d diff.Difference) error {
				got++
				if whole := told[member{d.Key["source"], d.Key["group_id"], d.Key["user_id"]}]; !reflect.DeepEqual(whole, d) {
					h.t.Errorf("narrowed to %+v: %+v, of all: %+v", o, d, whole)
				}
				return nil
			})
			if err != nil || got != want {
				h.t.Errorf("narrowed to %+v: %d rows, want %d, %v", o, got, want, err)
			}
		}
		return // one is enough
	}
}
