package simulated

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

type kind uint8

const (
	rongCloud kind = iota
	tencent
)

// The roles that both vendors know. Any other text is a custom role and goes out verbatim.
const (
	Ordinary = "member"
	Admin    = "admin"
	Owner    = "owner"
)

// Views says which of the vendor's lists name a membership.
type Views uint8

// The views. Only on demand do they disagree.
const (
	BothViews Views = iota
	UserViewOnly
	GroupViewOnly
)

// Group is a group as a test or a generator builds it.
type Group struct {
	ID, Name     string
	Type         string // Tencent: Public (default), Private, ChatRoom, AVChatRoom, Community
	Dissolved    bool   // still listed by its users, unknown to every question about the group
	Inactive     bool   // Tencent: a Private group that lists leave out unless asked for
	SupportTopic bool   // Tencent: a Community with topics, listed only where topics are asked for
	Unlisted     bool   // not in groups.txt
	Created      time.Time
}

// Member is what a membership says of itself.
type Member struct {
	Role            string // Ordinary, Admin, Owner or the vendor's own word; empty: Ordinary
	Nickname, Extra *string
	Joined          time.Time // zero: the vendor doesn't tell
	Views           Views
}

// App is what one vendor holds: users, groups, and two lists of who is where, one by group and one
// by user, which agree unless a Member says otherwise. Its methods are safe for concurrent use,
// also while the app is being served.
type App struct {
	kind  kind
	seed  uint64
	nasty bool

	mu          sync.RWMutex
	users       []user
	userAt      map[string]uint32
	groups      []group
	groupAt     map[string]uint32
	roles       []string
	details     map[uint64]detail
	roleViews   map[uint64]string
	dirtyUsers  map[uint32]bool
	dirtyGroups map[uint32]bool

	indexes sync.Map // group number -> []uint32, its members' places in the order of user numbers
}

type user struct {
	id       string
	unlisted bool
	groups   []entry // by time of joining
}

type group struct {
	Group
	created int64   // milliseconds
	members []entry // by time of joining
	owner   uint32  // user number + 1; 0: none
}

// entry is one membership in 16 bytes, as one of its two sides keeps it.
type entry struct {
	joined int64  // milliseconds; 0: unknown
	other  uint32 // the user in a group's list, the group in a user's
	role   uint8
	flags  uint8
}

const (
	generated uint8 = 1 << iota // nickname and extra follow from hashes
	detailed                    // nickname and extra stand in App.details
)

type detail struct{ nickname, extra *string }

func newApp(k kind, o Options) *App {
	return &App{
		kind: k, seed: mix(o.Seed + uint64(k)), nasty: o.Nasty,
		userAt: map[string]uint32{}, groupAt: map[string]uint32{}, roles: []string{Ordinary, Admin, Owner},
		details: map[uint64]detail{}, roleViews: map[uint64]string{},
		dirtyUsers: map[uint32]bool{}, dirtyGroups: map[uint32]bool{},
	}
}

func pair(g, u uint32) uint64 { return uint64(g)<<32 | uint64(u) }

// AddUser registers a user, who then also stands in users.txt.
func (a *App) AddUser(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users[a.user(id)].unlisted = false
}

// AddUnlistedUser registers a user whom users.txt leaves out.
func (a *App) AddUnlistedUser(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.userAt[id]; !known {
		a.users[a.user(id)].unlisted = true
	}
}

func (a *App) user(id string) uint32 {
	n, known := a.userAt[id]
	if !known {
		n = uint32(len(a.users))
		a.users = append(a.users, user{id: id})
		a.userAt[id] = n
	}
	return n
}

// AddGroup adds a group, or gives a known one new properties.
func (a *App) AddGroup(g Group) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.group(g)
}

func (a *App) group(g Group) uint32 {
	if g.Type == "" && a.kind == tencent {
		g.Type = "Public"
	}
	if g.Created.IsZero() {
		g.Created = time.Unix(1_500_000_000, 0)
	}
	n, known := a.groupAt[g.ID]
	if !known {
		n = uint32(len(a.groups))
		a.groups = append(a.groups, group{})
		a.groupAt[g.ID] = n
	}
	a.groups[n].Group, a.groups[n].created = g, g.Created.UnixMilli()
	return n
}

// AddMember puts a user into a group; either is registered if it is new. A pair that is added twice
// is told twice, as no vendor promises not to.
func (a *App) AddMember(group, user string, m Member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g, known := a.groupAt[group]
	if !known {
		g = a.group(Group{ID: group, Name: group})
	}
	a.member(g, a.user(user), m)
}

