package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/sinks/manifest"
	"rollcall/sources/simulated"
)

// pair is one user in one group of one source.
type pair struct{ source, group, user string }

// stand is what a world holds of a pair on one night, and which views were there to say it.
type stand struct {
	role            string
	byGroup, byUser bool // the group's list, or the user's, could be read whole that night and names the pair
}

// night is one sealed date and the truth behind it, taken from the world alone.
type night struct {
	date    string
	members map[pair]stand
	groups  map[[2]string]simulated.GroupTruth // by source and ID
	failed  map[pair]bool                      // groups and users of a source whose list could not be read
}

// history is five nights of a changing world, sealed by the program itself.
type history struct {
	*site
	root   string
	sink   string // its block in rollcall.hcl
	nights []night
}

// newHistory runs five nights over seven days. People join, leave, come back and change roles; on the third
// night a group and some users can't be read, while one of its members leaves and another stays.
func newHistory(t *testing.T) *history {
	t.Helper()
	o := simulated.Options{Seed: 11, Users: 60, Groups: 14, Limits: wide()}
	h := &history{sink: `sink "local" "out" { path = "./it's [1] ü*" }`}
	h.site = newSite(t, o, h.sink+"\nsnapshot { tolerate_failed = 20 }")
	h.root = filepath.Join(h.dir, "it's [1] ü*")
	rong := slices.Collect(h.world.RongCloud.Truth().Memberships())
	tencent := slices.Collect(h.world.Tencent.Truth().Memberships())
	leaves, stays := rong[0], rong[1]
	for _, m := range rong {
		if m.Group == leaves.Group && m.User != leaves.User {
			stays = m
		}
	}
	h.night("2026-11-15", nil, nil)
	h.world.RongCloud.SetRole(stays.Group, stays.User, simulated.Owner)
	h.world.Tencent.RemoveMember(tencent[0].Group, tencent[0].User)
	h.world.Tencent.RemoveMember(tencent[5].Group, tencent[5].User)
	h.night("2026-11-16", nil, nil)
	h.world.RongCloud.RemoveMember(leaves.Group, leaves.User)
	h.world.Tencent.AddMember(tencent[0].Group, tencent[0].User, simulated.Member{Role: simulated.Admin})
	h.night("2026-11-18", []string{leaves.Group}, []string{leaves.User, stays.User})
	h.world.RongCloud.RemoveMember(rong[7].Group, rong[7].User)
	h.world.RongCloud.SetRole(stays.Group, stays.User, simulated.Ordinary)
	h.night("2026-11-20", nil, nil)
	h.world.RongCloud.AddMember(rong[7].Group, rong[7].User, simulated.Member{})
	h.night("2026-11-21", nil, nil)
	return h
}

// night runs the program for a date while some of RongCloud's keys can't be read, and notes the truth.
func (h *history) night(date string, groups, users []string) {
	h.t.Helper()
	n := night{date: date, members: map[pair]stand{}, groups: map[[2]string]simulated.GroupTruth{}, failed: map[pair]bool{}}
	refused := simulated.Code(1002, "not now")
	for _, group := range groups {
		n.failed[pair{source: "rongcloud.prod", group: group}] = true
		h.world.Fault(simulated.Fault{Path: simulated.PathGroupMembers, Key: group, Do: refused})
	}
	for _, user := range users {
		n.failed[pair{source: "rongcloud.prod", user: user}] = true
		h.world.Fault(simulated.Fault{Path: simulated.PathUserGroups, Key: user, Do: refused}, simulated.Fault{Path: simulated.PathJoinedGroups, Key: user, Do: refused})
	}
	want := 0
	if len(groups)+len(users) > 0 {
		want = 3
	}
	h.run(want, "run", "--date", date, "--progress", "none")
	h.world.Heal()
	for source, app := range map[string]*simulated.App{"rongcloud.prod": h.world.RongCloud, "tencentchat.intl": h.world.Tencent} {
		for g := range app.Truth().Groups() {
			n.groups[[2]string{source, g.ID}] = g
		}
		for m := range app.Truth().Memberships() {
			s := stand{role: roleNames()[m.Role], byGroup: m.InGroupView && !n.failed[pair{source: source, group: m.Group}], byUser: m.InUserView && !n.failed[pair{source: source, user: m.User}]}
			if s.byGroup || s.byUser {
				n.members[pair{source, m.Group, m.User}] = s
			}
		}
	}
	h.nights = append(h.nights, n)
}

