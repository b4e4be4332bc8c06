package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"rollcall/sinks/manifest"
	"rollcall/sources/simulated"
)

// hostile is text that takes over a terminal which shows it as it is: it clears the screen, colours, forges a
// line, turns the direction of writing, and hides behind nothing.
const hostile = "x\x1b[2J\x1b]0;t\x07\r\nError: forged\u009b31m\u202e\u2066\u200b\x7f\t\ufeff"

// hostileID is what of it an ID in a list of lines can have. Its end can be seen.
func hostileID() string {
	return strings.NewReplacer("\r", "", "\n", "", "\t", "", "\ufeff", "").Replace(hostile) + "x"
}

// harmless finds what a terminal or a reader could take for something else than text.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s is no UTF-8: %q", what, text)
	}
	for at, r := range text {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			t.Errorf("%s has %q: …%q…", what, r, text[max(0, at-80):min(len(text), at+40)])
			return
		}
	}
	if strings.Contains(text, "\nError: forged") {
		t.Errorf("%s has a line that somebody else wrote: %q", what, text)
	}
}

// besieged is a history in which everything that can be named by others is hostile.
type besieged struct {
	t      *testing.T
	server *server
	dir    string
	config string
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	b := &besieged{t: t, server: plainServer(t, 12, 4, 1), dir: filepath.Join(t.TempDir(), "at\x1b[2J\u202e\nhome")}
	for _, app := range []*simulated.App{b.server.world.RongCloud, b.server.world.Tencent} {
		name := hostile
		group := app.GroupIDs()[0]
		app.AddGroup(simulated.Group{ID: "g" + hostileID(), Name: hostile})
		app.AddUnlistedUser("u" + hostile)
		for _, in := range []string{group, "g" + hostileID()} {
			app.AddMember(in, "u"+hostile, simulated.Member{Nickname: &name})
			app.SetRole(in, "u"+hostile, "boss"+hostile)
		}
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.config, err = b.server.write(b.dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`tolerate_failed = "1%"`), []byte(`tolerate_failed = "100%"`), 1)
	b.write("rollcall.hcl", string(text))
	return b
}

