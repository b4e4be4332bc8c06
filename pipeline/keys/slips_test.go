package keys_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline/keys"
	"rollcall/schema/fault"
)

// refused imports content as a file called name, which must be refused with that message and hint.
func refused(t *testing.T, name, column, content, message, hint string) {
	t.Helper()
	ids, _, err := read(t, name, column, []byte(content))
	if err == nil {
		t.Errorf("%s was read as %q", name, ids)
		return
	}
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), message) || !strings.Contains(fault.HintOf(err), hint) {
		t.Errorf("%s: kind %v, %q, hint %q\nwant %q, hint %q", name, fault.KindOf(err), err, fault.HintOf(err), message, hint)
	}
}

// TestListsWithASlipAreRefusedOrReadRightly reads files as spreadsheets, databases and scripts leave them.
func TestListsWithASlipAreRefusedOrReadRightly(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]struct{ message, hint string }{
		"dot0.csv":   {`dot0.csv:2: "10001.0" stands among whole numbers: a spreadsheet or pandas made floats of IDs`, "as text"},
		"sci.csv":    {`sci.csv:2: "1.23457E+15" stands among whole numbers: a spreadsheet or pandas made floats of IDs`, "as text"},
		"null.csv":   {`null.csv:3: "\\N" stands for a missing value`, "leave out rows without an ID"},
		"quoted.txt": {`quoted.txt:1: "'u0000000'," is in quotes`, "take the quotes out"},
		"sep.csv":    {`sep.csv:1: the first line, "sep=;", is Excel's`, `delimiter = ";"`},
		"sp.csv":     {`sp.csv:2: "u0000000 " begins or ends with blank space`, "take the blanks out"},
		"tab.csv":    {`tab.csv:1: there is one column, "user_id\tname", which seems to be several with TAB between them`, `delimiter = "\t"`},
		"u16.txt":    {"u16.txt holds UTF-16", "UTF-8"},
		"pad.txt.gz": {"not a whole gzip file", "write the list again"},
	} {
		content, err := os.ReadFile(filepath.Join("testdata", "slips", file))
		if err != nil {
			t.Fatal(err)
		}
		refused(t, file, "", string(content), want.message, want.hint)
	}
	for file, want := range map[string][]string{"realgz.csv": {"u1"}, "realgz.txt": {"u1", "u2"}} {
		content, err := os.ReadFile(filepath.Join("testdata", "slips", file))
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := read(t, file, "", content); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
}

func TestTheLikelyDelimiterIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, name, column, content, message, hint string }{
		{"semicolons", "a.csv", "", "user_id;name\nu1;A\n", `a.csv:1: there is one column, "user_id;name", which seems to be several with ";" between them`, `delimiter = ";"`},
		{"bars", "a.csv", "", "user_id|name\nu1|A\n", `"|" between them`, `delimiter = "|"`},
		{"the most frequent one", "a.csv", "", "a;b|c|d\nu1;x|y|z\n", `"|" between them`, `delimiter = "|"`},
		{"a column that is there with another delimiter", "a.csv", "user_id", "user_id;name\nu1;A\n", `no column "user_id": the only column is "user_id;name"`, `delimiter = ";"`},
		{"a comma inside a header with semicolons", "a.csv", "user_id", "user_id;\"name, first\";x\nu1;\"A, B\";y\n", `a.csv:1: not a row of the table`, "delimiter"},
		{"commas inside a header with semicolons", "a.csv", "user_id", "user_id;name,first;x\nu1;A,B;y\n", `no column "user_id"`, `delimiter = ";"`},
		{"Excel's line after a mark", "a.csv", "", "\ufeffSEP=\t\r\nid\tx\r\n", `is Excel's`, `delimiter = "\t"`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			refused(t, c.name, c.column, c.content, c.message, c.hint)
		})
	}
	if got, _, err := read(t, "a.csv", "a;b", []byte("a;b\nx\n")); err != nil || !slices.Equal(got, []string{"x"}) {
		t.Errorf("a column that is named as it is: %q, %v", got, err)
	}
}

