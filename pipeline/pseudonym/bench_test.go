package pseudonym_test

import (
	"context"
	"fmt"
	"testing"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/sinks/parquet"
	"rollcall/sources"
)

// night is a spool of many memberships that are made up while they are read: groups of 40, each
// membership named by the group and by the user.
type night struct{ members int }

type made[Row any] struct {
	n, next int
	row     Row
	make    func(i int, row *Row)
}

func (m *made[Row]) Next() bool {
	if m.next == m.n {
		return false
	}
	m.make(m.next, &m.row)
	m.next++
	return true
}
func (m *made[Row]) Row() *Row    { return &m.row }
func (m *made[Row]) Err() error   { return nil }
func (m *made[Row]) Close() error { return nil }

func (n *night) Blocks() []spool.Block {
	return []spool.Block{{Address: "v_group_members.all", Source: "v.prod", View: schema.GroupView}, {Address: "v_joined_groups.all", Source: "v.prod", View: schema.UserView}}
}

func (n *night) Rows(context.Context, []int) (merge.Cursor[spool.Row], error) {
	return &made[spool.Row]{n: 2 * n.members, make: func(i int, r *spool.Row) {
		member := i / 2
		*r = spool.Row{Block: i % 2, Whole: true, Row: sources.Row{
			Group: fmt.Sprintf("group-%08d", member/40), User: fmt.Sprintf("u%09d", member/40*7+member%40*1000), Role: schema.Member, RoleRaw: schema.SomeText("Member"),
		}}
		if i%2 == 0 {
			r.Nickname, r.Joined = schema.SomeText("陈先生"), schema.Micros{Value: int64(member), Valid: true}
		}
	}}, nil
}

func (n *night) Groups(context.Context, []int) (merge.Cursor[spool.Group], error) {
	return &made[spool.Group]{}, nil
}

func (n *night) Records(_ context.Context, block int) (merge.Cursor[spool.Record], error) {
	form := []string{"group-%08d", "u%09d"}[block]
	return &made[spool.Record]{n: n.members / []int{40, 10}[block], make: func(i int, r *spool.Record) {
		*r = spool.Record{Block: block, Key: fmt.Sprintf(form, i), Generation: 1, Outcome: schema.OK, Verdict: schema.Unverifiable, Declared: -1, Requests: 1, Attempts: 1}
	}}, nil
}

// BenchmarkPseudonyms tells what a membership costs in a merge to Parquet, with and without. Run it with -benchtime 1000000x.
func BenchmarkPseudonyms(b *testing.B) {
	for name, v := range map[string]*pseudonym.Veil{"without": nil, "with": pseudonym.New(both(key))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			dir, tables := b.TempDir(), schema.Tables()
			out := merge.Output{
				Memberships:   parquet.NewWriter[schema.Membership](dir, tables[0], parquet.Options{}),
				Groups:        parquet.NewWriter[schema.Group](dir, tables[1], parquet.Options{}),
				Users:         parquet.NewWriter[schema.User](dir, tables[2], parquet.Options{}),
				Outcomes:      parquet.NewWriter[schema.KeyOutcome](dir, tables[3], parquet.Options{}),
				Discrepancies: parquet.NewWriter[schema.Discrepancy](dir, tables[4], parquet.Options{}),
			}
			in := v.Input(&night{b.N}, pseudonym.Options{Scratch: b.TempDir(), Memory: 32 << 20})
			summary, err := merge.Run(b.Context(), in, out, merge.Options{Scratch: b.TempDir(), Memory: 32 << 20})
			if err != nil || summary.Memberships != int64(b.N) {
				b.Fatal(summary.Memberships, err)
			}
		})
	}
}
