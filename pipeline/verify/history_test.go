package verify_test

import (
	"fmt"
	"io/fs"
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
	"rollcall/pipeline/verify"
	"rollcall/schema/process"
	"rollcall/sinks"
	"rollcall/sinks/local"
	"rollcall/sinks/manifest"
	"rollcall/sources"
	"rollcall/sources/all"
	"rollcall/sources/rongcloud"
	"rollcall/sources/simulated"
	"rollcall/sources/tencentchat"
)

// history is a folder of snapshots.
type history struct {
	root string
	sink sinks.Sink
}

func at(t testing.TB, root string) *history {
	t.Helper()
	sink, err := local.Open(local.Config{Path: root, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return &history{root, sink}
}

// copied is a copy of the history to tamper with.
func (h *history) copied(t testing.TB) *history {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(h.root)); err != nil {
		t.Fatal(err)
	}
	return at(t, root)
}

// nights are the dates of the simulated history, in the order of sealing.
func nights() []string {
	return []string{"2026-11-20", "2026-11-21", "2026-11-22", "2026-11-19", "2026-11-23", "2026-11-24"}
}

// simulate makes a history with all data blocks, in which people join, leave and change roles, a
// group can't be read on one night, and an older date is sealed late.
func simulate(t testing.TB, nasty bool, nights ...string) *history {
	t.Helper()
	return simulateWith(t, nasty, func(string, *job.Job) {}, nights...)
}

// simulateWith makes it with a job that prepare changes before each night.
func simulateWith(t testing.TB, nasty bool, prepare func(date string, j *job.Job), nights ...string) *history {
	t.Helper()
	limits := map[string]int{}
	for _, path := range simulated.Paths() {
		limits[path] = -1
	}
	world := simulated.New(simulated.Options{Seed: 11, Users: 60, Groups: 24, Nasty: nasty, Disagreements: 4, ShuffledRoles: true, Limits: limits})
	server := httptest.NewServer(world.Handler())
	defer server.Close()
	root := t.TempDir()
	j := everything(t, world, server.URL)
	j.Sink = job.Sink{Address: "local.out", Local: &job.Local{Path: root}}
	group, user := world.RongCloud.GroupIDs()[3], world.RongCloud.UserIDs()[5]
	for i, date := range nights {
		for _, app := range []*simulated.App{world.RongCloud, world.Tencent} {
			app.AddMember(app.GroupIDs()[i], fmt.Sprintf("newcomer-%d", i), simulated.Member{})
			app.RemoveMember(app.GroupIDs()[i+2], app.UserIDs()[i])
			app.SetRole(app.GroupIDs()[i+6], app.UserIDs()[i+10], simulated.Admin)
		}
		world.Heal()
		if i == 1 || i == 2 {
			world.Fault(simulated.Fault{Path: "/entrust/group/member/query.json", Key: group, Do: simulated.Code(1002, "groupId is wrong.")})
			world.RongCloud.RemoveMember(group, user)
		}
		prepare(date, j)
		_, err := pipeline.Run(t.Context(), pipeline.Request{
			World: pipeline.World{Now: time.Now, Random: rand.Uint64, Stdin: strings.NewReader(""), Host: "test", PID: 1, Process: process.Identity{Boot: "boot", Namespace: "test", PID: 1, Started: 1}, Version: "test", Linger: 1},
			Job:   j, Date: date, Given: noon(date), State: t.TempDir(), Listen: func(event.Event) {}, Replace: slices.Contains(nights[:i], date),
		})
		if err != nil {
			t.Fatalf("%s: %v", date, err)
		}
	}
	return at(t, root)
}

// everything asks all data blocks of both vendors.
func everything(t testing.TB, world *simulated.World, url string) *job.Job {
	j := &job.Job{
		Sources: []job.Source{
			source(t, "rongcloud", &rongcloud.Config{Endpoint: url, AppKey: simulated.DemoAppKey, AppSecret: simulated.DemoAppSecret}),
			source(t, "tencentchat", &tencentchat.Config{Endpoint: url, SDKAppID: 1400000001, Identifier: simulated.DemoIdentifier, SecretKey: simulated.DemoSecretKey}),
		},
		Lists: []job.List{
			{Name: "rc_groups", Values: world.RongCloud.GroupIDs()}, {Name: "rc_users", Values: world.RongCloud.UserIDs()},
			{Name: "tx_groups", Values: world.Tencent.GroupIDs()}, {Name: "tx_users", Values: world.Tencent.UserIDs()},
		},
		Tolerate: job.Tolerance{Share: 0.1},
	}
	add := func(kind string, change func(*job.Data)) {
		for _, s := range j.Sources {
			if name, ok := strings.CutPrefix(kind, s.Definition.Type+"_"); ok {
				data, _ := s.Definition.Find(name)
				d := job.Data{Address: kind + ".all", Source: s.Address, Kind: data}
				change(&d)
				j.Data = append(j.Data, d)
			}
		}
	}
	add("rongcloud_user_groups", func(d *job.Data) { d.Users.Lists = []string{"rc_users"} })
	add("rongcloud_joined_groups", func(d *job.Data) { d.Users.Lists = []string{"rc_users"} })
	add("rongcloud_group_members", func(d *job.Data) {
		d.Groups = job.Input{Lists: []string{"rc_groups"}, From: []string{"rongcloud_user_groups.all"}}
	})
	add("tencentchat_joined_groups", func(d *job.Data) { d.Users.Lists, d.Topics = []string{"tx_users"}, true })
	add("tencentchat_group_members", func(d *job.Data) { d.Groups.Lists = []string{"tx_groups"} })
	add("tencentchat_group_roles", func(d *job.Data) { d.Memberships = []string{"tencentchat_joined_groups.all"} })
	slices.SortFunc(j.Data, func(a, b job.Data) int {
		return strings.Compare(a.Source+"\x00"+a.Address, b.Source+"\x00"+b.Address)
	})
	return j
}

func source(t testing.TB, kind string, config sources.Config) job.Source {
	for _, d := range all.Definitions() {
		if d.Type == kind {
			s := job.Source{Address: kind + ".test", Definition: d, Config: config, Share: 1, Budgets: map[string]job.Budget{}}
			for _, data := range d.Data {
				s.Budgets[data.Name] = job.Budget{PerSecond: 1e6}
			}
			return s
		}
	}
	t.Fatalf("no vendor %s", kind)
	return job.Source{}
}

// key tells what the keys of a data block are, as the command line does.
func key(data string) (verify.Key, bool) {
	name, _, _ := strings.Cut(data, ".")
	switch {
	case strings.HasSuffix(name, "_group_members"):
		return verify.Key{Groups: true, Lists: true}, true
	case strings.HasSuffix(name, "_group_roles"):
		return verify.Key{Groups: true}, true
	default:
		return verify.Key{Lists: true}, true
	}
}

// verified runs verify with all files read, unless change says otherwise.
func (h *history) verified(t testing.TB, change func(*verify.Options)) verify.Report {
	t.Helper()
	options := verify.Options{All: true, Key: key, Scratch: t.TempDir()}
	if change != nil {
		change(&options)
	}
	report, err := verify.Run(t.Context(), h.sink, options)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(options.Scratch); err != nil || len(left) > 0 {
		t.Errorf("verify left %v behind (%v)", left, err)
	}
	return report
}

func (h *history) read(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(h.root, path))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func (h *history) write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(h.root, path)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.root, path), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (h *history) remove(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(filepath.Join(h.root, path)); err != nil {
		t.Fatal(err)
	}
}

