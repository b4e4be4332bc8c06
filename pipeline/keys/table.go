package keys

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/schema/fault"
)

// readCSV reads one column of a table.
func (l *list) readCSV(input io.Reader) error {
	at, header := 0, ""
	head := func(table *csvTableReader, columns []string) (err error) {
		if err := l.checkDelimiter(table.line(0), columns); err != nil {
			return err
		}
		if l.noHeader {
			if len(columns) > 1 {
				return l.fault(table.line(0), "leave all columns but one out, or give the file a header and name the column", "there are %d columns, and no header says which one holds the IDs", len(columns))
			}
			return l.give(table.line(0), []byte(columns[0]))
		}
		if at, err = l.pick(table.line(0), columns); err != nil {
			return err
		}
		header = columns[at]
		return l.sameHeader(table.line(0), header)
	}
	err := l.csvRows(input, head, func(table *csvTableReader, row []string) error {
		l.tellHeader(header, row[at])
		return l.give(table.line(at), []byte(row[at]))
	})
	if err == nil && header != "" {
		l.tellHeader(header, "")
	}
	return err
}

// sameHeader holds the headers of the files of a folder against each other, where no column is named: where
// they differ, the first lines are IDs.
func (l *list) sameHeader(line int, header string) error {
	if l.header == "" {
		l.header = header
	}
	if l.column != "" || l.header == header {
		return nil
	}
	return l.fault(line, "where the files have no header, say so: header = false; where they have, name the column: column = …",
		"the first line is %q, and another file of the folder begins with %q", header, l.header)
}

// tellHeader says, where no column is named, what was taken for its name: without a header, an ID is lost.
func (l *list) tellHeader(header, below string) {
	if l.column != "" || l.noHeader || l.headerTold || l.warn == nil {
		return
	}
	l.headerTold = true
	if alike(header, below) {
		l.warn(fmt.Sprintf("%s: the first line, %q, looks like an ID and is taken for the name of the column: it is not asked", l.name, header),
			"where the file has no header, say so: header = false; where it is one, name it: column = …")
		return
	}
	l.warn(fmt.Sprintf("%s: the first line, %q, is taken for the name of the column", l.name, header),
		fmt.Sprintf("name it, column = %q, and this is not told again; where the file has no header, say so: header = false", header))
}

// tellLikelyHeader warns of a list of lines that begins like a table: its header is asked as an ID.
func (l *list) tellLikelyHeader(first string) {
	switch {
	case l.warn == nil || l.headerTold:
		return
	case first == l.column || isHeaderName(first):
		l.warn(fmt.Sprintf("%s: the first line, %q, looks like a header and is taken for an ID: a list of lines has none", l.name, first),
			"where it is a header, take it out, or name the file .csv")
	case l.column != "":
		l.warn(fmt.Sprintf("%s: column = %q has no effect: a list of lines has no columns", l.name, l.column),
			"take column out, or name the file .csv")
	default:
		return
	}
	l.headerTold = true
}

// isHeaderName tells whether a column of IDs is often called so.
func isHeaderName(name string) bool {
	switch strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name)) {
	case "id", "ids", "uid", "gid", "userid", "userids", "groupid", "groupids", "memberid", "memberaccount":
		return true
	}
	return false
}

// csvTableReader is a table while it is read.
type csvTableReader struct {
	*csv.Reader
	skipped int // lines before the first row
}

// line is the line of a field of the row read last.
func (t *csvTableReader) line(field int) int {
	line, _ := t.FieldPos(field)
	return line + t.skipped
}

