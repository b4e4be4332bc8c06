package merge_test

import (
	"context"
	"fmt"
	"testing"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/sinks/parquet"
	"rollcall/sources"
)

const groupSize = 40

// synthetic is a spool of many memberships that are made up while they are read: groups of 40,
// ten groups a user, every fiftieth membership known to the group view alone.
type synthetic struct {
	blocks        []spool.Block
	groups, users []string
	members       int
}

func newSynthetic(members int, userView bool) *synthetic {
	s := &synthetic{members: members, blocks: []spool.Block{{Address: "v_group_members.all", Source: "v.prod", View: schema.GroupView}}}
	if userView {
		s.blocks = append(s.blocks, spool.Block{Address: "v_joined_groups.all", Source: "v.prod", View: schema.UserView})
	}
	for i := range members/groupSize + 1 {
		s.groups = append(s.groups, fmt.Sprintf("group-%08d", i))
	}
	for i := range members/10 + 2*groupSize {
		s.users = append(s.users, fmt.Sprintf("u%09d", i*791))
	}
	return s
}

// generated gives n rows by number.
type generated[Row any] struct {
	n, next int
	row     Row
	make    func(i int, row *Row)
}

func (g *generated[Row]) Next() bool {
	if g.next == g.n {
		return false
	}
	g.make(g.next, &g.row)
	g.next++
	return true
}
func (g *generated[Row]) Row() *Row    { return &g.row }
func (g *generated[Row]) Err() error   { return nil }
func (g *generated[Row]) Close() error { return nil }

func (s *synthetic) Blocks() []spool.Block { return s.blocks }

func (s *synthetic) Rows(context.Context, []int) (merge.Cursor[spool.Row], error) {
	views := len(s.blocks)
	return &generated[spool.Row]{n: s.members * views, make: func(i int, row *spool.Row) {
		member, view := i/views, i%views
		group, seat := member/groupSize, member%groupSize
		if member%50 == 0 {
			view = 0 // the same row twice: no user view names the pair
		}
		*row = spool.Row{Block: view, Whole: true, Row: sources.Row{Group: s.groups[group], User: s.userOf(group, seat), Role: schema.Member, RoleRaw: schema.SomeText("Member")}}
		if view == 0 {
			row.Joined = schema.Micros{Value: 1_700_000_000_000_000 + int64(member)*1_000_000, Valid: true}
			if member%3 != 0 {
				row.Nickname = schema.SomeText(nicknames[member%len(nicknames)])
			}
		}
	}}, nil
}

// nicknames are as long as people make them.
var nicknames = [...]string{"张伟", "王芳 (运营)", "李娜", "陈先生-上海分公司", "Anna", "小红"}

func (s *synthetic) userOf(group, seat int) string {
	start := group * 104_729 % (len(s.users) - groupSize)
	return s.users[start+seat]
}

func (s *synthetic) Groups(context.Context, []int) (merge.Cursor[spool.Group], error) {
	return &generated[spool.Group]{}, nil
}

func (s *synthetic) Records(_ context.Context, block int) (merge.Cursor[spool.Record], error) {
	keys := s.groups
	if block == 1 {
		keys = s.users
	}
	return &generated[spool.Record]{n: len(keys), make: func(i int, r *spool.Record) {
		*r = spool.Record{Block: block, Key: keys[i], Generation: 1, Outcome: schema.OK, Verdict: schema.Exact, Rows: 10, Declared: 10, Requests: 1, Attempts: 1, AskedAt: int64(i), AnsweredAt: int64(i) + 1}
	}}, nil
}

// nowhere counts rows.
type nowhere[Row any] struct{ rows int64 }

func (n *nowhere[Row]) Write(rows []Row) error {
	n.rows += int64(len(rows))
	return nil
}

// BenchmarkMerge tells what one membership costs. Run it with -benchtime 10000000x.
func BenchmarkMerge(b *testing.B) {
	for name, userView := range map[string]bool{"group view": false, "both views": true} {
		b.Run(name, func(b *testing.B) {
			in := newSynthetic(b.N, userView)
			out := merge.Output{
				Memberships: &nowhere[schema.Membership]{}, Groups: &nowhere[schema.Group]{}, Users: &nowhere[schema.User]{},
				Outcomes: &nowhere[schema.KeyOutcome]{}, Discrepancies: &nowhere[schema.Discrepancy]{},
			}
			benchmark(b, in, out)
		})
		b.Run(name+" to Parquet", func(b *testing.B) {
			in := newSynthetic(b.N, userView)
			dir, tables := b.TempDir(), schema.Tables()
			out := merge.Output{
				Memberships:   parquet.NewWriter[schema.Membership](dir, tables[0], parquet.Options{}),
				Groups:        parquet.NewWriter[schema.Group](dir, tables[1], parquet.Options{}),
				Users:         parquet.NewWriter[schema.User](dir, tables[2], parquet.Options{}),
				Outcomes:      parquet.NewWriter[schema.KeyOutcome](dir, tables[3], parquet.Options{}),
				Discrepancies: parquet.NewWriter[schema.Discrepancy](dir, tables[4], parquet.Options{}),
			}
			benchmark(b, in, out)
		})
	}
}

func benchmark(b *testing.B, in merge.Input, out merge.Output) {
	b.ReportAllocs()
	b.ResetTimer()
	summary, err := merge.Run(b.Context(), in, out, merge.Options{Scratch: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	if summary.Memberships != int64(b.N) {
		b.Fatalf("%d memberships of %d", summary.Memberships, b.N)
	}
}
