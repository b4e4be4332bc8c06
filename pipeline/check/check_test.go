package check_test

import (
	"testing"

	"rollcall/pipeline/check"
	"rollcall/pipeline/job"
	"rollcall/sinks/manifest"
)

func sealed(date string, rows map[string]int64) manifest.Manifest {
	m := manifest.Manifest{Date: date, Roles: map[string]map[string]int64{"v.prod": {"Owner": 2, "Member": 10}}}
	for table, n := range rows {
		m.Files = append(m.Files, manifest.File{Table: table, Rows: n - n/2}, manifest.File{Table: table, Rows: n / 2})
	}
	return m
}

func share(percent float64) job.Tolerance { return job.Tolerance{Share: percent / 100} }

func TestWhatIsMeasuredAndWhatItComesTo(t *testing.T) {
	t.Parallel()
	base := sealed("2026-11-20", map[string]int64{"memberships": 1000, "users": 1})
	tonight := sealed("2026-11-21", map[string]int64{"memberships": 950, "groups": 3})
	tonight.Roles = map[string]map[string]int64{"v.prod": {"Owner": 2, "Auditor": 1, "Robot": 1200}, "w.prod": {"x": 1}}
	tonight.Ownership = manifest.Ownership{Judged: 400, Ownerless: 8}
	crowd := tonight
	crowd.Roles = map[string]map[string]int64{"v.prod": {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1}}
	uncounted := base
	uncounted.Roles = nil
	for _, c := range []struct {
		name     string
		check    job.Check
		tonight  manifest.Manifest
		base     *manifest.Manifest
		pass     bool
		measured string
		limit    string
	}{
		{"as many are lost as may be", job.Check{Kind: job.Drop, Table: "memberships", Limit: share(5)}, tonight, &base, true, "memberships: 950 rows, 1,000 on 2026-11-20 (50 fewer, 5%)", "5%"},
		{"too many are lost", job.Check{Kind: job.Drop, Table: "memberships", Limit: share(4.99)}, tonight, &base, false, "memberships: 950 rows, 1,000 on 2026-11-20 (50 fewer, 5%)", "4.99%"},
		{"too many by number", job.Check{Kind: job.Drop, Table: "memberships", Limit: job.Tolerance{Count: 49}}, tonight, &base, false, "memberships: 950 rows, 1,000 on 2026-11-20 (50 fewer, 5%)", "49"},
		{"a table that grows", job.Check{Kind: job.Drop, Table: "groups"}, tonight, &base, true, "groups: 3 rows, 0 on 2026-11-20", "0"},
		{"no base", job.Check{Kind: job.Drop, Table: "groups"}, tonight, nil, true, "there is no earlier snapshot to compare with", "0"},
		{"a table emptied", job.Check{Kind: job.Emptied}, tonight, &base, false, "users has no rows, and had 1 on 2026-11-20", ""},
		{"another table", job.Check{Kind: job.Emptied, Table: "memberships"}, tonight, &base, true, "memberships: nothing that had rows on 2026-11-20 is empty", ""},
		{"empty on both nights", job.Check{Kind: job.Emptied, Table: "changes"}, tonight, &base, true, "changes: nothing that had rows on 2026-11-20 is empty", ""},
		{"new roles", job.Check{Kind: job.NewRoles}, tonight, &base, false, `not there up to 2026-11-20: v.prod has "Auditor" (1 membership), v.prod has "Robot" (1,200 memberships); no roles of w.prod to compare with`, ""},
		{"many new roles", job.Check{Kind: job.NewRoles}, crowd, &base, false, `not there up to 2026-11-20: v.prod has "a" (1 membership), v.prod has "b" (1 membership), v.prod has "c" (1 membership), v.prod has "d" (1 membership), v.prod has "e" (1 membership), and 2 more`, ""},
		{"roles gone and new", job.Check{Kind: job.NewRoles}, base, &tonight, false, `not there up to 2026-11-21: v.prod has "Member" (10 memberships)`, ""},
		{"the same roles", job.Check{Kind: job.NewRoles}, base, &base, true, "no role that was not there up to 2026-11-20", ""},
		{"roles not counted then", job.Check{Kind: job.NewRoles}, tonight, &uncounted, true, "no snapshot up to that of 2026-11-20 counted roles", ""},
		{"few ownerless", job.Check{Kind: job.Ownerless, Limit: share(2)}, tonight, nil, true, "8 of 400 groups read whole have no owner (2%)", "2%"},
		{"too many ownerless", job.Check{Kind: job.Ownerless, Limit: job.Tolerance{Count: 7}}, tonight, nil, false, "8 of 400 groups read whole have no owner (2%)", "7"},
		{"empty groups are told apart", job.Check{Kind: job.Ownerless, Limit: share(2)}, withEmpty(tonight, 12), nil, true, "8 of 400 groups read whole have no owner (2%); 12 empty groups not counted", "2%"},
		{"all groups are empty", job.Check{Kind: job.Ownerless}, withEmpty(base, 1), nil, true, "no group was read whole with roles, so that its owner could be told; 1 empty group not counted", "0"},
		{"no owner can be told", job.Check{Kind: job.Ownerless}, base, nil, true, "no group was read whole with roles, so that its owner could be told", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check.Name = "x"
			for _, how := range []struct {
				warn     bool
				accepted []string
				result   string
				refused  int
			}{
				{false, nil, check.Fail, 1},
				{false, []string{"y"}, check.Fail, 1},
				{false, []string{"y", "x"}, check.Accepted, 0},
				{true, []string{"x"}, check.Warn, 0},
			} {
				c.check.Warn = how.warn
				if c.pass {
					how.result, how.refused = check.Pass, 0
				}
				got := check.Look([]job.Check{c.check}, how.accepted, c.tonight, c.base)
				want := manifest.Check{Name: "x", Kind: string(c.check.Kind), Result: how.result, Measured: c.measured, Limit: c.limit}
				if len(got) != 1 || got[0] != want {
					t.Errorf("%+v:\n got %+v\nwant %+v", how, got, want)
				}
				if n := len(check.Refused(got)); n != how.refused {
					t.Errorf("%+v: %d refused", how, n)
				}
			}
		})
	}
}

// withEmpty is m with so many empty groups.
func withEmpty(m manifest.Manifest, n int64) manifest.Manifest {
	m.Ownership.Empty = &n
	return m
}