// csvRows reads a table, the first row of which head is given. Rows have as many fields as the first and
// are valid until the next one. An empty input has none.
func (l *list) csvRows(input io.Reader, head, each func(table *csvTableReader, row []string) error) error {
	unmarked, skipped, err := l.csvBegin(input)
	if err != nil {
		return err
	}
	guard := &rowGuard{list: l, from: unmarked}
	table := &csvTableReader{csv.NewReader(guard), skipped}
	table.Comma = l.comma()
	table.ReuseRecord = true
	take := func(table *csvTableReader, row []string) error { return head(table, slices.Clone(row)) }
	for {
		guard.since = 0
		row, err := table.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return l.csvFault(err, skipped)
		}
		if strings.HasPrefix(row[0], markText) {
			return fault.Wrap(checkEnds([]byte(row[0])), "%s:%d", l.name, table.line(0))
		}
		if err := take(table, row); err != nil {
			return err
		}
		take = each
	}
}

// csvBegin skips what may stand before a table: the byte order mark, which may stand before a quote, and
// the line by which Excel is told of the delimiter, where that is the one to read by.
func (l *list) csvBegin(input io.Reader) (rest io.Reader, skipped int, err error) {
	buffered := bufio.NewReader(input)
	if mark, _ := buffered.Peek(len(markText)); string(mark) == markText {
		_, _ = buffered.Discard(len(mark)) // it is there
	}
	head, _ := buffered.Peek(len("sep=\u2026\r\n"))
	line, _, ended := strings.Cut(string(head), "\n")
	named := strings.TrimSuffix(line, "\r")
	if !ended || len(named) <= len("sep=") || !strings.EqualFold(named[:len("sep=")], "sep=") {
		return buffered, 0, nil
	}
	delimiter, _ := utf8.DecodeRuneInString(named[len("sep="):])
	if delimiter != l.comma() {
		return nil, 0, l.fault(1, l.delimiterHint(delimiter), "the first line, %q, is Excel's and says that %s divides the columns", named, delimiterName(delimiter))
	}
	_, _ = buffered.Discard(len(line) + 1)
	return buffered, 1, nil
}

func (l *list) comma() rune { return cmp.Or(l.delimiter, ',') }

// checkDelimiter refuses a table that seems to have one column because it was cut at the wrong places.
// A column that is named as it stands there is meant.
func (l *list) checkDelimiter(line int, columns []string) error {
	if len(columns) > 1 || columns[0] == l.column {
		return nil
	}
	switch {
	case strings.Contains(columns[0], "\r"):
		return l.fault(line, "save the list with line breaks as Unix (LF) or Windows (CR LF) have them", "the lines end in CR alone, and are taken for one: %.80q", columns[0])
	case l.column == "" && strings.ContainsRune(columns[0], l.comma()):
		return l.fault(line, "take the quotes around whole rows out; where it belongs to the name or to the ID, name the column as it is or give the list as .ndjson",
			"the row %.80q is in quotes as a whole, and one column", columns[0])
	}
	d := l.likelyDelimiter(columns, l.column)
	if d == 0 || l.column != "" { // that there is no such column is told first
		return nil
	}
	return l.fault(line, l.delimiterHint(d)+"; where it belongs to the name or to the ID, name the column as it is or give the list as .ndjson",
		"there is one column, %.80q, which seems to be several with %s between them", columns[0], delimiterName(d))
}

// likelyDelimiter is what probably divides the columns of a header that was cut otherwise, so that one
// of them is the one wanted; 0 where nothing does.
func (l *list) likelyDelimiter(columns []string, wanted string) (likely rune) {
	header, most := strings.Join(columns, string(l.comma())), 0
	for _, d := range ",;\t|" {
		if d == l.comma() {
			continue
		}
		n := strings.Count(header, string(d))
		if len(columns) > 1 && !slices.Contains(strings.Split(header, string(d)), wanted) {
			continue
		}
		if n > most {
			likely, most = d, n
		}
	}
	return likely
}

// delimiterName is a delimiter as messages write it.
func delimiterName(d rune) string {
	if d == '\t' {
		return "TAB"
	}
	return strconv.Quote(string(d))
}

// delimiterHint says how to name the delimiter.
func (l *list) delimiterHint(d rune) string {
	if l.rows != nil {
		return "name what divides the columns: --delimiter '" + strings.Trim(strconv.Quote(string(d)), `"`) + "'"
	}
	return "name what divides the columns: delimiter = " + strconv.Quote(string(d))
}

