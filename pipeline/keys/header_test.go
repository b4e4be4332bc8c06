package keys_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline/keys"
	"rollcall/schema/fault"
)

// told reads content as a file called name and gives the IDs and what was warned of.
func told(t *testing.T, name, content string, options keys.ImportOptions) (ids, warnings []string, err error) {
	t.Helper()
	options.Path, options.Temp = filepath.Join(t.TempDir(), name), t.TempDir()
	if err := os.WriteFile(options.Path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	options.Warn = func(text, hint string) { warnings = append(warnings, text+" ("+hint+")") }
	err = keys.Read(t.Context(), options, func(id []byte) error {
		ids = append(ids, string(id))
		return nil
	})
	return ids, warnings, err
}

func TestTheHeaderThatIsTakenIsTold(t *testing.T) {
	t.Parallel()
	const taken, odd = "is taken for the name of the column", "looks like an ID and is taken for the name of the column: it is not asked"
	for _, c := range []struct{ rule, content, want string }{
		{"an ordinary name", "user_id\nu1\n", `a.csv: the first line, "user_id", ` + taken},
		{"letters above letters", "id\nbob\n", `the first line, "id", ` + taken},
		{"an ID above IDs", "u0000001\nu0000002\n", `the first line, "u0000001", ` + odd},
		{"IDs of several lengths", "u1\nu22\n", odd},
		{"numbers", "1001\n1002\n", odd},
		{"UUIDs", "008b98ef-f8ef-4213-943e-8ad99680f21e\n0a9a6950-d7fc-4923-a3db-eb91a8819ec3\n", odd},
		{"a name with a digit", "id2\nu-1\n", `the first line, "id2", ` + taken},
		{"one line alone", "u1\n", `the first line, "u1", ` + taken},
	} {
		_, warnings, err := told(t, "a.csv", c.content, keys.ImportOptions{})
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], c.want) || !strings.Contains(warnings[0], "header = false") {
			t.Errorf("%s: %q, %v", c.rule, warnings, err)
		}
	}
	for _, c := range []struct {
		rule, name, content string
		options             keys.ImportOptions
	}{
		{"a named column", "a.csv", "u1\nu2\n", keys.ImportOptions{Column: "u1"}},
		{"no header", "a.csv", "u1\nu2\n", keys.ImportOptions{NoHeader: true}},
		{"no table", "a.txt", "u1\nu2\n", keys.ImportOptions{}},
	} {
		if _, warnings, err := told(t, c.name, c.content, c.options); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %q, %v", c.rule, warnings, err)
		}
	}
}

func TestAListOfLinesThatBeginsWithAHeaderIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, content, column, want string }{
		{"a usual name", "user_id\nu1\n", "", `a.txt: the first line, "user_id", looks like a header and is taken for an ID`},
		{"in other letters", "\ufeffUserID\r\nu1\r\n", "", `the first line, "UserID", looks like a header`},
		{"the column that was named", "staff no\nu1\n", "staff no", `the first line, "staff no", looks like a header`},
		{"another column", "u1\nu2\n", "user_id", `a.txt: column = "user_id" has no effect`},
		{"IDs", "u1\nuser_id\n", "", ""},
	} {
		ids, warnings, err := told(t, "a.txt", c.content, keys.ImportOptions{Column: c.column})
		if err != nil || len(ids) != 2 || len(warnings) > 1 || !strings.Contains(strings.Join(warnings, ""), c.want) || (c.want == "") != (len(warnings) == 0) {
			t.Errorf("%s: %q, %q, %v", c.rule, ids, warnings, err)
		}
	}
}

func TestLinesThatLookLikeATableAreTold(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"u1;A\nu2;B\n": `a.txt: each line holds ";", and is taken for one ID`, "a;b|c\na|c\n": `each line holds "|"`, "u1;A\nu2\n": "",
	} {
		_, warnings, err := told(t, "a.txt", content, keys.ImportOptions{})
		if err != nil || !strings.Contains(strings.Join(warnings, ""), want) || (want == "") != (len(warnings) == 0) {
			t.Errorf("%q: %q, %v", content, warnings, err)
		}
	}
}

