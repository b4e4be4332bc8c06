package plan

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rollcall/pipeline"
	"rollcall/pipeline/job"
	"rollcall/pipeline/keys"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// count counts every block's keys, and lays them beside the base's and what was answered before.
func (p *planner) count(ctx context.Context, found *pending) error {
	lists, err := p.importLists(ctx, found)
	if err != nil {
		return err
	}
	ledger := p.base.ledger()
	defer ledger.stop()
	for _, b := range p.blocks {
		if err := p.countBlock(ctx, b, ledger, lists, found); err != nil {
			return fault.Wrap(err, "%s", b.data.Address)
		}
		p.Answered += b.answered
	}
	return ledger.err
}

func (p *planner) countBlock(ctx context.Context, b *block, l *ledger, lists keyFiles, found *pending) error {
	w := walk{block: b, base: l.of(b.data), named: nothing[pairs]()}
	answers, closeAnswers, err := found.answers(ctx, b.index)
	if err != nil {
		return err
	}
	w.answers = answers
	closeNamed := func() error { return nil }
	of := b.naming()
	if len(of) > 0 {
		if w.named, closeNamed, err = found.groups(ctx, b.index, of); err != nil {
			return errors.Join(err, closeAnswers())
		}
	}
	given, err := lists.union(b.given().Lists)
	if err != nil {
		return errors.Join(err, closeAnswers(), closeNamed())
	}
	w.given = newStream(func() (string, struct{}, bool, error) {
		ok := given.Next()
		return given.ID(), struct{}{}, ok, given.Err()
	})
	if b.product() {
		b.users, err = lists.count(b.data.Users.Lists)
	}
	w.run(ctx)
	return errors.Join(err, w.err(ctx), given.Close(), closeAnswers(), closeNamed())
}

// given are the lists and blocks whose keys the block walks.
func (b *block) given() job.Input {
	switch b.data.Kind.Key {
	case sources.UserKey:
		return b.data.Users
	default:
		return b.data.Groups
	}
}

// naming are the blocks whose rows in the spool tell more than the ledger and the records do:
// which groups were discovered, and which pairs were named and asked.
func (b *block) naming() (of []int) {
	switch {
	case b.data.Kind.Key == sources.UserKey:
		return nil
	case b.data.Kind.Key == sources.RoleKey:
		of = append(of, b.index)
	}
	if b.product() {
		return of
	}
	for _, up := range b.upstream {
		of = append(of, up.index)
	}
	return of
}

// walk goes through the keys of one block from four sides at once, all in ascending order.
type walk struct {
	*block
	given   *stream[struct{}]
	base    *stream[schema.KeyOutcome]
	named   *stream[pairs]
	answers *stream[answer]
}

func (w *walk) run(ctx context.Context) {
	for ctx.Err() == nil {
		key, there := w.given.lower("", false)
		key, there = w.base.lower(key, there)
		key, there = w.named.lower(key, there)
		key, there = w.answers.lower(key, there)
		if !there {
			return
		}
		_, given := w.given.at(key)
		then, before := w.base.at(key)
		named, _ := w.named.at(key)
		now, asked := w.answers.at(key)
		if asked {
			w.tonight.add(now.requests, now.rows)
		}
		if before {
			then.Requests = w.again(key, then)
			w.before.add(then.Requests, then.Rows)
		}
		if given {
			w.givenKeys++
		}
		if w.data.Kind.Key == sources.RoleKey {
			w.meetGroup(then, before, named)
			continue
		}
		w.meet(given, then, before, named, now.whole)
	}
}

func (w *walk) err(ctx context.Context) error {
	return errors.Join(ctx.Err(), w.given.err, w.base.err, w.named.err, w.answers.err)
}

// keyFiles are the lists as key files.
type keyFiles map[string]*keys.List

// importLists makes key files of the lists, or takes those that a stopped run made.
func (p *planner) importLists(ctx context.Context, found *pending) (keyFiles, error) {
	files := keyFiles{}
	for i, list := range p.Job.Lists {
		path := filepath.Join(p.Temp, "list-"+strconv.Itoa(i)+".keys")
		copied := false
		if found.night != nil {
			if _, copied = found.night.Lists[list.Name]; copied {
				path = found.night.Keys(list.Name)
			}
		}
		if !copied {
			if read, err := p.importList(ctx, list, path); err != nil {
				return nil, err
			} else if !read {
				continue
			}
		}
		file, err := keys.Open(path)
		if err != nil {
			return nil, fault.Wrap(err, "ids.%s", list.Name)
		}
		files[list.Name] = file
		p.Plan.Lists = append(p.Plan.Lists, List{Name: list.Name, IDs: file.Len()})
	}
	return files, nil
}

// importList makes the key file of one list. One in a bucket that can't be read leaves the blocks that it
// belongs to without an upper bound: the rest is planned before its error ends the plan.
func (p *planner) importList(ctx context.Context, list job.List, path string) (read bool, err error) {
	_, err = pipeline.ImportList(ctx, p.Job, list, path, p.Stdin, nil, p.Warn)
	if err == nil || ctx.Err() != nil || !strings.HasPrefix(list.Path, "s3://") {
		return err == nil, err
	}
	p.Unread = append(p.Unread, Unread{What: "ids." + list.Name, Reason: err.Error(), Hint: fault.HintOf(err)})
	p.Notes = append(p.Notes, "ids."+list.Name+" could not be read: what asks about its IDs is counted without them")
	p.unlisted = cmp.Or(p.unlisted, err)
	for _, b := range p.blocks {
		in := slices.Concat(b.data.Users.Lists, b.data.Groups.Lists)
		b.unlisted = b.unlisted || slices.Contains(in, list.Name)
	}
	return false, nil
}

func (k keyFiles) union(names []string) (*keys.Cursor, error) {
	var lists []*keys.List
	for _, name := range names {
		if k[name] != nil { // else it could not be read
			lists = append(lists, k[name])
		}
	}
	return keys.Union(lists...)
}

func (k keyFiles) count(names []string) (n int64, err error) {
	cursor, err := k.union(names)
	if err != nil {
		return 0, err
	}
	for cursor.Next() {
		n++
	}
	return n, errors.Join(cursor.Err(), cursor.Close())
}
