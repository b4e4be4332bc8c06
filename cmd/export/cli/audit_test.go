package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/verify"
	"rollcall/sources/simulated"
)

// audited is a history of nights of a simulated world, with what was true on each of them.
type audited struct {
	config string // rollcall.hcl
	sink   string // folder
	dates  []string
	truth  []map[pairOf]string // by night: the roles of RongCloud's memberships, as the tables spell them

	group, moved string // a group of RongCloud in which a person joins, is made admin, and leaves
	unread       string // a group that can't be read on the third night
}

// pairOf is a user in a group.
type pairOf struct{ group, user string }

// plainServer serves both vendors at midnight without budgets, latency and oddities; who calls it closes it.
func plainServer(t *testing.T, users, groups, disagreements int) *server {
	t.Helper()
	options := simulated.Demo()
	options.Nasty, options.Huge, options.Disagreements, options.ShuffledRoles = false, false, disagreements, false
	options.Users, options.Groups, options.TencentUsers, options.TencentGroups = users, groups, 0, 0
	begun := time.Now()
	options.Now = func() time.Time { return midnight.Add(time.Since(begun)) }
	options.MinLatency, options.MaxLatency = 0, 0
	options.Limits = map[string]int{}
	for _, path := range simulated.Paths() {
		options.Limits[path] = -1
	}
	s, err := serve(options, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.budget = -1
	return s
}

// audit runs five nights, in which people join, leave and change roles and one group can't be read.
func audit(t *testing.T) *audited {
	t.Helper()
	s := plainServer(t, 40, 10, 2)
	defer s.close()
	out := t.TempDir()
	var err error
	h := &audited{sink: filepath.Join(out, "snapshots"), dates: []string{"2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25"}}
	if h.config, err = s.write(out); err != nil {
		t.Fatal(err)
	}
	h.tolerate(t)
	app := s.world.RongCloud
	h.group, h.unread, h.moved = app.GroupIDs()[1], app.GroupIDs()[2], "mover\x1b[2J"
	for i, date := range h.dates {
		h.night(t, s.world, i)
		got := realTime(t, nil, "run", "--config", h.config, "--date", date, "--progress", "none", "--json")
		if got.code != Done && got.code != Partial {
			t.Fatalf("%s ended with %d: %s", date, got.code, got.stderr)
		}
	}
	return h
}

// tolerate lets some keys fail.
func (h *audited) tolerate(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	tolerant := bytes.Replace(text, []byte(`tolerate_failed = "1%"`), []byte(`tolerate_failed = "10%"`), 1)
	if bytes.Equal(tolerant, text) {
		t.Fatal("the simulated world's configuration tolerates something else")
	}
	if err := os.WriteFile(h.config, tolerant, 0o644); err != nil {
		t.Fatal(err)
	}
}

// night changes the world as the i-th night finds it, and keeps what is true.
func (h *audited) night(t *testing.T, world *simulated.World, i int) {
	t.Helper()
	app := world.RongCloud
	world.Heal()
	switch i {
	case 1:
		app.AddMember(h.group, h.moved, simulated.Member{})
	case 2:
		app.SetRole(h.group, h.moved, simulated.Admin)
		world.Fault(simulated.Fault{Path: "/entrust/group/member/query.json", Key: h.unread, Do: simulated.Code(1002, "bad \x1b[31mgroup")})
	case 4:
		app.RemoveMember(h.group, h.moved)
	}
	truth := map[pairOf]string{}
	roles := map[string]string{"1": "member", "2": "admin", "3": "owner"}
	for m := range app.Truth().Memberships() {
		if m.InGroupView || m.InUserView && m.UserListed {
			truth[pairOf{m.Group, m.User}] = roles[m.Role]
		}
	}
	h.truth = append(h.truth, truth)
}

func (h *audited) run(t *testing.T, args ...string) outcome {
	t.Helper()
	return rollcall(t, append(args, "--config", h.config, "--progress", "none")...)
}

// copied is a copy of the history whose files can be changed.
func (h *audited) copied(t *testing.T) *audited {
	t.Helper()
	out := t.TempDir()
	if err := os.CopyFS(out, os.DirFS(filepath.Dir(h.config))); err != nil {
		t.Fatal(err)
	}
	other := *h
	other.config, other.sink = filepath.Join(out, "rollcall.hcl"), filepath.Join(out, "snapshots")
	return &other
}

// TestAuditorsCommands runs them over one history.
func TestAuditorsCommands(t *testing.T) {
	t.Parallel()
	h := audit(t)
	for name, test := range map[string]func(*testing.T, *audited){
		"verify":    verifies,
		"reconcile": reconciles,
		"diff":      differs,
		"explain":   explains,
		"signed":    verifiesSignatures,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h.copied(t))
		})
	}
}

