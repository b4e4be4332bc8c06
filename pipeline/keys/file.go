package keys

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"rollcall/schema/fault"
)

// A key file is a header of headerSize bytes (magic, IDs read, unique IDs, SHA-256), then the IDs
// in ascending bytewise order, each after its length as a uvarint.
const (
	magic      = "RCKEYS1\n"
	headerSize = len(magic) + 8 + 8 + 32
	bufferSize = 256 << 10
)

func appendHeader(dst []byte, s Summary) []byte {
	dst = append(dst, magic...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Read))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Unique))
	return append(dst, s.SHA256[:]...)
}

func cutHeader(header []byte) (Summary, bool) {
	if len(header) != headerSize || string(header[:len(magic)]) != magic {
		return Summary{}, false
	}
	numbers := header[len(magic):]
	s := Summary{Read: int64(binary.BigEndian.Uint64(numbers)), Unique: int64(binary.BigEndian.Uint64(numbers[8:]))}
	s.Duplicates = s.Read - s.Unique
	copy(s.SHA256[:], numbers[16:])
	return s, s.Unique >= 0 && s.Duplicates >= 0
}

// List is a key file. It holds no open file.
type List struct {
	path    string
	summary Summary
}

// Open reads the header of the key file at path. A file that is not there gives an error for
// which errors.Is(err, fs.ErrNotExist) holds.
func Open(path string) (*List, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(file, header); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return nil, err
	}
	s, ok := cutHeader(header)
	if !ok {
		return nil, damaged(path)
	}
	return &List{path: path, summary: s}, nil
}

// Check reads the whole file and holds it against the sum in its header.
func (l *List) Check() error {
	cursor, err := l.Cursor()
	if err != nil {
		return err
	}
	sum, n := sha256.New(), int64(0)
	for cursor.Next() {
		io.WriteString(sum, cursor.ID()+"\n")
		n++
	}
	if err := errors.Join(cursor.Err(), cursor.Close()); err != nil {
		return err
	}
	if n != l.summary.Unique || [32]byte(sum.Sum(nil)) != l.summary.SHA256 {
		return damaged(l.path)
	}
	return nil
}

// Len is how many IDs there are.
func (l *List) Len() int64 { return l.summary.Unique }

// Summary is what the import found.
func (l *List) Summary() Summary { return l.summary }

// Cursor streams the IDs in ascending order.
func (l *List) Cursor() (*Cursor, error) { return Union(l) }

func damaged(path string) error {
	return &fault.Error{
		Kind: fault.Bug, Message: path + " is damaged",
		Hint: "the disk lost part of it; remove the state folder of this date and run again",
	}
}

// Cursor streams the IDs of one or several lists in ascending order, each once. It is for one
// goroutine.
type Cursor struct {
	readers []*fileReader
	id      []byte
	index   int64
	err     error
}

// Union streams what is in any of lists.
func Union(lists ...*List) (*Cursor, error) {
	c := &Cursor{index: -1}
	for _, l := range lists {
		file, err := os.Open(l.path)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		r := &fileReader{path: l.path, file: file, buf: bufio.NewReaderSize(file, bufferSize), left: l.summary.Unique}
		c.readers = append(c.readers, r)
		if _, err := r.buf.Discard(headerSize); err != nil {
			return nil, errors.Join(damaged(l.path), c.Close())
		}
		if err := r.next(); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// Next goes to the next ID. It returns false at the end and after an error.
func (c *Cursor) Next() bool {
	least := -1
	for i, r := range c.readers {
		if !r.done && (least < 0 || bytes.Compare(r.id, c.readers[least].id) < 0) {
			least = i
		}
	}
	if least < 0 || c.err != nil {
		c.id = nil
		return false
	}
	c.id = append(c.id[:0], c.readers[least].id...)
	c.index++
	for _, r := range c.readers[least:] {
		if !r.done && bytes.Equal(r.id, c.id) && c.err == nil {
			c.err = r.next()
		}
	}
	return true
}

// ID is the current ID.
func (c *Cursor) ID() string { return string(c.id) }

// Index is the place of the current ID, from 0.
func (c *Cursor) Index() int64 { return c.index }

// Err is what ended the IDs too early, or nil.
func (c *Cursor) Err() error { return c.err }

// Close closes the files. It is safe to call twice.
func (c *Cursor) Close() error {
	var errs []error
	for _, r := range c.readers {
		errs = append(errs, r.file.Close())
	}
	c.readers = nil
	return errors.Join(errs...)
}

// fileReader stands at one ID of a key file.
type fileReader struct {
	path string
	file *os.File
	buf  *bufio.Reader
	left int64 // IDs not read yet
	id   []byte
	done bool
}

// next goes to the next ID. An ID that is not above the one before it means that the file is damaged.
func (r *fileReader) next() error {
	if r.left == 0 {
		r.done = true
		return nil
	}
	r.left--
	size, err := binary.ReadUvarint(r.buf)
	if err != nil || size == 0 || size > MaxID {
		return damaged(r.path)
	}
	id, err := r.buf.Peek(int(size))
	if err != nil || bytes.Compare(id, r.id) <= 0 {
		return damaged(r.path)
	}
	r.id = append(r.id[:0], id...)
	r.buf.Discard(int(size))
	return nil
}
