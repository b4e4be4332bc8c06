package spool

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
)

// Filter says what a cursor shows. The zero value shows everything.
type Filter struct {
	Blocks func(block int) bool // which blocks; nil for all. Runs and sources without them are not read

	// Where rows and groups begin: those of sources before FromSource, and those of FromSource in
	// groups before FromGroup, are passed over, mostly unread. Records know no such place.
	FromSource, FromGroup string
}

// RowCursor goes through rows in the order of (source, group, user, block, arrival). A cursor shows
// what had been flushed when it was opened, isn't safe for concurrent use, and must be closed.
type RowCursor struct{ cursor[*rowLane, Row] }

// GroupCursor goes through groups in the order of (source, group, block), each once.
type GroupCursor struct{ cursor[*groupLane, Group] }

// RecordCursor goes through records in the order of (block, key, generation, arrival).
type RecordCursor struct{ cursor[*recordLane, Record] }

// Row is the current row, valid until Next. Its texts alias a batch of a few thousand rows: they
// never change, but one that is kept keeps its whole batch in memory, so clone what stays.
func (c *RowCursor) Row() *Row { return &c.value }

// Group is the current group, valid as a row is.
func (c *GroupCursor) Group() *Group { return &c.value }

// Record is the current record, valid as a row is.
func (c *RecordCursor) Record() *Record { return &c.value }

// Next goes on to the next row; false at the end and after a failure, which Err tells.
func (c *RowCursor) Next() bool {
	if !c.step() {
		return false
	}
	c.lanes[0].fill(&c.value)
	return true
}

// Next goes on to the next record; false at the end and after a failure, which Err tells.
func (c *RecordCursor) Next() bool {
	if !c.step() {
		return false
	}
	c.lanes[0].fill(&c.value)
	return true
}

// Next goes on to the next group; false at the end and after a failure, which Err tells.
func (c *GroupCursor) Next() bool {
	if !c.begun && !c.step() || len(c.lanes) == 0 {
		return false
	}
	first := c.lanes[0]
	at, block := first.at, first.block
	c.value = Group{Block: block, ID: at.group, Name: text(first.name, first.i), Type: text(first.kind, first.i)}
	for c.step() {
		l := c.lanes[0]
		if l.block != block || l.at != at {
			break
		}
		c.value.learn(text(l.name, l.i), text(l.kind, l.i))
	}
	return c.err == nil
}

// Rows opens a cursor over the rows of everything flushed.
func (s *Spool) Rows(ctx context.Context, f Filter) (*RowCursor, error) {
	runs, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return s.openRows(ctx, runs, s.scope(f))
}

// Groups opens a cursor over the groups that the rows of everything flushed name.
func (s *Spool) Groups(ctx context.Context, f Filter) (*GroupCursor, error) {
	runs, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	c, scope, schema := &GroupCursor{}, s.scope(f), groupSchema()
	c.begin(ctx, s, runs)
	for _, r := range runs {
		if b, ok := c.open(r, &r.index.Groups, groupsFile, schema, scope); ok {
			b.table.skipTo(scope.from)
			c.lanes = append(c.lanes, &groupLane{batches: b})
		}
	}
	return c, c.heapify()
}

// Records opens a cursor over the records of everything flushed.
func (s *Spool) Records(ctx context.Context, f Filter) (*RecordCursor, error) {
	runs, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return s.openRecords(ctx, runs, s.scope(Filter{Blocks: f.Blocks}))
}

func (s *Spool) openRows(ctx context.Context, runs []*run, scope *scope) (*RowCursor, error) {
	c, schema := &RowCursor{}, rowSchema()
	c.begin(ctx, s, runs)
	for i, r := range runs {
		if b, ok := c.open(r, &r.index.Rows, rowsFile, schema, scope); ok {
			b.table.skipTo(scope.from)
			c.lanes = append(c.lanes, &rowLane{batches: b, order: i})
		}
	}
	return c, c.heapify()
}

func (s *Spool) openRecords(ctx context.Context, runs []*run, scope *scope) (*RecordCursor, error) {
	c, schema := &RecordCursor{}, recordSchema()
	c.begin(ctx, s, runs)
	for i, r := range runs {
		if b, ok := c.open(r, &r.index.Records, recordsFile, schema, scope); ok {
			c.lanes = append(c.lanes, &recordLane{batches: b, order: i})
		}
	}
	return c, c.heapify()
}

// acquire gives the live runs, at most maxRuns, and keeps them readable until they are released.
func (s *Spool) acquire(ctx context.Context) ([]*run, error) {
	for {
		s.mu.Lock()
		if err := s.usable(); err != nil {
			s.mu.Unlock()
			return nil, err
		}
		if len(s.runs) <= maxRuns {
			runs := slices.Clone(s.runs)
			retain(runs)
			s.mu.Unlock()
			return runs, nil
		}
		s.mu.Unlock()
		if err := s.Settle(ctx); err != nil {
			return nil, err
		}
	}
}

// retain counts a reader of each run. The caller holds Spool.mu.
func retain(runs []*run) {
	for _, r := range runs {
		r.readers++
	}
}

// hold is retain for callers that don't hold s.mu.
func (s *Spool) hold(runs []*run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	retain(runs)
}

