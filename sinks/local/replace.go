package local

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// readOld gives the manifest that seals date, if it is old; *sinks.SealedError where it is another.
func (s *Sink) readOld(date string, old sinks.Old) ([]byte, error) {
	path := sinks.ManifestPath(date)
	there, err := os.ReadFile(s.URL(path))
	if err != nil {
		return nil, classify(err, s.URL(path))
	}
	if !old.Is(there) {
		return nil, &sinks.SealedError{Place: s.root, Path: path}
	}
	return there, nil
}

// putAside gives the old manifest its second name, takes its first one away, which unseals the
// date, and then removes the date's files. Each step is on disk before the next begins: a power
// cut must not leave a manifest whose files are gone.
func (s *Sink) putAside(ctx context.Context, lock sinks.Lock, date string, old sinks.Old) error {
	if err := lock.Check(ctx); err != nil {
		return err
	}
	manifest, err := s.readOld(date, old)
	if err != nil {
		return err
	}
	from, to := s.URL(sinks.ManifestPath(date)), s.URL(old.To)
	if err := s.disk.MkdirAll(filepath.Dir(to), folderMode); err != nil {
		return err
	}
	if err := s.linkOld(from, to, manifest); err != nil {
		return err
	}
	if err := s.syncUp(to); err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), lock.Check(ctx)); err != nil {
		return err
	}
	if err := disk.Gone(s.disk, from); err != nil {
		return err
	}
	if err := s.disk.SyncFolder(filepath.Dir(from)); err != nil {
		return err
	}
	return s.removeUnsealed(ctx, lock, date)
}

// linkOld links the old manifest to its second name. A run that was stopped here before us may have
// done so already.
func (s *Sink) linkOld(from, to string, manifest []byte) error {
	err := s.disk.Link(from, to)
	if !errors.Is(err, fs.ErrExist) {
		return s.explain(err)
	}
	there, err := os.ReadFile(to)
	if err == nil && !bytes.Equal(there, manifest) {
		return fault.New(fault.Bug, "%s is there already and is another manifest than the one to be put aside", to)
	}
	return err
}
