package cli

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline/explain"
)

// explains asks about pairs, groups and users, and holds their history against what was true.
func explains(t *testing.T, h *audited) {
	pairs := []pairOf{{h.group, h.moved}}
	for p := range h.truth[0] {
		if p.group == h.unread || len(pairs) < 6 {
			pairs = append(pairs, p)
		}
	}
	for _, p := range pairs {
		got := h.asked(t, "--group", p.group, "--user", p.user, "--source", "rongcloud.demo")
		if len(got.Subjects) != 1 || len(got.Subjects[0].History) != len(h.dates) {
			t.Fatalf("%v: %+v", p, got)
		}
		for i, n := range got.Subjects[0].History {
			role, there := h.truth[i][p]
			if there && (n.State != explain.IsMember || n.Role != role) || !there && n.State != explain.NotMember {
				t.Errorf("%v on %s: %+v; true is %q, %v", p, n.Date, n, role, there)
			}
		}
	}
	var events []string
	for _, n := range h.asked(t, "--group", h.group, "--user", h.moved).Subjects[0].History {
		events = append(events, n.Event)
	}
	if !slices.Equal(events, []string{"", "joined", "role changed", "", "left"}) {
		t.Errorf("who came, rose and went: %q", events)
	}
	stranger := h.asked(t, "--group", h.unread, "--user", "nobody", "--source", "rongcloud.demo").Subjects[0].History
	if stranger[1].State != explain.NotMember || stranger[2].State != explain.CantTell || stranger[2].Why != "the group is failed, the user is not known" || stranger[3].Event != "" {
		t.Errorf("a stranger in a group that was not read: %+v", stranger)
	}
	h.explainsGroups(t)
	for _, c := range []struct{ args, message, hint string }{
		{"explain", "it is not said what to explain", "--group ID"},
		{"explain --group nowhere", `none of 5 snapshots in `, "byte for byte"},
		{"explain --user u0000001 --since never", `--since "never" is no date`, "2026-11-21"},
		{"explain --user u0000001 --limit -1", "below zero", "0 or more"},
		{"explain --user u0000001 --date 2026-01-01", "no snapshot of 2026-01-01", "rollcall snapshots"},
	} {
		got := h.run(t, strings.Fields(c.args)...)
		if got.code != ChangeFirst || !strings.Contains(got.stderr, c.message) || !strings.Contains(got.stderr, c.hint) {
			t.Errorf("%s ended with %d: %s", c.args, got.code, got.stderr)
		}
	}
	h.readable(t)
}

func (h *audited) asked(t *testing.T, args ...string) explain.Answer {
	t.Helper()
	var answer explain.Answer
	got := h.run(t, append([]string{"explain", "--json", "--limit", "1000"}, args...)...)
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != Done {
		t.Fatalf("explain %q ended with %d: %s%s (%v)", args, got.code, got.stdout, got.stderr, err)
	}
	return answer
}

// explainsGroups asks about a whole group and a whole user.
func (h *audited) explainsGroups(t *testing.T) {
	users, groups := map[string]string{}, map[string]string{}
	for p, role := range h.truth[3] {
		if p.group == h.group {
			users[p.user] = role
		}
		if p.user == "u0000001" {
			groups[p.group] = role
		}
	}
	for _, c := range []struct {
		args []string
		want map[string]string
		id   func(explain.Member) string
	}{
		{[]string{"--group", h.group}, users, func(m explain.Member) string { return m.UserID }},
		{[]string{"--user", "u0000001"}, groups, func(m explain.Member) string { return m.GroupID }},
	} {
		s := h.asked(t, append(c.args, "--source", "rongcloud.demo", "--date", h.dates[3])...).Subjects[0]
		got := map[string]string{}
		for _, m := range s.Members {
			got[c.id(m)] = deref(m.Role)
		}
		if !maps.Equal(got, c.want) || s.Total != int64(len(c.want)) || len(s.Outcomes) == 0 || s.Outcomes[0].Requests == 0 {
			t.Errorf("%q: %v, want %v; %+v", c.args, got, c.want, s.Outcomes)
		}
	}
	failed := h.asked(t, "--group", h.unread, "--source", "rongcloud.demo", "--date", h.dates[2], "--since", h.dates[1]).Subjects[0]
	if failed.Now.Group.Verdict != "failed" || len(failed.Outcomes) != 1 || failed.Outcomes[0].Outcome != "failed" || len(failed.History) != 4 {
		t.Errorf("the group that was not read: %+v", failed)
	}
}

// readable holds what a person reads; times differ from run to run.
func (h *audited) readable(t *testing.T) {
	var text strings.Builder
	for _, args := range [][]string{
		{"--group", h.group, "--user", h.moved, "--date", h.dates[3]},
		{"--group", h.group, "--user", h.moved},
		{"--group", h.unread, "--source", "rongcloud.demo", "--date", h.dates[2], "--limit", "2"},
		{"--user", h.moved, "--date", h.dates[1]},
	} {
		got := h.run(t, append([]string{"explain"}, args...)...)
		if got.code != Done {
			t.Errorf("explain %q ended with %d: %s", args, got.code, got.stderr)
		}
		text.WriteString(got.stdout + "---\n")
	}
	moments := regexp.MustCompile(`2026-11-\d\dT\d\d:\d\d:\d\dZ`)
	golden(t, "explain", moments.ReplaceAllString(text.String(), "MOMENT"))
}
