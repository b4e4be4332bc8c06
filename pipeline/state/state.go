// Package state is the state folder: what a run must remember to go on after it was stopped.
//
//	.rollcall/
//	  README                what the folder is, for who finds it
//	  version               of this layout
//	  lock                  held by the one run at work, by the operating system
//	  holder.json           who that is; only while it works, or after it was killed
//	  asked                 when a vendor was last asked
//	  owner                 a random name, by which a sink knows the folder's runs, and those of its copies
//	  2026-11-21/           one night, until its snapshot is sealed
//	    night.json          when it began, what it is bound to, how often it was started
//	    figures.json        what the vendors were asked so far
//	    progress.json       how far it is, for who looks on
//	    keys/  spool/  parts/  uploads.jsonl
//
// It promises that one process at a time works in a folder, also where somebody removes the file lock under
// the process at work: the next one finds that process in holder.json, and the process itself finds out
// by [Folder.Held]. It promises that night.json is either the old one
// or the new one; that nobody else on the machine can read what is in it; that a folder of a newer
// layout is refused and one of an older layout taken up. A night is bound to vendors, apps, data
// blocks and ID lists: a changed configuration of those is refused, since its answers would not
// fit the ones already there.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"rollcall/schema/advice"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/schema/process"
)

// HeldError says that another process works in the folder.
type HeldError struct {
	Folder string
	Holder Holder // zero where it can't be told
	Lost   bool   // the folder was ours, and its lock was taken away
}

// Error names the folder, and who works in it since when.
func (e *HeldError) Error() string {
	if e.Lost {
		return fmt.Sprintf("the lock file of the state folder %s was removed or replaced while this run was at work: another run may be at work there", e.Folder)
	}
	if e.Holder == (Holder{}) {
		return fmt.Sprintf("another run is at work in the state folder %s", e.Folder)
	}
	return fmt.Sprintf("another run is at work in the state folder %s: process %d on %s (rollcall %s), since %s",
		e.Folder, e.Holder.PID, e.Holder.Host, e.Holder.Command, e.Holder.Since.UTC().Format(time.RFC3339))
}

// Advice says what to do.
func (e *HeldError) Advice() advice.Advice {
	if e.Lost {
		return advice.Say("nothing in the state folder may be removed while a run is at work; when no other run is at work there, the same command goes on with what was fetched")
	}
	return advice.Say("wait until it has ended; {} tells how far it is. If this folder is a copy of another one, remove holder.json in it", advice.Rollcall("status"))
}

// What is in the folder is nobody else's to read: it holds personal data.
const (
	folderMode = 0o700
	fileMode   = 0o600
)

// Folder is a state folder that this process holds.
type Folder struct {
	Path   string
	Owner  string // random, the same for all runs of this folder
	Holder Holder // this process

	disk  disk.Disk
	lock  *flock.Flock
	fresh bool // no run has worked here before
	lost  bool // the lock was taken away
}

// Options say which folder is taken, and by whom.
type Options struct {
	Path   string
	Random func() uint64 // makes the folder's name when it has none
	Holder Holder        // who takes it
	Disk   disk.Disk     // nil: the real disk

	Look func(process.Identity) process.Liveness // tells whether a process lives; nil: nobody can tell
}

// lockAttempts bounds how often the lock's file may change while it is being locked.
const lockAttempts = 8

