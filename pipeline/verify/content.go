package verify

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"rollcall/schema"
	"rollcall/sinks/manifest"
	"rollcall/sinks/parquet"
)

// content reads the chosen files of one snapshot and holds its tables against each other.
func (v *verifier) content(ctx context.Context, n *node) error {
	c := &content{verifier: v, snapshot: n, lacking: map[string]bool{}}
	if err := c.sums(ctx); err != nil {
		return err
	}
	return c.err
}

// content is one snapshot while it is read.
type content struct {
	*verifier
	snapshot *node
	lacking  map[string]bool // tables that were not read to the end, or not in order
	err      error           // what kept a file from being read
}

// primary is the primary key of a row; places beyond the table's key are empty.
type primary [4]string

func (k primary) compare(other primary) int { return slices.Compare(k[:], other[:]) }

// texts are the values of a key of so many columns.
func (k primary) texts(columns int) []string { return k[:columns] }

// reading says how to read one table.
type reading[Row any] struct {
	key   func(*Row) primary
	judge func(*Row) (column, value string, ok bool) // the first value that its column can't have
}

// rows goes through the chosen files of a table. What is wrong with a file is found on the way. The
// row is valid until the next one.
func rows[Row any](ctx context.Context, c *content, r reading[Row]) iter.Seq[*Row] {
	table := schema.TableOf[Row]()
	return func(yield func(*Row) bool) {
		s := &scan[Row]{content: c, reading: r, table: table, yield: yield}
		for _, f := range c.snapshot.Files {
			if f.Table != table.Name {
				continue
			}
			if !c.chosen[f.Path] {
				c.lacking[table.Name] = true
				continue
			}
			if !s.file(ctx, f) {
				return
			}
		}
	}
}

// scan is the reading of one table.
type scan[Row any] struct {
	*content
	reading[Row]
	table schema.Table
	yield func(*Row) bool

	last  primary // of the newest row
	begun bool
}

// file reads one file, and tells whether to go on.
func (s *scan[Row]) file(ctx context.Context, f manifest.File) bool {
	file, whole, err := s.fetch(ctx, s.snapshot.Date, f)
	if err != nil {
		s.err = err
		return false
	}
	if file == nil {
		s.lacking[s.table.Name] = true
		return true
	}
	defer func() {
		if err := file.close(); err != nil && s.err == nil {
			s.err = full(err)
		}
	}()
	if !whole {
		s.lacking[s.table.Name] = true
		return true
	}
	footer, err := parquet.ReadFooter[Row](file, file.size)
	if err != nil {
		s.damaged(f, err)
		return true
	}
	for _, deviation := range footer.Deviates {
		s.found.add(Schema, f.Path, "%s", deviation)
	}
	return s.rowsOf(ctx, f, file)
}

// damaged takes a file that can't be read to the end. Where its bytes are not the sealed ones, that
// has been told.
func (s *scan[Row]) damaged(f manifest.File, err error) {
	s.lacking[s.table.Name] = true
	s.found.add(Unreadable, f.Path, "%v", err)
}

// rowsOf reads the rows of one file, and tells whether to go on.
func (s *scan[Row]) rowsOf(ctx context.Context, f manifest.File, file *fetched) bool {
	read, columns := int64(0), len(s.table.Key())
	for row, err := range parquet.Read[Row](file, file.size) {
		if err != nil {
			s.damaged(f, err)
			return true
		}
		if read%1024 == 0 && ctx.Err() != nil {
			s.err = ctx.Err()
			return false
		}
		key := s.key(row)
		if read == 0 && f.Rows > 0 && !slices.Equal(key.texts(columns), f.MinKey) {
			s.found.add(Figures, f.Path, "its first key is %.200q, and its manifest says %.200q", key.texts(columns), f.MinKey)
		}
		s.order(f, key, columns)
		if column, value, ok := s.judge(row); !ok {
			s.found.add(Values, f.Path, "row %.200q has the %s %.60q", key.texts(columns), column, value)
		}
		read++
		s.last, s.begun = key, true
		s.report.Rows++
		if !s.yield(row) {
			return false
		}
	}
	if read != f.Rows {
		s.found.add(Figures, f.Path, "it has %s, and its manifest says %d", plural(read, "row"), f.Rows)
	}
	if read > 0 && f.Rows > 0 && !slices.Equal(s.last.texts(columns), f.MaxKey) {
		s.found.add(Figures, f.Path, "its last key is %.200q, and its manifest says %.200q", s.last.texts(columns), f.MaxKey)
	}
	return true
}

