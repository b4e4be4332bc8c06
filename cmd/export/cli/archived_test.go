package cli

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"rollcall/schema"
	"rollcall/sinks/manifest"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// TestArchivedDatesAreNamed is not parallel: the SDK reads its keys from the environment of the process.
func TestArchivedDatesAreNamed(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	bucket := &sinktest.Bucket{Name: "audit"}
	server := httptest.NewServer(bucket)
	defer server.Close()
	sink, err := s3.Open(t.Context(), s3.Config{Bucket: "audit", Region: "eu-central-1", Endpoint: "http://s3.test", HTTP: bucket, Now: time.Now,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")})
	if err != nil {
		t.Fatal(err)
	}
	dates := []string{"2026-11-18", "2026-11-19", "2026-11-20"}
	rows := sinktest.Tables{
		Memberships: []schema.Membership{{Source: "rongcloud.prod", GroupID: "g1", UserID: "u1"}},
		Groups:      []schema.Group{{Source: "rongcloud.prod", GroupID: "g1", Verdict: string(schema.NotAsked)}},
		Users:       []schema.User{{Source: "rongcloud.prod", UserID: "u1", Verdict: string(schema.NotAsked)}},
		Edit: func(m *manifest.Manifest) {
			one := map[string]int64{"not_asked": 1}
			m.Verdicts, m.RoleCounts = manifest.Verdicts{Groups: one, Users: one}, map[string]int64{"unknown": 1}
		},
	}
	for _, date := range dates {
		sinktest.Seal(t, sink, date, rows)
	}
	for _, key := range bucket.Keys() {
		if strings.Contains(key, dates[0]) {
			bucket.Archive(key)
		}
	}
	config := filepath.Join(t.TempDir(), "rollcall.hcl")
	if err := os.WriteFile(config, fmt.Appendf(nil, `source "rongcloud" "prod" {
  app_key    = env("RONGCLOUD_APP_KEY")
  app_secret = env("RONGCLOUD_APP_SECRET")
}
ids "rooms" { values = ["g1"] }
data "rongcloud_group_members" "all" { groups = ids.rooms }
sink "s3" "lake" {
  bucket   = "audit"
  region   = "eu-central-1"
  endpoint = %q
}
`, server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args  string
		code  int
		names string // what the answer names
	}{
		{"snapshots", Done, "2026-11-18  archived"},
		{"snapshots --json", Done, `"archived":true`},
		{"verify", Done, "2026-11-18"},
		{"verify 2026-11-18", ChangeFirst, "restore"},
		{"explain --user u1", Done, "2026-11-18 is archived"},
		{"diff 2026-11-19 2026-11-20", Done, ""},
		{"diff 2026-11-18 2026-11-20", ChangeFirst, "restore"},
		{"report 2026-11-20", Done, ""},
		{"report 2026-11-18", ChangeFirst, "restore"},
	} {
		got := rollcall(t, append(strings.Fields(test.args), "--config", config, "--progress", "none")...)
		if got.code != test.code || !strings.Contains(strings.ReplaceAll(got.stdout+got.stderr, `": true`, `":true`), test.names) {
			t.Errorf("%s ended with %d:\n%s%s", test.args, got.code, got.stdout, got.stderr)
		}
	}
}
