package acceptance

import (
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall/schema"
)

// readers names the folder into which .ci/readers fetches what is no part of the engine or of Go.
const readers = "ROLLCALL_READERS"

// fetched gives what a pattern below that folder names, or skips the test.
func fetched(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.Getenv(readers), pattern))
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(readers) == "" || len(found) == 0 {
		t.Skipf("there is no %s below %s=%q: run .ci/readers", pattern, readers, os.Getenv(readers))
	}
	return found
}

// extensions lays DuckDB's extensions for buckets where this engine looks for them.
func extensions(t *testing.T) (folder string) {
	t.Helper()
	engine := Query(t, "SELECT version(), platform FROM pragma_platform()")[0]
	folder = t.TempDir()
	place := filepath.Join(folder, engine[0].(string), engine[1].(string))
	if err := os.MkdirAll(place, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range fetched(t, "duckdb-*/*/extensions/"+engine[0].(string)+"/*.duckdb_extension") {
		if err := os.Symlink(path, filepath.Join(place, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// desk is one connection to a DuckDB of its own that has carried out a script.
type desk struct {
	t  *testing.T
	db *sql.DB
}

func newDesk(t *testing.T, script string, settings ...string) *desk {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1) // views and variables belong to a connection
	for _, text := range append(settings, script) {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	return &desk{t, db}
}

// ask gives the rows of a query, a line each with | between the columns, sorted.
func (d *desk) ask(query string) []string {
	d.t.Helper()
	rows, err := d.db.QueryContext(d.t.Context(), query)
	if err != nil {
		d.t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	lines := []string{}
	for rows.Next() {
		row, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			d.t.Fatal(err)
		}
		var cells []string
		for _, cell := range row {
			cells = append(cells, cell.String)
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	if err := rows.Err(); err != nil {
		d.t.Fatalf("%v\n%s", err, query)
	}
	slices.Sort(lines)
	return lines
}

// views are all that a script made.
func (d *desk) views() []string {
	return d.ask("SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal")
}

func (d *desk) want(query string, want []string) {
	d.t.Helper()
	slices.Sort(want)
	if got := d.ask(query); !slices.Equal(got, want) {
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				d.t.Errorf("%s\ngives %d rows, want %d; they part at row %d:\n got %q\nwant %q", query, len(got), len(want), i, at(got, i), at(want, i))
				return
			}
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}

func TestTheDuckDBScriptWorksWithoutASnapshot(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(), localSink)
	script, _ := s.run(0, "sql", "duckdb")
	d := newDesk(t, script)
	views := d.views()
	if len(views) < 3*len(schema.Tables()) {
		t.Errorf("the script makes %v", views)
	}
	for _, view := range views {
		d.want(fmt.Sprintf("SELECT * FROM %q", view), nil)
	}
}

// Where DuckDB would misread a folder's name it shows no snapshot, or values of the path, and says nothing.
func TestTheDuckDBScriptReadsAFolderOfAnyNameOrIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, handful(), localSink)
	s.run(0, "run", "--progress", "none")
	config, err := os.ReadFile(filepath.Join(s.dir, "rollcall.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	const query = "SELECT count(*), count(DISTINCT group_id), min(snapshot_date) = max(snapshot_date) FROM memberships UNION ALL SELECT count(*), 0, true FROM sealed_files"
	script, _ := s.run(0, "sql", "duckdb")
	want := newDesk(t, script).ask(query)
	var folders []string
	for _, c := range " !\"#$%&'()*+,-:;<=>?@[\\]^_`{|}~" {
		folders = append(folders, fmt.Sprintf("a%cb", c))
	}
	folders = append(folders, "a[!b]", "[]]", "**", "%3D", "%2F", "a%20b", "{a,b}", "year=2026", "x=1/snapshot_date", "SNAPSHOT_DATE=2020-01-01/deep", "snapshot_date=2020-01-01", "group_id=5", "Role=owner/deep", "Ü 张")
	refused := 0
	for _, folder := range folders {
		place := filepath.Join(s.dir, "odd", folder)
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(place, os.DirFS(filepath.Join(s.dir, "snapshots"))); err != nil {
			t.Fatal(err)
		}
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace("odd/" + folder)
		s.write("odd.hcl", strings.Replace(string(config), s.sink, `sink "local" "odd" { path = "`+quoted+`" }`, 1))
		code, script, stderr := Run(t, s.dir, s.env, "sql", "duckdb", "--config", "odd.hcl")
		if code == 2 && strings.Contains(stderr, "DuckDB") {
			refused++
			continue
		}
		if code != 0 {
			t.Fatalf("%s: exit code %d: %s", folder, code, stderr)
		}
		if got := newDesk(t, script).ask(query); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", folder, got, want)
		}
	}
	if refused != 5 { // a backslash, and four named like columns
		t.Errorf("%d of %d folders are refused", refused, len(folders))
	}
}

func TestTheDuckDBScriptShowsWhatIsSealedAndNothingElse(t *testing.T) {
	h := newHistory(t)
	script, _ := h.run(0, "sql", "duckdb")
	before := newDesk(t, script)
	h.litter()
	after := newDesk(t, script)
	for _, view := range before.views() {
		if query := fmt.Sprintf("SELECT * FROM %q", view); !reflect.DeepEqual(before.ask(query), after.ask(query)) {
			t.Errorf("%s shows what no manifest names", view)
		}
	}
	h.check(after)
	t.Run("in a bucket", h.inBucket)
}

// inBucket has the engine read a copy on a real S3 server by the script's own means. It needs DuckDB's
// extensions, which are no part of the engine.
func (h *history) inBucket(t *testing.T) {
	folder := extensions(t)
	server := S3(t)
	for _, setting := range server.Env() { // the engine lives in this process
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
	if err := filepath.WalkDir(h.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		server.Put(t, "lake/ü 1/"+filepath.ToSlash(strings.TrimPrefix(path, h.root+string(filepath.Separator))), content)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(h.dir, "rollcall.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	lake := fmt.Sprintf("sink \"s3\" \"lake\" {\n  bucket   = %q\n  prefix   = \"lake/ü 1\"\n  endpoint = %q\n}", server.Bucket, server.Endpoint)
	h.write("lake.hcl", strings.Replace(string(config), h.sink, lake, 1))
	script, _ := h.run(0, "sql", "duckdb", "--config", "lake.hcl")
	d := newDesk(t, script, "SET extension_directory = '"+strings.ReplaceAll(folder, "'", "''")+"'")
	h.checkPeople(t, d)
	if got := d.ask("SELECT count(*) FROM sealed_files WHERE path LIKE 's3://" + server.Bucket + "/lake/ü 1/%'"); !slices.Equal(got, []string{"35"}) {
		t.Errorf("%v files are sealed in the bucket", got)
	}
}

// check holds every view against the nights' truth and their manifests.
func (h *history) check(d *desk) {
	var sealed, files, rows, latest, asOf []string
	for _, n := range h.nights {
		m := h.manifest(n.date)
		base := ""
		if m.ChangesBase != nil {
			base = *m.ChangesBase
		}
		sealed = append(sealed, fmt.Sprintf("%s|%d|%d|%s", n.date, m.Sequence, m.ExitCode, base))
		count := map[string]int64{}
		for _, f := range m.Files {
			files = append(files, fmt.Sprintf("%s|%s|%s|%d|%d|%s", n.date, f.Table, filepath.Join(h.root, f.Path), f.Size, f.Rows, f.SHA256))
			count[f.Table] += f.Rows
		}
		for table, c := range count {
			rows = append(rows, fmt.Sprintf("%s|%s|%d", table, n.date, c))
			switch n.date {
			case "2026-11-18":
				asOf = append(asOf, fmt.Sprintf("%s|%d", table, c))
			case "2026-11-21":
				latest = append(latest, fmt.Sprintf("%s|%d", table, c))
			}
		}
	}
	d.want("SELECT snapshot_date::VARCHAR, sequence, exit_code, changes_base::VARCHAR FROM snapshots", sealed)
	d.want("SELECT snapshot_date::VARCHAR, table_name, path, size, rows, sha256 FROM sealed_files", files)
	d.want(h.each("SELECT '%[1]s', d.snapshot_date::VARCHAR, count(t.source) FROM snapshots d LEFT JOIN %[1]s t USING (snapshot_date) GROUP BY ALL"), rows)
	d.want(h.each("SELECT '%[1]s', count(*) FROM %[1]s_latest"), latest)
	d.want(h.each("SELECT '%[1]s', count(*) FROM %[1]s_as_of WHERE as_of_date = DATE '2026-11-19'"), asOf)
	d.want("SELECT as_of_date::VARCHAR, snapshot_date::VARCHAR FROM as_of_dates WHERE as_of_date BETWEEN '2026-11-14' AND '2026-11-20'",
		[]string{"2026-11-15|2026-11-15", "2026-11-16|2026-11-16", "2026-11-17|2026-11-16", "2026-11-18|2026-11-18", "2026-11-19|2026-11-18", "2026-11-20|2026-11-20"})
	h.checkPeople(h.t, d)
}

// each asks the same of all seven tables.
func (h *history) each(query string) string {
	var all []string
	for _, table := range schema.Tables() {
		all = append(all, fmt.Sprintf(query, table.Name))
	}
	return strings.Join(all, " UNION ALL ")
}

// checkPeople holds what is said of people and groups against the truth of the world.
func (h *history) checkPeople(t *testing.T, d *desk) {
	t.Helper()
	var then, privileged, groups, ownerless []string
	last := h.nights[len(h.nights)-1]
	owned := map[[2]string]bool{}
	for _, n := range h.nights[:2] {
		for p, s := range n.members {
			then = append(then, fmt.Sprintf("%s|%s|%s|%s|%s", n.date, p.source, p.group, p.user, s.role))
		}
	}
	for p, s := range last.members {
		if s.role != "member" {
			privileged = append(privileged, fmt.Sprintf("%s|%s|%s|%s|exact", p.source, p.group, p.user, s.role))
		}
		owned[[2]string{p.source, p.group}] = owned[[2]string{p.source, p.group}] || s.role == "owner"
		groups = append(groups, fmt.Sprintf("%s|%s|%s|%s", p.source, p.user, p.group, s.role))
	}
	for key, g := range last.groups {
		if g.State == "ok" && !owned[key] {
			ownerless = append(ownerless, fmt.Sprintf("%s|%s|true", key[0], key[1]))
		}
	}
	d.want("SELECT snapshot_date::VARCHAR, source, group_id, user_id, role FROM memberships WHERE snapshot_date <= '2026-11-16'", then)
	d.want("SELECT source, group_id, user_id, role, group_verdict FROM owners_and_admins", privileged)
	d.want("SELECT source, group_id, certain::VARCHAR FROM groups_without_owner", ownerless)
	d.want("SELECT source, user_id, group_id, role FROM groups_of_user", groups)
	want := h.intervals()
	kinds := map[string]int{}
	for _, line := range want {
		kinds[line[strings.LastIndexByte(line, '|')+1:]]++
	}
	if kinds["left"] < 3 || kinds["role_changed"] < 2 || kinds[""] < 100 || len(kinds) != 3 {
		t.Fatalf("the nights are too dull to prove anything: %v", kinds)
	}
	d.want("SELECT source, group_id, user_id, role, from_date::VARCHAR, to_date::VARCHAR, last_seen::VARCHAR, ended_by FROM membership_history", want)
}
