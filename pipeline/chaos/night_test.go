package chaos_test

import (
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/schema/disk/disktest"
	"rollcall/schema/process"
	"rollcall/sinks/parquet"
	"rollcall/sources"
	"rollcall/sources/all"
	"rollcall/sources/rongcloud"
	"rollcall/sources/simulated"
	"rollcall/sources/tencentchat"
)

const (
	date = "2026-11-21"

	// vendorTest is an address that no socket reaches: the simulated vendors answer there without a
	// network, on virtual time.
	vendorTest = "http://vendor.test"
)

// night is a simulated world with a job that asks it everything.
type night struct {
	t          *testing.T
	world      *simulated.World
	job        *job.Job
	state, out string
	folder     string
}

// unlimited lifts all budgets of a world.
func unlimited(o simulated.Options) simulated.Options {
	o.Limits = map[string]int{}
	for _, path := range simulated.Paths() {
		o.Limits[path] = -1
	}
	return o
}

// newNight makes a job with all six data blocks, whose budgets are as good as none.
func newNight(t *testing.T, world *simulated.World) *night {
	folder, err := os.MkdirTemp(t.TempDir(), "night")
	if err != nil {
		t.Fatal(err)
	}
	n := &night{t: t, world: world, folder: folder, state: filepath.Join(folder, "state"), out: filepath.Join(folder, "out")}
	n.job = &job.Job{
		Sources: []job.Source{
			n.source("rongcloud.prod", &rongcloud.Config{Endpoint: vendorTest, AllowHTTP: true, AppKey: simulated.DemoAppKey, AppSecret: simulated.DemoAppSecret}),
			n.source("tencentchat.intl", &tencentchat.Config{Endpoint: vendorTest, AllowHTTP: true, SDKAppID: 1400000001, Identifier: simulated.DemoIdentifier, SecretKey: simulated.DemoSecretKey}),
		},
		Lists: []job.List{
			{Name: "rc_groups", Values: world.RongCloud.GroupIDs()}, {Name: "rc_users", Values: world.RongCloud.UserIDs()},
			{Name: "tx_groups", Values: world.Tencent.GroupIDs()}, {Name: "tx_users", Values: world.Tencent.UserIDs()},
		},
		Sink: job.Sink{Address: "local.out", Local: &job.Local{Path: n.out}},
	}
	n.block("rongcloud_user_groups", func(d *job.Data) { d.Users.Lists = []string{"rc_users"} })
	n.block("rongcloud_joined_groups", func(d *job.Data) { d.Users.Lists = []string{"rc_users"} })
	n.block("rongcloud_group_members", func(d *job.Data) {
		d.Groups = job.Input{Lists: []string{"rc_groups"}, From: []string{"rongcloud_user_groups.all"}}
	})
	n.block("tencentchat_joined_groups", func(d *job.Data) { d.Users.Lists, d.Topics = []string{"tx_users"}, true })
	n.block("tencentchat_group_members", func(d *job.Data) { d.Groups.Lists = []string{"tx_groups"} })
	n.block("tencentchat_group_roles", func(d *job.Data) { d.Memberships = []string{"tencentchat_joined_groups.all"} })
	return n
}

// clear removes what the night left, so that thousands of them fit on a disk.
func (n *night) clear() { _ = os.RemoveAll(n.folder) }

func (n *night) source(address string, config sources.Config) job.Source {
	kind, _, _ := strings.Cut(address, ".")
	for _, d := range all.Definitions() {
		if d.Type == kind {
			s := job.Source{Address: address, Definition: d, Config: config, Share: 1, Budgets: map[string]job.Budget{}}
			for _, data := range d.Data {
				s.Budgets[data.Name] = job.Budget{PerSecond: 1e6}
			}
			return s
		}
	}
	n.t.Fatalf("no vendor %s", kind)
	return job.Source{}
}

// budget gives every endpoint of the job a budget.
func (n *night) budget(perSecond float64) {
	for _, s := range n.job.Sources {
		for name := range s.Budgets {
			s.Budgets[name] = job.Budget{PerSecond: perSecond}
		}
	}
}

// block adds a data block: "rongcloud_group_members".
func (n *night) block(kind string, change func(*job.Data)) {
	for _, s := range n.job.Sources {
		if name, ok := strings.CutPrefix(kind, s.Definition.Type+"_"); ok {
			data, _ := s.Definition.Find(name)
			d := job.Data{Address: kind + ".all", Source: s.Address, Kind: data}
			change(&d)
			n.job.Data = append(n.job.Data, d)
		}
	}
	slices.SortFunc(n.job.Data, func(a, b job.Data) int {
		return strings.Compare(a.Source+"\x00"+a.Address, b.Source+"\x00"+b.Address)
	})
}

// noon is the middle of a date.
func noon(date string) time.Time {
	day, _ := time.Parse(time.DateOnly, date)
	return day.Add(12 * time.Hour)
}

func (n *night) request() pipeline.Request {
	return pipeline.Request{
		World: pipeline.World{
			Now: time.Now, Random: rand.Uint64, Stdin: strings.NewReader(""), Transport: n.world.Transport(), Host: "test", PID: 1, Process: process.Identity{Boot: "boot", Namespace: "test", PID: 1, Started: 1}, Version: "test",
			Disk: disktest.New(n.t, disktest.Options{}), // which does not wait for the real one: hours of virtual time sync often
		},
		Job: n.job, Date: date, Given: noon(date), State: n.state,
		Listen: func(event.Event) {},
	}
}

// snapshot is a sealed snapshot, read back.
type snapshot struct {
	pipeline.Result
	memberships   []schema.Membership
	groups        []schema.Group
	users         []schema.User
	outcomes      []schema.KeyOutcome
	discrepancies []schema.Discrepancy
	sums          map[string]string // of each table's files
}

func (n *night) read(result pipeline.Result) (s snapshot, err error) {
	s = snapshot{Result: result, sums: map[string]string{}}
	for _, f := range result.Manifest.Files {
		path := filepath.Join(n.out, f.Path)
		switch f.Table {
		case "memberships":
			s.memberships, err = appendRows(s.memberships, path)
		case "groups":
			s.groups, err = appendRows(s.groups, path)
		case "users":
			s.users, err = appendRows(s.users, path)
		case "outcomes":
			s.outcomes, err = appendRows(s.outcomes, path)
		case "discrepancies":
			s.discrepancies, err = appendRows(s.discrepancies, path)
		}
		if err != nil {
			return s, err
		}
		s.sums[f.Table] += f.SHA256 + " "
	}
	return s, nil
}

func appendRows[Row any](rows []Row, path string) ([]Row, error) {
	for row, err := range parquet.ReadFile[Row](path) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, *row)
	}
	return rows, nil
}

// cutAfter is a transport that calls cut when so many requests have been sent.
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
