package acceptance

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rollcall/pipeline/config"
	"rollcall/pipeline/fetch"
	"rollcall/pipeline/spool"
	"rollcall/pipeline/state"
	"rollcall/sinks/manifest"
	"rollcall/sources/all"
	"rollcall/sources/simulated"
)

const date = "2026-11-21"

// site is a simulated world with a configuration that asks it all six data blocks.
type site struct {
	t     *testing.T
	world *simulated.World
	gate  gate // before the world
	dir   string
	sink  string // the sink block
	env   []string
}

// newSite serves a world and writes its lists and rollcall.hcl.
func newSite(t *testing.T, o simulated.Options, sink string, env ...string) *site {
	t.Helper()
	world := simulated.New(o)
	s := &site{t: t, world: world, dir: t.TempDir(), sink: sink, env: append(env, "RONG_SECRET="+simulated.DemoAppSecret, "TENCENT_KEY="+simulated.DemoSecretKey)}
	if err := world.WriteLists(s.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.serve())
	return s
}

// serve serves the world at a new address and writes that into rollcall.hcl. What it gives ends the
// serving, and with it every request that has not been answered.
func (s *site) serve() (end func()) {
	s.t.Helper()
	server := httptest.NewServer(s.gate.before(s.world.Handler()))
	s.write("rollcall.hcl", fmt.Sprintf(`
source "rongcloud" "prod" {
  endpoint   = %[1]q
  app_key    = %[2]q
  app_secret = env("RONG_SECRET")
  budget "user_groups"   { per_second = 2000 }
  budget "joined_groups" { per_second = 2000 }
  budget "group_members" { per_second = 2000 }
}
source "tencentchat" "intl" {
  endpoint   = %[1]q
  sdk_app_id = %[3]s
  secret_key = env("TENCENT_KEY")
  budget "joined_groups" { per_second = 2000 }
  budget "group_members" { per_second = 2000 }
  budget "group_roles"   { per_second = 2000 }
}
ids "rong_users"    { path = "rongcloud/users.txt" }
ids "rong_groups"   { path = "rongcloud/groups.txt" }
ids "tencent_users"  { path = "tencentchat/users.txt" }
ids "tencent_groups" { path = "tencentchat/groups.txt" }
data "rongcloud_user_groups" "all"   { users = ids.rong_users }
data "rongcloud_joined_groups" "all" { users = ids.rong_users }
data "rongcloud_group_members" "all" { groups = [ids.rong_groups, data.rongcloud_user_groups.all.groups] }
data "tencentchat_joined_groups" "all" {
  users  = ids.tencent_users
  topics = true
}
data "tencentchat_group_members" "all" { groups = ids.tencent_groups }
data "tencentchat_group_roles" "all"   { memberships = data.tencentchat_joined_groups.all.memberships }
%[4]s
`, server.URL, simulated.DemoAppKey, simulated.DemoSDKAppID, s.sink))
	return server.Close
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// run runs the program to its end and demands an exit code.
func (s *site) run(want int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	code, stdout, stderr := Run(s.t, s.dir, s.env, args...)
	if code != want {
		s.t.Fatalf("rollcall %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, stdout, stderr)
	}
	return stdout, stderr
}

// runUntil runs the program, sends it a signal once the vendors have answered so many requests and got
// one more, and gives its exit code, -1 for a death by signal. Meanwhile the vendors answer nothing
// more, so that no machine is too fast or too slow for it, and what of the dead is still under way
// arrives nowhere. Flushed says to wait until the spool holds more answers: for a few seconds, since it may be
// that each connection has got one of those requests, and that nothing more is proved.
func (s *site) runUntil(requests int, flushed bool, signal syscall.Signal, args ...string) int {
	s.t.Helper()
	end := s.serve()
	held := s.gate.shutAfter(requests)
	defer func() {
		end()
		s.gate.open()
		s.t.Cleanup(s.serve())
	}()
	command := Command(s.t, s.dir, s.env, args...)
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	select {
	case <-done:
		return command.ProcessState.ExitCode()
	case <-held:
	}
	for before, end := s.spoolRuns(), time.Now().Add(5*time.Second); flushed && slices.Equal(s.spoolRuns(), before) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // what another process writes can't be waited for otherwise
	}
	if err := command.Process.Signal(signal); err != nil {
		s.t.Error(err)
	}
	<-done
	return command.ProcessState.ExitCode()
}

// spoolRuns lists the runs in the state folder's spool.
func (s *site) spoolRuns() []string {
	s.t.Helper()
	runs, err := filepath.Glob(filepath.Join(s.dir, ".rollcall", "*", "spool", "run-*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return runs
}

// spooled counts the requests of the keys whose answers the state folder keeps.
func (s *site) spooled() int {
	s.t.Helper()
	nights, err := state.Nights(filepath.Join(s.dir, ".rollcall"))
	if err != nil || len(nights) != 1 {
		s.t.Fatalf("nights %v, %v", nights, err)
	}
	return s.answered(nights[0].Spool())
}

// answered tells how many requests the keys took whose answers lie in a spool. A key that is there
// twice was asked although it was safe.
func (s *site) answered(dir string) (requests int) {
	s.t.Helper()
	j, faults := config.Load(filepath.Join(s.dir, "rollcall.hcl"), config.Options{
		Definitions: all.Definitions(), Env: func(string) (string, bool) { return "", false }, ReadFile: os.ReadFile,
	})
	if j == nil {
		s.t.Fatal(faults)
	}
	kept, err := spool.Open(spool.Options{Dir: dir, Blocks: fetch.Blocks(j)})
	if err != nil {
		s.t.Fatal(err)
	}
	defer kept.Close()
	records, err := kept.Records(s.t.Context(), spool.Filter{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer records.Close()
	seen := map[string]bool{}
	for records.Next() {
		r := records.Record()
		key := fmt.Sprint(r.Block, " ", r.Key)
		if seen[key] {
			s.t.Errorf("%s was asked again although its answer was safe", key)
		}
		seen[key] = true
		requests += int(r.Requests)
	}
	if err := records.Err(); err != nil {
		s.t.Fatal(err)
	}
	return requests
}

func (s *site) requests() (sum int) {
	for _, c := range s.world.Counts() {
		sum += c.Requests
	}
	return sum
}

func small() simulated.Options {
	return simulated.Options{Seed: 4, Users: 500, Groups: 80, Nasty: true, Disagreements: 2, ShuffledRoles: true, MinLatency: time.Millisecond, MaxLatency: 5 * time.Millisecond, Limits: wide()}
}

// wide are the budgets of a site's configuration, as the vendors keep them.
func wide() map[string]int {
	limits := map[string]int{}
	for _, path := range simulated.Paths() {
		limits[path] = 2000
	}
	return limits
}

// readManifest reads the manifest of the date in a sink's folder.
func readManifest(t *testing.T, root string) manifest.Manifest {
	t.Helper()
	return manifestOf(t, root, date)
}

func manifestOf(t *testing.T, root, date string) manifest.Manifest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, manifest.Path(date)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sums gives the SHA-256 of the tables that depend on the vendors' data alone.
func sums(m manifest.Manifest) map[string]string {
	all := map[string]string{}
	for _, f := range m.Files {
		if f.Table != "outcomes" && f.Table != "sources" {
			all[f.Path] = f.SHA256
		}
	}
	return all
}

// asQuiet demands the bytes of a run that was not killed.
func (s *site) asQuiet(root string, want map[string]string) {
	s.t.Helper()
	got := sums(readManifest(s.t, root))
	for path, sum := range want {
		if got[path] != sum {
			s.t.Errorf("%s differs from that of a run that was not killed", path)
		}
	}
}

const localSink = `sink "local" "out" { path = "./snapshots" }`

func s3Sink(server *Server) string {
	return fmt.Sprintf("sink \"s3\" \"lake\" {\n  bucket   = %q\n  prefix   = \"im\"\n  region   = \"us-east-1\"\n  endpoint = %q\n}", server.Bucket, server.Endpoint)
}

func TestANightToS3LeavesWhatItsManifestNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	server := S3(t)
	s := newSite(t, small(), s3Sink(server), server.Env()...)
	s.run(0, "validate")
	s.run(0, "run", "--date", date)
	root := filepath.Join(server.Folder, "im")
	want := []string{"im/" + manifest.Path(date)}
	for _, f := range readManifest(t, root).Files {
		want = append(want, "im/"+f.Path)
	}
	slices.Sort(want)
	if got := server.Objects(t); !slices.Equal(got, want) {
		t.Errorf("objects %v, want %v", got, want)
	}
	if open := server.Uploads(t); len(open) > 0 {
		t.Errorf("open uploads: %v", open)
	}
	CheckColumns(t, root)
	before := s.requests()
	stdout, _ := s.run(0, "run", "--date", date)
	if s.requests() != before || !strings.Contains(stdout, "sealed before") {
		t.Errorf("the second run asked %d requests and said %q", s.requests()-before, stdout)
	}
	if stdout, _ := s.run(0, "snapshots"); !strings.Contains(stdout, date) {
		t.Errorf("snapshots does not list %s: %s", date, stdout)
	}
}

func TestDuckDBCountsWhatTheVendorsHold(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(), localSink)
	s.run(0, "run", "--date", date)
	root := filepath.Join(s.dir, "snapshots")
	CheckColumns(t, root)
	for source, app := range map[string]*simulated.App{"rongcloud.prod": s.world.RongCloud, "tencentchat.intl": s.world.Tencent} {
		listed := map[string]bool{}
		for g := range app.Truth().Groups() {
			listed[g.ID] = g.Listed
		}
		want := int64(0)
		for m := range app.Truth().Memberships() {
			if m.InUserView && m.UserListed || m.InGroupView && (listed[m.Group] || app == s.world.RongCloud) {
				want++
			}
		}
		got := Query(t, fmt.Sprintf("SELECT count(*) FROM %s WHERE source = '%s' AND snapshot_date = '%s'", Table(root, "memberships"), source, date))
		if got[0][0] != want {
			t.Errorf("%s: DuckDB counts %v memberships, the truth %d", source, got[0][0], want)
		}
	}
	disputed := Query(t, fmt.Sprintf("SELECT count(*) FROM %s WHERE disputed", Table(root, "memberships")))
	discrepancies := Query(t, fmt.Sprintf("SELECT count(DISTINCT (source, group_id, user_id)) FROM %s", Table(root, "discrepancies")))
	if disputed[0][0] != discrepancies[0][0] || disputed[0][0] == int64(0) {
		t.Errorf("%v disputed memberships, %v pairs with discrepancies", disputed[0][0], discrepancies[0][0])
	}
}

func TestARunKilledAnywhereGoesOnToTheSameBytes(t *testing.T) {
	t.Parallel()
	whole := newSite(t, small(), localSink)
	whole.run(0, "run", "--date", date)
	total := whole.requests()
	want := sums(readManifest(t, filepath.Join(whole.dir, "snapshots")))

	s := newSite(t, small(), localSink)
	lost, kept := 0, 0
	for i, requests := range []int{1, total / 5, total / 3, total / 4} {
		before := s.requests()
		if code := s.runUntil(requests, i%2 == 1, syscall.SIGKILL, "run", "--date", date); code != -1 {
			t.Fatalf("after %d requests the program ended by itself with %d", requests, code)
		}
		spooled := s.spooled()
		lost += s.requests() - before - (spooled - kept)
		kept = spooled
		if _, err := os.Stat(filepath.Join(s.dir, "snapshots", manifest.Path(date))); err == nil {
			t.Fatal("a killed run left a manifest")
		}
	}
	s.run(0, "run", "--date", date)
	s.asQuiet(filepath.Join(s.dir, "snapshots"), want)
	for path, c := range s.world.Counts() {
		if c.MaxPerSecond > 2000 || c.Throttled > 0 {
			t.Errorf("%s: %d requests in a second, %d throttled, over four kills", path, c.MaxPerSecond, c.Throttled)
		}
	}
	// A kill costs what had not reached the disk, and nothing that had.
	if s.requests() > total+lost {
		t.Errorf("four kills cost %d requests more than the %d of a whole run; %d had not reached the disk", s.requests()-total, total, lost)
	}
	t.Logf("%d requests, and %d again after four kills", total, s.requests()-total)
}

func TestASignalBeforeTheSealLeavesNothingInTheBucket(t *testing.T) {
	t.Parallel()
	server := S3(t)
	s := newSite(t, small(), s3Sink(server), server.Env()...)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		if code := s.runUntil(200, false, signal, "run", "--date", date); code != 5 {
			t.Errorf("%v: exit code %d, want 5", signal, code)
		}
		if objects, uploads := server.Objects(t), server.Uploads(t); len(objects)+len(uploads) > 0 {
			t.Errorf("%v left objects %v, uploads %v", signal, objects, uploads)
		}
	}
	s.run(0, "run", "--date", date)
}

func TestASecondRunAtTheSameTimeIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(), localSink)
	held := s.gate.shutAfter(1)
	done := make(chan int, 1)
	go func() {
		code, _, _ := Run(t, s.dir, s.env, "run", "--date", date)
		done <- code
	}()
	<-held // the first run is at work until the gate is opened
	_, stderr := s.run(6, "run", "--date", date)
	s.gate.open()
	if !strings.Contains(stderr, "another run") {
		t.Errorf("the refusal says %q", stderr)
	}
	if code := <-done; code != 0 {
		t.Errorf("the first run ended with %d", code)
	}
}

