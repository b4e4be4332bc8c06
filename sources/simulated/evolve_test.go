package simulated_test

import (
	"fmt"
	"hash/fnv"
	"testing"

	"rollcall/sources/simulated"
)

// kept is what one night of an app tells.
type kept struct {
	members map[string]string // by group and user
	states  map[string]string // by group
	users   map[string]bool
	sum     uint64 // of all of it, in the order in which it is told
}

func keep(t *testing.T, a *simulated.App) kept {
	t.Helper()
	k, sum := kept{map[string]string{}, map[string]string{}, map[string]bool{}, 0}, fnv.New64a()
	for u := range a.Truth().Users() {
		k.users[u.ID] = true
		fmt.Fprintln(sum, u)
	}
	for g := range a.Truth().Groups() {
		k.states[g.ID] = g.State
		fmt.Fprintln(sum, g)
		if g.Owners > 1 {
			t.Errorf("%+v has %d owners", g, g.Owners)
		}
	}
	for m := range a.Truth().Memberships() {
		key := m.Group + " " + m.User
		if _, twice := k.members[key]; twice {
			t.Errorf("%s twice", key)
		}
		k.members[key] = m.Role
		fmt.Fprintln(sum, m.Group, m.User, m.Role, m.JoinedMicros, m.InUserView, m.InGroupView, text(m.Nickname), text(m.Extra))
	}
	k.sum = sum.Sum64()
	return k
}

// count counts keys of one map that the other lacks.
func count[V any](of, but map[string]V) (n int) {
	for key := range of {
		if _, known := but[key]; !known {
			n++
		}
	}
	return n
}

func TestEachNightDiffersFromTheOneBeforeByASmallPart(t *testing.T) {
	t.Parallel()
	small := simulated.Options{Seed: 3, Users: 40, Groups: 8}
	demo := simulated.Demo()
	for name, o := range map[string]simulated.Options{"small": small, "demo": demo} {
		before := [2]kept{}
		for night := range 5 {
			o.Night = night
			w := simulated.New(o)
			for i, a := range []*simulated.App{w.RongCloud, w.Tencent} {
				now, was := keep(t, a), before[i]
				before[i] = now
				if again := keep(t, []*simulated.App{simulated.New(o).RongCloud, simulated.New(o).Tencent}[i]); again.sum != now.sum {
					t.Errorf("%s, night %d: not the same again", name, night)
				}
				if night == 0 {
					continue
				}
				joined, left, roles, gone := count(now.members, was.members), count(was.members, now.members), 0, 0
				for pair, role := range was.members {
					if again, known := now.members[pair]; known && again != role {
						roles++
					}
				}
				for group, state := range was.states {
					if state == "ok" && now.states[group] == "gone" {
						gone++
					}
				}
				found, signedUp := count(now.states, was.states), count(now.users, was.users)
				if joined == 0 || left == 0 || roles == 0 || gone == 0 || found == 0 || signedUp == 0 || count(was.states, now.states)+count(was.users, now.users) > 0 {
					t.Errorf("%s, night %d: %d joined, %d left, %d roles, %d groups gone, %d new, %d users new", name, night, joined, left, roles, gone, found, signedUp)
				}
				most := len(was.members) / 20
				if name == "small" {
					most = len(was.members) / 3
				}
				if changed := joined + left + roles; changed > most {
					t.Errorf("%s, night %d: %d of %d memberships changed", name, night, changed, len(was.members))
				}
			}
		}
	}
}

// TestTheFirstNightIsTheWorldOfAllTests and of everybody who asked a simulated vendor before.
func TestTheFirstNightIsTheWorldOfAllTests(t *testing.T) {
	t.Parallel()
	w := simulated.New(simulated.Demo())
	if got, want := [2]uint64{keep(t, w.RongCloud).sum, keep(t, w.Tencent).sum}, [2]uint64{0xa6d529cde8322925, 0x22e7427b29820c23}; got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
}
