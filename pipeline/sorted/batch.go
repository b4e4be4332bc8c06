package sorted

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

const (
	chunkSize = 1 << 20

	// Below smallGroup, and beyond deepKey bytes of a common prefix, comparing whole records costs
	// less than another round of eight bytes.
	smallGroup = 12
	deepKey    = 256
)

// batch is a set of records in memory. The chunk that is being filled holds records as they came,
// with an entry for each; a full chunk is sorted while it lies in the processor's cache, and
// rewritten in order, so that merging the chunks reads memory from front to back. All chunks hold
// records just as runs do, and are kept for the next batch.
type batch struct {
	sorted  [][]byte // chunks in order
	chunk   []byte   // being filled
	entries []entry  // of chunk
	free    [][]byte
}

// entry is where in the chunk a record lies, with eight bytes of its key: most comparisons need
// no more.
type entry struct {
	prefix uint64
	at     uint32
}

// fits tells whether a record of so many bytes can be added within memory. The first always can.
func (b *batch) fits(size, memory int) bool {
	if len(b.chunk)+size+2*binary.MaxVarintLen32 <= chunkSize {
		return true
	}
	return (len(b.sorted)+2)*chunkSize <= memory
}

// add copies a record, for which there must be room.
func (b *batch) add(key, value []byte) {
	if len(b.chunk)+len(key)+len(value)+2*binary.MaxVarintLen32 > chunkSize {
		b.sort()
	}
	if b.chunk == nil {
		b.chunk = b.take()
	}
	b.entries = append(b.entries, entry{at: uint32(len(b.chunk))})
	b.chunk = appendRecord(b.chunk, key, value)
}

// take gives an empty chunk.
func (b *batch) take() []byte {
	if len(b.free) == 0 {
		return make([]byte, 0, chunkSize)
	}
	last := len(b.free) - 1
	chunk := b.free[last]
	b.free = b.free[:last]
	return chunk
}

// reset forgets all records.
func (b *batch) reset() {
	for _, chunk := range append(b.sorted, b.chunk) {
		if chunk != nil {
			b.free = append(b.free, chunk[:0])
		}
	}
	b.sorted, b.chunk, b.entries = b.sorted[:0], nil, b.entries[:0]
}

// sort puts the chunk that is being filled in order.
func (b *batch) sort() {
	if len(b.entries) == 0 {
		return
	}
	b.sortFrom(b.entries, 0)
	ordered := b.take()
	for _, e := range b.entries {
		_, _, size, _ := cutRecord(b.chunk[e.at:])
		ordered = append(ordered, b.chunk[e.at:int(e.at)+size]...)
	}
	b.sorted = append(b.sorted, ordered)
	b.chunk, b.entries = b.chunk[:0], b.entries[:0]
}

// readers gives the records of each chunk, after sort.
func (b *batch) readers() []reader {
	all := make([]reader, len(b.sorted))
	for i, chunk := range b.sorted {
		all[i] = &chunkReader{left: chunk}
	}
	return all
}

// record gives the key and value that e points to.
func (b *batch) record(e entry) (key, value []byte) {
	key, value, _, _ = cutRecord(b.chunk[e.at:])
	return key, value
}

// sortFrom orders entries whose keys agree in their first depth bytes: by the next eight bytes,
// held in the entries themselves, and where those agree by the eight after them.
func (b *batch) sortFrom(entries []entry, depth int) {
	for i := range entries {
		key, _ := b.record(entries[i])
		entries[i].prefix = prefixAt(key, depth)
	}
	slices.SortFunc(entries, func(x, y entry) int { return cmp.Compare(x.prefix, y.prefix) })
	for start := 0; start < len(entries); {
		end := start + 1
		for end < len(entries) && entries[end].prefix == entries[start].prefix {
			end++
		}
		if group := entries[start:end]; len(group) > 1 {
			b.sortGroup(group, depth)
		}
		start = end
	}
}

// sortGroup orders entries with equal prefixes at depth.
func (b *batch) sortGroup(group []entry, depth int) {
	ends := func(e entry) bool {
		key, _ := b.record(e)
		return len(key) <= depth+8
	}
	if len(group) > smallGroup && depth < deepKey && !slices.ContainsFunc(group, ends) {
		b.sortFrom(group, depth+8)
		return
	}
	slices.SortFunc(group, func(x, y entry) int {
		xKey, xValue := b.record(x)
		yKey, yValue := b.record(y)
		return compareRecords(xKey, xValue, yKey, yValue)
	})
}

// prefixAt is the key's eight bytes from depth as a number that sorts as they do; what the key
// lacks counts as zero.
func prefixAt(key []byte, depth int) uint64 {
	if len(key) >= depth+8 {
		return binary.BigEndian.Uint64(key[depth:])
	}
	var padded [8]byte
	if depth < len(key) {
		copy(padded[:], key[depth:])
	}
	return binary.BigEndian.Uint64(padded[:])
}

func compareRecords(xKey, xValue, yKey, yValue []byte) int {
	if c := bytes.Compare(xKey, yKey); c != 0 {
		return c
	}
	return bytes.Compare(xValue, yValue)
}

// chunkReader reads a sorted chunk.
type chunkReader struct{ left []byte }

func (r *chunkReader) read() (key, value []byte, ok bool, err error) {
	if len(r.left) == 0 {
		return nil, nil, false, nil
	}
	key, value, size, _ := cutRecord(r.left)
	r.left = r.left[size:]
	return key, value, true, nil
}

func (r *chunkReader) close() error { return nil }
