package reconcile

import (
	"context"
	"errors"

	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/sorted"
	"rollcall/schema"
)

// reach says how a record came to be held against a source.
type reach byte

const (
	ofSource reach = iota // it is of that source alone
	several               // more than one source knows its group
	nowhere               // no source does
)

// record is one of the application's.
type record struct {
	pair
	role     string
	contrary string // other roles that the records give the pair
	reach    reach
	other    *record // the one of the same pair that doesn't say that it is of this source, where there is one; not sorted
}

// says takes in what another record says of the same pair. One that names no role says nothing.
func (r *record) says(role string) {
	switch {
	case role == "" || role == r.role:
	case r.role == "":
		r.role = role
	case r.contrary == "" || r.contrary == role:
		r.contrary = role
	default:
		r.contrary += " and " + role
	}
}

// appendValue writes all but the pair. What is of the source comes first among equal pairs.
func (r *record) appendValue(dst []byte) []byte {
	return sorted.AppendString(sorted.AppendString(append(dst, byte(r.reach)), r.role), r.contrary)
}

func (r *record) cutValue(value []byte) (rest []byte, err error) {
	if len(value) == 0 {
		return nil, errors.New("a record that was sorted is cut short")
	}
	r.reach, rest = reach(value[0]), value[1:]
	for _, place := range []*string{&r.role, &r.contrary} {
		var text []byte
		if text, rest, err = sorted.CutString(rest); err != nil {
			return nil, err
		}
		*place = string(text)
	}
	return rest, nil
}

func cutRecord(cursor *sorted.Cursor) (r record, err error) {
	if r.pair, err = cutPair(cursor.Key()); err != nil {
		return r, err
	}
	_, err = r.cutValue(cursor.Value())
	return r, err
}

// place finds the sources of records that don't name theirs.
func (r *reconciler) place(ctx context.Context) error {
	if !r.anywhere {
		return nil
	}
	knowing, err := r.knowing(ctx)
	if err != nil {
		return err
	}
	defer knowing.cursor.Close()
	cursor, err := r.unplaced.Sort()
	if err != nil {
		return err
	}
	defer cursor.Close()
	all := records{cursor: cursor, more: cursor.Next()}
	var key, value []byte
	for all.next(); all.ok; all.next() {
		record := all.at
		sources, err := knowing.of(record.group)
		if err != nil {
			return err
		}
		switch len(sources) {
		case 0:
			sources, record.reach = r.known, nowhere
		case 1:
		default:
			record.reach = several
		}
		value = record.appendValue(value[:0])
		for _, source := range sources {
			key = sorted.AppendString(sorted.AppendString(sorted.AppendString(key[:0], source), record.group), record.user)
			if err := r.records.Add(key, value); err != nil {
				return err
			}
		}
	}
	r.summary.Duplicates = all.duplicates
	return errors.Join(all.err, cursor.Err())
}

// knowing tells which sources know a group; it is asked in the order of the groups.
type knowing struct {
	cursor  *sorted.Cursor // (group, source)
	more    bool
	group   string
	asked   bool
	sources []string // that know it, in their order
}

func (r *reconciler) knowing(ctx context.Context) (*knowing, error) {
	groups := sorted.New(r.Scratch, r.Memory)
	groups.Check = ctx.Err
	defer groups.Close() // harmless once they are sorted: the cursor has what is left
	var key []byte
	for group, err := range snapshot.Rows[schema.Group](ctx, r.snapshot) {
		if err != nil {
			return nil, err
		}
		key = sorted.AppendString(sorted.AppendString(key[:0], group.GroupID), group.Source)
		if err := groups.Add(key, nil); err != nil {
			return nil, err
		}
	}
	cursor, err := groups.Sort()
	if err != nil {
		return nil, err
	}
	return &knowing{cursor: cursor, more: cursor.Next()}, nil
}

func (k *knowing) of(group string) ([]string, error) {
	if k.asked && k.group == group {
		return k.sources, nil
	}
	k.group, k.asked, k.sources = group, true, k.sources[:0]
	for ; k.more; k.more = k.cursor.Next() {
		name, rest, err := sorted.CutString(k.cursor.Key())
		if err != nil {
			return nil, err
		}
		if string(name) > group {
			break
		}
		if string(name) < group {
			continue
		}
		source, _, err := sorted.CutString(rest)
		if err != nil {
			return nil, err
		}
		k.sources = append(k.sources, string(source))
	}
	return k.sources, k.cursor.Err()
}