// removeNight takes away a date with all its files.
func (h *history) removeNight(t testing.TB, date string) {
	t.Helper()
	for _, f := range h.manifest(t, date).Files {
		h.remove(t, f.Path)
	}
	h.remove(t, manifest.Path(date))
}

func (h *history) manifest(t testing.TB, date string) manifest.Manifest {
	t.Helper()
	m, err := manifest.Decode(h.read(t, manifest.Path(date)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// edit changes what a manifest claims, and leaves the chain as it was.
func (h *history) edit(t testing.TB, date string, change func(*manifest.Manifest)) string {
	t.Helper()
	m := h.manifest(t, date)
	change(&m)
	encoded, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, manifest.Path(date), encoded)
	return manifest.Sum(encoded)
}

// relink writes all manifests sealed after date anew, so that the chain is whole again.
func (h *history) relink(t testing.TB, date string) {
	t.Helper()
	before := date
	for _, next := range nights()[slices.Index(nights(), date)+1:] {
		sum := manifest.Sum(h.read(t, manifest.Path(before)))
		h.edit(t, next, func(m *manifest.Manifest) {
			m.Previous.SHA256 = sum
			if m.ChangesBaseSum != nil {
				base := manifest.Sum(h.read(t, manifest.Path(*m.ChangesBase)))
				m.ChangesBaseSum = &base
			}
		})
		before = next
	}
}

// paths lists all files of the sink.
func (h *history) paths(t testing.TB) (paths []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(h.root), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(path, ".") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func part(table, date string) string {
	return table + "/snapshot_date=" + date + "/part-00000.parquet"
}

// noon is the middle of a date.
func noon(date string) time.Time {
	day, _ := time.Parse(time.DateOnly, date)
	return day.Add(12 * time.Hour)
}
