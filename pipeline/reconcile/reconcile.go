// Package reconcile holds an application's own membership records against a sealed snapshot.
//
// [Run] reads the records from a table of any size, sorts them on disk, and goes through them and the
// snapshot side by side, so that memory stays flat. A record that the snapshot lacks is called missing
// at the vendor only where something that was read whole says so: the group's own list, the user's
// own list, or the vendor's word that the group or user is gone. Everything else that can't be told is
// told as such, with the reason. A membership that the records lack is unknown to the application,
// whoever named it.
//
// A record that does not say of which source it is belongs to the source that knows its group. Where
// several know it, or none, it is held against each of them and told once: a source that has the pair
// answers before one that lacks it, and one that can't tell before one that denies it. Two records of a
// pair with different roles agree where one source has the one role and another the other.
//
// What is wrong with the records (columns, IDs, roles, sources) is a Configuration fault that names
// the line. Other errors are those of the sink and the disk.
package reconcile

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"rollcall/pipeline/keys"
	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/sorted"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/schema/spelling"
)

// Kind says how a record and the snapshot differ. The names are published and don't change.
type Kind string

// The kinds. Only CantTell is no difference.
const (
	MissingAtVendor      Kind = "missing_at_vendor"
	UnknownToApplication Kind = "unknown_to_application"
	RoleDiffers          Kind = "role_differs"
	Contradiction        Kind = "contradiction" // the records name the pair twice, with different roles
	CantTell             Kind = "cant_tell"
)

// Kinds lists them in the order in which people are told of them.
func Kinds() []Kind {
	return []Kind{MissingAtVendor, UnknownToApplication, RoleDiffers, Contradiction, CantTell}
}

// Options says what to hold against what.
type Options struct {
	Records keys.RowOptions // its Columns are set by Run
	Source  string          // of all records; empty: their column source, or the one that knows the group

	// ColumnNames gives what the records call one of the columns group_id, user_id, role and source; one that is
	// not named has that name itself.
	ColumnNames map[string]string
	// Roles gives what a word in the column of roles means, in lower case: owner, admin, member, or empty for a
	// role that is not compared.
	Roles map[string]string

	// OnlyListedGroups leaves out memberships of groups that the records don't name.
	OnlyListedGroups bool
	// Blind tells whether users' own lists of a source may leave this group out although they are
	// read whole; known tells whether the snapshot knows the group. Nil: never.
	Blind func(source, group string, known bool) bool
	// Hash gives an ID of the records as the snapshot has it, where that has pseudonyms; nil: as it is.
	Hash func(column, id string) string

	Scratch string           // an existing folder
	Memory  int              // bytes of each of at most five sorts at a time; 0 means 48 MiB
	Listen  func(rows int64) // told how many records and memberships have been read; may be nil
}

// Difference is one record or membership that does not agree, or about which nothing can be told.
type Difference struct {
	Source       *string `json:"source" parquet:"source,dict"` // nil: no source knows the group
	GroupID      string  `json:"group_id" parquet:"group_id,dict"`
	UserID       string  `json:"user_id" parquet:"user_id,plain"`
	Kind         Kind    `json:"kind" parquet:"kind,dict"`
	ExpectedRole *string `json:"expected_role" parquet:"expected_role,dict"`
	VendorRole   *string `json:"vendor_role" parquet:"vendor_role,dict"` // in the vendor's own word where it is none of ours
	Why          string  `json:"why" parquet:"why,dict"`
}

// Summary counts what was found.
type Summary struct {
	Date        string         `json:"date"`
	Late        bool           `json:"backdated"` // the vendors were asked after the date was over in UTC
	Place       string         `json:"place"`
	Sources     []string       `json:"sources"`       // that were compared
	NotCompared []string       `json:"not_compared"`  // sources of the snapshot that no record names
	Read        int64          `json:"records_read"`  // rows of the file
	Pairs       int64          `json:"records"`       // that were compared, each pair once
	Duplicates  int64          `json:"duplicates"`    // records that say what another says
	Others      int64          `json:"other_sources"` // records of sources that were not asked for
	Memberships int64          `json:"memberships"`   // of the snapshot that were compared
	Unlisted    int64          `json:"unlisted"`      // memberships left out, of groups that no record names
	Agree       int64          `json:"agree"`
	Spellings   Spellings      `json:"spellings"`
	Counts      map[Kind]int64 `json:"differences"`
}

