// Package disk is everything that a run changes on the local file system, one step at a time.
//
// Whoever keeps something on disk (the state folder, the spool, sorted runs, the files of a
// snapshot, the local sink) changes it through a [Disk] that is handed in, so that a test can stop
// the world at any step, fill the disk, or take back what was never synced, and see what the next
// run makes of it. Reading is not part of it: what was read can't be lost.
//
// Durable is what was synced: a file's content by [File.Sync], its name by [Disk.SyncFolder] of the
// folder it stands in, and so on up. [Replace] and [Folder] do what is needed in the right order. Some file
// systems (CIFS, several of FUSE) can't sync folders and write names through by themselves, or not at all: there
// the sync of a folder does nothing, since no other way exists, while the sync of a file still fails where it
// fails. Errors are those of package os.
//
// In a folder that other programs write, too, symbolic links, pipes and devices may have been planted.
// [Beneath] confines a disk there, and [Tree] reads there: both go through plain folders and plain
// files only, and say so with [NotPlainError].
package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Disk is the local file system. It is safe for use by many goroutines.
type Disk interface {
	// Mkdir makes one folder; fs.ErrExist where something has its name.
	Mkdir(path string, mode fs.FileMode) error
	// MkdirAll makes a folder with its parents; one that is there is left as it is.
	MkdirAll(path string, mode fs.FileMode) error
	// Create makes an empty file, or empties the one that is there.
	Create(path string, mode fs.FileMode) (File, error)
	// Append opens a file at its end, and makes it where it is missing.
	Append(path string, mode fs.FileMode) (File, error)
	// Rename moves a file over whatever has the new name, or a folder to a name that is free.
	Rename(from, to string) error
	// Link gives a file a second name; fs.ErrExist where that is taken.
	Link(from, to string) error
	// Remove removes a file or an empty folder.
	Remove(path string) error
	// RemoveAll removes a folder with all in it; one that is gone is removed.
	RemoveAll(path string) error
	// SyncFolder makes the names in a folder survive a power cut.
	SyncFolder(path string) error
}

// File is a file being written.
type File interface {
	io.Writer
	io.WriterAt
	Sync() error
	Close() error
}

// OS is the real disk.
type OS struct {
	trees []Tree // below which it is confined; see [Beneath]
}

var _ Disk = OS{}

// Or is d, or the real disk where d is nil.
func Or(d Disk) Disk {
	if d == nil {
		return OS{}
	}
	return d
}

// Mkdir is os.Mkdir.
func (o OS) Mkdir(path string, mode fs.FileMode) error {
	return o.in(path, func(root *os.Root, name string) error { return root.Mkdir(name, mode) },
		func() error { return os.Mkdir(path, mode) })
}

// MkdirAll is os.MkdirAll.
func (o OS) MkdirAll(path string, mode fs.FileMode) error {
	if t, ok := o.tree(path); ok {
		return t.makeAll(path, mode)
	}
	return os.MkdirAll(path, mode)
}

// Create opens for writing and empties; where the disk is confined it makes a new file.
func (o OS) Create(path string, mode fs.FileMode) (File, error) {
	return o.open(path, mode, create, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
}

// Append opens for writing at the end.
func (o OS) Append(path string, mode fs.FileMode) (File, error) {
	return o.open(path, mode, add, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
}

// open keeps a nil *os.File from becoming a File that is not nil.
func (o OS) open(path string, mode fs.FileMode, confined func(root *os.Root, name, path string, mode fs.FileMode) (*os.File, error), flag int) (File, error) {
	var file *os.File
	err := o.in(path,
		func(root *os.Root, name string) (err error) { file, err = confined(root, name, path, mode); return err },
		func() (err error) { file, err = os.OpenFile(path, flag, mode); return err })
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Rename is os.Rename.
func (o OS) Rename(from, to string) error {
	return o.both(from, to, func(root *os.Root, from, to string) error { return root.Rename(from, to) },
		func() error { return os.Rename(from, to) })
}

// Link is os.Link.
func (o OS) Link(from, to string) error {
	link := func(root *os.Root, name, to string) error {
		if _, err := plainFile(root, name, from); err != nil {
			return err
		}
		return root.Link(name, to)
	}
	return o.both(from, to, link, func() error { return os.Link(from, to) })
}

// Remove is os.Remove.
func (o OS) Remove(path string) error {
	return o.in(path, func(root *os.Root, name string) error { return root.Remove(name) },
		func() error { return os.Remove(path) })
}

// RemoveAll is os.RemoveAll.
func (o OS) RemoveAll(path string) error {
	err := o.in(path, func(root *os.Root, name string) error { return root.RemoveAll(name) },
		func() error { return os.RemoveAll(path) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// SyncFolder opens the folder and syncs it. A file system that knows no sync of folders is content.
func (o OS) SyncFolder(path string) error {
	var folder *os.File
	err := o.in(path, func(root *os.Root, name string) (err error) {
		if err = plainFolder(root, name, path); err == nil {
			folder, err = root.Open(name)
		}
		return err
	}, func() (err error) { folder, err = os.Open(path); return err })
	if err != nil {
		return err
	}
	synced := folder.Sync()
	if errors.Is(synced, syscall.EINVAL) || errors.Is(synced, errors.ErrUnsupported) { // ENOTSUP, EOPNOTSUPP and ENOSYS among them
		synced = nil
	}
	return errors.Join(synced, folder.Close())
}

// Write makes a file of what from gives, whole and synced; its name is not durable yet. A file
// that could not be written is removed.
func Write(d Disk, path string, mode fs.FileMode, from io.Reader) (err error) {
	file, err := d.Create(path, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			_ = d.Remove(path)
		}
	}()
	if _, err := io.Copy(file, from); err != nil {
		return err
	}
	return file.Sync()
}

// Replace writes a small file at once and durably: readers see the old text or the new one, and so
// does who looks after a power cut.
func Replace(d Disk, path string, mode fs.FileMode, text []byte) error {
	aside := path + ".tmp"
	if err := Write(d, aside, mode, bytes.NewReader(text)); err != nil {
		return err
	}
	if err := d.Rename(aside, path); err != nil {
		return err
	}
	return d.SyncFolder(filepath.Dir(path))
}

// Folder makes a folder with its parents, as MkdirAll does, and the names of those it made durable.
func Folder(d Disk, path string, mode fs.FileMode) error {
	var parents []string // of what is missing, the deepest first
	for at := filepath.Clean(path); at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil {
			break
		}
		parents = append(parents, filepath.Dir(at))
	}
	if err := d.MkdirAll(path, mode); err != nil {
		return err
	}
	for _, parent := range slices.Backward(parents) {
		if err := d.SyncFolder(parent); err != nil {
			return err
		}
	}
	return nil
}

// Gone removes one file or empty folder, and is content where there is none.
func Gone(d Disk, path string) error {
	if err := d.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
