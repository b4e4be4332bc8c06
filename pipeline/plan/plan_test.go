package plan_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline/job"
	"rollcall/pipeline/plan"
	"rollcall/pipeline/state"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources/simulated"
)

func nasty(seed uint64) simulated.Options {
	return without(simulated.Options{Seed: seed, Users: 200, Groups: 40, Nasty: true, Disagreements: 4, ShuffledRoles: true})
}

func TestTheNextNightAsksWhatWasPlanned(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(7), 1e6).everything()
	n.sealed(before)
	p := n.plan(tonight)
	if p.Base != before || p.Resumed || p.Sealed || len(p.Blocks) != 6 {
		t.Fatalf("%+v", p)
	}
	since := n.requests()
	result := n.sealed(tonight)
	n.holds(p, since)
	keys := n.keys(result.Manifest)
	for _, b := range p.Blocks {
		within(t, b.Address+" keys", b.Keys, keys[b.Address])
		if b.Basis != plan.Snapshot || b.Requests.Most == nil || float64(*b.Requests.Most-b.Requests.Least) > 2+0.07*float64(b.Requests.Expected) {
			t.Errorf("%s: %+v is no narrow range from the snapshot", b.Address, b)
		}
	}
	rows, bytes := int64(0), int64(0)
	for _, f := range result.Manifest.Files {
		rows += f.Rows
		bytes += f.Size
	}
	if p.Files != int64(len(result.Manifest.Files)) || *p.Rows < rows-rows/20 || *p.Rows > rows+rows/20 || *p.Bytes < bytes-bytes/5 || *p.Bytes > bytes+bytes/5 {
		t.Errorf("planned %d files, %d rows, %d bytes; sealed %d, %d, %d", p.Files, *p.Rows, *p.Bytes, len(result.Manifest.Files), rows, bytes)
	}
	if again := n.plan(tonight); !again.Sealed || again.Requests.Expected != 0 || again.SealedAt == nil {
		t.Errorf("the sealed date is planned as %+v", again)
	}
}

// A full last page costs another request, which alone tells that nothing is behind it, and under `only`
// every key costs one that is empty.
func TestFullLastPagesArePlanned(t *testing.T) {
	t.Parallel()
	for name, only := range map[string][]schema.Role{"everybody": nil, "owners and members": {schema.Owner, schema.Member}} {
		n := newNight(t, nasty(7), 1e6).
			block("tencentchat_joined_groups", users("tx_users")).
			block("tencentchat_group_members", func(d *job.Data) { d.Groups.Lists, d.Only = []string{"tx_groups"}, only })
		n.sealed(before)
		p, since := n.plan(tonight), n.requests()
		n.sealed(tonight)
		for _, b := range p.Blocks {
			if asked := n.requests()[b.Address] - since[b.Address]; b.Requests.Expected != asked {
				t.Errorf("%s, %s: %d requests planned, %d asked", name, b.Address, b.Requests.Expected, asked)
			}
		}
		roles := []string{simulated.Owner, simulated.Ordinary}
		if only == nil {
			roles = nil
		}
		fewest := int64(n.world.Tencent.Fewest(simulated.Ask{Data: "group_members", Keys: n.world.Tencent.GroupIDs(), Roles: roles}))
		if asked := n.requests()["tencentchat_group_members.all"] - since["tencentchat_group_members.all"]; asked != fewest {
			t.Errorf("%s: %d requests, the fewest are %d", name, asked, fewest)
		}
	}
}

func TestTheFirstNightAsksAtLeastWhatWasPlanned(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(8), 1e6).everything()
	p := n.plan(tonight)
	n.sealed(tonight)
	n.holds(p, map[string]int64{})
	if p.Base != "" || p.Bytes != nil || p.Files != 7 || p.Requests.Most != nil || p.Requests.Least == 0 {
		t.Errorf("without a base the plan says %+v", p)
	}
	for _, e := range p.Endpoints {
		if !e.LatencyAssumed || e.LatencyMS != 50 {
			t.Errorf("latency of %s is %v", e.Name, e.LatencyMS)
		}
	}
	for _, b := range p.Blocks {
		if b.Basis != plan.AtLeast {
			t.Errorf("%s claims %s", b.Address, b.Basis)
		}
	}
}

func TestAStoppedNightAsksOnlyWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		base bool
		cut  int64
	}{
		{"early, after a sealed night", true, 200},
		{"late, after a sealed night", true, 1500},
		{"early, the first night", false, 200},
		{"late, the first night", false, 1500},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := newNight(t, nasty(9), 1e6).everything()
			if c.base {
				n.sealed(before)
			}
			n.cut(tonight, c.cut)
			p := n.plan("")
			if p.Date != tonight && p.Date != time.Now().UTC().Format(time.DateOnly) || !p.Resumed && p.Date == tonight {
				t.Fatalf("the stopped night is planned as %+v", p)
			}
			p = n.plan(tonight)
			if !p.Resumed || p.Answered == 0 {
				t.Errorf("%d keys are answered", p.Answered)
			}
			since := n.requests()
			n.sealed(tonight)
			n.holds(p, since)
			if p.Seconds < 2 {
				t.Errorf("a resumed run of %v s waits for nothing", p.Seconds)
			}
		})
	}
}

func TestAProductOfGivenListsIsExact(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(10), 1e6).block("tencentchat_group_roles", func(d *job.Data) {
		d.Groups.Lists, d.Users.Lists = []string{"tx_groups"}, []string{"tx_users", "tx_users"}
	})
	p := n.plan(tonight)
	groups, users := int64(len(n.world.Tencent.GroupIDs())), int64(len(n.world.Tencent.UserIDs()))
	if want := groups * ((users + 499) / 500); !p.Requests.Exact() || p.Requests.Least != want || p.Blocks[0].Basis != plan.Exact {
		t.Fatalf("planned %+v, want exactly %d", p.Requests, want)
	}
	n.cut(tonight, 40)
	p = n.plan(tonight)
	if !p.Requests.Exact() || !p.Resumed {
		t.Errorf("what is left is planned as %+v", p.Requests)
	}
	since := n.requests()
	n.sealed(tonight)
	n.holds(p, since)
}

func TestAChangedListIsPlannedKeyByKey(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(11), 1e6).everything()
	full := slices.Clone(n.job.Lists)
	for i, list := range full { // all but every fifth
		n.job.Lists[i].Values = nil
		for k, id := range list.Values {
			if k%5 != 0 {
				n.job.Lists[i].Values = append(n.job.Lists[i].Values, id)
			}
		}
	}
	n.sealed(before)
	n.job.Lists = full
	p := n.plan(tonight)
	if !slices.ContainsFunc(p.Notes, func(note string) bool { return strings.Contains(note, "the configuration has changed since "+before) }) {
		t.Errorf("notes are %q", p.Notes)
	}
	since := n.requests()
	n.sealed(tonight)
	n.holds(p, since)
	for _, b := range p.Blocks {
		if b.Requests.Exact() || b.Basis != plan.Snapshot {
			t.Errorf("%s is sure of keys that nobody asked about: %+v", b.Address, b)
		}
	}
}

func TestAShorterListDoesNotMakeItsLostKeysDiscovered(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(16), 1e6).block("rongcloud_user_groups", users("rc_users")).
		block("rongcloud_group_members", func(d *job.Data) {
			d.Groups = job.Input{Lists: []string{"rc_groups"}, From: []string{"rongcloud_user_groups.all"}}
		})
	for i := range n.job.Lists { // few users discover few of the groups
		if n.job.Lists[i].Name == "rc_users" {
			n.job.Lists[i].Values = n.job.Lists[i].Values[:5]
		}
	}
	n.sealed(before)
	for i, list := range n.job.Lists {
		if list.Name == "rc_groups" {
			n.job.Lists[i].Values = list.Values[:len(list.Values)/3]
		}
	}
	p := n.plan(tonight)
	since := n.requests()
	n.sealed(tonight)
	n.holds(p, since)
}

