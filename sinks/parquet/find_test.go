package parquet_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"rollcall/schema"
	"rollcall/sinks/parquet"
)

// counting counts the bytes that are read of a file.
type counting struct {
	io.ReaderAt
	read int
}

func (c *counting) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, at)
	c.read += n
	return n, err
}

func TestFindGivesTheRowsThatAFullReadWould(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var rows []schema.Membership
	for g := range 3000 {
		for u := range 100 {
			rows = append(rows, schema.Membership{Source: "rongcloud.prod", GroupID: fmt.Sprintf("%s%06d", strings.Repeat("long", 10), g), UserID: fmt.Sprintf("%sü%09d", strings.Repeat("u", 40), (g*37+u*1009)%50_000)})
		}
	}
	slices.SortFunc(rows, func(a, b schema.Membership) int {
		return strings.Compare(a.GroupID+"\x00"+a.UserID, b.GroupID+"\x00"+b.UserID)
	})
	w := parquet.NewWriter[schema.Membership](t.TempDir(), schema.Tables()[0], parquet.Options{})
	if err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	files, err := w.Close()
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	disk, err := os.Open(files[0].LocalPath)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	for range 4 {
		picked := rows[random.IntN(len(rows))]
		for _, where := range [][]parquet.Equal{
			{{Column: "group_id", Value: picked.GroupID}},
			{{Column: "user_id", Value: picked.UserID}},
			{{Column: "source", Value: picked.Source}, {Column: "group_id", Value: picked.GroupID}, {Column: "user_id", Value: picked.UserID}},
			{{Column: "user_id", Value: picked.UserID + "x"}},
			{{Column: "group_id", Value: ""}},
		} {
			var want, got []string
			for _, r := range rows {
				values := map[string]string{"source": r.Source, "group_id": r.GroupID, "user_id": r.UserID}
				if !slices.ContainsFunc(where, func(e parquet.Equal) bool { return values[e.Column] != e.Value }) {
					want = append(want, r.GroupID+" "+r.UserID)
				}
			}
			for r, err := range parquet.Find[schema.Membership](disk, files[0].Size, where...) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, r.GroupID+" "+r.UserID)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%v: %d rows, want %d", where, len(got), len(want))
			}
		}
	}
	counted := &counting{ReaderAt: disk}
	for range parquet.Find[schema.Membership](counted, files[0].Size, parquet.Equal{Column: "user_id", Value: "nobody"}) {
		t.Error("nobody was found")
	}
	if int64(counted.read) > files[0].Size/2 {
		t.Errorf("looking for nobody read %d bytes of %d", counted.read, files[0].Size)
	}
	for _, column := range []string{"role", "no_such", "disputed"} {
		for _, err := range parquet.Find[schema.Membership](disk, files[0].Size, parquet.Equal{Column: column}) {
			if err == nil {
				t.Errorf("%s was taken", column)
			}
		}
	}
}
