package parquet_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	vendor "github.com/parquet-go/parquet-go"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks/parquet"
)

var update = flag.Bool("update", false, "write the golden files anew")

func table(t testing.TB, name string) schema.Table {
	t.Helper()
	for _, table := range schema.Tables() {
		if table.Name == name {
			return table
		}
	}
	t.Fatalf("no table %s", name)
	return schema.Table{}
}

func pointer[T any](v T) *T { return &v }

// member makes the i-th membership of a long table with every kind of null and empty text.
func member(i int) schema.Membership {
	m := schema.Membership{
		Source:  "rongcloud.prod",
		GroupID: fmt.Sprintf("g%05d", i/37),
		UserID:  fmt.Sprintf("u%07d", i),
	}
	if i%3 != 0 {
		m.Role, m.RoleRaw = pointer("member"), pointer("普通成员")
	}
	if i%2 == 0 {
		m.Nickname = pointer(strings.Repeat("名", i%5)) // empty at times
	}
	if i%19 == 0 {
		m.Extra = pointer("")
	}
	if i%7 != 0 {
		m.JoinedAt = pointer(int64(i%4) * 1_000_000) // zero at times
	}
	switch i % 5 {
	case 0:
		m.InUserView, m.InGroupView = pointer(true), pointer(false)
	case 1:
		m.InRoleView = pointer(true)
	}
	m.Disputed = i%11 == 0
	return m
}

func members(n int) []schema.Membership {
	rows := make([]schema.Membership, n)
	for i := range rows {
		rows[i] = member(i)
	}
	return rows
}

func write(t testing.TB, dir string, rows []schema.Membership, batch int, options parquet.Options) []parquet.File {
	t.Helper()
	w := parquet.NewWriter[schema.Membership](dir, table(t, "memberships"), options)
	for from := 0; from < len(rows); from += batch {
		if err := w.Write(rows[from:min(from+batch, len(rows))]); err != nil {
			t.Fatal(err)
		}
	}
	files, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readAll[Row any](t *testing.T, files []parquet.File) []Row {
	t.Helper()
	var rows []Row
	for _, f := range files {
		for row, err := range parquet.ReadFile[Row](f.LocalPath) {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, *row)
		}
	}
	return rows
}

func TestRowsComeBackWithTheirNulls(t *testing.T) {
	t.Parallel()
	want := members(20_000)
	files := write(t, t.TempDir(), want, 777, parquet.Options{RowsPerFile: 15_000})
	got := readAll[schema.Membership](t, files)
	if len(got) != len(want) {
		t.Fatalf("%d rows came back of %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("row %d:\n got %+v\nwant %+v", i, got[i], want[i])
		}
	}
}

func TestFilesAreCutByRowCountAndDescribeThemselves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := write(t, dir, members(250), 64, parquet.Options{RowsPerFile: 100})
	if len(files) != 3 {
		t.Fatalf("%d files, want 3", len(files))
	}
	first := 0
	for i, f := range files {
		want := min(100, 250-first)
		if f.Rows != int64(want) || f.Table != "memberships" || f.Name != fmt.Sprintf("part-%05d.parquet", i) {
			t.Errorf("file %d: %+v", i, f)
		}
		if f.LocalPath != filepath.Join(dir, "memberships", f.Name) {
			t.Errorf("file %d lies at %s", i, f.LocalPath)
		}
		low, high := member(first), member(first+want-1)
		if !reflect.DeepEqual(f.MinKey, []string{low.Source, low.GroupID, low.UserID}) || !reflect.DeepEqual(f.MaxKey, []string{high.Source, high.GroupID, high.UserID}) {
			t.Errorf("file %d ranges from %q to %q", i, f.MinKey, f.MaxKey)
		}
		b, err := os.ReadFile(f.LocalPath)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(b)) != f.Size || sha256.Sum256(b) != f.SHA256 {
			t.Errorf("file %d: size or hash differ from the disk", i)
		}
		first += want
	}
}

func TestATableThatEndsAtTheLimitHasNoEmptyLastFile(t *testing.T) {
	t.Parallel()
	if files := write(t, t.TempDir(), members(200), 50, parquet.Options{RowsPerFile: 100}); len(files) != 2 {
		t.Fatalf("%d files, want 2", len(files))
	}
}

