package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAReportGoesWhereItIsWanted(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if got := realTime(t, nil, append(small, "demo", "--out", "demo")...); got.code != Done {
		t.Fatalf("demo ended with %d: %s", got.code, got.stderr)
	}
	config := filepath.Join("demo", "rollcall.hcl")
	whole := func(page string) bool {
		return strings.HasPrefix(page, "<!DOCTYPE html>") && strings.HasSuffix(page, "</html>\n") && strings.Contains(page, "<title>Rollcall 2026-11-21: Sealed and complete for the lists given</title>")
	}

	if got := rollcall(t, "report", "--config", config); got.code != Done || !whole(got.stdout) {
		t.Errorf("to stdout: code %d, %s\n%.300s", got.code, got.stderr, got.stdout)
	}
	if got := rollcall(t, "report", "2026-11-21", "--out", "-", "--config", config); got.code != Done || !whole(got.stdout) {
		t.Errorf("to -: code %d, %s\n%.300s", got.code, got.stderr, got.stdout)
	}

	file := filepath.Join(dir, "night.html")
	got := rollcall(t, "report", "--date", "2026-11-21", "--out", "night.html", "--config", config)
	if page, err := os.ReadFile(file); got.code != Done || err != nil || !whole(string(page)) || !strings.HasPrefix(got.stdout, "The report of 2026-11-21, ") || !strings.HasSuffix(got.stdout, "KiB, is in "+file+"\n") {
		t.Errorf("to a file: code %d, %v: %s%s", got.code, err, got.stdout, got.stderr)
	}

	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, "report", "--config", config)
	env.Shown = func() bool { return true }
	file = filepath.Join(dir, "rollcall-2026-11-21.html")
	if code := Main(t.Context(), env); code != Done || !strings.HasSuffix(stdout.String(), "is in "+file+"\n") {
		t.Errorf("to a terminal: code %d: %s%s", code, stdout.String(), stderr.String())
	}
	if page, err := os.ReadFile(file); err != nil || !whole(string(page)) {
		t.Errorf("for a terminal: %v", err)
	}

	var answer reportAnswer
	got = rollcall(t, "report", "--json", "--config", config)
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || answer.File != file || answer.Date != "2026-11-21" || answer.Bytes < 10_000 {
		t.Errorf("--json gave %q (%v)", got.stdout, err)
	}
}

func TestAReportThatCanNotBeMadeSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "rollcall.hcl")
	if err := os.WriteFile(config, []byte(`
source "rongcloud" "prod" {
  app_key    = env("APP_KEY")
  app_secret = env("APP_SECRET")
}
ids "staff" { values = ["u1"] }
data "rongcloud_user_groups" "staff" { users = ids.staff }
sink "local" "out" { path = "./snapshots" }
`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"report"}, "no snapshot is sealed in " + filepath.Join(dir, "snapshots") + " yet"},
		{[]string{"report", "tonight"}, `"tonight" is no date`},
		{[]string{"report", "2026-11-21", "--date", "2026-11-20"}, "there are two dates"},
		{[]string{"report", "--json", "--out", "-"}, "--out - gives the page itself"},
	} {
		if got := rollcall(t, append(c.args, "--config", config)...); got.code != ChangeFirst || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%v ended with %d: %s", c.args, got.code, got.stderr)
		}
	}
}
