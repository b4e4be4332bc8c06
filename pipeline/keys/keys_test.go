package keys_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"

	"rollcall/pipeline/keys"
	"rollcall/schema/fault"
)

// read imports content as a file called name and gives the IDs of the key file.
func read(t testing.TB, name, column string, content []byte) ([]string, keys.Summary, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	options := keys.ImportOptions{Path: path, Column: column, Target: filepath.Join(dir, "list.keys"), Temp: t.TempDir(), Memory: 2 << 20}
	s, err := keys.Import(t.Context(), options)
	if left, _ := os.ReadDir(options.Temp); len(left) != 0 {
		t.Fatalf("left in the temporary folder: %v", left)
	}
	if err != nil {
		if files, _ := os.ReadDir(dir); len(files) != 1 {
			t.Fatalf("a failed import left %v", files)
		}
		return nil, s, err
	}
	l, err := keys.Open(options.Target)
	if err != nil {
		t.Fatal(err)
	}
	if l.Summary() != s || l.Len() != s.Unique {
		t.Fatalf("the key file says %+v, the import %+v", l.Summary(), s)
	}
	return stream(t, l), s, nil
}

func stream(t testing.TB, lists ...*keys.List) []string {
	t.Helper()
	c, err := keys.Union(lists...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var ids []string
	for c.Next() {
		if c.Index() != int64(len(ids)) {
			t.Fatalf("index %d, want %d", c.Index(), len(ids))
		}
		ids = append(ids, c.ID())
	}
	if err := c.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
}

func zip(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func table[Row any](t testing.TB, rows ...Row) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestListsAreReadInEveryFormat(t *testing.T) {
	t.Parallel()
	type two struct {
		Other string `parquet:"other"`
		ID    string `parquet:"id"`
	}
	type one struct {
		ID int64 `parquet:"id"`
	}
	type unsigned struct {
		ID uint32 `parquet:"id"`
	}
	type inner struct {
		In struct {
			ID *string `parquet:"id,optional"`
		} `parquet:"in"`
		B int32 `parquet:"b"`
	}
	x := "x"
	nested := inner{}
	nested.In.ID = &x
	for _, c := range []struct {
		rule, name, column, content string
		want                        []string
	}{
		{"one a line", "a.txt", "", "b\na\nb\n", []string{"a", "b"}},
		{"the last line needs no end", "a", "", "b\na", []string{"a", "b"}},
		{"byte order mark, CRLF and blank lines", "a.txt", "", "\ufeffb\r\n\r\n  \na\r\n", []string{"a", "b"}},
		{"a # belongs to the ID", "a.txt", "", "#a\na b\n", []string{"#a", "a b"}},
		{"blanks inside an ID", "a.csv", "", "id\na b\n", []string{"a b"}},
		{"gzip", "A.TXT.GZ", "", string(zip(t, []byte("b\na\n"))), []string{"a", "b"}},
		{"a table of one column", "a.csv", "", "id\nb\na\n", []string{"a", "b"}},
		{"a column of a table", "a.csv", "id", "\ufeffname,id\r\n\"x, y\",\"b\"\r\n\"\",a\r\n", []string{"a", "b"}},
		{"a byte order mark before the column", "a.csv", "id", "\ufeffid,name\na,\n", []string{"a"}},
		{"objects of one member", "a.ndjson", "", "{\"id\":\"b\"}\n\n{\"id\":12345678901234567890}\n", []string{"12345678901234567890", "b"}},
		{"a member of objects", "a.jsonl.gz", "id", string(zip(t, []byte(`{"x":{"id":[1]},"id":"\u00e4"}`))), []string{"ä"}},
		{"a column of Parquet", "a.parquet", "id", string(table(t, two{"x", "b"}, two{"y", "a"})), []string{"a", "b"}},
		{"Parquet of whole numbers", "a.parquet", "", string(table(t, one{-5}, one{7})), []string{"-5", "7"}},
		{"Parquet of unsigned numbers", "a.parquet", "", string(table(t, unsigned{4294967295})), []string{"4294967295"}},
		{"Parquet in gzip", "a.parquet.gz", "", string(zip(t, table(t, one{7}))), []string{"7"}},
		{"a nested column", "a.parquet", "in.id", string(table(t, nested)), []string{"x"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, s, err := read(t, c.name, c.column, []byte(c.content))
			if err != nil || !slices.Equal(got, c.want) {
				t.Fatalf("got %q, %v, want %q", got, err, c.want)
			}
			if want := sha256.Sum256([]byte(strings.Join(c.want, "\n") + "\n")); s.SHA256 != want {
				t.Error("the sum is not that of the sorted lines")
			}
			if s.Read-s.Duplicates != s.Unique || s.Unique != int64(len(c.want)) {
				t.Errorf("figures %+v", s)
			}
		})
	}
}

func TestFaultsOfAListNameTheLineAndWhatToDo(t *testing.T) {
	t.Parallel()
	type many struct {
		Group []string `parquet:"group"`
		Score float64  `parquet:"score"`
		ID    *string  `parquet:"id,optional"`
		Time  int64    `parquet:"time,timestamp"`
	}
	long := strings.Repeat("x", 1025)
	rows := string(table(t, many{}))
	for _, c := range []struct{ rule, name, column, content, message, hint string }{
		{"empty list", "a.txt", "", "\ufeff\n \n", "no IDs in ", "empty snapshot"},
		{"table with nothing but a header", "a.csv", "", "id\n", "no IDs in ", "empty snapshot"},
		{"nothing at all", "a.csv", "id", "", "no IDs in ", "empty snapshot"},
		{"invalid UTF-8", "a.txt", "", "a\n\xff\n", "a.txt:2: an ID that is not valid UTF-8", "UTF-8"},
		{"blanks at the ends of a line", "a.txt", "", "a\n b\n", `a.txt:2: " b" begins or ends with blank space`, "take the blanks out"},
		{"NUL", "a.txt", "", "a\nb\x00\n", "a.txt:2: an ID with a NUL", "UTF-8"},
		{"an ID that is too long", "a.txt", "", "a\n\n" + long, "a.txt:3: an ID of 1025 bytes", "one a line"},
		{"a line without end", "a.txt", "", "a\n" + strings.Repeat("x", 300<<10), "a.txt:2: a line of more than", "one entry a line"},
		{"unknown format", "a.xlsx", "", "a", "no known format", ".parquet"},
		{"not gzip", "a.txt.gz", "", "hello", "not a whole gzip file", "take .gz off"},
		{"gzip cut short", "a.txt.gz", "", string(zip(t, []byte(strings.Repeat("hello\n", 99)))[:30]), "not a whole gzip file", "write the list again"},
		{"no column named", "a.csv", "", "a,b\n1,2\n", `a.csv:1: there are 2 columns, "a", "b"`, "column ="},
		{"the column twice", "a.csv", "id", "id,b,id\n1,2,3\n", `a.csv:1: there are two columns "id"`, "another name"},
		{"misspelt column", "a.csv", "group_di", "group_id,b\n1,2\n", `no column "group_di": there are 2 columns`, `did you mean "group_id"?`},
		{"a cell without an ID", "a.csv", "b", "a,b\n1,\n", "a.csv:2: an empty ID", "without an ID"},
		{"an ID with a line break", "a.csv", "b", "a,b\n1,\"x\ny\"\n", "a.csv:2: an ID with a line break", "quotes"},
		{"rows of different length", "a.csv", "b", "a,b\n1\n", "a.csv:2: not a row", "CSV"},
		{"a quote never closed", "a.csv", "b", "a,b\n1,\"" + strings.Repeat("x\n", 9<<20), "a row of more than", "quote"},
		{"not JSON", "a.ndjson", "id", "{\"id\":\"a\"}\nid\n", "a.ndjson:2: not one whole JSON object", "one object a line"},
		{"an array", "a.ndjson", "id", "[1]", "not one whole JSON object", "one object a line"},
		{"two objects a line", "a.ndjson", "id", `{"id":"a"} {"id":"b"}`, "something follows", "one object a line"},
		{"a fraction", "a.ndjson", "id", `{"id":1.0}`, `column "id" holds "1.0"`, "whole numbers"},
		{"null", "a.ndjson", "id", `{"id":null}`, `column "id" holds "null"`, "strings"},
		{"a member that is missing", "a.ndjson", "id", `{"di":"a","x":1}`, `no column "id": there are 2 columns, "di", "x"`, `did you mean "di"?`},
		{"members to choose from", "a.ndjson", "", `{"a":"a","b":1}`, "there are 2 columns", "column ="},
		{"not Parquet", "a.parquet", "id", "hello, this is text", "not a whole Parquet file", "write the list again"},
		{"a repeated column", "a.parquet", "group", rows, `column "group" is a list`, "one ID a row"},
		{"a column of fractions", "a.parquet", "score", rows, `column "score" is of type DOUBLE`, "strings or whole"},
		{"a column of times", "a.parquet", "time", rows, `column "time" is of type TIMESTAMP`, "strings or whole"},
		{"null in Parquet", "a.parquet", "id", rows, "a.parquet:1: an empty ID", "without an ID"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, _, err := read(t, c.name, c.column, []byte(c.content))
			if err == nil || fault.KindOf(err) != fault.Configuration {
				t.Fatalf("want a configuration fault, got %v", err)
			}
			f, _ := errors.AsType[*fault.Error](err)
			if !strings.Contains(err.Error(), c.message) || !strings.Contains(f.Hint, c.hint) {
				t.Errorf("got %q, hint %q", err, f.Hint)
			}
		})
	}
}

func TestListsThatCannotBeOpenedAreConfigurationFaults(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing.txt")
	_, err := keys.Import(t.Context(), keys.ImportOptions{Path: path, Temp: t.TempDir(), Target: filepath.Join(t.TempDir(), "k")})
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("%s: %v", path, err)
	}
}

