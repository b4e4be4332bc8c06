package s3

import (
	"bytes"
	"context"
	"errors"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// Replace opens the staging of a date that old seals. Of what lies there it removes nothing but
// unfinished uploads.
func (s *Sink) Replace(ctx context.Context, lock sinks.Lock, date, journalPath string, old sinks.Old) (sinks.Staging, error) {
	if !sinks.IsReplaced(old.To) {
		return nil, fault.New(fault.Bug, "%q is no place for a replaced manifest", old.To)
	}
	log, err := s.prepare(ctx, lock, date, journalPath)
	if err != nil {
		return nil, err
	}
	if _, _, err := s.readOld(ctx, date, old); err != nil {
		return nil, err
	}
	if err := s.abortOrphans(ctx, lock, date); err != nil {
		return nil, err
	}
	return &staging{sink: s, lock: lock, date: date, old: &old, journal: log, uploads: map[string]*upload{}}, nil
}

// readOld gives the manifest that seals date, if it is old; *sinks.SealedError where it is another.
func (s *Sink) readOld(ctx context.Context, date string, old sinks.Old) (manifest []byte, etag string, err error) {
	path := sinks.ManifestPath(date)
	manifest, etag, err = s.read(ctx, path, maxManifest)
	if err != nil {
		return nil, "", err
	}
	if !old.Is(manifest) {
		return nil, "", &sinks.SealedError{Place: s.String(), Path: path}
	}
	return manifest, etag, nil
}

// putAside copies the old manifest to its second place, takes it from its first one, which unseals
// the date, and then removes the date's files.
func (s *Sink) putAside(ctx context.Context, lock sinks.Lock, log *journal, date string, old sinks.Old) error {
	if err := lock.Check(ctx); err != nil {
		return err
	}
	manifest, etag, err := s.readOld(ctx, date, old)
	if err != nil {
		return err
	}
	if err := s.keepOld(ctx, old.To, manifest); err != nil {
		return err
	}
	if err := lock.Check(ctx); err != nil {
		return err
	}
	path := sinks.ManifestPath(date)
	if err := s.removeIf(holding(ctx, lock), path, etag); errors.Is(err, lease.ErrConflict) {
		return &sinks.SealedError{Place: s.String(), Path: path}
	} else if err != nil {
		return err
	}
	return s.removeUnsealed(ctx, lock, log, date)
}

// keepOld writes the copy where none is. A run that was stopped here before us, or our own first
// try whose answer was lost, may have done so already.
func (s *Sink) keepOld(ctx context.Context, path string, manifest []byte) error {
	_, err := s.put(ctx, path, manifest, "")
	if !errors.Is(err, lease.ErrConflict) {
		return err
	}
	there, _, err := s.read(ctx, path, maxManifest)
	if err == nil && !bytes.Equal(there, manifest) {
		return fault.New(fault.Bug, "%s is there already and is another manifest than the one to be put aside", s.URL(path))
	}
	return err
}
