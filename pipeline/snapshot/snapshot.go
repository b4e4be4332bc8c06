// Package snapshot reads sealed snapshots: what every command does that looks back on nights.
//
// A [Snapshot] is what one manifest names and nothing else: files that lie about and belong to no
// manifest are never read. Rows come in the order of the table's key, one at a time, so that memory
// stays flat however large a table is. Package verify proves files; here a file is held against
// its manifest as far as reading goes: one that is missing, has another size or gives another
// number of rows is a fault that names it, never fewer rows.
//
// A date that is not sealed gives *MissingError, a file that is not as its manifest says
// *DamagedError. Other errors are the sink's.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"rollcall/schema"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
	"rollcall/sinks/parquet"
)

// Snapshot is one sealed date.
type Snapshot struct {
	manifest.Sealed
	Sink sinks.Sink
}

// MissingError says that a date is not sealed.
type MissingError struct {
	Place, Date string   // Date is empty where the sink has no snapshot at all
	Sealed      []string // the dates that are, ascending
}

// Error names the date and what there is instead.
func (e *MissingError) Error() string {
	switch {
	case len(e.Sealed) == 0:
		return fmt.Sprintf("no snapshot is sealed in %s yet", e.Place)
	case len(e.Sealed) == 1:
		return fmt.Sprintf("no snapshot of %s is sealed in %s; there is one of %s", e.Date, e.Place, e.Sealed[0])
	default:
		return fmt.Sprintf("no snapshot of %s is sealed in %s; there are %d, from %s to %s, the nearest %s", e.Date, e.Place, len(e.Sealed), e.Sealed[0], e.Sealed[len(e.Sealed)-1], e.nearest())
	}
}

// nearest names the sealed dates next to the one that is missing.
func (e *MissingError) nearest() string {
	at, _ := slices.BinarySearch(e.Sealed, e.Date)
	return strings.Join(e.Sealed[max(0, at-1):min(len(e.Sealed), at+1)], " and ")
}

// DamagedError says that a file of a snapshot is not what its manifest says: missing, of another
// size, altered. It wraps a fault of kind Bug that names the file.
type DamagedError struct{ Err error }

// Error is the fault's message.
func (e *DamagedError) Error() string { return e.Err.Error() }

// Unwrap gives the fault.
func (e *DamagedError) Unwrap() error { return e.Err }

// damaged is a fault about a file of s, with what to do about it.
func (s *Snapshot) damaged(format string, args ...any) error {
	return &DamagedError{&fault.Error{Kind: fault.Bug, Message: fmt.Sprintf(format, args...), Hint: "{} tells what else is wrong", Commands: []advice.Command{advice.Rollcall("verify", s.Date)}}}
}

// Open reads the manifest of date; an empty date is the latest one (by date) that is sealed.
func Open(ctx context.Context, sink sinks.Sink, date string) (*Snapshot, error) {
	if date == "" {
		dates, err := Dates(ctx, sink)
		if err != nil {
			return nil, err
		}
		if len(dates) == 0 {
			return nil, &MissingError{Place: sink.String()}
		}
		date = dates[len(dates)-1]
	}
	sealed, err := manifest.Read(ctx, sink, manifest.Path(date))
	if errors.Is(err, fs.ErrNotExist) {
		dates, listing := Dates(ctx, sink)
		return nil, errors.Join(listing, &MissingError{Place: sink.String(), Date: date, Sealed: dates})
	}
	if err != nil {
		return nil, err
	}
	return &Snapshot{Sealed: sealed, Sink: sink}, nil
}

// Before opens the nearest sealed date before date; nil where there is none.
func Before(ctx context.Context, sink sinks.Sink, date string) (*Snapshot, error) {
	dates, err := Dates(ctx, sink)
	if err != nil {
		return nil, err
	}
	at, _ := slices.BinarySearch(dates, date)
	if at == 0 {
		return nil, nil
	}
	return Open(ctx, sink, dates[at-1])
}

