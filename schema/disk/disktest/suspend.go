package disktest

import (
	"errors"
	"io/fs"
	"sync"

	"rollcall/schema/disk"
)

// ErrSuspended is what steps give that other goroutines of a suspended user take.
var ErrSuspended = errors.New("the process is suspended")

// Suspended is a disk whose user, a process as it were, is suspended before one of its steps until
// [Suspended.Resume], while users of the same files with disks of their own go on. What other goroutines of
// the suspended process would do fails: in their place a real process would do nothing.
type Suspended struct {
	inner   disk.Disk
	at      int
	counts  func(operation, path string) bool
	reached chan struct{}
	resume  chan struct{}

	mu        sync.Mutex
	steps     []string
	suspended bool
}

var _ disk.Disk = (*Suspended)(nil)

// Suspend makes a disk over inner that suspends before the step number at, from 1, of those that
// counts tells to count; nil counts all. 0 suspends never.
func Suspend(inner disk.Disk, at int, counts func(operation, path string) bool) *Suspended {
	return &Suspended{inner: inner, at: at, counts: counts, reached: make(chan struct{}), resume: make(chan struct{})}
}

// Confine confines the disk; see [disk.Beneath].
func (s *Suspended) Confine(root string) disk.Disk {
	s.inner = disk.Beneath(s.inner, root)
	return s
}

// Reached is closed when the process is suspended.
func (s *Suspended) Reached() <-chan struct{} { return s.reached }

// Resume lets the process go on, or keeps it from being suspended. It is called once.
func (s *Suspended) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.suspended, s.at = false, 0
	close(s.resume)
}

// Steps are the names of the steps that counted, so far.
func (s *Suspended) Steps() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.steps...)
}

// step waits where this is the step to suspend before.
func (s *Suspended) step(operation, path string) error {
	s.mu.Lock()
	if s.suspended {
		s.mu.Unlock()
		return ErrSuspended
	}
	if s.counts == nil || s.counts(operation, path) {
		s.steps = append(s.steps, operation+" "+path)
		if len(s.steps) == s.at {
			s.suspended = true
			close(s.reached)
			s.mu.Unlock()
			<-s.resume
			return nil
		}
	}
	s.mu.Unlock()
	return nil
}

func (s *Suspended) do(operation, path string, do func() error) error {
	if err := s.step(operation, path); err != nil {
		return &fs.PathError{Op: operation, Path: path, Err: err}
	}
	return do()
}

// Mkdir is a step.
func (s *Suspended) Mkdir(path string, mode fs.FileMode) error {
	return s.do(Mkdir, path, func() error { return s.inner.Mkdir(path, mode) })
}

// MkdirAll is a step.
func (s *Suspended) MkdirAll(path string, mode fs.FileMode) error {
	return s.do(Mkdir, path, func() error { return s.inner.MkdirAll(path, mode) })
}

// Create is a step.
func (s *Suspended) Create(path string, mode fs.FileMode) (disk.File, error) {
	return s.open(path, func() (disk.File, error) { return s.inner.Create(path, mode) })
}

// Append is a step.
func (s *Suspended) Append(path string, mode fs.FileMode) (disk.File, error) {
	return s.open(path, func() (disk.File, error) { return s.inner.Append(path, mode) })
}

func (s *Suspended) open(path string, open func() (disk.File, error)) (disk.File, error) {
	var file disk.File
	err := s.do(Create, path, func() (err error) { file, err = open(); return err })
	if err != nil {
		return nil, err
	}
	return &suspendedFile{file, s, path}, nil
}

// Rename is a step.
func (s *Suspended) Rename(from, to string) error {
	return s.do(Rename, to, func() error { return s.inner.Rename(from, to) })
}

// Link is a step.
func (s *Suspended) Link(from, to string) error {
	return s.do(Link, to, func() error { return s.inner.Link(from, to) })
}

// Remove is a step.
func (s *Suspended) Remove(path string) error {
	return s.do(Remove, path, func() error { return s.inner.Remove(path) })
}

// RemoveAll is a step.
func (s *Suspended) RemoveAll(path string) error {
	return s.do(RemoveAll, path, func() error { return s.inner.RemoveAll(path) })
}

// SyncFolder is a step.
func (s *Suspended) SyncFolder(path string) error {
	return s.do(SyncFolder, path, func() error { return s.inner.SyncFolder(path) })
}

// suspendedFile is an open file of a process that may be suspended.
type suspendedFile struct {
	disk.File
	of   *Suspended
	path string
}

// Write is a step.
func (f *suspendedFile) Write(p []byte) (n int, err error) {
	err = f.of.do(Write, f.path, func() (err error) { n, err = f.File.Write(p); return err })
	return n, err
}

// WriteAt is a step.
func (f *suspendedFile) WriteAt(p []byte, offset int64) (n int, err error) {
	err = f.of.do(Write, f.path, func() (err error) { n, err = f.File.WriteAt(p, offset); return err })
	return n, err
}

// Sync is a step.
func (f *suspendedFile) Sync() error { return f.of.do(Sync, f.path, f.File.Sync) }

// Close is a step; the real file is closed in any case.
func (f *suspendedFile) Close() error {
	suspended := f.of.step(Close, f.path)
	return errors.Join(f.File.Close(), suspended)
}
