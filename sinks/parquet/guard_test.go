package parquet_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"
	"testing"

	library "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks/parquet"
)

// TestWhatAFileClaimsCostsNoMemory forges the sizes that a file claims of itself, and counts what is
// allocated. It runs alone, since all tests of a process share the count.
func TestWhatAFileClaimsCostsNoMemory(t *testing.T) {
	files := write(t, t.TempDir(), members(300), 300, parquet.Options{})
	whole, err := os.ReadFile(files[0].LocalPath)
	if err != nil {
		t.Fatal(err)
	}
	const huge = 1 << 30
	for name, forge := range map[string]func(t *testing.T, file []byte) []byte{
		"a footer of 4 GB": func(_ *testing.T, file []byte) []byte {
			binary.LittleEndian.PutUint32(file[len(file)-8:], 0xFFFFFFF0)
			return file
		},
		"a footer as long as the file": func(_ *testing.T, file []byte) []byte {
			binary.LittleEndian.PutUint32(file[len(file)-8:], uint32(len(file)-12))
			return file
		},
		"a footer with a list of a billion": func(_ *testing.T, file []byte) []byte {
			list := binary.AppendUvarint([]byte{0x15, 0x02, 0x19, 0xFC}, huge) // version 1; the schema's elements
			return append(append(append(file[:4:4], list...), byte(len(list)), 0, 0, 0), "PAR1"...)
		},
		"a footer with a text of a billion bytes": func(_ *testing.T, file []byte) []byte {
			text := binary.AppendUvarint([]byte{0x68}, huge) // created_by
			return append(append(append(file[:4:4], text...), byte(len(text)), 0, 0, 0), "PAR1"...)
		},
		"a compressed page of a billion bytes":   page(func(h *format.PageHeader) { h.CompressedPageSize = huge }),
		"a page of a billion bytes":              page(func(h *format.PageHeader) { h.UncompressedPageSize = huge }),
		"a page of negative size":                page(func(h *format.PageHeader) { h.CompressedPageSize = -1 }),
		"a dictionary of a billion values":       page(func(h *format.PageHeader) { h.DictionaryPageHeader.V.NumValues = huge }),
		"a page whose compressed bytes claim it": frame,
	} {
		t.Run(name, func(t *testing.T) {
			forged := forge(t, bytes.Clone(whole))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rows, err := read(forged)
			_, footer := parquet.ReadFooter[schema.Membership](bytes.NewReader(forged), int64(len(forged)))
			runtime.ReadMemStats(&after)
			if err == nil || fault.KindOf(err) != fault.Bug || fault.HintOf(err) == "" {
				t.Errorf("%d rows were read, and the error is %v (that of the footer %v)", rows, err, footer)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 100<<20 {
				t.Errorf("%d MiB were allocated for a file of %d bytes: %v", allocated>>20, len(forged), err)
			}
		})
	}
}

func read(file []byte) (rows int, err error) {
	for _, err := range parquet.Read[schema.Membership](bytes.NewReader(file), int64(len(file))) {
		if err != nil {
			return rows, err
		}
		rows++
	}
	return rows, nil
}

// first gives where the first page of a file with a dictionary lies, and its header.
func first(t *testing.T, file []byte) (at, length int, header format.PageHeader) {
	t.Helper()
	opened, err := library.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range opened.Metadata().RowGroups[0].Columns {
		if at = int(column.MetaData.DictionaryPageOffset); at != 0 {
			break
		}
	}
	var protocol thrift.CompactProtocol
	reader := protocol.NewReaderFromBytes(file[at:])
	if err := thrift.NewDecoder(reader).Decode(&header); err != nil {
		t.Fatal(err)
	}
	return at, reader.BytesRead(), header
}

// page changes the header of the first page; a longer one covers what follows.
func page(change func(*format.PageHeader)) func(t *testing.T, file []byte) []byte {
	return func(t *testing.T, file []byte) []byte {
		t.Helper()
		at, _, header := first(t, file)
		change(&header)
		encoded, err := thrift.Marshal(new(thrift.CompactProtocol), &header)
		if err != nil {
			t.Fatal(err)
		}
		copy(file[at:], encoded)
		return file
	}
}

// frame makes the compressed bytes of the first page claim a billion bytes.
func frame(t *testing.T, file []byte) []byte {
	t.Helper()
	at, length, _ := first(t, file)
	copy(file[at+length:], append([]byte{0x28, 0xB5, 0x2F, 0xFD, 0xA0}, binary.LittleEndian.AppendUint32(nil, 1<<30)...))
	return file
}
