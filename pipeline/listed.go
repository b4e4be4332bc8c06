package pipeline

import (
	"context"
	"errors"
	"slices"

	"rollcall/pipeline/fetch"
	"rollcall/pipeline/job"
	"rollcall/pipeline/keys"
	"rollcall/pipeline/merge"
	"rollcall/schema"
	"rollcall/sinks/manifest"
	"rollcall/sources"
)

// describeLists tells of each ID list what the manifest says of it: its count and digest, its count in the
// base, and how many of its IDs were answered without a membership.
func (r *run) describeLists(ctx context.Context) (manifest.Lists, error) {
	lists := manifest.Lists{}
	for _, l := range r.Job.Lists {
		copied := r.night.Lists[l.Name]
		list := manifest.List{Name: l.Name, IDs: copied.Unique, SHA256: r.veil.Sum(copied.SHA256), Read: copied.Read, Keys: askedAs(r.Job, l.Name)}
		if r.compared.base != nil {
			if before, found := r.compared.base.Lists.Find(l.Name); found {
				list.Before = &before.IDs
			}
		}
		var err error
		if list.WithoutRows, err = r.withoutRows(ctx, l.Name, copied.Unique); err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	return lists, nil
}

// askedAs tells whether the IDs of a list are given to data blocks as groups, as users, or as both.
func askedAs(j *job.Job, list string) (as []string) {
	for _, of := range []struct {
		word  string
		input func(job.Data) job.Input
	}{
		{manifest.GroupKeys, func(d job.Data) job.Input { return d.Groups }},
		{manifest.UserKeys, func(d job.Data) job.Input { return d.Users }},
	} {
		if slices.ContainsFunc(j.Data, func(d job.Data) bool { return slices.Contains(of.input(d).Lists, list) }) {
			as = append(as, of.word)
		}
	}
	return as
}

// withoutRows counts the IDs of a list that every data block they were given to answered (ok or gone) without a
// row. It is nil where that is not known by ID: a role block answers for pairs, and vouches for both of its
// lists with a single member.
func (r *run) withoutRows(ctx context.Context, list string, ids int64) (_ *int64, err error) {
	in := spooled{r.spool, fetch.Blocks(r.Job)}
	var blocks []*merge.Outcomes
	memberless := false
	defer func() {
		for _, b := range blocks {
			err = errors.Join(err, b.Close())
		}
	}()
	for i, d := range r.Job.Data {
		switch {
		case !slices.Contains(d.Users.Lists, list) && !slices.Contains(d.Groups.Lists, list):
		case d.Kind.Key == sources.RoleKey:
			if memberless, err = withoutMembers(ctx, in, i); err != nil || !memberless {
				return nil, err
			}
		default:
			b, err := merge.OpenOutcomes(ctx, in, i)
			if err != nil {
				return nil, err
			}
			blocks = append(blocks, b)
		}
	}
	switch {
	case len(blocks) == 0 && memberless:
		return &ids, nil
	case len(blocks) == 0: // nothing asks it
		return nil, nil
	}
	return countEmpty(ctx, r.night.Keys(list), blocks)
}

// countEmpty counts the IDs of a key file that all blocks answered without a row.
func countEmpty(ctx context.Context, path string, blocks []*merge.Outcomes) (_ *int64, err error) {
	file, err := keys.Open(path)
	if err != nil {
		return nil, err
	}
	ids, err := file.Cursor()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ids.Close()) }()
	n := int64(0)
	for ids.Next() && ctx.Err() == nil {
		empty := int64(1)
		for _, b := range blocks {
			record, err := b.At(ids.ID())
			if err != nil {
				return nil, err
			}
			if record == nil || !answeredOrGone(record.Outcome) || record.Rows > 0 || record.Declared > 0 { // only may leave out all members that there are
				empty = 0
			}
		}
		n += empty
	}
	return &n, errors.Join(ids.Err(), ctx.Err())
}

// withoutMembers tells whether a role block was answered in full, and names no member at all.
func withoutMembers(ctx context.Context, in merge.Input, block int) (_ bool, err error) {
	rows, err := in.Rows(ctx, []int{block})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if row := rows.Row(); !row.NotMember && (row.Role != schema.NoRole || row.RoleRaw.Valid) {
			return false, nil
		}
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	groups, err := merge.OpenOutcomes(ctx, in, block)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, groups.Close()) }()
	for {
		record, err := groups.Next()
		if record == nil || err != nil {
			return err == nil, err
		}
		if !answeredOrGone(record.Outcome) {
			return false, nil
		}
	}
}

func answeredOrGone(o schema.Outcome) bool { return o == schema.OK || o == schema.Gone }
