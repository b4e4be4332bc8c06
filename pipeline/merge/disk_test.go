package merge_test

import (
	"context"
	"fmt"
	"testing"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// onDisk is a true spool as a merge reads it.
type onDisk struct {
	*spool.Spool
	blocks []spool.Block
}

type groupRows struct{ *spool.GroupCursor }

func (g groupRows) Row() *spool.Group { return g.Group() }

type recordRows struct{ *spool.RecordCursor }

func (r recordRows) Row() *spool.Record { return r.Record() }

func (o onDisk) Blocks() []spool.Block { return o.blocks }

func (o onDisk) Rows(ctx context.Context, blocks []int) (merge.Cursor[spool.Row], error) {
	return o.Spool.Rows(ctx, only(blocks...))
}

func (o onDisk) Groups(ctx context.Context, blocks []int) (merge.Cursor[spool.Group], error) {
	c, err := o.Spool.Groups(ctx, only(blocks...))
	return groupRows{c}, err
}

func (o onDisk) Records(ctx context.Context, block int) (merge.Cursor[spool.Record], error) {
	c, err := o.Spool.Records(ctx, only(block))
	return recordRows{c}, err
}

func only(blocks ...int) spool.Filter {
	wanted := map[int]bool{}
	for _, b := range blocks {
		wanted[b] = true
	}
	return spool.Filter{Blocks: func(b int) bool { return wanted[b] }}
}

// fill puts a world into a spool, in many runs.
func (f *fake) fill(t *testing.T, s *spool.Spool) {
	t.Helper()
	rows := map[string][]spool.Row{}
	at := func(block int, key string) string { return fmt.Sprint(block, " ", key) }
	for _, row := range f.rows {
		key := row.Group
		if f.blocks[row.Block].View == schema.UserView {
			key = row.User
		}
		rows[at(row.Block, key)] = append(rows[at(row.Block, key)], row)
	}
	for i, record := range f.records {
		entry := spool.Entry{Record: record}
		if record.Rows > 0 {
			for _, row := range rows[at(record.Block, record.Key)] {
				entry.Whole = row.Whole
				entry.Rows = append(entry.Rows, row.Row)
			}
			delete(rows, at(record.Block, record.Key))
		}
		if err := s.Add(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestATrueSpoolGivesTheSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		f := world(seed)
		f.groups = nil
		for i := range f.rows {
			if row := &f.rows[i]; f.blocks[row.Block].View == schema.UserView {
				row.GroupName, row.GroupType = schema.SomeText(fmt.Sprint("name ", i%3)), schema.SomeText("Public")
				f.groups = append(f.groups, spool.Group{Block: row.Block, ID: row.Group, Name: row.GroupName, Type: row.GroupType})
			}
		}
		s, err := spool.Open(spool.Options{Dir: t.TempDir(), Blocks: f.blocks})
		if err != nil {
			t.Fatal(err)
		}
		f.fill(t, s)
		got, err := run(onDisk{s, f.blocks}, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		compare(t, got, expect(f))
		if t.Failed() {
			t.Fatalf("world %d", seed)
		}
	}
}