// Differs tells whether anything differs; what can't be told does not.
func (s Summary) Differs() bool {
	for kind, n := range s.Counts {
		if kind != CantTell && n > 0 {
			return true
		}
	}
	return false
}

// Run compares, and gives every difference to yield, by source, group and user. An error of yield
// ends the comparison and comes back.
func Run(ctx context.Context, s *snapshot.Snapshot, options Options, yield func(*Difference) error) (Summary, error) {
	if options.Memory <= 0 {
		options.Memory = 48 << 20
	}
	scratch, err := os.MkdirTemp(options.Scratch, "rollcall-reconcile-*")
	if err != nil {
		return Summary{}, fault.Wrap(err, "make a folder to sort records in")
	}
	defer os.RemoveAll(scratch)
	options.Scratch, options.Records.Temp = scratch, scratch
	r := &reconciler{
		Options: options, snapshot: s,
		records: sorted.New(scratch, options.Memory), unplaced: sorted.New(scratch, options.Memory), questions: sorted.New(scratch, options.Memory),
		claims: sorted.New(scratch, options.Memory), results: sorted.New(scratch, options.Memory), spellings: sorted.New(scratch, options.Memory),
		summary: Summary{Date: s.Date, Late: s.AskedLate(), Place: s.Sink.String(), Sources: []string{}, NotCompared: []string{}, Counts: map[Kind]int64{}},
	}
	for _, sorter := range []*sorted.Sorter{r.records, r.unplaced, r.questions, r.claims, r.results, r.spellings} {
		sorter.Check = ctx.Err
		defer sorter.Close()
	}
	for _, step := range []func(context.Context) error{r.sources, r.read, r.place, r.compare, r.ask, r.settle, r.respell} {
		if err := step(ctx); err != nil {
			return Summary{}, err
		}
	}
	return r.summary, r.tell(yield)
}

// reconciler is one comparison.
type reconciler struct {
	Options
	snapshot *snapshot.Snapshot
	records  *sorted.Sorter // (source, group, user) with the role that is expected
	unplaced *sorted.Sorter // the same, of records that don't name their source, which is empty
	// questions are pairs that the user's own list must decide: (source, user, group).
	questions *sorted.Sorter
	claims    *sorted.Sorter // what each source says of records that are held against several
	results   *sorted.Sorter // differences, as they are told
	spellings *sorted.Sorter // pairs that one side lacks: (spelling, group, user)
	summary   Summary
	known     []string // sources of the snapshot
	anywhere  bool     // there are records that don't name their source
	rows      int64
}

// sources lists those of the snapshot.
func (r *reconciler) sources(ctx context.Context) error {
	for row, err := range snapshot.Rows[schema.SourceFigures](ctx, r.snapshot) {
		if err != nil {
			return err
		}
		r.known = append(r.known, row.Source)
	}
	if r.Source == "" || slices.Contains(r.known, r.Source) {
		return nil
	}
	return r.unknownSource("", r.Source)
}

func (r *reconciler) unknownSource(place, source string) error {
	hint := fmt.Sprintf("the snapshot of %s has %s", r.snapshot.Date, strings.Join(r.known, ", "))
	if near := spelling.Nearest(source, r.known); near != "" {
		hint = fmt.Sprintf("did you mean %q? ", near) + hint
	}
	return &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("%sthe snapshot of %s has no source %q", place, r.snapshot.Date, source), Hint: hint}
}

