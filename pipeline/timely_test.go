package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/state"
	"rollcall/schema/fault"
	"rollcall/sinks/manifest"
	"rollcall/sources/simulated"
)

// small is a vendor with few groups, and a run that asks about them.
func small(t *testing.T) (*simulated.World, *night) {
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 10, Groups: 3}))
	return world, newNight(t, world).block("rongcloud_group_members", groups("rc_groups"))
}

func TestADateIsTakenWhileItLastsAnywhereOrWasYesterdayAndRefusedOtherwise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ now, date, refused string }{
		{"2026-11-28T00:00:00Z", "2026-11-28", ""},
		{"2026-11-28T00:00:00Z", "2026-11-27", ""},
		{"2026-11-28T23:59:59Z", "2026-11-27", ""}, // yesterday in UTC, today nowhere
		{"2026-11-28T09:59:59Z", "2026-11-29", "has not come yet"},
		{"2026-11-28T10:00:00Z", "2026-11-29", ""}, // it has begun in UTC+14
		{"2026-11-28T23:59:59Z", "2026-11-30", "has not come yet"},
		{"2026-11-28T00:00:00Z", "2026-11-26", "is over"},
		{"2026-11-28T11:59:59Z", "2026-11-26", "is over"},
		{"2026-11-28T12:00:00Z", "2025-11-28", "is over"},
		{"2026-11-28T12:00:00Z", "3026-11-28", "has not come yet"},
		{"2026-03-01T01:00:00Z", "2026-02-28", ""},
		{"2028-03-01T01:00:00Z", "2028-02-28", "is over"}, // the 29th was yesterday
		{"2026-11-28T04:00:00+05:00", "2026-11-26", ""},   // in UTC it is the 27th
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		for _, backdate := range []bool{false, true} {
			world, n := small(t)
			result, err := n.run(func(r *pipeline.Request) { r.Date, r.Given, r.Backdate = c.date, now, backdate })
			if c.refused == "" || backdate && c.refused == "is over" {
				if err != nil || result.Date != c.date || result.Code != pipeline.CodeComplete {
					t.Errorf("%s at %s, backdate %v: %v, %v", c.date, c.now, backdate, result.Date, err)
				}
				continue
			}
			if fault.KindOf(err) != fault.Configuration || !strings.HasPrefix(err.Error(), c.date+" "+c.refused) || fault.HintOf(err) == "" {
				t.Errorf("%s at %s, backdate %v: %v (%s)", c.date, c.now, backdate, err, fault.HintOf(err))
			}
			if kept, err := state.Nights(n.state); len(kept) > 0 || err != nil || world.Counts()["/entrust/group/member/query.json"].Requests > 0 {
				t.Errorf("%s at %s: something was asked or kept: %v, %v", c.date, c.now, kept, err)
			}
		}
	}
}

func TestTheManifestSaysWhereTheVendorsWereAskedAfterTheDateWasOver(t *testing.T) {
	t.Parallel()
	for ahead, late := range map[int]bool{-400: true, -1: true, 0: false, 1: false} {
		_, n := small(t)
		result, err := n.run(func(r *pipeline.Request) {
			r.Date = r.Now().UTC().AddDate(0, 0, ahead).Format(time.DateOnly)
			r.Given, r.Backdate = noon(r.Date), true
		})
		if err != nil || result.Manifest.Backdated != late || result.Manifest.AskedLate() != late {
			t.Fatalf("%d days ahead: backdated %v, %v", ahead, result.Manifest.Backdated, err)
		}
		path := filepath.Join(n.out, manifest.Path(result.Date))
		text, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(text), `"backdated":true`) != late {
			t.Errorf("%d days ahead: %v, %s", ahead, err, text)
		}
	}
}

