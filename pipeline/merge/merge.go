// Package merge turns what a run has fetched into the rows of the tables: memberships, groups,
// users, outcomes and discrepancies.
//
// It reads the spool's cursors in order, a source after the other, and writes each table in the
// order of its key, in batches. Memory stays flat however many rows there are: one membership, one
// group and one user are looked at at a time, and what is known by user (did the user's own list,
// read whole, leave this group out?) meets the order of the groups through an external sort on
// disk, in which only pairs take part whose user-side answer is not in their own rows.
//
// What it promises: the rows depend on what the vendors said alone, not on the order of runs,
// batches or blocks' answers in the spool. Only views that were read whole accuse: an `absent`, a
// discrepancy, a disputed membership never follow from a reading that failed, stopped or asked for
// some roles only.
//
// An error of a cursor, a writer or the disk ends the merge and is returned as it is; what was
// written until then is of no use. A spool that contradicts itself between two readings is a Bug.
package merge

import (
	"cmp"
	"context"
	"slices"

	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/disk"
)

// Cursor gives rows one after the other.
type Cursor[Row any] interface {
	// Next goes to the next row; false at the end and after an error.
	Next() bool
	// Row is the present row. It and its texts are valid until the next call of Next.
	Row() *Row
	// Err is what ended the rows too early, or nil.
	Err() error
	Close() error
}

// Input is what a merge needs of a spool. Every cursor gives only what belongs to the given
// blocks, which are indexes into Blocks and of one source.
type Input interface {
	Blocks() []spool.Block
	// Rows are ordered by group, user, block.
	Rows(ctx context.Context, blocks []int) (Cursor[spool.Row], error)
	// Groups are ordered by group, block. The same group may come several times.
	Groups(ctx context.Context, blocks []int) (Cursor[spool.Group], error)
	// Records are those of one block, ordered by key, generation.
	Records(ctx context.Context, block int) (Cursor[spool.Record], error)
}

// Writer takes rows of one table, each batch above the one before it. It must not keep them.
type Writer[Row any] interface {
	Write(rows []Row) error
}

// Output is where the rows go.
type Output struct {
	Memberships   Writer[schema.Membership]
	Groups        Writer[schema.Group]
	Users         Writer[schema.User]
	Outcomes      Writer[schema.KeyOutcome]
	Discrepancies Writer[schema.Discrepancy]
}

// Options is what a merge may use.
type Options struct {
	Scratch string    // an existing folder for what doesn't fit in memory while sorting
	Memory  int       // bytes for sorting; 0 means 64 MiB
	Witness Witness   // hears of groups and pairs; may be nil
	Disk    disk.Disk // for Scratch; nil: the real one
}

// Summary is what was written, counted.
type Summary struct {
	Outcomes      map[string]map[schema.Outcome]int64 // keys, by block's address and outcome
	Groups        map[schema.Verdict]int64
	Users         map[schema.Verdict]int64
	Memberships   int64
	Disputed      int64            // memberships
	Discrepancies map[string]int64 // rows, by kind
	Asked         int64            // keys, of all blocks
	Missing       int64            // keys denied or failed
	Requests      int64
	Replaced      int64 // displayed values that could not be read: invalid Unicode became U+FFFD, a wrong type null
	Cut           int64 // texts that were cut because they were too long

	Roles     map[string]map[string]int64 // memberships, by source and the vendor's word for the role, see OtherRoles
	Held      map[schema.Role]int64       // memberships, by role
	Judged    int64                       // groups that were read completely and are owned or ownerless, see schema.OwnershipOf
	Ownerless int64                       // of these, those that nobody owns
	Empty     int64                       // groups that were read completely and have no member
}

// Whole tells whether a reading with this record saw all there was to see, so that it may accuse:
// it is ok, and exact, or unverifiable only because the vendor never declares a total.
func Whole(r spool.Record, b spool.Block) bool {
	if r.Outcome != schema.OK {
		return false
	}
	return r.Verdict == schema.Exact || r.Verdict == schema.Unverifiable && !b.Partial && !b.Total
}

// Run merges all that is in the spool.
func Run(ctx context.Context, in Input, out Output, options Options) (Summary, error) {
	m := newMerger(in, out, options)
	if err := m.outcomes(ctx); err != nil {
		return Summary{}, err
	}
	for _, source := range m.sources() {
		if err := m.source(ctx, source); err != nil {
			return Summary{}, err
		}
	}
	if err := m.flush(); err != nil {
		return Summary{}, err
	}
	return m.summary, nil
}

// merger is one run's state.
type merger struct {
	in      Input
	blocks  []spool.Block
	options Options
	summary Summary
	texts   arena

	memberships   memberships
	groups        batch[schema.Group, groupValues]
	users         batch[schema.User, int64]
	ledger        batch[schema.KeyOutcome, ledgerValues]
	discrepancies batch[schema.Discrepancy, [3]string]
}

func newMerger(in Input, out Output, options Options) *merger {
	if options.Memory <= 0 {
		options.Memory = 64 << 20
	}
	yes, no := true, false
	m := &merger{
		in:      in,
		blocks:  in.Blocks(),
		options: options,
		summary: Summary{
			Outcomes:      map[string]map[schema.Outcome]int64{},
			Groups:        map[schema.Verdict]int64{},
			Users:         map[schema.Verdict]int64{},
			Discrepancies: map[string]int64{},
			Roles:         map[string]map[string]int64{},
			Held:          map[schema.Role]int64{},
		},
		groups:        newBatch[schema.Group, groupValues](out.Groups),
		users:         newBatch[schema.User, int64](out.Users),
		ledger:        newBatch[schema.KeyOutcome, ledgerValues](out.Outcomes),
		discrepancies: newBatch[schema.Discrepancy, [3]string](out.Discrepancies),
	}
	m.memberships = memberships{batch: newBatch[schema.Membership, memberValues](out.Memberships), yes: &yes, no: &no}
	for _, role := range []schema.Role{schema.Owner, schema.Admin, schema.Member} {
		word := role.String()
		m.memberships.roles[role] = &word
	}
	return m
}

func (m *merger) flush() error {
	for _, flush := range []func() error{
		m.memberships.batch.flush, m.groups.flush, m.users.flush, m.ledger.flush, m.discrepancies.flush,
	} {
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}

// source is one vendor account and its blocks by view, each list ascending.
type source struct {
	address string
	blocks  []int
	views   [3][]int
}

// sources lists the sources in the order of the tables.
func (m *merger) sources() []source {
	byAddress := map[string]*source{}
	for i, b := range m.blocks {
		s := byAddress[b.Source]
		if s == nil {
			s = &source{address: b.Source}
			byAddress[b.Source] = s
		}
		s.blocks = append(s.blocks, i)
		s.views[b.View] = append(s.views[b.View], i)
	}
	var all []source
	for _, s := range byAddress {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b source) int { return cmp.Compare(a.address, b.address) })
	return all
}

// askedByGroup lists the blocks whose keys are groups.
func (s source) askedByGroup() []int {
	all := slices.Concat(s.views[schema.GroupView], s.views[schema.RoleView])
	slices.Sort(all)
	return all
}
