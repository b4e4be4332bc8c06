// Package disktest is a disk that fails when it is told to, for tests.
//
// A [Disk] numbers every step that is taken through it, from 1. At one of them it can crash: that
// step happens in part or not at all, and every later one fails with [ErrCrash], as if the process
// had been killed. Before any step it can be refused, as by a full disk. When the run has ended,
// [Disk.Lose] takes back what was never synced, as a disk does that lost its power: contents up to
// their last sync, names up to the last sync of their folder.
//
// It works on real files, so that everything that reads them may do so as ever.
package disktest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rollcall/schema/disk"
)

// ErrCrash is what every step gives from the crash on.
var ErrCrash = errors.New("the machine has stopped")

// The names of the steps.
const (
	Mkdir      = "mkdir"
	Create     = "create"
	Write      = "write"
	Sync       = "sync"
	Close      = "close"
	Rename     = "rename"
	Link       = "link"
	Remove     = "remove"
	RemoveAll  = "remove all"
	SyncFolder = "sync folder"
)

// Options say what goes wrong, and when.
type Options struct {
	Crash  int                                // the step at which the world ends; 0: never
	Seed   uint64                             // decides what happens of that step, and what is lost
	Before func(operation, path string) error // refuses a step where it gives an error; half of a refused write happens
}

// Disk is the real disk with faults.
type Disk struct {
	real    disk.Disk
	options Options
	trash   string

	mu      sync.Mutex
	random  *rand.Rand
	steps   []string
	crashed bool
	files   map[string]*content
	names   []*change // that no sync of their folder has made durable, oldest first
	removed int
}

// content is a file's, under whatever names: how much of it would survive.
type content struct{ synced int64 }

// change is one name that came, went or moved.
type change struct {
	operation string
	from, to  string // to is the name that a rename or a creation made
	saved     string // in the trash: what had the name before; empty: nothing, or a folder that was empty
	inside    bool   // saved is a folder whose files may go on their own
}

// New makes a disk.
func New(t testing.TB, o Options) *Disk {
	return &Disk{real: disk.OS{}, options: o, trash: t.TempDir(), random: rand.New(rand.NewPCG(o.Seed, 7)), files: map[string]*content{}}
}

// Confine confines the real disk below root; see [disk.Beneath].
func (d *Disk) Confine(root string) disk.Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.real = disk.Beneath(d.real, root)
	return d
}

// Steps tells how many steps were taken, the refused ones included.
func (d *Disk) Steps() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.steps)
}

// Step names a step, for messages.
func (d *Disk) Step(n int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n < 1 || n > len(d.steps) {
		return "no step"
	}
	return d.steps[n-1]
}

// Crashed tells whether the crash has come.
func (d *Disk) Crashed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.crashed
}

// step takes one step: do is called if it happens, and part where a write is cut in half.
// The caller holds d.mu.
func (d *Disk) step(operation, path string, do, part func() error) error {
	if d.crashed {
		return ErrCrash
	}
	d.steps = append(d.steps, operation+" "+path)
	if d.options.Crash == len(d.steps) {
		d.crashed = true
		switch d.random.IntN(3) {
		case 0:
			_ = do()
		case 1:
			_ = part()
		}
		return ErrCrash
	}
	if d.options.Before != nil {
		if err := d.options.Before(operation, path); err != nil {
			_ = part()
			return err
		}
	}
	return do()
}

func nothing() error { return nil }

// Mkdir is a step.
func (d *Disk) Mkdir(path string, mode fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step(Mkdir, path, func() error { return d.born(path, d.real.Mkdir(path, mode)) }, nothing)
}

// MkdirAll is a step for each folder that is missing, and one where none is.
func (d *Disk) MkdirAll(path string, mode fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var missing []string
	for at := path; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		missing = append(missing, at)
	}
	if len(missing) == 0 {
		return d.step(Mkdir, path, func() error { return d.real.MkdirAll(path, mode) }, nothing)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		if err := d.step(Mkdir, missing[i], func() error { return d.born(missing[i], d.real.MkdirAll(missing[i], mode)) }, nothing); err != nil {
			return err
		}
	}
	return nil
}

// born remembers that the name is new.
func (d *Disk) born(path string, err error) error {
	if err == nil {
		d.names = append(d.names, &change{operation: Create, to: path})
	}
	return err
}

// Create is a step.
func (d *Disk) Create(path string, mode fs.FileMode) (disk.File, error) {
	return d.open(path, mode, disk.Disk.Create, true)
}

// Append is a step.
func (d *Disk) Append(path string, mode fs.FileMode) (disk.File, error) {
	return d.open(path, mode, disk.Disk.Append, false)
}

