package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"rollcall/schema/advice"
	"rollcall/schema/fault"
)

const (
	readBatch = 1024    // rows decoded at a time
	readBytes = 1 << 20 // asked of the file at a time for each column: in a bucket each is one request
)

// Read goes through the rows of one file of size bytes, in the file's order. The row that is
// yielded is valid until the next one; its texts may be kept. Columns are matched by name: one
// that the file lacks stays zero, one that Row lacks is passed over.
//
// An error ends the sequence; it comes with a nil row. It is a fault of kind Bug where the file is no
// Parquet, was cut or altered; faults of the place that it is read from stay what they are.
func Read[Row any](file io.ReaderAt, size int64) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		rows, err := open[Row](file, size)
		if err != nil {
			yield(nil, unreadable(err))
			return
		}
		drain(rows, make([]Row, readBatch), match[Row]{}, yield)
	}
}

// drain yields those of rows that are wanted, in batches, closes rows and tells whether to go on.
func drain[Row any](rows *parquet.GenericReader[Row], batch []Row, wanted match[Row], yield func(*Row, error) bool) bool {
	defer rows.Close()
	for {
		n, err := next(rows, batch)
		for i := range batch[:n] {
			if wanted.holds(&batch[i]) && !yield(&batch[i], nil) {
				return false
			}
		}
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			yield(nil, unreadable(err))
			return false
		}
	}
}

// ReadFile goes through the rows of the local file path, as [Read] does.
func ReadFile[Row any](path string) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(nil, unreadable(err))
			return
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			yield(nil, unreadable(err))
			return
		}
		Read[Row](file, info.Size())(yield)
	}
}

func open[Row any](file io.ReaderAt, size int64) (rows *parquet.GenericReader[Row], err error) {
	defer recovered(&err)
	opened, err := openFile(file, size)
	if err != nil {
		return nil, err
	}
	return parquet.NewGenericReader[Row](opened), nil
}

// openFile reads a file's footer. It refuses a file of which some column is compressed by another
// method than this package's: read so, altered bytes can ask the library for memory without end.
func openFile(file io.ReaderAt, size int64) (*parquet.File, error) {
	opened, err := openGuarded(file, size, parquet.ReadBufferSize(readBytes))
	if err != nil {
		return nil, err
	}
	for _, group := range opened.Metadata().RowGroups {
		for _, column := range group.Columns {
			if codec := column.MetaData.Codec; codec != format.Zstd && codec != format.Uncompressed {
				return nil, fmt.Errorf("a column is compressed by %v, not by zstd", codec)
			}
		}
	}
	return opened, nil
}

// next fills the batch anew, so that nothing of the rows before shows through.
func next[Row any](rows *parquet.GenericReader[Row], batch []Row) (n int, err error) {
	defer recovered(&err)
	clear(batch)
	n, err = rows.Read(batch)
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	return n, err
}

// recovered turns the panic by which the library answers some altered files into an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the file contradicts itself: %v", r)
	}
}

// unreadable says that a file is not what it should be, unless the place that it is read from has
// said already what went wrong.
func unreadable(err error) error {
	if _, told := errors.AsType[*fault.Error](err); told || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &fault.Error{
		Kind:    fault.Bug,
		Message: "read a Parquet file",
		Hint:    "the file was cut or altered since it was written: {} tells what is wrong", Commands: []advice.Command{advice.Rollcall("verify")},
		Err: err,
	}
}
