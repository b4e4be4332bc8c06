package status_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"rollcall/pipeline/event"
	"rollcall/pipeline/spool"
	"rollcall/pipeline/state"
	"rollcall/pipeline/status"
	"rollcall/schema"
	"rollcall/schema/process"
)

var now = time.Date(2026, 11, 21, 1, 30, 0, 0, time.UTC)

// folder is a state folder in which nights were begun by a process that is gone or not.
type folder struct {
	t    *testing.T
	path string
}

func holder(pid int) state.Holder {
	return state.Holder{PID: pid, Host: "here", Command: "run", Since: now.Add(-10 * time.Minute)}
}

func (f folder) begin(date string, at time.Time, report *status.Report) {
	f.t.Helper()
	held, err := state.Open(state.Options{Path: f.path, Random: func() uint64 { return 1 }})
	if err != nil {
		f.t.Fatal(err)
	}
	night, _, err := held.Begin(date, []string{"data: a"}, at)
	if err != nil {
		f.t.Fatal(err)
	}
	if report != nil {
		report.Date = date
		f.write(night.Progress(), report)
	}
	if err := held.Close(); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) held(h state.Holder) { f.write(filepath.Join(f.path, "holder.json"), h) }

func (f folder) write(path string, what any) {
	f.t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) look(date string, alive ...int) status.Status {
	f.t.Helper()
	s, err := status.Look(status.Request{Folder: f.path, Date: date, Now: now, Host: "here", Alive: func(pid int) bool { return slices.Contains(alive, pid) }})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func TestAFolderThatIsNotThereHoldsNothing(t *testing.T) {
	t.Parallel()
	f := folder{t, filepath.Join(t.TempDir(), "none")}
	if s := f.look(""); s.State != status.None || s.NextDate != "2026-11-21" || s.Night != nil {
		t.Errorf("%+v", s)
	}
	if _, err := os.Stat(f.path); !os.IsNotExist(err) {
		t.Errorf("looking made the folder: %v", err)
	}
}

func TestWhetherSomebodyIsAtWork(t *testing.T) {
	t.Parallel()
	heard := func(before time.Duration, ended string) *status.Report {
		return &status.Report{Process: holder(7), At: now.Add(-before), Phase: event.Fetching, Ended: ended}
	}
	elsewhere := holder(7)
	elsewhere.Host = "there"
	plan := holder(7)
	plan.Command = "plan"
	for _, c := range []struct {
		name   string
		report *status.Report
		holder *state.Holder
		alive  []int
		want   status.State
		killed bool
		date   string
	}{
		{"at work", heard(time.Second, ""), new(holder(7)), []int{7}, status.Running, false, "2026-11-21"},
		{"killed", heard(time.Second, ""), new(holder(7)), nil, status.Stopped, true, "2026-11-21"},
		{"killed before its first word", nil, new(holder(7)), nil, status.Stopped, true, "2026-11-21"},
		{"ended with a word", heard(time.Hour, "the vendor is down"), nil, nil, status.Stopped, false, "2026-11-21"},
		{"giving its locks back", heard(time.Second, "the vendor is down"), new(holder(7)), []int{7}, status.Stopped, false, "2026-11-21"},
		{"there and silent", heard(time.Minute, ""), new(holder(7)), []int{7}, status.Silent, false, "2026-11-21"},
		{"just begun, over what another left", heard(time.Hour, "the vendor is down"), new(holder(8)), []int{8}, status.Silent, false, ""},
		{"planned just now", heard(time.Hour, "the vendor is down"), &plan, []int{7}, status.Stopped, false, "2026-11-21"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := folder{t, t.TempDir()}
			f.begin("2026-11-21", now.Add(-time.Hour), c.report)
			if c.holder != nil {
				f.held(*c.holder)
			}
			s := f.look("", c.alive...)
			if s.State != c.want || s.Killed != c.killed || s.Date != c.date {
				t.Errorf("state %s, killed %v, date %q", s.State, s.Killed, s.Date)
			}
			if c.date == "" && !slices.Equal(s.AlsoLeft, []string{"2026-11-21"}) {
				t.Errorf("also unsealed: %v", s.AlsoLeft)
			}
		})
	}
	t.Run("at work on another machine", func(t *testing.T) {
		t.Parallel()
		f := folder{t, t.TempDir()}
		f.begin("2026-11-21", now.Add(-time.Hour), &status.Report{Process: elsewhere, At: now.Add(-time.Second), Phase: event.Fetching})
		f.held(elsewhere)
		if s := f.look(""); s.State != status.Running {
			t.Errorf("state %s", s.State)
		}
	})
}

