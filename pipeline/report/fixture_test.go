package report_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/sinks"
	"rollcall/sinks/local"
	"rollcall/sinks/manifest"
	"rollcall/sinks/sinktest"
)

// hostile is text that a vendor might send to whoever reads about it.
const hostile = `<script>alert(1)</script>"'&` + "\u202eevil\u0007\x1b[31m"

// world draws nights of two sources. The same seed gives the same nights.
type world struct {
	groups int
	random *rand.Rand
	begin  time.Time
}

func newWorld(groups int) *world {
	return &world{groups, rand.New(rand.NewPCG(7, uint64(groups))), time.Date(2026, 11, 12, 1, 5, 0, 0, time.UTC)}
}

// some is a pointer to v.
func some[T any](v T) *T { return &v }

// tables are one night: groups of all verdicts, some of them without an owner, failed keys, changes.
func (w *world) tables(night int, members bool) sinktest.Tables {
	var t sinktest.Tables
	for s, source := range []string{"rongcloud.prod", "tencentchat.intl"} {
		for i := range w.groups / 2 {
			w.group(&t, source, i, night, members)
		}
		for i := range 40 {
			verdict, collected := schema.Exact, int64(i%5)
			if i == 3 && s == 0 {
				verdict = schema.Short
			}
			t.Users = append(t.Users, schema.User{Source: source, UserID: fmt.Sprintf("u%05d", i), DeclaredGroups: some(collected + int64(i%2)), CollectedGroups: collected, Verdict: string(verdict)})
		}
		if night > 0 {
			w.changes(&t, source)
		}
		t.Sources = append(t.Sources, schema.SourceFigures{Source: source, Type: "vendor", AppID: "app"})
	}
	t.Discrepancies = []schema.Discrepancy{{Source: "rongcloud.prod", GroupID: "g000001", UserID: "u00001", Kind: "user_view_only"}}
	t.Edit = func(m *manifest.Manifest) { w.describe(m, t, night) }
	return t
}

func (w *world) group(t *sinktest.Tables, source string, i, night int, members bool) {
	g := schema.Group{Source: source, GroupID: fmt.Sprintf("g%06d", i), Name: some(fmt.Sprintf("Group %d 群组", i)), CollectedMembers: int64(w.random.IntN(400)), Owners: 1, Verdict: string(schema.Exact)}
	if members {
		g.CollectedMembers = int64(w.random.IntN(6))
	}
	o := schema.KeyOutcome{Source: source, Data: source[:len(source)-5] + "_group_members.all", Key: g.GroupID, Outcome: string(schema.OK), Requests: 1, Attempts: 1, AskedAt: w.begin.UnixMicro(), AnsweredAt: w.begin.UnixMicro()}
	if i == 0 {
		g.Name, g.CollectedMembers = some(hostile), 3000
	}
	switch w.random.IntN(60) {
	case 0:
		g.Owners = 0
	case 1:
		g.Verdict, g.DeclaredMembers = string(schema.Short), some(g.CollectedMembers+2)
	case 2:
		g.Verdict, g.Owners, g.CollectedMembers = string(schema.VerdictFailed), 0, 0
		o.Outcome, o.VendorCode, o.Message, o.Attempts = string(schema.Failed), some("1000"), some("no good answer in 10 attempts: "+hostile), 10
	case 3:
		g.Verdict, g.Owners, g.CollectedMembers = string(schema.VerdictGone), 0, 0
		o.Outcome, o.VendorCode = string(schema.Gone), some("10010")
	case 4:
		g.Verdict, g.Owners, g.CollectedMembers = string(schema.VerdictFailed), 0, 0
		o.Outcome, o.VendorCode, o.Message = string(schema.Denied), some("60012"), some("no permission")
	}
	if night == 9 && i == 1 {
		g.Verdict, g.Owners, g.CollectedMembers = string(schema.VerdictFailed), 0, 0
		o.Outcome, o.VendorCode, o.Message = string(schema.Failed), some("8"), some(hostile)
	}
	if members {
		for u := range g.CollectedMembers {
			m := schema.Membership{Source: source, GroupID: g.GroupID, UserID: fmt.Sprintf("u%05d", u), Role: some("member")}
			if u < g.Owners {
				m.Role = some("owner")
			}
			t.Memberships = append(t.Memberships, m)
		}
		g.Owners = min(g.Owners, g.CollectedMembers)
	}
	t.Groups, t.Outcomes = append(t.Groups, g), append(t.Outcomes, o)
}

func (w *world) changes(t *sinktest.Tables, source string) {
	for i := range min(60, w.groups/2) {
		for u := range w.random.IntN(4) {
			c := schema.Change{Source: source, GroupID: fmt.Sprintf("g%06d", i), UserID: fmt.Sprintf("u%05d", u), Certain: u != 2}
			switch (i + u) % 3 {
			case 0:
				c.Change, c.RoleAfter = "joined", some("member")
			case 1:
				c.Change, c.RoleBefore = "left", some("admin")
			default:
				c.Change, c.RoleBefore, c.RoleAfter = "role_changed", some("member"), some("owner")
			}
			t.Changes = append(t.Changes, c)
		}
	}
}

