package pipeline

import (
	"context"

	"rollcall/pipeline/event"
	"rollcall/pipeline/fetch"
	"rollcall/pipeline/merge"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// merge runs the merge over the whole spool, into the tables' writers.
func (r *run) merge(ctx context.Context, t *tables) (merge.Summary, error) {
	if err := r.spool.Settle(ctx); err != nil {
		return merge.Summary{}, err
	}
	r.acknowledged = newAcknowledgements(r.Job.Acknowledged, r.veil)
	out := merge.Output{
		Memberships: &told{Writer: t.memberships, tell: func(rows int64) { r.phase(event.Merging, rows, 0) }}, Groups: r.acknowledged.groups(t.groups), Users: r.acknowledged.users(t.users), Outcomes: t.outcomes, Discrepancies: t.discrepancies,
	}
	in := r.veil.Input(spooled{r.spool, fetch.Blocks(r.Job)}, pseudonym.Options{Scratch: r.night.Parts(), Memory: mergeMemory, Disk: r.Disk})
	return r.mergeCompared(ctx, in, out, merge.Options{Scratch: r.night.Parts(), Memory: mergeMemory, Disk: r.Disk}, t.changes)
}

// told is a writer of memberships that tells how many it has written, every so often.
type told struct {
	merge.Writer[schema.Membership]
	rows, next int64
	tell       func(rows int64)
}

const tellRows = 500_000

func (t *told) Write(rows []schema.Membership) error {
	t.rows += int64(len(rows))
	if t.rows >= t.next {
		t.tell(t.rows)
		t.next = t.rows + tellRows
	}
	return t.Writer.Write(rows)
}

// spooled is the spool as the merge reads it.
type spooled struct {
	spool  *spool.Spool
	blocks []spool.Block
}

func (s spooled) Blocks() []spool.Block { return s.blocks }

func (s spooled) Rows(ctx context.Context, blocks []int) (merge.Cursor[spool.Row], error) {
	return s.spool.Rows(ctx, s.only(blocks...))
}

func (s spooled) Groups(ctx context.Context, blocks []int) (merge.Cursor[spool.Group], error) {
	groups, err := s.spool.Groups(ctx, s.only(blocks...))
	return groupRows{groups}, err
}

func (s spooled) Records(ctx context.Context, block int) (merge.Cursor[spool.Record], error) {
	records, err := s.spool.Records(ctx, s.only(block))
	return recordRows{records}, err
}

func (s spooled) only(blocks ...int) spool.Filter {
	wanted := make([]bool, len(s.blocks))
	for _, b := range blocks {
		wanted[b] = true
	}
	return spool.Filter{Blocks: func(b int) bool { return wanted[b] }}
}

type groupRows struct{ *spool.GroupCursor }

func (g groupRows) Row() *spool.Group { return g.Group() }

type recordRows struct{ *spool.RecordCursor }

func (r recordRows) Row() *spool.Record { return r.Record() }