func TestADateThatIsSealedOrKeptIsTakenHoweverOld(t *testing.T) {
	t.Parallel()
	world, n := small(t)
	seal := func(change func(*pipeline.Request)) (pipeline.Result, error) {
		return n.run(func(r *pipeline.Request) {
			r.Given = noon("2026-12-28")
			change(r)
		})
	}
	if _, err := seal(func(r *pipeline.Request) { r.Given = noon(date) }); err != nil {
		t.Fatal(err)
	}
	asked := world.Counts()["/entrust/group/member/query.json"].Requests
	for _, backdate := range []bool{false, true} {
		if again, err := seal(func(r *pipeline.Request) { r.Backdate = backdate }); err != nil || !again.Already {
			t.Errorf("a sealed date: %+v, %v", again, err)
		}
	}
	replacing, err := seal(func(r *pipeline.Request) { r.Replace = true })
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(fault.HintOf(err), "`rollcall run --date "+date+" --replace --backdate`") {
		t.Errorf("replacing an old date: %+v, %v (%s)", replacing, err, fault.HintOf(err))
	}
	if world.Counts()["/entrust/group/member/query.json"].Requests != asked {
		t.Error("a vendor was asked")
	}
	if _, err := seal(func(r *pipeline.Request) { r.Replace, r.Given = true, noon(date).AddDate(0, 0, 1) }); err != nil {
		t.Errorf("yesterday's: %v", err)
	}
	world.Fault(simulated.Fault{Path: "/entrust/group/member/query.json", Do: simulated.Code(1002, "no such group")})
	for name, replace := range map[string]bool{"a date": false, "a replacement": true} {
		day := map[bool]string{false: "2026-11-23", true: date}[replace]
		if _, err := seal(func(r *pipeline.Request) { r.Date, r.Given, r.Backdate, r.Replace = day, noon(day), true, replace }); err == nil {
			t.Fatal("nothing failed")
		}
		world.Heal()
		if result, err := seal(func(r *pipeline.Request) { r.Date, r.Replace = day, replace }); err != nil || result.Date != day || result.Already {
			t.Errorf("%s that was left unsealed: %+v, %v", name, result, err)
		}
		world.Fault(simulated.Fault{Path: "/entrust/group/member/query.json", Do: simulated.Code(1002, "no such group")})
	}
}

// TestWhatWasFetchedByAClockThatWasAheadIsNotSealed: neither where the date is named, nor by the run of the next day.
func TestWhatWasFetchedByAClockThatWasAheadIsNotSealed(t *testing.T) {
	t.Parallel()
	world, n := small(t)
	ahead := time.Now().UTC().AddDate(1, 0, 0).Format(time.DateOnly)
	world.Fault(simulated.Fault{Path: "/entrust/group/member/query.json", Do: simulated.Code(1002, "no such group")})
	if _, err := n.run(func(r *pipeline.Request) { r.Date, r.Given = ahead, noon(ahead) }); err == nil {
		t.Fatal("nothing failed")
	}
	world.Heal()
	if _, err := n.run(func(r *pipeline.Request) { r.Date, r.Given = ahead, time.Now() }); fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "has not come yet") {
		t.Errorf("by its name: %v", err)
	}
	result, err := n.run(func(r *pipeline.Request) { r.Date, r.Given = "", time.Time{} })
	if today := state.Today(time.Now()); err != nil || result.Date == ahead || result.Date > today {
		t.Errorf("a run that names no date seals %s on %s: %v", result.Date, today, err)
	}
	if kept, err := state.Nights(n.state); err != nil || len(kept) != 1 || kept[0].Date != ahead {
		t.Errorf("%v is kept, %v", kept, err)
	}
}

func TestWhatWasFetchedForAnotherDateIsRefused(t *testing.T) {
	t.Parallel()
	world, n := small(t)
	world.Fault(simulated.Fault{Path: "/entrust/group/member/query.json", Do: simulated.Code(1002, "no such group")})
	if _, err := n.run(func(*pipeline.Request) {}); err == nil {
		t.Fatal("nothing failed")
	}
	world.Heal()
	if err := os.Rename(filepath.Join(n.state, date), filepath.Join(n.state, "2026-01-05")); err != nil {
		t.Fatal(err)
	}
	_, err := n.run(func(r *pipeline.Request) { r.Date, r.Given = "2026-01-05", noon(date) })
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "holds what was fetched for "+date) || !strings.Contains(fault.HintOf(err), "rename it") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}
