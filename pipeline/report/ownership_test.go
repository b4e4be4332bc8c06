package report_test

import (
	"strings"
	"testing"

	"rollcall/schema"
	"rollcall/sinks/manifest"
	"rollcall/sinks/sinktest"
)

func TestGroupsWithoutAnOwnerAreThoseThatTheManifestCounts(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	yes, member := true, "member"
	group := func(id string, verdict schema.Verdict, members, owners int64) schema.Group {
		return schema.Group{Source: "v.prod", GroupID: id, Verdict: string(verdict), CollectedMembers: members, Owners: owners}
	}
	tables := sinktest.Tables{
		Groups: []schema.Group{
			group("g-custom", schema.Exact, 1, 0), group("g-empty", schema.Exact, 0, 0), group("g-owned", schema.Exact, 1, 1), group("g-ownerless", schema.Exact, 1, 0),
			group("g-short", schema.Short, 1, 0), group("g-some", schema.Unverifiable, 1, 0),
		},
		Memberships: []schema.Membership{
			{Source: "v.prod", GroupID: "g-custom", UserID: "u1", InGroupView: &yes},
			{Source: "v.prod", GroupID: "g-ownerless", UserID: "u1", InGroupView: &yes, Role: &member},
		},
		Edit: func(m *manifest.Manifest) {
			m.Ownership = manifest.Ownership{Judged: 2, Ownerless: 1, Empty: some[int64](1)}
		},
	}
	sinktest.Seal(t, sink, "2026-11-21", tables)
	page, _ := pageOf(t, sink, "2026-11-21")
	_, page, _ = strings.Cut(page, "<h3>Without an owner</h3>")
	page, _, _ = strings.Cut(page, "</section>")
	for _, want := range []string{`data-figure="ownership.judged">2</data>`, `data-figure="ownership.ownerless">1</data>`, `data-figure="ownership.empty">1</data>`, "group is empty", ">g-ownerless<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	for _, bad := range []string{"g-custom", "g-empty", "g-owned", "g-short", "g-some", "more:"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q:\n%s", bad, page)
		}
	}
}
