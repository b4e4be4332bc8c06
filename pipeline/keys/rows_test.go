package keys_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/pipeline/keys"
	"rollcall/schema/fault"
)

// rows reads a table of groups, users and roles, and gives each row as one text.
func rows(t *testing.T, name, content string) (got []string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	columns := []keys.Column{{Name: "group_id"}, {Name: "user_id"}, {Name: "role", Optional: true}}
	err = keys.ReadRows(t.Context(), keys.RowOptions{Path: path, Columns: columns, Temp: t.TempDir()}, func(_ int, values [][]byte) error {
		got = append(got, string(values[0])+"/"+string(values[1])+"/"+string(values[2]))
		return nil
	})
	return got, err
}

// rowsOf reads one column of a table.
func rowsOf(t *testing.T, name, content, column string) (got []string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	options := keys.RowOptions{Path: path, Columns: []keys.Column{{Name: column}}, Temp: t.TempDir()}
	err = keys.ReadRows(t.Context(), options, func(_ int, values [][]byte) error {
		got = append(got, string(values[0]))
		return nil
	})
	return got, err
}

func TestRowsAreReadWhoeverWroteThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, name, content, want string }{
		{"columns in any order", "a.csv", "user_id,x,group_id\nu,1,g\n", "g/u/"},
		{"a mark before a header", "a.csv", "\ufeffgroup_id,user_id,role\r\ng,u,owner\r\n", "g/u/owner"},
		{"a mark before a quoted header", "a.csv", "\ufeff\"group_id\",\"user_id\"\r\n\"g\",\"u\"\r\n", "g/u/"},
		{"quotes and commas", "a.csv", "group_id,user_id\n\"g,\"\"1\",u\n", `g,"1/u/`},
		{"numbers and null", "a.ndjson", `{"user_id":18446744073709551615,"group_id":"g","role":null}`, "g/18446744073709551615/"},
	} {
		got, err := rows(t, c.name, c.content)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v; want %q", c.rule, got, err, c.want)
		}
	}
}

func TestFloatsAreFoundInRowsToo(t *testing.T) {
	t.Parallel()
	_, err := rows(t, "a.csv", "group_id,user_id\ng1,10001\ng1,10002.0\n")
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), `a.csv:3: column user_id: "10002.0" stands among whole numbers`) {
		t.Errorf("%v", err)
	}
	if got, err := rows(t, "a.csv", "group_id,user_id\n1.0,10001\nv2,u\n"); err != nil || len(got) != 2 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFaultsOfRowsNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, name, content, message string }{
		{"a column twice", "a.csv", "group_id,user_id,group_id\ng,u,h\n", `a.csv:1: there are two columns "group_id"`},
		{"an optional column twice", "a.csv", "group_id,user_id,role,role\ng,u,owner,admin\n", `there are two columns "role"`},
		{"a member twice", "a.ndjson", `{"group_id":"g","user_id":"u","user_id":"v"}`, "a.ndjson:1: not one whole JSON object"},
		{"semicolons", "a.csv", "group_id;user_id\ng;u\n", `the only column is "group_id;user_id"`},
		{"no user", "a.csv", "group_id,user_id\ng,\n", "a.csv:2: column user_id: an empty ID"},
	} {
		got, err := rows(t, c.name, c.content)
		if len(got) > 0 || fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), c.message) || fault.HintOf(err) == "" {
			t.Errorf("%s: %q, %v (%s)", c.rule, got, err, fault.HintOf(err))
		}
	}
}