// Open takes the folder, creating it where it is missing. It returns *HeldError when another
// process works in it, and a Configuration fault where it can't be made or is of a newer layout.
func Open(o Options) (*Folder, error) {
	d := disk.Or(o.Disk)
	if err := disk.Folder(d, o.Path, folderMode); err != nil {
		return nil, &fault.Error{Kind: fault.Configuration, Message: "the state folder " + o.Path + " can't be made", Hint: "name another one with --state", Err: err}
	}
	lock, held, err := take(o.Path)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil, &fault.Error{Kind: fault.Configuration, Message: "the state folder " + o.Path + " can't be written", Hint: "let this user write there, or name another folder with --state; what was fetched is kept where it is", Err: err}
	}
	if err != nil {
		return nil, &fault.Error{Kind: fault.Configuration, Message: "the state folder " + o.Path + " can't be locked", Hint: "name a folder on a local disk with --state", Err: err}
	}
	holder, _, _ := ReadHolder(o.Path) // what can't be read names nobody
	if !held {
		return nil, &HeldError{Folder: o.Path, Holder: holder}
	}
	if holder.Process != o.Holder.Process && o.Look != nil && o.Look(holder.Process) == process.Alive {
		return nil, errors.Join(&HeldError{Folder: o.Path, Holder: holder}, lock.Unlock())
	}
	f := &Folder{Path: o.Path, disk: d, lock: lock}
	if err := f.settle(o); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return f, nil
}

// take locks the folder's file lock. Locked is the file that has the name, and not one that was removed
// in between.
func take(folder string) (lock *flock.Flock, held bool, err error) {
	path := filepath.Join(folder, "lock")
	for range lockAttempts {
		lock = flock.New(path, flock.SetPermissions(fileMode))
		if held, err = lock.TryLock(); err != nil || !held {
			return lock, held, err
		}
		if same(lock, path) {
			return lock, true, nil
		}
		if err := lock.Unlock(); err != nil {
			return lock, false, err
		}
	}
	return lock, false, nil
}

// same tells whether the file that is locked is the one that has its name.
func same(lock *flock.Flock, path string) bool {
	locked, err := lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(locked, named)
}

// Held is *HeldError where the folder is no longer this process's alone: somebody removed or replaced
// the lock's file, and another process may have locked the new one.
func (f *Folder) Held() error {
	if f.lost = f.lost || !same(f.lock, filepath.Join(f.Path, "lock")); f.lost {
		return &HeldError{Folder: f.Path, Lost: true}
	}
	return nil
}

// settle makes the folder what this program expects, and says who works in it.
func (f *Folder) settle(o Options) error {
	if err := f.upgrade(); err != nil {
		return err
	}
	if err := f.sweep(); err != nil {
		return err
	}
	if err := tighten(f.Path); err != nil {
		return err
	}
	name, err := f.name(o.Random)
	if err != nil {
		return err
	}
	f.Owner = name
	f.Holder = o.Holder
	f.Holder.Since = f.Holder.Since.UTC().Truncate(time.Second)
	return f.writeHolder()
}

func (f *Folder) name(random func() uint64) (string, error) {
	path := filepath.Join(f.Path, "owner")
	text, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(text)); isName(name) {
		return name, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	f.fresh = err != nil // a damaged name was some run's
	name := fmt.Sprintf("%016x", random())
	return name, disk.Replace(f.disk, path, fileMode, []byte(name+"\n"))
}

// isName tells whether a name is one that a folder was given.
func isName(name string) bool { return regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(name) }

// Close gives the folder back. What another process has written of itself stays.
func (f *Folder) Close() error {
	if f.Held() != nil {
		return f.lock.Unlock()
	}
	return errors.Join(ignoreMissing(f.disk.Remove(filepath.Join(f.Path, holderFile))), f.lock.Unlock())
}

// Asking tells when a vendor was last asked by the run before, and marks that it is being asked now.
// It is the zero time in a new folder. Known is false where a run of this folder ended without
// saying when it last asked: it was killed, perhaps just now.
func (f *Folder) Asking() (last time.Time, known bool, err error) {
	path := filepath.Join(f.Path, "asked")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, f.fresh, nil
	}
	if err != nil {
		return time.Time{}, false, err
	}
	text, whole := Unstamp(text)
	last, unreadable := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(text)))
	return last, whole && unreadable == nil, f.disk.Remove(path)
}

// Asked says when a vendor was last asked by this run, so that the next one, of whatever date,
// keeps its distance.
func (f *Folder) Asked(at time.Time) error {
	return disk.Replace(f.disk, filepath.Join(f.Path, "asked"), fileMode, Stamp([]byte(at.UTC().Format(time.RFC3339Nano)+"\n")))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
