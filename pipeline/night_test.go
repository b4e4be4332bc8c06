package pipeline_test

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/state"
	"rollcall/schema"
	"rollcall/schema/process"
	"rollcall/sinks/manifest"
	"rollcall/sinks/parquet"
	"rollcall/sources"
	"rollcall/sources/all"
	"rollcall/sources/rongcloud"
	"rollcall/sources/simulated"
	"rollcall/sources/tencentchat"
)

const date = "2026-11-21"

// night is a simulated world with a job that asks it.
type night struct {
	t      *testing.T
	world  *simulated.World
	server *httptest.Server
	job    *job.Job
	state  string
	out    string
}

// unlimited lifts all budgets of a world.
func unlimited(o simulated.Options) simulated.Options {
	o.Limits = map[string]int{}
	for _, path := range simulated.Paths() {
		o.Limits[path] = -1
	}
	return o
}

// newNight serves a world over HTTP; budgets of the job are as good as none.
func newNight(t *testing.T, world *simulated.World) *night {
	t.Helper()
	n := &night{t: t, world: world, server: httptest.NewServer(world.Handler()), state: t.TempDir(), out: t.TempDir()}
	t.Cleanup(n.server.Close)
	n.job = &job.Job{
		Sources: []job.Source{
			n.source("rongcloud.prod", "rongcloud", &rongcloud.Config{Endpoint: n.server.URL, AppKey: simulated.DemoAppKey, AppSecret: simulated.DemoAppSecret}),
			n.source("tencentchat.intl", "tencentchat", &tencentchat.Config{Endpoint: n.server.URL, SDKAppID: 1400000001, Identifier: simulated.DemoIdentifier, SecretKey: simulated.DemoSecretKey}),
		},
		Lists: []job.List{
			{Name: "rc_groups", Values: world.RongCloud.GroupIDs()}, {Name: "rc_users", Values: world.RongCloud.UserIDs()},
			{Name: "tx_groups", Values: world.Tencent.GroupIDs()}, {Name: "tx_users", Values: world.Tencent.UserIDs()},
		},
		Sink: job.Sink{Address: "local.out", Local: &job.Local{Path: n.out}},
	}
	return n
}

func (n *night) source(address, kind string, config sources.Config) job.Source {
	for _, d := range all.Definitions() {
		if d.Type != kind {
			continue
		}
		s := job.Source{Address: address, Definition: d, Config: config, Share: 1, Budgets: map[string]job.Budget{}}
		for _, data := range d.Data {
			s.Budgets[data.Name] = job.Budget{PerSecond: 1e6}
		}
		return s
	}
	n.t.Fatalf("no vendor %s", kind)
	return job.Source{}
}

// block adds a data block: "rongcloud_group_members".
func (n *night) block(kind string, change func(*job.Data)) *night {
	n.t.Helper()
	for _, s := range n.job.Sources {
		name, ok := strings.CutPrefix(kind, s.Definition.Type+"_")
		if !ok {
			continue
		}
		data, ok := s.Definition.Find(name)
		if !ok {
			n.t.Fatalf("no data block %s", kind)
		}
		d := job.Data{Address: kind + ".all", Source: s.Address, Kind: data}
		change(&d)
		n.job.Data = append(n.job.Data, d)
		slices.SortFunc(n.job.Data, func(a, b job.Data) int {
			return strings.Compare(a.Source+"\x00"+a.Address, b.Source+"\x00"+b.Address)
		})
		return n
	}
	n.t.Fatalf("no vendor for %s", kind)
	return n
}

func users(lists ...string) func(*job.Data) {
	return func(d *job.Data) { d.Users.Lists = lists }
}

func groups(lists ...string) func(*job.Data) {
	return func(d *job.Data) { d.Groups.Lists = lists }
}

// everything adds all six data blocks, with discovery where the contract's example has it.
func (n *night) everything() *night {
	return n.block("rongcloud_user_groups", users("rc_users")).
		block("rongcloud_joined_groups", users("rc_users")).
		block("rongcloud_group_members", func(d *job.Data) {
			d.Groups = job.Input{Lists: []string{"rc_groups"}, From: []string{"rongcloud_user_groups.all"}}
		}).
		block("tencentchat_joined_groups", func(d *job.Data) { d.Users.Lists, d.Topics = []string{"tx_users"}, true }).
		block("tencentchat_group_members", groups("tx_groups")).
		block("tencentchat_group_roles", func(d *job.Data) { d.Memberships = []string{"tencentchat_joined_groups.all"} })
}

