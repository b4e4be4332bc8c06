package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// What a file may claim of its own sizes. Files of this package stay far below.
const (
	maxFooter    = 64 << 20 // bytes
	maxItems     = 1 << 18  // elements of all lists in a footer: columns of row groups, and their properties
	maxGroupRows = 1 << 20  // rows of a row group
	maxHeader    = 1 << 20  // bytes of a page's header
	maxPage      = 64 << 20 // bytes of a page, decompressed,
	maxRatio     = 100      // or so many for each byte that it has in the file
	maxBlock     = 128 << 10
)

// errClaims says that a file claims sizes that can't be.
var errClaims = errors.New("the file claims sizes that can't be")

func claims(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errClaims, fmt.Sprintf(format, args...))
}

// openGuarded opens a file whose own claims about sizes are checked before the library allocates what
// they ask for: those of the footer here, those of pages when the library reads them.
func openGuarded(file io.ReaderAt, size int64, options ...parquet.FileOption) (*parquet.File, error) {
	tail, err := checkFooter(file, size)
	if err != nil {
		return nil, err
	}
	footer := size - int64(len(tail))
	g := &guard{file: file, tail: tail, begin: footer, blooms: map[int64]bool{}}
	opened, err := parquet.OpenFile(g, size, append(options, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))...)
	if err != nil {
		return nil, err
	}
	for i, group := range opened.Metadata().RowGroups {
		if group.NumRows < 0 || group.NumRows > maxGroupRows {
			return nil, claims("row group %d has %d rows", i, group.NumRows)
		}
		for _, column := range group.Columns {
			c := &chunkGuard{codec: column.MetaData.Codec, values: column.MetaData.NumValues}
			c.from = column.MetaData.DataPageOffset
			if dictionary := column.MetaData.DictionaryPageOffset; dictionary != 0 {
				c.from = dictionary
			}
			length := column.MetaData.TotalCompressedSize
			if c.from < 4 || length < 0 || length > footer-c.from || c.values < 0 || c.values > group.NumRows {
				return nil, claims("a column of row group %d has %d values in %d bytes from %d", i, c.values, length, c.from)
			}
			c.at, c.until = c.from, c.from+length
			g.blooms[column.MetaData.BloomFilterOffset] = true
			g.chunks = append(g.chunks, c)
		}
	}
	return opened, nil
}

// checkFooter reads a file's footer, and gives it with the eight bytes after it.
func checkFooter(file io.ReaderAt, size int64) ([]byte, error) {
	var last [8]byte
	if size < 12 {
		return nil, errShort
	}
	if _, err := file.ReadAt(last[:], size-8); err != nil && err != io.EOF {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(last[:]))
	if length > size-12 || length > maxFooter {
		return nil, claims("its footer has %d bytes of %d", length, size)
	}
	tail := make([]byte, length, length+8)
	if _, err := file.ReadAt(tail, size-8-length); err != nil && err != io.EOF {
		return nil, err
	}
	c := &compact{data: tail, items: maxItems}
	if err := c.structure([2]int{}, 0); err != nil {
		return nil, fmt.Errorf("the footer can't be read: %w", err)
	}
	return append(tail, last[:]...), nil
}

// guard passes the bytes of a file on and looks at the pages that come by.
type guard struct {
	file   io.ReaderAt
	tail   []byte // the footer as it was checked, and all after it
	begin  int64  // where that begins
	chunks []*chunkGuard
	blooms map[int64]bool // where bloom filters begin
}

// ReadAt reads, and gives an error instead of bytes that make a claim that can't be.
func (g *guard) ReadAt(p []byte, offset int64) (int, error) {
	if offset >= g.begin {
		return bytes.NewReader(g.tail).ReadAt(p, offset-g.begin)
	}
	n, err := g.file.ReadAt(p, offset)
	if err != nil && err != io.EOF {
		return n, err
	}
	if g.blooms[offset] {
		if err := g.bloom(p[:n], offset); err != nil {
			return 0, err
		}
	}
	for _, c := range g.chunks {
		if offset < c.until && c.from < offset+int64(n) {
			if err := c.see(g.file, p[:n], offset); err != nil {
				return 0, err
			}
		}
	}
	return n, err
}

// bloom looks at the header of a bloom filter, which is read at offset: this package compresses none.
func (g *guard) bloom(data []byte, offset int64) error {
	size, packed := int64(0), false
	h := &compact{data: data, items: maxItems, visit: func(path [2]int, value int64) {
		switch path {
		case [2]int{1}:
			size = value
		case [2]int{4, 2}:
			packed = true
		}
	}}
	if err := h.structure([2]int{}, 0); err != nil {
		return fmt.Errorf("a bloom filter can't be read: %w", err)
	}
	if size < 0 || size > g.begin-offset || packed {
		return claims("a bloom filter has %d bytes, or is compressed", size)
	}
	return nil
}