func TestListsComeFromABucketStandardInputAndTheConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parquetFile := table(t, struct {
		ID string `parquet:"id"`
	}{"s3"})
	for i, options := range []keys.ImportOptions{
		{Path: "-", Stdin: strings.NewReader("stdin\n")},
		{Values: []string{"b", "a", "b"}},
		{Path: "s3://bucket/list.parquet", Objects: objects{"s3://bucket/list.parquet": string(parquetFile)}},
	} {
		options.Temp, options.Target = dir, filepath.Join(dir, fmt.Sprint(i))
		if _, err := keys.Import(t.Context(), options); err != nil {
			t.Fatal(err)
		}
	}
	var lists []*keys.List
	for i := range 3 {
		l, err := keys.Open(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, l)
	}
	if got := stream(t, lists[2], lists[0], lists[1], lists[1]); !slices.Equal(got, []string{"a", "b", "s3", "stdin"}) {
		t.Errorf("the union is %q", got)
	}
	if got := stream(t); got != nil {
		t.Errorf("the union of nothing is %q", got)
	}
	if _, err := keys.Import(t.Context(), keys.ImportOptions{Temp: dir, Target: filepath.Join(dir, "x")}); fault.KindOf(err) != fault.Configuration {
		t.Errorf("no values: %v", err)
	}
}

func TestFaultsOfTheBucketKeepTheirKind(t *testing.T) {
	t.Parallel()
	denied := fault.New(fault.Credentials, "access denied")
	options := keys.ImportOptions{Path: "s3://b/k.txt", Temp: t.TempDir(), Target: filepath.Join(t.TempDir(), "k")}
	options.Objects = opener(func() (io.ReadCloser, error) { return nil, denied })
	if _, err := keys.Import(t.Context(), options); !errors.Is(err, denied) || fault.KindOf(err) != fault.Credentials {
		t.Errorf("at opening: %v", err)
	}
	cut := io.MultiReader(strings.NewReader("a\n"), &broken{io.ErrUnexpectedEOF})
	options.Objects = opener(func() (io.ReadCloser, error) { return io.NopCloser(cut), nil })
	if _, err := keys.Import(t.Context(), options); fault.KindOf(err) != fault.Transient {
		t.Errorf("cut while reading: %v", err)
	}
}

type broken struct{ err error }

// opener is a bucket every object of which it opens.
type opener func() (io.ReadCloser, error)

func (o opener) Open(context.Context, string) (io.ReadCloser, error) { return o() }
func (o opener) List(context.Context, string) ([]string, error)      { return nil, nil }

func (b *broken) Read([]byte) (int, error) { return 0, b.err }

func TestCancelledImportLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	_, err := keys.Import(ctx, keys.ImportOptions{Path: "-", Stdin: strings.NewReader("a\n"), Temp: dir, Target: filepath.Join(dir, "k")})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Fatalf("left: %v", left)
	}
}

func TestDamagedKeyFilesAreNoticed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "k")
	if _, err := keys.Import(t.Context(), keys.ImportOptions{Values: []string{"a", "b", "c"}, Temp: dir, Target: path}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := range whole {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if readsWell(path) {
			t.Fatalf("%d of %d bytes passed for a whole file", size, len(whole))
		}
	}
	if _, err := keys.Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func readsWell(path string) bool {
	l, err := keys.Open(path)
	if err != nil {
		return false
	}
	c, err := l.Cursor()
	if err != nil {
		return false
	}
	defer c.Close()
	for c.Next() {
	}
	return c.Err() == nil
}

func FuzzReaders(f *testing.F) {
	f.Add(0, []byte("\ufeffa\r\nb\n"))
	f.Add(1, []byte("id,x\n\"a\"\"\",b\n"))
	f.Add(2, []byte(`{"id":"a"}`))
	f.Add(3, table(f, struct {
		ID string `parquet:"id"`
	}{"a"}))
	f.Add(4, zip(f, []byte("a\n")))
	f.Add(-2, []byte("sep=;\nid;x\n\ufeffa;10.0\n"))
	names := []string{"a.txt", "a.csv", "a.ndjson", "a.parquet", "a.csv.gz"}
	f.Fuzz(func(t *testing.T, kind int, content []byte) {
		options := keys.ImportOptions{Path: "s3://b/" + names[uint(kind)%uint(len(names))], Column: "id", Temp: t.TempDir()}
		if kind < 0 && uint(kind)%uint(len(names)) == 1 { // CSV in its other forms
			options.Delimiter, options.NoHeader, options.Column = ';', kind%2 == 0, ""
		}
		options.Objects = opener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
		err := keys.Read(t.Context(), options, func(id []byte) error {
			if keys.Check(id) != nil || len(id) == 0 || len(id) > keys.MaxID || bytes.ContainsAny(id, "\x00\r\n") || len(bytes.TrimSpace(id)) < len(id) {
				t.Errorf("%q was given as an ID", id)
			}
			return nil
		})
		if err != nil && fault.KindOf(err) != fault.Configuration {
			t.Errorf("a damaged list is of kind %v: %v", fault.KindOf(err), err)
		}
		rows := keys.RowOptions{Path: options.Path, Delimiter: options.Delimiter, Columns: []keys.Column{{Name: "id"}, {Name: "x", Optional: true}}, Objects: options.Objects, Temp: t.TempDir()}
		err = keys.ReadRows(t.Context(), rows, func(int, [][]byte) error { return nil })
		if err != nil && fault.KindOf(err) != fault.Configuration {
			t.Errorf("a damaged table is of kind %v: %v", fault.KindOf(err), err)
		}
	})
}

// BenchmarkFiveMillion imports five million IDs in random order, of which one in ten is double.
func BenchmarkFiveMillion(b *testing.B) {
	path := filepath.Join(b.TempDir(), "users.txt")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	line := make([]byte, 0, 64)
	for i := range uint64(5_000_000) {
		line = fmt.Appendf(line[:0], "u%010d\n", i%4_500_000*2654435761%10_000_000_019)
		if _, err := file.Write(line); err != nil {
			b.Fatal(err)
		}
	}
	file.Close()
	for b.Loop() {
		s, err := keys.Import(b.Context(), keys.ImportOptions{Path: path, Temp: b.TempDir(), Target: filepath.Join(b.TempDir(), "k")})
		if err != nil || s.Duplicates != 500_000 {
			b.Fatal(s, err)
		}
	}
}
