package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/schema/dialect"
)

// lakeHCL is a configuration with secrets that nobody has, over the sink given.
func lakeHCL(t *testing.T, sink string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rollcall.hcl")
	text := `source "rongcloud" "prod" {
  app_key    = "key"
  app_secret = env("NOBODY_HAS_IT")
}
ids "staff" { values = ["u1"] }
data "rongcloud_user_groups" "staff" { users = ids.staff }
` + sink
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const lakeSink = `sink "s3" "lake" {
  bucket   = "acme-audit"
  prefix   = "im"
  endpoint = "http://127.0.0.1:9000"
}`

func TestSQLIsThatOfTheSink(t *testing.T) {
	t.Parallel()
	local, lake := lakeHCL(t, `sink "local" "out" { path = "./out" }`), lakeHCL(t, lakeSink)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"duckdb", "--config", local}, "read_text('" + filepath.Join(filepath.Dir(local), "out") + "/_snapshots/*.json')"},
		{[]string{"duckdb", "--config", lake}, "SCOPE 's3://acme-audit/im', ENDPOINT '127.0.0.1:9000', USE_SSL false, URL_STYLE 'path'"},
		{[]string{"duckdb", "--config", local, "--location", "s3://copy/"}, "SCOPE 's3://copy')"},
		{[]string{"athena", "--config", lake}, "LOCATION 's3://acme-audit/im/memberships/'"},
		{[]string{"athena", "--config", lake, "--database", "audit", "--from", "2026-11-01"}, "CREATE EXTERNAL TABLE IF NOT EXISTS `audit`.`raw_memberships`"},
		{[]string{"athena", "--config", lake, "--database", "audit", "--from", "2026-11-01"}, "'projection.snapshot_date.range' = '2026-11-01,NOW+1DAY'"},
		{[]string{"athena", "--config", local, "--location", "s3://copy/of/it"}, "LOCATION 's3://copy/of/it/memberships/'"},
	} {
		got := rollcall(t, append([]string{"sql"}, c.args...)...)
		if got.code != Done || !strings.Contains(got.stdout, c.want) {
			t.Errorf("sql %v ended with %d, said %q, and printed no %s", c.args, got.code, got.stderr, c.want)
		}
		var answer struct{ Statements []string }
		listed := rollcall(t, append([]string{"sql", "--json"}, c.args...)...)
		if err := json.Unmarshal([]byte(listed.stdout), &answer); err != nil || len(answer.Statements) != len(dialect.Statements(got.stdout)) {
			t.Errorf("sql %v --json ended with %d, %v and %d statements", c.args, listed.code, err, len(answer.Statements))
		}
	}
	if got := rollcall(t, "sql", "athena", "--config", lake); got.stderr != "Note: Athena reads buckets of AWS, and not those of http://127.0.0.1:9000.\n" {
		t.Errorf("of a store that is not AWS it says %q", got.stderr)
	}
}

func TestSQLThatCantBeMadeIsAnsweredWithAdvice(t *testing.T) {
	t.Parallel()
	local, lake := lakeHCL(t, `sink "local" "out" { path = "/out" }`), lakeHCL(t, lakeSink)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"athena", "--config", local}, "Error: Athena reads buckets, and the snapshots are in /out\nWhat to do: give --location s3://BUCKET/PREFIX where a copy of them lies, or use `rollcall sql duckdb --config " + local + "`\n"},
		{[]string{"athena", "--config", local, "--location", "/copy"}, "Error: --location \"/copy\" is no place in a bucket\nWhat to do: write it as s3://BUCKET/PREFIX\n"},
		{[]string{"athena", "--config", local, "--location", "s3://copy", "--database", "My-Lake"}, "Error: \"My-Lake\" is no name of an Athena database\nWhat to do: use lower-case letters, digits and _, beginning with a letter\n"},
		{[]string{"athena", "--config", local, "--location", "s3://copy", "--from", "2026"}, "Error: \"2026\" is no date\nWhat to do: write it as 2026-11-21\n"},
	} {
		if got := rollcall(t, append([]string{"sql"}, c.args...)...); got.code != ChangeFirst || got.stdout != "" || got.stderr != c.want {
			t.Errorf("sql %v ended with %d, stdout %q, stderr\n%swant\n%s", c.args, got.code, got.stdout, got.stderr, c.want)
		}
	}
	if got := rollcall(t, "sql", "duckdb", "--config", lake); strings.Contains(got.stdout, "NOBODY") {
		t.Error("the script knows of a vendor's secret")
	}
}
