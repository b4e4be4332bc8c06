package local

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// maxRecord bounds the lock's record, in bytes.
const maxRecord = 1 << 20

// guardRetry is how long to wait for another process that is just changing the lock's record.
const guardRetry = 20 * time.Millisecond

// store keeps the lock's record in a file. An OS lock on its folder, held for the moment of a change,
// makes reading and rewriting one step; the record itself is renamed into place, so that
// readers never see half of it. A record is its own tag: no two are alike, for each has its beat.
type store struct {
	sink *Sink
}

var _ lease.Store = (*store)(nil)

// String is the folder.
func (s *store) String() string { return s.sink.root }

func (s *store) path() string { return s.sink.URL(sinks.LockPath) }

// Read gives the record and, as its tag, the record.
func (s *store) Read(context.Context) (record []byte, tag string, err error) {
	record, err = s.sink.tree.ReadFile(s.path(), maxRecord)
	return record, string(record), classify(err, s.path())
}

// Create writes the record where there is none, and makes the folder where it is missing.
func (s *store) Create(ctx context.Context, record []byte) (tag string, err error) {
	if err := disk.Folder(s.sink.disk, filepath.Dir(s.path()), folderMode); err != nil {
		return "", classify(err, s.path())
	}
	return string(record), s.guarded(ctx, func() error {
		switch _, err := s.sink.tree.Lstat(s.path()); {
		case err == nil:
			return lease.ErrConflict
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		return s.write(record)
	})
}

// Replace writes the record over the one that tag names.
func (s *store) Replace(ctx context.Context, record []byte, tag string) (newTag string, err error) {
	return string(record), s.guarded(ctx, func() error {
		if err := s.expect(tag); err != nil {
			return err
		}
		return s.write(record)
	})
}

// Remove removes the record that tag names.
func (s *store) Remove(ctx context.Context, tag string) error {
	return s.guarded(ctx, func() error {
		if err := s.expect(tag); err != nil {
			return err
		}
		if err := disk.Gone(s.sink.disk, s.path()); err != nil {
			return err
		}
		return s.sink.disk.SyncFolder(filepath.Dir(s.path())) // else a power cut would bring the lock back
	})
}

func (s *store) expect(tag string) error {
	there, err := s.sink.tree.ReadFile(s.path(), maxRecord)
	if errors.Is(err, fs.ErrNotExist) || err == nil && string(there) != tag {
		return lease.ErrConflict
	}
	return err
}

// write replaces the record. What has the name of its copy was left there by a process that was stopped.
func (s *store) write(record []byte) error {
	aside := s.path() + ".tmp"
	if err := disk.Gone(s.sink.disk, aside); err != nil {
		return err
	}
	if err := disk.Write(s.sink.disk, aside, fileMode, bytes.NewReader(record)); err != nil {
		return err
	}
	return s.sink.disk.Rename(aside, s.path())
}

// errBusy says that another process has been changing the record for so long that it must be suspended.
var errBusy = errors.New("another process began to change the lock and stands still")

// guarded runs change while no other process does. A process that is suspended in its change can
// neither be overtaken nor waited for: who comes then gives up.
func (s *store) guarded(ctx context.Context, change func() error) error {
	folder := filepath.Dir(s.path())
	if _, err := s.sink.tree.ReadDir(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return classify(err, folder)
	}
	patient, stop := context.WithTimeout(ctx, cmp.Or(s.sink.cfg.Pace.Stale, sinks.StaleAfter))
	defer stop()
	guard := flock.New(folder, flock.SetFlag(os.O_RDONLY))
	if _, err := guard.TryLockContext(patient, guardRetry); err != nil {
		switch {
		case errors.Is(err, fs.ErrNotExist): // the whole folder was taken away: so was the record
			return lease.ErrConflict
		case patient.Err() != nil && ctx.Err() == nil:
			return &fault.Error{Kind: fault.Transient, Message: s.path(), Err: errBusy, Hint: "it goes on, or lets go, when that process is continued or ended"}
		}
		return classify(err, guard.Path())
	}
	defer guard.Close()
	if err := change(); !errors.Is(err, lease.ErrConflict) {
		return classify(err, s.path())
	}
	return lease.ErrConflict
}

// holder is who the record says has the lock; zero where it can't be read.
func (s *Sink) holder() (o sinks.Owner) {
	record, err := s.tree.ReadFile(s.URL(sinks.LockPath), maxRecord)
	if err != nil || json.Unmarshal(record, &o) != nil {
		return sinks.Owner{}
	}
	return o
}
