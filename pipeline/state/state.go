// Package state is the state folder: what a run must remember to go on after it was stopped.
//
//	.rollcall/
//	  README                what the folder is, for who finds it
//	  version               of this layout
//	  lock                  held by the one run at work, by the operating system
//	  holder.json           who that is, for people; only while it works, or after it was killed
//	  asked                 when a vendor was last asked
//	  owner                 a random name, by which a sink knows the folder's own dead runs
//	  2026-11-21/           one night, until its snapshot is sealed
//	    night.json          when it began, what it is bound to, how often it was started
//	    figures.json        what the vendors were asked so far
//	    progress.json       how far it is, for who looks on
//	    keys/  spool/  parts/  uploads.jsonl
//
// It promises that one process at a time works in a folder; that night.json is either the old one
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

	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// HeldError says that another process works in the folder.
type HeldError struct {
	Folder string
	Holder Holder // zero where it can't be told
}

// Error names the folder, and who works in it since when.
func (e *HeldError) Error() string {
	if e.Holder == (Holder{}) {
		return fmt.Sprintf("another run is at work in the state folder %s", e.Folder)
	}
	return fmt.Sprintf("another run is at work in the state folder %s: process %d on %s (rollcall %s), since %s",
		e.Folder, e.Holder.PID, e.Holder.Host, e.Holder.Command, e.Holder.Since.UTC().Format(time.RFC3339))
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
}

// Options say which folder is taken, and by whom.
type Options struct {
	Path   string
	Random func() uint64 // makes the folder's name when it has none
	Holder Holder        // who takes it
	Disk   disk.Disk     // nil: the real disk
}

// Open takes the folder, creating it where it is missing. It returns *HeldError when another
// process works in it, and a Configuration fault where it can't be made or is of a newer layout.
func Open(o Options) (*Folder, error) {
	d := disk.Or(o.Disk)
	if err := disk.Folder(d, o.Path, folderMode); err != nil {
		return nil, &fault.Error{Kind: fault.Configuration, Message: "the state folder " + o.Path + " can't be made", Hint: "name another one with --state", Err: err}
	}
	lock := flock.New(filepath.Join(o.Path, "lock"), flock.SetPermissions(fileMode))
	held, err := lock.TryLock()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil, &fault.Error{Kind: fault.Configuration, Message: "the state folder " + o.Path + " can't be written", Hint: "let this user write there, or name another folder with --state; what was fetched is kept where it is", Err: err}
	}
	if err != nil {
		return nil, &fault.Error{Kind: fault.Configuration, Message: "the state folder " + o.Path + " can't be locked", Hint: "name a folder on a local disk with --state", Err: err}
	}
	if !held {
		holder, _, _ := ReadHolder(o.Path) // for the message alone
		return nil, &HeldError{Folder: o.Path, Holder: holder}
	}
	f := &Folder{Path: o.Path, disk: d, lock: lock}
	if err := f.settle(o); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return f, nil
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

// Close gives the folder back.
func (f *Folder) Close() error {
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
