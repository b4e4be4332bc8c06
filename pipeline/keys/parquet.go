package keys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// spoolParquet copies a file that can't be read at any place to one that can, then reads it.
func (l *list) spoolParquet(input io.Reader) error {
	aside, err := l.disk.Create(l.temp, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = l.disk.Remove(l.temp) }() // else it goes with the folder
	size, err := io.Copy(aside, input)
	if err := errors.Join(err, aside.Close()); err != nil {
		return err
	}
	file, err := os.Open(l.temp)
	if err != nil {
		return err
	}
	defer file.Close()
	return l.readParquet(file, size)
}

// readParquet reads one column of a Parquet file. The library panics on some damaged files; that
// is told as damage, unless it was the receiver of the IDs that did.
func (l *list) readParquet(input io.ReaderAt, size int64) (err error) {
	yield, given := l.yield, false
	l.yield = func(id []byte) error {
		given = true
		err := yield(id)
		given = false
		return err
	}
	defer func() {
		switch cause := recover(); {
		case cause != nil && given:
			err = fmt.Errorf("%s: taking its IDs: %v", l.name, cause)
		case cause != nil:
			err = l.damagedParquet(fmt.Errorf("%v", cause))
		}
	}()
	if err := footerFits(input, size); err != nil {
		return l.damagedParquet(err)
	}
	file, err := parquet.OpenFile(input, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return l.damagedParquet(err)
	}
	if l.rows != nil {
		return l.rows.readParquet(file)
	}
	columns := columnsOf(file)
	if inside := slices.IndexFunc(columns, func(c column) bool { return strings.HasPrefix(c.name, l.column+".") }); l.column != "" && inside >= 0 {
		return l.fault(0, fmt.Sprintf("name a column inside it, such as %q", columns[inside].name), "column %q is a struct, which is no ID", l.column)
	}
	at, err := l.pick(0, namesOf(columns))
	if err != nil {
		return err
	}
	if columns[at].decode == nil {
		return l.noIDs(columns[at])
	}
	row := 0
	for _, group := range file.RowGroups() {
		if row, err = l.readChunk(group.ColumnChunks()[columns[at].index], columns[at].decode, row); err != nil {
			return err
		}
	}
	return nil
}

// footerFits holds the length that a file claims for its footer against its own: the library would take
// memory for a footer of 4 GB before it looks.
func footerFits(input io.ReaderAt, size int64) error {
	var last [8]byte
	if size < 12 {
		return io.ErrUnexpectedEOF
	}
	if _, err := input.ReadAt(last[:], size-8); err != nil && err != io.EOF {
		return err
	}
	if length := int64(binary.LittleEndian.Uint32(last[:])); length > size-12 {
		return fmt.Errorf("its footer has %d bytes, and the file %d", length, size)
	}
	return nil
}

// readChunk reads the values of one row group, the first of which is that of the row after row.
func (l *list) readChunk(chunk parquet.ColumnChunk, decode decoder, row int) (int, error) {
	pages := chunk.Pages()
	defer pages.Close()
	values := make([]parquet.Value, 1024)
	var id []byte
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			return row, nil
		}
		if err != nil {
			return row, l.damagedParquet(err)
		}
		reader := page.Values()
		for more := true; more; {
			n, err := reader.ReadValues(values)
			if err != nil && err != io.EOF {
				parquet.Release(page)
				return row, l.damagedParquet(err)
			}
			for _, v := range values[:n] {
				row++
				if id = id[:0]; !v.IsNull() {
					id = decode(id, v)
				}
				if err := l.give(row, id); err != nil {
					parquet.Release(page)
					return row, err
				}
			}
			more = err == nil && n > 0
		}
		parquet.Release(page)
	}
}

func (l *list) damagedParquet(err error) error {
	if l.ctx.Err() != nil && errors.Is(err, l.ctx.Err()) {
		return err
	}
	return l.fault(0, "write the list again", "not a whole Parquet file: %v", err)
}
