package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/pipeline/plan"
)

// bucketless is a configuration with a sink in a bucket, on a machine without AWS credentials.
func bucketless(t *testing.T) (config string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	config = filepath.Join(dir, "rollcall.hcl")
	text := `source "rongcloud" "prod" {
  app_key    = env("RONGCLOUD_APP_KEY")
  app_secret = env("RONGCLOUD_APP_SECRET")
}
ids "staff" { values = ["u1", "u2"] }
data "rongcloud_user_groups" "staff" { users = ids.staff }
sink "s3" "lake" {
  bucket   = "acme-audit"
  prefix   = "im"
  endpoint = "http://127.0.0.1:9"
}
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

func TestWithoutCredentialsEveryReaderSaysWhatWasTried(t *testing.T) {
	config := bucketless(t)
	for _, args := range [][]string{
		{"snapshots"}, {"verify"}, {"diff", "2026-11-20", "2026-11-21"}, {"explain", "--user", "u1"}, {"report", "2026-11-21"},
	} {
		got := rollcall(t, append(args, "--config", config)...)
		said, _, _ := strings.Cut(got.stderr, "operation error")
		for _, word := range []string{"Error: ", "no AWS credentials for bucket acme-audit", "AWS_ACCESS_KEY_ID", "~/.aws/config", "instance metadata"} {
			if !strings.Contains(said, word) {
				t.Errorf("%v does not say %q: %s", args, word, got.stderr)
			}
		}
		if got.code != ChangeFirst || !strings.Contains(got.stderr, "What to do: set AWS_ACCESS_KEY_ID") {
			t.Errorf("%v ends with %d: %s", args, got.code, got.stderr)
		}
	}
}

func TestAPlanNeedsNoCredentials(t *testing.T) {
	config := bucketless(t)
	got := rollcall(t, "plan", "--config", config)
	if got.code != Done || !strings.Contains(got.stdout, "2 users") || !strings.Contains(got.stdout, "Note: the snapshots in s3://acme-audit/im could not be read") || strings.Contains(got.stdout, "first snapshot") {
		t.Errorf("plan ends with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	got = rollcall(t, "plan", "--json", "--config", config)
	var p plan.Plan
	if err := json.Unmarshal([]byte(got.stdout), &p); err != nil || len(p.Unread) != 1 || p.Unread[0].What != "s3://acme-audit/im" || p.Requests.Least != 2 {
		t.Errorf("plan --json says %s (%v)", got.stdout, err)
	}
}

func TestAPlanGoesAsFarAsItsListsCanBeRead(t *testing.T) {
	config := bucketless(t)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	more := strings.Replace(string(text), "sink ", `ids "far" { path = "s3://lists/users.txt" }
data "rongcloud_joined_groups" "far" { users = ids.far }
sink `, 1)
	if err := os.WriteFile(config, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	got := rollcall(t, "plan", "--config", config)
	if got.code != ChangeFirst || !strings.Contains(got.stdout, "2 users") || !strings.Contains(got.stdout, "? users") || !strings.Contains(got.stdout, "ids.far could not be read") || !strings.Contains(got.stderr, "Error: ids.far: ") {
		t.Errorf("plan ends with %d: %s%s", got.code, got.stdout, got.stderr)
	}
}
