package spool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

var errPower = errors.New("the power went")

// mortal is a disk whose power goes at its nth step. That step happens in part, later ones not at
// all, and whatever was not synced before may be lost.
type mortal struct {
	osDisk
	trash string

	mu       sync.Mutex
	left     int
	random   *rand.Rand
	unsynced map[string]int64  // files and how many of their bytes are synced
	renamed  map[string]string // since the folder was synced, new name to old
	moved    map[string]string // every rename
	born     map[string]bool   // files whose folder was not synced since
	removed  map[string]string // to where in the trash
}

func newMortal(t testing.TB, steps int, seed uint64) *mortal {
	return &mortal{
		trash: t.TempDir(), left: steps, random: rand.New(rand.NewPCG(seed, 7)),
		unsynced: map[string]int64{}, renamed: map[string]string{}, moved: map[string]string{}, born: map[string]bool{}, removed: map[string]string{},
	}
}

// step counts down: whether the caller's step happens, and the error it returns.
func (d *mortal) step() (happens bool, err error) {
	d.left--
	switch {
	case d.left > 0:
		return true, nil
	case d.left == 0:
		return d.random.IntN(2) == 0, errPower
	default:
		return false, errPower
	}
}

func (d *mortal) mkdir(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	happens, err := d.step()
	if happens {
		err = errors.Join(err, d.osDisk.mkdir(path))
	}
	return err
}

func (d *mortal) create(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	happens, err := d.step()
	if !happens {
		return nil, err
	}
	f, failed := hasty{}.create(path)
	d.unsynced[path], d.born[path] = 0, true
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	return &mortalFile{f, d, path}, nil
}

func (d *mortal) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	happens, err := d.step()
	if happens {
		err = errors.Join(err, os.Rename(from, to))
		d.renamed[to], d.moved[from] = from, to
	}
	return err
}

func (d *mortal) sync(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.step()
	if err == nil {
		for to := range d.renamed {
			if filepath.Dir(to) == dir {
				delete(d.renamed, to)
			}
		}
		for path := range d.born {
			if filepath.Dir(path) == dir {
				delete(d.born, path)
			}
		}
	}
	return err
}

func (d *mortal) remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	happens, err := d.step()
	if happens {
		to := filepath.Join(d.trash, fmt.Sprint(len(d.removed)))
		if os.Rename(path, to) == nil {
			d.removed[path] = to
		}
	}
	return err
}

type mortalFile struct {
	file
	disk *mortal
	path string
}

func (f *mortalFile) Write(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	happens, err := f.disk.step()
	if happens {
		n, failed := f.file.Write(p)
		return n, errors.Join(err, failed)
	}
	return 0, err
}

func (f *mortalFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	_, err := f.disk.step()
	if err == nil {
		info, failed := os.Stat(f.path)
		if failed != nil {
			return failed
		}
		f.disk.unsynced[f.path] = info.Size()
	}
	return err
}

// lose undoes part of what was never synced, as a disk does that lost its power.
func (d *mortal) lose(t testing.TB) {
	for path, size := range d.unsynced {
		unnamed := d.born[path] && d.random.IntN(2) == 0
		if to, ok := d.moved[filepath.Dir(path)]; ok {
			path = filepath.Join(to, filepath.Base(path))
		}
		if unnamed {
			os.Remove(path)
		}
		if info, err := os.Stat(path); err == nil && info.Size() > size {
			must(t, os.Truncate(path, size+d.random.Int64N(info.Size()-size+1)))
		}
	}
	for to, from := range d.renamed {
		if d.random.IntN(2) == 0 {
			must(t, os.Rename(to, from))
		}
	}
	for from, to := range d.removed {
		if d.random.IntN(4) > 0 {
			continue
		}
		files, _ := os.ReadDir(to)
		for _, f := range files {
			if d.random.IntN(2) == 0 {
				must(t, os.Remove(filepath.Join(to, f.Name())))
			}
		}
		if _, err := os.Stat(from); err != nil {
			must(t, os.Rename(to, from))
		}
	}
}

func TestACrashLosesOnlyWhatWasNotFlushed(t *testing.T) {
	t.Parallel()
	const flushes = 3*fanIn + 2
	crashes := 0
	for seed := range uint64(72) {
		steps := 1 + int(seed)*16
		if seed >= 36 { // around the first merge, closely
			steps = 12*fanIn + int(seed-36)*3
		}
		disk := newMortal(t, steps, seed)
		o := Options{Dir: filepath.Join(t.TempDir(), "spool"), Blocks: testBlocks(), disk: disk, batchRows: 5}
		r := rand.New(rand.NewPCG(seed, 3))
		entries, safe, err := work(o, r, flushes)
		if err != nil {
			crashes++
			if !errors.Is(err, errPower) {
				t.Fatalf("crash at step %d: %v", steps, err)
			}
		}
		disk.lose(t)

		o.disk = hasty{}
		s, err := Open(o)
		if err != nil {
			t.Fatalf("crash at step %d: %v", steps, err)
		}
		got := shown(t, s, Filter{})
		if len(got.records) < safe {
			t.Fatalf("crash at step %d: %d of %d flushed entries are left", steps, len(got.records), safe)
		}
		same(t, got, sorted(o.Blocks, entries[:len(got.records)]))
		for _, e := range entries[len(got.records):] {
			must(t, s.Add(t.Context(), e))
		}
		must(t, s.Flush(t.Context()))
		same(t, shown(t, s, Filter{}), sorted(o.Blocks, entries))
		must(t, s.Close())
	}
	if crashes < 50 {
		t.Errorf("only %d runs crashed: the steps lie too far apart", crashes)
	}
}

// work adds entries and flushes now and then, until it is done or the disk fails. Safe counts the
// entries that a flush had made durable.
func work(o Options, r *rand.Rand, flushes int) (entries []Entry, safe int, err error) {
	s, err := Open(o)
	if err != nil {
		return nil, 0, err
	}
	defer s.Close()
	for range flushes {
		for range 1 + r.IntN(3) {
			e := randomEntry(r, 6)
			if err := s.Add(context.Background(), e); err != nil {
				return entries, safe, err
			}
			entries = append(entries, e)
		}
		if err := s.Flush(context.Background()); err != nil {
			return entries, safe, err
		}
		safe = len(entries)
	}
	return entries, safe, s.Settle(context.Background())
}