// chunkGuard follows the pages of one column chunk, in the order in which they lie there.
type chunkGuard struct {
	from, until int64
	codec       format.CompressionCodec
	values      int64

	mu   sync.Mutex
	at   int64  // what lies before was looked at
	held []byte // the beginning of what could not be read yet
	skip int64  // bytes that say nothing about sizes
	page int64  // bytes of the page that are to come; 0: a header comes
	most int64  // bytes that the page may have, decompressed
	sum  int64  // that its frames claim
	tail int64  // bytes of the frame's checksum
	next func(data []byte) (used int, err error)
}

// see looks at bytes that are read at offset, and at those before that nobody has read.
func (c *chunkGuard) see(file io.ReaderAt, p []byte, offset int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.at < offset {
		missed := make([]byte, min(offset-c.at, maxHeader))
		if _, err := file.ReadAt(missed, c.at); err != nil && err != io.EOF {
			return err
		}
		if err := c.follow(missed); err != nil {
			return err
		}
	}
	end := min(offset+int64(len(p)), c.until)
	if c.at >= end {
		return nil
	}
	return c.follow(p[c.at-offset : end-offset])
}

// follow reads what comes next in the chunk.
func (c *chunkGuard) follow(data []byte) error {
	c.at += int64(len(data))
	if len(c.held) > 0 {
		data = append(c.held, data...)
		c.held = nil
	}
	for len(data) > 0 {
		if c.skip > 0 {
			n := min(c.skip, int64(len(data)))
			c.skip, data = c.skip-n, data[n:]
			continue
		}
		if c.next == nil {
			c.next = c.header
		}
		used, err := c.next(data)
		if errors.Is(err, errShort) && len(data) <= maxHeader {
			c.held = append([]byte(nil), data...)
			return nil
		}
		if err != nil {
			return claims("a page: %v", err)
		}
		data = data[used:]
	}
	return nil
}

// header reads the header of a page.
func (c *chunkGuard) header(data []byte) (int, error) {
	fields := map[[2]int]int64{}
	h := &compact{data: data[:min(len(data), maxHeader)], items: maxItems, visit: func(path [2]int, value int64) { fields[path] = value }}
	if err := h.structure([2]int{}, 0); err != nil {
		return 0, err
	}
	size, packed := fields[[2]int{2}], fields[[2]int{3}]
	levels := fields[[2]int{8, 5}] + fields[[2]int{8, 6}]
	if left := c.until - c.at + int64(len(data)-h.at); packed < 0 || packed > left {
		return 0, claims("%d bytes, and %d are left", packed, left)
	}
	if size < 0 || size > max(maxPage, maxRatio*packed) || levels < 0 || levels > packed {
		return 0, claims("%d bytes of %d", size, packed)
	}
	for _, values := range []int64{fields[[2]int{5, 1}], fields[[2]int{7, 1}], fields[[2]int{8, 1}]} {
		if values > c.values {
			return 0, claims("%d values of %d", values, c.values)
		}
	}
	if c.codec != format.Zstd || packed == levels {
		c.skip = packed
		return h.at, nil
	}
	c.skip, c.page, c.most, c.sum, c.next = levels, packed-levels, size, 0, c.frame
	return h.at, nil
}

// take tells that so many bytes of the page are read or will be skipped, and what comes then.
func (c *chunkGuard) take(used int, skip int64) error {
	c.skip = skip
	if c.page -= int64(used) + skip; c.page < 0 {
		return claims("a compressed page goes beyond its end")
	}
	if c.page == 0 {
		c.next = c.header
	}
	return nil
}

// frame reads the header of a frame of zstd.
func (c *chunkGuard) frame(data []byte) (int, error) {
	if len(data) < 5 {
		return 0, errShort
	}
	if binary.LittleEndian.Uint32(data) != 0xFD2FB528 {
		return 0, errMalformed
	}
	about := data[4]
	single := about&0x20 != 0
	width := []int{0, 2, 4, 8}[about>>6]
	if width == 0 && single {
		width = 1
	}
	at := 5 + []int{0, 1, 2, 4}[about&3]
	if !single {
		at++
	}
	if len(data) < at+width {
		return 0, errShort
	}
	var text [8]byte
	copy(text[:], data[at:at+width])
	size := binary.LittleEndian.Uint64(text[:])
	if width == 2 {
		size += 256
	}
	if size > uint64(c.most) {
		return 0, claims("%d bytes where its header says %d", size, c.most)
	}
	if c.sum += int64(size); c.sum > c.most+maxBlock {
		return 0, claims("more bytes than its header says")
	}
	c.tail = 0
	if about&4 != 0 {
		c.tail = 4
	}
	c.next = func(data []byte) (int, error) { return c.block(data, width == 0) }
	return at + width, c.take(at+width, 0)
}

// block reads the header of a block; where the frame did not say its size, the blocks do.
func (c *chunkGuard) block(data []byte, unsized bool) (int, error) {
	if len(data) < 3 {
		return 0, errShort
	}
	head := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16
	size := int64(head >> 3)
	if unsized {
		if c.sum += maxBlock; c.sum > c.most+maxBlock {
			return 0, claims("more bytes than its header says")
		}
	}
	if head>>1&3 == 1 {
		size = 1
	}
	if head&1 != 0 {
		size += c.tail
		c.next = c.frame
	}
	return 3, c.take(3, size)
}
