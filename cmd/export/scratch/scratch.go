// Package scratch gives a command a folder for temporary files.
//
// It promises: the folder is a private one and is gone when the command has ended, whether by
// itself or by a signal; what a process left that was killed is swept by the next one that makes a
// folder in the same place, and the folder of a process that lives is never touched: it holds a lock
// that ends with it. Where no folder can be made, that is a Configuration fault that names TMPDIR.
package scratch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"rollcall/schema/fault"
)

const (
	prefix   = "rollcall-scratch-"
	lockName = "rollcall.lock" // inside a folder
)

// Folder is a folder for temporary files.
type Folder struct {
	Path string // of an empty folder
	root string // which holds it and the lock
	lock *flock.Flock
}

// abandoned is how old a folder is that has no lock and never will: whoever made it was killed right then.
const abandoned = 10 * time.Minute

// New sweeps what dead processes left in parent, and makes a folder in it.
func New(parent string, now func() time.Time) (*Folder, error) {
	sweep(parent, now())
	for range 100 { // a sweeper may take a folder whose lock is not held yet
		f, err := create(parent)
		if f != nil || err != nil {
			return f, err
		}
	}
	return nil, unusable(parent, errors.New("another process takes it away"))
}

// create makes a folder and locks it; nil where a sweeper was faster.
func create(parent string) (*Folder, error) {
	path, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return nil, unusable(parent, err)
	}
	lock := flock.New(filepath.Join(path, lockName))
	held, err := lock.TryLock()
	if errors.Is(err, fs.ErrNotExist) || err == nil && !held {
		return nil, nil
	}
	if err != nil {
		_ = os.RemoveAll(path) // the first error is the one to tell
		return nil, unusable(parent, err)
	}
	if _, err := os.Lstat(lock.Path()); err != nil {
		_ = lock.Close()
		return nil, nil
	}
	f := &Folder{Path: filepath.Join(path, "files"), root: path, lock: lock}
	if err := os.Mkdir(f.Path, 0o700); err != nil {
		f.Remove()
		return nil, unusable(parent, err)
	}
	return f, nil
}

// Remove takes the folder away with all that is in it. It may be called twice and from another
// goroutine, while files are still being written.
func (f *Folder) Remove() {
	for range 3 { // a file may be made while its folder is being emptied
		if os.RemoveAll(f.root) == nil {
			break
		}
	}
	_ = f.lock.Close() // the file is gone
}

// sweep removes the folders of processes that are dead. What can't be removed is another user's.
func sweep(parent string, now time.Time) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return // New says so
	}
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), prefix) {
			continue
		}
		path := filepath.Join(parent, entry.Name())
		info, err := os.Lstat(filepath.Join(path, lockName))
		if made, broken := entry.Info(); errors.Is(err, fs.ErrNotExist) && broken == nil && now.Sub(made.ModTime()) > abandoned {
			_ = os.Remove(path) // which it only is where it is empty
		}
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		lock := flock.New(filepath.Join(path, lockName), flock.SetFlag(os.O_RDWR))
		if dead, err := lock.TryLock(); err == nil && dead {
			_ = os.RemoveAll(path) // scratch: whoever sweeps next tries again
		}
		_ = lock.Close()
	}
}

func unusable(parent string, err error) error {
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		err = cause.Err
	}
	return &fault.Error{Kind: fault.Configuration, Message: "no temporary folder can be made in " + parent, Hint: "set TMPDIR to a folder that exists and has space", Err: err}
}

// Check is the fault of a folder in which none could be made, since it is not there or is none.
func Check(parent string) error {
	info, err := os.Stat(parent)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return unusable(parent, err)
	}
	return nil
}
