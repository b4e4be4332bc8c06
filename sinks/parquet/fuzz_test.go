package parquet_test

import (
	"bytes"
	"os"
	"testing"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks/parquet"
)

// FuzzRead alters and cuts a file. It is then read to its end or is a fault that says what to do: there is
// no crash and no endless reading.
func FuzzRead(f *testing.F) {
	files := write(f, f.TempDir(), members(300), 300, parquet.Options{})
	whole, err := os.ReadFile(files[0].LocalPath)
	if err != nil {
		f.Fatal(err)
	}
	end := uint32(len(whole))
	f.Add(uint32(4), uint32(0), []byte{})
	f.Add(end-8, uint32(0), []byte{0xff, 0xff, 0xff, 0x7f}) // the footer's length
	f.Add(end-60, uint32(0), []byte{0x5a, 0, 0xff})         // the footer
	f.Add(uint32(0), uint32(9), []byte("PAR1"))
	f.Fuzz(func(t *testing.T, at, cut uint32, patch []byte) {
		altered := bytes.Clone(whole)
		copy(altered[int(at)%len(altered):], patch)
		altered = altered[:len(altered)-int(cut)%len(altered)]
		rows := 0
		for row, err := range parquet.Read[schema.Membership](bytes.NewReader(altered), int64(len(altered))) {
			if err != nil {
				if row != nil || fault.KindOf(err) != fault.Bug || fault.HintOf(err) == "" {
					t.Errorf("row %v, not a fault with a hint: %v", row, err)
				}
				return
			}
			if rows++; rows > 1<<20 {
				t.Fatal("a file of 300 rows is read without end")
			}
		}
	})
}
