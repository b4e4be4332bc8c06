package sorted

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

const (
	chunkBits = 20
	chunkSize = 1 << chunkBits

	entrySize = 16

	// Below smallGroup, and beyond deepKey bytes of a common prefix, comparing whole records costs
	// less than another round of eight bytes.
	smallGroup = 12
	deepKey    = 256
)

// batch is a set of records in memory. Each lies in a chunk as lengths, key, value, just as it
// will lie in a run; an entry points to it. Chunks are kept for the next batch, so that a sort of
// any size allocates its memory once.
type batch struct {
	chunks  [][]byte
	current int // the chunk that is being filled
	entries []entry
}

// entry is where a record lies, with eight bytes of its key: most comparisons need no more.
type entry struct {
	prefix uint64
	at     uint32 // chunk number << chunkBits | offset
}

// fits tells whether a record of so many bytes can be added within memory. The first always can.
func (b *batch) fits(size, memory int) bool {
	if len(b.entries) == 0 {
		return true
	}
	chunks := b.current + 1
	if len(b.chunks[b.current])+size+2*binary.MaxVarintLen32 > chunkSize {
		chunks++
	}
	return chunks*chunkSize+len(b.entries)*entrySize <= max(memory, chunkSize+chunkSize/2)
}

func (b *batch) add(key, value []byte) {
	need := len(key) + len(value) + 2*binary.MaxVarintLen32
	if len(b.chunks) == 0 {
		b.chunks = append(b.chunks, make([]byte, 0, chunkSize))
	}
	if len(b.chunks[b.current])+need > chunkSize {
		b.current++
		if b.current == len(b.chunks) {
			b.chunks = append(b.chunks, make([]byte, 0, chunkSize))
		}
	}
	chunk := b.chunks[b.current]
	b.entries = append(b.entries, entry{at: uint32(b.current<<chunkBits | len(chunk))})
	b.chunks[b.current] = appendRecord(chunk, key, value)
}

func (b *batch) reset() {
	for i := range b.chunks {
		b.chunks[i] = b.chunks[i][:0]
	}
	b.current, b.entries = 0, b.entries[:0]
}

// record gives the key and value that e points to.
func (b *batch) record(e entry) (key, value []byte) {
	key, value, _, _ = cutRecord(b.chunks[e.at>>chunkBits][e.at&(chunkSize-1):])
	return key, value
}

// sort orders the entries by (key, value).
func (b *batch) sort() { b.sortFrom(b.entries, 0) }

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

// batchReader reads a sorted batch.
type batchReader struct {
	batch *batch
	next  int
}

func (r *batchReader) read() (key, value []byte, ok bool, err error) {
	if r.next == len(r.batch.entries) {
		return nil, nil, false, nil
	}
	key, value = r.batch.record(r.batch.entries[r.next])
	r.next++
	return key, value, true, nil
}

func (r *batchReader) close() error { return nil }
