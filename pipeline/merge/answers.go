package merge

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// answer is what became of one key of one block, after all its records: those of earlier starts
// of the process and, for role blocks, those of its batches.
//
// The newest generation decides. Among its records the worst one does, and its verdict, declared
// total, code and message stand; the times span that generation. Rows (of what was ok), requests
// and attempts add up over all records, for all of them were spent.
type answer struct {
	spool.Record
}

// answers combines the records of one block, key by key in ascending order.
type answers struct {
	block   spool.Block
	kind    uint // which of its panel's kinds of blocks, as a bit: 1, 2, 4
	cursor  Cursor[spool.Record]
	pending *spool.Record // the first record of the key to come
	answer  answer        // of the present key, its texts its own
	done    bool
}

// openAnswers stands at the first key.
func openAnswers(ctx context.Context, in Input, block spool.Block, index int) (*answers, error) {
	cursor, err := in.Records(ctx, index)
	if err != nil {
		return nil, err
	}
	a := &answers{block: block, cursor: cursor}
	a.advance()
	if err := a.next(); err != nil {
		cursor.Close()
		return nil, err
	}
	return a, nil
}

func (a *answers) advance() {
	a.pending = nil
	if a.cursor.Next() {
		a.pending = a.cursor.Row()
	}
}

// next goes to the next key, or sets done.
func (a *answers) next() error {
	if a.pending == nil {
		a.done = true
		return a.cursor.Err()
	}
	a.answer = answer{own(*a.pending)}
	if a.answer.Outcome != schema.OK {
		a.answer.Rows, a.answer.Replaced, a.answer.Cut = 0, 0, 0
	}
	for a.advance(); a.pending != nil && a.pending.Key == a.answer.Key; a.advance() {
		a.answer.add(a.pending)
	}
	return a.cursor.Err()
}

// own copies the record's texts out of the cursor's memory.
func own(r spool.Record) spool.Record {
	r.Key, r.Code, r.Message = strings.Clone(r.Key), strings.Clone(r.Code), strings.Clone(r.Message)
	return r
}

func (a *answer) add(r *spool.Record) {
	rows, replaced, cut := a.Rows, a.Replaced, a.Cut
	if r.Outcome == schema.OK {
		rows, replaced, cut = rows+r.Rows, replaced+r.Replaced, cut+r.Cut
	}
	requests, attempts := a.Requests+r.Requests, a.Attempts+r.Attempts
	asked, answered := min(a.AskedAt, r.AskedAt), max(a.AnsweredAt, r.AnsweredAt)
	if r.Generation > a.Generation {
		asked, answered = r.AskedAt, r.AnsweredAt
	}
	if compareDeciding(r, &a.Record) > 0 {
		a.Record = own(*r)
	}
	a.Rows, a.Replaced, a.Cut, a.Requests, a.Attempts, a.AskedAt, a.AnsweredAt = rows, replaced, cut, requests, attempts, asked, answered
}

// compareDeciding orders records of one key: the greatest decides. Beyond generation and outcome it
// only sees to it that the choice does not depend on the order of batches.
func compareDeciding(a, b *spool.Record) int {
	return cmp.Or(
		cmp.Compare(a.Generation, b.Generation),
		cmp.Compare(badness(a.Outcome), badness(b.Outcome)),
		cmp.Compare(b.Code, a.Code),
		cmp.Compare(b.Message, a.Message),
		cmp.Compare(verdictRank(a.Verdict), verdictRank(b.Verdict)),
		cmp.Compare(a.Declared, b.Declared),
	)
}

func badness(o schema.Outcome) int {
	switch o {
	case schema.OK:
		return 0
	case schema.Gone:
		return 1
	case schema.Unsupported:
		return 2
	case schema.Denied:
		return 3
	default:
		return 4
	}
}

// verdict is what an answer makes of the group or user that it is about.
func (a *answer) verdict() schema.Verdict {
	switch a.Outcome {
	case schema.OK:
		return a.Verdict
	case schema.Gone:
		return schema.VerdictGone
	case schema.Unsupported:
		return schema.VerdictUnsupported
	default:
		return schema.VerdictFailed
	}
}

// verdictRank orders verdicts from the best to the worst.
func verdictRank(v schema.Verdict) int {
	return slices.Index([]schema.Verdict{
		schema.Exact, schema.Unverifiable, schema.Drifted, schema.Short, schema.Over,
		schema.VerdictGone, schema.VerdictUnsupported, schema.VerdictFailed, schema.NotAsked,
	}, v)
}

// standing is what all blocks of one view know of one group or user.
type standing struct {
	asked    uint // the kinds of blocks that listed it, as bits
	read     uint // those of which some block read it whole
	roles    bool // no role block failed to answer about it, so that its role views may accuse
	declared int64
	verdict  schema.Verdict
	rows     int64
	best     [3]int // how good the block is whose word stands; smaller is better
}

// whole tells whether it was read whole by every kind of block that was asked about it. Two endpoints may
// list different groups of a user: what one of them leaves out, one that failed might have named.
func (s *standing) whole() bool { return s.asked != 0 && s.read == s.asked }

func unasked() standing { return standing{declared: -1, verdict: schema.NotAsked, roles: true} }

// hear takes one block's answer. The word of a block that gives the whole total outranks that of
// others, then the better verdict counts, then the lower block, which is heard first.
func (s *standing) hear(a *answer, b spool.Block, kind uint) {
	verdict := a.verdict()
	rank := [3]int{1, 0, verdictRank(verdict)}
	if a.Declared >= 0 && !b.Partial {
		rank[0] = 0
	}
	if b.Partial {
		rank[1] = 1
	}
	if s.asked == 0 || slices.Compare(rank[:], s.best[:]) < 0 {
		s.best, s.verdict, s.declared = rank, verdict, a.Declared
		if b.Partial {
			s.declared = -1 // a total of some roles says nothing
		}
	}
	s.asked |= kind
	if Whole(a.Record, b) {
		s.read |= kind
	}
	s.rows += a.Rows
}

// panel is several blocks of a source that are asked by the same kind of key, gone through together.
type panel []*answers

func openPanel(ctx context.Context, in Input, blocks []spool.Block, indexes []int) (panel, error) {
	var p panel
	var kinds []string
	for _, i := range indexes {
		a, err := openAnswers(ctx, in, blocks[i], i)
		if err != nil {
			p.close()
			return nil, err
		}
		kind, _, _ := strings.Cut(a.block.Address, ".")
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
		a.kind = 1 << slices.Index(kinds, kind)
		p = append(p, a)
	}
	return p, nil
}

// lowest gives the lower of key and the lowest key that a block stands at; has tells whether
// key counts.
func (p panel) lowest(key string, has bool) (string, bool) {
	for _, a := range p {
		if !a.done && (!has || a.answer.Key < key) {
			key, has = a.answer.Key, true
		}
	}
	return key, has
}

// stand takes what all blocks of the panel say about key and moves them past it. Asked tells
// whether any was asked, role blocks included, which say nothing else about a group.
func (p panel) stand(key string) (s standing, asked bool, err error) {
	s = unasked()
	for _, a := range p {
		if a.done || a.answer.Key != key {
			continue
		}
		asked = true
		if a.block.View != schema.RoleView {
			s.hear(&a.answer, a.block, a.kind)
		} else if a.answer.Outcome != schema.OK {
			s.roles = false
		}
		if err := a.next(); err != nil {
			return s, asked, err
		}
	}
	return s, asked, nil
}

func (p panel) close() error {
	var errs []error
	for _, a := range p {
		errs = append(errs, a.cursor.Close())
	}
	return errors.Join(errs...)
}
