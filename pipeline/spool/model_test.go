package spool

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"

	"slices"
	"testing"

	"go.uber.org/goleak"

	"rollcall/schema"
	"rollcall/schema/disk"
	"rollcall/sources"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// contents is what a spool must show after entries were added: the same, sorted in memory.
type contents struct {
	rows    []Row
	groups  []Group
	records []Record
}

func sorted(blocks []Block, entries []Entry) contents {
	var m contents
	for _, e := range entries {
		m.records = append(m.records, e.Record)
		for _, r := range e.Rows {
			m.rows = append(m.rows, Row{Block: e.Record.Block, Whole: e.Whole, Row: r})
		}
	}
	slices.SortStableFunc(m.rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(blocks[a.Block].Source, blocks[b.Block].Source), cmp.Compare(a.Group, b.Group),
			cmp.Compare(a.User, b.User), cmp.Compare(a.Block, b.Block))
	})
	slices.SortStableFunc(m.records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Block, b.Block), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Generation, b.Generation))
	})
	m.groups = sortedGroups(blocks, m.rows)
	return m
}

func sortedGroups(blocks []Block, rows []Row) []Group {
	type id struct {
		block int
		group string
	}
	names, kinds := map[id][]string{}, map[id][]string{}
	seen := map[id]bool{}
	var groups []Group
	for _, r := range rows {
		k := id{r.Block, r.Group}
		if !seen[k] {
			seen[k] = true
			groups = append(groups, Group{Block: r.Block, ID: r.Group})
		}
		if r.GroupName.Valid {
			names[k] = append(names[k], r.GroupName.Value)
		}
		if r.GroupType.Valid {
			kinds[k] = append(kinds[k], r.GroupType.Value)
		}
	}
	for i := range groups {
		k := id{groups[i].Block, groups[i].ID}
		if len(names[k]) > 0 {
			groups[i].Name = schema.SomeText(smallest(names[k]))
		}
		if len(kinds[k]) > 0 {
			groups[i].Type = schema.SomeText(smallest(kinds[k]))
		}
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(blocks[a.Block].Source, blocks[b.Block].Source), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Block, b.Block))
	})
	return groups
}

// shown is all that a spool shows.
func shown(t testing.TB, s *Spool, f Filter) contents {
	t.Helper()
	var m contents
	rows, err := s.Rows(context.Background(), f)
	must(t, err)
	for rows.Next() {
		m.rows = append(m.rows, *rows.Row())
	}
	must(t, rows.Err())
	must(t, rows.Close())
	groups, err := s.Groups(context.Background(), f)
	must(t, err)
	for groups.Next() {
		m.groups = append(m.groups, *groups.Group())
	}
	must(t, groups.Err())
	must(t, groups.Close())
	records, err := s.Records(context.Background(), f)
	must(t, err)
	for records.Next() {
		m.records = append(m.records, *records.Record())
	}
	must(t, records.Err())
	must(t, records.Close())
	return m
}

func same(t testing.TB, got, want contents) {
	t.Helper()
	alike(t, "row", got.rows, want.rows)
	alike(t, "group", got.groups, want.groups)
	alike(t, "record", got.records, want.records)
}

func alike[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s %d is\n%+v, want\n%+v", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %d %ss, want %d", len(got), what, len(want))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testBlocks() []Block {
	return []Block{
		{Address: "rongcloud_group_members.all", Source: "rongcloud.prod", View: schema.GroupView},
		{Address: "rongcloud_user_groups.staff", Source: "rongcloud.prod", View: schema.UserView},
		{Address: "tencentchat_group_roles.staff", Source: "tencentchat.intl", View: schema.RoleView},
		{Address: "tencentchat_joined_groups.staff", Source: "tencentchat.intl", View: schema.UserView},
	}
}

// randomEntry makes an entry whose texts collide often and are awkward: empty, absent, prefixes of
// each other, with zero bytes.
func randomEntry(r *rand.Rand, maxRows int) Entry {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	id := func() string {
		return pick("", "g", "@TGS#2", "@TGS#2\x00", "group-") + pick("", "\x00", "a", "ab", "abcdefghijk", fmt.Sprint(r.IntN(50)))
	}
	maybe := func(s string) schema.Text { return schema.Text{Value: s, Valid: true} }
	text := func() schema.Text {
		if r.IntN(2) == 0 {
			return schema.Text{}
		}
		return maybe(pick("", "x", "名前", fmt.Sprint(r.IntN(9))))
	}
	e := Entry{Whole: r.IntN(2) == 0, Record: Record{
		Block: r.IntN(4), Key: id(), Generation: r.IntN(3), Outcome: schema.Outcome(pick("ok", "failed")), Verdict: schema.Verdict(pick("", "exact")),
		Rows: r.Int64(), Declared: r.Int64N(3) - 1, Requests: r.Int64(), Attempts: r.Int64(), Replaced: r.Int64(), Cut: r.Int64(),
		Code: pick("", "10010"), Message: pick("", "not found"), AskedAt: -r.Int64(), AnsweredAt: r.Int64(),
	}}
	group, user := id(), id()
	for range r.IntN(maxRows + 1) {
		if r.IntN(3) == 0 {
			group = id()
		} else {
			user = id()
		}
		row := sources.Row{
			Group: group, User: user, GroupName: text(), GroupType: text(), Role: schema.Role(r.IntN(4)), RoleRaw: text(),
			NotMember: r.IntN(2) == 0, Nickname: text(), Extra: text(),
		}
		if r.IntN(2) == 0 {
			row.Joined = schema.Micros{Value: r.Int64() - r.Int64(), Valid: true}
		}
		e.Rows = append(e.Rows, row)
	}
	return e
}

// hasty is a disk that promises durability without giving it.
type hasty struct{ disk.OS }

type hastyFile struct{ disk.File }

func (hastyFile) Sync() error { return nil }

func (hasty) SyncFolder(string) error { return nil }

func (h hasty) Create(path string, mode fs.FileMode) (disk.File, error) {
	f, err := h.OS.Create(path, mode)
	return hastyFile{f}, err
}

func TestAnyScheduleShowsWhatSortingInMemoryShows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(16) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			o := Options{Dir: t.TempDir(), Blocks: testBlocks(), Disk: hasty{}}
			o.Memory, o.batchRows = 1<<(6+r.IntN(12)), 1+r.Int64N(40)
			s, err := Open(o)
			must(t, err)
			var all []Entry
			for range r.IntN(250) {
				e := randomEntry(r, 12)
				all = append(all, e)
				must(t, s.Add(t.Context(), e))
				switch r.IntN(40) {
				case 0:
					must(t, s.Flush(t.Context()))
					same(t, shown(t, s, Filter{}), sorted(o.Blocks, all))
				case 1:
					must(t, s.Settle(t.Context()))
				case 2:
					must(t, s.Close())
					s, err = Open(o)
					must(t, err)
				}
			}
			must(t, s.Flush(t.Context()))
			must(t, s.Settle(t.Context()))
			same(t, shown(t, s, Filter{}), sorted(o.Blocks, all))
			runs, _ := s.Size()
			if runs > maxRuns {
				t.Errorf("%d runs are live after settling", runs)
			}
			if folders, err := os.ReadDir(o.Dir); err != nil || len(folders) != runs {
				t.Errorf("%d folders of %d runs are on disk, %v", len(folders), runs, err)
			}
			must(t, s.Close())
		})
	}
}

// smallest is the smallest text that is not empty, or the empty one where there is no other.
func smallest(texts []string) string {
	slices.Sort(texts)
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
