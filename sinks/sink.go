// Package sinks says where a snapshot can be sealed: a place that takes whole files invisibly,
// makes them visible at once by one manifest, and lets one run at a time do so.
//
// Paths are relative to the sink's root or prefix and use "/": "memberships/snapshot_date=2026-11-21/part-00000.parquet",
// "_snapshots/2026-11-21.json". Readers go by manifests: a data file that no manifest names is not there.
//
// A sink knows nothing of vendors, and of tables only the file names it is given. Its errors are
// *fault.Error: Credentials where access is refused, Configuration where the place doesn't exist
// or can't do what is needed ([ErrArchived] where a file must be restored first), Transient where it is down, [HeldError] where another run is at
// work, [SealedError] where a manifest is already there.
package sinks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"rollcall/schema/process"
)

// Sink is one place for snapshots. It is safe for use by many goroutines.
type Sink interface {
	// String is the place as a person would write it: s3://bucket/prefix or a folder's path.
	String() string
	// URL is the location of path as a query engine would read it: s3://bucket/prefix/path, or an absolute file path.
	URL(path string) string
	// Lock takes the one lock of this sink, _locks/run.json, for owner, or returns *HeldError.
	// A lock of the same owner.State whose process is known to be dead is taken at once; any other is
	// watched for StaleAfter, and taken when its heartbeat did not move in that time.
	Lock(ctx context.Context, owner Owner) (Lock, error)
	// Begin opens the staging area of one snapshot date under a held lock. The journal is a local
	// file in which the sink records what it begins; when it already holds records of an earlier
	// run, or unsealed files of that date lie about, Begin removes them and aborts their uploads
	// first. A date that is sealed gives *SealedError.
	Begin(ctx context.Context, lock Lock, date string, journal string) (Staging, error)
	// Replace is Begin for a date that is sealed and is to be sealed anew. Until Seal, the old
	// snapshot stands untouched. Seal then puts old's manifest aside under old.To, takes it from its
	// place, removes every data file of the date and goes on as after Begin: from the moment when the old
	// manifest is gone the date is unsealed, until the new manifest is there. Whoever stops in
	// between leaves a date for Begin. Where another manifest than old seals the date, here or in
	// Seal, *SealedError; where none does, an error for which errors.Is(err, fs.ErrNotExist) holds.
	Replace(ctx context.Context, lock Lock, date string, journal string, old Old) (Staging, error)
	// Publish writes a page for people at a path like [ReportPath]'s, whole, over whatever lies there. It is
	// no part of what is sealed: no manifest names it, nothing keeps it from being replaced or removed.
	Publish(ctx context.Context, path string, page []byte) error
	// Manifests lists the names of sealed manifests, "_snapshots/2026-11-21.json", in ascending order.
	Manifests(ctx context.Context) ([]string, error)
	// Open reads one file. A file that is not there gives an error for which errors.Is(err, fs.ErrNotExist) holds.
	Open(ctx context.Context, path string) (io.ReadCloser, error)
	// OpenAt opens one file for reading at any place: who needs a few rows of a large file reads
	// only these. Reads fail when the file was replaced after it was opened. What is missing is as in Open.
	OpenAt(ctx context.Context, path string) (File, error)
	// A place can hold what is no file: a symbolic link, a pipe, a device. List names it, and opening it
	// is an error at once; nothing that is listed or opened lies behind a link.
	//
	// List goes through every file below folder ("memberships/"; "" is the whole sink), sealed or
	// not, in ascending order of path. What the sink keeps hidden while it stages is left out. An
	// error ends the sequence.
	List(ctx context.Context, folder string) iter.Seq2[Object, error]
}

// File is one file of a sink that is open for reading. It is safe for use by many goroutines.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64 // bytes
}

// Object is one file that lies in a sink.
type Object struct {
	Path     string
	Size     int64     // bytes
	Modified time.Time // when it was written, by the place's own clock; zero where the place does not tell
	NotPlain string    // what lies there in a file's place, and can't be opened: "a symbolic link"; empty: a file
}

// ErrArchived is a sink's word that a file was moved to an archive, from which it must be restored
// before it can be read. It lies there, has a size, and is listed like any other.
var ErrArchived = errors.New("it is archived")

// HintArchived says what to do about it.
const HintArchived = "restore it in the bucket (aws s3api restore-object, or the console), wait until that is done, then run the same command again"