func (b *besieged) write(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// forge puts hostile words wherever the manifest of a date has some that are free.
func (b *besieged) forge(date string) {
	b.t.Helper()
	path := filepath.Join(b.dir, "snapshots", manifest.Path(date))
	encoded, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	m, err := manifest.Decode(encoded)
	if err != nil {
		b.t.Fatal(err)
	}
	m.Tool, m.Configuration, m.ChangesNote = hostile, hostile, hostile
	m.Checks = []manifest.Check{{Name: hostile, Kind: hostile, Result: "warn", Measured: hostile, Limit: hostile}}
	list, _ := m.Lists.Find("rongcloud_users")
	list.Name = hostile
	m.Lists = append(m.Lists, list)
	m.Outcomes[hostile] = map[string]int64{"failed": 1, "gone": 2}
	m.Requests[hostile] = map[string]manifest.Figures{hostile: {Requests: 3, Throttles: 2}}
	m.Data[hostile] = manifest.Data{Source: hostile, View: "group", Only: []string{hostile}, Blind: hostile}
	m.Roles[hostile] = map[string]int64{hostile: 1}
	m.Columns = map[string]manifest.Column{hostile: {Treatment: "dropped", Fingerprint: hostile}}
	for i := range m.Files {
		if m.Files[i].Table == "changes" {
			m.Files[i].MinKey, m.Files[i].MaxKey = []string{hostile, hostile, hostile}, []string{hostile, hostile, hostile}
		}
	}
	if encoded, err = manifest.Encode(m); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// TestNothingThatOthersNamedGetsToTheTerminal runs all commands over what is hostile, plainly and with --json.
func TestNothingThatOthersNamedGetsToTheTerminal(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	defer b.server.close()
	said := func(got outcome, args []string) {
		harmless(t, strings.Join(args[:1], " ")+"'s answer", got.stdout)
		harmless(t, strings.Join(args[:1], " ")+"'s talk", regexp.MustCompile("\x1b\\[\\d*[AJK]|\r").ReplaceAllString(got.stderr, ""))
	}
	const first, second = "2026-11-21", "2026-11-22"
	night := func(date string, more ...string) {
		args := append([]string{"run", "--config", b.config, "--date", date}, more...)
		got := realTime(t, nil, args...)
		if got.code != Done && got.code != Partial {
			t.Fatalf("%s ended with %d: %s", date, got.code, got.stderr)
		}
		said(got, args)
	}
	b.server.world.Fault(
		simulated.Fault{Path: simulated.PathUserGroups, Times: 2, Do: simulated.Code(1002, hostile)},
		simulated.Fault{Path: simulated.PathUserGroups, Nth: 5, Times: 1, Do: simulated.Code(1000, hostile)},
	)
	night(first, "--progress", "log")
	b.server.world.Heal()
	b.server.world.RongCloud.RemoveMember("g"+hostileID(), "u"+hostile)
	b.server.world.RongCloud.AddMember("g"+hostileID(), "new"+hostile, simulated.Member{})
	night(second, "--progress", "bar")
	b.forge(second)

	records := b.write("members.csv", "group_id,user_id\n\"g"+hostileID()+"\",\"u"+hostile+"\"\nnowhere,\"nobody"+hostile+"\"\n")
	broken := b.write("broken.hcl", "source \"rongcloud\" \"a"+hostile+"\" {\n app_key = \"\x1b[2J\n}\nbogus"+hostile+" {}\n")
	odd := b.write("odd.csv", "group_id"+hostile+",other\x1b[2J\n1,2\n")
	for _, args := range [][]string{
		{"snapshots"}, {"run", "--date", second}, {"status"}, {"status", "--date", second}, {"plan"}, {"plan", "--date", "2026-11-23"}, {"validate"},
		{"verify", "--all"}, {"verify", first}, {"verify", "--head", hostile}, {"verify", "--public-key", hostile},
		{"diff", first, second}, {"diff", first, second, "--table", "groups"}, {"diff", first, second, "--table", "outcomes"}, {"diff", first, second, "--limit", "0"}, {"diff", first, hostile},
		{"explain", "--group", "g" + hostileID()}, {"explain", "--user", "u" + hostile}, {"explain", "--group", "g" + hostileID(), "--user", "u" + hostile}, {"explain", "--user", "nobody" + hostile},
		{"explain", "--group", "g" + hostileID(), "--date", first}, {"explain", "--user", "u" + hostile, "--source", hostile},
		{"reconcile", "--expected", records}, {"reconcile", "--expected", records, "--date", first}, {"reconcile", "--expected", odd}, {"reconcile", "--expected", hostile},
		{"report", first, "--out", "-"}, {"report", second, "--out", "-"}, {"report", second, "--out", filepath.Join(b.dir, "page"+hostileID()+".html")}, {"sql", "duckdb"}, {"sql", "athena", "--location", "s3://bucket/" + hostile}, {"sql", hostile},
		{"validate", "--config", broken}, {"validate", "--config", hostile}, {"run", "--config", broken}, {"init"}, {"keygen", "--out", filepath.Join(b.dir, "key")},
		{"keygen", "--rotate", broken}, {hostile}, {"version", hostile}, {"version", "--" + hostile}, {"version", "--date", hostile}, {"demo", "--users", hostile}, {"demo", "--out", b.dir},
		{"simulate", "--addr", hostile}, {"simulate", "--faults", hostile}, {"run", "--accept", hostile}, {"run", "--metrics", hostile}, {"help", hostile},
	} {
		for _, format := range [][]string{nil, {"--json"}} {
			all := append(append([]string{}, args...), format...)
			if !strings.Contains(strings.Join(args, " "), "--config") {
				all = append(all, "--config", b.config)
			}
			got := realTime(t, nil, all...)
			said(got, all)
			if format != nil && got.stdout != "" && args[0] != "help" && !json.Valid([]byte(got.stdout)) {
				t.Errorf("%q with --json answers %q", args, got.stdout)
			}
			if got.stdout == "" && got.stderr == "" {
				t.Errorf("%q says nothing", all)
			}
		}
	}
}
