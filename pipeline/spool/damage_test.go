package spool

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/ipc"

	"rollcall/schema/fault"
)

// oneRun makes a spool of one run of several batches and closes it; it returns the run's folder.
func oneRun(t testing.TB, o Options) (folder string, entries []Entry) {
	t.Helper()
	s, err := Open(o)
	must(t, err)
	r := rand.New(rand.NewPCG(5, 5))
	for range 10 {
		entries = append(entries, randomEntry(r, 9))
		must(t, s.Add(t.Context(), entries[len(entries)-1]))
	}
	must(t, s.Close())
	return filepath.Join(o.Dir, runName(1, 1)), entries
}

// readAll opens the spool and reads everything.
func readAll(t testing.TB, o Options) (contents, error) {
	s, err := Open(o)
	if err != nil {
		return contents{}, err
	}
	defer s.Close()
	var m contents
	rows, err := s.Rows(t.Context(), Filter{})
	if err != nil {
		return m, err
	}
	defer rows.Close()
	for rows.Next() {
		m.rows = append(m.rows, *rows.Row())
	}
	groups, err := s.Groups(t.Context(), Filter{})
	if err != nil {
		return m, err
	}
	defer groups.Close()
	for groups.Next() {
		m.groups = append(m.groups, *groups.Group())
	}
	records, err := s.Records(t.Context(), Filter{})
	if err != nil {
		return m, err
	}
	defer records.Close()
	for records.Next() {
		m.records = append(m.records, *records.Record())
	}
	return m, errors.Join(rows.Err(), groups.Err(), records.Err())
}

func files() []string { return []string{rowsFile, groupsFile, recordsFile, indexFile} }

func TestADamagedFileIsAFaultThatNamesIt(t *testing.T) {
	t.Parallel()
	cases := map[string]func(path string) error{
		"cut short": func(path string) error { return os.Truncate(path, 100) },
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"removed":   os.Remove,
		"changed in one bit": func(path string) error {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			raw[len(raw)/3] ^= 1
			return os.WriteFile(path, raw, 0o600)
		},
	}
	for name, damage := range cases {
		for _, file := range files() {
			t.Run(file+" "+name, func(t *testing.T) {
				t.Parallel()
				o := Options{Dir: t.TempDir(), Blocks: testBlocks(), Disk: hasty{}, batchRows: 7}
				folder, _ := oneRun(t, o)
				must(t, damage(filepath.Join(folder, file)))
				_, err := readAll(t, o)
				if err == nil || fault.KindOf(err) != fault.Bug {
					t.Fatalf("got %v", err)
				}
				if !strings.Contains(err.Error(), filepath.Join(folder, file)) || !strings.Contains(fault.HintOf(err), "again") {
					t.Errorf("%v names no file, or its hint no way out: %s", err, fault.HintOf(err))
				}
				var dropped []Damage
				o.Dropped = func(d Damage) { dropped = append(dropped, d) }
				got, err := readAll(t, o)
				if must(t, err); len(dropped) != 1 || dropped[0].Run != folder || !strings.Contains(dropped[0].Err.Error(), file) {
					t.Errorf("dropped %+v, want %s", dropped, folder)
				}
				same(t, got, contents{})
			})
		}
	}
}

func TestWithoutItsDamagedRunASpoolGoesOn(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Blocks: testBlocks(), Disk: hasty{}}
	folder, entries := oneRun(t, o)
	s, err := Open(o)
	must(t, err)
	must(t, s.Add(t.Context(), entries[0]))
	must(t, s.Close())
	must(t, os.RemoveAll(folder))
	got, err := readAll(t, o)
	must(t, err)
	same(t, got, sorted(o.Blocks, entries[:1]))
}

func TestAFileThatCantBeReadIsNotCalledDamaged(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Blocks: testBlocks(), Disk: hasty{}}
	folder, _ := oneRun(t, o)
	must(t, os.Remove(filepath.Join(folder, indexFile)))
	must(t, os.Mkdir(filepath.Join(folder, indexFile), 0o700))
	_, err := readAll(t, o)
	if err == nil || strings.Contains(err.Error(), "damaged") || strings.Contains(fault.HintOf(err), "remove") {
		t.Errorf("got %v, %s", err, fault.HintOf(err))
	}
}

func TestAnyArrowReaderOpensATable(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Blocks: testBlocks(), Disk: hasty{}, batchRows: 7}
	folder, entries := oneRun(t, o)
	want := sorted(o.Blocks, entries)
	for name, want := range map[string]int{rowsFile: len(want.rows), groupsFile: len(want.groups), recordsFile: len(want.records)} {
		f, err := os.Open(filepath.Join(folder, name))
		must(t, err)
		defer f.Close()
		table, err := ipc.NewFileReader(f)
		must(t, err)
		rows := 0
		for i := range table.NumRecords() {
			batch, err := table.Record(i)
			must(t, err)
			rows += int(batch.NumRows())
		}
		must(t, table.Close())
		if rows != want {
			t.Errorf("%s has %d rows, want %d", name, rows, want)
		}
	}
}

// FuzzRun damages a run's files. What is then read is what was written, or a fault: never something else.
func FuzzRun(f *testing.F) {
	f.Add(uint8(0), uint32(40), []byte{1})
	f.Add(uint8(1), uint32(900), []byte("ARROW1"))
	f.Add(uint8(2), uint32(8), []byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(uint8(3), uint32(0), []byte(`{"version":2}`))
	o := Options{Dir: f.TempDir(), Blocks: testBlocks(), Disk: hasty{}, batchRows: 7}
	folder, entries := oneRun(f, o)
	originals := map[string][]byte{}
	for _, name := range files() {
		raw, err := os.ReadFile(filepath.Join(folder, name))
		must(f, err)
		originals[name] = raw
	}
	want := sorted(o.Blocks, entries)
	f.Fuzz(func(t *testing.T, which uint8, at uint32, patch []byte) {
		o := o
		o.Dir = t.TempDir()
		folder := filepath.Join(o.Dir, runName(1, 1))
		must(t, os.Mkdir(folder, 0o700))
		damaged := files()[int(which)%len(files())]
		for name, raw := range originals {
			if name == damaged {
				raw = bytes.Clone(raw)
				copy(raw[int(at)%len(raw):], patch)
			}
			must(t, os.WriteFile(filepath.Join(folder, name), raw, 0o600))
		}
		got, err := readAll(t, o)
		if err != nil {
			if fault.KindOf(err) != fault.Bug || fault.HintOf(err) == "" {
				t.Errorf("not a fault with a hint: %v", err)
			}
			return
		}
		same(t, got, want)
	})
}
