package snapshot_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/schema/disk"
	"rollcall/sinks/local"
	"rollcall/sinks/sinktest"
)

// TestWhatIsNotTheSealedFileIsNeitherReadNorCopied puts a terabyte and a link to /dev/zero in the place of a
// sealed file, for a snapshot that is read as it lies there and for one whose files are proven.
func TestWhatIsNotTheSealedFileIsNeitherReadNorCopied(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "snapshots")
	sink, err := local.Open(local.Config{Path: root, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	s := seal(t, place{sink: sink}, "2026-11-21", sinktest.Tables{Memberships: members(10)})
	path := ""
	for _, f := range s.Files {
		if f.Table == "memberships" {
			path = filepath.Join(root, f.Path)
		}
	}
	for _, of := range []*snapshot.Snapshot{s, s.Proven(t.TempDir(), nil)} {
		if err := os.Truncate(path, 1<<40); err != nil {
			t.Skip(err)
		}
		if _, err := collect(snapshot.Rows[schema.Membership](t.Context(), of)); !isDamaged(err) {
			t.Errorf("a terabyte: %v", err)
		}
	}
	if err := errors.Join(os.Remove(path), os.Symlink("/dev/zero", path)); err != nil {
		t.Fatal(err)
	}
	for _, of := range []*snapshot.Snapshot{s, s.Proven(t.TempDir(), nil)} {
		_, err := collect(snapshot.Rows[schema.Membership](t.Context(), of))
		if planted, ok := errors.AsType[*disk.NotPlainError](err); !ok || planted.Path != path {
			t.Errorf("/dev/zero: %v", err)
		}
	}
}

func isDamaged(err error) bool { _, ok := errors.AsType[*snapshot.DamagedError](err); return ok }