func TestWhatStopsARunStopsItsPlan(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.txt")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"an empty list": empty, "a list that is not there": empty + ".gone"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNight(t, nasty(12), 1e6).everything()
			n.job.Lists[0] = job.List{Name: "rc_groups", Path: path}
			if _, err := n.make(tonight); fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "ids.rc_groups") {
				t.Errorf("the plan ends with %v", err)
			}
		})
	}
	t.Run("a night of another configuration", func(t *testing.T) {
		t.Parallel()
		n := newNight(t, nasty(12), 1e6).everything()
		n.cut(tonight, 50)
		n.job.Data = slices.Delete(n.job.Data, 0, 1)
		if _, err := n.make(tonight); fault.KindOf(err) != fault.Configuration {
			t.Errorf("the plan ends with %v", err)
		}
	})
}

func TestAPlanBesideARunCountsAnewAndSaysSo(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(13), 1e6).everything()
	folder, err := state.Open(state.Options{Path: n.state, Random: rand.Uint64})
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	p := n.plan(tonight)
	if !p.Running || p.Resumed || len(p.Notes) == 0 || !strings.Contains(p.Notes[0], "a run is at work") || p.Requests.Least == 0 {
		t.Errorf("%+v", p)
	}
}

func TestAPlanLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(14), 1e6).everything()
	n.state = filepath.Join(n.state, "never made")
	n.plan(tonight)
	if _, err := os.Stat(n.state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state folder: %v", err)
	}
	left, err := os.ReadDir(n.out)
	if err != nil || len(left) > 0 {
		t.Errorf("the sink holds %v (%v)", left, err)
	}
}

func TestWhatOtherMachinesAskIsSaidToBeUnseen(t *testing.T) {
	t.Parallel()
	n := newNight(t, nasty(11), 1e6).block("rongcloud_joined_groups", users("rc_users"))
	for share, told := range map[float64]bool{1: true, 0.5: false} {
		for i := range n.job.Sources {
			n.job.Sources[i].Share = share
		}
		if notes := strings.Join(n.plan(tonight).Notes, "\n"); strings.Contains(notes, "nobody can see from here") != told || told != strings.Contains(notes, "`share`") {
			t.Errorf("with a share of %v: %q", share, notes)
		}
	}
}

func TestAnAbsurdBudgetIsToldWithWhatHelps(t *testing.T) {
	t.Parallel()
	huge := nasty(15)
	huge.Huge = true // users in thousands of groups
	n := newNight(t, huge, 1e6).block("rongcloud_joined_groups", users("rc_users"))
	n.sealed(before)
	s := &n.job.Sources[0]
	s.Share = 0.5
	for name := range s.Budgets {
		s.Budgets[name] = job.Budget{PerSecond: 0.01}
	}
	p := n.plan(tonight)
	var text strings.Builder
	for _, w := range p.Warnings {
		text.WriteString(w.Text + "\n" + strings.Join(w.Levers, "\n") + "\n")
	}
	for _, want := range []string{"rongcloud.prod joined_groups needs about ", "that is no nightly run", "share = 1, without windows: ", `budget "joined_groups" { per_second = 1 } ends within 8h 0m`, "ask rongcloud_user_groups instead: 5,000 rows a request instead of 100", "(it tells neither roles nor the vendor's total)", "ask fewer IDs: about "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the warnings lack %q:\n%s", want, text.String())
		}
	}
	for name := range s.Budgets { // the lever does what it says
		s.Budgets[name] = job.Budget{PerSecond: 1}
	}
	for _, e := range n.plan(tonight).Endpoints {
		if e.Seconds > 8*3600 {
			t.Errorf("%s still needs %v s", e.Name, e.Seconds)
		}
	}
}