func roleNames() map[string]string {
	return map[string]string{"1": "member", "2": "admin", "3": "owner", "Member": "member", "Admin": "admin", "Owner": "owner"}
}

// litter puts data files beside the sealed ones that no manifest names: a night that is not sealed, a
// stray part with rows and one that is no Parquet, and a manifest that was replaced.
func (h *history) litter() {
	h.t.Helper()
	for _, f := range h.manifest("2026-11-21").Files {
		content, err := os.ReadFile(filepath.Join(h.root, f.Path))
		if err != nil {
			h.t.Fatal(err)
		}
		for path, text := range map[string][]byte{
			f.Table + "/snapshot_date=2026-11-22/part-00000.parquet": content,
			f.Table + "/snapshot_date=2026-11-20/part-00007.parquet": content,
			f.Table + "/snapshot_date=2026-11-20/part-00008.parquet": []byte("no Parquet at all"),
			f.Table + "/snapshot_date=2026-11-19/part-00000.parquet": content[:len(content)/2],
		} {
			h.put(path, text)
		}
	}
	sealed, err := os.ReadFile(filepath.Join(h.root, manifest.Path("2026-11-21")))
	if err != nil {
		h.t.Fatal(err)
	}
	replaced := []byte(strings.ReplaceAll(string(sealed), "2026-11-21", "2026-11-22"))
	h.put(manifest.ReplacedPath("2026-11-22", 9), replaced)
	h.put("_snapshots/2026-11-22.json.partial", replaced)
	h.put("_snapshots/notes.json", []byte("{}\n"))
}

func (h *history) put(path string, content []byte) {
	h.t.Helper()
	full := filepath.Join(h.root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(full, content, 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) manifest(date string) manifest.Manifest {
	h.t.Helper()
	return manifestOf(h.t, h.root, date)
}

// intervals is the membership history as the truth tells it, a line each, sorted. It walks through the nights
// of one pair at a time and knows nothing of SQL.
func (h *history) intervals() []string {
	pairs := map[pair]bool{}
	for _, n := range h.nights {
		for p := range n.members {
			pairs[p] = true
		}
	}
	var lines []string
	for p := range pairs {
		lines = append(lines, h.intervalsOf(p)...)
	}
	slices.Sort(lines)
	return lines
}

func (h *history) intervalsOf(p pair) (lines []string) {
	open, from, seen, last := false, "", "", stand{}
	end := func(to, why string) {
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s|%s", p.source, p.group, p.user, last.role, from, to, seen, why))
		open = false
	}
	for _, n := range h.nights {
		now, there := n.members[p]
		switch {
		case there && open && now.role != last.role:
			end(n.date, "role_changed")
			open, from = true, n.date
		case there && !open:
			open, from = true, n.date
		case !there && open && h.denies(n, p, last):
			end(n.date, "left")
		}
		if there {
			last, seen = now, n.date
		}
	}
	if open {
		end("", "")
	}
	return lines
}

// denies tells whether a list that named the pair when it was last seen was read whole on night n.
func (h *history) denies(n night, p pair, last stand) bool {
	group := n.groups[[2]string{p.source, p.group}]
	byGroup := last.byGroup && group.State == "ok" && group.Listed && !n.failed[pair{source: p.source, group: p.group}]
	byUser := last.byUser && !n.failed[pair{source: p.source, user: p.user}] && !strings.HasPrefix(p.group, "@TGS#_")
	return byGroup || byUser
}