func (d *Disk) open(path string, mode fs.FileMode, how func(disk.Disk, string, fs.FileMode) (disk.File, error), emptied bool) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var file disk.File
	err := d.step(Create, path, func() (err error) {
		_, missing := os.Lstat(path)
		if file, err = how(d.real, path, mode); err != nil {
			return err
		}
		if missing != nil {
			_ = d.born(path, nil)
		}
		if d.files[path] == nil || missing != nil {
			d.files[path] = &content{synced: sizeOf(path)}
		}
		if emptied {
			d.files[path].synced = 0
		}
		return nil
	}, nothing)
	if err != nil {
		if file != nil {
			_ = file.Close()
		}
		return nil, err
	}
	return &watched{disk: d, real: file, path: path, content: d.files[path]}, nil
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// watched is an open file.
type watched struct {
	disk    *Disk
	real    disk.File
	path    string // at which it was opened
	content *content
}

// Write is a step; a crash or a refusal may leave half of it.
func (f *watched) Write(p []byte) (n int, err error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err = f.disk.step(Write, f.path,
		func() (err error) { n, err = f.real.Write(p); return err },
		func() (err error) { n, err = f.real.Write(p[:len(p)/2]); return err })
	return n, err
}

// WriteAt is a step as Write is.
func (f *watched) WriteAt(p []byte, offset int64) (n int, err error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err = f.disk.step(Write, f.path,
		func() (err error) { n, err = f.real.WriteAt(p, offset); return err },
		func() (err error) { n, err = f.real.WriteAt(p[:len(p)/2], offset); return err })
	return n, err
}

// Sync is a step. The content is remembered as durable; the real disk is not waited for.
func (f *watched) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.disk.step(Sync, f.path, func() error {
		info, err := f.real.(*os.File).Stat()
		if err != nil {
			return err
		}
		f.content.synced = info.Size()
		return nil
	}, nothing)
}

// Close is a step; the real file is closed in any case.
func (f *watched) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	closed := f.real.Close()
	return f.disk.step(Close, f.path, func() error { return closed }, nothing)
}

// Rename is a step.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step(Rename, to, func() error {
		c := &change{operation: Rename, from: from, to: to}
		if _, err := os.Lstat(to); err == nil {
			c.saved = d.bin()
			if err := os.Rename(to, c.saved); err != nil {
				return err
			}
		}
		if err := d.real.Rename(from, to); err != nil {
			return errors.Join(err, putBack(c))
		}
		d.moved(from, to)
		d.names = append(d.names, c)
		return nil
	}, nothing)
}

func putBack(c *change) error {
	if c.saved == "" {
		return nil
	}
	return os.Rename(c.saved, c.to)
}

// moved tells everything that lies at or below a name that it lies elsewhere now.
func (d *Disk) moved(from, to string) {
	move := func(path string) string {
		if path == from {
			return to
		}
		if rest, below := strings.CutPrefix(path, from+string(filepath.Separator)); below {
			return filepath.Join(to, rest)
		}
		return path
	}
	files := make(map[string]*content, len(d.files))
	for path, c := range d.files {
		if path != to { // what had the name is gone
			files[move(path)] = c
		}
	}
	d.files = files
	for _, c := range d.names {
		if filepath.Dir(c.to) != filepath.Dir(from) { // a change beside it is undone before or after it, under its own names
			c.from, c.to = move(c.from), move(c.to)
		}
	}
}

// Link is a step.
func (d *Disk) Link(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step(Link, to, func() error {
		if err := d.real.Link(from, to); err != nil {
			return err
		}
		d.files[to] = d.files[from]
		return d.born(to, nil)
	}, nothing)
}

// Remove is a step.
func (d *Disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step(Remove, path, func() error {
		if info, err := os.Lstat(path); err == nil && !info.IsDir() {
			return d.discard(path, false)
		}
		if err := d.real.Remove(path); err != nil {
			return err
		}
		d.names = append(d.names, &change{operation: Remove, to: path})
		return nil
	}, nothing)
}

// RemoveAll is a step. A crash may leave a part of the folder.
func (d *Disk) RemoveAll(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step(RemoveAll, path, func() error {
		info, err := os.Lstat(path)
		if err != nil {
			return d.real.RemoveAll(path)
		}
		return d.discard(path, info.IsDir())
	}, func() error { return d.thin(path) })
}

func (d *Disk) bin() string {
	d.removed++
	return filepath.Join(d.trash, fmt.Sprint(d.removed))
}

// discard moves path to the trash.
func (d *Disk) discard(path string, inside bool) error {
	saved := d.bin()
	if err := os.Rename(path, saved); err != nil {
		return err
	}
	d.names = append(d.names, &change{operation: Remove, to: path, saved: saved, inside: inside})
	return nil
}

// thin removes some of the files in a folder.
func (d *Disk) thin(folder string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || d.random.IntN(2) == 0 {
			return err
		}
		return os.Remove(path)
	})
}

// SyncFolder is a step.
func (d *Disk) SyncFolder(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step(SyncFolder, path, func() error {
		if _, err := os.Stat(path); err != nil {
			return err
		}
		kept := d.names[:0]
		for _, c := range d.names {
			if filepath.Dir(c.to) != filepath.Clean(path) {
				kept = append(kept, c)
			}
		}
		d.names = kept
		return nil
	}, nothing)
}
