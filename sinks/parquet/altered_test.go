package parquet_test

import (
	"bytes"
	"os"
	"testing"

	library "github.com/parquet-go/parquet-go"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks/parquet"
)

// TestAnAlteredFileIsRefused flips bits in the values of every page, and cuts the file everywhere. Each is
// a fault that says what to do: no crash, no endless reading, no fewer rows. Who doubts a
// file compares its SHA-256 first.
func TestAnAlteredFileIsRefused(t *testing.T) {
	t.Parallel()
	files := write(t, t.TempDir(), members(300), 300, parquet.Options{})
	whole, err := os.ReadFile(files[0].LocalPath)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, at int, altered []byte) {
		rows := 0
		for row, err := range parquet.Read[schema.Membership](bytes.NewReader(altered), int64(len(altered))) {
			if err != nil {
				if row != nil || fault.KindOf(err) != fault.Bug || fault.HintOf(err) == "" {
					t.Errorf("%s at %d: row %v, not a fault with a hint: %v", what, at, row, err)
				}
				return
			}
			if rows++; rows > 300 {
				break
			}
		}
		t.Errorf("%s at %d: %d rows were read and nothing said", what, at, rows)
	}
	flips := 0
	for from, until := range values(t, whole) {
		for at := from; at < until; at++ {
			altered := bytes.Clone(whole)
			altered[at] ^= 1 << (at % 8)
			refused("a bit flipped", at, altered)
			flips++
		}
	}
	if flips < 100 {
		t.Errorf("only %d bits were flipped", flips)
	}
	for length := 0; length < len(whole); length += 5 {
		refused("cut", length, whole[:length])
	}
}

// values gives where the values of each page lie, without its header.
func values(t *testing.T, whole []byte) map[int]int {
	t.Helper()
	const header = 100 // bytes; the library writes less
	file, err := library.OpenFile(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]int{}
	for _, group := range file.RowGroups() {
		for _, chunk := range group.ColumnChunks() {
			index, err := chunk.OffsetIndex()
			if err != nil {
				t.Fatal(err)
			}
			for page := range index.NumPages() {
				from := int(index.Offset(page))
				found[from+header] = from + int(index.CompressedPageSize(page))
			}
		}
	}
	return found
}
