package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/sinks/manifest"
	"rollcall/sources/simulated"
)

// acknowledging ends a configuration with a snapshot block that acknowledges a group until a date.
func acknowledging(t *testing.T, config, verdict, group, until string) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := bytes.Cut(text, []byte("\nsnapshot {"))
	if !found {
		t.Fatalf("there is no snapshot block in\n%s", text)
	}
	block := "\nsnapshot {\n  acknowledge \"" + verdict + "\" {\n    source = source.rongcloud.demo\n    groups = [\"" + group + "\"]\n    until  = \"" + until + "\"\n    reason = \"ticket 123\x1b[2J\"\n  }\n}\n"
	if err := os.WriteFile(config, append(before, strings.ReplaceAll(block, "\x1b", `\u001b`)...), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAKnownDisagreementIsShownByAllWhoTellOfASnapshot drives the whole of it, by the program's names.
func TestAKnownDisagreementIsShownByAllWhoTellOfASnapshot(t *testing.T) {
	t.Parallel()
	s := plainServer(t, 40, 10, 0)
	defer s.close()
	out := t.TempDir()
	config, err := s.write(out)
	if err != nil {
		t.Fatal(err)
	}
	group := s.world.RongCloud.GroupIDs()[3]
	s.world.Fault(simulated.Fault{Path: simulated.PathGroupMembers, Key: group, Do: simulated.Total(2)})
	run := func(date string) outcome {
		t.Helper()
		return realTime(t, nil, "run", "--config", config, "--date", date, "--progress", "log")
	}
	const why = `ticket 123\x1b[2J`
	acknowledging(t, config, "short", group, "2026-11-21")
	if got := run("2026-11-21"); got.code != Done || !strings.Contains(got.stdout, "is met, but for those that are acknowledged.\n") ||
		!strings.Contains(got.stdout, "1 group of rongcloud.demo is short ("+group+": ") || !strings.Contains(got.stdout, ", until 2026-11-21: "+why+"\n") {
		t.Errorf("on the last day it ended with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := run("2026-11-22"); got.code != Partial || strings.Contains(got.stdout, "cknowledged") || !strings.Contains(got.stdout, "1 group is short") ||
		!strings.Contains(got.stderr, "the acknowledgement of group "+group+" of rongcloud.demo as short has expired") {
		t.Errorf("the day after it ended with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	acknowledging(t, config, "over", group, "2027-03-01")
	if got := run("2026-11-23"); got.code != Partial || !strings.Contains(got.stderr, "is acknowledged as over, and is short, which counts") {
		t.Errorf("with another verdict it ended with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := run("2026-11-21"); got.code != Done || !strings.Contains(got.stdout, why) {
		t.Errorf("the sealed date ends with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, c := range []struct {
		args, says string
		code       int
	}{
		{"snapshots", "  0 (1 acknowledged)  ", Done},
		{"snapshots --json", `"acknowledged":[{"verdict":"short","source":"rongcloud.demo","groups":["` + group + `"],"declared":[`, Done},
		{"explain --source rongcloud.demo --date 2026-11-21 --group " + group, "    acknowledged until 2026-11-21: " + why + "\n", Done},
		{"explain --source rongcloud.demo --json --group " + group, `"acknowledged":{"until":"2026-11-21","reason":"ticket 123`, Done},
		{"report 2026-11-21", "acknowledged until 2026-11-21: ticket 123", Done},
		{"report 2026-11-21", "Of these, 1 is acknowledged and not counted", Done},
		{"report 2026-11-21", "Sealed and complete", Done},
		{"verify --all", "Verified: ", Done},
	} {
		got := rollcall(t, append(strings.Fields(c.args), "--config", config, "--progress", "none")...)
		if got.code != c.code || !strings.Contains(got.stdout, c.says) || strings.Contains(got.stdout, "\x1b") {
			t.Errorf("%s ended with %d, and does not say %q:\n%s%s", c.args, got.code, c.says, got.stdout, got.stderr)
		}
	}
	manifests, err := filepath.Glob(filepath.Join(out, "snapshots/_snapshots/*.json"))
	if err != nil || len(manifests) != 3 {
		t.Errorf("%v, %v", manifests, err)
	}
}

func TestWhatIsAcknowledgedIsToldInTheLastLines(t *testing.T) {
	t.Parallel()
	declared := int64(1234)
	groups := manifest.Acknowledged{Verdict: "short", Source: "rongcloud.prod", Until: "2027-03-01", Reason: "ticket 123"}
	for _, id := range strings.Fields("g1 g2 g3 g4 g5 g6 g7") {
		groups.Groups, groups.Declared, groups.Collected = append(groups.Groups, id), append(groups.Declared, &declared), append(groups.Collected, 1230)
	}
	m := manifest.Manifest{
		Date: "2026-11-21", SealedAt: manifest.At(midnight),
		Verdicts:     manifest.Verdicts{Groups: map[string]int64{"exact": 390, "short": 7}, Users: map[string]int64{"exact": 30, "over": 1}},
		Acknowledged: []manifest.Acknowledged{groups, {Verdict: "over", Source: "rongcloud.prod", Users: []string{"u1"}, Declared: []*int64{nil}, Collected: []int64{3}, Until: "2026-12-01", Reason: "asked the vendor"}},
	}
	r := pipeline.Result{Date: "2026-11-21", Place: "s3://acme-audit/im", Code: m.Code(), Path: "_snapshots/2026-11-21.json", Manifest: m, URL: func(path string) string { return "s3://acme-audit/im/" + path }}
	var out bytes.Buffer
	report(console.NewPrinter(&out), r, 2*time.Minute)
	out.WriteString("---\n")
	r.Manifest.Verdicts.Groups["short"]++
	r.Code = r.Manifest.Code()
	report(console.NewPrinter(&out), r, 2*time.Minute)
	golden(t, "report_acknowledged", out.String())
}