// describe writes the manifest's figures, as a run does.
func (w *world) describe(m *manifest.Manifest, t sinktest.Tables, night int) {
	begin := w.begin.AddDate(0, 0, night)
	m.Tool, m.SealedAt, m.AskedFrom, m.AskedUntil = "1.2.3", manifest.At(begin.Add(31*time.Minute)), manifest.At(begin), manifest.At(begin.Add(30*time.Minute))
	m.Configuration = "5f1d"
	m.Lists = manifest.Lists{{Name: "rooms", SHA256: m.Files[0].SHA256, IDs: int64(len(t.Groups)), Read: int64(len(t.Groups)) + 3, Keys: []string{manifest.GroupKeys}}}
	m.Verdicts = manifest.Verdicts{Groups: map[string]int64{}, Users: map[string]int64{}}
	m.Discrepancies = int64(len(t.Discrepancies))
	m.Ownership.Empty = some[int64](0)
	for _, g := range t.Groups {
		if g.Verdict == "exact" && g.CollectedMembers == 0 {
			*m.Ownership.Empty++
		}
		m.Verdicts.Groups[g.Verdict]++
		if g.Verdict == "exact" && g.CollectedMembers > 0 {
			m.Ownership.Judged++
			if g.Owners == 0 {
				m.Ownership.Ownerless++
			}
		}
	}
	for _, u := range t.Users {
		m.Verdicts.Users[u.Verdict]++
	}
	for _, o := range t.Outcomes {
		if m.Outcomes[o.Data] == nil {
			m.Outcomes[o.Data] = map[string]int64{}
		}
		m.Outcomes[o.Data][o.Outcome]++
		if schema.Outcome(o.Outcome).Missing() {
			m.ExitCode = 3
		}
	}
	for _, source := range []string{"rongcloud.prod", "tencentchat.intl"} {
		m.Requests[source] = map[string]manifest.Figures{"group_members": w.figures(begin, night), "user_groups": w.figures(begin, night)}
	}
	if night == 4 { // sealed by an older program
		return
	}
	m.RoleCounts = map[string]int64{"owner": 0, "admin": 0, "member": 0, "unknown": 0}
	for _, one := range t.Memberships {
		m.RoleCounts[cmp.Or(*one.Role, "unknown")]++
	}
	m.Checks = []manifest.Check{{Name: "fewer_members", Kind: "drop", Result: "pass", Measured: "3 rows more than on the night before", Limit: "5%"}, {Name: "new_roles", Kind: "new_roles", Result: "warn", Measured: "2 roles that were not there before: Guest, Moderator"}}
	if night > 0 {
		m.ChangesBase, m.Changes = some(w.date(night-1)), map[string]int64{"joined": 0, "left": 0, "role_changed": 0}
		for _, c := range t.Changes {
			m.Changes[c.Change]++
			if !c.Certain {
				m.ChangesUncertain++
			}
		}
	}
}

func (w *world) figures(begin time.Time, night int) manifest.Figures {
	f := manifest.Figures{PerSecond: 100, LatencyMS: 48.3, Seconds: 1800}
	if night == 4 {
		f.Requests = 9000
		return f
	}
	f.Series = &manifest.Series{From: manifest.At(begin), Step: 8}
	for i := range 225 {
		sent, limit := int64(560+w.random.IntN(60)), 80.0
		if i > 90 && i < 110 { // stopped, and taken up again
			sent, limit = 0, 0
		}
		if i > 180 {
			sent, limit = sent/3, 30
		}
		throttled := int64(0)
		if i > 140 && i < 150 {
			throttled = sent / 5
		}
		f.Series.Sent, f.Series.Limit = append(f.Series.Sent, sent), append(f.Series.Limit, limit)
		f.Series.Throttled, f.Series.Failed = append(f.Series.Throttled, throttled), append(f.Series.Failed, throttled/7)
		f.Requests += sent
		f.Throttles += throttled
		f.Failures += throttled / 7
	}
	f.Retries = f.Failures
	for i, ms := range []float64{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000} {
		f.Latencies = append(f.Latencies, manifest.Latency{UpToMS: some(ms), Answers: []int64{0, 900, 14000, 61000, 22000, 7000, 800, 120, 11, 0, 0}[i]})
	}
	f.Latencies = append(f.Latencies, manifest.Latency{Answers: 2})
	return f
}

func (w *world) date(night int) string { return w.begin.AddDate(0, 0, night).Format(time.DateOnly) }

// seal seals ten nights, of which only the last is as large as the world; it gives the last date.
func (w *world) seal(t testing.TB, sink sinks.Sink, members bool) string {
	t.Helper()
	const last = 9
	few := &world{min(w.groups, 300), w.random, w.begin}
	for night := range last {
		if night != 6 { // was not sealed
			sinktest.Seal(t, sink, w.date(night), few.tables(night, true))
		}
	}
	sinktest.Seal(t, sink, w.date(last), w.tables(last, members))
	return w.date(last)
}

func newSink(t testing.TB) sinks.Sink {
	t.Helper()
	sink, err := local.Open(local.Config{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}
