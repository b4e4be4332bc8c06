package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/pipeline/applock"
	"rollcall/pipeline/job"
	"rollcall/pipeline/state"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks/manifest"
	"rollcall/sources/simulated"
)

// small are the flags of a world that is asked within a second.
var small = []string{"--oddities=false", "--users", "40", "--groups", "8", "--latency", "1ms"}

func TestDemoSealsAndSaysWhereAndWhatToTry(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "a demo")
	got := realTime(t, nil, append(small, "demo", "--out", out)...)
	if got.code != Done {
		t.Fatalf("demo ended with %d: %s", got.code, got.stderr)
	}
	part := filepath.Join(out, "snapshots/memberships/snapshot_date=2026-11-21/part-00000.parquet")
	for _, want := range []string{
		"Sealed 2026-11-21 in " + out,
		"Complete for the lists given: every key was answered", "Whether the lists hold all groups of the app is not known.", "  ids.rongcloud_users: ",
		"/user/group/query.json                         40 requests  at most ",
		`duckdb -c "SELECT source, role, count(*) AS memberships FROM read_parquet(['` + part + `'])`,
		`python3 -c "import duckdb; print(duckdb.sql('''SELECT source, role, count(*) AS memberships FROM read_parquet(['` + part + `'])`,
		`rollcall snapshots --config "` + filepath.Join(out, "rollcall.hcl") + `"`,
		`rollcall report 2026-11-21 --out "` + filepath.Join(out, "report.html") + `" --config "` + filepath.Join(out, "rollcall.hcl") + `"`,
		`rollcall sql duckdb --config "` + filepath.Join(out, "rollcall.hcl") + `" > "` + filepath.Join(out, "views.sql") + `" && duckdb --init "` + filepath.Join(out, "views.sql") + `"`,
		`rollcall explain --group g000001 --config "` + filepath.Join(out, "rollcall.hcl") + `"`,
		"Tomorrow, with both apps a night older:\n  rollcall demo --night 1 --groups 8 --latency 1ms --oddities=false --out \"" + out + `" --users 40`,
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("the answer lacks %q:\n%s", want, got.stdout)
		}
	}
	if _, err := os.Stat(part); err != nil {
		t.Error(err)
	}

	again := realTime(t, nil, append(small, "demo", "--out", out)...)
	if again.code != Done || !strings.Contains(again.stdout, "2026-11-21 was sealed before") || !strings.HasSuffix(again.stdout, "To see it work again:\n  rm -r \""+out+"\" && rollcall demo --groups 8 --latency 1ms --oddities=false --out \""+out+"\" --users 40\n") {
		t.Errorf("the second demo ended with %d: %s", again.code, again.stdout)
	}

	config, err := os.ReadFile(filepath.Join(out, "rollcall.hcl"))
	if err != nil || !regexp.MustCompile(`\n#   rollcall simulate --addr 127\.0\.0\.1:\d+ --groups=8 --latency=1ms --oddities=false --users=40\n`).Match(config) {
		t.Errorf("the configuration does not say how to serve its vendors again (%v):\n%s", err, config)
	}

	list := rollcall(t, "snapshots", "--config", filepath.Join(out, "rollcall.hcl"))
	if list.code != Done || !strings.HasPrefix(list.stdout, "DATE ") || !strings.Contains(list.stdout, "\n2026-11-21  ") {
		t.Errorf("snapshots ended with %d:\n%s%s", list.code, list.stdout, list.stderr)
	}
	var rows []snapshotRow
	list = rollcall(t, "snapshots", "--json", "--config", filepath.Join(out, "rollcall.hcl"))
	if err := json.Unmarshal([]byte(list.stdout), &rows); err != nil || len(rows) != 1 || rows[0].Sequence != 1 || rows[0].Memberships == 0 || rows[0].Files != 7 {
		t.Errorf("snapshots --json gave %q (%v)", list.stdout, err)
	}
}

func TestInterruptedDemoGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	args := []string{"demo", "--oddities=false", "--users", "150", "--groups", "8", "--progress", "log", "--out", out}
	signals := make(chan os.Signal, 1)
	first := realTime(t, signals, args...)
	if first.code != Stopped || !strings.Contains(first.stderr, "\nStopping: what was fetched is being kept. (Again: end at once.)\n") || !strings.Contains(first.stderr, "Error: stopped before the snapshot was sealed") || !strings.Contains(first.stderr, "run the same command again") {
		t.Fatalf("the interrupted demo ended with %d: %s", first.code, first.stderr)
	}
	list := filepath.Join(out, "rongcloud", "users.txt")
	before, err := os.Stat(list)
	if err != nil {
		t.Fatal(err)
	}
	if second := realTime(t, nil, args...); second.code != Done || !strings.Contains(second.stderr, "going on with the run begun") {
		t.Errorf("the second demo ended with %d: %s", second.code, second.stderr)
	}
	if after, err := os.Stat(list); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the second demo wrote a list anew that was the same (%v)", err)
	}
}

func TestDemoLeavesAConfigurationOfOnesOwnAlone(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "rollcall.hcl"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := rollcall(t, "demo", "--out", out)
	want := "Error: " + out + " holds a configuration of your own, which is not overwritten\nWhat to do: name another folder with --out\n"
	if got.code != ChangeFirst || got.stderr != want {
		t.Errorf("demo ended with %d: %s", got.code, got.stderr)
	}
}

