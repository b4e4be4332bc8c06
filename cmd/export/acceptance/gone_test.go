package acceptance

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/schema/dialect"
	"rollcall/sinks/local"
	"rollcall/sinks/sinktest"
	"rollcall/sources/simulated"
)

// TestTheLatestViewsLeaveOutWhatIsGone also holds which groups have no owner, and which are empty.
func TestTheLatestViewsLeaveOutWhatIsGone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	sink, err := local.Open(local.Config{Path: root, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	const source = "v.prod"
	yes, no := true, false
	owner, member := "owner", "member"
	row := func(group, user string, role *string, listed *bool) schema.Membership {
		return schema.Membership{Source: source, GroupID: group, UserID: user, Role: role, InUserView: &yes, InGroupView: listed}
	}
	group := func(id string, verdict schema.Verdict, members, owners int64) schema.Group {
		return schema.Group{Source: source, GroupID: id, Verdict: string(verdict), CollectedMembers: members, Owners: owners}
	}
	user := func(id string, verdict schema.Verdict) schema.User {
		return schema.User{Source: source, UserID: id, Verdict: string(verdict), CollectedGroups: 1}
	}
	tables := sinktest.Tables{
		Memberships: []schema.Membership{
			row("custom", "u1", nil, &yes), // a role of the vendor's own
			row("empty", "u1", &member, &no),
			row("gone", "u1", &owner, nil),
			row("owned", "u-gone", &member, &yes), row("owned", "u1", &owner, &yes),
			row("ownerless", "u1", &member, &yes), row("ownerless", "u2", nil, &no),
			row("short", "u1", &member, &yes), row("some", "u1", &member, &yes),
		},
		Groups: []schema.Group{
			group("custom", schema.Exact, 1, 0), group("empty", schema.Exact, 0, 0), group("gone", schema.VerdictGone, 0, 1),
			group("owned", schema.Exact, 2, 1), group("ownerless", schema.Exact, 1, 0), group("short", schema.Short, 1, 0), group("some", schema.Unverifiable, 1, 0),
		},
		Users: []schema.User{user("u-gone", schema.VerdictGone), user("u1", schema.Exact), user("u2", schema.Exact)},
	}
	sinktest.Seal(t, sink, "2026-11-20", tables)
	sinktest.Seal(t, sink, "2026-11-21", tables)
	script, err := dialect.DuckDB(dialect.Place{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, script)
	d.want("SELECT group_id FROM groups_latest", []string{"custom", "empty", "owned", "ownerless", "short", "some"})
	d.want("SELECT user_id FROM users_latest", []string{"u1", "u2"})
	d.want("SELECT group_id || ' ' || user_id FROM memberships_latest", []string{"custom u1", "empty u1", "owned u1", "ownerless u1", "ownerless u2", "short u1", "some u1"})
	d.want("SELECT group_id || ' ' || user_id FROM owners_and_admins", []string{"owned u1"})
	d.want("SELECT DISTINCT user_id FROM groups_of_user", []string{"u1", "u2"})
	d.want("SELECT group_id, certain::VARCHAR, unknown_roles FROM groups_without_owner", []string{"ownerless|true|0"})
	d.want("SELECT group_id FROM empty_groups", []string{"empty"})
	d.want("SELECT count(*) FROM memberships WHERE snapshot_date = DATE '2026-11-21'", []string{"9"})
	d.want("SELECT count(*) FROM groups_as_of WHERE as_of_date = DATE '2026-11-21' AND verdict = 'gone'", []string{"1"})
}

// TestGroupsWithoutAnOwnerAreOneNumberEverywhere holds manifest, check, report and SQL against each other.
func TestGroupsWithoutAnOwnerAreOneNumberEverywhere(t *testing.T) {
	t.Parallel()
	o := simulated.Options{Seed: 3, Users: 80, Groups: 60, Nasty: true, ShuffledRoles: true, Disagreements: 4, Limits: wide()}
	s := newSite(t, o, localSink+"\nsnapshot {\n  check \"owners\" {\n    ownerless = 0\n    action    = \"warn\"\n  }\n}")
	rong := s.world.RongCloud
	var groups []string // that can be read, and have members
	for g := range rong.Truth().Groups() {
		if g.State == "ok" && g.Listed && g.Declared > 3 {
			groups = append(groups, g.ID)
		}
	}
	empty, ordinary, custom := groups[1], groups[2], groups[3]
	for _, m := range slices.Collect(rong.Truth().Memberships()) {
		switch m.Group {
		case empty:
			rong.RemoveMember(m.Group, m.User)
		case ordinary:
			rong.SetRole(m.Group, m.User, simulated.Ordinary)
		case custom:
			rong.SetRole(m.Group, m.User, "Auditor") // of the vendor's own: who can tell what it may do?
		}
	}
	stdout, _ := s.run(0, "run", "--date", date, "--progress", "none")
	m := readManifest(t, filepath.Join(s.dir, "snapshots"))
	judged, ownerless, without := m.Ownership.Judged, m.Ownership.Ownerless, *m.Ownership.Empty
	if judged < 20 || ownerless < 1 || without < 1 {
		t.Fatalf("the world is too dull to prove anything: %+v", m.Ownership)
	}
	if want := fmt.Sprintf("check owners WARNING: %d of %d groups read whole have no owner (", ownerless, judged); !strings.Contains(stdout, want) {
		t.Errorf("the run does not say %q:\n%s", want, stdout)
	}
	page, _ := s.run(0, "report", date)
	for name, n := range map[string]int64{"judged": judged, "ownerless": ownerless, "empty": without} {
		if want := fmt.Sprintf(`data-figure="ownership.%s">%d</data>`, name, n); !strings.Contains(page, want) {
			t.Errorf("the report lacks %s", want)
		}
	}
	script, _ := s.run(0, "sql", "duckdb")
	d := newDesk(t, script)
	d.want("SELECT count(*) FROM groups_without_owner", []string{fmt.Sprint(ownerless)})
	d.want("SELECT count(*) FROM empty_groups", []string{fmt.Sprint(without)})
	d.want("SELECT group_id FROM empty_groups WHERE group_id = '"+empty+"'", []string{empty})
	d.want("SELECT group_id FROM groups_without_owner WHERE source = 'rongcloud.prod' AND group_id IN ('"+ordinary+"', '"+custom+"')", []string{ordinary})
	for _, group := range []string{"_latest", ""} {
		d.want("SELECT count(*) > 0 FROM groups"+group+" WHERE verdict = 'gone'", []string{fmt.Sprint(group == "")})
	}
	explained, _ := s.run(0, "explain", "--group", ordinary, "--source", "rongcloud.prod")
	if !strings.Contains(explained, "  the group is ownerless: ") {
		t.Errorf("explain does not say it:\n%s", explained)
	}
}
