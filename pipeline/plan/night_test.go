package plan_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/plan"
	"rollcall/schema"
	"rollcall/schema/process"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
	"rollcall/sinks/parquet"
	"rollcall/sources"
	"rollcall/sources/all"
	"rollcall/sources/rongcloud"
	"rollcall/sources/simulated"
	"rollcall/sources/tencentchat"
)

const (
	before  = "2026-11-20"
	tonight = "2026-11-21"

	endpoint = "http://vendor.test" // reached by no socket: by the world's own transport
)

// night is a simulated world with a job that asks it.
type night struct {
	t       *testing.T
	world   *simulated.World
	job     *job.Job
	state   string
	out     string
	now     func() time.Time
	workers int
	sink    sinks.Sink // that a plan reads; nil: the job's
	closed  error      // why it could not be opened
}

// without lifts the budgets of a world.
func without(o simulated.Options) simulated.Options {
	o.Limits = map[string]int{}
	for _, path := range simulated.Paths() {
		o.Limits[path] = -1
	}
	return o
}

func newNight(t *testing.T, o simulated.Options, perSecond float64) *night {
	t.Helper()
	world := simulated.New(o)
	n := &night{t: t, world: world, state: t.TempDir(), out: t.TempDir(), now: time.Now, workers: 4}
	n.job = &job.Job{
		Sources: []job.Source{
			n.source("rongcloud.prod", &rongcloud.Config{Endpoint: endpoint, AppKey: simulated.DemoAppKey, AppSecret: simulated.DemoAppSecret}, perSecond),
			n.source("tencentchat.intl", &tencentchat.Config{Endpoint: endpoint, SDKAppID: 1400000001, Identifier: simulated.DemoIdentifier, SecretKey: simulated.DemoSecretKey}, perSecond),
		},
		Lists: []job.List{
			{Name: "rc_groups", Values: world.RongCloud.GroupIDs()}, {Name: "rc_users", Values: world.RongCloud.UserIDs()},
			{Name: "tx_groups", Values: world.Tencent.GroupIDs()}, {Name: "tx_users", Values: world.Tencent.UserIDs()},
		},
		Sink: job.Sink{Address: "local.out", Local: &job.Local{Path: n.out}},
	}
	return n
}

func (n *night) source(address string, config sources.Config, perSecond float64) job.Source {
	kind, _, _ := strings.Cut(address, ".")
	definitions := all.Definitions()
	d := definitions[slices.IndexFunc(definitions, func(d sources.Definition) bool { return d.Type == kind })]
	s := job.Source{Address: address, Definition: d, Config: config, Share: 1, Budgets: map[string]job.Budget{}}
	for _, data := range d.Data {
		s.Budgets[data.Name] = job.Budget{PerSecond: perSecond}
	}
	return s
}

// block adds a data block: "rongcloud_group_members".
func (n *night) block(kind string, change func(*job.Data)) *night {
	n.t.Helper()
	vendor, name, _ := strings.Cut(kind, "_")
	for _, s := range n.job.Sources {
		if data, ok := s.Definition.Find(name); ok && s.Definition.Type == vendor {
			d := job.Data{Address: kind + ".all", Source: s.Address, Kind: data}
			change(&d)
			n.job.Data = append(n.job.Data, d)
		}
	}
	slices.SortFunc(n.job.Data, func(a, b job.Data) int {
		return strings.Compare(a.Source+"\x00"+a.Address, b.Source+"\x00"+b.Address)
	})
	return n
}

func users(lists ...string) func(*job.Data) {
	return func(d *job.Data) { d.Users.Lists = lists }
}

func groups(lists ...string) func(*job.Data) {
	return func(d *job.Data) { d.Groups.Lists = lists }
}

// everything adds all six data blocks, groups and pairs discovered.
func (n *night) everything() *night {
	return n.block("rongcloud_user_groups", users("rc_users")).
		block("rongcloud_joined_groups", users("rc_users")).
		block("rongcloud_group_members", func(d *job.Data) { d.Groups.From = []string{"rongcloud_user_groups.all"} }).
		block("tencentchat_joined_groups", users("tx_users")).
		block("tencentchat_group_members", groups("tx_groups")).
		block("tencentchat_group_roles", func(d *job.Data) { d.Memberships = []string{"tencentchat_joined_groups.all"} })
}

