package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/schema/spelling"
)

// Column is a column of a table that [ReadRows] gives.
type Column struct {
	Name     string
	Optional bool   // it may be absent, and its values null or empty
	Hint     string // what else helps where it is absent, with what parts it from another hint
}

// RowOptions says which table to read.
type RowOptions struct {
	Path      string // a file or folder, local or on s3://, or "-" for standard input
	Format    string // "csv", "ndjson" or "parquet"; empty: by the name of Path
	Delimiter rune   // of CSV; 0: a comma
	Columns   []Column

	Objects Objects   // reads s3:// paths
	Stdin   io.Reader // read where Path is "-"
	Temp    string    // folder for temporary files; it must exist
}

// ReadRows streams the rows of a table in their own order. There is a value for each of the columns
// asked for, in their order; that of an optional one is empty where there is none. Values are valid
// until yield returns; an error of yield ends the reading and comes back. Values keep the rules of
// IDs, but for blanks at their ends, and floats in a column of whole numbers are found at its end. What else is
// wrong with a table is a Configuration fault with its line, as in [Import].
func ReadRows(ctx context.Context, options RowOptions, yield func(line int, values [][]byte) error) error {
	t := &rowTable{columns: options.Columns, numbers: make([]numbers, len(options.Columns)), yield: yield}
	l := &list{ctx: ctx, delimiter: options.Delimiter, temp: filepath.Join(options.Temp, "rows.list"), disk: disk.Or(nil), rows: t}
	t.list = l
	err := l.readLocation(location{
		path: options.Path, objects: options.Objects, stdin: options.Stdin, hint: "give the path of a readable file, s3://bucket/key, or - for standard input",
	}, func(name string) (encoding, bool, error) { return formatOfRows(name, options.Format) })
	for i := 0; err == nil && i < len(t.numbers); i++ {
		err = t.numbers[i].check()
	}
	return err
}

// formatOfRows is the format that is named, else that of the path's name.
func formatOfRows(path, format string) (encoding, bool, error) {
	named := map[string]encoding{"csv": csvTable, "ndjson": ndjson, "parquet": parquetTable}
	as, packed, err := formatOf(path)
	if format != "" {
		as, known := named[format]
		if !known {
			return 0, false, &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("%q is no format of a table", format), Hint: "use csv, ndjson or parquet"}
		}
		return as, packed || strings.HasSuffix(strings.ToLower(path), ".gz"), nil
	}
	if err != nil || as == text {
		return 0, false, &fault.Error{
			Kind: fault.Configuration, Message: fmt.Sprintf("the format of %s is not known", title(path)),
			Hint: "name it .csv, .ndjson or .parquet, with .gz after that where it is compressed, or say which it is: --format csv",
		}
	}
	return as, packed, nil
}

// rowTable is what a list is read for when several of its columns are wanted.
type rowTable struct {
	*list
	columns []Column
	numbers []numbers // by column
	values  [][]byte
	yield   func(line int, values [][]byte) error
}

// find tells at which place each wanted column stands; -1 where an optional one is absent.
func (t *rowTable) find(line int, there []string) ([]int, error) {
	at := make([]int, len(t.columns))
	for i, c := range t.columns {
		at[i] = slices.Index(there, c.Name)
		if at[i] >= 0 && slices.Contains(there[at[i]+1:], c.Name) {
			return nil, t.twice(line, c.Name)
		}
		if at[i] >= 0 || c.Optional {
			continue
		}
		hint := fmt.Sprintf("name the column %s", c.Name)
		if d := t.likelyDelimiter(there, c.Name); t.format == csvTable && d != 0 {
			hint = t.delimiterHint(d)
		} else if near := spelling.Nearest(c.Name, there); near != "" {
			hint = fmt.Sprintf("is it %q? name it %s", near, c.Name)
		}
		return nil, t.fault(line, hint+c.Hint, "no column %q: %s", c.Name, thereAre(there))
	}
	t.values = make([][]byte, len(t.columns))
	return at, nil
}

// give checks the values of one row and hands them on.
func (t *rowTable) give(line int) error {
	for i, value := range t.values {
		if len(value) == 0 && t.columns[i].Optional {
			continue
		}
		if err := check(value); err != nil {
			return fault.Wrap(err, "%s:%d: column %s", t.name, line, t.columns[i].Name)
		}
		if t.format != ndjson && !t.columns[i].Optional {
			t.numbers[i].add(value, func() string { return fmt.Sprintf("%s:%d: column %s", t.name, line, t.columns[i].Name) })
		}
	}
	t.count++
	if t.count%4096 == 0 && t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	return t.yield(line, t.values)
}