// read sorts the records.
func (r *reconciler) read(ctx context.Context) error {
	r.Records.Columns = r.columns()
	seen, filled := map[string]bool{}, make([]bool, len(r.Records.Columns))
	var key, value []byte
	err := keys.ReadRows(ctx, r.Records, func(line int, values [][]byte) error {
		r.tick()
		r.summary.Read++
		for i, value := range values {
			filled[i] = filled[i] || len(value) > 0
		}
		place := fmt.Sprintf("%s:%d: ", r.file(), line)
		source, compared, err := r.sourceOf(place, string(values[3]))
		if err != nil || !compared {
			return err
		}
		seen[source] = true
		role, err := r.role(place, string(values[2]))
		if err != nil {
			return err
		}
		key = sorted.AppendString(sorted.AppendString(sorted.AppendString(key[:0], source), r.id("group_id", values[0])), r.id("user_id", values[1]))
		expected := record{role: role}
		value = expected.appendValue(value[:0])
		if source == "" {
			return r.unplaced.Add(key, value)
		}
		return r.records.Add(key, value)
	})
	if err != nil {
		return err
	}
	if r.summary.Read == 0 {
		return &fault.Error{Kind: fault.Configuration, Message: r.file() + " has no records", Hint: "an empty file would make every membership unknown to the application; check what writes it"}
	}
	for i, c := range r.Records.Columns {
		if !filled[i] && c.Name != Columns()[i] { // a misspelt name would compare nothing, and say nothing
			return &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("%s has nothing in the column %q", r.file(), c.Name), Hint: fmt.Sprintf("check the name in --columns %s=%s", Columns()[i], c.Name)}
		}
	}
	if len(r.Roles) > 0 && !filled[2] {
		return &fault.Error{Kind: fault.Configuration, Message: r.file() + " has no roles to compare", Hint: "leave --role out, or say which column has them: --columns role=NAME"}
	}
	r.anywhere = seen[""]
	for _, source := range r.known {
		if r.anywhere || seen[source] || source == r.Source {
			r.summary.Sources = append(r.summary.Sources, source)
		} else {
			r.summary.NotCompared = append(r.summary.NotCompared, source)
		}
	}
	return nil
}

// Columns are the names of the columns of records, as they are without [Options.ColumnNames].
func Columns() []string { return []string{"group_id", "user_id", "role", "source"} }

func (r *reconciler) columns() []keys.Column {
	var all []keys.Column
	for i, name := range Columns() {
		c := keys.Column{Name: name, Optional: i > 1, Hint: fmt.Sprintf("; or say which column it is: --columns %s=NAME", name)}
		if other := r.ColumnNames[name]; other != "" {
			c.Name = other
		}
		all = append(all, c)
	}
	return all
}

// role is what a word in the column of roles means; empty where it is not compared.
func (r *reconciler) role(place, word string) (string, error) {
	role := strings.ToLower(word)
	if meant, given := r.Roles[role]; given {
		return meant, nil
	}
	if _, ok := schema.ParseRole(role); role != "" && !ok {
		return "", &fault.Error{
			Kind: fault.Configuration, Message: fmt.Sprintf("%sthe role %.40q is not known", place, word),
			Hint: "say which one it is, as in --role Manager=admin (owner, admin or member), or --role Guest= where it is not to be compared",
		}
	}
	return role, nil
}

// id is an ID of the records as the snapshot has it.
func (r *reconciler) id(column string, value []byte) string {
	if r.Hash == nil {
		return string(value)
	}
	return r.Hash(column, string(value))
}

func (r *reconciler) file() string {
	if r.Records.Path == "-" {
		return "standard input"
	}
	return r.Records.Path
}

// sourceOf is the source of a record, empty where it doesn't say, and whether it is compared at all.
func (r *reconciler) sourceOf(place, source string) (of string, compared bool, err error) {
	switch {
	case source == "" && r.Source != "":
		return r.Source, true, nil
	case source == "" && len(r.known) == 1:
		return r.known[0], true, nil
	case source == "":
		return "", true, nil
	case !slices.Contains(r.known, source):
		return "", false, r.unknownSource(place, source)
	case r.Source != "" && source != r.Source:
		r.summary.Others++
		return "", false, nil
	default:
		return source, true, nil
	}
}

// tick tells now and then how much has been read.
func (r *reconciler) tick() {
	r.rows++
	if r.Listen != nil && r.rows%4096 == 0 {
		r.Listen(r.rows)
	}
}
