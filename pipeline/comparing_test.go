package pipeline_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/sinks/manifest"
	"rollcall/sources/simulated"
)

// twoNights seals a night; what happens to it before the second is sealed is up to the caller.
func twoNights(t *testing.T) *history {
	t.Helper()
	h := newHistory(t, simulated.New(unlimited(simulated.Options{Seed: 4, Users: 60, Groups: 20})))
	if s := h.night("2026-11-20", func(n *night) { n.everything() }); s.Manifest.ChangesBase != nil {
		t.Fatal("the first night has a base")
	}
	h.live(rand.New(rand.NewPCG(1, 1)))
	return h
}

// second runs the second night and tells the warnings.
func (h *history) second(configure func(*night)) (s snapshot, warnings string, err error) {
	h.t.Helper()
	n := newNight(h.t, h.world)
	n.out, n.job.Sink.Local.Path = h.out, h.out
	n.everything()
	configure(n)
	result, err := n.run(func(r *pipeline.Request) {
		r.Listen = func(e event.Event) {
			if notice, ok := e.(event.Notice); ok && notice.Warning {
				warnings += notice.Text + "; " + notice.Advice().String() + "\n"
			}
		}
	})
	if err == nil {
		s = n.read(result)
	}
	return s, warnings, err
}

func TestABaseThatIsNotAsItWasSealedGivesNoChangesAndSaysSo(t *testing.T) {
	t.Parallel()
	part := func(table string) string { return table + "/snapshot_date=2026-11-20/part-00000.parquet" }
	for _, c := range []struct {
		name, table, note string
		tamper            func(content []byte) []byte // nil: the file is removed
	}{
		{"memberships altered", "memberships", "has other bytes than were sealed", flip},
		{"groups altered", "groups", "has other bytes than were sealed", flip},
		{"users altered", "users", "has other bytes than were sealed", flip},
		{"outcomes altered", "outcomes", "has other bytes than were sealed", flip},
		{"sources altered", "sources", "has other bytes than were sealed", flip},
		{"memberships cut", "memberships", "bytes, its manifest says", func(b []byte) []byte { return b[:len(b)/2] }},
		{"memberships missing", "memberships", "is missing, although the manifest of 2026-11-20 names it", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := twoNights(t)
			path := filepath.Join(h.out, part(c.table))
			if c.tamper == nil {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, c.tamper(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s, warnings, err := h.second(func(*night) {})
			if err != nil {
				t.Fatal(err)
			}
			m := s.Manifest
			if len(s.changes) > 0 || m.ChangesBase != nil || m.ChangesBaseSum != nil || m.Changes["joined"] != 0 || m.Uncovered != nil {
				t.Errorf("%d changes, compared with %v, uncovered %v", len(s.changes), m.ChangesBase, m.Uncovered)
			}
			if list := m.Lists[0]; list.Before == nil || *list.Before == 0 {
				t.Errorf("the manifest of the base can be read, and tells of its lists: %+v", list)
			}
			for what, text := range map[string]string{"note": m.ChangesNote, "warnings": warnings} {
				if !strings.Contains(text, c.note) || !strings.Contains(text, part(c.table)) {
					t.Errorf("%s: %q", what, text)
				}
			}
			if !strings.Contains(warnings, "rollcall verify 2026-11-20") {
				t.Errorf("warnings: %q", warnings)
			}
			if len(s.memberships) == 0 {
				t.Error("the night itself is empty")
			}
		})
	}
}

// flip changes one bit in the middle, which leaves the file as long as it was.
func flip(content []byte) []byte {
	content[len(content)/2] ^= 1
	return content
}

func TestABaseThatDoesNotTellItsDataBlocksProvesNothingByUsers(t *testing.T) {
	t.Parallel()
	h := twoNights(t)
	path := filepath.Join(h.out, manifest.Path("2026-11-20"))
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Decode(old)
	if err != nil {
		t.Fatal(err)
	}
	m.Data = nil
	encoded, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, encoded, 0o644); err != nil {
		t.Fatal(err)
	}
	byGroups := func(n *night) {
		without("rongcloud_user", "rongcloud_joined", "tencentchat_joined", "tencentchat_group_roles")(n)
	}
	byUsers := func(n *night) { without("rongcloud_group_members", "tencentchat_group")(n) }
	s, _, err := h.second(byUsers)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.changes {
		if c.Change == "left" || c.Certain {
			t.Errorf("%+v", c)
		}
	}
	if len(s.changes) == 0 {
		t.Error("no changes at all")
	}
	if err := os.Remove(filepath.Join(h.out, s.Path)); err != nil {
		t.Fatal(err)
	}
	s, _, err = h.second(byGroups)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, c := range s.changes {
		if c.Certain {
			kinds[c.Change]++
		}
	}
	if kinds["left"] == 0 || kinds["joined"] == 0 || kinds["role_changed"] == 0 {
		t.Errorf("certain by groups whose count was met: %v", kinds)
	}
}

