package simulated

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// What changes from one night to the next, in thousandths of what there is, and at least one each.
const (
	leaving   = 10 // memberships
	joining   = 11
	regraded  = 4 // memberships with another role
	dissolved = 5 // groups
	founded   = 6
	signedUp  = 4 // users
)

// evolution lets an app move on from night to night. It changes what Populate made and what it made itself: what
// is nasty, and what the views disagree about, stays as it is. Both lists of a membership change together.
type evolution struct {
	*App
	dice    dice
	night   int
	joiners []uint32 // users who may join
	living  []uint32 // groups that are there
	ends    []int    // of their members, were they one behind the other
}

// evolve lets so many nights go by for the app's first users and groups.
func (a *App) evolve(nights, users, groups int) {
	if nights <= 0 || users == 0 || groups == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &evolution{App: a}
	for u := range users {
		e.joiners = append(e.joiners, uint32(u))
	}
	for g := range groups {
		if !a.groups[g].Dissolved {
			e.living = append(e.living, uint32(g))
		}
	}
	for e.night = 1; e.night <= nights; e.night++ {
		e.dice.state = mix(a.seed + uint64(e.night)<<32)
		e.step()
	}
}

// step is one night. Who leaves or joins is drawn from all memberships, so that large groups change more.
func (e *evolution) step() {
	members := e.count()
	e.leave(part(members, leaving))
	e.count()
	for range part(members, regraded) {
		e.changeRole()
	}
	for range part(members, joining) {
		if g, ok := e.group(); ok {
			e.join(g, e.joiners[e.draw(len(e.joiners))], 0)
		}
	}
	for range part(len(e.joiners), signedUp) {
		e.signUp()
	}
	groups := len(e.living)
	e.dissolve(part(groups, dissolved))
	for range part(groups, founded) {
		e.found()
	}
	e.settle()
}

// part is so many thousandths, but at least one.
func part(of, thousandths int) int { return max(1, of*thousandths/1000) }

func (e *evolution) draw(n int) int { return int(e.dice.next() % uint64(n)) }

// count counts the memberships and notes where each group's end.
func (e *evolution) count() int {
	e.ends = e.ends[:0]
	sum := 0
	for _, g := range e.living {
		sum += len(e.groups[g].members)
		e.ends = append(e.ends, sum)
	}
	return sum
}

// group draws a group by the number of its members.
func (e *evolution) group() (g uint32, ok bool) {
	if len(e.ends) == 0 || e.ends[len(e.ends)-1] == 0 {
		return 0, false
	}
	at := e.draw(e.ends[len(e.ends)-1])
	return e.living[sort.SearchInts(e.ends, at+1)], true
}

// member draws a member of some group who does not own it.
func (e *evolution) member() (g uint32, at int, ok bool) {
	for range 20 {
		g, any := e.group()
		if !any || len(e.groups[g].members) == 0 {
			continue
		}
		if at := e.draw(len(e.groups[g].members)); e.groups[g].owner != e.groups[g].members[at].other+1 {
			return g, at, true
		}
	}
	return 0, 0, false
}

func (e *evolution) leave(n int) {
	gone := map[uint64]bool{}
	for range n {
		if g, at, ok := e.member(); ok {
			gone[pair(g, e.groups[g].members[at].other)] = true
		}
	}
	e.remove(gone)
}

// remove takes pairs out of both lists.
func (e *evolution) remove(gone map[uint64]bool) {
	groups, users := map[uint32]bool{}, map[uint32]bool{}
	for p := range gone {
		groups[uint32(p>>32)], users[uint32(p)] = true, true
	}
	for g := range groups {
		e.groups[g].members = slices.DeleteFunc(e.groups[g].members, func(m entry) bool { return gone[pair(g, m.other)] })
		e.dirtyGroups[g] = true
	}
	for u := range users {
		e.users[u].groups = slices.DeleteFunc(e.users[u].groups, func(m entry) bool { return gone[pair(m.other, u)] })
	}
}

// changeRole makes a member an admin or an admin a member; one time in four, and in groups that have no admins,
// it makes somebody the owner in the owner's place.
func (e *evolution) changeRole() {
	g, at, ok := e.member()
	if !ok {
		return
	}
	group := &e.groups[g]
	u := group.members[at].other
	switch {
	case e.draw(4) == 0 || group.Type == "Private":
		if group.owner > 0 {
			e.setRole(g, group.owner-1, 0)
		}
		group.owner = u + 1
		e.setRole(g, u, 2)
	case group.members[at].role == 0:
		e.setRole(g, u, 1)
	default:
		e.setRole(g, u, 0)
	}
}

func (e *evolution) setRole(g, u uint32, role uint8) {
	set := func(list []entry, other uint32) {
		if i := slices.IndexFunc(list, func(m entry) bool { return m.other == other }); i >= 0 {
			list[i].role = role
		}
	}
	set(e.groups[g].members, u)
	set(e.users[u].groups, g)
}

// join puts a user into a group, behind those who joined before, unless the user is there.
func (e *evolution) join(g, u uint32, role uint8) {
	group := &e.groups[g]
	if slices.ContainsFunc(e.users[u].groups, func(m entry) bool { return m.other == g }) {
		return
	}
	joined := group.created
	if n := len(group.members); n > 0 {
		joined = max(joined, group.members[n-1].joined)
	}
	m := entry{joined: joined + e.App.step(e.dice.next()), other: u, role: role, flags: generated}
	group.members = append(group.members, m)
	m.other = g
	e.users[u].groups = append(e.users[u].groups, m)
	e.dirtyGroups[g], e.dirtyUsers[u] = true, true
	if role == 2 {
		group.owner = u + 1
	}
}

// signUp registers a user, who joins a few groups.
func (e *evolution) signUp() {
	u := e.user(fmt.Sprintf("u%07d", len(e.joiners)+1))
	e.joiners = append(e.joiners, u)
	for range 1 + e.draw(3) {
		if g, ok := e.group(); ok {
			e.join(g, u, 0)
		}
	}
}

// dissolve ends some of the smaller groups: their members list them no more, and no question about them is
// answered. What the customer knows of groups lags behind, so that groups.txt goes on naming them.
func (e *evolution) dissolve(n int) {
	slices.SortStableFunc(e.living, func(x, y uint32) int {
		return cmp.Or(cmp.Compare(len(e.groups[x].members), len(e.groups[y].members)), cmp.Compare(x, y))
	})
	for range min(n, len(e.living)/2) {
		at := e.draw(len(e.living) / 2)
		g := e.living[at]
		gone := map[uint64]bool{}
		for _, m := range e.groups[g].members {
			gone[pair(g, m.other)] = true
		}
		e.remove(gone)
		e.groups[g].Dissolved, e.groups[g].owner = true, 0
		e.living = slices.Delete(e.living, at, at+1)
	}
}

// found makes a small group of users who are there.
func (e *evolution) found() {
	random := e.dice.next()
	made := e.generateGroup(random, len(e.groups)+1)
	made.Dissolved, made.Created = false, time.UnixMilli(epoch+int64(1500+e.night)*86_400_000)
	g := e.App.group(made)
	e.living = append(e.living, g)
	for i := range 2 + heavyTail(random, min(40, len(e.joiners))) {
		e.join(g, e.joiners[e.draw(len(e.joiners))], []uint8{2, 0}[min(i, 1)])
	}
}
