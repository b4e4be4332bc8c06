package merge_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/sources"
)

// IDs that try the orders: prefixes of one another, bytes that sorting escapes, no ASCII.
var ids = []string{"a", "a\x00", "a\x00b", "ab", "b", "ÿ", "群"}

// builder makes small random worlds: several sources, several blocks a view, several starts of the
// process, keys that failed first, batches of role keys, names that differ.
type builder struct {
	*rand.Rand
	fake
}

func world(seed uint64) *fake {
	b := &builder{Rand: rand.New(rand.NewPCG(seed, 7))}
	for _, source := range []string{"a.x", "b", "b.x"}[:1+b.IntN(3)] {
		for _, kind := range []struct {
			name string
			view schema.View
		}{{"group_members", schema.GroupView}, {"group_roles", schema.RoleView}, {"joined_groups", schema.UserView}} {
			for n := range []int{0, 1, 1, 2}[b.IntN(4)] {
				b.blocks = append(b.blocks, spool.Block{
					Address: fmt.Sprintf("%s_%s.%d", source, kind.name, n), Source: source, View: kind.view,
					Partial: kind.view == schema.GroupView && b.chance(20),
				})
			}
		}
	}
	for i, block := range b.blocks {
		for _, key := range ids {
			if block.View == schema.RoleView {
				b.roleKey(i, key)
			} else if b.chance(75) {
				b.listKey(i, block, key)
			}
		}
	}
	return &b.fake
}

func (b *builder) chance(percent int) bool { return b.IntN(100) < percent }

func (b *builder) record(block int, key string, generation int, outcome schema.Outcome) spool.Record {
	r := spool.Record{
		Block: block, Key: key, Generation: generation, Outcome: outcome, Declared: -1,
		Requests: b.Int64N(5), Attempts: 1 + b.Int64N(2), AskedAt: int64(generation)*100 + b.Int64N(50), AnsweredAt: int64(generation)*100 + 50 + b.Int64N(50),
	}
	if outcome != schema.OK {
		r.Code, r.Message = fmt.Sprint(b.IntN(3)), []string{"", "no", "never"}[b.IntN(3)]
	}
	return r
}

func (b *builder) failure() schema.Outcome {
	return []schema.Outcome{schema.Failed, schema.Denied}[b.IntN(2)]
}

// listKey asks for the members of a group or the groups of a user.
func (b *builder) listKey(index int, block spool.Block, key string) {
	generation := 1
	for ; b.chance(25); generation++ {
		b.records = append(b.records, b.record(index, key, generation, b.failure()))
	}
	outcome := []schema.Outcome{schema.OK, schema.OK, schema.OK, schema.OK, schema.Gone, schema.Unsupported, schema.Denied, schema.Failed}[b.IntN(8)]
	r := b.record(index, key, generation, outcome)
	if outcome == schema.OK {
		r.Replaced, r.Cut = b.Int64N(2), b.Int64N(3)
		r.Verdict = schema.Unverifiable
		if !block.Partial && b.chance(80) {
			r.Verdict = []schema.Verdict{schema.Exact, schema.Exact, schema.Exact, schema.Short, schema.Over, schema.Drifted}[b.IntN(6)]
		}
		if r.Verdict != schema.Unverifiable || block.Partial {
			r.Declared = b.Int64N(9)
		}
		for _, other := range ids {
			if !b.chance(45) {
				continue
			}
			row := spool.Row{Block: index, Whole: merge.Whole(r, block), Row: sources.Row{Group: key, User: other}}
			if block.View == schema.UserView {
				row.Group, row.User = other, key
				b.name(index, other)
			}
			b.describe(&row.Row)
			b.rows = append(b.rows, row)
			r.Rows++
		}
	}
	b.records = append(b.records, r)
}

func (b *builder) name(block int, group string) {
	if b.chance(40) {
		b.groups = append(b.groups, spool.Group{Block: block, ID: group, Name: b.text("n", "m", ""), Type: b.text("Public", "Work")})
	}
}

