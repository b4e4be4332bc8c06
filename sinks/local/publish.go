package local

import (
	"context"
	"path/filepath"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// Publish writes the page aside and renames it into place.
func (s *Sink) Publish(ctx context.Context, path string, page []byte) error {
	if !sinks.IsReport(path) {
		return fault.New(fault.Bug, "%q is no place for a report", path)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	target := s.URL(path)
	if err := disk.Folder(s.disk, filepath.Dir(target), folderMode); err != nil {
		return classify(err, target)
	}
	return classify(disk.Replace(s.disk, target, fileMode, page), target)
}
