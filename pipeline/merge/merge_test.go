package merge_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

func TestAMergeGivesWhatThePlainReadingOfTheRulesGives(t *testing.T) {
	t.Parallel()
	worlds := 300
	if testing.Short() {
		worlds = 50
	}
	scratch := t.TempDir()
	for seed := range uint64(worlds) {
		f := world(seed)
		want := expect(f)
		got, err := run(f, scratch)
		if err != nil {
			t.Fatalf("world %d: %v", seed, err)
		}
		compare(t, got, want)
		again, err := run(f.shuffled(seed), scratch)
		if err != nil {
			t.Fatalf("world %d, shuffled: %v", seed, err)
		}
		compare(t, again, want)
		if f.opened != 0 {
			t.Errorf("%d cursors stay open", f.opened)
		}
		if t.Failed() {
			t.Fatalf("world %d", seed)
		}
	}
	left, err := os.ReadDir(scratch)
	if err != nil || len(left) > 0 {
		t.Fatalf("left in the scratch folder: %v %v", left, err)
	}
}

func TestWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		outcome schema.Outcome
		verdict schema.Verdict
		partial bool
		want    bool
	}{
		{schema.OK, schema.Exact, false, true},
		{schema.OK, schema.Unverifiable, false, true},
		{schema.OK, schema.Unverifiable, true, false},
		{schema.OK, schema.Short, false, false},
		{schema.OK, schema.Over, false, false},
		{schema.OK, schema.Drifted, false, false},
		{schema.Failed, schema.Exact, false, false},
		{schema.Gone, schema.Exact, false, false},
	} {
		if got := merge.Whole(spool.Record{Outcome: c.outcome, Verdict: c.verdict}, spool.Block{Partial: c.partial}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if merge.Whole(spool.Record{Outcome: schema.OK, Verdict: schema.Unverifiable}, spool.Block{Total: true}) {
		t.Error("a reading without a total passes for complete where the vendor declares one")
	}
}

// two is a source with a user view, a group view and a role view, in which user u and group g were
// read with the given verdicts.
func two(user, group schema.Verdict) *fake {
	return &fake{
		blocks: []spool.Block{
			{Address: "v_group_members.all", Source: "v.prod", View: schema.GroupView},
			{Address: "v_group_roles.all", Source: "v.prod", View: schema.RoleView},
			{Address: "v_joined_groups.all", Source: "v.prod", View: schema.UserView},
		},
		records: []spool.Record{
			{Block: 0, Key: "g", Generation: 1, Outcome: schema.OK, Verdict: group, Declared: -1},
			{Block: 1, Key: "g", Generation: 1, Outcome: schema.OK, Verdict: schema.Unverifiable, Declared: -1},
			{Block: 2, Key: "u", Generation: 1, Outcome: schema.OK, Verdict: user, Declared: -1},
		},
	}
}

// rolesFailed adds a role batch of the group that failed.
func rolesFailed(f *fake) *fake {
	f.records[1].Outcome, f.records[1].Verdict = schema.Failed, schema.VerdictFailed
	return f
}

// blind makes the user view one that was asked without topics.
func blind(f *fake) *fake {
	f.blocks[2].Blind = "g"
	return f
}

// besides adds another block that was asked about the user's groups, and ended so.
func besides(f *fake, address string, outcome schema.Outcome, verdict schema.Verdict) *fake {
	f.blocks = append(f.blocks, spool.Block{Address: address, Source: "v.prod", View: schema.UserView})
	f.records = append(f.records, spool.Record{Block: 3, Key: "u", Generation: 1, Outcome: outcome, Verdict: verdict, Declared: -1})
	return f
}

func (f *fake) say(block int, row sources.Row) *fake {
	row.Group, row.User = "g", "u"
	whole := f.blocks[block].View != schema.RoleView && merge.Whole(f.records[block], f.blocks[block])
	f.rows = append(f.rows, spool.Row{Block: block, Whole: whole, Row: row})
	f.records[block].Rows++
	return f
}

func TestOnlyWholeViewsAccuse(t *testing.T) {
	t.Parallel()
	owner, member := sources.Row{Role: schema.Owner}, sources.Row{Role: schema.Member}
	denied, silent := sources.Row{NotMember: true}, sources.Row{}
	for name, c := range map[string]struct {
		spool *fake
		want  string // kinds and what each view said
	}{
		"a user view against a whole group view":        {two(schema.Exact, schema.Exact).say(2, member), "user_view_only member/absent/-"},
		"a user view against a short group view":        {two(schema.Exact, schema.Short).say(2, member), ""},
		"a role view of a group that failed in part":    {rolesFailed(two(schema.Exact, schema.Exact)).say(2, member).say(0, member).say(1, denied), ""},
		"a user view not asked for groups like this":    {blind(two(schema.Exact, schema.Exact)).say(0, member), ""},
		"a drifted user view against a whole group":     {two(schema.Drifted, schema.Exact).say(2, member), ""},
		"a group view against a whole user view":        {two(schema.Unverifiable, schema.Exact).say(0, sources.Row{}), "group_view_only absent/listed/-"},
		"a group view against a short user view":        {two(schema.Short, schema.Exact).say(0, member), ""},
		"a user whose other endpoint failed":            {besides(two(schema.Exact, schema.Exact).say(0, member), "v_user_groups.all", schema.Failed, schema.VerdictFailed), ""},
		"a user whose other endpoint stopped short":     {besides(two(schema.Exact, schema.Exact).say(0, member), "v_user_groups.all", schema.OK, schema.Short), ""},
		"a user whose other endpoint is whole as well":  {besides(two(schema.Exact, schema.Exact).say(0, member), "v_user_groups.all", schema.OK, schema.Unverifiable), "group_view_only absent/member/-"},
		"a user whom the same endpoint answered once":   {besides(two(schema.Exact, schema.Exact).say(0, member), "v_joined_groups.more", schema.Failed, schema.VerdictFailed), "group_view_only absent/member/-"},
		"a denial against a whole view":                 {two(schema.Exact, schema.Exact).say(0, member).say(2, member).say(1, denied), "not_member member/member/not_member"},
		"a denial against views that are not whole":     {two(schema.Over, schema.Short).say(0, member).say(2, member).say(1, denied), ""},
		"a denial that nobody contradicts":              {two(schema.Exact, schema.Exact).say(1, denied), ""},
		"a role query that was not answered":            {two(schema.Exact, schema.Exact).say(0, member).say(2, member).say(1, silent), ""},
		"two roles from whole views":                    {two(schema.Exact, schema.Exact).say(0, owner).say(2, member), "role_conflict member/owner/-"},
		"two roles, one not whole":                      {two(schema.Exact, schema.Short).say(0, owner).say(2, member), ""},
		"a role query against a whole view":             {two(schema.Exact, schema.Short).say(2, member).say(1, owner), "role_conflict member/-/owner"},
		"a role query alone, denied by both whole ones": {two(schema.Exact, schema.Exact).say(1, owner), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := run(c.spool, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			found := ""
			for _, d := range got.Discrepancies {
				found += fmt.Sprintf("%s %s/%s/%s", d.Kind, show(d.UserView), show(d.GroupView), show(d.RoleView))
			}
			if found != c.want {
				t.Errorf("got %q, want %q", found, c.want)
			}
			for _, m := range got.Memberships {
				if m.Disputed != (c.want != "") {
					t.Errorf("disputed is %v", m.Disputed)
				}
			}
		})
	}
}

func show(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func TestAPairThatOnlyADenialNamesIsNoRow(t *testing.T) {
	t.Parallel()
	got, err := run(two(schema.Exact, schema.Exact).say(1, sources.Row{NotMember: true}), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Memberships) != 0 || len(got.Groups) != 1 || len(got.Users) != 1 {
		t.Fatalf("got %s", text(got))
	}
}

// broken fails where it is told to.
type broken struct {
	*fake
	rows error
}

type brokenCursor struct {
	merge.Cursor[spool.Row]
	err error
}

func (b *brokenCursor) Next() bool { return false }
func (b *brokenCursor) Err() error { return b.err }

func (b *broken) Rows(ctx context.Context, blocks []int) (merge.Cursor[spool.Row], error) {
	c, err := b.fake.Rows(ctx, blocks)
	return &brokenCursor{c, b.rows}, err
}

func TestTheErrorOfACursorEndsTheMerge(t *testing.T) {
	t.Parallel()
	damaged := errors.New("damaged")
	f := world(3)
	if _, err := run(&broken{fake: f, rows: damaged}, t.TempDir()); !errors.Is(err, damaged) {
		t.Fatalf("got %v", err)
	}
	if f.opened != 0 {
		t.Errorf("%d cursors stay open", f.opened)
	}
}

type full struct{ err error }

func (f full) Write([]schema.User) error { return f.err }

func TestTheErrorOfAWriterEndsTheMerge(t *testing.T) {
	t.Parallel()
	disk := errors.New("disk is full")
	f := world(3)
	out := merge.Output{
		Memberships: &table[schema.Membership]{copy: same[schema.Membership]}, Groups: &table[schema.Group]{copy: same[schema.Group]}, Users: full{disk},
		Outcomes: &table[schema.KeyOutcome]{copy: same[schema.KeyOutcome]}, Discrepancies: &table[schema.Discrepancy]{copy: same[schema.Discrepancy]},
	}
	if _, err := merge.Run(t.Context(), f, out, merge.Options{Scratch: t.TempDir()}); !errors.Is(err, disk) {
		t.Fatalf("got %v", err)
	}
	if f.opened != 0 {
		t.Errorf("%d cursors stay open", f.opened)
	}
}

func same[Row any](r Row) Row { return r }

func TestACancelledMergeStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := world(3)
	out := merge.Output{
		Memberships: &table[schema.Membership]{copy: same[schema.Membership]}, Groups: &table[schema.Group]{copy: same[schema.Group]}, Users: &table[schema.User]{copy: same[schema.User]},
		Outcomes: &table[schema.KeyOutcome]{copy: same[schema.KeyOutcome]}, Discrepancies: &table[schema.Discrepancy]{copy: same[schema.Discrepancy]},
	}
	if _, err := merge.Run(ctx, f, out, merge.Options{Scratch: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestTextsOutliveBatchesAndCursors(t *testing.T) {
	t.Parallel()
	const members = 10_000
	f := two(schema.Exact, schema.Exact)
	f.blocks, f.records = f.blocks[:1], f.records[:1]
	nickname := func(i int) string {
		if i%500 == 0 {
			return strings.Repeat(fmt.Sprint(i%10), 20_000)
		}
		return fmt.Sprintf("nick %d", i)
	}
	for i := range members {
		f.rows = append(f.rows, spool.Row{Whole: true, Row: sources.Row{Group: "g", User: fmt.Sprintf("u%06d", i), Nickname: schema.SomeText(nickname(i)), Joined: schema.Micros{Value: int64(i), Valid: true}}})
	}
	got, err := run(f, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Memberships) != members || len(got.Users) != members || got.Groups[0].CollectedMembers != members {
		t.Fatalf("%d memberships, %d users, group %s", len(got.Memberships), len(got.Users), text(got.Groups[0]))
	}
	for i, m := range got.Memberships {
		if m.UserID != fmt.Sprintf("u%06d", i) || *m.Nickname != nickname(i) || *m.JoinedAt != int64(i) || got.Users[i].UserID != m.UserID {
			t.Fatalf("row %d is %.200s", i, text(m))
		}
	}
}

// forgetful gives other rows when it is read a second time.
type forgetful struct {
	*fake
	readings int
}

func (f *forgetful) Rows(ctx context.Context, blocks []int) (merge.Cursor[spool.Row], error) {
	if f.readings++; f.readings > 1 {
		f.fake.rows = nil
	}
	return f.fake.Rows(ctx, blocks)
}

func TestASpoolThatContradictsItselfIsABug(t *testing.T) {
	t.Parallel()
	f := two(schema.Exact, schema.Exact).say(0, sources.Row{Role: schema.Member})
	_, err := run(&forgetful{fake: f}, t.TempDir())
	if err == nil || fault.KindOf(err) != fault.Bug || !strings.Contains(err.Error(), "second time") {
		t.Fatalf("got %v", err)
	}
}
