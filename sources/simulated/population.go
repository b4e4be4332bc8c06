package simulated

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"time"
)

// epoch is when the first generated group was made, in milliseconds.
const epoch = int64(1_577_836_800_000)

// populate builds what the options ask for.
func (a *App) populate(o Options) {
	users, groups := o.Users, o.Groups
	if a.kind == tencent {
		users, groups = cmp.Or(o.TencentUsers, users), cmp.Or(o.TencentGroups, groups)
	}
	a.Populate(o.Seed, users, groups)
	if o.Nasty {
		a.addNasty(o.Huge)
	}
	a.addDisagreements(o.Disagreements)
	a.evolve(o.Night, users, groups)
}

// Populate adds so many users and groups with very unequal sizes: most groups are small, a few hold
// a good part of all users. The same numbers give the same population.
func (a *App) Populate(seed uint64, users, groups int) {
	if users == 0 && groups == 0 {
		return
	}
	sizes := make([]int, groups)
	for i := range sizes {
		sizes[i] = heavyTail(mix(seed^mix(uint64(i))), users)
	}
	a.PopulateSizes(seed, users, sizes)
}

// heavyTail draws a group size: Pareto with exponent 0.9 from 2 up, cut at the number of users.
func heavyTail(random uint64, users int) int {
	u := (float64(random>>11) + 0.5) / (1 << 53)
	return min(users, int(2*math.Pow(u, -1/0.9)))
}

// PopulateSizes adds so many users and one group of each size (at most the number of users).
// Memberships cost 32 bytes each.
func (a *App) PopulateSizes(seed uint64, users int, sizes []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle()
	firstUser, firstGroup := len(a.users), len(a.groups)
	for i := range users {
		a.user(fmt.Sprintf("u%07d", firstUser+i+1))
	}
	total := 0
	for i := range sizes {
		sizes[i] = min(sizes[i], users)
		total += sizes[i]
		a.group(a.generateGroup(mix(seed+uint64(i)), firstGroup+i+1))
	}
	all := make([]entry, 0, total)
	degree := make([]uint32, users)
	for i, size := range sizes {
		from := len(all)
		all = a.appendMembers(all, uint32(firstGroup+i), mix(seed^uint64(i)<<1), uint32(firstUser), uint64(users), size)
		a.groups[firstGroup+i].members = all[from:len(all):len(all)]
		for _, e := range all[from:] {
			degree[e.other-uint32(firstUser)]++
		}
	}
	a.listByUser(firstUser, firstGroup, degree, total)
}

// appendMembers draws size distinct users: a walk with a stride that shares no factor with their number.
func (a *App) appendMembers(all []entry, g uint32, random uint64, firstUser uint32, users uint64, size int) []entry {
	if size == 0 {
		return all
	}
	stride := random%users | 1
	for gcd(stride, users) != 1 {
		stride++
	}
	at := mix(random) % users
	joined := a.groups[g].created
	admins := min(size/20, 10)
	if a.groups[g].Type == "Private" {
		admins = 0
	}
	ownerless := a.nasty && random>>20%64 == 0
	for i := range size {
		e := entry{joined: joined, other: firstUser + uint32(at), flags: generated}
		switch {
		case i == 0 && !ownerless:
			e.role = 2
			a.groups[g].owner = e.other + 1
		case i > 0 && i <= admins:
			e.role = 1
		}
		all = append(all, e)
		at = (at + stride) % users
		joined += a.step(mix(random + uint64(i)))
	}
	return all
}

// step is the time between two joinings: up to a day, in the vendor's precision.
func (a *App) step(random uint64) int64 {
	ms := int64(random % 86_400_000)
	if a.kind == tencent {
		ms -= ms % 1000
	}
	return ms
}

func (a *App) listByUser(firstUser, firstGroup int, degree []uint32, total int) {
	all := make([]entry, total)
	at := 0
	for i, d := range degree {
		a.users[firstUser+i].groups = all[at : at : at+int(d)]
		at += int(d)
	}
	for g := firstGroup; g < len(a.groups); g++ {
		for _, e := range a.groups[g].members {
			u := e.other
			e.other = uint32(g)
			a.users[u].groups = append(a.users[u].groups, e)
		}
	}
	for i := range degree {
		sortEntries(a.users[firstUser+i].groups)
	}
}

func gcd(x, y uint64) uint64 {
	for y != 0 {
		x, y = y, x%y
	}
	return x
}

func (a *App) generateGroup(random uint64, n int) Group {
	g := Group{
		ID:      fmt.Sprintf("g%06d", n),
		Name:    groupNames[random%uint64(len(groupNames))] + " " + strconv.Itoa(n),
		Created: time.UnixMilli(epoch + int64(random>>8%1500)*86_400_000),
	}
	g.Dissolved = a.nasty && random>>32%100 == 0
	if a.kind == rongCloud {
		return g
	}
	switch p := random >> 40 % 100; {
	case p < 50:
		g.Type = "Public"
	case p < 72:
		g.Type, g.Inactive = "Private", p < 55
		g.ID = fmt.Sprintf("@TGS#1%07X", n)
	case p < 84:
		g.Type = "ChatRoom"
		g.ID = fmt.Sprintf("@TGS#2%07X", n)
	case p < 95:
		g.Type, g.SupportTopic = "Community", p < 88
		g.ID = fmt.Sprintf("@TGS#_@TGS#c%07X", n)
	case p < 97 && a.nasty:
		g.Type = "AVChatRoom"
	default:
		g.Type = "Public"
	}
	return g
}

var groupNames = [...]string{
	"Design review", "On call", "Release train", "Lunch", "Book club", "Sales north", "Sales south", "Support", "Welcome",
	"项目组", "운영", "Überblick", "Équipe café", "Новости", "Football ⚽", "Incident room", "Parents", "Chess", "Gardeners", "Field team",
}

// nickname is what a generated member is called in a group: a stem and a number, or nothing at all,
// or an empty text. It follows from hashes, so that it need not be kept.
func (a *App) nickname(g, u uint32) (stem string, number uint64, present bool) {
	h := mix(a.seed ^ mix(pair(g, u)))
	switch {
	case h%8 == 0:
		return "", 0, false
	case h%8 == 1:
		return "", 0, true
	case a.nasty && h%8 == 2:
		return nastyTexts[h>>8%uint64(len(nastyTexts))], h>>32%900 + 100, true
	}
	return firstNames[h>>8%uint64(len(firstNames))], h>>32%900 + 100, true
}

// extension is a generated member's extra; most have none.
func (a *App) extension(g, u uint32) (string, bool) {
	h := mix(a.seed + 1 ^ mix(pair(g, u)))
	if h%8 > 1 {
		return "", false
	}
	return extensions[h>>8%uint64(len(extensions))], true
}

var firstNames = [...]string{
	"Ada ", "Bo ", "Chen ", "Dana ", "Emeka ", "Farid ", "Grace ", "Hiro ", "Ines ", "Jun ", "Kaya ", "Lars ", "Mei ", "Noor ",
	"Olga ", "Priya ", "Quinn ", "Rosa ", "Sven ", "Tariq ", "Uma ", "Vera ", "Wei ", "Ximena ", "Yuki ", "Zoë ", "王芳", "Łukasz ",
}

var extensions = [...]string{"", "{}", `{"badge":"gold","level":7}`, `{"note":"a \"quoted\" word"}`, "vip"}