func (l *list) csvFault(err error, skipped int) error {
	cause, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err
	}
	return l.fault(cause.StartLine+skipped, "write the list again as CSV: fields divided by commas, or by what delimiter names, quotes doubled inside quotes", "not a row of the table: %v", cause.Err)
}

// rowGuard ends the reading of a row that doesn't end, as after a quote that is never closed.
type rowGuard struct {
	list  *list
	from  io.Reader
	since int // bytes read since the last whole row
}

func (g *rowGuard) Read(p []byte) (int, error) {
	if g.since > maxLine {
		return 0, g.list.fault(0, "look for a quote that is not closed", "a row of more than %d bytes", maxLine)
	}
	n, err := g.from.Read(p)
	g.since += n
	return n, err
}

// readNDJSON reads one object a line.
func (l *list) readNDJSON(input io.Reader) error {
	var reader bytes.Reader
	decoder := jsontext.NewDecoder(&reader)
	var id []byte
	return l.lines(input, maxLine, func(line int, content []byte) error {
		if err := l.checkMark(line, content); err != nil {
			return err
		}
		reader.Reset(content)
		decoder.Reset(&reader)
		var err error
		if id, err = l.member(line, decoder, id[:0]); err != nil {
			return err
		}
		return l.give(line, id)
	})
}

// checkMark refuses a byte order mark before a line that is not the first.
func (l *list) checkMark(line int, content []byte) error {
	if bytes.HasPrefix(content, []byte(markText)) {
		return l.fault(line, "files were put together: leave out the marks of all but the first", "the line begins with a byte order mark")
	}
	return nil
}

// member reads one object to its end and appends the ID in it to id.
func (l *list) member(line int, decoder *jsontext.Decoder, id []byte) ([]byte, error) {
	notJSON := func(err error) error {
		return l.fault(line, "write one object a line, as {\"id\": \"u1\"}", "not one whole JSON object: %v", err)
	}
	if decoder.PeekKind() != '{' {
		_, err := decoder.ReadToken()
		if err == nil {
			err = errors.New("the line holds something else")
		}
		return nil, notJSON(err)
	}
	decoder.ReadToken()
	var columns []string
	found := false
	for decoder.PeekKind() == '"' {
		name, err := decoder.ReadToken()
		if err != nil {
			return nil, notJSON(err)
		}
		column := name.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, notJSON(err)
		}
		if column == l.column || l.column == "" && len(columns) == 0 {
			if id, err = l.scalar(line, column, value, id); err != nil {
				return nil, err
			}
			found = true
		}
		columns = append(columns, column)
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := decoder.ReadToken(); err != io.EOF {
		return nil, notJSON(errors.New("something follows it"))
	}
	if !found || l.column == "" {
		if _, err := l.pick(line, columns); err != nil {
			return nil, err
		}
	}
	return id, nil
}

// scalar appends the text of a string or of an integer to id.
func (l *list) scalar(line int, column string, value jsontext.Value, id []byte) ([]byte, error) {
	switch value.Kind() {
	case '"':
		return jsontext.AppendUnquote(id, value)
	case '0':
		if !bytes.ContainsAny(value, ".eE") {
			return append(id, value...), nil
		}
	}
	hint := "IDs are strings or whole numbers"
	if value.Kind() == '0' {
		hint += "; a spreadsheet or pandas made floats of them: write the column as text"
	}
	return nil, l.fault(line, hint, "column %q holds %.40q, which is no ID", column, []byte(value))
}

// Delimiter is the one character that a text names as what divides columns; false where it is none that can.
func Delimiter(text string) (rune, bool) {
	r, size := utf8.DecodeRuneInString(text)
	return r, size > 0 && size == len(text) && !strings.ContainsRune("\"\r\n\ufffd", r)
}
