package cli

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/event"
)

var midnight = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

func fetching(second int, done int64) event.Progress {
	return event.Progress{
		At:    midnight.Add(time.Duration(second) * time.Second),
		Phase: event.Fetching,
		Left:  5 * time.Minute, AtLeast: true,
		Blocks: []event.Block{
			{Address: "rongcloud_user_groups.staff", Source: "rongcloud.prod", Endpoint: "user_groups", Unit: "users", Done: 100, Known: 100, Final: true, Rows: 1500, Activity: event.Ended},
			{Address: "rongcloud_group_members.all", Source: "rongcloud.prod", Endpoint: "group_members", Unit: "groups", Done: done, Known: 40_000, Rows: 100 * done, Missing: 3, Left: 310 * time.Second, AtLeast: true},
		},
		Endpoints: []event.Endpoint{
			{Source: "rongcloud.prod", Name: "user_groups", Allowed: 80, Rate: -1},
			{Source: "rongcloud.prod", Name: "group_members", Allowed: 80, Pace: 41, Rate: 79.75},
		},
	}
}

func night() []event.Event {
	return []event.Event{
		event.Started{Date: "2026-11-21", Place: "s3://acme-audit/im", Resumed: true, Since: midnight.Add(-10 * time.Minute), Found: 12_000},
		fetching(0, 12_000),
		fetching(1, 12_080),
		event.Notice{Warning: true, Text: "group_members of rongcloud.prod is throttled\x1b[31m", Hint: "the pace recovers by itself"},
		fetching(5, 12_400),
		fetching(7, 12_560),
		event.Progress{At: midnight.Add(8 * time.Second), Phase: event.Merging, Merged: 1_200_000},
		event.Progress{At: midnight.Add(9 * time.Second), Phase: event.Sealing, Files: 7, Merged: 1_200_000},
	}
}

func TestLogShowsProgressEveryFiveSecondsAndAtEachPhase(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	talk := console.NewTalk(&out)
	l := newLines(talk)
	for _, e := range night() {
		l.Listen(e)
	}
	l.Close()
	talk.Close(time.Hour)
	golden(t, "progress_log", out.String())
	if strings.ContainsRune(out.String(), '\x1b') {
		t.Error("a log line holds an escape character")
	}
}

func TestBarsLeaveTheLastStateStanding(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	talk := console.NewTalk(&out)
	b := newBars(talk, func() (int, int) { return 150, 24 })
	for _, e := range night()[:6] {
		b.Listen(e)
	}
	b.Close()
	talk.Close(time.Hour)
	for _, want := range []string{
		"going on with the run begun 2026-11-20T23:50:00Z, 12,000 keys are there already",
		`Warning: group_members of rongcloud.prod is throttled\x1b[31m (the pace recovers by itself)`,
		"rongcloud_group_members.all                   12,560 of 40,000+ groups, 79.8 of 80 requests/s, 1,256,000 rows, 3 missing",
		"rongcloud_user_groups.staff [##########] 100% 100 of 100 users, 1,500 rows",
		"fetching: 12,660 of 40,100+ keys, 79.8 requests/s, 1,257,500 rows, at least 5m00s left",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the screen lacks %q:\n%q", want, out.String())
		}
	}
}

func TestBarsKeepTheBlocksThroughTheLastPhases(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	talk := console.NewTalk(&out)
	b := newBars(talk, func() (int, int) { return 150, 24 })
	for _, e := range night() {
		b.Listen(e)
	}
	b.Close()
	talk.Close(time.Hour)
	want := "rongcloud_group_members.all                   12,560 of 40,000+ groups, 79.8 of 80 requests/s, 1,256,000 rows, 3 missing, at least 5m10s left\nsealing: 7 files\n"
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("the screen ends with %q", out.String()[max(0, out.Len()-len(want)):])
	}
}

func TestNarrowTerminalShowsOneLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	talk := console.NewTalk(&out)
	b := newBars(talk, func() (int, int) { return 60, 24 })
	b.Listen(fetching(0, 12_000))
	b.Close()
	talk.Close(time.Hour)
	if got := out.String(); strings.Contains(got, "rongcloud_") || !strings.Contains(got, "fetching: 12,100 of 40,100+ keys, at least 5m00s left") {
		t.Errorf("on 60 columns the screen shows %q", got)
	}
}

func TestLinesFitTheirTerminalAndCutNoNumber(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`[\d,.]*\d[%+]?`)
	p := fetching(0, 12_000)
	for width := range 160 {
		for i, draw := range []func() string{
			func() string { return blockLines(p, width)[0] }, func() string { return blockLines(p, width)[1] }, func() string { return wholeLine(p, width) },
		} {
			got := draw()
			if len(got) > width {
				t.Errorf("on %d columns the line has %d: %q", width, len(got), got)
			}
			all := whole(p, layouts()[0])
			if i < 2 {
				all = laid(p, i, 27, layouts()[0])
			}
			for _, n := range number.FindAllString(got, -1) {
				if !slices.Contains(number.FindAllString(all, -1), n) {
					t.Errorf("on %d columns %s is none of the numbers: %q", width, n, got)
				}
			}
		}
	}
}