// Dates lists the sealed dates of a sink, ascending.
func Dates(ctx context.Context, sink sinks.Sink) ([]string, error) {
	paths, err := sink.Manifests(ctx)
	if err != nil {
		return nil, err
	}
	var dates []string
	for _, path := range paths {
		dates = append(dates, sinks.ManifestDate(path))
	}
	return dates, nil
}

// Rows goes through the whole table whose rows are of type Row, in the order of its key. The row
// that is yielded is valid until the next one; its texts may be kept. An error ends the sequence.
func Rows[Row any](ctx context.Context, s *Snapshot) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		for _, f := range s.files(schema.TableOf[Row]().Name) {
			read := int64(0)
			all := func(file sinks.File) iter.Seq2[*Row, error] { return parquet.Read[Row](file, file.Size()) }
			counted := func(row *Row, err error) bool { read++; return yield(row, err) }
			if !scan(ctx, s, f, all, counted) {
				return
			}
			if read != f.Rows {
				yield(nil, s.damaged("%s has %d rows, its manifest says %d", s.Sink.URL(f.Path), read, f.Rows))
				return
			}
		}
	}
}

// Find goes through the rows of a table for which all of where holds, in the order of its key. It
// reads only files and row groups that may hold one.
func Find[Row any](ctx context.Context, s *Snapshot, where ...parquet.Equal) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		table := schema.TableOf[Row]()
		for _, f := range s.files(table.Name) {
			if !spans(f, table.Key(), where) {
				continue
			}
			some := func(file sinks.File) iter.Seq2[*Row, error] {
				return parquet.Find[Row](file, file.Size(), where...)
			}
			if !scan(ctx, s, f, some, yield) {
				return
			}
		}
	}
}

// scan yields what read gives of one file, and tells whether to go on.
func scan[Row any](ctx context.Context, s *Snapshot, f manifest.File, read func(sinks.File) iter.Seq2[*Row, error], yield func(*Row, error) bool) bool {
	place := s.Sink.URL(f.Path)
	if err := ctx.Err(); err != nil {
		yield(nil, err)
		return false
	}
	file, err := s.Sink.OpenAt(ctx, f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		yield(nil, s.damaged("%s is missing, although the manifest of %s names it", place, s.Date))
		return false
	}
	if err != nil {
		yield(nil, err)
		return false
	}
	defer file.Close()
	if file.Size() != f.Size {
		yield(nil, s.damaged("%s has %d bytes, its manifest says %d", place, file.Size(), f.Size))
		return false
	}
	n := 0
	for row, err := range read(file) {
		if n++; n%1024 == 0 && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			if fault.KindOf(err) == fault.Bug && ctx.Err() == nil {
				err = &DamagedError{&fault.Error{Kind: fault.Bug, Message: place, Hint: "{} tells what else is wrong", Commands: []advice.Command{advice.Rollcall("verify", s.Date)}, Err: err}}
			} else {
				err = fault.Wrap(err, "%s", place)
			}
			yield(nil, err)
			return false
		}
		if !yield(row, nil) {
			return false
		}
	}
	return true
}

// files are the files of one table, in the order of their keys.
func (s *Snapshot) files(table string) []manifest.File {
	var files []manifest.File
	for _, f := range s.Files {
		if f.Table == table {
			files = append(files, f)
		}
	}
	return files
}

// RowsOf counts the rows of a table, by the manifest.
func (s *Snapshot) RowsOf(table string) (rows int64) {
	for _, f := range s.files(table) {
		rows += f.Rows
	}
	return rows
}

// spans tells whether a file's range of keys leaves room for where. Only a leading part of the key
// that where pins down can tell.
func spans(f manifest.File, key []string, where []parquet.Equal) bool {
	if f.Rows == 0 {
		return false
	}
	var pinned []string
	for _, column := range key {
		at := slices.IndexFunc(where, func(e parquet.Equal) bool { return e.Column == column })
		if at < 0 {
			break
		}
		pinned = append(pinned, where[at].Value)
	}
	n := min(len(pinned), len(f.MinKey), len(f.MaxKey))
	return slices.Compare(f.MinKey[:n], pinned[:n]) <= 0 && slices.Compare(pinned[:n], f.MaxKey[:n]) <= 0
}