func (a *App) member(g, u uint32, m Member) {
	e := entry{role: a.role(m.Role)}
	if !m.Joined.IsZero() {
		e.joined = m.Joined.UnixMilli()
		if a.kind == tencent {
			e.joined -= e.joined % 1000
		}
	}
	if m.Nickname != nil || m.Extra != nil {
		e.flags = detailed
		a.details[pair(g, u)] = detail{m.Nickname, m.Extra}
	}
	if m.Views != UserViewOnly {
		e.other = u
		a.groups[g].members = append(a.groups[g].members, e)
		a.dirtyGroups[g] = true
		if m.Role == Owner {
			a.groups[g].owner = u + 1
		}
	}
	if m.Views != GroupViewOnly {
		e.other = g
		a.users[u].groups = append(a.users[u].groups, e)
		a.dirtyUsers[u] = true
	}
}

func (a *App) role(name string) uint8 {
	if name == "" {
		return 0
	}
	if i := slices.Index(a.roles, name); i >= 0 {
		return uint8(i)
	}
	a.roles = append(a.roles, name)
	return uint8(len(a.roles) - 1)
}

// RemoveMember takes a user out of a group, out of both lists.
func (a *App) RemoveMember(group, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g, known := a.groupAt[group]
	u, registered := a.userAt[user]
	if !known || !registered {
		return
	}
	a.groups[g].members = slices.DeleteFunc(a.groups[g].members, func(e entry) bool { return e.other == u })
	a.users[u].groups = slices.DeleteFunc(a.users[u].groups, func(e entry) bool { return e.other == g })
	if a.groups[g].owner == u+1 {
		a.groups[g].owner = 0
	}
	a.dirtyGroups[g] = true
}

// SetRole changes a member's role in both lists.
func (a *App) SetRole(group, user, role string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g, known := a.groupAt[group]
	u, registered := a.userAt[user]
	if !known || !registered {
		return
	}
	r := a.role(role)
	set := func(list []entry, other uint32) {
		for i := range list {
			if list[i].other == other {
				list[i].role = r
			}
		}
	}
	set(a.groups[g].members, u)
	set(a.users[u].groups, g)
	switch {
	case role == Owner:
		a.groups[g].owner = u + 1
	case a.groups[g].owner == u+1:
		a.groups[g].owner = 0
	}
}

// SetRoleView makes the role query alone say something else of a membership: a role, or "NotMember".
func (a *App) SetRoleView(group, user, role string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if g, known := a.groupAt[group]; known {
		a.roleViews[pair(g, a.user(user))] = role
	}
}

// read gives shared use of lists that are in order; the caller must call what it returns.
func (a *App) read() (done func()) {
	for {
		a.mu.RLock()
		if len(a.dirtyUsers)+len(a.dirtyGroups) == 0 {
			return a.mu.RUnlock
		}
		a.mu.RUnlock()
		a.mu.Lock()
		a.settle()
		a.mu.Unlock()
	}
}

func (a *App) settle() {
	for g := range a.dirtyGroups {
		a.indexes.Delete(g)
		sortEntries(a.groups[g].members)
	}
	for u := range a.dirtyUsers {
		sortEntries(a.users[u].groups)
	}
	clear(a.dirtyUsers)
	clear(a.dirtyGroups)
}

// sortEntries orders by time of joining; who joined at the same moment stays in the order of adding.
func sortEntries(list []entry) {
	byJoining := func(x, y entry) int { return cmp.Compare(x.joined, y.joined) }
	if !slices.IsSortedFunc(list, byJoining) {
		slices.SortStableFunc(list, byJoining)
	}
}

// find looks a user up in a group's own list; the caller holds read.
func (a *App) find(g, u uint32) (entry, bool) {
	members := a.groups[g].members
	if len(members) <= 16 {
		i := slices.IndexFunc(members, func(e entry) bool { return e.other == u })
		if i < 0 {
			return entry{}, false
		}
		return members[i], true
	}
	index := a.index(g)
	i, found := slices.BinarySearchFunc(index, u, func(place, u uint32) int { return cmp.Compare(members[place].other, u) })
	if !found {
		return entry{}, false
	}
	return members[index[i]], true
}

func (a *App) index(g uint32) []uint32 {
	if known, ok := a.indexes.Load(g); ok {
		return known.([]uint32)
	}
	members := a.groups[g].members
	index := make([]uint32, len(members))
	for i := range index {
		index[i] = uint32(i)
	}
	slices.SortFunc(index, func(x, y uint32) int { return cmp.Compare(members[x].other, members[y].other) })
	a.indexes.Store(g, index)
	return index
}
