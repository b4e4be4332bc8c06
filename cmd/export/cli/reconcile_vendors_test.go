package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"rollcall/pipeline/reconcile"
	"rollcall/sources/simulated"
)

const rong, tencent = "rongcloud.demo", "tencentchat.demo"

// bothVendors is one night of both vendors, of which one group at Tencent could not be read, with its
// memberships as an application knows them: the role by group and user.
type bothVendors struct {
	audited
	roles  map[string]map[pairOf]string // by source
	failed string
}

// TestReconcileHoldsOneFileAgainstBothVendors has groups of each vendor and one that both have; the
// file names no source.
func TestReconcileHoldsOneFileAgainstBothVendors(t *testing.T) {
	t.Parallel()
	n := sealBothVendors(t)
	whole, both := map[pairOf]string{}, "group_id,user_id,role\n"
	for _, roles := range n.roles {
		maps.Copy(whole, roles) // of who is in a group of both, the role at one of them
		for p, role := range roles {
			both += fmt.Sprintf("%s,%s,%s\n", p.group, p.user, role)
		}
	}
	path := filepath.Join(t.TempDir(), "both.csv")
	if err := os.WriteFile(path, []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := n.run(t, "reconcile", "--expected", path, "--strict"); got.code != Done || !strings.Contains(got.stdout, "records of rongcloud.demo and tencentchat.demo") {
		t.Fatalf("the truth of both vendors ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if got, rows := n.reconcile(t, whole); got.Code != Done || len(rows) != 0 || !slices.Equal(got.Sources, []string{rong, tencent}) {
		t.Fatalf("what is true differs: %+v: %+v", got, rows)
	}
	wrong, extra := maps.Clone(whole), pairOf{"ours", "cat"}
	role := wrong[extra]
	delete(wrong, extra)
	wrong[pairOf{"theirs", "nobody"}] = "member"
	wrong[pairOf{"theirs", "ann"}] = "admin"
	wrong[pairOf{n.failed, "nobody"}] = ""
	wrong[pairOf{"shared", "nobody"}] = "member"
	wrong[pairOf{"shared", "eve"}] = "owner"
	want := map[string]bool{
		fmt.Sprintf("unknown_to_application %s %s %s - %s", rong, extra.group, extra.user, role): true,
		"missing_at_vendor " + tencent + " theirs nobody member -":                               true,
		"role_differs " + tencent + " theirs ann admin owner":                                    true,
		"cant_tell " + tencent + " " + n.failed + " nobody - -":                                  true,
		"missing_at_vendor " + rong + " shared nobody member -":                                  true,
		"role_differs " + tencent + " shared eve owner member":                                   true,
	}
	got, rows := n.reconcile(t, wrong)
	told := map[string]bool{}
	for _, d := range rows {
		told[fmt.Sprintf("%s %s %s %s %s %s", d.Kind, deref(d.Source), d.GroupID, d.UserID, dash(d.ExpectedRole), dash(d.VendorRole))] = true
	}
	if !maps.Equal(told, want) || len(rows) != len(want) || got.Code != Different {
		t.Errorf("%+v: told %v in %d rows, want %v", got.Summary, told, len(rows), want)
	}
	for _, d := range got.Details {
		if d.Source == nil {
			t.Errorf("JSON does not name the source of %+v", d)
		}
	}
}

// sealBothVendors seals the night.
func sealBothVendors(t *testing.T) *bothVendors {
	t.Helper()
	s := plainServer(t, 20, 4, 0)
	defer s.close()
	n := &bothVendors{failed: "unread", roles: map[string]map[pairOf]string{}}
	for _, app := range []*simulated.App{s.world.RongCloud, s.world.Tencent} {
		app.AddGroup(simulated.Group{ID: "shared"})
		app.AddMember("shared", "ida", simulated.Member{})
	}
	ours := s.world.RongCloud
	ours.AddGroup(simulated.Group{ID: "ours"})
	ours.AddMember("ours", "cat", simulated.Member{Role: simulated.Admin})
	ours.AddMember("shared", "dan", simulated.Member{})
	theirs := s.world.Tencent
	theirs.AddGroup(simulated.Group{ID: "theirs"})
	theirs.AddMember("theirs", "ann", simulated.Member{Role: simulated.Owner})
	theirs.AddMember("shared", "dan", simulated.Member{Role: simulated.Admin}) // two roles, one at each
	theirs.AddMember("shared", "eve", simulated.Member{})
	theirs.AddGroup(simulated.Group{ID: n.failed})
	theirs.AddMember(n.failed, "bob", simulated.Member{})
	s.world.Fault(simulated.Fault{Path: "/v4/group_open_http_svc/get_group_member_info", Key: n.failed, Do: simulated.Code(10004, "bad")})
	out := t.TempDir()
	var err error
	if n.config, err = s.write(out); err != nil {
		t.Fatal(err)
	}
	n.sink = filepath.Join(out, "snapshots")
	n.tolerate(t)
	n.keep(rong, ours, map[string]string{"1": "member", "2": "admin", "3": "owner"})
	n.keep(tencent, theirs, map[string]string{"Member": "member", "Admin": "admin", "Owner": "owner"})
	if got := realTime(t, nil, "run", "--config", n.config, "--date", "2026-11-21", "--progress", "none", "--json"); got.code != Partial {
		t.Fatalf("the night ended with %d: %s", got.code, got.stderr)
	}
	return n
}

// keep keeps what is true at one vendor.
func (n *bothVendors) keep(source string, app *simulated.App, words map[string]string) {
	n.roles[source] = map[pairOf]string{}
	for m := range app.Truth().Memberships() {
		n.roles[source][pairOf{m.Group, m.User}] = words[m.Role]
	}
}

// reconcile gives what JSON and what the Parquet file say.
func (n *bothVendors) reconcile(t *testing.T, records map[pairOf]string) (answer reconciled, rows []reconcile.Difference) {
	t.Helper()
	dir := t.TempDir()
	var told []reconcile.Difference
	for name, content := range encodings(t, records) {
		path, out := filepath.Join(dir, name), filepath.Join(dir, name+".out.parquet")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		got := n.run(t, "reconcile", "--expected", path, "--out", out, "--json")
		answer = reconciled{}
		if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || answer.Code != got.code {
			t.Fatalf("%s: reconcile ended with %d: %s%s (%v)", name, got.code, got.stdout, got.stderr, err)
		}
		var err error
		if rows, err = parquet.ReadFile[reconcile.Difference](out); err != nil {
			t.Fatal(err)
		}
		if len(rows) != len(answer.Details) || told != nil && len(told) != len(rows) {
			t.Errorf("%s: %d rows and %d details", name, len(rows), len(answer.Details))
		}
		told = rows
	}
	return answer, rows
}