// order holds a row's key against that of the row before it.
func (s *scan[Row]) order(f manifest.File, key primary, columns int) {
	if !s.begun {
		return
	}
	switch c := s.last.compare(key); {
	case c == 0:
		s.found.add(Duplicate, f.Path, "the key %.200q stands there twice", key.texts(columns))
	case c > 0:
		s.lacking[s.table.Name] = true
		s.found.add(Unsorted, f.Path, "%.200q comes after %.200q", key.texts(columns), s.last.texts(columns))
	}
}

// cursor stands at one row of a table.
type cursor[Row any] struct {
	next func() (*Row, bool)
	stop func()
	row  *Row // nil at the end
}

func open[Row any](ctx context.Context, c *content, r reading[Row]) *cursor[Row] {
	next, stop := iter.Pull(rows(ctx, c, r))
	o := &cursor[Row]{next: next, stop: stop}
	o.advance()
	return o
}

func (c *cursor[Row]) advance() { c.row, _ = c.next() }

// one tells whether value is one of words.
func one[Word ~string](column, value string, words ...Word) (string, string, bool) {
	return column, value, slices.Contains(words, Word(value))
}

func verdicts() (words []string) {
	for _, t := range schema.Verdicts() {
		words = append(words, t.Word)
	}
	return words
}

func outcomes() (words []string) {
	for _, t := range schema.Outcomes() {
		words = append(words, t.Word)
	}
	return words
}

func memberships() reading[schema.Membership] {
	return reading[schema.Membership]{
		key: func(m *schema.Membership) primary { return primary{m.Source, m.GroupID, m.UserID} },
		judge: func(m *schema.Membership) (string, string, bool) {
			if m.Role == nil {
				return "", "", true
			}
			_, ok := schema.ParseRole(*m.Role)
			return "role", *m.Role, ok
		},
	}
}

func groups() reading[schema.Group] {
	words := verdicts()
	return reading[schema.Group]{
		key:   groupKey,
		judge: func(g *schema.Group) (string, string, bool) { return one("verdict", g.Verdict, words...) },
	}
}

func groupKey(g *schema.Group) primary { return primary{g.Source, g.GroupID} }

func users() reading[schema.User] {
	words := verdicts()
	return reading[schema.User]{
		key:   func(u *schema.User) primary { return primary{u.Source, u.UserID} },
		judge: func(u *schema.User) (string, string, bool) { return one("verdict", u.Verdict, words...) },
	}
}

func ledger() reading[schema.KeyOutcome] {
	words := outcomes()
	return reading[schema.KeyOutcome]{
		key:   func(o *schema.KeyOutcome) primary { return primary{o.Source, o.Data, o.Key} },
		judge: func(o *schema.KeyOutcome) (string, string, bool) { return one("outcome", o.Outcome, words...) },
	}
}

func discrepancies() reading[schema.Discrepancy] {
	return reading[schema.Discrepancy]{
		key: func(d *schema.Discrepancy) primary { return primary{d.Source, d.GroupID, d.UserID, d.Kind} },
		judge: func(d *schema.Discrepancy) (string, string, bool) {
			return one("kind", d.Kind, "user_view_only", "group_view_only", "not_member", "role_conflict")
		},
	}
}

func changes() reading[schema.Change] {
	return reading[schema.Change]{
		key: changeKey,
		judge: func(c *schema.Change) (string, string, bool) {
			return one("change", c.Change, "joined", "left", "role_changed")
		},
	}
}

func changeKey(c *schema.Change) primary { return primary{c.Source, c.GroupID, c.UserID} }

func sources() reading[schema.SourceFigures] {
	return reading[schema.SourceFigures]{
		key:   func(s *schema.SourceFigures) primary { return primary{s.Source} },
		judge: func(*schema.SourceFigures) (string, string, bool) { return "", "", true },
	}
}

// words is a map of counts as a text: "exact 3, short 1".
func words(counts map[string]int64) string {
	text := ""
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		if counts[word] != 0 {
			text += fmt.Sprintf(", %s %d", word, counts[word])
		}
	}
	if text == "" {
		return "none"
	}
	return text[2:]
}