func TestAnEmptyTableIsOneFileWithoutRows(t *testing.T) {
	t.Parallel()
	files := write(t, t.TempDir(), nil, 1, parquet.Options{})
	if len(files) != 1 || files[0].Rows != 0 || files[0].MinKey != nil || files[0].MaxKey != nil {
		t.Fatalf("got %+v", files)
	}
	if rows := readAll[schema.Membership](t, files); len(rows) != 0 {
		t.Fatalf("%d rows in an empty table", len(rows))
	}
}

func TestTheSameRowsAreTheSameBytesInAnyBatches(t *testing.T) {
	t.Parallel()
	rows := members(parquet.GroupRows + 5000)
	one := write(t, t.TempDir(), rows, len(rows), parquet.Options{})
	many := write(t, t.TempDir(), rows, 1009, parquet.Options{})
	if one[0].SHA256 != many[0].SHA256 {
		t.Fatal("the bytes depend on the size of the batches")
	}
}

func TestARowOutOfOrderIsABug(t *testing.T) {
	t.Parallel()
	a, b := member(1), member(2)
	for name, batches := range map[string][][]schema.Membership{
		"the same key in one batch":    {{a, a}},
		"the same key in two batches":  {{a}, {a}},
		"a lower key in one batch":     {{b, a}},
		"a lower key in two batches":   {{a, b}, {a}},
		"a lower key after a new file": {{a}, {b}, {a}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := parquet.NewWriter[schema.Membership](t.TempDir(), table(t, "memberships"), parquet.Options{RowsPerFile: 1})
			var err error
			for _, rows := range batches {
				err = w.Write(rows)
			}
			if err == nil || fault.KindOf(err) != fault.Bug {
				t.Fatalf("got %v", err)
			}
			if _, again := w.Close(); again == nil {
				t.Fatal("a broken table was closed")
			}
		})
	}
}

func TestTheLastKeyIsKeptThoughItsRowIsUsedAgain(t *testing.T) {
	t.Parallel()
	w := parquet.NewWriter[schema.Membership](t.TempDir(), table(t, "memberships"), parquet.Options{})
	text := []byte("u1u2")
	rows := []schema.Membership{{Source: "s", GroupID: "g", UserID: string(text[:2])}}
	if err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	rows[0].UserID = "u2"
	if err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	files, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if got := files[0].MinKey[2] + files[0].MaxKey[2]; got != "u1u2" {
		t.Fatalf("keys %s", got)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := parquet.NewWriter[schema.Membership](dir, table(t, "memberships"), parquet.Options{RowsPerFile: 10})
	if err := w.Write(members(25)); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "memberships", "*"))
	if err != nil || len(left) != 0 {
		t.Fatalf("left behind: %v %v", left, err)
	}
	if w.Write(members(1)) == nil {
		t.Fatal("an aborted writer took rows")
	}
}

func TestAFileThatWasCutOrAlteredIsAFault(t *testing.T) {
	t.Parallel()
	files := write(t, t.TempDir(), members(1500), 1500, parquet.Options{})
	whole, err := os.ReadFile(files[0].LocalPath)
	if err != nil {
		t.Fatal(err)
	}
	read := func(b []byte) (failed error) {
		for _, err := range parquet.Read[schema.Membership](bytes.NewReader(b), int64(len(b))) {
			failed = err
		}
		return failed
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += len(whole)/50 + 1 {
		if err := read(whole[:cut]); err == nil {
			t.Fatalf("a file of %d bytes was read", cut)
		}
	}
	for at := 0; at < len(whole); at += len(whole)/200 + 1 {
		altered := bytes.Clone(whole)
		altered[at] ^= 0x5a
		_ = read(altered) // it may go unseen here, as the hash is what proves a file; it must not crash
	}
}

func TestBloomFiltersKnowEveryValueAndStandOnMarkedColumnsOnly(t *testing.T) {
	t.Parallel()
	rows := members(1000)
	files := write(t, t.TempDir(), rows, 1000, parquet.Options{})
	file, err := os.Open(files[0].LocalPath)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	opened, err := vendor.OpenFile(file, files[0].Size)
	if err != nil {
		t.Fatal(err)
	}
	for i, chunk := range opened.RowGroups()[0].ColumnChunks() {
		column := table(t, "memberships").Columns[i]
		filter := chunk.BloomFilter()
		if (filter != nil) != column.Bloom {
			t.Errorf("column %s: bloom filter %v, want %v", column.Name, filter != nil, column.Bloom)
		}
		if column.Name == "user_id" {
			for _, row := range rows {
				if known, err := filter.Check(vendor.ValueOf(row.UserID)); err != nil || !known {
					t.Fatalf("user %s: %v %v", row.UserID, known, err)
				}
			}
		}
	}
}
