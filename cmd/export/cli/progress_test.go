package cli

import (
	"bytes"
	"regexp"
	"slices"
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
		Left:  5 * time.Minute,
		Blocks: []event.Block{
			{Address: "rongcloud_user_groups.staff", Source: "rongcloud.prod", Endpoint: "user_groups", Unit: "users", Done: 100, Known: 100, Final: true, Rows: 1500},
			{Address: "rongcloud_group_members.all", Source: "rongcloud.prod", Endpoint: "group_members", Unit: "groups", Done: done, Known: 40_000, Rows: 100 * done, Missing: 3, Left: 310 * time.Second},
		},
		Endpoints: []event.Endpoint{
			{Source: "rongcloud.prod", Name: "user_groups", Allowed: 80},
			{Source: "rongcloud.prod", Name: "group_members", Allowed: 80, Pace: 79.75},
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
	b := newBars(talk, func() (int, int) { return 140, 24 })
	for _, e := range night()[:6] {
		b.Listen(e)
	}
	b.Close()
	talk.Close(time.Hour)
	for _, want := range []string{
		"going on with the run begun 2026-11-20T23:50:00Z, 12,000 keys are there already",
		`Warning: group_members of rongcloud.prod is throttled\x1b[31m (the pace recovers by itself)`,
		"rongcloud_group_members.all [###.......]  31% 12,560 of 40,000+ groups, 79.8 of 80 requests/s, 1,256,000 rows, 3 missing",
		"fetching: 31%, 79.8 requests/s, 1,257,500 rows, 5m00s left",
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
	b := newBars(talk, func() (int, int) { return 140, 24 })
	for _, e := range night() {
		b.Listen(e)
	}
	b.Close()
	talk.Close(time.Hour)
	want := "rongcloud_group_members.all [###.......]  31% 12,560 of 40,000+ groups, 79.8 of 80 requests/s, 1,256,000 rows, 3 missing, 5m10s left\nsealing: 7 files\n"
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
	if got := out.String(); strings.Contains(got, "rongcloud_") || !strings.Contains(got, "fetching: 30%, 79.8 requests/s") {
		t.Errorf("on 60 columns the screen shows %q", got)
	}
}

func TestLinesFitTheirTerminalAndCutNoNumber(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`[\d,.]*\d[%+]?`)
	p := fetching(0, 12_000)
	for width := range 160 {
		for i, draw := range []func() string{
			func() string { return blockLine(p, 0, width) }, func() string { return blockLine(p, 1, width) }, func() string { return wholeLine(p, width) },
		} {
			got := draw()
			if len(got) > width {
				t.Errorf("on %d columns the line has %d: %q", width, len(got), got)
			}
			all := whole(p, layouts()[0])
			if i < 2 {
				all = laid(p, i, layouts()[0])
			}
			for _, n := range number.FindAllString(got, -1) {
				if !slices.Contains(number.FindAllString(all, -1), n) {
					t.Errorf("on %d columns %s is none of the numbers: %q", width, n, got)
				}
			}
		}
	}
}

func TestNarrowerTerminalsLoseTheBarThenRowsThenTheRate(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{
		140: "rongcloud_group_members.all [###.......]  30% 12,000 of 40,000+ groups, 79.8 of 80 requests/s, 1,200,000 rows, 3 missing, 5m10s left",
		130: "rongcloud_group_members.all  30% 12,000 of 40,000+ groups, 79.8 of 80 requests/s, 1,200,000 rows, 3 missing, 5m10s left",
		110: "rongcloud_group_members.all  30% 12,000 of 40,000+ groups, 79.8 of 80 requests/s, 3 missing, 5m10s left",
		80:  "rongcloud_group_members.all  30% 12,000 of 40,000+ groups, 3 missing, 5m10s left",
		72:  "rongcloud_group_members.all  30% 12,000 of 40,000+ groups",
		50:  "rongcloud_group_members.all  30% 12,000 of 40,000+",
	} {
		if got := blockLine(fetching(0, 12_000), 1, width); got != want {
			t.Errorf("on %d columns the line is %q, want %q", width, got, want)
		}
	}
}

func TestABlockThatWaitsSaysSo(t *testing.T) {
	t.Parallel()
	for want, b := range map[string]event.Block{
		"383 groups, waiting for more": {Unit: "groups", Done: 383, Known: 383},
		"waiting for pairs":            {Unit: "pairs"},
		"383 of 383 groups":            {Unit: "groups", Done: 383, Known: 383, Final: true},
		"382 of 383+ groups":           {Unit: "groups", Done: 382, Known: 383},
	} {
		if got := counted(b); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := working(event.Progress{Phase: event.Storing}); got != "storing" {
		t.Errorf("before the first file the phase is told as %q", got)
	}
}

func TestPercentIsNeverHundredBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		done, known int64
		final       bool
		want        int64
	}{{0, 0, false, 0}, {0, 0, true, 100}, {10, 10, false, 99}, {10, 10, true, 100}, {999, 1000, true, 99}, {1, 3, true, 33}} {
		if got := percent(c.done, c.known, c.final); got != c.want {
			t.Errorf("percent(%d, %d, %t) = %d, want %d", c.done, c.known, c.final, got, c.want)
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
