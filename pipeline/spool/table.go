package spool

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"sort"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"rollcall/schema/disk"
)

// A table is one Arrow IPC file of a run. Any Arrow reader can open it; the spool itself reads it
// by the table's index, which tells where each batch lies, its checksum and the last place in it:
// Arrow takes a file that was cut between two batches for a whole one, and has no checksums.
//
// Batches are compressed with LZ4, which leaves a third of the bytes and costs no more than writing
// the rest would.

// Batches are small, since a merge holds one of each run in memory.
const (
	batchRows  = 4096
	batchBytes = 512 << 10 // of texts; a batch is cut after the row that passes it
)

// place is where a row of rows or groups sorts, as far as tables can be searched.
type place struct {
	source int // ordinal
	group  string
}

// tableIndex describes one file of a run.
type tableIndex struct {
	Size    int64        `json:"size"`
	Rows    int64        `json:"rows"`
	Blocks  []int64      `json:"blocks"` // rows of each block
	Batches []batchIndex `json:"batches"`
}

// batchIndex describes one batch of a table.
type batchIndex struct {
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	Sum    uint32 `json:"sum"` // CRC-32C
	Rows   int64  `json:"rows"`
	Source int    `json:"source,omitempty"` // ordinal, of the last row
	Group  []byte `json:"group,omitempty"`  // of the last row
}

// tableWriter writes one table batch by batch. The first failure stays in err.
type tableWriter struct {
	file    disk.File
	out     *bufio.Writer
	sum     hash.Hash32
	arrow   *ipc.FileWriter
	schema  *arrow.Schema
	columns []column
	rows    int64 // in the batch, as limit and texts
	limit   int64
	texts   int   // bytes
	last    place // of the last row
	index   tableIndex
	err     error
}

func createTable(o Options, path string, schema *arrow.Schema, columns []column) (*tableWriter, error) {
	f, err := o.Disk.Create(path, fileMode)
	if err != nil {
		return nil, err
	}
	t := &tableWriter{
		file: f, out: bufio.NewWriterSize(f, 256<<10), sum: crc32.New(castagnoli()),
		schema: schema, columns: columns, limit: o.batchRows,
		index: tableIndex{Blocks: make([]int64, len(o.Blocks))},
	}
	t.arrow, t.err = ipc.NewFileWriter(t, ipc.WithSchema(schema), ipc.WithLZ4())
	return t, nil
}

// Write takes the bytes that Arrow makes of a batch.
func (t *tableWriter) Write(p []byte) (int, error) {
	t.index.Size += int64(len(p))
	t.sum.Write(p)
	return t.out.Write(p)
}

// Seek tells the position, which is all that Arrow asks for.
func (t *tableWriter) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.ErrUnsupported
	}
	return t.index.Size, nil
}

// added counts a row that was just put into the columns, and cuts the batch where it is large
// enough. The place's group must stay readable until the next row.
func (t *tableWriter) added(block int, at place, texts int) {
	t.last = at
	t.rows++
	t.texts += texts
	t.index.Rows++
	t.index.Blocks[block]++
	if t.rows >= t.limit || t.texts >= batchBytes {
		t.cut()
	}
}

// cut writes the batch that was collected. The first one carries Arrow's opening with it.
func (t *tableWriter) cut() {
	if t.rows == 0 || t.err != nil {
		return
	}
	arrays := make([]arrow.Array, len(t.columns))
	for i, c := range t.columns {
		arrays[i] = c.array(int(t.rows))
	}
	b := batchIndex{Offset: t.index.Size, Rows: t.rows, Source: t.last.source, Group: []byte(t.last.group)}
	t.sum.Reset()
	t.err = t.arrow.Write(array.NewRecord(t.schema, arrays, t.rows))
	b.Length, b.Sum = t.index.Size-b.Offset, t.sum.Sum32()
	t.index.Batches = append(t.index.Batches, b)
	for _, c := range t.columns {
		c.reset()
	}
	t.rows, t.texts = 0, 0
}

// finish makes the table durable under the name it has in its folder.
func (t *tableWriter) finish() error {
	t.cut()
	return errors.Join(t.err, t.arrow.Close(), t.out.Flush(), t.file.Sync(), t.file.Close())
}

