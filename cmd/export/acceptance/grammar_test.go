package acceptance

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/schema"
)

// parse has statements parsed by the grammars that Athena uses, Hive's for tables and Trino's for views. It
// gives what the parsers saw, a line for each statement, and whether all were taken.
func parse(t *testing.T, statements []string) (seen []string, taken bool) {
	t.Helper()
	java, err := exec.LookPath("java")
	if _, none := exec.LookPath("javac"); err != nil || none != nil {
		t.Skip("there is no Java with a compiler here")
	}
	jars := filepath.Dir(fetched(t, "parsers-*/trino-parser-*.jar")[0])
	check := exec.CommandContext(t.Context(), java, "-cp", filepath.Join(jars, "*"), filepath.Join("grammar", "Check.java"))
	check.Stdin = strings.NewReader(strings.Join(statements, "\x00"))
	var talk strings.Builder
	check.Stderr = &talk
	said, err := check.Output()
	if err != nil && check.ProcessState.ExitCode() != 1 || len(said) == 0 {
		t.Fatalf("%v: %s", err, talk.String())
	}
	return strings.Split(strings.TrimSpace(string(said)), "\n"), err == nil
}

func TestAthenaTakesEveryStatementByItsOwnGrammar(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(), "sink \"s3\" \"lake\" {\n  bucket = \"acme-audit\"\n  prefix = \"im/it's ü\"\n}")
	stdout, _ := s.run(0, "sql", "athena", "--json")
	var answer struct{ Statements []string }
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatal(err)
	}
	seen, taken := parse(t, answer.Statements)
	if !taken || len(seen) != len(answer.Statements) {
		t.Errorf("of %d statements the parsers say\n%s", len(answer.Statements), strings.Join(seen, "\n"))
	}
	for _, table := range schema.Tables() {
		for _, line := range []string{"TOK_CREATETABLE (tok_tabname `rollcall` `raw_" + table.Name + "`)", "view rollcall." + table.Name + "_as_of"} {
			if !strings.Contains(strings.Join(seen, "\n")+"\n", line+"\n") {
				t.Errorf("the parsers saw no %s", line)
			}
		}
	}
	if seen, taken := parse(t, []string{"CREATE OR REPLACE VIEW a AS SELECT FROM b", "CREATE EXTERNAL TABLE a (b strin COMMENT) STORED AS PARQUET"}); taken || !strings.HasPrefix(seen[0], "refused") || !strings.HasPrefix(seen[1], "refused") {
		t.Errorf("the parsers take anything: %v", seen)
	}
}