func TestSimulatedVendorsAreAskedByARealRun(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	signals := make(chan os.Signal, 1)
	ready, ended := make(chan struct{}), make(chan int)
	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, append(small, "simulate", "--addr", "127.0.0.1:0", "--out", out)...)
	env.Signals = signals
	env.Stdout = &trigger{Buffer: &stdout, at: "rollcall run --config", do: func() { close(ready) }}
	go func() { ended <- Main(t.Context(), env) }()
	<-ready

	config := filepath.Join(out, "rollcall.hcl")
	if got := rollcall(t, "validate", "--config", config); got.code != Done || got.stdout != config+" is valid: 2 sources, 6 data blocks, sink local.out\n" {
		t.Errorf("validate ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	run := realTime(t, nil, "run", "--json", "--progress", "none", "--config", config, "--date", "2026-11-20")
	var sealed sealedAnswer
	if err := json.Unmarshal([]byte(run.stdout), &sealed); err != nil || run.code != Done || sealed.Date != "2026-11-20" || sealed.Rows["users"] != 80 || run.stderr != "" {
		t.Errorf("run ended with %d (%v): %s%s", run.code, err, run.stdout, run.stderr)
	}
	signals <- os.Interrupt
	if code := <-ended; code != Done || !strings.Contains(stderr.String(), "/user/group/query.json") {
		t.Errorf("simulate ended with %d: %s", code, stderr.String())
	}
}

func TestSimulatedBudgetsStandInTheConfiguration(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{
		"0":  "",
		"7":  "  budget \"group_members\" { per_second = 7 }\n",
		"-1": "  budget \"group_members\" { per_second = 100000 }\n",
	} {
		out := t.TempDir()
		signals := make(chan os.Signal, 1)
		var stdout, stderr bytes.Buffer
		env := testEnv(&stdout, &stderr, append(small, "simulate", "--addr", "127.0.0.1:0", "--budget", flag, "--out", out)...)
		env.Signals = signals
		env.Stdout = &trigger{Buffer: &stdout, at: "rollcall run --config", do: func() { signals <- os.Interrupt }}
		if code := Main(t.Context(), env); code != Done {
			t.Fatalf("simulate --budget %s ended with %d: %s", flag, code, stderr.String())
		}
		text, err := os.ReadFile(filepath.Join(out, "rollcall.hcl"))
		if err != nil || strings.Count(string(text), want) != 2 && want != "" || want == "" && strings.Contains(string(text), "budget") {
			t.Errorf("--budget %s wrote (%v):\n%s", flag, err, text)
		}
		if got := rollcall(t, "validate", "--config", filepath.Join(out, "rollcall.hcl")); got.code != Done {
			t.Errorf("--budget %s: validate ended with %d: %s", flag, got.code, got.stderr)
		}
	}
}

func TestOdditiesAreCounted(t *testing.T) {
	t.Parallel()
	options := simulated.Demo()
	options.Users, options.Groups, options.TencentUsers, options.TencentGroups = 40, 8, 0, 0
	s, err := serve(options, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	users, groups := len(s.world.RongCloud.UserIDs())-40, len(s.world.RongCloud.GroupIDs())-8
	if want := fmt.Sprintf("RongCloud (%d users in %d groups, %d and %d of them added as oddities)", users+40, groups+8, users, groups); !strings.HasPrefix(s.String(), want) {
		t.Errorf("got %s, want %s", s, want)
	}
	if max(users-oddUsers, oddUsers-users, groups-oddGroups, oddGroups-groups) > 10 {
		t.Errorf("the help says some %d users and %d groups are added; it is %d and %d", oddUsers, oddGroups, users, groups)
	}
}

func TestSimulateStaysOnLoopback(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:8080", ":8080", "192.0.2.1:80", "127.0.0.1"} {
		if got := rollcall(t, "simulate", "--addr", address); got.code != ChangeFirst || !strings.Contains(got.stderr, "is no loopback address") {
			t.Errorf("--addr %s ended with %d: %s", address, got.code, got.stderr)
		}
	}
}

func TestConfigurationFaultsAreToldAllAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rollcall.hcl")
	if err := os.WriteFile(path, []byte("source \"rongcloud\" \"prod\" {\n  app_kee = env(\"KEY\")\n  app_secret = \"literal\"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := rollcall(t, "validate", "--config", path)
	if got.code != ChangeFirst || !strings.Contains(got.stderr, path+":2:3") || !strings.Contains(got.stderr, path+":3:") || !regexp.MustCompile(`\n\d faults\n$`).MatchString(got.stderr) {
		t.Errorf("validate ended with %d:\n%s", got.code, got.stderr)
	}
	if strings.Contains(got.stderr, "literal\"") {
		t.Errorf("a secret is shown:\n%s", got.stderr)
	}
	for _, command := range []string{"validate", "plan"} {
		got = rollcall(t, command, "--json", "--config", path)
		said, silent := got.stderr, got.stdout
		if command == "validate" { // whose answer they are
			said, silent = silent, said
		}
		var told struct {
			complaint
			Valid  *bool
			Faults []struct{ Line int } `json:"faults"`
		}
		if err := json.Unmarshal([]byte(said), &told); err != nil || got.code != ChangeFirst || told.Code != ChangeFirst || len(told.Faults) < 2 || told.Valid == nil || *told.Valid || silent != "" {
			t.Errorf("%s --json ended with %d and gave %s, and %s (%v)", command, got.code, said, silent, err)
		}
	}
}

func TestStarterConfigurationIsValid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "rollcall.hcl")
	rollcall(t, "init", "--config", path)
	if err := os.WriteFile(filepath.Join(dir, "users.txt"), []byte("u1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, "validate", "--config", path)
	env.LookupEnv = func(name string) (string, bool) { return "value-of-" + name, true }
	if code := Main(t.Context(), env); code != Done || stderr.Len() > 0 {
		t.Errorf("validate ended with %d: %s", code, stderr.String())
	}

	if err := os.Remove(filepath.Join(dir, "users.txt")); err != nil {
		t.Fatal(err)
	}
	code := Main(t.Context(), env)
	if said := stderr.String(); code != ChangeFirst || !strings.Contains(said, "Error: ids.users: "+filepath.Join(dir, "users.txt")+" cannot be read: no such file or directory\n") || !strings.Contains(said, "in ids \"users\"") {
		t.Errorf("without the list validate ended with %d: %s", code, said)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	m := manifest.Manifest{
		Date: "2026-11-21", ExitCode: Partial, SealedAt: manifest.At(midnight), Discrepancies: 3,
		Files: []manifest.File{{Table: "memberships", Rows: 1_200_000}, {Table: "memberships", Rows: 34}, {Table: "groups", Rows: 400}, {Table: "users", Rows: 3400}},
		Verdicts: manifest.Verdicts{
			Groups: map[string]int64{"exact": 390, "short": 2, "gone": 5, "failed": 3, "over": 0, "not_asked": 7},
			Users:  map[string]int64{"unverifiable": 3399, "over": 1},
		},
		Requests: map[string]map[string]manifest.Figures{"rongcloud.prod": {"user_groups": {Requests: 3400}, "group_members": {Requests: 12_000, Throttles: 17}}},
		Outcomes: map[string]map[string]int64{"rongcloud_group_members.all": {"ok": 392, "gone": 5, "failed": 3, "denied": 0}, "rongcloud_user_groups.staff": {"ok": 3400}},
	}
	base, before, uncovered := "2026-11-20", int64(1121), int64(7530)
	m.ChangesBase, m.Uncovered = &base, &uncovered
	m.Lists = manifest.Lists{{Name: "rooms", IDs: 1, Keys: []string{"groups"}}, {Name: "staff\x1b[2J", IDs: 30, Before: &before, Keys: []string{"users"}}}
	r := pipeline.Result{
		Date: "2026-11-21", Place: "s3://acme-audit/im", Code: Partial, Path: "_snapshots/2026-11-21.json", Manifest: m,
		URL: func(path string) string { return "s3://acme-audit/im/" + path },
		Gaps: []pipeline.Gap{
			{Data: "rongcloud_group_members.all", Outcome: schema.Failed, Code: "1000", Keys: 3, Key: "g1\x1b[2J", Message: "RongCloud refused group_members: internal error"},
			{Data: "rongcloud_group_members.all", Outcome: schema.Gone, Code: "25410", Keys: 5, Key: "g7", Message: "group does not exist"},
		},
	}
	var out bytes.Buffer
	report(console.NewPrinter(&out), r, 125*time.Second)
	golden(t, "report_not_whole", out.String())

	r.Manifest.Checks = []manifest.Check{
		{Name: "fewer_memberships", Kind: "drop", Result: "accepted", Measured: "memberships: 1,200,034 rows, 1,400,000 on 2026-11-20 (199,966 fewer, 14.28%)", Limit: "5%"},
		{Name: "new_roles", Kind: "new_roles", Result: "warn", Measured: "not there on 2026-11-20: rongcloud.prod has \"\x1b[2J\" (1 membership)"},
		{Name: "owners", Kind: "ownerless", Result: "pass", Measured: "2 of 390 groups read whole have no owner (0.51%)", Limit: "1%"},
		{Name: "emptied", Kind: "emptied", Result: "pass", Measured: "nothing is empty"},
		{Name: "list_shrunk", Kind: "list_shrunk", Result: "accepted", Measured: "ids.staff: 30 IDs, 1,121 on 2026-11-20 (1,091 fewer, 97.32%)", Limit: "20%, or 19 if more"},
		{Name: "uncovered", Kind: "drop", Result: "pass", Measured: "users: 5 rows, 5 on 2026-11-20", Limit: "5%"},
		{Name: "list_without_rows", Kind: "list_without_rows", Result: "pass", Measured: "some ID of each list of 20 or more has a membership"},
	}
	r.Gaps, r.Already = nil, true
	out.Reset()
	report(console.NewPrinter(&out), r, 0)
	golden(t, "report_not_whole_sealed_before", out.String())

	r.Code, r.Gaps, r.Already = Done, nil, true
	r.Manifest.Checks, r.Manifest.Discrepancies, r.Manifest.ChangesBase, r.Manifest.Uncovered, r.Manifest.Lists = nil, 0, nil, nil, r.Manifest.Lists[1:]
	r.Manifest.Verdicts = manifest.Verdicts{Groups: map[string]int64{"exact": 400}, Users: map[string]int64{"unverifiable": 3400}}
	out.Reset()
	report(console.NewPrinter(&out), r, 0)
	golden(t, "report_sealed_before", out.String())
}

func TestFailedChecksAreToldWithTheWayToSealAllTheSame(t *testing.T) {
	t.Parallel()
	refused := &pipeline.ChecksError{Date: "2026-11-21", Command: state.Night{Date: "2026-11-21"}.Command(), Results: []manifest.Check{
		{Name: "emptied", Kind: "emptied", Result: "fail", Measured: "users has no rows, and had 1,234 on 2026-11-20"},
		{Name: "fewer", Kind: "drop", Result: "fail", Measured: "groups: 3 rows, 40 on 2026-11-20 (37 fewer, 92.5%)", Limit: "5%"},
		{Name: "owners", Kind: "ownerless", Result: "pass", Measured: "0 of 3 groups read whole have no owner (0%)", Limit: "0"},
	}}
	var text, line bytes.Buffer
	a := testApp(t, flags{}, &text, &text)
	checks(a.talk.Printer(), refused.Results)
	a.complain(refused)
	a.said()
	golden(t, "checks_failed", text.String())

	a = testApp(t, flags{json: true}, &line, &line)
	a.complain(refused)
	a.said()
	var got complaint
	if err := json.Unmarshal(line.Bytes(), &got); err != nil || got.Code != NotSealed || got.Kind != "not_sealed" || len(got.Checks) != 3 || got.Checks[1].Limit != "5%" {
		t.Errorf("%v: %s", err, line.String())
	}
}

func TestOnlyChecksThatThereAreCanBeAccepted(t *testing.T) {
	t.Parallel()
	fewer := []job.Check{{Name: "fewer"}, {Name: "owners"}}
	for _, c := range []struct {
		accept []string
		checks []job.Check
		hint   string
	}{
		{[]string{"fewer", "owners"}, fewer, ""},
		{[]string{"fewr"}, fewer, "did you mean --accept fewer?"},
		{[]string{"everything"}, fewer, "there are these: fewer, owners"},
		{[]string{"list_shrunk", "uncovered", "fewer_memberships", "emptied", "list_without_rows"}, job.BuiltIn(), ""},
		{[]string{"list_shrink"}, job.BuiltIn(), "did you mean --accept list_shrunk?"},
	} {
		err := acceptable(c.accept, c.checks)
		if fault.HintOf(err) != c.hint || (c.hint != "") != (code(err) == ChangeFirst) {
			t.Errorf("--accept %v: %v, hint %q", c.accept, err, fault.HintOf(err))
		}
	}
}

func TestHowARunEndsDecidesTheCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want int
		kind string
	}{
		{&pipeline.NotSealedError{Date: "2026-11-21", Missing: 5, Asked: 10}, NotSealed, "not_sealed"},
		{&pipeline.StoppedError{Date: "2026-11-21", Message: "the vendor is down"}, Stopped, "stopped"},
		{&state.HeldError{Folder: ".rollcall"}, Busy, "busy"},
		{&applock.HeldError{Source: "rongcloud.prod"}, Busy, "busy"},
		{&faulty{file: "rollcall.hcl"}, ChangeFirst, ""},
		{&pipeline.ChecksError{Date: "2026-11-21"}, NotSealed, "not_sealed"},
	} {
		if got := code(c.err); got != c.want {
			t.Errorf("%T: code %d, want %d", c.err, got, c.want)
		}
		if got := kind(c.err); c.kind != "" && got != c.kind {
			t.Errorf("%T: kind %s, want %s", c.err, got, c.kind)
		}
	}
}

func TestWordsAreQuotedForTheShell(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"rollcall-demo/rollcall.hcl": "rollcall-demo/rollcall.hcl",
		"a demo":                     `"a demo"`,
		"it's $HOME":                 `'it'\''s $HOME'`,
	} {
		if got := shell(word); got != want {
			t.Errorf("shell(%q) = %s, want %s", word, got, want)
		}
	}
}