func (b *builder) describe(row *sources.Row) {
	row.Role, row.RoleRaw = schema.Role(b.IntN(4)), b.text("Owner", "Guest", "")
	row.Nickname, row.Extra = b.text("nick", "阿", ""), b.text("x", "y")
	if b.chance(50) {
		row.Joined = schema.Micros{Value: b.Int64N(3), Valid: true}
	}
}

func (b *builder) text(words ...string) schema.Text {
	if b.chance(40) {
		return schema.Text{}
	}
	return schema.SomeText(words[b.IntN(len(words))])
}

// roleKey asks for the roles of users in a group, in batches that may fail and be asked again.
func (b *builder) roleKey(index int, group string) {
	users := slices.Clone(ids)
	b.Shuffle(len(users), func(i, j int) { users[i], users[j] = users[j], users[i] })
	generation := 1
	batches := slices.Collect(slices.Chunk(users[:b.IntN(len(users))], 3))
	for ; len(batches) > 0 && generation <= 3; generation++ {
		var again [][]string
		for _, batch := range batches {
			if b.chance(20) {
				b.records = append(b.records, b.record(index, group, generation, b.failure()))
				again = append(again, batch)
				continue
			}
			b.roleBatch(index, group, batch, generation)
		}
		batches = again
	}
}

func (b *builder) roleBatch(index int, group string, users []string, generation int) {
	r := b.record(index, group, generation, []schema.Outcome{schema.OK, schema.OK, schema.OK, schema.Gone, schema.Unsupported}[b.IntN(5)])
	r.Verdict = schema.Unverifiable
	for _, user := range users {
		row := spool.Row{Block: index, Row: sources.Row{Group: group, User: user}}
		switch {
		case r.Outcome != schema.OK || b.chance(10): // asked, and not answered
		case b.chance(40):
			row.NotMember, row.RoleRaw = true, schema.SomeText("NotMember")
		case b.chance(20):
			row.RoleRaw = schema.SomeText("Guest")
		default:
			row.Role, row.RoleRaw = schema.Role(1+b.IntN(3)), b.text("Owner", "Admin")
		}
		b.rows = append(b.rows, row)
		r.Rows++
	}
	b.records = append(b.records, r)
}

func (f *fake) shuffled(seed uint64) *fake {
	r := rand.New(rand.NewPCG(seed, 1))
	g := &fake{blocks: f.blocks, rows: slices.Clone(f.rows), groups: slices.Clone(f.groups), records: slices.Clone(f.records)}
	r.Shuffle(len(g.rows), func(i, j int) { g.rows[i], g.rows[j] = g.rows[j], g.rows[i] })
	r.Shuffle(len(g.groups), func(i, j int) { g.groups[i], g.groups[j] = g.groups[j], g.groups[i] })
	r.Shuffle(len(g.records), func(i, j int) { g.records[i], g.records[j] = g.records[j], g.records[i] })
	return g
}

// compare reports the first row of each table in which two snapshots differ.
func compare(t *testing.T, got, want snapshot) {
	t.Helper()
	compareRows(t, "memberships", got.Memberships, want.Memberships)
	compareRows(t, "groups", got.Groups, want.Groups)
	compareRows(t, "users", got.Users, want.Users)
	compareRows(t, "outcomes", got.Outcomes, want.Outcomes)
	compareRows(t, "discrepancies", got.Discrepancies, want.Discrepancies)
	compareRows(t, "summary", []merge.Summary{got.Summary}, []merge.Summary{want.Summary})
}

func compareRows[Row any](t *testing.T, table string, got, want []Row) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = text(got[i])
		}
		if i < len(want) {
			w = text(want[i])
		}
		if g != w {
			t.Errorf("%s, row %d:\n got %s\nwant %s", table, i, g, w)
			return
		}
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
