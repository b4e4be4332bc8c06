package spool

import (
	"context"
	"errors"
	"slices"
)

// fanIn is how many runs of one level make one of the next. A night that is flushed every two
// seconds makes 43,200 runs: of these at most 15 of each of four levels live at a time, and a row
// is rewritten three times.
const fanIn = 16

// Settle waits until no merge of runs is under way or due and at most 64 runs are live. Call it
// before the final merge.
func (s *Spool) Settle(ctx context.Context) error {
	for {
		s.mu.Lock()
		if err := s.usable(); err != nil {
			s.mu.Unlock()
			return err
		}
		if !s.compacting {
			from, to := cheapest(s.runs)
			if from == to {
				s.mu.Unlock()
				return nil
			}
			s.compactRange(from, to)
		}
		if err := s.unlockAndWait(ctx); err != nil {
			return err
		}
	}
}

// compactIfDue starts a merge where enough runs have gathered. The caller holds s.mu.
func (s *Spool) compactIfDue() {
	if s.compacting || s.usable() != nil {
		return
	}
	if from, to := due(s.runs); from < to {
		s.compactRange(from, to)
	}
}

// due finds neighbours to merge: at least fanIn of one level, with what lower ones lie among them.
// Only neighbours can be merged, since a run's name is a range.
func due(runs []*run) (from, to int) {
	highest := 0
	for _, r := range runs {
		highest = max(highest, r.index.Level)
	}
	for level := 0; level <= highest; level++ {
		from, exact := 0, 0
		for i := 0; i <= len(runs); i++ {
			if i < len(runs) && runs[i].index.Level <= level {
				if runs[i].index.Level == level {
					exact++
				}
				continue
			}
			if exact >= fanIn {
				return from, min(i, from+maxRuns)
			}
			from, exact = i+1, 0
		}
	}
	return 0, 0
}

// cheapest finds the neighbours with the fewest bytes whose merge leaves maxRuns; none if there are no more.
func cheapest(runs []*run) (from, to int) {
	excess := len(runs) - maxRuns
	if excess <= 0 {
		return 0, 0
	}
	n := min(excess+1, maxRuns)
	least := int64(-1)
	for i := 0; i+n <= len(runs); i++ {
		var bytes int64
		for _, r := range runs[i : i+n] {
			bytes += r.size
		}
		if least < 0 || bytes < least {
			from, to, least = i, i+n, bytes
		}
	}
	return from, to
}

// compactRange merges runs[from:to] in the background; meanwhile runs are only appended. The
// caller holds s.mu.
func (s *Spool) compactRange(from, to int) {
	inputs := slices.Clone(s.runs[from:to])
	s.compacting = true
	retain(inputs)
	s.work.Go(func() {
		merged, err := s.compact(inputs)
		s.mu.Lock()
		if err == nil {
			s.runs = slices.Replace(s.runs, from, to, merged)
			for _, r := range inputs {
				r.dropped = true
			}
		}
		s.mu.Unlock()
		err = errors.Join(err, s.release(inputs))
		s.mu.Lock()
		defer s.mu.Unlock()
		s.compacting = false
		if err != nil {
			s.fail(err)
		} else {
			s.compactIfDue()
		}
		s.wake()
	})
}

// compact writes one run with all that inputs hold. Its name covers theirs, so from the moment it
// is there they count no more.
func (s *Spool) compact(inputs []*run) (*run, error) {
	level := 0
	for _, r := range inputs {
		level = max(level, r.index.Level+1)
	}
	w, err := s.newRun(inputs[0].first, inputs[len(inputs)-1].last, level)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.copyRows(w, inputs), s.copyRecords(w, inputs)); err != nil {
		w.abandon()
		return nil, err
	}
	return w.commit()
}

func (s *Spool) copyRows(w *runWriter, inputs []*run) error {
	s.hold(inputs)
	rows, err := s.openRows(s.life, inputs, s.scope(Filter{}))
	if err != nil {
		return err
	}
	for w.rows.err == nil && rows.Next() {
		w.row(rows.Row())
	}
	return errors.Join(w.rows.err, rows.Err(), rows.Close())
}

func (s *Spool) copyRecords(w *runWriter, inputs []*run) error {
	s.hold(inputs)
	records, err := s.openRecords(s.life, inputs, s.scope(Filter{}))
	if err != nil {
		return err
	}
	for w.records.err == nil && records.Next() {
		w.record(records.Record())
	}
	return errors.Join(w.records.err, records.Err(), records.Close())
}
