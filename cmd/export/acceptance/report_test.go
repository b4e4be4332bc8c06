package acceptance

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"rollcall/sources/simulated"
)

// tenNights seals ten nights with their pages, some of them with keys that can't be read, and gives the last page.
func tenNights(t *testing.T) (s *site, page string) {
	t.Helper()
	o := simulated.Options{Seed: 11, Users: 60, Groups: 14, Limits: wide()}
	s = newSite(t, o, localSink+"\nsnapshot {\n  tolerate_failed = 20\n  report = true\n  check \"owners\" {\n    ownerless = 0\n    action    = \"warn\"\n  }\n}")
	begin := time.Date(2026, 11, 12, 0, 0, 0, 0, time.UTC)
	rong := slices.Collect(s.world.RongCloud.Truth().Memberships())
	for night := range 10 {
		date, code := begin.AddDate(0, 0, night).Format(time.DateOnly), 0
		s.world.RongCloud.RemoveMember(rong[3*night].Group, rong[3*night].User)
		s.world.RongCloud.SetRole(rong[3*night+1].Group, rong[3*night+1].User, simulated.Owner)
		if night%3 == 0 {
			code = 3
			s.world.Fault(simulated.Fault{Path: simulated.PathGroupMembers, Key: rong[0].Group, Do: simulated.Code(1002, "not <b>now</b>")})
			s.world.Fault(simulated.Fault{Path: simulated.PathUserGroups, Key: rong[1].User, Do: simulated.Code(1002, "not now")})
		}
		stdout, _ := s.run(code, "run", "--date", date, "--progress", "none")
		s.world.Heal()
		page = filepath.Join(s.dir, "snapshots", "_reports", date+".html")
		if want := regexp.MustCompile(`\n  report: .*` + regexp.QuoteMeta(page) + "\n"); !want.MatchString(stdout) {
			t.Errorf("the run does not say where its page is:\n%s", stdout)
		}
	}
	return s, page
}

// TestTheReportOfTenNightsSaysWhatDuckDBCounts holds what the page says of a night against its Parquet files.
func TestTheReportOfTenNightsSaysWhatDuckDBCounts(t *testing.T) {
	t.Parallel()
	s, page := tenNights(t)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	made, _ := s.run(0, "report", "2026-11-21")
	if made != string(text) {
		t.Error("rollcall report gives another page than the run wrote")
	}
	shown := map[string]string{}
	for _, m := range regexp.MustCompile(`<data value="([^"]*)" data-figure="([^"]*)">`).FindAllStringSubmatch(made, -1) {
		shown[html.UnescapeString(m[2])] = m[1]
	}
	table := func(name string) string {
		return fmt.Sprintf("read_parquet('%s/snapshots/%s/snapshot_date=2026-11-21/*.parquet')", s.dir, name)
	}
	recounted := 0
	for _, question := range []string{
		"SELECT 'rows.memberships', count(*) FROM " + table("memberships"),
		"SELECT 'rows.discrepancies', count(*) FROM " + table("discrepancies"),
		"SELECT 'table.users', count(*) FROM " + table("users"),
		"SELECT 'verdicts.groups.' || verdict, count(*) FROM " + table("groups") + " GROUP BY 1",
		"SELECT 'verdicts.users.' || verdict, count(*) FROM " + table("users") + " GROUP BY 1",
		"SELECT 'outcomes.' || data || '.' || outcome, count(*) FROM " + table("outcomes") + " GROUP BY 1",
		"SELECT 'reasons.' || data || '.' || outcome || '.' || coalesce(vendor_code, ''), count(*) FROM " + table("outcomes") + " WHERE outcome <> 'ok' GROUP BY 1",
		"SELECT 'keys.missing', count(*) FROM " + table("outcomes") + " WHERE outcome IN ('failed', 'denied')",
		"SELECT 'changes.' || change, count(*) FROM " + table("changes") + " GROUP BY 1",
		"SELECT 'group.' || source || '.' || group_id || '.members', collected_members FROM (SELECT * FROM " + table("groups") + " ORDER BY collected_members DESC LIMIT 5)",
		"SELECT 'requests', sum(requests) FROM " + table("sources"),
	} {
		for _, row := range Query(t, question) {
			recounted++
			if name := fmt.Sprint(row[0]); shown[name] != fmt.Sprint(row[1]) {
				t.Errorf("%s: the page has %q, DuckDB counts %v", name, shown[name], row[1])
			}
		}
	}
	if recounted < 25 {
		t.Errorf("only %d figures were recounted", recounted)
	}
}

func TestTheReportOfTenNightsCanBeReadOnAnyScreen(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	_, page := tenNights(t)
	look(t, ctx, page)
}
