package keys

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/schema/spelling"
)

type encoding int

const (
	text encoding = iota
	csvTable
	ndjson
	parquetTable
)

// maxLine is how long a line of NDJSON, or a row of CSV, may be in bytes.
const maxLine = 16 << 20

// byteOrderMark is what some editors put before UTF-8.
const byteOrderMark, markText = '\ufeff', "\ufeff"

// formatOf reads the format off the name, and whether it is gzip.
func formatOf(name string) (f encoding, packed bool, err error) {
	if name == "-" {
		return text, false, nil
	}
	base := strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/")))
	base, packed = strings.CutSuffix(base, ".gz")
	switch path.Ext(base) {
	case ".txt", "":
		return text, packed, nil
	case ".csv":
		return csvTable, packed, nil
	case ".ndjson", ".jsonl", ".json":
		return ndjson, packed, nil
	case ".parquet":
		return parquetTable, packed, nil
	}
	return text, false, &fault.Error{
		Kind: fault.Configuration, Message: fmt.Sprintf("%s is a list of no known format", name),
		Hint: "name it .txt (one ID a line), .csv (also where delimiter is no comma), .ndjson or .parquet, with .gz after that where it is compressed",
	}
}

// list is one list while it is read.
type list struct {
	ctx       context.Context
	name      string // for messages; of a folder, that of the file that is read
	column    string
	delimiter rune // of CSV; 0: a comma, unless the file looks like something else
	noHeader  bool
	rows      *rowTable // whole rows are wanted, not one column
	temp      string    // a file that may be made
	disk      disk.Disk
	warn      func(text, hint string)
	yield     func(id []byte) error
	count     int // of IDs, to look at ctx now and then

	format     encoding
	gzipped    bool   // as its first bytes say
	divided    string // of lines: what may divide columns, and is in every line so far
	numbers    numbers
	header     string // the column's name in the first file
	headerTold bool
}

func (l *list) read(file io.Reader, f encoding, packed bool) error {
	if f != csvTable && (l.delimiter != 0 || l.noHeader) {
		return l.fault(0, "take them out, or name the file .csv", "delimiter and header belong to CSV, and this is none")
	}
	l.format = f
	input := bufio.NewReaderSize(&source{ctx: l.ctx, name: l.name, file: file}, bufferSize)
	head, _ := input.Peek(2) // what fails here fails again when it is read
	l.gzipped = string(head) == "\x1f\x8b"
	if packed || l.gzipped {
		unpacked, err := gzip.NewReader(input)
		if err != nil {
			return l.unpackFault(err)
		}
		defer unpacked.Close()
		packed, input = true, bufio.NewReaderSize(&gunzip{list: l, from: unpacked}, bufferSize)
	}
	if f != parquetTable {
		if err := l.checkKind(input); err != nil {
			return err
		}
	}
	switch f {
	case csvTable:
		if l.rows != nil {
			return l.rows.readCSV(input)
		}
		return l.readCSV(input)
	case ndjson:
		if l.rows != nil {
			return l.rows.readNDJSON(input)
		}
		return l.readNDJSON(input)
	case parquetTable:
		if local, ok := file.(*os.File); ok && !packed {
			if info, err := local.Stat(); err == nil && info.Mode().IsRegular() {
				return l.readParquet(local, info.Size())
			}
		}
		return l.spoolParquet(input)
	default:
		return l.readText(input)
	}
}

// checkKind refuses a file whose beginning says that it is no text, whatever its name says.
func (l *list) checkKind(input *bufio.Reader) error {
	head, _ := input.Peek(64)
	for _, kind := range []struct{ begins, what, hint string }{
		{"\xff\xfe", "UTF-16", "save the list as UTF-8"},
		{"\xfe\xff", "UTF-16", "save the list as UTF-8"},
		{"PK\x03\x04", "a ZIP archive or an Excel workbook", "save the list as CSV, UTF-8"},
		{"PAR1\x15", "Parquet", "let its name end in .parquet"},
		{"\x28\xb5\x2f\xfd", "zstd", "unpack it, or compress it with gzip"},
		{"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the list as CSV, UTF-8"},
		{"%PDF-", "PDF", "write one ID a line"},
		{"version https://git-lfs", "a pointer of Git LFS in place of a list", "get the file itself: git lfs pull"},
	} {
		if bytes.HasPrefix(head, []byte(kind.begins)) {
			return &fault.Error{Kind: fault.Configuration, Message: l.name + " holds " + kind.what, Hint: kind.hint}
		}
	}
	return l.checkMarkup(head)
}

// checkMarkup refuses what servers answer in place of a list, such as a page that says that they are busy, and
// JSON in a list of lines.
func (l *list) checkMarkup(head []byte) error {
	begins := strings.ToLower(strings.TrimLeft(strings.TrimPrefix(string(head), markText), " \t\r\n"))
	for _, kind := range []struct{ begins, what, hint string }{
		{"<!doctype", "a web page", "get the list again; what fetches it should end with an error where the server sends none"},
		{"<html", "a web page", "get the list again; what fetches it should end with an error where the server sends none"},
		{"<?xml", "XML", "get the list again; if the server sent an error, what fetches it should end with one"},
		{"[\"", "JSON", "write one ID a line, or one object a line and name the file .ndjson"},
		{"[{", "JSON", "write one ID a line, or one object a line and name the file .ndjson"},
		{"{\"", "JSON", "write one ID a line, or one object a line and name the file .ndjson"},
	} {
		if l.format != ndjson && strings.HasPrefix(begins, kind.begins) {
			return &fault.Error{Kind: fault.Configuration, Message: l.name + " holds " + kind.what, Hint: kind.hint}
		}
	}
	return nil
}

