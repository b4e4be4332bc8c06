package pipeline

import (
	"context"
	"errors"
	"strings"

	"rollcall/pipeline/changes"
	"rollcall/pipeline/event"
	"rollcall/pipeline/fetch"
	"rollcall/pipeline/job"
	"rollcall/pipeline/merge"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// compareMemory is what each of two sorters of a comparison may hold, in bytes. Only pairs that
// differ are sorted: a quiet night needs none of it.
const compareMemory = 16 << 20

// compared is what the changes table was made of.
type compared struct {
	base   *snapshot.Snapshot // the nearest earlier sealed date; nil: there is none
	unread bool               // the base could not be read, or not be compared with: the table is empty
	notes  []string
	counts changes.Counts

	uncovered *int64 // memberships of the base that nobody asked about; nil: not known
}

// comparison opens the base of the night: the nearest earlier date that is sealed as the merge
// begins. The sink's lock is held, so that no other run seals or replaces it until this one is
// done; a run that is resumed looks anew, and its manifest names the base that it found.
func (r *run) comparison(ctx context.Context, in merge.Input) (*changes.Comparison, error) {
	r.compared = compared{}
	base, err := snapshot.Before(ctx, r.sink, r.date)
	if errors.Is(err, sinks.ErrArchived) {
		r.compared.unread, r.compared.notes = true, []string{"the snapshot before this one is archived"}
		orLeave := fault.AdviceOf(err).Then("; or leave it: the next run compares with this one")
		r.notice("the table changes stays empty: "+err.Error(), orLeave.Text, orLeave.Commands...)
		return nil, nil
	}
	if err != nil || base == nil {
		return nil, err
	}
	r.compared.base = base
	if why := pseudonym.Differ(base.Columns, r.veil.Columns(), "the snapshot of "+base.Date, "this one"); why != "" {
		r.compared.unread, r.compared.notes = true, []string{why}
		r.notice("the table changes stays empty: "+why, "the next night compares with this one again, if it keeps the same key")
		return nil, nil
	}
	return changes.New(ctx, base.Proven(r.night.Parts(), r.Disk), changes.Night{Input: in, Accounts: accounts(r.Job)}, changes.Options{Scratch: r.night.Parts(), Memory: compareMemory, Disk: r.Disk})
}

// accounts tells whom each source asks.
func accounts(j *job.Job) map[string]changes.Account {
	all := map[string]changes.Account{}
	for _, s := range j.Sources {
		all[s.Address] = changes.Account{Type: s.Definition.Type, AppID: s.Config.Account().AppID}
	}
	return all
}

// mergeCompared merges with the base at its side, and then writes what changed.
func (r *run) mergeCompared(ctx context.Context, in merge.Input, out merge.Output, options merge.Options, changed merge.Writer[schema.Change]) (summary merge.Summary, err error) {
	c, err := r.comparison(ctx, in)
	if c == nil || err != nil {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
		if err != nil {
			return merge.Summary{}, err
		}
		return merge.Run(ctx, in, out, options)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	options.Witness = c
	if summary, err = merge.Run(ctx, in, out, options); err != nil {
		return summary, err
	}
	r.compared.notes = c.Notes()
	if damage := c.Damage(); damage != nil {
		r.compared.unread, r.compared.notes = true, []string{damage.Error()}
		todo := advice.Say("{} tells what else is wrong with that snapshot", advice.Rollcall("verify", r.compared.base.Date))
		if errors.Is(damage, sinks.ErrArchived) {
			todo = fault.AdviceOf(damage).Then("; or leave it: the next run compares with this one")
		}
		r.notice("the table changes stays empty: "+damage.Error(), todo.Text, todo.Commands...)
		return summary, nil
	}
	if n, known := c.Uncovered(); known {
		r.compared.uncovered = &n
	}
	for _, note := range r.compared.notes {
		r.Listen(event.Notice{Warning: true, Text: note})
	}
	r.compared.counts, err = c.Write(ctx, changed)
	return summary, err
}

// describe writes into m what the table changes was made of, and what the next night has to know
// of this one.
func (c compared) describe(m *manifest.Manifest, j *job.Job) {
	m.Changes = map[string]int64{"joined": c.counts.Joined, "left": c.counts.Left, "role_changed": c.counts.RoleChanged}
	m.ChangesUncertain = c.counts.Uncertain
	m.ChangesNote = strings.Join(c.notes, "; ")
	m.Uncovered = c.uncovered
	if c.base != nil && !c.unread {
		m.ChangesBase, m.ChangesBaseSum = &c.base.Date, &c.base.Sum
	}
	m.Data = map[string]manifest.Data{}
	for i, b := range fetch.Blocks(j) {
		d := manifest.Data{Source: b.Source, View: viewWord(b.View), Only: []string{}, Topics: j.Data[i].Topics, Blind: b.Blind}
		for _, role := range j.Data[i].Only {
			d.Only = append(d.Only, role.String())
		}
		m.Data[b.Address] = d
	}
}

func viewWord(v schema.View) string { return [...]string{"user", "group", "role"}[v] }
