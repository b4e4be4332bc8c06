// Package lease is the one lock of a sink: a small record that its holder keeps rewriting.
//
// A [Store] offers four conditional operations on that record; this package makes the rules of it:
//
//   - Who finds no record creates one and holds the lease.
//   - Who finds the record of its own state folder, by a process that is known to be dead ([Pace]),
//     replaces it at once. A state folder that was copied has the same name: the name alone proves nothing.
//   - Who finds any other record watches it. A heartbeat means *sinks.HeldError; a record that
//     stood still for the stale time is replaced, on the condition that it is still the same.
//   - A holder rewrites its record at every beat, on the condition that nobody else did. When
//     that fails because the record is another's or gone, the lease is lost for good. Its own is only a
//     record that it has itself sent, byte for byte, and whose answer was lost.
//
// Every write is conditional, so that two takers never both win. A store that doesn't answer
// loses nobody the lease by itself: only another's record does, and Check finds that out. Meanwhile
// Acknowledged grows old, and who acts on the lease stops acting ([sinks.Fresh]). A beat that fails or
// hangs is therefore tried again soon: one lost packet costs nothing.
package lease

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// ErrConflict is a store's word that the record was not as the operation demanded.
var ErrConflict = errors.New("the record is not as expected")

// Store keeps one record. A tag names one writing of it; no two writings have the same.
type Store interface {
	// String is the place, for messages.
	String() string
	// Read gives the record and its tag; errors.Is(err, fs.ErrNotExist) where there is none.
	Read(ctx context.Context) (record []byte, tag string, err error)
	// Create writes the record where there is none, else ErrConflict.
	Create(ctx context.Context, record []byte) (tag string, err error)
	// Replace writes the record where the one with that tag stands, else ErrConflict.
	Replace(ctx context.Context, record []byte, tag string) (newTag string, err error)
	// Remove removes the record with that tag, else ErrConflict.
	Remove(ctx context.Context, tag string) error
}

// Pace says how often a holder shows that it lives and how long others wait for it.
// Zero values mean those of package sinks.
type Pace struct {
	Beat, Stale time.Duration

	// Dead tells for certain that a holder's process has ended: nobody waits for that one. Nil: nobody can tell.
	Dead func(sinks.Owner) bool
}

const (
	takeAttempts = 8  // bounds how often the record may change under our hands before we give up
	mostSent     = 64 // writes without an answer that are remembered
)

// Lease is a held lock. It implements sinks.Lock.
type Lease struct {
	store Store
	owner sinks.Owner
	pace  Pace
	now   func() time.Time
	stop  context.CancelFunc
	done  chan struct{} // closed when the heartbeat has ended

	acked    atomic.Pointer[time.Time] // when the last acknowledged write of the record was sent; zero: the lease is lost
	busy     chan struct{}             // holds one token while an operation is under way; what follows belongs to who put it there
	tag      string
	beats    int64
	sent     [][]byte // records written since the last acknowledged one
	lost     error    // why the lease is no longer ours
	released bool
}

var _ sinks.Lock = (*Lease)(nil)

// record is the content of _locks/run.json.
type record struct {
	sinks.Owner
	Beat int64     `json:"beat"`
	At   time.Time `json:"at"`
}

// Take takes the lease for owner, or returns *sinks.HeldError. The heartbeat runs until Release,
// however long ctx lives.
func Take(ctx context.Context, store Store, owner sinks.Owner, pace Pace, now func() time.Time) (*Lease, error) {
	if pace.Beat == 0 {
		pace.Beat = sinks.HeartbeatEvery
	}
	if pace.Stale == 0 {
		pace.Stale = sinks.StaleAfter
	}
	owner.Since = owner.Since.UTC().Truncate(time.Microsecond)
	l := &Lease{store: store, owner: owner, pace: pace, now: now, done: make(chan struct{}), busy: make(chan struct{}, 1)}
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	alive, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.keep(alive)
	return l, nil
}

func (l *Lease) take(ctx context.Context) error {
	for range takeAttempts {
		tag, err := l.attempt(ctx)
		if err == nil {
			l.tag = tag
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if err := pause(ctx, l.pace.Beat/50); err != nil {
			return err
		}
	}
	return &fault.Error{Kind: fault.Configuration,
		Message: "the lock of " + l.store.String() + " can neither be read nor created",
		Hint:    "its server does not follow S3's conditional writes, or several runs start at once: look at " + sinks.LockPath}
}

// attempt looks once at what stands there and does what the rules say.
func (l *Lease) attempt(ctx context.Context) (tag string, err error) {
	found, tag, err := l.store.Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return l.write(func(record []byte) (string, error) { return l.store.Create(ctx, record) })
	}
	if err != nil {
		return "", err
	}
	if !l.wrote(found) && !l.predecessor(Holder(found)) {
		if err := l.watch(ctx, tag); err != nil {
			return "", err
		}
	}
	return l.write(func(record []byte) (string, error) { return l.store.Replace(ctx, record, tag) })
}

// predecessor tells whether a holder is a run of our state folder that has ended for certain.
func (l *Lease) predecessor(o sinks.Owner) bool {
	return o.State == l.owner.State && l.pace.Dead != nil && l.pace.Dead(o)
}

