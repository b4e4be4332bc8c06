package cli

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/event"
	"rollcall/pipeline/state"
	"rollcall/pipeline/status"
)

func TestStatusTexts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 2, 30, 0, 0, time.UTC)
	process := &state.Holder{PID: 4711, Host: "batch-1", Command: "run", Since: now.Add(-75 * time.Minute)}
	left := 1803.0
	report := &status.Report{
		Place: "s3://acme-audit/im", Phase: event.Fetching, Requests: 361_200, Throttles: 3, LastRequest: now.Add(-2 * time.Second), SpoolBytes: 93 << 20, Left: &left, AtLeast: true, Rate: new(180.25),
		Blocks: []status.Block{
			{Data: "rongcloud_group_members.all", Unit: "groups", Done: 12_000, Pending: 31, Known: 40_000, Rows: 1_800_000, Missing: 2, Requests: 31_000},
			{Data: "rongcloud_user_groups.staff", Unit: "users", Done: 330_200, Known: 600_000, Final: true, Rows: 900_000, Requests: 330_200},
		},
	}
	running := status.Status{
		State: status.Running, Folder: ".rollcall", Date: "2026-11-21", Started: now.Add(-85 * time.Minute), Starts: 2, Process: process,
		HeardAt: now.Add(-time.Second), Report: report, TakenUp: true, NextDate: "2026-11-21",
	}
	with := func(change func(*status.Status)) status.Status {
		s, r := running, *report
		s.Report = &r
		change(&s)
		return s
	}
	var text bytes.Buffer
	for _, c := range []struct {
		name    string
		s       status.Status
		refused string
	}{
		{"running", running, ""},
		{"storing", with(func(s *status.Status) {
			s.Report.Phase, s.Report.Files, s.Report.Left, s.Report.Rate = event.Storing, 4, nil, nil
		}), ""},
		{"silent", with(func(s *status.Status) { s.State, s.HeardAt = status.Silent, now.Add(-4*time.Minute) }), ""},
		{"killed", with(func(s *status.Status) {
			s.State, s.Killed, s.HeardAt, s.AlsoLeft = status.Stopped, true, now.Add(-40*time.Minute), []string{"2026-11-19"}
		}), ""},
		{"stopped, of an old date", with(func(s *status.Status) {
			s.State, s.TakenUp, s.Report.Ended = status.Stopped, false, "the vendor said \x1b[2J; the answers about 342,198 keys of 2026-11-21 are kept"
			s.NextDate = "2026-11-23"
		}), ""},
		{"stopped while sealing", with(func(s *status.Status) {
			s.State, s.Report.Phase, s.Report.Files, s.Report.Ended = status.Stopped, event.Sealing, 7, "the sink is down"
		}), ""},
		{"stopped by a check", with(func(s *status.Status) {
			s.State, s.Report.Phase, s.Report.Ended, s.Report.Hint = status.Stopped, event.Merging, "the snapshot of 2026-11-21 is not sealed: check owners failed", "look into \x1b[2J it first"
		}), ""},
		{"a replacement that was stopped", with(func(s *status.Status) {
			s.State, s.Replace, s.TakenUp, s.Report.Ended = status.Stopped, true, false, "the sink is down"
		}), ""},
		{"changed", with(func(s *status.Status) { s.State, s.Report.Ended = status.Stopped, "stopped" }), "the configuration has changed since the run for 2026-11-21 began: ids old is gone"},
		{"killed at once", status.Status{State: status.Stopped, Killed: true, Date: "2026-11-21", Started: now, Starts: 1, TakenUp: true}, ""},
		{"waiting for the sink", status.Status{State: status.Running, Process: process, AlsoLeft: []string{"2026-11-20"}}, ""},
		{"nothing", status.Status{State: status.None, Folder: ".rollcall", NextDate: "2026-11-21"}, ""},
		{"all but asked", with(func(s *status.Status) {
			least := 0.4
			s.Report.Left, s.Report.AtLeast = &least, true
		}), ""},
		{"nothing of the date asked for", status.Status{State: status.None, Folder: ".rollcall", AlsoLeft: []string{"2026-11-20"}, NextDate: "2026-11-20"}, ""},
		{"nothing but a plan", status.Status{State: status.None, Folder: ".rollcall", NextDate: "2026-11-21", OtherCalls: "plan"}, ""},
	} {
		text.WriteString("== " + c.name + "\n")
		answer := statusAnswer{Status: c.s, Refused: c.refused, Next: next(c.s, c.refused).String(), Also: also(c.s.AlsoLeft).String()}
		if c.s.State == status.None && c.s.AlsoLeft != nil {
			answer.of = " of 2026-11-19"
		}
		showStatus(console.NewPrinter(&text), answer, now)
		text.WriteString("\n")
	}
	golden(t, "status", text.String())
}

func TestStatusOfNothingIsNoFailure(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "none")
	want := "Nothing is unfinished in " + folder + ".\nNext: `rollcall run --date 2026-11-21 --state " + folder + "` begins 2026-11-21, unless that is sealed\n"
	if got := rollcall(t, "status", "--state", folder); got.code != Done || got.stdout != want || got.stderr != "" {
		t.Errorf("status ended with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	var answer map[string]any
	got := rollcall(t, "status", "--json", "--state", folder)
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || answer["state"] != "none" || got.code != Done {
		t.Errorf("status --json ended with %d (%v): %s", got.code, err, got.stdout)
	}
}
