package plan

import (
	"math"
	"testing"
	"time"

	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sources"
)

var evening = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

func laneOf(t *testing.T, perSecond, share float64, even bool, latency time.Duration, windows ...job.Window) *lane {
	t.Helper()
	l := &lane{name: "x y", endpoint: "y", perSecond: perSecond, source: job.Source{Share: share, Windows: windows, Budgets: map[string]job.Budget{"y": {PerSecond: perSecond, Even: even}}}}
	pace, err := l.paceOf(perSecond, share, windows, latency)
	if err != nil {
		t.Fatal(err)
	}
	l.pace = pace
	return l
}

func TestPacingReachesWhatPlacesAllow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		perSecond, share float64
		even             bool
		latency          time.Duration
		want             float64
	}{
		{"a place is held for a second and the latency", 100, 0.8, false, 50 * time.Millisecond, 80 / 1.051},
		{"places are whole", 1.5, 1, false, 99 * time.Millisecond, 1 / 1.1},
		{"below one a second the place is held longer", 0.5, 1, false, 99 * time.Millisecond, 1 / 2.1},
		{"even pacing uses all of it", 100, 0.8, true, time.Second, 80},
		{"workers bound what slow answers allow", 5000, 1, true, time.Second, 1024},
		{"few workers ask where there is no budget", 1e6, 1, true, 10 * time.Millisecond, 6400},
	} {
		l := laneOf(t, c.perSecond, c.share, c.even, c.latency)
		if got := l.rate(evening); math.Abs(got-c.want) > 1e-6*c.want {
			t.Errorf("%s: %v requests a second, want %v", c.name, got, c.want)
		}
	}
}

func TestTimeIsIntegratedOverWindows(t *testing.T) {
	t.Parallel()
	night := job.Window{From: 22 * 60, To: 6 * 60, Share: 1, TimeZone: "UTC"}
	for _, c := range []struct {
		name     string
		share    float64
		requests float64
		want     time.Duration
	}{
		{"nothing takes no time", 0.1, 0, 0},
		{"before the window", 0.1, 3600, time.Hour},
		{"into the window", 0.1, 2*3600 + 3600*10, 3 * time.Hour},
		// A smaller share is kept to from half a minute before: 270 requests less.
		{"through the window", 0.1, 2*3600 + 8*36000 + 3600 - 270, 11 * time.Hour},
		{"days of it", 0.1, 10*(16*3600+8*36000-270) + 3600, 241 * time.Hour},
	} {
		l := laneOf(t, 10, c.share, true, 0, night)
		if got := l.span(c.requests, evening, l.limit); (got - c.want).Abs() > c.want/1000+10*time.Second {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	steady := laneOf(t, 10, 1, true, 0)
	if got := steady.span(1e30, evening, steady.rate); got < 100*365*24*time.Hour {
		t.Errorf("more requests than time has seconds take %v", got)
	}
}

func TestASmallerBudgetIsNeededThanTheOneThatIsFoundTooSmall(t *testing.T) {
	t.Parallel()
	l := laneOf(t, 10, 0.5, false, 100*time.Millisecond)
	l.requests = exactly(10_000_000)
	p := &planner{Plan: Plan{StartsAt: evening}}
	n := p.needed(l)
	ends := func(n int64) time.Duration {
		pace, _ := l.paceOf(float64(n), 0.5, nil, l.latency)
		return pace.span(1e7, evening, pace.rate)
	}
	if ends(n) > nightly || ends(n-2) <= nightly {
		t.Errorf("%d a second ends in %v, %d in %v", n, ends(n), n-2, ends(n-2))
	}
}

func TestBatchesGoWhenTheyAreFullAndTheRestAtTheEnd(t *testing.T) {
	t.Parallel()
	discovery := evening.Add(1000 * time.Second)
	kind := sources.Data{Key: sources.RoleKey, Batch: 500}
	for _, c := range []struct {
		name  string
		sizes map[int64]int64
		want  time.Duration // after discovery
	}{
		{"groups that fill no batch", map[int64]int64{10: 1000}, 100 * time.Second},
		{"full batches go before", map[int64]int64{5000: 10, 10: 500}, 50 * time.Second},
		{"more pairs wait than memory holds", map[int64]int64{700: 10_000}, 2000 * time.Second},
	} {
		b := &block{data: job.Data{Kind: kind}, lane: laneOf(t, 10, 1, true, 0), sizes: c.sizes, upstream: []*block{{}}}
		requests := int64(0)
		for size, groups := range c.sizes {
			requests += groups * ceil(size, 500)
		}
		b.requests = exactly(requests)
		if got := b.finishPairs(evening, discovery).Sub(discovery); (got - c.want).Abs() > c.want/20 {
			t.Errorf("%s: the rest takes %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAHugeKeyEndsLate(t *testing.T) {
	t.Parallel()
	b := &block{lane: laneOf(t, 100, 1, true, 100*time.Millisecond), long: []long{{before: 990, requests: 200}}}
	end := evening.Add(12 * time.Second)
	got := b.tail(evening, end).Sub(end) // it begins at 9.9 s, and 200 requests take 20 s and more
	if got < 17*time.Second || got > 20*time.Second {
		t.Errorf("a key of 200 requests that comes last puts the end off by %v", got)
	}
	b.long[0] = long{before: 0, requests: 10}
	if got := b.tail(evening, end); !got.Equal(end) {
		t.Errorf("a key that was asked long before puts the end off by %v", got.Sub(end))
	}
}

func TestRangesHoldTheirMiddle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		n, ratio float64
		part     float64
		floor    int64
		want     [3]int64
	}{
		{"nothing is nothing", 0, 1, narrow, 0, [3]int64{0, 0, 0}},
		{"at least one more or less", 10, 1, narrow, 0, [3]int64{9, 10, 11}},
		{"three per cent", 1000, 1, narrow, 0, [3]int64{970, 1000, 1030}},
		{"never below the keys", 1000, 1, narrow, 1000, [3]int64{1000, 1000, 1030}},
		{"twice the keys find up to twice as much", 1000, 2, wide, 0, [3]int64{700, 2000, 2300}},
		{"half the keys may find all of it", 1000, 0.5, wide, 0, [3]int64{350, 500, 1150}},
	} {
		var s spread
		s.addScaled(c.n, c.ratio, c.part)
		got := s.count(c.floor)
		if got.Least != c.want[0] || got.Expected != c.want[1] || *got.Most != c.want[2] {
			t.Errorf("%s: %d, %d, %d, want %v", c.name, got.Least, got.Expected, *got.Most, c.want)
		}
	}
}

func TestSpansAreSaidAsPeoplePlan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 40 * time.Second: "40s", 62 * time.Second: "1m 2s", 2*time.Hour + 3*time.Minute + 5*time.Second: "2h 3m", 47 * time.Hour: "47h 0m",
		50 * time.Hour: "2 days 2 hours", 21 * 24 * time.Hour: "3 weeks", 22*24*time.Hour + time.Hour: "3 weeks 1 day", 800 * 24 * time.Hour: "2 years 10 weeks",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v is said %q, want %q", d, got, want)
		}
	}
}

