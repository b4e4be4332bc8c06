package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"rollcall/schema/disk"
	"rollcall/sinks"
)

// Open reads one file.
func (s *Sink) Open(_ context.Context, path string) (io.ReadCloser, error) {
	return s.open(path)
}

// OpenAt opens one file for reading at any place.
func (s *Sink) OpenAt(_ context.Context, path string) (sinks.File, error) {
	opened, err := s.open(path)
	if err != nil {
		return nil, err
	}
	info, err := opened.Stat()
	if err != nil {
		return nil, errors.Join(classify(err, s.URL(path)), opened.Close())
	}
	return file{opened, info.Size()}, nil
}

// maxManifest bounds a manifest, in bytes.
const maxManifest = 64 << 20

// file is an open file and its size. A sealed name never comes to mean another file's bytes while
// it is open: files are replaced by new ones, not rewritten.
type file struct {
	*os.File
	size int64
}

func (f file) Size() int64 { return f.size }

func (s *Sink) open(path string) (*os.File, error) {
	if !fs.ValidPath(path) {
		return nil, classify(&fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}, path)
	}
	opened, err := s.tree.Open(s.URL(path))
	return opened, classify(err, s.URL(path))
}

// List walks the folder. Hidden folders at the root are the sink's own and left out.
func (s *Sink) List(_ context.Context, folder string) iter.Seq2[sinks.Object, error] {
	return func(yield func(sinks.Object, error) bool) {
		s.walk(strings.TrimSuffix(folder, "/"), yield)
	}
}

// walk goes through folder in the order of whole paths, in which "a.txt" comes before "a/b". It
// tells whether to go on.
func (s *Sink) walk(folder string, yield func(sinks.Object, error) bool) bool {
	entries, err := s.tree.ReadDir(s.URL(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if planted, ok := errors.AsType[*disk.NotPlainError](err); ok {
		if name, err := filepath.Rel(s.root, planted.Path); err == nil {
			return yield(sinks.Object{Path: filepath.ToSlash(name), NotPlain: planted.What}, nil)
		}
	}
	if err != nil {
		yield(sinks.Object{}, classify(err, s.URL(folder)))
		return false
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	for _, entry := range entries {
		name := path.Join(folder, entry.Name())
		switch {
		case name == stagingFolder:
		case entry.IsDir():
			if !s.walk(name, yield) {
				return false
			}
		default:
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed meanwhile
			}
			if err != nil {
				yield(sinks.Object{}, classify(err, s.URL(name)))
				return false
			}
			object := sinks.Object{Path: name, Size: info.Size()}
			if !info.Mode().IsRegular() {
				object.NotPlain = disk.What(info.Mode())
			}
			if !yield(object, nil) {
				return false
			}
		}
	}
	return true
}

func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}
