package keys_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"rollcall/pipeline/keys"
	"rollcall/schema/fault"
)

// TestListsThatWouldBeOneIDOrNoneAreRefused reads what would be asked as IDs that nobody has, too few of them for
// the checks to see.
func TestListsThatWouldBeOneIDOrNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, name, content, message, hint string }{
		{"all IDs on one line", "a.txt", "u1,u2,u3\n", `there is one line, which holds ","`, "one ID a line"},
		{"blanks between them", "a.txt", "u1 u2 u3", `there is one line, which holds " "`, "one ID a line"},
		{"a row of a table", "a.txt", "u1;A\n", `there is one line, which holds ";"`, "values"},
		{"a JSON array", "a.txt", `["u1","u2"]`, "a.txt holds JSON", ".ndjson"},
		{"JSON objects named CSV", "a.csv", "\ufeff\n {\"id\":\"u1\"}\n", "a.csv holds JSON", ".ndjson"},
		{"a page that says that the server is busy", "a.txt", "<!DOCTYPE html>\n<h1>503</h1>\n", "a.txt holds a web page", "get the list again"},
		{"an error of S3", "a.csv", "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>", "a.csv holds XML", "get the list again"},
		{"a pointer of Git LFS", "a.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "Git LFS", "git lfs pull"},
		{"columns of Hive", "a.txt", "u1\x01Alice\nu2\x01Bob\n", `a.txt:1: "u1\x01Alice" holds U+0001`, "delimiter"},
		{"form feeds", "a.txt", "u1\fu2\n", "holds U+000C", "one ID a line"},
		{"line separators", "a.txt", "u1\u2028u2\n", "holds U+2028", "one ID a line"},
		{"a TAB in a table", "a.csv", "id,x\n\"u1\tA\",y\n", "holds U+0009", "ndjson"},
		{"a mark in an ID: files joined without a line break", "a.txt", "u1\nu2\ufeffu3\n", `a.txt:2: "u2\ufeffu3" holds U+FEFF`, "one ID a line"},
		{"the frame of a table", "a.txt", "+----+\n| id |\n+----+\n| u1 |\n+----+\n", `a.txt:1: "+----+" is the frame of a table`, "without a frame"},
		{"whole rows in quotes", "a.csv", "\"id,name\"\n\"u1,A\"\n", `a.csv:1: the row "id,name" is in quotes as a whole`, "quotes"},
		{"line breaks of old Macs", "a.csv", "id\ru1\ru2\r", "a.csv:1: the lines end in CR alone", "LF"},
		{"long numbers beside a word", "a.txt", "admin\n1.70E+12\n1.70E+12\n", `a.txt:2: "1.70E+12" is how spreadsheets show long numbers: a spreadsheet or pandas made floats of IDs`, "as text"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			column := ""
			if strings.HasPrefix(c.content, "id,x") {
				column = "id"
			}
			refused(t, c.name, column, c.content, c.message, c.hint)
		})
	}
}

func TestIDsThatLookLikeSlipsAreRead(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct {
		name, content string
		want          []string
	}{
		"one ID":                   {"a.txt", "u1\n", []string{"u1"}},
		"names with blanks":        {"a.txt", "team one\nteam two\n", []string{"team one", "team two"}},
		"braces around a GUID":     {"a.txt", "{8A3B-11}\n", []string{"{8A3B-11}"}},
		"brackets":                 {"a.txt", "[bot]\n<me>\n", []string{"<me>", "[bot]"}},
		"signs":                    {"a.txt", "+\n+-\n--\n+49-30\n1e+x\n5e+1\n", []string{"+", "+-", "+49-30", "--", "1e+x", "5e+1"}},
		"emoji of several parts":   {"a.txt", "👩‍👩‍👧\n", []string{"👩‍👩‍👧"}},
		"commas in quoted IDs":     {"a.csv", "id\n\"a,b\"\n", []string{"a,b"}},
		"control signs in a text":  {"a.ndjson", "{\"id\":\"a\\u0001b\"}\n", []string{"a\x01b"}},
		"a bracket in a JSON line": {"a.ndjson", "{\"id\":\"[\\\"\"}\n", []string{`["`}},
	} {
		if got, _, err := read(t, c.name, "", []byte(c.content)); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", rule, got, err)
		}
	}
	if _, warnings, err := told(t, "a.txt", "team one\nteam two\n", keys.ImportOptions{}); err != nil || len(warnings) > 0 {
		t.Errorf("blanks in names: %q, %v", warnings, err)
	}
	text := column(t, parquet.Leaf(parquet.FixedLenByteArrayType(16)), parquet.FixedLenByteArrayValue([]byte("group00000000001")))
	if got, _, err := read(t, "a.parquet", "", []byte(text)); err != nil || !slices.Equal(got, []string{"group00000000001"}) {
		t.Errorf("16 bytes of text: %q, %v", got, err)
	}
}

// TestAListThatIsWrittenWhileItIsReadIsRefused: what was there of it would pass for the whole.
func TestAListThatIsWrittenWhileItIsReadIsRefused(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("u1\n"), 1<<18)
	for rule, c := range map[string]struct {
		path   string
		change func(dir string) error
		passes bool
	}{
		"cut":                         {"list/a.txt", func(dir string) error { return os.Truncate(filepath.Join(dir, "list/a.txt"), 600000) }, false},
		"longer":                      {"list/a.txt", func(dir string) error { return appendTo(filepath.Join(dir, "list/a.txt")) }, false},
		"a folder with one file more": {"list", func(dir string) error { return os.WriteFile(filepath.Join(dir, "list/b.txt"), []byte("u2"), 0o600) }, false},
		"replaced, which leaves what is read as it was": {"list/a.txt", func(dir string) error {
			aside := filepath.Join(dir, "new")
			return errors.Join(os.WriteFile(aside, []byte("u2"), 0o600), os.Rename(aside, filepath.Join(dir, "list/a.txt")))
		}, true},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := errors.Join(os.Mkdir(filepath.Join(dir, "list"), 0o755), os.WriteFile(filepath.Join(dir, "list/a.txt"), content, 0o600)); err != nil {
				t.Fatal(err)
			}
			changed := false
			err := keys.Read(t.Context(), keys.ImportOptions{Path: filepath.Join(dir, c.path), Temp: dir}, func([]byte) error {
				if changed {
					return nil
				}
				changed = true
				return c.change(dir)
			})
			if (err == nil) != c.passes || err != nil && (fault.KindOf(err) != fault.Transient || !strings.Contains(err.Error(), "was written to while it was read")) {
				t.Errorf("%v", err)
			}
		})
	}
}

func appendTo(path string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, "u3\n")
	return errors.Join(err, file.Close())
}