func TestBlanksAndUnseenCharactersAtTheEndsOfAnIDAreRefused(t *testing.T) {
	t.Parallel()
	type one struct {
		ID string `parquet:"id"`
	}
	const blank, unseen, mark = "begins or ends with blank space", "begins or ends with a character that can't be seen", "begins with a byte order mark"
	for _, c := range []struct{ rule, name, content, message string }{
		{"CSV", "a.csv", "id\nu1\n\"u2 \"\n", `a.csv:3: "u2 " ` + blank},
		{"a TAB", "a.csv", "id\nu1\t\n", `a.csv:2: "u1\t" ` + blank},
		{"NDJSON", "a.ndjson", "{\"id\":\"u1\"}\n{\"id\":\" u2\"}\n", `a.ndjson:2: " u2" ` + blank},
		{"Parquet", "a.parquet", string(table(t, one{"u1"}, one{"u2  "})), `a.parquet:2: "u2  " ` + blank},
		{"no-break space", "a.csv", "id\nu1\u00a0\n", `a.csv:2: "u1\u00a0" ` + blank},
		{"ideographic space", "a.txt", "\u3000u1\n", `a.txt:1: "\u3000u1" ` + blank},
		{"zero-width space", "a.txt", "u0\nu1\u200b\n", `a.txt:2: "u1\u200b" ` + unseen},
		{"zero-width joiner", "a.csv", "id\n\u200du1\n", `a.csv:2: "\u200du1" ` + unseen},
		{"word joiner", "a.ndjson", "{\"id\":\"u1\u2060\"}\n", `a.ndjson:1: "u1\u2060" ` + unseen},
		{"a direction mark, as Excel and chat windows add", "a.txt", "\u202au1\u202c\n", `a.txt:1: "\u202au1\u202c" ` + unseen},
		{"a line of nothing else", "a.txt", "u1\n\u200b\n", `a.txt:2: "\u200b" ` + unseen},
		{"the end of a DOS file", "a.txt", "u1\n\x1a", `a.txt:2: "\x1a" ` + unseen},
		{"a mark inside joined files", "a.txt", "u1\n\ufeffu2\n", `a.txt:2: "\ufeffu2" ` + mark},
		{"a mark at the end", "a.txt", "u1\ufeff\n", `a.txt:1: "u1\ufeff" ` + unseen},
		{"a mark inside joined tables", "a.csv", "id,x\nu1,y\n\ufeffid,x\nu2,y\n", `a.csv:3: "\ufeffid" ` + mark},
		{"a mark inside joined objects", "a.ndjson", "{\"id\":\"u1\"}\n\ufeff{\"id\":\"u2\"}\n", `a.ndjson:2: the line ` + mark},
		{"a mark twice", "a.csv", "\ufeff\ufeffid\nu1\n", `a.csv:1: "\ufeffid" ` + mark},
	} {
		t.Run(c.rule, func(t *testing.T) {
			column := "id"
			if strings.HasSuffix(c.name, ".txt") {
				column = ""
			}
			refused(t, c.name, column, c.content, c.message, "")
		})
	}
}

func TestFloatsAmongWholeNumbersAreRefused(t *testing.T) {
	t.Parallel()
	type one struct {
		ID string `parquet:"id"`
	}
	const why = "a spreadsheet or pandas made floats of IDs"
	for _, c := range []struct{ rule, name, content, message string }{
		{"one among whole numbers", "a.csv", "id\n10001\n10002.0\n", `a.csv:3: "10002.0" stands among whole numbers: ` + why},
		{"nothing else", "a.txt", "1.7E12\n1.8e+12\n", `a.txt:1: "1.7E12" stands among`},
		{"a comma for the point", "a.csv", "id\n\"1,7E+12\"\n", `"1,7E+12" stands among`},
		{"negative", "a.txt", "-5\n-6.00\n", `a.txt:2: "-6.00" stands among`},
		{"texts in Parquet", "a.parquet", string(table(t, one{"7"}, one{"8.0"})), `a.parquet:2: "8.0" stands among`},
		{"numbers in NDJSON", "a.ndjson", `{"id":10001.0}`, `"id" holds "10001.0", which is no ID`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			refused(t, c.name, "", c.content, c.message, "as text")
		})
	}
	for _, c := range []struct {
		rule, name, content string
		want                []string
	}{
		{"versions", "a.txt", "v1.0\nv2.0\n", []string{"v1.0", "v2.0"}},
		{"a float among other IDs", "a.txt", "10001.0\nabc\n", []string{"10001.0", "abc"}},
		{"hexadecimal IDs", "a.csv", "id\n12345e67\n12345678\nabcdef01\n", []string{"12345678", "12345e67", "abcdef01"}},
		{"texts of NDJSON", "a.ndjson", "{\"id\":\"1.0\"}\n{\"id\":\"2.0\"}\n", []string{"1.0", "2.0"}},
		{"addresses", "a.txt", "10.0.0.1\n", []string{"10.0.0.1"}},
		{"fractions that no tool makes of IDs", "a.txt", "1.5\n2.25\n", []string{"1.5", "2.25"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got, _, err := read(t, c.name, "", []byte(c.content)); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestWhatScriptsAndDatabasesLeaveAroundIDsIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, name, content, message string }{
		{"double quotes", "a.txt", "\"u1\"\n", `a.txt:1: "\"u1\"" is in quotes`},
		{"a list of a program", "a.txt", "u0\n'u1',\n", `a.txt:2: "'u1'," is in quotes`},
		{"single quotes in CSV", "a.csv", "id\n'u1'\n", `a.csv:2: "'u1'" is in quotes`},
		{"a formula that keeps zeros", "a.csv", "id\n\"=\"\"00017\"\"\"\n", `a.csv:2: "=\"00017\"" is in quotes`},
		{"a TAB inside a line", "a.txt", "u1\tAlice\n", `a.txt:1: "u1\tAlice" holds a TAB`},
		{"NULL of a database", "a.csv", "id\nu1\nNULL\n", `a.csv:3: "NULL" stands for a missing value`},
		{"NaN of pandas", "a.txt", "nan\n", `a.txt:1: "nan" stands for a missing value`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			refused(t, c.name, "", c.content, c.message, "ndjson")
		})
	}
	if got, _, err := read(t, "a.txt", "", []byte("null\nquote\"back'\n'\n")); err != nil || len(got) != 3 {
		t.Errorf("odd IDs: %q, %v", got, err)
	}
	content := "{\"id\":\"NULL\"}\n{\"id\":\"'u1'\"}\n{\"id\":\"a\\tb\"}\n"
	if got, _, err := read(t, "a.ndjson", "id", []byte(content)); err != nil || !slices.Equal(got, []string{"'u1'", "NULL", "a\tb"}) {
		t.Errorf("where texts are marked as such: %q, %v", got, err)
	}
}