// write puts the next record, and remembers when it was sent once the store has acknowledged it.
func (l *Lease) write(put func(record []byte) (tag string, err error)) (tag string, err error) {
	at := l.now()
	record := l.record(at)
	if l.beats++; len(l.sent) == mostSent {
		l.sent = slices.Delete(l.sent, 0, 1)
	}
	l.sent = append(l.sent, record)
	if tag, err = put(record); err == nil {
		l.sent = nil
		l.acked.Store(&at)
	}
	return tag, err
}

// wrote tells whether a record is one that we sent and had no answer to.
func (l *Lease) wrote(record []byte) bool {
	return slices.ContainsFunc(l.sent, func(sent []byte) bool { return bytes.Equal(sent, record) })
}

// Acknowledged is when the last heartbeat that the store has acknowledged was sent; zero once the lease
// is known to be lost.
func (l *Lease) Acknowledged() time.Time { return *l.acked.Load() }

// lose marks the lease as another's, or nobody's.
func (l *Lease) lose(holder sinks.Owner) {
	l.lost = l.held(holder)
	l.acked.Store(&time.Time{})
}

// held is the error that names the holder.
func (l *Lease) held(holder sinks.Owner) *sinks.HeldError {
	return &sinks.HeldError{Place: l.store.String(), Owner: holder, Copy: holder.State != "" && holder.State == l.owner.State}
}

// watch returns nil when the record with that tag stood still for the stale time.
func (l *Lease) watch(ctx context.Context, tag string) error {
	stale, stop := context.WithTimeout(ctx, l.pace.Stale)
	defer stop()
	for pause(stale, l.pace.Beat/2) == nil {
		found, seen, err := l.store.Read(stale)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return ErrConflict // released: try again from the start
		case err != nil && stale.Err() == nil:
			return err
		case err == nil && seen != tag:
			return l.held(Holder(found))
		}
	}
	return ctx.Err()
}

// keep beats until the lease is released or lost: at every Beat, counted from when one was sent, and soon
// again after one that failed. One that hangs is given up early, since a packet was lost or a connection
// is dead; where that happens again, the store may be slow, and is given longer.
func (l *Lease) keep(alive context.Context) {
	defer close(l.done)
	soon := l.pace.Beat / 5
	wait, patience := l.pace.Beat, l.pace.Beat
	for pause(alive, wait) == nil {
		began := l.now()
		ctx, stop := context.WithTimeout(alive, patience)
		err := l.beat(ctx)
		late := ctx.Err() != nil
		stop()
		switch _, lost := errors.AsType[*sinks.HeldError](err); {
		case lost:
			return
		case err == nil:
			took := max(0, l.now().Sub(began))
			wait = max(soon, l.pace.Beat-took)
			if took < l.pace.Beat {
				patience = l.pace.Beat
			}
		case late:
			wait, patience = soon, min(patience+l.pace.Beat/2, l.pace.Stale/2)
		default:
			wait = soon
		}
	}
}

// Check proves that the lease is ours by a beat, which also starts every watcher's time anew.
func (l *Lease) Check(ctx context.Context) error { return l.beat(ctx) }

// beat rewrites the record. A conflict may be our own writing whose answer was lost: then the
// record still names us, and the beat is tried again on it.
func (l *Lease) beat(ctx context.Context) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	if l.lost == nil && l.released {
		l.lose(sinks.Owner{})
	}
	for l.lost == nil {
		tag, err := l.write(func(record []byte) (string, error) { return l.store.Replace(ctx, record, l.tag) })
		if err == nil {
			l.tag = tag
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if err := l.recognize(ctx); err != nil {
			return err
		}
	}
	return l.lost
}

// recognize looks whose record stands there, and marks the lease as lost if it is another's.
func (l *Lease) recognize(ctx context.Context) error {
	found, tag, err := l.store.Read(ctx)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && l.wrote(found) {
		l.tag = tag
	} else {
		l.lose(Holder(found))
	}
	return nil
}

// Release stops the heartbeat and removes the record if it is still ours.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.done
	l.acked.Store(&time.Time{})
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	for !l.released && l.lost == nil {
		err := l.store.Remove(ctx, l.tag)
		switch {
		case err == nil || errors.Is(err, fs.ErrNotExist):
			l.released = true
		case !errors.Is(err, ErrConflict):
			return err
		default:
			if err := l.recognize(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// enter waits for the operation that is under way, if there is one.
func (l *Lease) enter(ctx context.Context) error {
	select {
	case l.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Lease) leave() { <-l.busy }

func (l *Lease) record(at time.Time) []byte {
	text, err := json.Marshal(record{Owner: l.owner, Beat: l.beats, At: at.UTC().Truncate(time.Microsecond)})
	if err != nil {
		return []byte("{}") // nothing in a record can fail to encode; an empty one would still be conditional
	}
	return append(text, '\n')
}

// Holder reads whose record it is. An unreadable one belongs to nobody we know, and is watched like
// any other.
func Holder(text []byte) sinks.Owner {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return sinks.Owner{}
	}
	return r.Owner
}

// pause waits for d, or gives ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