func TestTablesAreReadWithAnotherDelimiterAndWithoutAHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, content string
		options       keys.ImportOptions
		want          string
	}{
		{"semicolons", "id;name\nu1;\"A;B\"\n", keys.ImportOptions{Delimiter: ';', Column: "id"}, "u1"},
		{"TABs", "name\tid\nA, B\tu1\n", keys.ImportOptions{Delimiter: '\t', Column: "id"}, "u1"},
		{"bars", "id|x\nu1|y\n", keys.ImportOptions{Delimiter: '|', Column: "id"}, "u1"},
		{"Excel's line", "\ufeffsep=;\r\nid;name\r\nu1;A\r\n", keys.ImportOptions{Delimiter: ';', Column: "id"}, "u1"},
		{"Excel's line, with a comma", "sep=,\nid,name\nu1,A\n", keys.ImportOptions{Column: "id"}, "u1"},
		{"no header", "u1\nu2\n", keys.ImportOptions{NoHeader: true}, "u1 u2"},
		{"no header after a mark", "\ufeff\"u1\"\r\nu2\r\n", keys.ImportOptions{NoHeader: true}, "u1 u2"},
	} {
		got, _, err := told(t, "a.csv", c.content, c.options)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v", c.rule, got, err)
		}
	}
	for _, c := range []struct {
		rule, name, content string
		options             keys.ImportOptions
		message, hint       string
	}{
		{"several columns without a header", "a.csv", "u1,A\n", keys.ImportOptions{NoHeader: true}, "a.csv:1: there are 2 columns, and no header", "give the file a header"},
		{"another delimiter without a header", "a.csv", "u1;A\n", keys.ImportOptions{NoHeader: true}, `a.csv:1: there is one column, "u1;A"`, `delimiter = ";"`},
		{"the wrong delimiter", "a.csv", "id,name\nu1,A\n", keys.ImportOptions{Delimiter: ';'}, `there is one column, "id,name"`, `delimiter = ","`},
		{"Excel's line names another", "a.csv", "sep=|\nid|name\n", keys.ImportOptions{Delimiter: ';'}, `says that "|" divides the columns`, `delimiter = "|"`},
		{"a line after Excel's", "a.csv", "sep=;\nid;name\nu1 ;A\n", keys.ImportOptions{Delimiter: ';', Column: "id"}, `a.csv:3: "u1 " begins or ends`, "blanks"},
		{"a delimiter of a list of lines", "a.txt", "u1\n", keys.ImportOptions{Delimiter: ';'}, "belong to CSV", "name the file .csv"},
		{"no header of Parquet", "a.ndjson", "{}\n", keys.ImportOptions{NoHeader: true}, "belong to CSV", "name the file .csv"},
	} {
		got, _, err := told(t, c.name, c.content, c.options)
		if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), c.message) || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%s: %q, %v, hint %q", c.rule, got, err, fault.HintOf(err))
		}
	}
}

func TestAProbeFindsWhatIsWrongAtTheBeginning(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&many, "u%d\n", i)
	}
	for _, c := range []struct{ rule, content, want string }{
		{"a long list that is well", many.String(), ""},
		{"a fault far behind", many.String() + "u1 \n", ""},
		{"a blank in the first lines", "u1\nu2 \n" + many.String(), "blank space"},
		{"floats", strings.Repeat("10001.0\n", 5000), "made floats of IDs"},
		{"nothing", "\n", "the list is empty"},
	} {
		path := filepath.Join(t.TempDir(), "a.txt")
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		read, err := keys.Probe(t.Context(), keys.ImportOptions{Path: path, Temp: t.TempDir()})
		if !read || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.rule, err)
		}
	}
	if read, err := keys.Probe(t.Context(), keys.ImportOptions{Values: []string{"u1", "u2\u200b"}}); !read || err == nil || !strings.Contains(err.Error(), "can't be seen") {
		t.Errorf("values: %v", err)
	}
	for path, want := range map[string]string{
		"-": "", os.DevNull: "", "s3://bucket/users.txt": "", "s3://bucket/a.b/": "", "s3://bucket": "no address of an object", "s3://bucket/": "no address of an object", "s3://bucket/a.xlsx": "no known format",
	} {
		read, err := keys.Probe(t.Context(), keys.ImportOptions{Path: path})
		if read || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: read %v, %v", path, read, err)
		}
	}
}

func TestRowsNameTheLikelyDelimiterToo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("sep=;\ngroup_id;user_id\ng;u \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	options := keys.RowOptions{Path: path, Columns: []keys.Column{{Name: "group_id"}, {Name: "user_id"}}, Temp: t.TempDir()}
	var got []string
	read := func() error {
		return keys.ReadRows(t.Context(), options, func(line int, values [][]byte) error {
			got = append(got, fmt.Sprintf("%d %s %s", line, values[0], values[1]))
			return nil
		})
	}
	if err := read(); err == nil || !strings.Contains(fault.HintOf(err), "--delimiter ';'") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	options.Delimiter = ';'
	if err := read(); err != nil || !slices.Equal(got, []string{"3 g u "}) { // what is compared decides about blanks
		t.Errorf("%q, %v", got, err)
	}
	if _, err := rows(t, "a.csv", "group_id;user_id\ng;u\n"); err == nil || !strings.Contains(fault.HintOf(err), "--delimiter ';'") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	if _, err := rows(t, "a.csv", "group_id\tuser_id\ng\tu\n"); err == nil || !strings.Contains(fault.HintOf(err), `--delimiter '\t'`) {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}