// readText reads one ID a line.
func (l *list) readText(input io.Reader) error {
	if l.count == 0 {
		l.divided = ";,| "
	}
	return l.lines(input, bufferSize, func(line int, content []byte) error {
		for _, d := range l.divided {
			if bytes.IndexByte(content, byte(d)) < 0 {
				l.divided = strings.ReplaceAll(l.divided, string(d), "")
			}
		}
		if err := l.give(line, content); err != nil {
			return err
		}
		if line == 1 {
			l.tellLikelyHeader(string(content))
		}
		if bytes.IndexByte(content, '\t') >= 0 {
			return l.fault(line, `a list of lines has no columns: name the file .csv, with delimiter = "\t"; where the TAB belongs to the ID, give the list as .ndjson`, "%q holds a TAB", content)
		}
		return nil
	})
}

// lines calls do for each line that is not blank, without its line break.
func (l *list) lines(input io.Reader, longest int, do func(line int, content []byte) error) error {
	scanner := bufio.NewScanner(input)
	scanner.Buffer(make([]byte, 64<<10), longest)
	line := 0
	for scanner.Scan() {
		line++
		content := scanner.Bytes()
		if line == 1 {
			content = bytes.TrimPrefix(content, []byte(markText))
		}
		if len(bytes.TrimSpace(content)) == 0 {
			continue
		}
		if err := do(line, content); err != nil {
			return err
		}
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return l.fault(line+1, "check that this is a list with one entry a line", "a line of more than %d bytes", longest)
	}
	return scanner.Err()
}

// give checks one ID and hands it on.
func (l *list) give(line int, id []byte) error {
	place := func() string { return fmt.Sprintf("%s:%d", l.name, line) }
	err := Check(id)
	if err == nil && l.format != ndjson { // there, texts are marked as texts
		l.numbers.add(id, place)
		err = l.checkSlips(id)
	}
	if err != nil {
		return fault.Wrap(err, "%s", place())
	}
	l.count++
	if l.count%4096 == 0 && l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	return l.yield(id)
}

// fault is a Configuration fault at a line; line 0 means the whole file.
func (l *list) fault(line int, hint, message string, args ...any) error {
	place := l.name
	if line > 0 {
		place = fmt.Sprintf("%s:%d", l.name, line)
	}
	return &fault.Error{Kind: fault.Configuration, Message: place + ": " + fmt.Sprintf(message, args...), Hint: hint}
}

// pick finds the column asked for among those that are there.
func (l *list) pick(line int, columns []string) (int, error) {
	if l.column == "" {
		if len(columns) == 1 {
			return 0, nil
		}
		return 0, l.fault(line, `say which column holds the IDs: column = "…"`, "%s", thereAre(columns))
	}
	if i := slices.Index(columns, l.column); i >= 0 {
		if slices.Contains(columns[i+1:], l.column) {
			return 0, l.twice(line, l.column)
		}
		return i, nil
	}
	hint := "name one of the columns that are there"
	if d := l.likelyDelimiter(columns, l.column); l.format == csvTable && d != 0 {
		hint = l.delimiterHint(d)
	} else if near := spelling.Nearest(l.column, columns); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return 0, l.fault(line, hint, "no column %q: %s", l.column, thereAre(columns))
}

// twice is the fault of a column of which nobody can tell which one is meant.
func (l *list) twice(line int, column string) error {
	return l.fault(line, "leave one of them, or give the other another name", "there are two columns %q", column)
}

// thereAre lists columns, the first twenty at most.
func thereAre(columns []string) string {
	const most = 20
	quoted := make([]string, 0, most)
	for _, c := range columns[:min(most, len(columns))] {
		quoted = append(quoted, fmt.Sprintf("%.60q", c))
	}
	switch {
	case len(columns) == 0:
		return "there is no column"
	case len(columns) == 1:
		return "the only column is " + quoted[0]
	case len(columns) > most:
		quoted = append(quoted, "…")
	}
	return fmt.Sprintf("there are %d columns, %s", len(columns), strings.Join(quoted, ", "))
}

// source reads the list's own bytes. What fails there is not the list's content.
type source struct {
	ctx  context.Context
	name string
	file io.Reader
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	if s.ctx.Err() != nil {
		return n, context.Cause(s.ctx)
	}
	if _, classified := errors.AsType[*fault.Error](err); classified {
		return n, fault.Wrap(err, "read %s", s.name)
	}
	return n, &fault.Error{Kind: fault.Transient, Message: "read " + s.name, Hint: "run again; if it stays, check the disk or the connection to the bucket", Err: err}
}

// gunzip tells damage of the compression apart from failures to read.
type gunzip struct {
	list *list
	from io.Reader
}

func (g *gunzip) Read(p []byte) (int, error) {
	n, err := g.from.Read(p)
	if err != nil && err != io.EOF {
		err = g.list.unpackFault(err)
	}
	return n, err
}

func (l *list) unpackFault(err error) error {
	if _, classified := errors.AsType[*fault.Error](err); classified || l.ctx.Err() != nil {
		return err
	}
	hint := "write the list again"
	if !l.gzipped {
		hint += ", or take .gz off its name if it is not compressed"
	}
	return l.fault(0, hint, "not a whole gzip file: %v", err)
}
