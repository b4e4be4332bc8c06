package changes_test

import (
	"context"
	"testing"

	"rollcall/pipeline/changes"
	"rollcall/pipeline/merge"
	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// askedUsers is a spool in which some users were asked for their groups, and had none.
type askedUsers struct {
	merge.Input
	users []string
}

func (a askedUsers) Blocks() []spool.Block {
	return []spool.Block{{Address: "vendor_joined_groups.one", Source: "one", View: schema.UserView}}
}

func (a askedUsers) Records(context.Context, int) (merge.Cursor[spool.Record], error) {
	return &generated[spool.Record]{n: len(a.users), fill: func(i int, r *spool.Record) bool {
		*r = spool.Record{Key: a.users[i], Generation: 1, Outcome: schema.Failed, Verdict: schema.VerdictFailed, Declared: -1}
		return true
	}}, nil
}

// later is what is told of a source on the later date: its groups, each with the pairs that were named or
// asked about.
type later map[string][]toldGroup

type toldGroup struct {
	id    string
	known merge.GroupReading
	pairs []merge.Pair
}

func (l later) tell(ctx context.Context, c *changes.Comparison) error {
	for _, source := range []string{"one", "three", "two"} {
		groups, asked := l[source]
		if !asked {
			continue
		}
		if err := c.Source(ctx, source); err != nil {
			return err
		}
		for _, g := range groups {
			if err := c.Group(g.id, g.known); err != nil {
				return err
			}
			for _, p := range g.pairs {
				if err := c.Pair(&p); err != nil {
					return err
				}
			}
		}
		if err := c.Done(ctx); err != nil {
			return err
		}
	}
	return nil
}

func TestMembershipsThatNobodyAskedAboutAreCounted(t *testing.T) {
	t.Parallel()
	read := merge.GroupReading{Asked: true, Whole: true, Roles: true}
	failed := merge.GroupReading{Asked: true, Roles: true}
	named := merge.GroupReading{Roles: true} // by a user's own list or a role query alone
	member := func(user string, view schema.View) merge.Pair {
		p := merge.Pair{User: user, Role: schema.Member, RoleFrom: view}
		p.Named[view] = true
		return p
	}
	all := []toldGroup{{id: "a", known: read}, {id: "b", known: failed}}
	for _, c := range []struct {
		name  string
		later later
		users []string
		want  int64
	}{
		{"every group is asked", later{"one": all, "two": all}, nil, 0},
		{"a group of one source is not asked", later{"one": all[:1], "two": all}, nil, 3},
		{"two of its users are asked", later{"one": all[:1], "two": all}, []string{"1", "3", "9"}, 1},
		{"nobody is asked in one source", later{"one": {}, "two": all}, nil, 6},
		{"a source is not asked any more", later{"one": all}, nil, 6},
		{"the source before is not asked any more", later{"two": all}, nil, 6},
		{"all sources are others", later{"three": all}, nil, 12},
		{"a pair is named by a user", later{"one": {{"a", named, []merge.Pair{member("1", schema.UserView)}}}, "two": all}, []string{"1"}, 4},
		{"roles of two users were asked in a group, one is no member", later{"one": {{"a", named, []merge.Pair{member("1", schema.RoleView), {User: "2", Denied: true}}}, all[1]}, "two": all}, nil, 1},
		{"a role query failed, of whom is not known", later{"one": {{"a", merge.GroupReading{Asked: true}, nil}, all[1]}, "two": all}, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := base(t, open(t), "2026-11-20")
			scratch := t.TempDir()
			comparison, err := changes.New(t.Context(), s.Proven(scratch, nil), changes.Night{Input: askedUsers{users: c.users}, Accounts: accounts("app-two")}, changes.Options{Scratch: scratch})
			if err != nil {
				t.Fatal(err)
			}
			defer comparison.Close()
			if err := c.later.tell(t.Context(), comparison); err != nil {
				t.Fatal(err)
			}
			if got, known := comparison.Uncovered(); got != c.want || !known {
				t.Errorf("%d memberships are uncovered (known: %v), want %d", got, known, c.want)
			}
		})
	}
}

func TestWhatIsUncoveredIsNotKnownWhereASourceAsksAnotherApp(t *testing.T) {
	t.Parallel()
	s := base(t, open(t), "2026-11-20")
	scratch := t.TempDir()
	c, err := changes.New(t.Context(), s.Proven(scratch, nil), changes.Night{Input: nothing{}, Accounts: accounts("another")}, changes.Options{Scratch: scratch})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := tonight(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if n, known := c.Uncovered(); known {
		t.Errorf("%d are said to be uncovered", n)
	}
}