// run carries the job out.
func (n *night) run(ctx context.Context, date string, transport http.RoundTripper) (pipeline.Result, error) {
	n.t.Helper()
	return pipeline.Run(ctx, pipeline.Request{
		World: pipeline.World{Now: time.Now, Random: rand.Uint64, Transport: transport, Host: "test", PID: 1, Process: process.Identity{Boot: "boot", Namespace: "test", PID: 1, Started: 1}, Version: "test"},
		Job:   n.job, Date: date, Given: noon(date), State: n.state, Listen: func(event.Event) {}, Workers: n.workers,
	})
}

func (n *night) sealed(date string) pipeline.Result {
	n.t.Helper()
	result, err := n.run(n.t.Context(), date, n.world.Transport())
	if err != nil {
		n.t.Fatal(err)
	}
	return result
}

// cut runs the night and stops it after so many requests.
func (n *night) cut(date string, requests int64) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(n.t.Context())
	defer cancel()
	transport := &cutAfter{RoundTripper: n.world.Transport(), cut: cancel}
	transport.left.Store(requests)
	if _, err := n.run(ctx, date, transport); err == nil {
		n.t.Fatal("the run was not stopped")
	}
}

type cutAfter struct {
	http.RoundTripper
	left atomic.Int64
	cut  func()
}

func (c *cutAfter) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.left.Add(-1) == 0 {
		c.cut()
	}
	return c.RoundTripper.RoundTrip(r)
}

func (n *night) make(date string) (plan.Plan, error) {
	n.t.Helper()
	sink, err := pipeline.OpenSink(n.t.Context(), n.job.Sink, n.now, nil, func(event.Event) {})
	if err != nil {
		n.t.Fatal(err)
	}
	if n.sink != nil {
		sink = n.sink
	}
	return plan.Make(n.t.Context(), plan.Request{
		Job: n.job, Date: date, State: n.state, Sink: sink, Closed: n.closed, Temp: n.t.TempDir(), Stdin: io.LimitReader(nil, 0), Now: n.now, Random: rand.Uint64,
	})
}

func (n *night) plan(date string) plan.Plan {
	n.t.Helper()
	p, err := n.make(date)
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

// requests counts what the vendors were asked up to now, by data block.
func (n *night) requests() map[string]int64 {
	counts := n.world.Counts()
	all := map[string]int64{}
	for _, d := range n.job.Data {
		all[d.Address] = int64(counts[d.Kind.Path].Requests)
	}
	return all
}

// holds demands that every block's requests since then are those that the plan said.
func (n *night) holds(p plan.Plan, since map[string]int64) {
	n.t.Helper()
	now := n.requests()
	for _, b := range p.Blocks {
		asked := now[b.Address] - since[b.Address]
		within(n.t, b.Address+" requests", b.Requests, asked)
	}
}

func within(t *testing.T, what string, c plan.Count, got int64) {
	t.Helper()
	if got < c.Least || c.Most != nil && got > *c.Most {
		t.Errorf("%s: %d, planned %d to %v", what, got, c.Least, deref(c.Most))
	}
}

func deref(p *int64) any {
	if p == nil {
		return "any number"
	}
	return *p
}

// keys counts the outcomes of a snapshot by data block.
func (n *night) keys(m manifest.Manifest) map[string]int64 {
	n.t.Helper()
	all := map[string]int64{}
	for _, f := range m.Files {
		if f.Table != "outcomes" {
			continue
		}
		for row, err := range parquet.ReadFile[schema.KeyOutcome](n.out + "/" + f.Path) {
			if err != nil {
				n.t.Fatal(err)
			}
			all[row.Data]++
		}
	}
	return all
}

// noon is the middle of a date.
func noon(date string) time.Time {
	day, _ := time.Parse(time.DateOnly, date)
	return day.Add(12 * time.Hour)
}
