package simulated

import "strconv"

// Ask is a question to many keys, as a data block of the configuration asks it.
type Ask struct {
	Data   string   // user_groups, joined_groups, group_members or group_roles
	Keys   []string // users, or groups of group_members; a key given twice counts once
	Topics bool     // Tencent: communities with topics too
	Roles  []string // group_members: only these roles (Ordinary, Admin, Owner); none: all
}

// Fewest computes the fewest requests that can honestly answer:
//
//   - RongCloud user_groups: one for fewer than 5000 groups; a full answer calls for pages of 1000
//     from page 5 on, until one is short. (Options.PagedOrderDiffers costs more; that is not counted.)
//   - RongCloud group_members, joined_groups: a page for each 100, at least one. Several roles can't
//     be asked for at once: each takes a walk of its own.
//   - Tencent joined_groups: pages of 5000 until one is not full, and as much again for topics. TotalCount
//     can lag, so that behind a full page one more is needed.
//   - Tencent group_roles: a batch for each 500 of the users who name the group as theirs.
//   - Tencent group_members: pages of 200 until one is not full. Where only some roles are asked for, any
//     page may be filtered, so that an empty one tells the end. Communities have Next: a page for each
//     200, at least one.
func (a *App) Fewest(ask Ask) int {
	defer a.read()()
	asked := make(map[string]bool, len(ask.Keys))
	pairs := map[uint32]int{}
	sum := 0
	for _, key := range ask.Keys {
		if asked[key] {
			continue
		}
		asked[key] = true
		switch ask.Data {
		case "group_members":
			sum += a.fewestMembers(key, ask.Roles)
		case "group_roles":
			a.countPairs(key, ask.Topics, pairs)
		default:
			sum += a.fewestGroups(key, ask)
		}
	}
	for _, n := range pairs {
		sum += pages(n, 500)
	}
	return sum
}

// pages is how many pages hold n rows; an empty list takes one too.
func pages(n, size int) int { return max(1, (n+size-1)/size) }

// offsets is how many pages are asked for until one is not full.
func offsets(n, size int) int { return n/size + 1 }

func (a *App) fewestGroups(key string, ask Ask) int {
	n, topics := 0, 0
	if u, known := a.userAt[key]; known {
		n = len(a.users[u].groups)
		for _, e := range a.users[u].groups {
			if a.groups[e.other].SupportTopic {
				topics++
			}
		}
	}
	switch {
	case a.kind == tencent && ask.Topics:
		return offsets(n-topics, 5000) + offsets(topics, 5000)
	case a.kind == tencent:
		return offsets(n-topics, 5000)
	case ask.Data == "joined_groups":
		return pages(n, 100)
	case n < 5000:
		return 1
	}
	return 1 + n/1000 + 1 - 4
}

func (a *App) fewestMembers(key string, roles []string) int {
	g, known := a.groupAt[key]
	if !known || a.groups[g].state() != "ok" {
		return 1
	}
	size := 100
	if a.kind == tencent {
		size = 200
	}
	byOffset := a.kind == tencent && a.groups[g].Type != "Community"
	switch n := len(a.groups[g].members); {
	case len(roles) == 0 && byOffset:
		return offsets(n, size)
	case len(roles) == 0:
		return pages(n, size)
	}
	sum, all := 0, 0
	for _, role := range roles {
		n := 0
		for _, e := range a.groups[g].members {
			if a.roles[e.role] == role {
				n++
			}
		}
		all += n
		sum += pages(n, size)
	}
	switch {
	case a.kind == rongCloud:
		return sum
	case all > 0 && byOffset:
		return pages(all, size) + 1
	}
	return pages(all, size)
}

func (a *App) countPairs(user string, topics bool, pairs map[uint32]int) {
	u, known := a.userAt[user]
	if !known {
		return
	}
	for _, e := range a.users[u].groups {
		if topics || !a.groups[e.other].SupportTopic {
			pairs[e.other]++
		}
	}
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