func TestWrongThingsAreSaidInWordsWithTheirCodes(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(), localSink)
	s.write("rongcloud/users.txt", "")
	if _, stderr := s.run(2, "run", "--date", date); !strings.Contains(stderr, "rong_users") || !strings.Contains(stderr, "What to do") {
		t.Errorf("an empty list: %s", stderr)
	}
	s = newSite(t, small(), localSink)
	s.env = append(s.env, "RONG_SECRET=nothing like it")
	_, stderr := s.run(2, "run", "--date", date)
	if strings.Contains(stderr, "nothing like it") || !strings.Contains(stderr, "rongcloud") {
		t.Errorf("a wrong secret: %s", stderr)
	}
	s = newSite(t, small(), strings.Replace(localSink, "local", "locla", 1))
	if _, stderr := s.run(2, "validate"); !strings.Contains(stderr, `"local"`) || !strings.Contains(stderr, "rollcall.hcl:") {
		t.Errorf("a misspelt sink: %s", stderr)
	}
	if entries, err := os.ReadDir(filepath.Join(s.dir, "snapshots")); err == nil && len(entries) > 0 {
		t.Errorf("something was written: %v", entries)
	}
}

func TestTheDemoSealsAndItsQueryWorksAsPrinted(t *testing.T) {
	if testing.Short() {
		t.Skip("the demo takes half a minute, since its budgets are real")
	}
	t.Parallel()
	dir := t.TempDir()
	code, stdout, stderr := Run(t, dir, nil, "demo")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	query := regexp.MustCompile(`duckdb -c "([^"]+)"`).FindStringSubmatch(stdout)
	if query == nil {
		t.Fatalf("no query in\n%s", stdout)
	}
	if rows := Query(t, query[1]); len(rows) == 0 {
		t.Errorf("%s gives no rows", query[1])
	}
}

func TestTheResultIsJSONWhereAskedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(), localSink)
	stdout, _ := s.run(0, "run", "--date", date, "--json")
	var result map[string]any
	if err := json.Unmarshal([]byte(stdout), &result); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
}