// release ends retain and removes the runs that were only waiting for it.
func (s *Spool) release(runs []*run) error {
	s.mu.Lock()
	var gone []*run
	for _, r := range runs {
		if r.readers--; r.readers == 0 && r.dropped {
			gone = append(gone, r)
		}
	}
	s.mu.Unlock()
	for _, r := range gone {
		if err := s.disk.RemoveAll(r.dir); err != nil {
			return refused(err)
		}
	}
	return nil
}

// scope is a filter in the spool's own numbers.
type scope struct {
	blocks   []bool // by block
	ordinals []int  // source of each block
	from     place
	last     int // source after which nothing is wanted
}

func (s *Spool) scope(f Filter) *scope {
	c := &scope{blocks: make([]bool, len(s.ordinals)), ordinals: s.ordinals, last: -1, from: place{source: len(s.ordinals)}}
	for i, b := range s.options.Blocks {
		if b.Source < f.FromSource || f.Blocks != nil && !f.Blocks(i) {
			continue
		}
		if c.last < 0 {
			c.from.source = s.ordinals[i]
			if b.Source == f.FromSource {
				c.from.group = f.FromGroup
			}
		}
		c.blocks[i], c.last = true, s.ordinals[i]
	}
	return c
}

// starts tells whether at is not before the place where the scope begins.
func (c *scope) starts(at place) bool {
	return at.source > c.from.source || at.source == c.from.source && at.group >= c.from.group
}

// batches is what all lanes have in common: a table and a position in its current batch.
type batches struct {
	table *tableReader
	scope *scope
	i, n  int
}

// nextBatch goes on to the next batch; nil at the end of the table or of the scope.
func (b *batches) nextBatch() (arrow.Record, error) {
	if t := b.table; t.next > 0 && t.index.Batches[t.next-1].Source > b.scope.last {
		return nil, nil
	}
	batch, err := b.table.batch()
	if batch != nil {
		b.i, b.n = 0, int(batch.NumRows())
	}
	return batch, err
}

func (b *batches) close() { b.table.close() }

// lane is one run within a merge.
type lane[L any] interface {
	advance() (bool, error)
	before(L) bool
	close()
}

// cursor merges lanes: they form a heap, the smallest entry on top.
type cursor[L lane[L], T any] struct {
	ctx   context.Context
	spool *Spool
	runs  []*run
	raw   []byte
	lanes []L
	begun bool
	steps int
	value T
	err   error
}

func (c *cursor[L, T]) begin(ctx context.Context, s *Spool, runs []*run) {
	c.ctx, c.spool, c.runs = ctx, s, runs
}

// open opens a table of r, unless it has nothing for the scope.
func (c *cursor[L, T]) open(r *run, index *tableIndex, name string, schema *arrow.Schema, scope *scope) (batches, bool) {
	var rows int64
	for block, wanted := range scope.blocks {
		if wanted {
			rows += index.Blocks[block]
		}
	}
	if rows == 0 || c.err != nil {
		return batches{}, false
	}
	table, err := openTable(filepath.Join(r.dir, name), schema, index, &c.raw)
	c.err = err
	return batches{table: table, scope: scope}, err == nil
}

// heapify brings every lane to its first entry. A failure closes the cursor.
func (c *cursor[L, T]) heapify() error {
	all := c.lanes
	c.lanes = nil
	for _, l := range all {
		if c.err == nil && c.advance(l) {
			c.lanes = append(c.lanes, l)
		} else {
			l.close()
		}
	}
	for i := len(c.lanes)/2 - 1; i >= 0; i-- {
		c.sift(i)
	}
	if c.err != nil {
		c.Close()
	}
	return c.err
}

// step brings the next entry to the top of the heap. After the first call it leaves the one there.
func (c *cursor[L, T]) step() bool {
	if c.steps++; c.steps%1024 == 0 && c.err == nil {
		c.err = c.ctx.Err()
	}
	if c.err != nil || len(c.lanes) == 0 {
		return false
	}
	if !c.begun {
		c.begun = true
		return true
	}
	if top := c.lanes[0]; !c.advance(top) {
		if c.err != nil {
			return false
		}
		top.close()
		last := len(c.lanes) - 1
		c.lanes[0] = c.lanes[last]
		c.lanes = c.lanes[:last]
	}
	c.sift(0)
	return len(c.lanes) > 0
}

func (c *cursor[L, T]) advance(l L) bool {
	ok, err := l.advance()
	c.err = err
	return ok
}

// sift restores the heap below i.
func (c *cursor[L, T]) sift(i int) {
	for {
		least := 2*i + 1
		if least >= len(c.lanes) {
			return
		}
		if right := least + 1; right < len(c.lanes) && c.lanes[right].before(c.lanes[least]) {
			least = right
		}
		if !c.lanes[least].before(c.lanes[i]) {
			return
		}
		c.lanes[i], c.lanes[least] = c.lanes[least], c.lanes[i]
		i = least
	}
}

// Err tells why Next returned false; nil at the end.
func (c *cursor[L, T]) Err() error { return c.err }

// Close lets go of the runs. Closing twice does nothing.
func (c *cursor[L, T]) Close() error {
	if c.spool == nil {
		return nil
	}
	for _, l := range c.lanes {
		l.close()
	}
	s := c.spool
	c.lanes, c.spool = nil, nil
	return s.release(c.runs)
}
