package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Tree is a folder in which other programs may write, too. Its own path may be a symbolic link; below
// it nothing is followed that is not a plain folder, and nothing is opened that is not a plain file: no
// symbolic link, pipe, socket or device. Paths are those of package os, and lie below the tree.
//
// A link that somebody plants between the look at a path and its use is not followed out of the tree
// either (os.Root).
type Tree struct{ Path string }

// NotPlainError says that something else lies where a plain file or folder must.
type NotPlainError struct {
	Path string
	What string // "a symbolic link"
}

// Error names it.
func (e *NotPlainError) Error() string { return e.Path + " is " + e.What }

// What names the kind of thing that has this mode: "a symbolic link".
func What(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	default:
		return "no plain file"
	}
}

// Open opens a plain file for reading, without waiting for anybody.
func (t Tree) Open(path string) (file *os.File, err error) {
	err = t.use(path, func(root *os.Root, name string) error {
		file, err = openPlain(root, name, path, os.O_RDONLY, 0)
		return err
	})
	return file, err
}

// ReadFile reads a plain file of at most limit bytes.
func (t Tree) ReadFile(path string, limit int64) ([]byte, error) {
	file, err := t.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return ReadAll(file, path, limit)
}

// Lstat describes what has the last name of path, without following it.
func (t Tree) Lstat(path string) (info fs.FileInfo, err error) {
	err = t.use(path, func(root *os.Root, name string) error {
		info, err = root.Lstat(name)
		return err
	})
	return info, err
}

// ReadDir lists a plain folder in the order of names.
func (t Tree) ReadDir(path string) (entries []fs.DirEntry, err error) {
	err = t.use(path, func(root *os.Root, name string) error {
		if err := plainFolder(root, name, path); err != nil {
			return err
		}
		folder, err := root.Open(name)
		if err != nil {
			return err
		}
		entries, err = folder.ReadDir(-1)
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		return errors.Join(err, folder.Close())
	})
	return entries, err
}

// below gives the name of path in the tree; false where it is the tree itself or lies elsewhere.
func (t Tree) below(path string) (name string, ok bool) {
	name, err := filepath.Rel(t.Path, path)
	return name, err == nil && name != "." && name != ".." && !strings.HasPrefix(name, ".."+string(filepath.Separator))
}

// use calls do with the tree's root and the name of path in it, all folders above which are plain.
// Errors name whole paths.
func (t Tree) use(path string, do func(root *os.Root, name string) error) error {
	name, err := filepath.Rel(t.Path, path)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(t.Path)
	if err != nil {
		return err
	}
	defer root.Close()
	for at := range parents(name) {
		if err := plainFolder(root, at, filepath.Join(t.Path, at)); err != nil {
			return err
		}
	}
	return t.whole(do(root, name))
}

// parents are the folders above a name, from the root on.
func parents(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i, c := range name {
			if c == filepath.Separator && !yield(name[:i]) {
				return
			}
		}
	}
}

// whole makes the names in an error whole paths.
func (t Tree) whole(err error) error {
	whole := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(t.Path, name)
	}
	switch e := err.(type) {
	case *fs.PathError:
		return &fs.PathError{Op: e.Op, Path: whole(e.Path), Err: e.Err}
	case *os.LinkError:
		return &os.LinkError{Op: e.Op, Old: whole(e.Old), New: whole(e.New), Err: e.Err}
	default:
		return err
	}
}

// plainFolder is an error where name is no plain folder.
func plainFolder(root *os.Root, name, path string) error {
	info, err := root.Lstat(name)
	switch {
	case err != nil:
		return &fs.PathError{Op: "open", Path: path, Err: reason(err)}
	case info.IsDir():
		return nil
	case info.Mode().IsRegular():
		return &fs.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
	default:
		return &NotPlainError{Path: path, What: What(info.Mode())}
	}
}

// reason is what went wrong, without the name at which it did.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// plainFile is what has the name, or an error where it is no plain file.
func plainFile(root *os.Root, name, path string) (fs.FileInfo, error) {
	info, err := root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = &NotPlainError{Path: path, What: What(info.Mode())}
	}
	return info, err
}

// openPlain opens a file that is there. It looks before it opens, since opening a device may do
// something, and after, since somebody may have put another thing there in between.
func openPlain(root *os.Root, name, path string, flag int, mode fs.FileMode) (*os.File, error) {
	before, err := plainFile(root, name, path)
	if err != nil {
		return nil, err
	}
	file, err := root.OpenFile(name, flag|syscall.O_NONBLOCK, mode)
	if err != nil {
		return nil, err
	}
	if after, err := file.Stat(); err != nil || !os.SameFile(before, after) {
		return nil, errors.Join(err, &NotPlainError{Path: path, What: "another file than a moment ago"}, file.Close())
	}
	return file, nil
}

// TooLargeError says that a file is larger than one of its kind can be. Nothing of it was read.
type TooLargeError struct {
	Path        string
	Size, Limit int64 // bytes
}

// Error names the file and its size.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s has %d bytes, more than the %d that such a file can have", e.Path, e.Size, e.Limit)
}
