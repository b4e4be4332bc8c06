package plan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"time"

	"rollcall/pipeline/check"
	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
	"rollcall/sinks/parquet"
)

// base is the snapshot sealed last, with its ledger copied to files.
type base struct {
	manifest.Manifest
	files []string
}

// readBase finds the base and copies its ledger. A ledger that is gone or damaged costs the plan
// its figures and no more.
func (p *planner) readBase(ctx context.Context) error {
	history, err := manifest.ReadHistory(ctx, p.Sink)
	live := manifest.Live(history.Chain)
	p.findBefore(live)
	if err != nil || len(live) == 0 {
		return err
	}
	latest := live[len(live)-1]
	b := &base{Manifest: latest.Manifest}
	for _, f := range latest.Files {
		if f.Table != "outcomes" {
			continue
		}
		target := filepath.Join(p.Temp, fmt.Sprintf("outcomes-%05d.parquet", len(b.files)))
		err := copyTo(ctx, p.Sink, f.Path, target)
		if errors.Is(err, fs.ErrNotExist) {
			p.Notes = append(p.Notes, "the figures of "+latest.Date+" were not used: "+f.Path+" is not there")
			return nil
		}
		if errors.Is(err, sinks.ErrArchived) {
			p.Notes = append(p.Notes, "the figures of "+latest.Date+" were not used: "+f.Path+" is archived")
			return nil
		}
		if err != nil {
			return fault.Wrap(err, "%s", p.Sink.URL(f.Path))
		}
		b.files = append(b.files, target)
	}
	p.base, p.Base = b, latest.Date
	return nil
}

// findBefore finds the snapshot with which a run would compare its lists: the nearest earlier date. It need not be
// the one sealed last.
func (p *planner) findBefore(live []manifest.Sealed) {
	for _, m := range live {
		if m.Date < p.Plan.Date && m.Date > p.ListsBase {
			p.before, p.ListsBase = &m.Manifest, m.Date
		}
	}
}

// compareLists holds the lists against those of the snapshot before, and warns where a check would keep a run from
// sealing.
func (p *planner) compareLists() {
	var lists manifest.Lists
	for i := range p.Plan.Lists {
		list := &p.Plan.Lists[i]
		if p.before != nil {
			if before, found := p.before.Lists.Find(list.Name); found {
				list.Before = &before.IDs
			}
		}
		lists = append(lists, manifest.List{Name: list.Name, IDs: list.IDs, Before: list.Before})
	}
	for _, c := range p.Job.Checks {
		if c.Kind != job.ListShrunk {
			continue
		}
		for _, found := range check.Refused(check.Look([]job.Check{c}, nil, manifest.Manifest{Lists: lists}, p.before)) {
			p.Warnings = append(p.Warnings, Warning{
				Text:   fmt.Sprintf("%s: the check %s would keep a run from sealing", found.Measured, found.Name),
				Levers: []string{"look for what cut the list", "where it is right, give the run --accept " + found.Name},
			})
		}
	}
}

// figures are what the endpoint of a data block was asked.
func (b *base) figures(source, name string) (manifest.Figures, bool) {
	if b == nil {
		return manifest.Figures{}, false
	}
	f, ok := b.Requests[source][name]
	return f, ok && f.Requests > 0
}

// retries is the part of a data block's requests that only repeated others.
func (b *base) retries(d job.Data) float64 {
	f, ok := b.figures(d.Source, d.Kind.Name)
	if !ok {
		return 0
	}
	return min(0.9, float64(f.Retries)/float64(f.Requests))
}

// listed is how many IDs the longest of a data block's lists had.
func (b *base) listed(d job.Data) (longest int64) {
	if b == nil {
		return 0
	}
	for _, name := range slices.Concat(d.Users.Lists, d.Groups.Lists) {
		list, _ := b.Lists.Find(name)
		longest = max(longest, list.IDs)
	}
	return longest
}

// latency is what answers of an endpoint took; false where it is only assumed.
func (b *base) latency(source, name string) (time.Duration, bool) {
	f, ok := b.figures(source, name)
	if !ok || f.LatencyMS <= 0 {
		return guess, false
	}
	return time.Duration(f.LatencyMS * float64(time.Millisecond)), true
}

// ledger walks the base's outcomes in their order, which is that of the job's data blocks.
type ledger struct {
	row  *schema.KeyOutcome // nil at the end
	err  error
	pull func() (*schema.KeyOutcome, error, bool)
	stop func()
}

func (b *base) ledger() *ledger {
	l := &ledger{stop: func() {}, pull: func() (*schema.KeyOutcome, error, bool) { return nil, nil, false }}
	if b != nil {
		l.pull, l.stop = iter.Pull2(b.outcomes())
	}
	l.next()
	return l
}

func (b *base) outcomes() iter.Seq2[*schema.KeyOutcome, error] {
	return func(yield func(*schema.KeyOutcome, error) bool) {
		for _, file := range b.files {
			for row, err := range parquet.ReadFile[schema.KeyOutcome](file) {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

func (l *ledger) next() {
	row, err, ok := l.pull()
	if !ok || err != nil {
		l.row, l.err = nil, err
		return
	}
	l.row = row
}

// of streams the rows of one data block. Blocks must be asked for in the ledger's order.
func (l *ledger) of(d job.Data) *stream[schema.KeyOutcome] {
	for l.row != nil && (l.row.Source < d.Source || l.row.Source == d.Source && l.row.Data < d.Address) {
		l.next()
	}
	return newStream(func() (string, schema.KeyOutcome, bool, error) {
		if l.row == nil || l.row.Source != d.Source || l.row.Data != d.Address {
			return "", schema.KeyOutcome{}, false, l.err
		}
		row := *l.row
		l.next()
		return row.Key, row, true, nil
	})
}
