package plan_test

import (
	"strings"
	"testing"

	"rollcall/pipeline/job"
)

func TestAPlanComparesListsWithTheRunBefore(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(21), 1e6).block("rongcloud_user_groups", users("rc_users"))
	n.job.Lists = n.job.Lists[1:2] // as a configuration has it: those that are used
	n.job.Checks = job.BuiltIn()
	all := int64(len(n.job.Lists[0].Values))
	if all < 30 {
		t.Fatalf("%d users", all)
	}
	first := n.plan(before)
	if len(first.Lists) != 1 || first.Lists[0].Name != "rc_users" || first.Lists[0].IDs != all || first.Lists[0].Before != nil || first.ListsBase != "" {
		t.Errorf("before the first run: %+v, base %q", first.Lists, first.ListsBase)
	}
	n.sealed(before)
	same := n.plan(tonight)
	if l := same.Lists[0]; l.Before == nil || *l.Before != all || same.ListsBase != before || len(same.Warnings) > 0 {
		t.Errorf("the same list: %+v, base %q, warnings %v", l, same.ListsBase, same.Warnings)
	}
	n.job.Lists[0].Values = n.job.Lists[0].Values[:5]
	cut := n.plan(tonight)
	if l := cut.Lists[0]; l.IDs != 5 || *l.Before != all {
		t.Errorf("a list that was cut: %+v", l)
	}
	if len(cut.Warnings) != 1 || !strings.Contains(cut.Warnings[0].Text, "ids.rc_users: 5 IDs, ") || !strings.Contains(cut.Warnings[0].Text, "the check list_shrunk would keep a run from sealing") {
		t.Errorf("warnings %+v", cut.Warnings)
	}
	if earlier := n.plan("2026-11-01"); earlier.Lists[0].Before != nil || earlier.ListsBase != "" || earlier.Base == "" {
		t.Errorf("a date before all others: %+v, base %q, figures of %q", earlier.Lists, earlier.ListsBase, earlier.Base)
	}
}