func verifies(t *testing.T, h *audited) {
	got := h.run(t, "verify", "--all")
	if got.code != Done || !strings.Contains(got.stdout, "rows\nWhoever can write ") || !strings.HasPrefix(got.stdout, "Verified: nothing is wrong in "+h.sink+"\n  chain: ") || got.stderr != "" {
		t.Errorf("verify --all ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	var rows []snapshotRow
	if err := json.Unmarshal([]byte(h.run(t, "snapshots", "--json").stdout), &rows); err != nil || len(rows) != 5 {
		t.Fatalf("snapshots: %+v, %v", rows, err)
	}
	got = h.run(t, "verify", "2026-11-22", "--head", strings.ToUpper(rows[4].Sum))
	if got.code != Done || !strings.HasSuffix(got.stdout, "The hash that was kept proves the manifests of sequence 1 to 5.\n") {
		t.Errorf("verify --head ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if got := h.run(t, "verify"); got.code != Done || !strings.Contains(got.stdout, "The content of 28 files was not read: `rollcall verify --all --config "+h.config+" --progress none` reads it.\n") {
		t.Errorf("verify of the latest night ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if got := h.run(t, "verify", "--all", "--json"); got.code != Done || !strings.Contains(got.stdout, `"findings":[]`) || !strings.Contains(got.stdout, `"verdict":"verified"`) || strings.Contains(got.stdout, "null") {
		t.Errorf("verify --all --json ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	verifiesWithoutManifests(t, h.copied(t))
	path := filepath.Join(h.sink, "groups/snapshot_date=2026-11-23/part-00000.parquet")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 4
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	var report verify.Report
	got = h.run(t, "verify", "2026-11-23", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.code != Different || len(report.Findings) == 0 || report.Verdict != verify.Failed || report.Findings[0].Kind != verify.Altered || report.Findings[0].Path != "groups/snapshot_date=2026-11-23/part-00000.parquet" {
		t.Errorf("verify of an altered file ended with %d: %s%s (%v)", got.code, got.stdout, got.stderr, err)
	}
	for _, c := range []struct{ args, message, hint string }{
		{"verify 2026-12-24", "no snapshot of 2026-12-24 is sealed in", "`rollcall snapshots --config " + h.config + " --progress none` lists"},
		{"verify yesterday", `"yesterday" is no date`, "2026-11-21"},
		{"verify 2026-11-21 2026-11-22", "takes one date", "rollcall help verify"},
		{"verify 2026-11-21 --date 2026-11-22", "there are two dates", "one of them"},
		{"verify 2026-11-21 --all", "--all reads every snapshot", "leave one"},
		{"verify 2026-11-21 --from 2026-11-22", "2026-11-21 is before --from", "earlier --from"},
		{"verify --from soon", `--from "soon" is no date`, "2026-11-21"},
		{"verify --sample 0%", `--sample "0%" is no share`, "1%"},
		{"verify --sample some", `--sample "some" is no share`, "1%"},
		{"verify --public-key none.pub", "--public-key none.pub can't be read: no such file", "check the path"},
		{"verify --public-key " + h.config, "it is no key in PEM", ".pub file"},
		{"verify --expect weekly", `--expect "weekly" is not known`, "--expect daily"},
		{"snapshots --expect weekly", `--expect "weekly" is not known`, "--expect daily"},
		{"verify --head 1234", `--head "1234" is no SHA-256`, "64 hexadecimal digits"},
	} {
		got := h.run(t, strings.Fields(c.args)...)
		if got.code != ChangeFirst || !strings.Contains(got.stderr, c.message) || !strings.Contains(got.stderr, "What to do: ") || !strings.Contains(got.stderr, c.hint) {
			t.Errorf("%s ended with %d: %s", c.args, got.code, got.stderr)
		}
	}
}

// verifiesWithoutManifests takes the manifests away, and then the files.
func verifiesWithoutManifests(t *testing.T, h *audited) {
	if err := os.RemoveAll(filepath.Join(h.sink, "_snapshots")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify"}, {"verify", "--all"}, {"verify", "2026-11-25"}} {
		got := h.run(t, args...)
		if got.code != Different || !strings.Contains(got.stdout, "  chain: there is no manifest\n") || !strings.Contains(got.stdout, "7 files of 2026-11-25, of which this is the first") {
			t.Errorf("%q without manifests ended with %d: %s%s", args, got.code, got.stdout, got.stderr)
		}
	}
	if err := os.RemoveAll(h.sink); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify"}, {"verify", "--all"}, {"report"}} {
		got := h.run(t, args...)
		if got.code != ChangeFirst || !strings.Contains(got.stderr, "no snapshot is sealed in ") || !strings.Contains(got.stderr, "What to do: `rollcall run --config "+h.config+" --progress none` seals one") {
			t.Errorf("%q in an empty sink ended with %d: %s%s", args, got.code, got.stdout, got.stderr)
		}
	}
}

func TestWhatVerifySays(t *testing.T) {
	t.Parallel()
	r := verify.Report{
		Place: "s3://acme-audit/im", Listed: 7665, Dates: []string{"2026-11-21"}, Share: 1, Files: 7, Bytes: 1 << 28, Rows: 10_250_000,
		Chain: verify.Chain{Manifests: 1095, First: 1, Last: 1095, Newest: "_snapshots/2026-11-21.json", Hash: strings.Repeat("ab", 32)},
	}
	var text bytes.Buffer
	show := func() {
		showVerified(console.NewPrinter(&text), r, (&app{}).say)
		fmt.Fprintln(&text, "---")
	}
	show()
	r.Chain.Kept, r.Chain.Proved, r.Chain.From, r.Chain.Replaced = r.Chain.Hash, 1090, 1, 2
	r.Listed, r.Dates = 7, []string{"2026-11-21"}
	show()
	r.Listed, r.Dates, r.Share = 7665, []string{"2026-11-20", "2026-11-21"}, 0.01
	r.Notes = []string{"2026-11-22 is not sealed, and has 3 files: a run is at work or was stopped"}
	show()
	r.Signed = verify.Signed{Manifests: 1000, Since: "2024-02-01", First: 96, Keys: []verify.KeyUsed{{ID: strings.Repeat("c1", 32), Manifests: 1000, First: 96, Last: 1095}}}
	r.Chain.Kept = ""
	show()
	r.Signed.Given, r.Signed.Proved, r.Signed.Linked, r.Signed.Keys[0].Trusted = []string{strings.Repeat("c1", 32)}, 1000, 95, true
	r.Signed.Keys = append(r.Signed.Keys, verify.KeyUsed{ID: strings.Repeat("c2", 32), Manifests: 1, First: 1095, Last: 1095, After: strings.Repeat("c1", 32), Trusted: true})
	show()
	r.Signed.Keys[1].Trusted, r.Signed.Proved = false, 999
	r.Findings = []verify.Finding{{Kind: verify.Stranger, Path: "_snapshots/2026-11-21.json", Message: "it is signed with the key " + strings.Repeat("c2", 32) + ", which is none of the public keys given, and none of them endorsed it"}}
	show()
	r.Signed = verify.Signed{Given: []string{strings.Repeat("c1", 32)}}
	show()
	r.Signed, r.Chain.Kept = verify.Signed{}, r.Chain.Hash
	r.Chain.Proved, r.Files, r.Dates, r.Share = 0, 0, nil, 1
	r.Findings = []verify.Finding{
		{Kind: verify.Unproved, Path: "_snapshots/", Message: "no manifest has the SHA-256 " + r.Chain.Kept + ": the newest nights were taken away, or the chain was written anew"},
		{Kind: verify.Altered, Path: "groups/snapshot_date=2026-11-21/part-00000.parquet", Message: "its SHA-256 is 12, and it was sealed with 34"},
		{Kind: verify.Sums, Path: "groups/snapshot_date=2026-11-21/", Message: "group \"a\x1b[2J\" of rongcloud.prod has 3 in owners, and 2 memberships with role owner", More: 12345},
	}
	show()
	r.Chain, r.Listed, r.Findings = verify.Chain{}, 0, r.Findings[1:2]
	show()
	r.Findings = nil
	for i, k := range verify.Kinds() {
		r.Findings = append(r.Findings, verify.Finding{Kind: verify.Kind(k.Word), Path: "_snapshots/2026-11-21.json", Message: "one", More: int64(i % 2)})
	}
	r.Missing = []snapshot.MissingDates{{From: "2026-11-03", To: "2026-11-09", Days: 7, After: "2026-11-02"}}
	show()
	r.Findings = []verify.Finding{{Kind: verify.NoSnapshot, Path: "_snapshots/2026-11-03.json", Message: "no snapshots for 2026-11-03 to 2026-11-09 (7 days)"}}
	show()
	r.Findings = nil
	for range shownMissing + 1 {
		r.Missing = append(r.Missing, snapshot.MissingDates{From: "2026-11-11", To: "2026-11-11", Days: 1, After: "2026-11-10"})
	}
	show()
	for _, one := range strings.Split(strings.TrimSuffix(text.String(), "---\n"), "---\n") {
		verdict, rest, _ := strings.Cut(one, "\n")
		if failed := strings.HasPrefix(verdict, "FAILED: "); !failed && !strings.HasPrefix(verdict, "Verified: ") || strings.Contains(rest, "Verified") || failed == strings.Contains(one, "othing is wrong") {
			t.Errorf("the verdict is not the first line, or not the only one:\n%s", one)
		}
	}
	golden(t, "verify", text.String())
	kinds := map[string]bool{}
	for _, k := range verify.Kinds() {
		kinds[k.Word] = k.Meaning != ""
	}
	for _, f := range r.Findings {
		if !kinds[string(f.Kind)] {
			t.Errorf("%s is not explained", f.Kind)
		}
	}
}

func TestAListWithoutElementsIsNoNull(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	a := testApp(t, flags{}, &stdout, &stderr)
	err := a.answer(struct {
		Empty []string       `json:"empty"`
		Left  []string       `json:"left,omitempty"`
		None  *int           `json:"none"`
		Map   map[string]int `json:"map"`
		Text  string         `json:"text"`
		Zero  int            `json:"zero,omitempty"`
	}{Text: "<a&b>"})
	err = errors.Join(err, a.out.Flush())
	if want := `{"empty":[],"none":null,"map":null,"text":"<a&b>"}` + "\n"; err != nil || stdout.String() != want {
		t.Errorf("%s (%v), want %s", stdout.String(), err, want)
	}
}

func TestKeysAreCountedInWords(t *testing.T) {
	t.Parallel()
	for done, want := range map[int64]string{
		-1:   "stopped",
		0:    "stopped; no answers of 2026-11-21 are kept yet",
		1:    "stopped; the answer about 1 key of 2026-11-21 is kept",
		1234: "stopped; the answers about 1,234 keys of 2026-11-21 are kept",
	} {
		stopped := &pipeline.StoppedError{Date: "2026-11-21", Done: done, Message: "stopped"}
		if stopped.Error() != want {
			t.Errorf("%q, want %q", stopped, want)
		}
	}
	if line := opening(event.Started{Resumed: true}); !strings.HasSuffix(line, ", which has kept no answers yet") {
		t.Errorf("%q", line)
	}
	if line := opening(event.Started{Resumed: true, Found: 1}); !strings.HasSuffix(line, ", 1 key is there already") {
		t.Errorf("%q", line)
	}
	if line := opening(event.Started{Resumed: true, Found: 1234}); !strings.HasSuffix(line, ", 1,234 keys are there already") {
		t.Errorf("%q", line)
	}
}

func TestProgressOfReadingIsToldNowAndThen(t *testing.T) {
	t.Parallel()
	now := midnight
	for progress, want := range map[string]string{
		"none": "", "log": "line 2\nline 3\n", "bar": "\r\x1b[Kline 1\r\x1b[Kline 2\r\x1b[Kline 3\r\x1b[K",
	} {
		var stdout, stderr bytes.Buffer
		a := testApp(t, flags{progress: progress}, &stdout, &stderr)
		a.env.Now = func() time.Time { return now }
		h := a.listener()
		for i, after := range []time.Duration{0, time.Second, 10 * time.Second, 10 * time.Second} {
			now = now.Add(after)
			h.tell(func() string { return fmt.Sprintf("line %d", i) })
			a.said()
		}
		h.close()
		a.said()
		if stderr.String() != want {
			t.Errorf("--progress %s wrote %q, want %q", progress, stderr.String(), want)
		}
	}
}
