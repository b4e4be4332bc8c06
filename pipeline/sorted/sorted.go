// Package sorted sorts more byte records than fit in memory.
//
// A [Sorter] takes (key, value) records in any order and gives them back in ascending bytewise
// order of (key, value), streaming. It holds about as much memory as it was given, writes sorted
// runs into a folder of its own when that is full, and merges them without ever having more than
// 64 files open. What fits in memory never touches the disk.
//
// Keys of several parts are made with [AppendString], [AppendUint16] and their like, which keep
// the order of the parts; see encoding.go.
//
// An error of the disk ends the sort: nothing that was added is given back in part, and the
// error comes from Add, Sort or the cursor's Err. Runs are scratch, not state: they do not survive
// the process, and Close removes them.
package sorted

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"rollcall/schema/disk"
)

// MaxRecord is how many bytes one record may have, key and value together.
const MaxRecord = 1<<20 - 32

// fanIn is how many runs are merged at once; with the run that is being written and the
// folder itself, fewer than 64 files are open.
const fanIn = 60

// checkEvery is after how many records Check is looked at.
const checkEvery = 1024

// Sorter collects records and sorts them. It is for one goroutine at a time.
type Sorter struct {
	// Unique keeps of records with equal keys only the one with the smallest value.
	// It must be set before the first Add.
	Unique bool
	// Disk is where runs are written; nil is the real one. It must be set before the first Add, too.
	Disk disk.Disk
	// Check is looked at now and then while records are added and given back; its error ends the
	// sort. It must be set before the first Add; nil never ends one.
	Check func() error

	parent string
	folder string // made when the first run is written
	memory int
	batch  batch
	runs   []string // oldest first
	number int      // of runs written, for their names
	added  int
	err    error
}

// New makes a sorter that holds about memory bytes (at least 2 MiB, at most 2 GiB) and writes what
// exceeds them into a temporary folder inside dir. Dir must exist by then.
func New(dir string, memory int) *Sorter {
	return &Sorter{parent: dir, memory: min(max(memory, 2<<20), 2<<30)}
}

// Add copies one record. Value may be empty.
func (s *Sorter) Add(key, value []byte) error {
	if s.err != nil {
		return s.err
	}
	if len(key)+len(value) > MaxRecord {
		return fmt.Errorf("a record of %d bytes cannot be sorted: at most %d", len(key)+len(value), MaxRecord)
	}
	if s.added++; s.Check != nil && s.added%checkEvery == 0 {
		if s.err = s.Check(); s.err != nil {
			return s.err
		}
	}
	if !s.batch.fits(len(key)+len(value), s.memory) {
		if s.err = s.spill(); s.err != nil {
			return s.err
		}
	}
	s.batch.add(key, value)
	return nil
}

// Sort ends the adding and gives the records in order. The sorter's files belong to the cursor
// from then on: whoever has the cursor closes it, and need not close the sorter.
func (s *Sorter) Sort() (*Cursor, error) {
	if s.err != nil {
		return nil, s.err
	}
	s.err = fmt.Errorf("the sorter was already sorted")
	for len(s.runs) > fanIn {
		if err := s.mergeOldest(min(fanIn, len(s.runs)-fanIn+1)); err != nil {
			return nil, err
		}
	}
	s.batch.sort()
	s.batch.free = nil
	c, err := openCursor(s.runs, s.batch.readers(), s.Unique)
	if err != nil {
		return nil, err
	}
	c.remove, c.check = s.Close, s.Check
	return c, nil
}

// Close removes all temporary files. It is safe to call twice.
func (s *Sorter) Close() error {
	s.batch = batch{}
	s.runs = nil
	if s.err == nil {
		s.err = fmt.Errorf("the sorter is closed")
	}
	if s.folder == "" {
		return nil
	}
	folder := s.folder
	s.folder = ""
	return disk.Or(s.Disk).RemoveAll(folder)
}

// spill writes the batch as a run and empties it.
func (s *Sorter) spill() error {
	s.batch.sort()
	err := s.writeRun(&Cursor{tree: newTree(s.batch.readers()), unique: s.Unique})
	s.batch.reset()
	return err
}

// mergeOldest replaces the n oldest runs by one. The oldest are the smallest, so that each
// record is written as few times as possible.
func (s *Sorter) mergeOldest(n int) error {
	c, err := openCursor(s.runs[:n], nil, s.Unique)
	if err != nil {
		return err
	}
	defer c.Close()
	c.check = s.Check
	if err := s.writeRun(c); err != nil {
		return err
	}
	for _, path := range s.runs[:n] {
		if err := disk.Or(s.Disk).Remove(path); err != nil {
			return err
		}
	}
	s.runs = s.runs[n:]
	return nil
}

// makeFolder makes a folder that no other sorter has.
func (s *Sorter) makeFolder() error {
	for n := 1; ; n++ {
		folder := filepath.Join(s.parent, fmt.Sprintf("sorted-%d", n))
		err := disk.Or(s.Disk).Mkdir(folder, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			s.folder = folder
		}
		return err
	}
}

// writeRun writes all that c gives as the newest run.
func (s *Sorter) writeRun(c *Cursor) error {
	if s.folder == "" {
		if err := s.makeFolder(); err != nil {
			return fmt.Errorf("make a folder to sort in: %w", err)
		}
	}
	s.number++
	path := filepath.Join(s.folder, fmt.Sprintf("%06d.run", s.number))
	w, err := createRun(disk.Or(s.Disk), path)
	if err != nil {
		return err
	}
	for c.Next() {
		if err := w.write(c.Key(), c.Value()); err != nil {
			w.file.Close()
			return err
		}
	}
	if err := c.Err(); err != nil {
		w.file.Close()
		return err
	}
	s.runs = append(s.runs, path)
	return w.close()
}