func TestTheManifestTellsWhatChangedAgainstWhichDate(t *testing.T) {
	t.Parallel()
	h := twoNights(t)
	base := h.seals["2026-11-20"]
	s, _, err := h.second(func(*night) {})
	if err != nil {
		t.Fatal(err)
	}
	m := s.Manifest
	want := map[string]int64{"joined": 0, "left": 0, "role_changed": 0}
	uncertain := int64(0)
	for _, c := range s.changes {
		want[c.Change]++
		if !c.Certain {
			uncertain++
		}
	}
	for kind, n := range want {
		if m.Changes[kind] != n || n == 0 {
			t.Errorf("%s: %d in the manifest, %d rows", kind, m.Changes[kind], n)
		}
	}
	if deref(m.ChangesBase) != "2026-11-20" || len(deref(m.ChangesBaseSum)) != 64 || m.ChangesUncertain != uncertain || m.ChangesNote != "" {
		t.Errorf("base %v %v, %d uncertain of %d, note %q", m.ChangesBase, m.ChangesBaseSum, m.ChangesUncertain, uncertain, m.ChangesNote)
	}
	if sum := deref(m.ChangesBaseSum); m.Previous == nil || m.Previous.SHA256 != sum {
		t.Errorf("the base's sum is %s, the link to it %v", sum, m.Previous)
	}
	data := base.Manifest.Data["tencentchat_joined_groups.all"]
	if data.Source != "tencentchat.intl" || data.View != "user" || !data.Topics || data.Blind != "" || len(base.Manifest.Data) != 6 {
		t.Errorf("data blocks: %+v", base.Manifest.Data)
	}
}

func TestUsersAskedInGroupsByRoleAloneLeaveByNotMember(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 4, Users: 40, Groups: 12}))
	h := newHistory(t, world)
	roles := func(n *night) {
		n.block("tencentchat_group_roles", func(d *jobData) { d.Groups.Lists, d.Users.Lists = []string{"tx_groups"}, []string{"tx_users"} })
	}
	h.night("2026-11-20", roles)
	var gone simulated.Membership
	for m := range world.Tencent.Truth().Memberships() {
		if gone.Group == "" && strings.HasPrefix(m.Group, "g") && m.Role == "Member" {
			gone = m
		}
	}
	world.Tencent.RemoveMember(gone.Group, gone.User)
	s := h.night("2026-11-21", roles)
	if len(s.changes) != 1 || s.changes[0].Change != "left" || s.changes[0].UserID != gone.User || s.changes[0].GroupID != gone.Group || !s.changes[0].Certain {
		t.Errorf("%+v, want %s out of %s", s.changes, gone.User, gone.Group)
	}
	// Who is taken off the list is not asked, and has not left.
	s = h.night("2026-11-22", func(n *night) {
		for i, l := range n.job.Lists {
			if l.Name == "tx_users" {
				n.job.Lists[i].Values = slices.Clone(l.Values[:5])
			}
		}
		roles(n)
	})
	if len(s.changes) > 0 {
		t.Errorf("%d changes, and nothing happened: %+v", len(s.changes), s.changes[0])
	}
}