func TestAProcessIDThatWasGivenToAnotherIsNobodyAtWork(t *testing.T) {
	t.Parallel()
	for seen, want := range map[process.Liveness]status.State{process.Dead: status.Stopped, process.Alive: status.Running, process.Unknown: status.Running} {
		f, at := folder{t, t.TempDir()}, holder(7)
		at.Process = process.Identity{PID: 7}
		f.begin("2026-11-21", now.Add(-time.Hour), &status.Report{Process: at, At: now.Add(-time.Second), Phase: event.Fetching})
		f.held(at)
		s, err := status.Look(status.Request{Folder: f.path, Now: now, Host: "here", Alive: func(int) bool { return true }, Look: func(i process.Identity) process.Liveness {
			if i != at.Process {
				t.Errorf("asked for %+v", i)
			}
			return seen
		}})
		if err != nil || s.State != want {
			t.Errorf("seen as %v: state %s, %v", seen, s.State, err)
		}
	}
}

func TestWhatIsKeptIsWhatLiesOnTheDisk(t *testing.T) {
	t.Parallel()
	f := folder{t, t.TempDir()}
	f.begin("2026-11-21", now.Add(-time.Hour), &status.Report{At: now.Add(-time.Minute), Phase: event.Fetching})
	night := f.look("").Night
	blocks := []spool.Block{{Address: "v_groups.all", Source: "v.prod", View: schema.UserView}}
	kept, err := spool.Open(spool.Options{Dir: night.Spool(), Blocks: blocks})
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.Add(t.Context(), spool.Entry{Record: spool.Record{Key: "u1", Generation: 1, Outcome: schema.OK, Declared: -1}}); err != nil {
		t.Fatal(err)
	}
	if err := kept.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, size := kept.Size()
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	if s := f.look(""); size == 0 || s.Report.SpoolBytes < size {
		t.Errorf("%d bytes are kept of a run that was killed, of %d that its spool has", s.Report.SpoolBytes, size)
	}
}

func TestTheNightThatWasAtWorkLastIsShownAndOthersAreNamed(t *testing.T) {
	t.Parallel()
	f := folder{t, t.TempDir()}
	f.begin("2026-11-20", now.Add(-30*time.Hour), &status.Report{At: now.Add(-time.Minute), Phase: event.Merging})
	f.begin("2026-11-21", now.Add(-25*time.Hour), &status.Report{At: now.Add(-time.Hour), Phase: event.Fetching})
	s := f.look("")
	if s.Date != "2026-11-20" || s.TakenUp || !s.Fetched() || !slices.Equal(s.AlsoLeft, []string{"2026-11-21"}) || s.NextDate != "2026-11-21" {
		t.Errorf("%+v", s)
	}
	if s := f.look("2026-11-21"); s.Date != "2026-11-21" || s.Fetched() || !slices.Equal(s.AlsoLeft, []string{"2026-11-20"}) {
		t.Errorf("%+v", s)
	}
	if s := f.look("2026-11-01"); s.State != status.None || len(s.AlsoLeft) != 2 {
		t.Errorf("%+v", s)
	}
}

func TestADamagedReportCostsFiguresAlone(t *testing.T) {
	t.Parallel()
	f := folder{t, t.TempDir()}
	f.begin("2026-11-21", now.Add(-time.Hour), nil)
	if err := os.WriteFile(filepath.Join(f.path, "2026-11-21", "progress.json"), []byte("{\"date\""), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := f.look(""); s.State != status.Stopped || s.Report != nil || !s.TakenUp {
		t.Errorf("%+v", s)
	}
}