// check reads every batch of file against its checksum.
func (t *tableIndex) check(file io.ReaderAt) error {
	for _, b := range t.Batches {
		sum := crc32.New(castagnoli())
		if _, err := io.Copy(sum, io.NewSectionReader(file, b.Offset, b.Length)); err != nil {
			return err
		}
		if sum.Sum32() != b.Sum {
			return fmt.Errorf("the bytes from %d on have changed since they were written", b.Offset)
		}
	}
	return nil
}

// tableReader reads the batches of one table in their order.
type tableReader struct {
	path   string
	file   *os.File
	schema *arrow.Schema
	index  *tableIndex
	next   int     // batch
	raw    *[]byte // scratch, shared by all tables of a cursor
	arrow  *ipc.Reader
}

func openTable(path string, schema *arrow.Schema, index *tableIndex, raw *[]byte) (*tableReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, damaged(path, err)
	}
	t := &tableReader{path: path, file: f, schema: schema, index: index, raw: raw}
	t.arrow, err = ipc.NewReaderFromMessageReader(&messages{table: t}, ipc.WithSchema(schema))
	if err != nil {
		f.Close()
		return nil, damaged(path, err)
	}
	return t, nil
}

// batch reads the next batch; nil at the end.
func (t *tableReader) batch() (arrow.Record, error) {
	if t.next == len(t.index.Batches) {
		return nil, nil
	}
	b := t.index.Batches[t.next]
	if !t.arrow.Next() {
		return nil, damaged(t.path, t.arrow.Err())
	}
	if record := t.arrow.Record(); record.NumRows() == b.Rows {
		return record, nil
	}
	return nil, damaged(t.path, errors.New("a batch has another number of rows than its index says"))
}

// skipTo leaves out the batches that end before the place.
func (t *tableReader) skipTo(at place) {
	t.next = sort.Search(len(t.index.Batches), func(i int) bool {
		b := &t.index.Batches[i]
		return b.Source > at.source || b.Source == at.source && string(b.Group) >= at.group
	})
}

func (t *tableReader) close() {
	t.arrow.Release()
	t.file.Close()
}

// read gives the checked bytes of the next batch, valid until the next read of any table of the cursor.
func (t *tableReader) read() ([]byte, error) {
	b := t.index.Batches[t.next]
	t.next++
	*t.raw = slices.Grow((*t.raw)[:0], int(b.Length))[:b.Length]
	if _, err := t.file.ReadAt(*t.raw, b.Offset); err != nil {
		return nil, err
	}
	if crc32.Checksum(*t.raw, castagnoli()) != b.Sum {
		return nil, fmt.Errorf("the bytes from %d on have changed since they were written", b.Offset)
	}
	if b.Offset > 0 {
		return *t.raw, nil
	}
	rest, ok := bytes.CutPrefix(*t.raw, opening(t.schema))
	if !ok {
		return nil, errors.New("its columns are not the spool's")
	}
	return rest, nil
}

// messages hands a table's schema and then its batches to Arrow, which copies what it keeps.
type messages struct {
	table  *tableReader
	opened bool
}

func (m *messages) Message() (*ipc.Message, error) {
	if !m.opened {
		m.opened = true
		return message(opening(m.table.schema)[len(magic):])
	}
	raw, err := m.table.read()
	if err != nil {
		return nil, err
	}
	return message(raw)
}

// Retain is not needed: nobody else holds the messages.
func (m *messages) Retain() {}

// Release is not needed: the table closes its file.
func (m *messages) Release() {}

// magic begins every Arrow file, padded to eight bytes.
const magic = "ARROW1\x00\x00"

// message takes the encapsulated message apart: continuation mark, length of the metadata, metadata, body.
func message(raw []byte) (*ipc.Message, error) {
	if len(raw) < 8 {
		return nil, io.ErrUnexpectedEOF
	}
	raw, size := raw[8:], uint64(binary.LittleEndian.Uint32(raw[4:]))
	if size > uint64(len(raw)) {
		return nil, io.ErrUnexpectedEOF
	}
	return ipc.NewMessage(memory.NewBufferBytes(raw[:size]), memory.NewBufferBytes(raw[size:])), nil
}

// opening is what a table's file holds before its first batch: the magic and the schema.
func opening(schema *arrow.Schema) []byte {
	b := bytes.NewBufferString(magic)
	w := ipc.NewWriter(b, ipc.WithSchema(schema))
	w.Close()                    // can't fail: a buffer takes everything
	return b.Bytes()[:b.Len()-8] // without the mark of the end
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }
