package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline/state"
	"rollcall/schema/fault"
)

// me is who opens folders in tests.
var me = state.Holder{PID: 4711, Host: "batch-1", Command: "run", Since: time.Date(2026, 11, 21, 1, 5, 0, 0, time.UTC)}

func open(t *testing.T, dir string) *state.Folder {
	t.Helper()
	f, err := state.Open(state.Options{Path: dir, Random: func() uint64 { return 7 }, Holder: me})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestASecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	_, err := state.Open(state.Options{Path: dir, Random: func() uint64 { return 8 }})
	held := &state.HeldError{}
	if !errors.As(err, &held) || held.Folder != dir || held.Holder != me {
		t.Fatalf("got %v, want HeldError", err)
	}
	if want := "another run is at work in the state folder " + dir + ": process 4711 on batch-1 (rollcall run), since 2026-11-21T01:05:00Z"; err.Error() != want {
		t.Errorf("it says %q, want %q", err, want)
	}
	first.Close()
	if again := open(t, dir); again.Owner != first.Owner {
		t.Fatalf("the folder changed its name from %s to %s", first.Owner, again.Owner)
	}
}

func TestANightIsTakenUpForADay(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	began := time.Date(2026, 11, 21, 23, 50, 0, 0, time.UTC)
	pendingAt := func(now time.Time) (string, error) {
		nights, err := f.Nights()
		return state.Pending(nights, now), err
	}
	if pending, err := pendingAt(began); err != nil || pending != "" {
		t.Fatalf("an empty folder has a pending date %q, %v", pending, err)
	}
	for _, date := range []string{"2026-11-21", "2026-11-01"} {
		at := began
		if date == "2026-11-01" {
			at = began.Add(-20 * 24 * time.Hour)
		}
		if _, resumed, err := f.Begin(date, []string{"data: a"}, at); err != nil || resumed {
			t.Fatalf("begin %s: resumed %v, %v", date, resumed, err)
		}
	}
	if pending, _ := pendingAt(began.Add(15 * time.Minute)); pending != "2026-11-21" {
		t.Errorf("after midnight the pending date is %q", pending)
	}
	if pending, _ := pendingAt(began.Add(24*time.Hour - 20*time.Minute)); pending != "" {
		t.Errorf("after a day the pending date is still %q", pending)
	}
	night, resumed, err := f.Begin("2026-11-21", []string{"data: a"}, began.Add(time.Hour))
	if err != nil || !resumed || night.Generation != 2 || !night.Started.Equal(began) {
		t.Fatalf("resumed %v, night %+v, %v", resumed, night, err)
	}
	if err := f.Forget(night.Date); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(night.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the night is still there: %v", err)
	}
}

func TestAChangedConfigurationIsRefusedInWordsOnceThereAreAnswers(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	now := time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC)
	then := []string{"data a: users staff", "source x: app 1", "ids old: o.txt"}
	night, _, err := f.Begin("2026-11-21", then, now)
	if err != nil {
		t.Fatal(err)
	}
	changed := []string{"data a: users vip", "source x: app 1", "ids new: n.txt"}
	if _, _, err := f.Begin("2026-11-21", changed, now); err != nil {
		t.Fatalf("without an answer the configuration may change: %v", err)
	}
	if _, _, err := f.Begin("2026-11-21", then, now); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(night.Spool(), "run-000001-000001"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, _, err = f.Begin("2026-11-21", changed, now)
	if fault.KindOf(err) != fault.Configuration {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{`data a was "users staff" and is now "users vip"`, "ids old is gone", "ids new is new"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if !strings.Contains(fault.HintOf(err), "`rollcall run --date 2026-11-21 --discard`") {
		t.Errorf("the hint %q does not say how to begin anew", fault.HintOf(err))
	}
}

func TestADamagedNightSaysWhatToDo(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	night, _, err := f.Begin("2026-11-21", nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(night.Path, "night.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Begin("2026-11-21", nil, time.Now()); err == nil || !strings.Contains(fault.HintOf(err), "remove the folder") {
		t.Fatalf("got %v, hint %q", err, fault.HintOf(err))
	}
}

func TestWhenVendorsWereLastAskedIsRemembered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	if last, known, err := f.Asking(); !last.IsZero() || !known || err != nil {
		t.Errorf("a new folder says %v, %v, %v", last, known, err)
	}
	at := time.Date(2026, 11, 21, 3, 4, 5, 678, time.UTC)
	if err := f.Asked(at); err != nil {
		t.Fatal(err)
	}
	f.Close()
	again := open(t, dir)
	if last, known, err := again.Asking(); !last.Equal(at) || !known || err != nil {
		t.Errorf("it remembers %v, %v, %v", last, known, err)
	}
	if _, known, _ := again.Asking(); known {
		t.Error("a run that ended without a word is taken for one that asked nothing")
	}
}
