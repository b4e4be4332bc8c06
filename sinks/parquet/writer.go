// Package parquet writes the tables of a snapshot as Parquet files on local disk, and reads them
// back.
//
// What a file looks like follows from the tags in package schema and the constants below, so that
// the same rows give the same bytes, whatever the size of the batches in which they came: no clock,
// no random value and no version but the format's own is written into a file. Every file says how
// it is sorted (the table's key), carries field IDs, a page index, and bloom filters where the
// schema asks for them, and keeps to encodings that every reader of the last ten years knows (data
// page v1, PLAIN and dictionary, zstd).
//
// A [Writer] holds the order: a row whose key is not above the one before is refused as a bug, so
// that a merge gone wrong can never be sealed. It hashes what it writes while it writes it.
//
// After an error a Writer is of no more use but for Abort, which removes all that it wrote. Errors
// are faults of kind Bug: the local disk is the only thing that can fail here.
package parquet

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"rollcall/schema"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

const (
	// GroupRows is the number of rows of a row group. Small groups are what makes looking up one
	// user fast; larger ones save nothing when writing.
	GroupRows = 122_880
	// FileRows is the number of rows after which a new file begins, unless Options says otherwise.
	FileRows = 80 * GroupRows

	// stepRows is the number of rows handed to the encoder at a time. The encoder looks only
	// between hand-overs whether a page is full, so that steps of another size would give other
	// bytes. Callers that write multiples of it spare the Writer copying rows.
	stepRows = 1024

	bloomBits   = 10        // bits a value in bloom filters: about one false positive in a hundred
	pageBytes   = 256 << 10 // of a data page before compression
	outputBytes = 256 << 10 // of the buffer between encoder and file
)

// Options is what a caller may choose.
type Options struct {
	RowsPerFile int64     // 0 means FileRows
	Disk        disk.Disk // nil: the real one
}

// File is one finished file.
type File struct {
	Table          string
	Name           string // "part-00000.parquet"
	LocalPath      string
	Size           int64 // bytes
	Rows           int64
	SHA256         [32]byte
	MinKey, MaxKey []string // first and last primary key, a value for each key column; nil without rows
}

// Writer writes one table as part files in its own folder. It is for one goroutine.
type Writer[Row any] struct {
	dir     string
	table   schema.Table
	limit   int64
	disk    disk.Disk
	options []parquet.WriterOption
	order   *order[Row]

	part  *part[Row]
	held  []Row // copies of rows that don't fill a step yet
	files []File
	err   error
}

// part is the file that is being written.
type part[Row any] struct {
	file   File
	out    disk.File
	buffer *bufio.Writer
	hash   hash.Hash
	size   int64
	newest key // of its last row; a clone
	rows   *parquet.GenericWriter[Row]
}

// NewWriter makes a writer of table, whose rows must be of type Row, into the folder dir/<table>.
// Nothing is created before the first Write or Close.
func NewWriter[Row any](dir string, table schema.Table, options Options) *Writer[Row] {
	limit := options.RowsPerFile
	if limit <= 0 {
		limit = FileRows
	}
	return &Writer[Row]{
		dir:     filepath.Join(dir, table.Name),
		table:   table,
		limit:   limit,
		disk:    disk.Or(options.Disk),
		options: layout(table),
		order:   newOrder[Row](table),
	}
}

// layout is the physical shape of a table's files, as far as the struct's tags don't say it.
func layout(table schema.Table) []parquet.WriterOption {
	var sorting []parquet.SortingColumn
	for _, name := range table.Key() {
		sorting = append(sorting, parquet.Ascending(name))
	}
	var blooms []parquet.BloomFilterColumn
	for _, c := range table.Columns {
		if c.Bloom {
			blooms = append(blooms, parquet.SplitBlockFilter(bloomBits, c.Name))
		}
	}
	return []parquet.WriterOption{
		parquet.DataPageVersion(1),
		parquet.Compression(&zstd.Codec{Level: zstd.DefaultLevel}), // its own: no two writers share an encoder
		parquet.MaxRowsPerRowGroup(GroupRows),
		parquet.PageBufferSize(pageBytes),
		parquet.WriteBufferSize(0), // the part has a buffer of its own
		parquet.CreatedBy("rollcall", "1.0.0", "0"),
		parquet.SortingWriterConfig(parquet.SortingColumns(sorting...)),
		parquet.BloomFilters(blooms...),
	}
}

// Write adds rows, which must be above all rows before them and ascending among themselves. The
// rows and what they point to may be used again once it has returned. Batches of a multiple of
// 1024 rows are cheapest.
func (w *Writer[Row]) Write(rows []Row) error {
	if w.err == nil {
		w.err = w.write(rows)
	}
	return w.err
}

