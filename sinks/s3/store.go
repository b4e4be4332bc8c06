package s3

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// store keeps the lock's record in an object. Its tag is the ETag, which differs with every
// content, and the content with every beat.
type store struct {
	sink *Sink

	mu   sync.Mutex
	last []byte    // the record that was last written
	tag  string    // of it
	sent time.Time // when it was
}

var _ lease.Store = (*store)(nil)

// String is the sink.
func (s *store) String() string { return s.sink.String() }

// Read gets the record.
func (s *store) Read(ctx context.Context) (record []byte, tag string, err error) {
	return s.sink.read(ctx, sinks.LockPath, maxRecord)
}

// Create puts the record with If-None-Match: *.
func (s *store) Create(ctx context.Context, record []byte) (tag string, err error) {
	return s.write(ctx, record, "")
}

// Replace puts the record with If-Match.
func (s *store) Replace(ctx context.Context, record []byte, tag string) (newTag string, err error) {
	return s.write(ctx, record, tag)
}

func (s *store) write(ctx context.Context, record []byte, tag string) (newTag string, err error) {
	sent := s.sink.cfg.Now()
	if newTag, err = s.sink.put(ctx, sinks.LockPath, record, tag); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last, s.tag, s.sent = record, newTag, sent
	}
	return newTag, err
}

// written is the record that was last written, and its tag.
func (s *store) written() (record []byte, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.tag
}

// Acknowledged is when the record was last written.
func (s *store) Acknowledged() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// Check writes the record once more, for its own removal alone: the lease does nothing else at that time.
// It is longer by one byte, so that who watches it sees that its holder lives.
func (s *store) Check(ctx context.Context) error {
	record, tag := s.written()
	_, err := s.write(ctx, append(bytes.Clone(record), '\n'), tag)
	return err
}

// Remove looks whether the record is still the one with that tag and deletes it with If-Match, for
// servers that heed it; for others the moment between the two is all that stays open, and a
// holder who beats regularly is nowhere near losing its lock then.
func (s *store) Remove(ctx context.Context, tag string) error {
	_, there, err := s.Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if there != tag {
		return lease.ErrConflict
	}
	return s.sink.removeIf(holding(ctx, s), sinks.LockPath, tag)
}
