package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// Publish writes the page aside, among what is staged, and renames it into place. A run that takes the
// lock meanwhile may remove it there; then it is written again.
func (s *Sink) Publish(ctx context.Context, path string, page []byte) error {
	if !sinks.IsReport(path) {
		return fault.New(fault.Bug, "%q is no place for a report", path)
	}
	target := s.URL(path)
	for range vanishAttempts {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := disk.Folder(s.disk, filepath.Dir(target), folderMode); err != nil {
			return classify(err, target)
		}
		if err := s.publish(target, page); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return classify(err, target)
		}
	}
	return fault.New(fault.Bug, "%s can't be written: something keeps removing it", target)
}

func (s *Sink) publish(target string, page []byte) error {
	staging := s.URL(stagingFolder)
	if err := s.disk.MkdirAll(staging, folderMode); err != nil {
		return err
	}
	aside := filepath.Join(staging, fmt.Sprintf("%s.%d", filepath.Base(target), s.cfg.Now().UnixNano()))
	if err := disk.Write(s.disk, aside, fileMode, bytes.NewReader(page)); err != nil {
		return err
	}
	if err := s.disk.Rename(aside, target); err != nil {
		return errors.Join(err, disk.Gone(s.disk, aside))
	}
	_ = s.disk.Remove(staging) // only where it is empty
	return s.disk.SyncFolder(filepath.Dir(target))
}