func (n *night) request() pipeline.Request {
	return pipeline.Request{
		World: pipeline.World{Now: time.Now, Random: rand.Uint64, Stdin: strings.NewReader(""), Host: "test", PID: 1, Process: process.Identity{Boot: "boot", Namespace: "test", PID: 1, Started: 1}, Version: "test",
			Linger: 1}, // nobody waits for the locks
		Job: n.job, Date: date, State: n.state,
		Listen: func(event.Event) {},
	}
}

// noon is the middle of a date, when nobody doubts which day it is; the zero time where none is named.
func noon(date string) time.Time {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{}
	}
	return day.Add(12 * time.Hour)
}

func (n *night) run(change func(*pipeline.Request)) (pipeline.Result, error) {
	n.t.Helper()
	r := n.request()
	if change != nil {
		change(&r)
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), 10*time.Minute) // only what hangs takes that long
	defer cancel()
	r.Given = cmp.Or(r.Given, noon(r.Date))
	return pipeline.Run(ctx, r)
}

// sealed runs the night and demands a seal.
func (n *night) sealed() snapshot {
	n.t.Helper()
	result, err := n.run(nil)
	if err != nil {
		gaps := &pipeline.NotSealedError{}
		errors.As(err, &gaps)
		n.t.Fatalf("run: %v %+v", err, gaps.Gaps)
	}
	return n.read(result)
}

// snapshot is a sealed snapshot, read back.
type snapshot struct {
	pipeline.Result
	memberships   []schema.Membership
	groups        []schema.Group
	users         []schema.User
	outcomes      []schema.KeyOutcome
	discrepancies []schema.Discrepancy
	changes       []schema.Change
	sources       []schema.SourceFigures
	sums          map[string]string // of each table's files
}

func (n *night) read(result pipeline.Result) snapshot {
	n.t.Helper()
	s := snapshot{Result: result, sums: map[string]string{}}
	for _, f := range result.Manifest.Files {
		path := filepath.Join(n.out, f.Path)
		switch f.Table {
		case "memberships":
			s.memberships = appendRows(n.t, s.memberships, path)
		case "groups":
			s.groups = appendRows(n.t, s.groups, path)
		case "users":
			s.users = appendRows(n.t, s.users, path)
		case "outcomes":
			s.outcomes = appendRows(n.t, s.outcomes, path)
		case "discrepancies":
			s.discrepancies = appendRows(n.t, s.discrepancies, path)
		case "changes":
			s.changes = appendRows(n.t, s.changes, path)
		case "sources":
			s.sources = appendRows(n.t, s.sources, path)
		}
		s.sums[f.Table] += f.SHA256 + " "
	}
	return s
}

func appendRows[Row any](t *testing.T, rows []Row, path string) []Row {
	t.Helper()
	for row, err := range parquet.ReadFile[Row](path) {
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		rows = append(rows, *row)
	}
	return rows
}

func wrongSecret(url string) sources.Config {
	return &rongcloud.Config{Endpoint: url, AppKey: simulated.DemoAppKey, AppSecret: "wrong-secret"}
}

// jobData is short for tests.
type jobData = job.Data

// left lists the unsealed nights in the state folder.
func (n *night) left() map[string]bool {
	n.t.Helper()
	nights, err := state.Nights(n.state)
	if err != nil {
		n.t.Fatal(err)
	}
	left := map[string]bool{}
	for _, night := range nights {
		left[night.Date] = true
	}
	return left
}

// onlyManifested fails unless the sink holds the manifests' files, the manifests and nothing else.
func (n *night) onlyManifested(all ...manifest.Manifest) {
	n.t.Helper()
	want := map[string]bool{}
	for _, m := range all {
		want[manifest.Path(m.Date)] = true
		for _, f := range m.Files {
			want[f.Path] = true
		}
	}
	for _, path := range n.visible() {
		if !want[path] {
			n.t.Errorf("%s lies in the sink, and no manifest names it", path)
		}
		delete(want, path)
	}
	for path := range want {
		n.t.Errorf("%s is missing in the sink", path)
	}
}

// visible lists the files in the local sink.
func (n *night) visible() []string {
	n.t.Helper()
	var paths []string
	err := filepath.WalkDir(n.out, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			relative, _ := filepath.Rel(n.out, path)
			paths = append(paths, filepath.ToSlash(relative))
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return paths
}