// A snapshot of an older version may have read a list until its rows reached the total.
func TestABaseThatEndedAtTheTotalIsPlannedWithOneRequestMore(t *testing.T) {
	t.Parallel()
	byOffset := sources.Data{PageSize: 200, OpenEnd: true, Linked: "@TGS#_"}
	byToken := sources.Data{PageSize: 100}
	owners := []schema.Role{schema.Owner}
	for _, c := range []struct {
		kind           sources.Data
		only           []schema.Role
		key            string
		outcome        schema.Outcome
		rows, was, now int64
	}{
		{byOffset, nil, "g", schema.OK, 0, 1, 1},
		{byOffset, nil, "g", schema.OK, 199, 1, 1},
		{byOffset, nil, "g", schema.OK, 200, 1, 2},
		{byOffset, nil, "g", schema.OK, 400, 2, 3},
		{byOffset, nil, "g", schema.OK, 400, 9, 9}, // retries
		{byOffset, nil, "@TGS#_c", schema.OK, 400, 2, 2},
		{byOffset, nil, "g", schema.Gone, 0, 1, 1},
		{byOffset, nil, "g", schema.Failed, 0, 20, 20},
		{byOffset, owners, "g", schema.OK, 0, 1, 1},
		{byOffset, owners, "g", schema.OK, 1, 1, 2},
		{byOffset, owners, "g", schema.OK, 200, 2, 2},
		{byToken, nil, "g", schema.OK, 200, 2, 2},
	} {
		b := &block{data: job.Data{Kind: c.kind, Only: c.only}}
		if got := b.again(c.key, schema.KeyOutcome{Outcome: string(c.outcome), Rows: c.rows, Requests: c.was}); got != c.now {
			t.Errorf("%s, %d rows in %d requests, only %v: %d, want %d", c.key, c.rows, c.was, c.only, got, c.now)
		}
	}
}
