package sorted_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"rollcall/pipeline/sorted"
)

type record struct{ key, value string }

func compare(a, b record) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value))
}

// collect sorts records with a sorter and returns what the cursor gave.
func collect(t testing.TB, s *sorted.Sorter, records []record) []record {
	t.Helper()
	for _, r := range records {
		if err := s.Add([]byte(r.key), []byte(r.value)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.Sort()
	if err != nil {
		t.Fatal(err)
	}
	var got []record
	for c.Next() {
		got = append(got, record{string(c.Key()), string(c.Value())})
	}
	if err := c.Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRecordsComeBackInOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	text := func(length, letters int) string {
		b := make([]byte, random.IntN(length+1))
		for i := range b {
			b[i] = byte(random.IntN(letters))
		}
		return string(b)
	}
	shapes := map[string]func(i int) record{
		"short keys of few letters, many equal": func(int) record { return record{text(4, 2), text(2, 2)} },
		"keys that share a long prefix":         func(int) record { return record{"rongcloud.prod:" + text(40, 3), text(9, 200)} },
		"all records the same":                  func(int) record { return record{"key", "value"} },
		"keys that differ in trailing zeros":    func(int) record { return record{string(make([]byte, random.IntN(30))), ""} },
		"already ascending":                     func(i int) record { return record{fmt.Sprintf("%020d", i), "x"} },
		"values of several pages":               func(i int) record { return record{text(6, 256), string(make([]byte, random.IntN(3000)))} },
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			records := make([]record, 60_000)
			for i := range records {
				records[i] = shape(i)
			}
			dir := t.TempDir()
			got := collect(t, sorted.New(dir, 1<<20), records)
			slices.SortFunc(records, compare)
			if !slices.Equal(got, records) {
				t.Fatal("not the records that were added, or not in order")
			}
			wantEmpty(t, dir)
		})
	}
}

func TestUniqueKeepsTheSmallestValueOfEachKey(t *testing.T) {
	t.Parallel()
	s := sorted.New(t.TempDir(), 1<<20)
	s.Unique = true
	var records []record
	for i := range 300_000 {
		records = append(records, record{fmt.Sprint(i * 7919 % 1000), fmt.Sprintf("%06d", 299_999-i)})
	}
	got := collect(t, s, records)
	slices.SortFunc(records, compare)
	want := slices.CompactFunc(records, func(a, b record) bool { return a.key == b.key })
	if !slices.Equal(got, want) {
		t.Fatalf("got %d records, want %d", len(got), len(want))
	}
}

