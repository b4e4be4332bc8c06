package acceptance

import (
	"context"
	"database/sql"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"rollcall/schema"
	"rollcall/sinks"
	"rollcall/sinks/local"
	"rollcall/sinks/parquet"
)

// Query asks DuckDB and gives all rows. Rows of other tests can't be seen: each question has a
// database of its own.
func Query(t testing.TB, question string) [][]any {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), question)
	if err != nil {
		t.Fatalf("%v\n%s", err, question)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]any
	for rows.Next() {
		row, into := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%v\n%s", err, question)
	}
	return all
}

// Table is a snapshot's table as SQL can read from it, snapshot_date included: all dates that lie
// under root, a sink's folder or a bucket's.
func Table(root, table string) string {
	glob := filepath.Join(root, table, "*", "*.parquet")
	return "read_parquet('" + strings.ReplaceAll(glob, "'", "''") + "', hive_partitioning = true)"
}

// duckTypes says what DuckDB makes of the types of package schema.
func duckTypes() map[string]string {
	return map[string]string{"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP WITH TIME ZONE"}
}

// CheckColumns demands that every table under root has the documented columns with the declared
// types, and the partition as a date.
func CheckColumns(t testing.TB, root string) {
	t.Helper()
	for _, table := range schema.Tables() {
		var want [][]any
		for _, column := range table.Columns {
			want = append(want, []any{column.Name, duckTypes()[column.Type]})
		}
		want = append(want, []any{"snapshot_date", "DATE"})
		got := Query(t, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+Table(root, table.Name)+")")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s has the columns\n%v, want\n%v", table.Name, got, want)
		}
	}
}

// snapshot is the tables of one date, those that a test cares about with rows.
type snapshot struct {
	memberships []schema.Membership
}

// files writes all seven tables and gives their files by path in the sink.
func (s snapshot) files(t *testing.T, date string) map[string]parquet.File {
	t.Helper()
	dir := t.TempDir()
	all := slices.Concat(
		write(t, dir, "memberships", s.memberships), write[schema.Group](t, dir, "groups", nil), write[schema.User](t, dir, "users", nil),
		write[schema.KeyOutcome](t, dir, "outcomes", nil), write[schema.Discrepancy](t, dir, "discrepancies", nil),
		write[schema.Change](t, dir, "changes", nil), write[schema.SourceFigures](t, dir, "sources", nil))
	files := map[string]parquet.File{}
	for _, file := range all {
		files[file.Table+"/snapshot_date="+date+"/"+file.Name] = file
	}
	return files
}

func write[Row any](t *testing.T, dir, name string, rows []Row) []parquet.File {
	t.Helper()
	tables := schema.Tables()
	table := tables[slices.IndexFunc(tables, func(table schema.Table) bool { return table.Name == name })]
	w := parquet.NewWriter[Row](dir, table, parquet.Options{})
	if err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	files, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// seal seals the snapshot of date in sink.
func (s snapshot) seal(t *testing.T, sink sinks.Sink, date string) {
	t.Helper()
	lock, err := sink.Lock(t.Context(), sinks.Owner{State: t.Name(), Date: date, Since: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release(context.Background())
	staging, err := sink.Begin(t.Context(), lock, date, filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	for path, file := range s.files(t, date) {
		if err := staging.Put(t.Context(), path, file.LocalPath, file.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	if err := staging.Seal(t.Context(), sinks.ManifestPath(date), []byte(`{"date":"`+date+`"}`+"\n")); err != nil {
		t.Fatal(err)
	}
}

// places are the two sinks, each with the folder in which its files can be read.
func places() map[string]func(t *testing.T) (sinks.Sink, string) {
	return map[string]func(t *testing.T) (sinks.Sink, string){
		"local": func(t *testing.T) (sinks.Sink, string) {
			root := t.TempDir()
			sink, err := local.Open(local.Config{Path: root, Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			return sink, root
		},
		"s3": func(t *testing.T) (sinks.Sink, string) {
			server := S3(t)
			return open(t, server, "im", nil), filepath.Join(server.Folder, "im")
		},
	}
}

func TestAnEmptySnapshotHasAllColumnsWithTheirTypes(t *testing.T) {
	t.Parallel()
	for name, place := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink, root := place(t)
			snapshot{}.seal(t, sink, "2026-11-21")
			CheckColumns(t, root)
			for _, table := range schema.Tables() {
				if got := Query(t, "SELECT count(*) FROM "+Table(root, table.Name)); got[0][0] != int64(0) {
					t.Errorf("%s has %v rows", table.Name, got[0][0])
				}
			}
		})
	}
}

func TestDuckDBReadsWhatWasSealed(t *testing.T) {
	t.Parallel()
	role, joined, yes := "admin", int64(1_795_000_000_123_456), true
	night := snapshot{memberships: []schema.Membership{
		{Source: "a.b", GroupID: "g1", UserID: "u1", Role: &role, JoinedAt: &joined, InUserView: &yes},
		{Source: "a.b", GroupID: "g1", UserID: "ü2"},
	}}
	for name, place := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink, root := place(t)
			night.seal(t, sink, "2026-11-21")
			snapshot{}.seal(t, sink, "2026-11-22")
			got := Query(t, "SELECT user_id, role, epoch_us(joined_at), in_user_view, disputed, snapshot_date::VARCHAR FROM "+Table(root, "memberships")+" ORDER BY user_id")
			want := [][]any{{"u1", "admin", joined, true, false, "2026-11-21"}, {"ü2", nil, nil, nil, false, "2026-11-21"}}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if got := Query(t, "SELECT count(*) FROM "+Table(root, "memberships")+" WHERE snapshot_date = DATE '2026-11-22'"); got[0][0] != int64(0) {
				t.Errorf("the other night has %v rows", got[0][0])
			}
		})
	}
}
