package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// confiner is a disk that can be confined; see [Beneath].
type confiner interface {
	Confine(root string) Disk
}

// Beneath is d, which below root goes through plain folders only and never opens what is there: below
// root, Create makes a file that is new or gives an error. Elsewhere it is d. A disk of another
// package that has no method Confine(root string) Disk stays as it is.
func Beneath(d Disk, root string) Disk {
	switch d := d.(type) {
	case OS:
		return OS{trees: append(d.trees[:len(d.trees):len(d.trees)], Tree{root})}
	case confiner:
		return d.Confine(root)
	default:
		return d
	}
}

// tree is the one below which path lies, the innermost of several.
func (o OS) tree(path string) (inner Tree, ok bool) {
	for _, t := range o.trees {
		if _, below := t.below(path); below && len(t.Path) >= len(inner.Path) {
			inner, ok = t, true
		}
	}
	return inner, ok
}

// in does one thing to path: confined where it lies below a tree, else plain.
func (o OS) in(path string, confined func(root *os.Root, name string) error, plain func() error) error {
	if t, ok := o.tree(path); ok {
		return t.use(path, confined)
	}
	return plain()
}

// both does one thing to two paths. Where they lie below the same tree, it happens in there.
func (o OS) both(from, to string, confined func(root *os.Root, from, to string) error, plain func() error) error {
	t, ok := o.tree(to)
	if !ok {
		return plain()
	}
	name, below := t.below(from)
	if !below {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: errors.ErrUnsupported}
	}
	return t.use(from, func(*os.Root, string) error {
		return t.use(to, func(root *os.Root, to string) error { return confined(root, name, to) })
	})
}

// makeAll makes a folder and those above it, all of them plain.
func (t Tree) makeAll(path string, mode fs.FileMode) error {
	if err := os.MkdirAll(t.Path, mode); err != nil {
		return err
	}
	root, err := os.OpenRoot(t.Path)
	if err != nil {
		return err
	}
	defer root.Close()
	name, _ := t.below(path)
	for at := range parents(name + string(filepath.Separator)) {
		if err := root.Mkdir(at, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return t.whole(err)
		}
		if err := plainFolder(root, at, filepath.Join(t.Path, at)); err != nil {
			return err
		}
	}
	return nil
}

// create makes a file that is not there yet.
func create(root *os.Root, name, path string, mode fs.FileMode) (*os.File, error) {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		if _, other := plainFile(root, name, path); other != nil && !errors.Is(other, fs.ErrNotExist) {
			return nil, other
		}
	}
	return file, err
}

// add opens a plain file at its end, and makes it where it is missing.
func add(root *os.Root, name, path string, mode fs.FileMode) (*os.File, error) {
	file, err := openPlain(root, name, path, os.O_WRONLY|os.O_APPEND, mode)
	if errors.Is(err, fs.ErrNotExist) {
		return create(root, name, path, mode)
	}
	return file, err
}

// ReadAll reads an open file to its end, unless it has more than limit bytes.
func ReadAll(file *os.File, path string, limit int64) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, &TooLargeError{Path: path, Size: info.Size(), Limit: limit}
	}
	content := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	_, err = content.ReadFrom(io.LimitReader(file, limit+1))
	if err == nil && int64(content.Len()) > limit {
		err = &TooLargeError{Path: path, Size: int64(content.Len()), Limit: limit}
	}
	return content.Bytes(), err
}
