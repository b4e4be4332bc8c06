package keys

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// readCSV reads one column of a table.
func (l *list) readCSV(input io.Reader) (err error) {
	at := 0
	head := func(columns []string) error {
		at, err = l.pick(1, columns)
		return err
	}
	return l.csvRows(input, head, func(table *csv.Reader, row []string) error {
		line, _ := table.FieldPos(at)
		return l.give(line, []byte(row[at]))
	})
}

// csvRows reads a table with a header, which head is given first. Rows have as many fields as the
// header and are valid until the next one. An empty input has neither.
func (l *list) csvRows(input io.Reader, head func(columns []string) error, each func(table *csv.Reader, row []string) error) error {
	guard := &rowGuard{list: l, from: unmarked(input)}
	table := csv.NewReader(guard)
	table.ReuseRecord = true
	take := func(_ *csv.Reader, row []string) error { return head(slices.Clone(row)) }
	for {
		guard.since = 0
		row, err := table.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return l.csvFault(err)
		}
		if err := take(table, row); err != nil {
			return err
		}
		take = each
	}
}

// unmarked is input without the byte order mark at its beginning, which may stand before a quote.
func unmarked(input io.Reader) io.Reader {
	buffered := bufio.NewReader(input)
	if mark, _ := buffered.Peek(len(byteOrderMark)); bytes.Equal(mark, byteOrderMark) {
		_, _ = buffered.Discard(len(mark)) // it is there
	}
	return buffered
}

func (l *list) csvFault(err error) error {
	cause, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err
	}
	return l.fault(cause.StartLine, "write the list again as CSV: fields divided by commas, quotes doubled inside quotes", "not a row of the table: %v", cause.Err)
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
		reader.Reset(content)
		decoder.Reset(&reader)
		var err error
		if id, err = l.member(line, decoder, id[:0]); err != nil {
			return err
		}
		return l.give(line, id)
	})
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
	return nil, l.fault(line, "IDs are strings or whole numbers", "column %q holds %.40q, which is no ID", column, []byte(value))
}