// Retainer is a sink that can lock what is sealed against removal until a moment.
type Retainer interface {
	Sink
	// Retains tells whether it is to do so.
	Retains() bool
	// Retain locks the files of a snapshot, and its manifest when all of them are, for as long as
	// the sink is told to, counted from when it was sealed: however often it is called, the moment is
	// the same. What is locked as long already stays as it is. It tells whether anything was locked.
	Retain(ctx context.Context, sealedAt time.Time, files []string, manifest string) (bool, error)
	// Retained is the latest moment until which any of the files is locked, whoever locked it; zero
	// where none is, now.
	Retained(ctx context.Context, files []string) (time.Time, error)
}

// Old is a manifest that is to be replaced.
type Old struct {
	SHA256 string // of its bytes, in hex
	To     string // where it is put aside, like ReplacedPath
}

// Is tells whether these are the bytes of the manifest that is meant.
func (o Old) Is(manifest []byte) bool {
	sum := sha256.Sum256(manifest)
	return hex.EncodeToString(sum[:]) == o.SHA256
}

// Owner says who holds a lock. State, a folder that may have been copied, proves nothing; Process may.
type Owner struct {
	State   string           `json:"state"` // random name of the state folder, the same for all its runs and copies
	Host    string           `json:"host"`
	PID     int              `json:"pid"`
	Date    string           `json:"date"`
	Since   time.Time        `json:"since"`
	Process process.Identity `json:"process,omitzero"`
}

// Lock is a held lock. Its heartbeat runs until Release.
type Lock interface {
	// Acknowledged is when the last heartbeat that the sink has acknowledged was sent, by the clock that
	// the sink was given; zero once the lock is known to be lost. Nobody can have taken the lock before
	// [StaleAfter] has passed since then; who needs to own it acts only while it is [Fresh].
	Acknowledged() time.Time
	// Check asks the sink whether the lock is still ours; *HeldError where it is not.
	Check(ctx context.Context) error
	// Release stops the heartbeat and removes the lock if it is still ours. It is safe to call twice.
	Release(ctx context.Context) error
}

// Staging takes the files of one snapshot. Nothing of it can be seen before Seal.
type Staging interface {
	// Put stores the local file whole under path, invisibly, and proves by its SHA-256 that it arrived.
	// Calls may run at the same time.
	Put(ctx context.Context, path string, local string, sum [32]byte) error
	// Seal makes the files visible, checking the lock before each, and then writes the manifest
	// with the condition that none is there: that write seals the snapshot. When it returns an
	// error other than *SealedError, nothing new is sealed and what had become visible is removed; where
	// that can't be told, since the manifest may be there or come to be, all stays as it is. It returns nil
	// only when the manifest was read back, and when after that all files were there and the lock still ours.
	Seal(ctx context.Context, path string, manifest []byte) error
	// Abort removes all that was put and not sealed. After Seal it does nothing. It must work
	// although the run's own context is cancelled: the caller hands in a fresh one.
	Abort(ctx context.Context) error
}

// HeldError says that another run holds the sink.
type HeldError struct {
	Place string // the sink
	Owner Owner  // zero where the lock was ours and is gone, so that nobody can say who holds the sink
	Copy  bool   // the owner's state folder and that of who asked are copies of each other
}

// Error names the holder.
func (e *HeldError) Error() string {
	if e.Owner == (Owner{}) {
		return fmt.Sprintf("the lock of %s is no longer ours: another run may be at work", e.Place)
	}
	text := fmt.Sprintf("another run holds %s: process %d on %s, at work for %s since %s", e.Place, e.Owner.PID, e.Owner.Host, e.Owner.Date, e.Owner.Since.UTC().Format(time.RFC3339))
	if e.Copy {
		text += "; its state folder and this one are copies of each other"
	}
	return text
}

// SealedError says that a date is sealed already.
type SealedError struct {
	Place, Path string
}

// Error names the manifest that is there.
func (e *SealedError) Error() string {
	return fmt.Sprintf("%s is already sealed in %s", e.Path, e.Place)
}

// StaleAfter is how long a stranger's heartbeat must stand still before its lock is taken over.
const StaleAfter = 30 * time.Second

// FreshFor is how long after its last acknowledged heartbeat was sent a holder may act as the owner
// of the lock: by a margin for clocks and for what is under way, less than StaleAfter.
const FreshFor = 20 * time.Second

// HeartbeatEvery is how often a holder shows that it lives.
const HeartbeatEvery = 5 * time.Second

// Fresh tells whether a heartbeat that was sent at acknowledged still proves at now that the lock is ours.
// Now must come from the clock that acknowledged came from, with its monotonic reading. That reading
// stands still while a machine sleeps, and the wall clock can be set: the longer time of both counts.
func Fresh(acknowledged, now time.Time) bool {
	if acknowledged.IsZero() {
		return false
	}
	steady, wall := now.Sub(acknowledged), now.Round(0).Sub(acknowledged.Round(0))
	return steady >= 0 && max(steady, wall) < FreshFor
}
