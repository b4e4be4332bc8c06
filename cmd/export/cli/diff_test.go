package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/pipeline/diff"

	"rollcall/schema/spelling"
)

// diffAnswer is the document that diff gives.
type diffAnswer struct {
	From, To side
	Rows     []diff.Difference
	Summary  diff.Summary
}

// differs is part of TestAuditorsCommands.
func differs(t *testing.T, h *audited) {
	// A person reads it.
	var text strings.Builder
	for _, args := range [][]string{
		{"2026-11-21", "2026-11-25"}, {"2026-11-22", "2026-11-23"}, {"2026-11-23", "2026-11-24"}, {"2026-11-24", "2026-11-25"}, {"2026-11-25", "2026-11-24"},
		{"2026-11-22", "2026-11-23", "--table", "outcomes"}, {"2026-11-22", "2026-11-23", "--table", "groups"}, {"2026-11-21", "2026-11-25", "--table", "users", "--limit", "1"},
		{"2026-11-22", "2026-11-23", "--table", "discrepancies"}, {"2026-11-21", "2026-11-22", "--user", h.moved, "--limit", "0"}, {"2026-11-21", "2026-11-22", "--group", "nobody"},
	} {
		got := h.run(t, append([]string{"diff"}, args...)...)
		if got.code != Done || got.stderr != "" {
			t.Errorf("diff %q ended with %d: %s", args, got.code, got.stderr)
		}
		text.WriteString("$ rollcall diff " + spelling.Visible(strings.Join(args, " ")) + "\n" + strings.ReplaceAll(got.stdout, h.sink, "snapshots") + "\n")
	}
	golden(t, "diff", text.String())

	// A script reads it.
	for _, dates := range [][2]int{{0, 1}, {1, 2}, {2, 4}, {4, 3}} {
		var answer diffAnswer
		got := h.run(t, "diff", h.dates[dates[0]], h.dates[dates[1]], "--json", "--exit-code")
		if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != Different || answer.From.Date != h.dates[dates[0]] || len(answer.To.Sum) != 64 {
			t.Fatalf("diff ended with %d: %v: %s%s", got.code, err, got.stdout, got.stderr)
		}
		before, after := h.truth[dates[0]], h.truth[dates[1]]
		for _, d := range answer.Rows {
			p := pairOf{d.Key["group_id"], d.Key["user_id"]}
			_, was := before[p]
			_, is := after[p]
			if d.Change == diff.Left && (!was || is) || d.Change == diff.Joined && d.Certain && (was || !is) {
				t.Errorf("%v: %+v; was %v, is %v", dates, d, was, is)
			}
		}
		if len(answer.Rows) == 0 || answer.Summary.Changes[answer.Rows[0].Change] == 0 {
			t.Errorf("%v: %+v", dates, answer.Summary)
		}
	}
	if got := h.run(t, "diff", "2026-11-22", "2026-11-22", "--exit-code"); got.code != Done || !strings.Contains(got.stdout, "no difference in memberships") {
		t.Errorf("a date and itself: %d, %s%s", got.code, got.stdout, got.stderr)
	}
	for _, c := range []struct{ args, message, hint string }{
		{"diff 2026-11-21", "takes two dates, and was given 1", "rollcall snapshots --config " + h.config},
		{"diff 2026-11-21 today", `"today" is no date`, "2026-11-21"},
		{"diff 2026-11-21 2026-12-24", "the nearest 2026-11-25", "rollcall snapshots"},
		{"diff 2026-11-21 2026-11-22 --table changes", `there is no table "changes" to compare`, "memberships, groups"},
		{"diff 2026-11-21 2026-11-22 --table users --group g", "can't be narrowed", "leave --group out"},
	} {
		got := h.run(t, strings.Fields(c.args)...)
		if got.code != ChangeFirst || !strings.Contains(got.stderr, c.message) || !strings.Contains(got.stderr, c.hint) {
			t.Errorf("%s ended with %d: %s", c.args, got.code, got.stderr)
		}
	}
	if err := os.Remove(filepath.Join(h.sink, "memberships/snapshot_date=2026-11-23/part-00000.parquet")); err != nil {
		t.Fatal(err)
	}
	if got := h.run(t, "diff", "2026-11-22", "2026-11-23"); got.code != Unexpected || !strings.Contains(got.stderr, "is missing, although the manifest of 2026-11-23 names it") || !strings.Contains(got.stderr, "rollcall verify 2026-11-23 --config "+h.config) {
		t.Errorf("a missing file: %d, %s", got.code, got.stderr)
	}
}
