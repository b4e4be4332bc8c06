package merge

import (
	"cmp"
	"context"
	"slices"

	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// ledgerValues is what the pointers of one ledger row point to.
type ledgerValues struct {
	declared      int64
	code, message string
}

// outcomes writes the ledger and counts it.
func (m *merger) outcomes(ctx context.Context) error {
	order := make([]int, len(m.blocks))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := m.blocks[i], m.blocks[j]
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Address, b.Address))
	})
	for _, i := range order {
		if err := m.blockOutcomes(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) blockOutcomes(ctx context.Context, index int) error {
	block := m.blocks[index]
	counts := map[schema.Outcome]int64{}
	m.summary.Outcomes[block.Address] = counts
	a, err := openAnswers(ctx, m.in, block, index)
	if err != nil {
		return err
	}
	defer a.cursor.Close()
	for ; !a.done; err = a.next() {
		if err != nil {
			return err
		}
		if err := m.outcome(block.Source, block.Address, &a.answer); err != nil {
			return err
		}
		counts[a.answer.Outcome]++
	}
	return err
}

func (m *merger) outcome(source, address string, a *answer) error {
	row, values, err := m.ledger.next()
	if err != nil {
		return err
	}
	row.Source, row.Data, row.Key, row.Outcome = source, address, a.Key, string(a.Outcome)
	row.Rows, row.Requests, row.Attempts = a.Rows, a.Requests, a.Attempts
	row.Declared = pointNumber(a.Declared, &values.declared)
	row.VendorCode = point(schema.Text{Value: a.Code, Valid: a.Code != ""}, &values.code)
	row.Message = point(schema.Text{Value: a.Message, Valid: a.Message != ""}, &values.message)
	row.AskedAt, row.AnsweredAt = a.AskedAt, a.AnsweredAt
	m.summary.Asked++
	m.summary.Requests += a.Requests
	m.summary.Replaced += a.Replaced
	m.summary.Cut += a.Cut
	if a.Outcome.Missing() {
		m.summary.Missing++
	}
	return nil
}

// Outcomes goes through what became of the keys of one data block, in ascending order of the keys.
type Outcomes struct {
	answers *answers
	begun   bool
}

// OpenOutcomes stands before the first key. Block is an index into the input's blocks.
func OpenOutcomes(ctx context.Context, in Input, block int) (*Outcomes, error) {
	a, err := openAnswers(ctx, in, in.Blocks()[block], block)
	return &Outcomes{answers: a}, err
}

// Next goes to the next key and gives its record: the outcome that stands, with the rows of the whole key. It is
// nil at the end, and valid until the next call.
func (o *Outcomes) Next() (*spool.Record, error) {
	if o.begun {
		if err := o.answers.next(); err != nil {
			return nil, err
		}
	}
	o.begun = true
	if o.answers.done {
		return nil, nil
	}
	return &o.answers.answer.Record, nil
}

// At gives the record of one key, nil where it was not asked. Keys must be sought in ascending order.
func (o *Outcomes) At(key string) (*spool.Record, error) {
	for !o.begun || !o.answers.done && o.answers.answer.Key < key {
		if _, err := o.Next(); err != nil {
			return nil, err
		}
	}
	if o.answers.done || o.answers.answer.Key != key {
		return nil, nil
	}
	return &o.answers.answer.Record, nil
}

// Close ends reading.
func (o *Outcomes) Close() error { return o.answers.cursor.Close() }

// pointNumber gives a pointer to a total, put into place; nil where there is none.
func pointNumber(n int64, place *int64) *int64 {
	if n < 0 {
		return nil
	}
	*place = n
	return place
}