func TestMoreRunsThanFilesMayBeOpenAreMergedInPasses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := sorted.New(dir, 1)
	const n = 150
	value := make([]byte, 900_000) // a run of its own
	for i := range n {
		if err := s.Add(fmt.Appendf(nil, "%03d", i*89%n), value); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.Sort()
	if err != nil {
		t.Fatal(err)
	}
	if runs, _ := os.ReadDir(dir); len(runs) != 1 {
		t.Fatalf("%d folders in the scratch folder, want 1", len(runs))
	}
	for i := range n {
		if !c.Next() || string(c.Key()) != fmt.Sprintf("%03d", i) || len(c.Value()) != len(value) {
			t.Fatalf("record %d is %q: %v", i, c.Key(), c.Err())
		}
	}
	if c.Next() {
		t.Fatal("a record too many")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantEmpty(t, dir)
}

func TestWhatFitsInMemoryNeverTouchesTheDisk(t *testing.T) {
	t.Parallel()
	if got := collect(t, sorted.New("/nonexistent", 1<<20), []record{{"b", "2"}, {"a", "1"}}); len(got) != 2 {
		t.Fatalf("got %v", got)
	}
	if got := collect(t, sorted.New("/nonexistent", 1<<20), nil); got != nil {
		t.Fatalf("nothing added gave %v", got)
	}
}

func TestTooLargeRecordIsRefused(t *testing.T) {
	t.Parallel()
	s := sorted.New(t.TempDir(), 1<<20)
	if err := s.Add(nil, make([]byte, sorted.MaxRecord+1)); err == nil {
		t.Fatal("accepted")
	}
	if got := collect(t, s, []record{{"", string(make([]byte, sorted.MaxRecord))}}); len(got) != 1 {
		t.Fatalf("got %d records", len(got))
	}
}

func TestFullDiskIsToldAndScratchRemoved(t *testing.T) {
	t.Parallel()
	s := sorted.New("/nonexistent", 1)
	var err error
	for range 100_000 {
		if err = s.Add([]byte("a key of forty bytes, more or less"), nil); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("a folder that is not there was no error")
	}
	if _, again := s.Sort(); again == nil {
		t.Fatal("sort after an error gave records")
	}
}

func TestClosedSorterLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := sorted.New(dir, 1)
	for i := range 100_000 {
		if err := s.Add(fmt.Appendf(nil, "%040d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantEmpty(t, dir)
	if err := s.Close(); err != nil {
		t.Fatal("second close:", err)
	}
}

func wantEmpty(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
}

func FuzzEncodingKeepsOrderAndComesBack(f *testing.F) {
	f.Add("a", "b", "a\x00", "b", uint64(1), uint64(2))
	f.Add("", "\x00\x01", "\x00", "\xff", uint64(256), uint64(255))
	f.Fuzz(func(t *testing.T, a1, a2, b1, b2 string, an, bn uint64) {
		encode := func(s1 string, n uint64, s2 string) []byte {
			return sorted.AppendString(sorted.AppendUint64(sorted.AppendString(nil, s1), n), s2)
		}
		a, b := encode(a1, an, a2), encode(b1, bn, b2)
		want := cmp.Or(cmp.Compare(a1, b1), cmp.Compare(an, bn), cmp.Compare(a2, b2))
		if got := bytes.Compare(a, b); got != want {
			t.Fatalf("(%q %d %q) against (%q %d %q): %d, want %d", a1, an, a2, b1, bn, b2, got, want)
		}
		first, rest, err := sorted.CutString(a)
		if err != nil || string(first) != a1 {
			t.Fatalf("%q came back as %q, %v", a1, first, err)
		}
		number, rest, err := sorted.CutUint64(rest)
		if err != nil || number != an {
			t.Fatalf("%d came back as %d, %v", an, number, err)
		}
		second, rest, err := sorted.CutString(rest)
		if err != nil || string(second) != a2 || len(rest) != 0 {
			t.Fatalf("%q came back as %q and %q, %v", a2, second, rest, err)
		}
	})
}

func FuzzCutStringReadsOnlyWhatAppendStringWrites(f *testing.F) {
	f.Add([]byte("a\x00\xff\x00\x01rest"))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, key []byte) {
		text, rest, err := sorted.CutString(key)
		if err != nil {
			return
		}
		if again := append(sorted.AppendString(nil, string(text)), rest...); !bytes.Equal(again, key) {
			t.Fatalf("%x was read as %q and %q, which is written %x", key, text, rest, again)
		}
	})
}

func TestShortNumbersAreFaults(t *testing.T) {
	t.Parallel()
	key := sorted.AppendUint32(sorted.AppendUint16(nil, 7), 9)
	small, rest, err := sorted.CutUint16(key)
	if err != nil || small != 7 {
		t.Fatal(small, err)
	}
	if _, _, err := sorted.CutUint64(rest); err == nil {
		t.Fatal("eight bytes were read of four")
	}
	large, rest, err := sorted.CutUint32(rest)
	if err != nil || large != 9 || len(rest) != 0 {
		t.Fatal(large, rest, err)
	}
	if _, _, err := sorted.CutUint16(rest); err == nil {
		t.Fatal("two bytes were read of none")
	}
}

// BenchmarkTenMillion sorts memberships as the merge does: (source, group, user).
func BenchmarkTenMillion(b *testing.B) {
	random := rand.New(rand.NewPCG(3, 4))
	for b.Loop() {
		s := sorted.New(b.TempDir(), 64<<20)
		var key []byte
		for range 10_000_000 {
			key = sorted.AppendString(key[:0], "rongcloud.prod")
			key = sorted.AppendString(key, fmt.Sprintf("g%07d", random.IntN(1_000_000)))
			key = sorted.AppendString(key, fmt.Sprintf("u%08d", random.IntN(10_000_000)))
			if err := s.Add(key, []byte{1}); err != nil {
				b.Fatal(err)
			}
		}
		c, err := s.Sort()
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for c.Next() {
			n++
		}
		if err := c.Close(); err != nil || n != 10_000_000 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e7, "ns/record")
}