// readCSV reads the wanted columns of a table.
func (t *rowTable) readCSV(input io.Reader) (err error) {
	var at []int
	head := func(table *csvTableReader, columns []string) error {
		at, err = t.find(table.line(0), columns)
		return err
	}
	return t.csvRows(input, head, func(table *csvTableReader, row []string) error {
		for i, place := range at {
			t.values[i] = t.values[i][:0]
			if place >= 0 {
				t.values[i] = append(t.values[i], row[place]...)
			}
		}
		return t.give(table.line(0))
	})
}

// readNDJSON reads one object a line.
func (t *rowTable) readNDJSON(input io.Reader) error {
	var reader bytes.Reader
	decoder := jsontext.NewDecoder(&reader)
	t.values = make([][]byte, len(t.columns))
	return t.lines(input, maxLine, func(line int, content []byte) error {
		if err := t.checkMark(line, content); err != nil {
			return err
		}
		reader.Reset(content)
		decoder.Reset(&reader)
		if err := t.object(line, decoder); err != nil {
			return err
		}
		return t.give(line)
	})
}

// object reads one object to its end and takes the wanted members.
func (t *rowTable) object(line int, decoder *jsontext.Decoder) error {
	notJSON := func(err error) error {
		return t.fault(line, "write one object a line, as {\"group_id\": \"g1\", \"user_id\": \"u1\"}", "not one whole JSON object: %v", err)
	}
	for i := range t.values {
		t.values[i] = t.values[i][:0]
	}
	var there []string
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '{' {
		return notJSON(cmpError(err, "the line holds something else"))
	}
	for decoder.PeekKind() == '"' {
		name, err := decoder.ReadToken()
		if err != nil {
			return notJSON(err)
		}
		there = append(there, name.String())
		value, err := decoder.ReadValue()
		if err != nil {
			return notJSON(err)
		}
		i := slices.IndexFunc(t.columns, func(c Column) bool { return c.Name == there[len(there)-1] })
		if i < 0 || value.Kind() == 'n' && t.columns[i].Optional {
			continue
		}
		if t.values[i], err = t.scalar(line, t.columns[i].Name, value, t.values[i]); err != nil {
			return err
		}
	}
	if _, err := decoder.ReadToken(); err != nil {
		return notJSON(err)
	}
	if _, err := decoder.ReadToken(); err != io.EOF {
		return notJSON(errors.New("something follows it"))
	}
	for _, c := range t.columns {
		if !c.Optional && !slices.Contains(there, c.Name) {
			return t.fault(line, fmt.Sprintf("name the member %s", c.Name)+c.Hint, "no column %q: %s", c.Name, thereAre(there))
		}
	}
	return nil
}

func cmpError(err error, otherwise string) error {
	if err != nil {
		return err
	}
	return errors.New(otherwise)
}

// readParquet reads the wanted columns of all rows.
func (t *rowTable) readParquet(file *parquet.File) error {
	columns := columnsOf(file)
	at, err := t.find(0, namesOf(columns))
	if err != nil {
		return err
	}
	wanted := map[int]wantedColumn{} // by the column of the file
	for i, place := range at {
		if place < 0 {
			continue
		}
		column := columns[place]
		if column.decode == nil {
			return t.noIDs(column)
		}
		wanted[column.index] = wantedColumn{i, column.decode}
	}
	line := 0
	for _, group := range file.RowGroups() {
		if line, err = t.readGroup(group, wanted, line); err != nil {
			return err
		}
	}
	return nil
}

// wantedColumn says which of the wanted columns one of a file is.
type wantedColumn struct {
	place  int
	decode decoder
}

// readGroup reads one row group, the first row of which is the one after row.
func (t *rowTable) readGroup(group parquet.RowGroup, wanted map[int]wantedColumn, row int) (int, error) {
	rows := group.Rows()
	defer rows.Close()
	batch := make([]parquet.Row, 256)
	for {
		n, err := rows.ReadRows(batch)
		for _, values := range batch[:n] {
			row++
			for i := range t.values {
				t.values[i] = t.values[i][:0]
			}
			for _, v := range values {
				if column, is := wanted[v.Column()]; is && !v.IsNull() {
					t.values[column.place] = column.decode(t.values[column.place], v)
				}
			}
			if err := t.give(row); err != nil {
				return row, err
			}
		}
		if err == io.EOF {
			return row, nil
		}
		if err != nil || n == 0 {
			return row, t.damagedParquet(cmpError(err, "a row group ends too early"))
		}
	}
}
