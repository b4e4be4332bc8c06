package changes

import (
	"context"
	"iter"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/sorted"
	"rollcall/schema"
	"rollcall/schema/fault"
)

// Row is one difference.
type Row struct {
	Source, Group, User string
	Kind                Kind
	Before, After       schema.Role
	Certain             bool
}

// Rows goes through all that was found, in the order of the table's key. It can be read once, and
// gives nothing where the base is damaged.
func (c *Comparison) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if c.damage != nil {
			return
		}
		cursor, err := c.rows.Sort()
		if err != nil {
			yield(Row{}, fault.Wrap(err, "sort changes by group"))
			return
		}
		defer cursor.Close()
		var row Row
		for cursor.Next() {
			if err := ctx.Err(); err != nil {
				yield(Row{}, err)
				return
			}
			if err := row.read(cursor.Key(), cursor.Value()); err != nil {
				yield(Row{}, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(Row{}, fault.Wrap(err, "sort changes by group"))
		}
	}
}

// read unpacks a sorted record. Texts that are those of the row before are kept.
func (r *Row) read(key, value []byte) error {
	for _, text := range []*string{&r.Source, &r.Group, &r.User} {
		part, rest, err := sorted.CutString(key)
		if err != nil {
			return err
		}
		if key = rest; string(part) != *text {
			*text = string(part)
		}
	}
	r.Kind, r.Before, r.After, r.Certain = Kind(value[0]), schema.Role(value[1]), schema.Role(value[2]), value[3]&certain != 0
	return nil
}

// Counts is how many rows of each kind there are.
type Counts struct {
	Joined, Left, RoleChanged int64
	Uncertain                 int64 // of all of these
}

// Write writes the table.
func (c *Comparison) Write(ctx context.Context, out merge.Writer[schema.Change]) (Counts, error) {
	var counts Counts
	var words [schema.Member + 1]*string
	for _, role := range []schema.Role{schema.Owner, schema.Admin, schema.Member} {
		word := role.String()
		words[role] = &word
	}
	batch := make([]schema.Change, 0, 4096)
	for row, err := range c.Rows(ctx) {
		if err != nil {
			return counts, err
		}
		if len(batch) == cap(batch) {
			if err := out.Write(batch); err != nil {
				return counts, err
			}
			batch = batch[:0]
		}
		batch = append(batch, schema.Change{
			Source: row.Source, GroupID: row.Group, UserID: row.User, Change: row.Kind.String(),
			RoleBefore: words[row.Before], RoleAfter: words[row.After], Certain: row.Certain,
		})
		counts.add(row)
	}
	return counts, out.Write(batch)
}

func (c *Counts) add(row Row) {
	switch row.Kind {
	case Joined:
		c.Joined++
	case Left:
		c.Left++
	case RoleChanged:
		c.RoleChanged++
	}
	if !row.Certain {
		c.Uncertain++
	}
}
