package check_test

import (
	"strings"
	"testing"

	"rollcall/pipeline/check"
	"rollcall/pipeline/job"
	"rollcall/sinks/manifest"
)

// found is what the built-in check of that name says of a night.
func found(t *testing.T, name string, change func(*job.Check), tonight manifest.Manifest, base *manifest.Manifest) manifest.Check {
	t.Helper()
	for _, c := range job.BuiltIn() {
		if c.Name == name {
			if change != nil {
				change(&c)
			}
			results := check.Look([]job.Check{c}, nil, tonight, base)
			if len(results) != 1 {
				t.Fatalf("%d results", len(results))
			}
			return results[0]
		}
	}
	t.Fatalf("no built-in check %s", name)
	return manifest.Check{}
}

func listed(name string, ids int64, before, without int64, keys ...string) manifest.List {
	l := manifest.List{Name: name, IDs: ids, Keys: keys}
	if before >= 0 {
		l.Before = &before
	}
	if without >= 0 {
		l.WithoutRows = &without
	}
	return l
}

func TestAListThatLostManyIDsFails(t *testing.T) {
	t.Parallel()
	base := sealed("2026-11-20", nil)
	half := func(c *job.Check) { c.Limit = job.Tolerance{Share: 0.5} }
	for _, c := range []struct {
		name   string
		lists  manifest.Lists
		change func(*job.Check)
		result string
		text   string
	}{
		{"cut from 1,121 to 30", manifest.Lists{listed("staff", 30, 1121, -1)}, nil, check.Fail, "ids.staff: 30 IDs, 1,121 on 2026-11-20 (1,091 fewer, 97.32%)"},
		{"a fifth fewer", manifest.Lists{listed("staff", 800, 1000, -1)}, nil, check.Pass, "ids.staff: 800 IDs, 1,000 on 2026-11-20 (200 fewer, 20%)"},
		{"one more than a fifth fewer", manifest.Lists{listed("staff", 799, 1000, -1)}, nil, check.Fail, "(201 fewer, 20.1%)"},
		{"twenty fewer of many", manifest.Lists{listed("staff", 980, 1000, -1)}, nil, check.Pass, "(20 fewer, 2%)"},
		{"most of a short list, but not twenty", manifest.Lists{listed("staff", 1, 20, -1)}, nil, check.Pass, "ids.staff: 1 ID, 20 on 2026-11-20 (19 fewer, 95%)"},
		{"twenty of a short list", manifest.Lists{listed("staff", 1, 21, -1)}, nil, check.Fail, "(20 fewer, 95.24%)"},
		{"one of several", manifest.Lists{listed("a", 5, 5, -1), listed("b", 10, 100, -1), listed("c", 99, 100, -1)}, nil, check.Fail, "ids.b: 10 IDs, 100 on 2026-11-20 (90 fewer, 90%)"},
		{"several, none too short", manifest.Lists{listed("b", 90, 100, -1), listed("c", 99, 100, -1)}, nil, check.Pass, "ids.b: 90 IDs, 100 on 2026-11-20 (10 fewer, 10%); ids.c: 99 IDs, 100 on 2026-11-20 (1 fewer, 1%)"},
		{"a list that grew", manifest.Lists{listed("a", 6, 5, -1)}, nil, check.Pass, "no list has fewer IDs than on 2026-11-20"},
		{"a list of a new name", manifest.Lists{listed("a", 1, -1, -1)}, nil, check.Pass, "the snapshot of 2026-11-20 has no list of the same name"},
		{"half may go, as was written", manifest.Lists{listed("staff", 50, 100, -1)}, half, check.Pass, "(50 fewer, 50%)"},
		{"more than half, as was written", manifest.Lists{listed("staff", 4, 10, -1)}, half, check.Fail, "(6 fewer, 60%)"},
	} {
		got := found(t, "list_shrunk", c.change, manifest.Manifest{Lists: c.lists}, &base)
		if got.Result != c.result || !strings.HasSuffix(got.Measured, c.text) || got.Kind != "list_shrunk" {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := found(t, "list_shrunk", nil, manifest.Manifest{}, &base); got.Limit != "20%, or 19 if more" {
		t.Errorf("limit %q", got.Limit)
	}
	if got := found(t, "list_shrunk", nil, manifest.Manifest{Lists: manifest.Lists{listed("a", 1, -1, -1)}}, nil); got.Result != check.Pass || got.Measured != "there is no earlier snapshot to compare with" {
		t.Errorf("without a base: %+v", got)
	}
}

func TestMembershipsThatNobodyAskedAboutFail(t *testing.T) {
	t.Parallel()
	base := sealed("2026-11-20", map[string]int64{"memberships": 10_250})
	few := sealed("2026-11-20", map[string]int64{"memberships": 25})
	for _, c := range []struct {
		name   string
		n      int64 // below 0: not known
		base   manifest.Manifest
		result string
		text   string
	}{
		{"most", 7530, base, check.Fail, "7,530 memberships no longer covered by the lists, of 10,250 on 2026-11-20 (73.46%)"},
		{"a fifth", 2050, base, check.Pass, "2,050 memberships no longer covered by the lists, of 10,250 on 2026-11-20 (20%)"},
		{"one more", 2051, base, check.Fail, "(20.01%)"},
		{"most of few", 19, few, check.Pass, "(76%)"},
		{"twenty of few", 20, few, check.Fail, "(80%)"},
		{"one", 1, base, check.Pass, "1 membership no longer covered by the lists, of 10,250 on 2026-11-20 (below 0.01%)"},
		{"none", 0, base, check.Pass, "0 memberships no longer covered by the lists, of 10,250 on 2026-11-20"},
		{"not known", -1, base, check.Pass, "how many memberships of 2026-11-20 nobody asked about is not known: one asks another app"},
	} {
		tonight := manifest.Manifest{ChangesNote: "one asks another app"}
		if c.n >= 0 {
			tonight.Uncovered = &c.n
		}
		got := found(t, "uncovered", nil, tonight, &c.base)
		if got.Result != c.result || !strings.Contains(got.Measured, c.text) || got.Limit == "" {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	archived := manifest.Manifest{ChangesNote: "the snapshot before this one is archived"}
	if got := found(t, "uncovered", nil, archived, nil); got.Result != check.Pass || got.Measured != "there is nothing to compare with: the snapshot before this one is archived" {
		t.Errorf("an archived base: %+v", got)
	}
}

func TestAListWithoutAMembershipIsCalledOutByName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		lists  manifest.Lists
		result string
		text   string
	}{
		{"users", manifest.Lists{listed("staff", 300, -1, 300, "users")}, check.Fail, "300 of 300 users are in no group: is ids.staff the right list?"},
		{"groups", manifest.Lists{listed("rooms", 20, 20, 20, "groups")}, check.Fail, "20 of 20 groups have no member: is ids.rooms the right list?"},
		{"asked as both", manifest.Lists{listed("all", 20, -1, 20, "groups", "users")}, check.Fail, "20 of 20 IDs have no membership: is ids.all the right list?"},
		{"two lists", manifest.Lists{listed("a", 20, -1, 20, "users"), listed("b", 20, -1, 1, "users"), listed("c", 30, -1, 30, "groups")}, check.Fail,
			"20 of 20 users are in no group: is ids.a the right list? 30 of 30 groups have no member: is ids.c the right list?"},
		{"one of them has a row", manifest.Lists{listed("staff", 300, -1, 299, "users")}, check.Pass, "some ID of each list of 20 or more has a membership"},
		{"a short list", manifest.Lists{listed("vip", 19, -1, 19, "users")}, check.Pass, "there is no list of 20 or more IDs that can be judged"},
		{"not known", manifest.Lists{listed("staff", 300, -1, -1, "users")}, check.Pass, "there is no list of 20 or more IDs that can be judged"},
	} {
		got := found(t, "list_without_rows", nil, manifest.Manifest{Lists: c.lists}, nil)
		if got.Result != c.result || got.Measured != c.text || got.Limit != "" {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestACheckThatIsOffIsNotLookedAt(t *testing.T) {
	t.Parallel()
	if got := check.Look([]job.Check{{Name: "emptied", Kind: job.Emptied, Off: true}}, nil, manifest.Manifest{}, nil); len(got) > 0 {
		t.Errorf("got %+v", got)
	}
}

func TestFewerMembershipsFailByTheLimitOfTheBuiltInCheck(t *testing.T) {
	t.Parallel()
	base := sealed("2026-11-20", map[string]int64{"memberships": 1000})
	for n, want := range map[int64]string{800: check.Pass, 799: check.Fail, 1001: check.Pass} {
		tonight := sealed("2026-11-21", map[string]int64{"memberships": n})
		if got := found(t, "fewer_memberships", nil, tonight, &base); got.Result != want || got.Kind != "drop" {
			t.Errorf("%d memberships: %+v", n, got)
		}
	}
}
