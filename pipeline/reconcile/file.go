package reconcile

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"rollcall/schema/fault"
)

// File writes differences as one Parquet file, whole or not at all.
type File struct {
	path  string
	file  *os.File
	rows  *parquet.GenericWriter[Difference]
	batch []Difference
}

// CreateFile begins a file at path, which appears there when it is whole.
func CreateFile(path string) (*File, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".rollcall-*.parquet")
	if err != nil {
		return nil, unwritable(path, err)
	}
	rows := parquet.NewGenericWriter[Difference](file, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(122_880), parquet.CreatedBy("rollcall", "1.0.0", "0"))
	return &File{path: path, file: file, rows: rows}, nil
}

// Add writes one difference.
func (f *File) Add(d *Difference) error {
	f.batch = append(f.batch, *d)
	if len(f.batch) < 1024 {
		return nil
	}
	return f.flush()
}

func (f *File) flush() error {
	_, err := f.rows.Write(f.batch)
	f.batch = f.batch[:0]
	if err != nil {
		return unwritable(f.path, err)
	}
	return nil
}

// Close puts the file into its place.
func (f *File) Close() error {
	err := errors.Join(f.flush(), f.rows.Close(), f.file.Sync(), f.file.Close())
	if err == nil {
		err = os.Rename(f.file.Name(), f.path)
	}
	if err != nil {
		return errors.Join(unwritable(f.path, err), os.Remove(f.file.Name()))
	}
	return nil
}

// Abort leaves nothing behind.
func (f *File) Abort() error {
	return errors.Join(f.file.Close(), os.Remove(f.file.Name()))
}

func unwritable(path string, err error) error {
	return &fault.Error{Kind: fault.Configuration, Message: path + " can't be written", Hint: "name another file with --out", Err: err}
}
