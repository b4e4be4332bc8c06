package report

import (
	"strings"
	"testing"

	"rollcall/sinks/manifest"
)

func TestWhoHasAnotherCountIsNamedAndNobodyElse(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]struct{ groups, users map[string]int64 }{
		"1 group has another count than":                {groups: map[string]int64{"short": 1}},
		"1,200 groups have another count than":          {groups: map[string]int64{"short": 1200, "exact": 3}},
		"1 user has another count than":                 {groups: map[string]int64{"exact": 3}, users: map[string]int64{"over": 1}},
		"2 users have another count than":               {users: map[string]int64{"short": 2}},
		"1 group and 2 users have another count than":   {groups: map[string]int64{"over": 1}, users: map[string]int64{"short": 2}},
		"Every count that a vendor gave is met.":        {groups: map[string]int64{"exact": 3}},
		"No vendor gave a total to hold the answers ag": {groups: map[string]int64{"unverifiable": 3}},
	} {
		var m manifest.Manifest
		m.Verdicts.Groups, m.Verdicts.Users = n.groups, n.users
		if _, said := verdict(m, night{}); len(said) != 1 || !strings.HasPrefix(said[0], want) {
			t.Errorf("said %q, want %q", said, want)
		}
	}
}

func TestAPageSaysWhatItDoesNotHoldAsTheVendorTellsIt(t *testing.T) {
	t.Parallel()
	got := hidden(map[string]manifest.Column{
		"user_id":  {Treatment: manifest.Pseudonym, Fingerprint: "e73a"},
		"nickname": {Treatment: manifest.Dropped},
	})
	if want := "nickname is left out; user_id is a keyed pseudonym (key e73a)"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if got := hidden(nil); got != "" {
		t.Errorf("it says %q of a page that holds all", got)
	}
}

func TestWhatACompleteSnapshotDoesNotSay(t *testing.T) {
	t.Parallel()
	users := func(name string) manifest.List {
		return manifest.List{Name: name, Keys: []string{manifest.UserKeys}}
	}
	for _, c := range []struct {
		lists manifest.Lists
		want  string
	}{
		{nil, "Whether all groups of the app were asked is not known."},
		{manifest.Lists{{Name: "staff"}}, "Whether the lists hold all groups of the app is not known."}, // sealed before it was written down
		{manifest.Lists{users("staff"), {Name: "rooms", Keys: []string{manifest.GroupKeys}}}, "Whether the lists hold all groups of the app is not known."},
		{manifest.Lists{users("staff")}, "Its groups are those of the users in ids.staff; whether the app has others is not known."},
		{manifest.Lists{users("a"), users("b"), users("c"), users("d")}, "Its groups are those of the users in ids.a, ids.b, ids.c, other lists; whether the app has others is not known."},
	} {
		if got := Scope(manifest.Manifest{Lists: c.lists}); got != c.want {
			t.Errorf("%v: %q, want %q", c.lists, got, c.want)
		}
	}
}