func (w *Writer[Row]) write(rows []Row) error {
	if err := w.order.check(rows); err != nil {
		return err
	}
	for len(rows) > 0 {
		if w.part == nil {
			if err := w.begin(); err != nil {
				return err
			}
		}
		step := min(stepRows, w.limit-w.part.file.Rows)
		n := min(int64(len(rows)), step-int64(len(w.held)))
		if n == step {
			if err := w.encode(rows[:n]); err != nil {
				return err
			}
		} else if err := w.hold(rows[:n], step); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// hold keeps copies of rows until they fill a step, and then encodes them.
func (w *Writer[Row]) hold(rows []Row, step int64) error {
	for i := range rows {
		w.held = append(w.held, clone(&rows[i]))
	}
	if int64(len(w.held)) < step {
		return nil
	}
	return w.encodeHeld()
}

func (w *Writer[Row]) encodeHeld() error {
	held := w.held
	w.held = w.held[:0]
	return w.encode(held)
}

// encode writes one step of rows, and ends the file when it is full.
func (w *Writer[Row]) encode(rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	p := w.part
	if _, err := p.rows.Write(rows); err != nil {
		return w.fault(err)
	}
	if p.file.Rows == 0 {
		p.file.MinKey = w.order.texts(w.order.of(&rows[0]))
	}
	p.file.Rows += int64(len(rows))
	p.newest = w.order.of(&rows[len(rows)-1]).clone()
	if p.file.Rows < w.limit {
		return nil
	}
	return w.finish()
}

// Close finishes the last file and gives all of them in order. A table without rows is one file.
func (w *Writer[Row]) Close() ([]File, error) {
	if w.err == nil {
		w.err = w.close()
	}
	if w.err != nil {
		return nil, w.err
	}
	w.err = fault.New(fault.Bug, "table %s was closed already", w.table.Name)
	return w.files, nil
}

func (w *Writer[Row]) close() error {
	if w.part == nil {
		if len(w.files) > 0 {
			return nil
		}
		if err := w.begin(); err != nil {
			return err
		}
	}
	if err := w.encodeHeld(); err != nil || w.part == nil {
		return err
	}
	return w.finish()
}

// Abort removes every file that was written, before or after Close.
func (w *Writer[Row]) Abort() error {
	if w.part != nil {
		_ = w.part.out.Close() // it is removed next
		w.files = append(w.files, w.part.file)
		w.part = nil
	}
	w.err = fault.New(fault.Bug, "writing of table %s was given up", w.table.Name)
	for _, f := range w.files {
		if err := disk.Gone(w.disk, f.LocalPath); err != nil {
			return w.fault(err)
		}
	}
	w.files = nil
	return nil
}

func (w *Writer[Row]) begin() error {
	if err := w.disk.MkdirAll(w.dir, 0o700); err != nil {
		return w.fault(err)
	}
	name := fmt.Sprintf("part-%05d.parquet", len(w.files))
	path := filepath.Join(w.dir, name)
	out, err := w.disk.Create(path, 0o600)
	if err != nil {
		return w.fault(err)
	}
	p := &part[Row]{
		file: File{Table: w.table.Name, Name: name, LocalPath: path},
		out:  out,
		hash: sha256.New(),
	}
	p.buffer = bufio.NewWriterSize(io.MultiWriter(out, p.hash), outputBytes)
	p.rows = parquet.NewGenericWriter[Row](p, w.options...)
	w.part = p
	return nil
}

func (w *Writer[Row]) finish() error {
	file, err := w.part.finish()
	if err != nil {
		return w.fault(err)
	}
	if file.Rows > 0 {
		file.MaxKey = w.order.texts(w.part.newest)
	}
	w.files = append(w.files, file)
	w.part = nil
	return nil
}

func (w *Writer[Row]) fault(err error) error {
	return &fault.Error{
		Kind:    fault.Bug,
		Message: "write table " + w.table.Name,
		Hint:    "see that the disk of the state folder has space and can be written to",
		Err:     err,
	}
}

// Write takes encoded bytes on their way to the file.
func (p *part[Row]) Write(b []byte) (int, error) {
	n, err := p.buffer.Write(b)
	p.size += int64(n)
	return n, err
}

func (p *part[Row]) finish() (File, error) {
	if err := errors.Join(p.rows.Close(), p.buffer.Flush(), p.out.Close()); err != nil {
		return File{}, err
	}
	p.file.Size = p.size
	p.hash.Sum(p.file.SHA256[:0])
	return p.file, nil
}
