// Package spool keeps what a run has fetched, on local disk, until it is merged: whole keys only,
// in sorted, self-contained runs of Arrow IPC.
//
// What goes in with [Spool.Add] is collected in memory; [Spool.Flush] writes it as one run and
// returns when it is durable. A run is a folder, written under a temporary name, synced and renamed
// into place, so the rows of a key and its record become durable together or not at all. A crash
// loses what was added since the last flush and nothing else. Small runs are merged into larger
// ones in the background; a run's name is the range of flushes it holds, so whichever side of such
// a merge a crash leaves behind, nothing is lost and nothing counts twice.
//
// What comes out are cursors over everything flushed: rows by (source, group, user, block), groups
// by (source, group, block), records by (block, key, generation). Texts compare bytewise. The order
// and the content depend on what was added and in which order, never on when it was flushed or merged.
//
// Every byte read is checked against a checksum. Who takes up a spool after a crash can have all of
// it checked by Open, and damaged runs dropped ([Options.Dropped]): their keys alone are lost. Faults are *fault.Error: Configuration where the
// spool belongs to other data blocks, Bug where a file is damaged or the disk refuses. After a
// failed write the spool takes nothing more, and every call returns that fault.
package spool

import (
	"context"
	"errors"
	"sync"

	"rollcall/schema"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// Block is one data block as the spool knows it.
type Block struct {
	Address string      // "rongcloud_group_members.all"
	Source  string      // "rongcloud.prod"
	View    schema.View // of its rows
	Partial bool        // it asks for some roles only (`only = [...]`), so that it never denies
	Total   bool        // its vendor declares a total, so that nothing is complete without one
	Blind   string      // prefix of group IDs that a user view was not asked for: it denies nothing about them
}

// Entry is one whole key: its outcome and its rows enter the spool together.
type Entry struct {
	Record Record
	Rows   []sources.Row
	Whole  bool // the reading was whole, so its rows may accuse
}

// Record is what became of one key, or of one batch of a role key.
type Record struct {
	Block      int // index into the spool's blocks
	Key        string
	Generation int // number of the process start that asked, from 1; later generations supersede failures of earlier ones
	Outcome    schema.Outcome
	Verdict    schema.Verdict
	Rows       int64
	Declared   int64 // -1: none
	Requests   int64
	Attempts   int64
	Replaced   int64  // displayed values that could not be read: invalid Unicode became U+FFFD, a wrong type null
	Cut        int64  // texts that were cut because they were too long
	Code       string // the vendor's, empty where there is none
	Message    string
	AskedAt    int64 // microseconds since 1970 UTC
	AnsweredAt int64
}

// Row is one row of one view, as it lies in the spool.
type Row struct {
	Block int
	Whole bool
	sources.Row
}

// Group is what the rows of one block told of a group besides its members. Where they disagree,
// the bytewise smallest name and type stand, so that the order of arrival decides nothing.
type Group struct {
	Block      int
	ID         string
	Name, Type schema.Text
}

// Options say where a spool lies and what it holds.
type Options struct {
	Dir    string  // made where it doesn't exist
	Blocks []Block // sorted by source, then address; Row.Block and Record.Block index them
	Memory int     // bytes collected before they are written; 32 MiB where 0. Twice as much may be held

	Disk disk.Disk // nil: the real one

	// Dropped is told of each run that Open finds damaged and removes; what it held is as if it had
	// never been there. Where it is nil, damage is a fault, at once or when it is read.
	Dropped func(Damage)

	batchRows int64 // of tests
}

// Damage is a run that is not what was written.
type Damage struct {
	Run  string // its folder
	Keys int64  // records in it; -1 where its index can't be read
	Err  error
}

// Spool is safe for use by many goroutines.
type Spool struct {
	options  Options
	disk     disk.Disk
	ordinals []int // of each block's source among the sources

	mu         sync.Mutex
	changed    chan struct{} // closed and made anew whenever something below changes
	active     *buffer       // takes what is added
	spare      *buffer       // takes its place; nil while writing
	added      int64         // entries that were added
	durable    int64         // entries that stand on disk, out of those added
	sequence   int           // of the next run
	runs       []*run        // live, in the order of their ranges
	compacting bool
	closed     bool
	failure    error

	life context.Context // of background work
	stop context.CancelFunc
	work sync.WaitGroup
}

const (
	defaultMemory = 32 << 20
	maxRuns       = 64 // open at once in a merge
)

// Open takes up the spool in o.Dir or begins one there. Leftovers of a crash are removed.
// It is a Configuration fault if the spool was begun for other blocks.
func Open(o Options) (*Spool, error) {
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	o.Disk = disk.Or(o.Disk)
	if o.batchRows == 0 {
		o.batchRows = batchRows
	}
	ordinals, err := rank(o.Blocks)
	if err != nil {
		return nil, err
	}
	runs, err := openRuns(o)
	if err != nil {
		return nil, err
	}
	s := &Spool{options: o, disk: o.Disk, ordinals: ordinals, runs: runs, sequence: 1, changed: make(chan struct{})}
	if len(runs) > 0 {
		s.sequence = runs[len(runs)-1].last + 1
	}
	s.active, s.spare = newBuffer(ordinals), newBuffer(ordinals)
	s.life, s.stop = context.WithCancel(context.Background())
	s.mu.Lock()
	s.compactIfDue()
	s.mu.Unlock()
	return s, nil
}

// rank numbers the sources of blocks in their order.
func rank(blocks []Block) ([]int, error) {
	ordinals := make([]int, len(blocks))
	for i := 1; i < len(blocks); i++ {
		before, b := blocks[i-1], blocks[i]
		if b.Source < before.Source || b.Source == before.Source && b.Address <= before.Address {
			return nil, fault.New(fault.Bug, "the spool's blocks are not sorted: %s stands after %s", b.Address, before.Address)
		}
		ordinals[i] = ordinals[i-1]
		if b.Source != before.Source {
			ordinals[i]++
		}
	}
	return ordinals, nil
}

// Add copies one whole key into memory; the caller may reuse every part of e. It blocks while both
// buffers are full, which is how a slow disk slows the fetching.
func (s *Spool) Add(ctx context.Context, e Entry) error {
	if e.Record.Block < 0 || e.Record.Block >= len(s.ordinals) {
		return fault.New(fault.Bug, "no data block has the number %d", e.Record.Block)
	}
	for {
		s.mu.Lock()
		if err := s.usable(); err != nil {
			s.mu.Unlock()
			return err
		}
		if s.active.size() < s.options.Memory {
			err := s.active.add(e)
			if err == nil {
				s.added++
			}
			s.mu.Unlock()
			return err
		}
		if s.spare != nil {
			s.writeActive()
			s.mu.Unlock()
			continue
		}
		if err := s.unlockAndWait(ctx); err != nil {
			return err
		}
	}
}

// Flush returns when everything added before the call is durable.
func (s *Spool) Flush(ctx context.Context) error {
	s.mu.Lock()
	want := s.added
	for {
		if s.failure != nil || s.durable >= want {
			err := s.failure
			s.mu.Unlock()
			return err
		}
		if s.spare != nil {
			s.writeActive()
		}
		if err := s.unlockAndWait(ctx); err != nil {
			return err
		}
		s.mu.Lock()
	}
}

// Size tells how many runs are live and how many bytes they take on disk.
func (s *Spool) Size() (runs int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		bytes += r.size
	}
	return len(s.runs), bytes
}

