package sorted

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/s2"

	"rollcall/schema/disk"
)

// blockSize is how much of a run is compressed at once. While merging, each run holds about three
// of these in memory.
const blockSize = 64 << 10

// appendRecord appends one record: both lengths, then key and value.
func appendRecord(dst, key, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	dst = append(dst, key...)
	return append(dst, value...)
}

// cutRecord reads the record at the start of b. Where b holds only part of it, ok is false and
// size is how much is needed at least.
func cutRecord(b []byte) (key, value []byte, size int, ok bool) {
	keyLen, n := binary.Uvarint(b)
	valueLen, m := binary.Uvarint(b[max(n, 0):])
	if n <= 0 || m <= 0 {
		return nil, nil, len(b) + 1, false
	}
	head := n + m
	size = head + int(keyLen) + int(valueLen)
	if size > len(b) {
		return nil, nil, size, false
	}
	middle := head + int(keyLen)
	return b[head:middle:middle], b[middle:size:size], size, true
}

// runWriter writes one run: records one after the other, compressed.
type runWriter struct {
	file disk.File
	s2   *s2.Writer
	buf  []byte
}

func createRun(d disk.Disk, path string) (*runWriter, error) {
	file, err := d.Create(path, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write a sorted run: %w", err)
	}
	packed := s2.NewWriter(file, s2.WriterConcurrency(1), s2.WriterBlockSize(blockSize))
	return &runWriter{file: file, s2: packed, buf: make([]byte, 0, blockSize)}, nil
}

func (w *runWriter) write(key, value []byte) error {
	w.buf = appendRecord(w.buf, key, value)
	if len(w.buf) < blockSize-blockSize/8 {
		return nil
	}
	return w.flush()
}

func (w *runWriter) flush() error {
	_, err := w.s2.Write(w.buf)
	w.buf = w.buf[:0]
	if err != nil {
		return fmt.Errorf("write a sorted run: %w", err)
	}
	return nil
}

func (w *runWriter) close() error {
	err := w.flush()
	if e := w.s2.Close(); err == nil && e != nil {
		err = fmt.Errorf("write a sorted run: %w", e)
	}
	if e := w.file.Close(); err == nil && e != nil {
		err = fmt.Errorf("write a sorted run: %w", e)
	}
	return err
}

// runReader reads one run. What read returns lies in its buffer and is valid until the next read.
type runReader struct {
	file       *os.File
	s2         *s2.Reader
	buf        []byte
	start, end int
}

func openRun(path string) (*runReader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read a sorted run: %w", err)
	}
	packed := s2.NewReader(file, s2.ReaderMaxBlockSize(blockSize), s2.ReaderAllocBlock(blockSize))
	return &runReader{file: file, s2: packed, buf: make([]byte, blockSize)}, nil
}

func (r *runReader) read() (key, value []byte, ok bool, err error) {
	for {
		key, value, size, ok := cutRecord(r.buf[r.start:r.end])
		if ok {
			r.start += size
			return key, value, true, nil
		}
		if size > MaxRecord+2*binary.MaxVarintLen32 {
			return nil, nil, false, fmt.Errorf("%s is damaged: a record of %d bytes", r.file.Name(), size)
		}
		more, err := r.fill(size)
		if err != nil || !more {
			return nil, nil, false, err
		}
	}
}

// fill makes room for a record of size bytes and reads on. It tells whether anything came.
func (r *runReader) fill(size int) (bool, error) {
	left := copy(r.buf, r.buf[r.start:r.end])
	r.start, r.end = 0, left
	if size > len(r.buf) {
		r.buf = append(r.buf, make([]byte, size-len(r.buf))...)
	}
	n, err := r.s2.Read(r.buf[left:])
	r.end += n
	switch {
	case n > 0:
		return true, nil
	case err == io.EOF && left == 0:
		return false, nil
	case err == io.EOF:
		return false, fmt.Errorf("%s is cut short", r.file.Name())
	default:
		return err == nil, err
	}
}

func (r *runReader) close() error { return r.file.Close() }