func TestNarrowerTerminalsLoseRowsThenTheRateThenTheTimeButNotTheBar(t *testing.T) {
	t.Parallel()
	p := fetching(0, 12_000)
	p.Blocks[1].Final, p.Blocks[1].AtLeast = true, false
	for width, want := range map[int]string{
		150: "rongcloud_group_members.all [###.......]  30% 12,000 of 40,000 groups, 79.8 of 80 requests/s, 1,200,000 rows, 3 missing, 5m10s left",
		120: "rongcloud_group_members.all [###.......]  30% 12,000 of 40,000 groups, 79.8 of 80 requests/s, 3 missing, 5m10s left",
		94:  "rongcloud_group_members.all [###.......]  30% 12,000 of 40,000 groups, 3 missing, 5m10s left",
		82:  "rongcloud_group_members.all [###.......]  30% 12,000 of 40,000 groups, 3 missing",
		80:  "rongcloud_group_members.all [###.......]  30% 12,000 of 40,000 groups, 3 missing",
		76:  "rongcloud_group_members.all [#....]  30% 12,000 of 40,000 groups, 3 missing",
		72:  "rongcloud_group_members.all  30% 12,000 of 40,000 groups, 3 missing",
		60:  "rongcloud_group_members.all  30% 12,000 of 40,000 groups",
		50:  "rongcloud_group_members.all  30%",
		30:  "rongcloud_group_members.all",
	} {
		if got := blockLines(p, width)[1]; got != want {
			t.Errorf("on %d columns the line is %q, want %q", width, got, want)
		}
	}
}

func TestABlockThatAsksNothingSaysWhy(t *testing.T) {
	t.Parallel()
	address, others := "tencentchat_group_roles.all", []string{"tencentchat_joined_groups.all"}
	for _, c := range []struct {
		b           event.Block
		long, short string
	}{
		{event.Block{Activity: event.Waiting, For: others}, "waiting for tencentchat_joined_groups.all", "waiting for joined_groups.all"},
		{event.Block{Activity: event.Waiting, For: []string{"a_b.c", "d_e.f"}}, "waiting for a_b.c and d_e.f", "waiting for a_b.c and d_e.f"},
		{event.Block{Activity: event.Filling, For: others, Batch: 500}, "waiting for tencentchat_joined_groups.all to fill batches of 500", "filling batches"},
		{event.Block{Activity: event.Proving, Pending: 1200, Unit: "users"}, "waiting for proof of the last answers, about 1,200 users", "proving 1,200"},
		{event.Block{Activity: event.Proving, Pending: 1, Unit: "users"}, "waiting for proof of the last answers, about 1 user", "proving 1"},
		{event.Block{Activity: event.Stopped}, "stopped", "stopped"},
		{event.Block{Activity: event.Asking, For: others}, "", ""},
		{event.Block{Activity: event.Ended}, "", ""},
	} {
		c.b.Address = address
		if long, short := activity(c.b, false), activity(c.b, true); long != c.long || short != c.short {
			t.Errorf("%+v: %q and %q", c.b, long, short)
		}
	}
	if got := working(event.Progress{Phase: event.Storing}); got != "storing" {
		t.Errorf("before the first file the phase is told as %q", got)
	}
}

// TestAPauseForProofIsToldOfTheWholeRun: at the end of a run nothing else seems to happen.
func TestAPauseForProofIsToldOfTheWholeRun(t *testing.T) {
	t.Parallel()
	p := fetching(0, 12_000)
	p.Blocks[0].Done, p.Blocks[0].Pending, p.Blocks[0].Activity = 96, 4, event.Proving
	p.Blocks[1].Activity, p.Blocks[1].For = event.Waiting, []string{p.Blocks[0].Address}
	if got, want := wholeLine(p, 80), "fetching: waiting for proof of the last answers, about 4 keys"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.Blocks[1].Activity = event.Asking
	if got, want := wholeLine(p, 80), "fetching: 12,096 of 40,100+ keys, 79.8 requests/s, at least 5m00s left"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// progressing is a run in which keys are discovered, as the pipeline tells it, at a random speed.
func progressing(random *rand.Rand) (all []event.Progress) {
	given, found := int64(random.IntN(300_000)), int64(0)
	a := event.Block{Address: "rongcloud_user_groups.staff", Source: "r", Endpoint: "u", Unit: "users", Known: given, Final: true}
	b := event.Block{Address: "rongcloud_group_members.all", Source: "r", Endpoint: "g", Unit: "groups", For: []string{a.Address}}
	for second := 0; ; second++ {
		step := min(a.Known-a.Done, 1+random.Int64N(given/6+1))
		a.Done += step
		found += random.Int64N(step + 1)
		b.Known = max(b.Known, found)
		b.Done += random.Int64N(b.Known - b.Done + 1)
		b.Missing = b.Done / 100
		a.Activity, b.Activity = event.Asking, []event.Activity{event.Asking, event.Filling, event.Waiting, event.Proving}[random.IntN(4)]
		if b.Batch = 500; a.Done == a.Known {
			a.Activity, b.Final, b.For = event.Ended, true, nil
		}
		a.Left, b.Left = time.Duration(random.Int64N(1e14)), time.Duration(random.Int64N(1e12)-1)
		p := event.Progress{
			At: midnight.Add(time.Duration(second) * time.Second), Phase: event.Fetching, Blocks: []event.Block{a, b}, Left: a.Left, AtLeast: !b.Final,
			Endpoints: []event.Endpoint{{Source: "r", Name: "u", Allowed: 100, Rate: 100 * random.Float64()}, {Source: "r", Name: "g", Allowed: 100, Rate: -1}},
		}
		all = append(all, p)
		if b.Final && second > 12 && b.Done == b.Known {
			return all
		}
		if b.Final && second > 12 {
			b.Done = b.Known
		}
	}
}

// TestNoShareEverFallsAndNoLineIsTooWide on any terminal, nor in the log.
func TestNoShareEverFallsAndNoLineIsTooWide(t *testing.T) {
	t.Parallel()
	share := regexp.MustCompile(`(\d+)%`)
	rising := func(line string, before int) int {
		found := share.FindStringSubmatch(line)
		if found == nil {
			return before
		}
		now, _ := strconv.Atoi(found[1])
		if now < before {
			t.Errorf("after %d%%: %q", before, line)
		}
		return now
	}
	for seed := range uint64(2) {
		all := progressing(rand.New(rand.NewPCG(seed, 1)))
		for width := 20; width <= 200; width++ {
			before := [3]int{}
			for _, p := range all {
				for i, line := range append(blockLines(p, width), wholeLine(p, width)) {
					if len(line) > width {
						t.Fatalf("on %d columns the line has %d: %q", width, len(line), line)
					}
					before[i] = rising(line, before[i])
				}
			}
			if before != [3]int{100, 100, 100} && width > 60 {
				t.Errorf("on %d columns the shares end with %v", width, before)
			}
		}
		before := map[string]int{}
		for line := range strings.Lines(logged(all)) {
			address := strings.Fields(line)[2]
			before[address] = rising(line, before[address])
		}
	}
}

// logged is what a log shows of progress.
func logged(all []event.Progress) string {
	var out bytes.Buffer
	talk := console.NewTalk(&out)
	l := newLines(talk)
	for _, p := range all {
		l.Listen(p)
	}
	l.Close()
	talk.Close(time.Hour)
	return out.String()
}

// TestAScreenThatBecomesNarrowerIsDrawnNarrower: nothing is drawn wider than the terminal is at that moment.
func TestAScreenThatBecomesNarrowerIsDrawnNarrower(t *testing.T) {
	t.Parallel()
	codes := regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]|\r`)
	for _, width := range []int{20, 60, 72, 80} {
		var out bytes.Buffer
		talk := console.NewTalk(&out)
		columns := 150
		b := newBars(talk, func() (int, int) { return columns, 24 })
		p := fetching(0, 12_000)
		b.Listen(p) // block lines are there from now on
		columns = width
		b.Close()
		talk.Close(time.Hour)
		for line := range strings.Lines(out.String()) {
			if text := strings.TrimRight(codes.ReplaceAllString(line, ""), "\n"); len(text) > width {
				t.Errorf("on %d columns %q has %d", width, text, len(text))
			}
		}
	}
}

func TestTheEndOfATroubleIsShownWhereverItsBeginningIs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	talk := console.NewTalk(&out)
	for _, r := range []renderer{silent{talk.Printer()}, newLines(talk), newBars(talk, func() (int, int) { return 80, 24 })} {
		r.Listen(event.Notice{Recovery: true, Text: "rongcloud.prod group_members answers again after 43s"})
		r.Close()
	}
	talk.Close(time.Hour)
	if got := strings.Count(out.String(), "rongcloud.prod group_members answers again after 43s\n"); got != 3 {
		t.Errorf("shown %d times: %q", got, out.String())
	}
}

func TestTheTimeThatIsLeftIsSaidAsItIsKnown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		left  time.Duration
		least bool
		want  string
	}{{-1, false, ""}, {0, true, ""}, {400 * time.Millisecond, false, ""}, {3 * time.Minute, false, "3m00s left"}, {3 * time.Minute, true, "at least 3m00s left"}} {
		if got := left(c.left, c.least); got != c.want {
			t.Errorf("%v: %q, want %q", c.left, got, c.want)
		}
	}
}

func TestSpanIsWhatPeoplePlanBy(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond:         "0s",
		40 * time.Second:               "40s",
		310 * time.Second:              "5m10s",
		time.Hour + 5*time.Minute + 59: "1h05m",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}
