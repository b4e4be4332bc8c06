package plan

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/fetch"
	"rollcall/pipeline/spool"
	"rollcall/pipeline/state"
)

// pending is what an earlier run left: the state folder, held, and the night in it. Both may be nil.
type pending struct {
	folder *state.Folder
	night  *state.Night
	spool  *spool.Spool
}

// openState takes the state folder if there is one, and chooses the date as a run would.
func (p *planner) openState() (*pending, error) {
	found := &pending{}
	if _, err := os.Stat(p.State); err == nil {
		folder, err := state.Open(state.Options{Path: p.State, Random: p.Random, Holder: p.Holder, Look: p.Look})
		held := &state.HeldError{}
		switch {
		case errors.As(err, &held):
			p.Running = true
			p.Notes = append(p.Notes, "a run is at work in "+p.State+" and a second one would end at once (exit code 6): this plan counts everything anew")
		case err != nil:
			return nil, err
		default:
			found.folder = folder
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p.Plan.Date = p.Request.Date
	if p.Plan.Date == "" {
		nights, err := state.Nights(p.State)
		if err != nil {
			return nil, errors.Join(err, found.close())
		}
		p.Plan.Date = cmp.Or(state.Pending(nights, p.StartsAt), p.StartsAt.UTC().Format(time.DateOnly))
	}
	return found, nil
}

// takeUp opens what the stopped run of the plan's date left, if there is any.
func (f *pending) takeUp(p *planner) error {
	if f.folder == nil {
		return nil
	}
	nights, err := f.folder.Nights()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(nights, func(n state.Night) bool { return n.Date == p.Plan.Date })
	if i < 0 {
		return nil
	}
	night := nights[i]
	if err := pipeline.Fits(night, p.Job); err != nil {
		return err
	}
	f.night, p.Resumed = &night, true
	f.spool, err = spool.Open(spool.Options{Dir: night.Spool(), Blocks: fetch.Blocks(p.Job)})
	return err
}

func (f *pending) close() error {
	var errs []error
	if f.spool != nil {
		errs = append(errs, f.spool.Close())
	}
	if f.folder != nil {
		errs = append(errs, f.folder.Close())
	}
	return errors.Join(errs...)
}

// answer is what a key of the spool came to.
type answer struct {
	whole          bool // it need not be asked again
	requests, rows int64
}

// answers streams the keys of one block that were asked.
func (f *pending) answers(ctx context.Context, block int) (*stream[answer], func() error, error) {
	if f.spool == nil {
		return nothing[answer](), func() error { return nil }, nil
	}
	records, err := f.spool.Records(ctx, spool.Filter{Blocks: func(b int) bool { return b == block }})
	if err != nil {
		return nil, nil, err
	}
	more := records.Next()
	return newStream(func() (string, answer, bool, error) {
		if !more {
			return "", answer{}, false, records.Err()
		}
		key, a := strings.Clone(records.Record().Key), answer{}
		for ; more && records.Record().Key == key; more = records.Next() {
			r := records.Record()
			a.whole = !r.Outcome.Missing()
			a.requests += r.Requests
			a.rows += r.Rows
		}
		return key, a, true, nil
	}), records.Close, nil
}

// pairs are the users of one group: those that other blocks named and nobody asked about, and
// those that were asked.
type pairs struct{ waiting, asked int64 }

// groups streams the groups that the spool's rows of some blocks name, with their pairs as the
// block asker sees them.
func (f *pending) groups(ctx context.Context, asker int, of []int) (*stream[pairs], func() error, error) {
	if f.spool == nil {
		return nothing[pairs](), func() error { return nil }, nil
	}
	rows, err := f.spool.Rows(ctx, spool.Filter{Blocks: func(b int) bool { return slices.Contains(of, b) }})
	if err != nil {
		return nil, nil, err
	}
	more := rows.Next()
	return newStream(func() (string, pairs, bool, error) {
		if !more {
			return "", pairs{}, false, rows.Err()
		}
		group, n := strings.Clone(rows.Row().Group), pairs{}
		for more && rows.Row().Group == group {
			user, asked := strings.Clone(rows.Row().User), false
			for ; more && rows.Row().Group == group && rows.Row().User == user; more = rows.Next() {
				asked = asked || rows.Row().Block == asker
			}
			if asked {
				n.asked++
			} else {
				n.waiting++
			}
		}
		return group, n, true, nil
	}), rows.Close, nil
}
