package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/sinks/local"
	"rollcall/sinks/sinktest"
)

// sealedSite is a configuration whose local sink has empty snapshots of the dates.
func sealedSite(t *testing.T, dates ...string) (config string) {
	t.Helper()
	root := t.TempDir()
	sink, err := local.Open(local.Config{Path: filepath.Join(root, "out"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, date := range dates {
		sinktest.Seal(t, sink, date, sinktest.Tables{})
	}
	config = filepath.Join(root, "rollcall.hcl")
	if err := os.WriteFile(config, []byte(`source "rongcloud" "prod" {
  app_key    = env("RONGCLOUD_APP_KEY")
  app_secret = env("RONGCLOUD_APP_SECRET")
}
ids "rooms" { values = ["g1"] }
data "rongcloud_group_members" "all" { groups = ids.rooms }
sink "local" "out" { path = "./out" }
`), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

func TestDatesWithoutASnapshotAreNamed(t *testing.T) {
	t.Parallel()
	gap := "no snapshots for 2026-11-03 to 2026-11-09 (7 days)\n"
	for name, test := range map[string]struct {
		dates, today, args string
		code               int
		says               []string // what the answer names
		not                string   // what it does not
	}{
		"a list":                   {"2026-11-02 2026-11-10 2026-11-11", "2026-11-20", "snapshots", Done, []string{"\n" + gap}, "newest"},
		"a list in JSON":           {"2026-11-02 2026-11-10", "2026-11-20", "snapshots --json", Done, []string{`"missing_after":{"from":"2026-11-03","to":"2026-11-09","days":7,"after":"2026-11-02"}`}, `"last"`},
		"a list, daily":            {"2026-11-02 2026-11-10", "2026-11-12", "snapshots --expect daily", Different, []string{gap, "no snapshot for 2026-11-11: the newest snapshot is of 2026-11-10\n"}, ""},
		"a list in JSON, daily":    {"2026-11-10", "2026-11-12", "snapshots --expect daily --json", Different, []string{`"missing_after":{"from":"2026-11-11","to":"2026-11-11","days":1,"after":"2026-11-10","last":true}`}, ""},
		"a whole list, daily":      {"2026-11-10 2026-11-11", "2026-11-12", "snapshots --expect daily", Done, nil, "no snapshot"},
		"an empty list, daily":     {"", "2026-11-12", "snapshots --expect daily", Different, []string{"No snapshot is sealed"}, ""},
		"verify":                   {"2026-11-02 2026-11-10", "2026-11-20", "verify", Done, []string{"Verified: ", "  " + gap}, "newest"},
		"verify --all":             {"2026-11-02 2026-11-10", "2026-11-20", "verify --all", Done, []string{"Verified: ", "  " + gap}, "newest"},
		"verify a date":            {"2026-11-02 2026-11-10", "2026-11-20", "verify 2026-11-02", Done, []string{"Verified: ", "  " + gap}, "newest"},
		"verify --json":            {"2026-11-02 2026-11-10", "2026-11-20", "verify --json", Done, []string{`"verdict":"verified"`, `"missing_dates":[{"from":"2026-11-03","to":"2026-11-09","days":7,"after":"2026-11-02"}]`}, ""},
		"verify, daily":            {"2026-11-02 2026-11-10", "2026-11-13", "verify --expect daily", Different, []string{"FAILED: 9 dates without a snapshot, in ", gap, "no snapshots for 2026-11-11 to 2026-11-12 (2 days): the newest snapshot is of 2026-11-10\n"}, "Verified"},
		"verify --json, daily":     {"2026-11-02 2026-11-10", "2026-11-11", "verify --all --expect daily --json", Different, []string{`"verdict":"failed"`, `"kind":"no_snapshot","path":"_snapshots/2026-11-03.json"`}, ""},
		"verify, daily and late":   {"2026-11-02 2026-11-03", "2026-11-11", "verify --expect daily --all --from 2026-11-08", Different, []string{"FAILED: 3 dates without a snapshot", "no snapshots for 2026-11-08 to 2026-11-10 (3 days): the newest snapshot is of 2026-11-03\n"}, "truncated"},
		"verify nothing":           {"2026-11-02 2026-11-03", "2026-11-11", "verify --from 2026-11-08", ChangeFirst, []string{"no snapshot of 2026-11-08 is sealed"}, "Verified"},
		"verify, daily and pruned": {"2026-11-02 2026-11-10 2026-11-11", "2026-11-11", "verify --expect daily --from 2026-11-10", Done, []string{"Verified: nothing is wrong in ", "/out, from 2026-11-10 on\n"}, "no snapshot"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := sealedSite(t, strings.Fields(test.dates)...)
			var stdout, stderr bytes.Buffer
			env := testEnv(&stdout, &stderr, append(strings.Fields(test.args), "--config", config, "--progress", "none")...)
			env.Now = func() time.Time {
				today, err := time.Parse(time.DateOnly, test.today)
				if err != nil {
					t.Error(err)
				}
				return today.Add(90 * time.Minute)
			}
			code := Main(t.Context(), env)
			got := stdout.String() + stderr.String()
			if code != test.code {
				t.Errorf("it ended with %d:\n%s", code, got)
			}
			for _, text := range test.says {
				if !strings.Contains(got, text) {
					t.Errorf("it does not say %q:\n%s", text, got)
				}
			}
			if test.not != "" && strings.Contains(got, test.not) {
				t.Errorf("it says %q:\n%s", test.not, got)
			}
		})
	}
}
