package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// the rules of `left` and of what is certain, in SQL over the tables of two dates: the view that
// named the pair on the one night was read whole on both and does not name it on the other.
const differences = `
WITH a AS (FROM %[1]s WHERE snapshot_date = '%[3]s'), b AS (FROM %[1]s WHERE snapshot_date = '%[4]s'),
whole_groups AS (SELECT source, group_id FROM %[2]s WHERE snapshot_date IN ('%[3]s', '%[4]s') AND verdict IN ('exact', 'unverifiable') GROUP BY ALL HAVING count(*) = 2),
whole_users AS (SELECT source, user_id FROM %[5]s WHERE snapshot_date IN ('%[3]s', '%[4]s') AND verdict IN ('exact', 'unverifiable') GROUP BY ALL HAVING count(*) = 2),
pairs AS (
	SELECT source, group_id, user_id, a.role AS before, b.role AS after, a.user_id IS NOT NULL AS was, b.user_id IS NOT NULL AS is_there,
		coalesce(CASE WHEN b.user_id IS NULL THEN a.in_group_view ELSE b.in_group_view END, false) AS by_group,
		coalesce(CASE WHEN b.user_id IS NULL THEN a.in_user_view ELSE b.in_user_view END, false) AS by_user
	FROM a FULL JOIN b USING (source, group_id, user_id)
),
judged AS (
	SELECT *, by_group AND (source, group_id) IN (FROM whole_groups) OR by_user AND (source, user_id) IN (FROM whole_users) AS certain
	FROM pairs WHERE was <> is_there OR before <> after
)
SELECT concat_ws(' ', source, group_id, user_id, CASE WHEN NOT was THEN 'joined' WHEN is_there THEN 'role_changed' WHEN certain THEN 'left' ELSE 'unseen' END,
	CASE WHEN was AND is_there THEN '' ELSE certain::VARCHAR END) FROM judged ORDER BY ALL`

// TestDiffAndChangesAreWhatSQLMakesOfTheTables holds both against DuckDB, over a history with a
// failed group, failed users, departures, returns and changes of role.
func TestDiffAndChangesAreWhatSQLMakesOfTheTables(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	root := filepath.Join(t.TempDir(), "plain") // the folder's true name is no pattern for SQL
	if err := os.Symlink(h.root, root); err != nil {
		t.Fatal(err)
	}
	h.root = root
	kinds := map[string]int{}
	for i, from := range h.nights {
		for j, to := range h.nights {
			if i == j {
				continue
			}
			want := texts(Query(t, fmt.Sprintf(differences, Table(h.root, "memberships"), Table(h.root, "groups"), from.date, to.date, Table(h.root, "users"))))
			got, _ := h.diff(from.date, to.date, "memberships")
			if !slices.Equal(got, want) {
				t.Errorf("%s to %s:\n%s\nwant\n%s", from.date, to.date, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for _, line := range got {
				kinds[strings.Fields(line)[3]]++
			}
			if j == i+1 {
				seen := slices.DeleteFunc(slices.Clone(want), func(line string) bool { return strings.Contains(line, " unseen ") })
				changes := texts(Query(t, "SELECT concat_ws(' ', source, group_id, user_id, change, CASE WHEN change = 'role_changed' THEN '' ELSE certain::VARCHAR END) FROM "+Table(h.root, "changes")+" WHERE snapshot_date = '"+to.date+"' ORDER BY ALL"))
				if !slices.Equal(changes, seen) {
					t.Errorf("changes of %s:\n%s\nwant\n%s", to.date, strings.Join(changes, "\n"), strings.Join(seen, "\n"))
				}
			}
			h.tables(from.date, to.date)
		}
	}
	for _, kind := range []string{"joined", "left", "role_changed", "unseen"} {
		if kinds[kind] == 0 {
			t.Errorf("nothing is %s: the test shows nothing", kind)
		}
	}
}

// tables compares the other tables by SQL: keys that are new, gone, and those of which a column differs.
func (h *history) tables(from, to string) {
	h.t.Helper()
	for table, columns := range map[string][2]string{
		"groups":        {"source, group_id", "name, type, declared_members, collected_members, owners, admins, verdict"},
		"users":         {"source, user_id", "declared_groups, collected_groups, verdict"},
		"outcomes":      {"source, data, key", "outcome, rows, declared, vendor_code, message"},
		"discrepancies": {"source, group_id, user_id, kind", "user_view, group_view, role_view"},
	} {
		want := texts(Query(h.t, fmt.Sprintf(`
			WITH a AS (SELECT %[2]s, row(%[3]s) AS r FROM %[1]s WHERE snapshot_date = '%[4]s'), b AS (SELECT %[2]s, row(%[3]s) AS r FROM %[1]s WHERE snapshot_date = '%[5]s')
			SELECT concat_ws(' ', %[2]s, CASE WHEN a.r IS NULL THEN 'added' WHEN b.r IS NULL THEN 'removed' ELSE 'changed' END)
			FROM a FULL JOIN b USING (%[2]s) WHERE a.r IS DISTINCT FROM b.r ORDER BY ALL`, Table(h.root, table), columns[0], columns[1], from, to)))
		_, rows := h.diff(from, to, table)
		var got []string
		for _, r := range rows {
			var line []string
			for _, column := range strings.Split(columns[0], ", ") {
				line = append(line, r.Key[column])
			}
			got = append(got, strings.Join(append(line, r.Change), " "))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			h.t.Errorf("%s from %s to %s:\n%s\nwant\n%s", table, from, to, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// differs is one row of the program's answer.
type differs struct {
	Key     map[string]string `json:"key"`
	Change  string            `json:"change"`
	Certain bool              `json:"certain"`
}

// diff asks the program.
func (h *history) diff(from, to, table string) (lines []string, rows []differs) {
	h.t.Helper()
	var answer struct{ Rows []differs }
	out, _ := h.run(0, "diff", from, to, "--table", table, "--json", "--progress", "none")
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		h.t.Fatal(err)
	}
	for _, d := range answer.Rows {
		certain := fmt.Sprint(d.Certain)
		if d.Change == "role_changed" {
			certain = "" // which view gave the role is more than the tables tell
		}
		lines = append(lines, strings.Join([]string{d.Key["source"], d.Key["group_id"], d.Key["user_id"], d.Change, certain}, " "))
	}
	slices.Sort(lines)
	return lines, answer.Rows
}

// texts are the answers of a query with one column, sorted as Go sorts.
func texts(rows [][]any) (all []string) {
	for _, row := range rows {
		all = append(all, fmt.Sprint(row[0]))
	}
	slices.Sort(all)
	return all
}