// Close flushes, stops the background work and waits for it. Cursors must have been closed, and
// nothing may be added while it runs.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	err := s.Flush(context.Background())
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
	return err
}

// usable tells why nothing can be added any more. The caller holds s.mu.
func (s *Spool) usable() error {
	if s.failure == nil && s.closed {
		return fault.New(fault.Bug, "the spool is closed")
	}
	return s.failure
}

// writeActive hands the active buffer to a writer; s.spare must be there. The caller holds s.mu.
func (s *Spool) writeActive() {
	full, sequence, added := s.active, s.sequence, s.added
	s.active, s.spare, s.sequence = s.spare, nil, s.sequence+1
	s.work.Go(func() {
		r, err := s.writeBuffer(full, sequence)
		full.reset()
		s.mu.Lock()
		defer s.mu.Unlock()
		defer s.wake()
		s.spare = full
		if err != nil {
			s.fail(err)
			return
		}
		s.runs = append(s.runs, r)
		s.durable = added
		s.compactIfDue()
	})
}

// writeBuffer writes b as the run of one flush.
func (s *Spool) writeBuffer(b *buffer, sequence int) (*run, error) {
	w, err := s.newRun(sequence, sequence, 0)
	if err != nil {
		return nil, err
	}
	b.rowsInOrder(w.row)
	b.recordsInOrder(w.record)
	return w.commit()
}

// fail remembers the first failure, for good. The caller holds s.mu.
func (s *Spool) fail(err error) {
	if s.failure == nil && !errors.Is(err, context.Canceled) {
		s.failure = err
	}
}

// wake lets everybody who waits look again. The caller holds s.mu.
func (s *Spool) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// unlockAndWait gives up s.mu and waits for a change.
func (s *Spool) unlockAndWait(ctx context.Context) error {
	changed := s.changed
	s.mu.Unlock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