func TestFilesOfAnotherKindAreNamed(t *testing.T) {
	t.Parallel()
	type one struct {
		ID string `parquet:"id"`
	}
	for _, c := range []struct{ rule, name, content, message, hint string }{
		{"UTF-16 of Excel", "a.csv", "\xff\xfei\x00d\x00\n\x00", "a.csv holds UTF-16", "UTF-8"},
		{"a workbook", "a.csv", "PK\x03\x04\x14\x00", "a.csv holds a ZIP archive or an Excel workbook", "CSV"},
		{"Parquet", "a.csv", string(table(t, one{"a"})), "a.csv holds Parquet", ".parquet"},
		{"zstd", "a.txt", "\x28\xb5\x2f\xfd\x24\x0b", "a.txt holds zstd", "gzip"},
		{"UTF-16 in gzip", "a.txt", string(zip(t, []byte("\xff\xfeu\x00"))), "a.txt holds UTF-16", "UTF-8"},
	} {
		t.Run(c.rule, func(t *testing.T) { refused(t, c.name, "", c.content, c.message, c.hint) })
	}
	if got, _, err := read(t, "a.txt", "", []byte("PAR1\nPK\nBZh\n")); err != nil || len(got) != 3 {
		t.Errorf("IDs that look like the beginnings of files: %q, %v", got, err)
	}
}

func TestGzipIsKnownByItsFirstBytes(t *testing.T) {
	t.Parallel()
	type one struct {
		ID string `parquet:"id"`
	}
	for name, content := range map[string][]byte{
		"a.txt": []byte("u1\n"), "a.csv": []byte("id\nu1\n"), "a.ndjson": []byte(`{"id":"u1"}`), "a.parquet": table(t, one{"u1"}),
	} {
		if got, _, err := read(t, name, "", zip(t, content)); err != nil || !slices.Equal(got, []string{"u1"}) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	var ids []string
	err := keys.Read(t.Context(), keys.ImportOptions{Path: "-", Stdin: bytes.NewReader(zip(t, []byte("u1\n")))}, func(id []byte) error {
		ids = append(ids, string(id))
		return nil
	})
	if err != nil || !slices.Equal(ids, []string{"u1"}) {
		t.Errorf("standard input: %q, %v", ids, err)
	}
	_, _, err = read(t, "a.txt", "", zip(t, []byte(strings.Repeat("hello\n", 99)))[:30])
	if f, ok := errors.AsType[*fault.Error](err); !ok || !strings.Contains(err.Error(), "not a whole gzip file") || strings.Contains(f.Hint, "take .gz off") {
		t.Errorf("cut short: %v", err)
	}
}
