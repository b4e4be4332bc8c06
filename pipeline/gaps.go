package pipeline

import (
	"cmp"
	"context"
	"slices"

	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// Gap is one reason for which keys of one data block have no rows: how many, and one of them in full.
type Gap struct {
	Data    string
	Outcome schema.Outcome
	Code    string // the vendor's
	Keys    int64
	Key     string // the first of them
	Message string // of that key
}

// ledger counts what became of every key, the last generation of each deciding.
type ledger struct {
	asked, missing int64
	gaps           []Gap  // of every outcome but ok, missing ones first, then the largest
	from, until    int64  // when the vendors were asked, microseconds since 1970 UTC; 0: nothing was asked
	answered       []bool // by block: a request of it has come to an outcome
}

func readLedger(ctx context.Context, s *spool.Spool, blocks []spool.Block) (ledger, error) {
	records, err := s.Records(ctx, spool.Filter{})
	if err != nil {
		return ledger{}, err
	}
	defer records.Close()
	l, gaps := ledger{answered: make([]bool, len(blocks))}, map[Gap]*Gap{}
	for more := records.Next(); more; {
		worst := *records.Record()
		for {
			r := records.Record()
			l.from = cmp.Or(min(l.from, r.AskedAt), r.AskedAt)
			l.until = max(l.until, r.AnsweredAt)
			l.answered[r.Block] = l.answered[r.Block] || r.Requests > 0
			if r.Generation > worst.Generation || rank(r.Outcome) > rank(worst.Outcome) {
				worst = *r
			}
			more = records.Next()
			if !more || records.Record().Block != worst.Block || records.Record().Key != worst.Key {
				break
			}
		}
		l.count(worst, blocks, gaps)
	}
	for _, gap := range gaps {
		l.gaps = append(l.gaps, *gap)
	}
	slices.SortFunc(l.gaps, func(a, b Gap) int {
		return cmp.Or(-cmp.Compare(rank(a.Outcome), rank(b.Outcome)), -cmp.Compare(a.Keys, b.Keys), cmp.Compare(a.Data, b.Data), cmp.Compare(a.Code, b.Code))
	})
	return l, records.Err()
}

func (l *ledger) count(r spool.Record, blocks []spool.Block, gaps map[Gap]*Gap) {
	l.asked++
	if r.Outcome.Missing() {
		l.missing++
	}
	if r.Outcome == schema.OK {
		return
	}
	name := Gap{Data: blocks[r.Block].Address, Outcome: r.Outcome, Code: r.Code}
	if gaps[name] == nil {
		gaps[name] = &Gap{Data: name.Data, Outcome: r.Outcome, Code: r.Code, Key: r.Key, Message: r.Message}
	}
	gaps[name].Keys++
}

// hide makes of what the gaps show what may be shown.
func (l *ledger) hide(v *pseudonym.Veil, blocks []spool.Block) {
	for i := range l.gaps {
		g := &l.gaps[i]
		at := slices.IndexFunc(blocks, func(b spool.Block) bool { return b.Address == g.Data })
		g.Key, g.Code = v.Key(blocks[at].View, g.Key), v.Code(g.Code)
		g.Message = v.Message(g.Outcome, g.Code, g.Message)
	}
}

// rank orders outcomes by how bad they are.
func rank(o schema.Outcome) int {
	return slices.Index([]schema.Outcome{schema.OK, schema.Unsupported, schema.Gone, schema.Denied, schema.Failed}, o)
}
