package disktest

import (
	"os"
	"path/filepath"
	"testing"
)

// Loss says what a crash takes with it.
type Loss int

// The losses.
const (
	Nothing    Loss = iota // a killed process: the system still has everything
	Some                   // power: any part of what was not synced
	Everything             // power: all of it
)

// String names the loss.
func (l Loss) String() string { return [...]string{"killed", "power cut", "power cut, all lost"}[l] }

// Losses are all of them.
func Losses() []Loss { return []Loss{Nothing, Some, Everything} }

// Lose takes back what was never synced. Names of one folder go from the newest backwards, as
// journals of file systems have it, each folder for itself. It is called when all who used the
// disk have ended; from then on the disk is of no more use.
func (d *Disk) Lose(t testing.TB, loss Loss) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashed = true
	if loss == Nothing {
		return
	}
	for path, c := range d.files {
		if info, err := os.Stat(path); err == nil && c != nil && info.Size() > c.synced {
			must(t, d.cut(path, c.synced, info.Size(), loss))
		}
	}
	kept := map[string]bool{} // folders that keep the rest of their names
	for i := len(d.names) - 1; i >= 0; i-- {
		c := d.names[i]
		folder := filepath.Dir(c.to)
		if loss == Some && d.random.IntN(3) == 0 {
			kept[folder] = true
		}
		if kept[folder] {
			continue
		}
		d.names = d.names[:i]
		must(t, d.undo(c, loss))
	}
}

// cut shortens a file to what may be left of it, or leaves zeros where content should be.
func (d *Disk) cut(path string, synced, size int64, loss Loss) error {
	if loss == Everything {
		return os.Truncate(path, synced)
	}
	left := synced + d.random.Int64N(size-synced+1)
	if err := os.Truncate(path, left); err != nil || d.random.IntN(2) == 0 {
		return err
	}
	return os.Truncate(path, size)
}

// undo takes one change of a name back, as far as what it was about is still there.
func (d *Disk) undo(c *change, loss Loss) error {
	switch c.operation {
	case Create:
		return os.RemoveAll(c.to)
	case Rename:
		if missing(c.to) || missing(filepath.Dir(c.from)) { // a folder that is gone for good has no names
			return nil
		}
		if err := os.Rename(c.to, c.from); err != nil {
			return err
		}
		d.moved(c.to, c.from)
		return putBack(c)
	default:
		if missing(filepath.Dir(c.to)) || !missing(c.to) { // or something else took the name since
			return nil
		}
		if c.saved == "" {
			return os.Mkdir(c.to, 0o700)
		}
		if c.inside && loss == Some {
			if err := d.thin(c.saved); err != nil {
				return err
			}
		}
		return os.Rename(c.saved, c.to)
	}
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return err != nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
