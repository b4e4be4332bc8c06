// Package diff tells how two sealed snapshots differ, in either order of their dates.
//
// Of memberships it tells who joined, left and changed role by the rules of package changes: who is
// named no more without a view, read whole on both nights, that denies them is Unseen and has not
// left. Other tables are compared row by row, by their key. Differences come in the order of the
// table's key, one at a time; memory stays flat however large the snapshots are.
//
// A file that is not as its manifest says is *snapshot.DamagedError. Other errors are the sink's,
// the disk's or the context's.
package diff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"rollcall/pipeline/changes"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
)

// Options says what is compared.
type Options struct {
	Table       string // a name of [Tables]; empty: memberships
	Group, User string // only differences that are about these; empty: all
	Scratch     string // an existing folder for what doesn't fit in memory while sorting
}

// memory is what each of two sorters may hold, in bytes.
const memory = 32 << 20

// Tables lists the tables that can be compared.
func Tables() []string {
	return []string{"memberships", "groups", "users", "outcomes", "discrepancies"}
}

// Change is what became of one key.
type Change string

// The changes; those of memberships are told by package changes.
const (
	Joined      Change = "joined"
	Left        Change = "left"
	RoleChanged Change = "role_changed"
	Unseen      Change = "unseen" // a membership that is named no more and that nobody denies: not asked, or not read whole

	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"
)

// Difference is one row that differs.
type Difference struct {
	Key     map[string]string `json:"key"`
	Change  Change            `json:"change"`
	Certain bool              `json:"certain"` // of memberships: told by a group or user read whole on both nights; of other tables always
	Before  map[string]any    `json:"before,omitempty"`
	After   map[string]any    `json:"after,omitempty"`
}

// Summary counts differences.
type Summary struct {
	Table     string           `json:"table"`
	Changes   map[Change]int64 `json:"changes"`
	Uncertain int64            `json:"uncertain"`           // of all of these
	Groups    map[Change]int64 `json:"groups_by_change"`    // of memberships: groups with at least one of a change
	GroupRows GroupRows        `json:"groups"`              // of memberships, where they are not narrowed to a user
	Notes     []string         `json:"notes"`               // what could not be compared
	Columns   map[string]int64 `json:"columns_that_differ"` // of other tables: rows that changed, by column
}

// GroupRows counts groups that differ.
type GroupRows struct {
	New     int64 `json:"new"`     // asked about or named, and not in the first snapshot
	Gone    int64 `json:"gone"`    // there no more
	Verdict int64 `json:"verdict"` // with another verdict
}

// Any tells whether there is a difference.
func (s Summary) Any() bool {
	for _, n := range s.Changes {
		if n > 0 {
			return true
		}
	}
	return false
}

// Check says what is wrong with options.
func (o Options) Check() error {
	table := cmp.Or(o.Table, "memberships")
	if !slices.Contains(Tables(), table) {
		return &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("there is no table %q to compare", o.Table), Hint: "there are " + strings.Join(Tables(), ", ")}
	}
	if table == "users" && o.Group != "" || table == "groups" && o.User != "" {
		return &fault.Error{Kind: fault.Configuration, Message: "the table " + table + " can't be narrowed to that", Hint: "leave --group out of users, and --user out of groups"}
	}
	return nil
}

// Comparable is a fault where the IDs of two snapshots are no IDs of one kind: pseudonyms of two keys,
// or pseudonyms in one of them alone.
func Comparable(from, to *snapshot.Snapshot) error {
	why := pseudonym.Differ(from.Columns, to.Columns, "the snapshot of "+from.Date, "that of "+to.Date)
	if why == "" {
		return nil
	}
	return &fault.Error{Kind: fault.Configuration, Message: "the snapshots can't be compared: " + why, Hint: "compare snapshots that were sealed with one key; {} tells of each which it was",
		Commands: []advice.Command{advice.Rollcall("snapshots").With("json", "")}}
}

// Run compares from with to and tells each difference; an error of tell ends it.
func Run(ctx context.Context, from, to *snapshot.Snapshot, o Options, tell func(Difference) error) (Summary, error) {
	s := Summary{Table: cmp.Or(o.Table, "memberships"), Changes: map[Change]int64{}, Groups: map[Change]int64{}, Columns: map[string]int64{}, Notes: []string{}}
	if err := o.Check(); err != nil {
		return s, err
	}
	if err := Comparable(from, to); err != nil {
		return s, err
	}
	if s.Table == "memberships" {
		return s, s.memberships(ctx, from, to, o, tell)
	}
	for d, err := range rows(ctx, from, to, s.Table, o) {
		if err != nil {
			return s, err
		}
		s.Changes[d.Change]++
		for column := range d.After {
			if d.Change == Changed {
				s.Columns[column]++
			}
		}
		if err := tell(d); err != nil {
			return s, err
		}
	}
	return s, ctx.Err()
}

func (s *Summary) memberships(ctx context.Context, from, to *snapshot.Snapshot, o Options, tell func(Difference) error) error {
	c, err := changes.Between(ctx, from, to, changes.Only{Group: o.Group, User: o.User}, changes.Options{Scratch: o.Scratch, Memory: memory})
	if err != nil {
		return errors.Join(err, c.Close()) // what was opened until then is still to be closed
	}
	defer c.Close()
	s.Notes = append(s.Notes, c.Notes()...)
	if err := s.groups(ctx, from, to, o); err != nil {
		return err
	}
	last := map[Change][2]string{}
	for row, err := range c.Rows(ctx) {
		if err != nil {
			return err
		}
		d := membership(row)
		s.Changes[d.Change]++
		if !d.Certain {
			s.Uncertain++
		}
		if group := [2]string{row.Source, row.Group}; s.Groups[d.Change] == 0 || last[d.Change] != group {
			last[d.Change] = group
			s.Groups[d.Change]++
		}
		if err := tell(d); err != nil {
			return err
		}
	}
	return nil
}

// groups counts the groups that differ.
func (s *Summary) groups(ctx context.Context, from, to *snapshot.Snapshot, o Options) error {
	if o.User != "" {
		return nil
	}
	for d, err := range compare[schema.Group](ctx, from, to, o) {
		if err != nil {
			return err
		}
		switch _, verdict := d.After["verdict"]; {
		case d.Change == Added:
			s.GroupRows.New++
		case d.Change == Removed:
			s.GroupRows.Gone++
		case verdict:
			s.GroupRows.Verdict++
		}
	}
	return nil
}

func membership(row changes.Row) Difference {
	d := Difference{
		Key:    map[string]string{"source": row.Source, "group_id": row.Group, "user_id": row.User},
		Change: Change(row.Kind.String()), Certain: row.Certain,
	}
	if row.Kind != changes.Joined {
		d.Before = map[string]any{"role": word(row.Before)}
	}
	if row.Kind == changes.Joined || row.Kind == changes.RoleChanged {
		d.After = map[string]any{"role": word(row.After)}
	}
	return d
}

// word is a role as JSON has it: null where none is known.
func word(r schema.Role) any {
	if r == schema.NoRole {
		return nil
	}
	return r.String()
}

// rows compares one of the other tables.
func rows(ctx context.Context, from, to *snapshot.Snapshot, table string, o Options) iter.Seq2[Difference, error] {
	switch table {
	case "groups":
		return compare[schema.Group](ctx, from, to, o)
	case "users":
		return compare[schema.User](ctx, from, to, o)
	case "outcomes":
		return compare[schema.KeyOutcome](ctx, from, to, o)
	default:
		return compare[schema.Discrepancy](ctx, from, to, o)
	}
}
