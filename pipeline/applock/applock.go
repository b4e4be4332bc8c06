// Package applock is the lock of a vendor's app on one machine: runs with different sinks know nothing of
// each other, and two that ask one app at the same time would spend its budget twice.
//
// A lock is a file that the operating system locks, in a folder that is private to the user, so that a
// process that was killed holds nothing. Its name is a hash of vendor and app; its content says who holds
// it. [Take] takes the locks of all apps that a run asks, in every folder that can be used, or none of them:
// *HeldError where another run has one. A folder that is missing and can't be made, that is another's, open
// to others or no folder at all is not used, whatever lies there. Where that leaves none, the run goes on
// without: it is told why.
//
// Only runs of one user on one machine, in one container, meet here. What other machines ask nobody can
// tell; the configuration's share divides a budget among them.
package applock

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"rollcall/schema/disk"
)

// App is one app of one vendor.
type App struct {
	Source  string // its address in the configuration, for messages
	Vendor  string
	ID      string
	Address string // where it is asked, if an app of that ID somewhere else is another one: a simulated vendor
}

func (a App) file() string {
	sum := sha256.Sum256([]byte(a.Vendor + "\x00" + a.ID + "\x00" + a.Address))
	return a.Vendor + "-" + hex.EncodeToString(sum[:16]) + ".lock"
}

// Holder is a run that holds locks.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
	State string    `json:"state"` // its state folder
	Sink  string    `json:"sink"`
	Date  string    `json:"date"`
}

// Place is where the locks of this machine's user lie.
type Place struct {
	Folders []Folder  // all that can be used are; none: nothing is locked
	UID     int       // of the user
	Disk    disk.Disk // nil: the real one
}

// Folder is one folder for locks. It is made where it is missing, but not what it lies in.
type Folder struct {
	Path   string
	Within bool // what it lies in must be the user's alone, too
}

// HeldError says that another run on this machine asks the same app.
type HeldError struct {
	Source string
	Holder Holder // zero where it can't be told
}

// Error says who that is.
func (e *HeldError) Error() string {
	text := "another run on this machine asks the app of source." + e.Source + ", and both together would exceed its budgets"
	if e.Holder == (Holder{}) {
		return text
	}
	return fmt.Sprintf("%s: process %d, at work for %s since %s, with the state folder %s and the sink %s",
		text, e.Holder.PID, e.Holder.Date, e.Holder.Since.UTC().Format(time.RFC3339), e.Holder.State, e.Holder.Sink)
}

// Hint says what to do.
func (e *HeldError) Hint() string {
	return "wait until it has ended, or ask for both in one configuration; only runs on different machines can divide a budget, with share"
}

// Locks are held until Release.
type Locks struct {
	Recent  bool  // requests of the last run that held one of them may still count: it ended just now, or was killed
	Skipped error // why nothing is locked, where that is so

	disk  disk.Disk
	files []*flock.Flock
}

// Take takes the locks of some apps for holder. Errors other than *HeldError are found in Locks.Skipped.
func Take(p Place, apps []App, holder Holder) (*Locks, error) {
	l := &Locks{disk: disk.Or(p.Disk)}
	byFile := map[string]App{}
	for _, a := range apps {
		byFile[a.file()] = a
	}
	apps = slices.SortedFunc(maps.Values(byFile), func(a, b App) int { return cmp.Compare(a.file(), b.file()) })
	var skipped []string
	for _, folder := range p.Folders {
		err := l.takeIn(folder, p.UID, apps, holder)
		if held, ok := errors.AsType[*HeldError](err); ok {
			return nil, errors.Join(held, l.Release(time.Time{}))
		}
		if err != nil {
			skipped = append(skipped, err.Error())
		}
	}
	if len(skipped) > 0 && len(skipped) == len(p.Folders) {
		l.Skipped = errors.New(strings.Join(skipped, "; "))
	}
	return l, nil
}

func (l *Locks) takeIn(folder Folder, uid int, apps []App, holder Holder) error {
	if folder.Within {
		if err := private(filepath.Dir(folder.Path), uid); err != nil {
			return err
		}
	}
	if err := l.disk.Mkdir(folder.Path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := private(folder.Path, uid); err != nil {
		return err
	}
	for _, a := range apps {
		if err := l.take(filepath.Join(folder.Path, a.file()), a, holder); err != nil {
			return err
		}
	}
	return nil
}

// takeAttempts bounds how often a lock's file may be removed while it is being locked.
const takeAttempts = 8

func (l *Locks) take(path string, a App, holder Holder) error {
	for range takeAttempts {
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no plain file", path)
		}
		lock := flock.New(path, flock.SetPermissions(0o600))
		held, err := lock.TryLock()
		if err != nil {
			return err
		}
		if !held {
			held := &HeldError{Source: a.Source}
			if text, err := os.ReadFile(path); err == nil && json.Unmarshal(text, &held.Holder) != nil {
				held.Holder = Holder{}
			}
			return held
		}
		if same(lock, path) {
			l.files = append(l.files, lock)
			return l.sign(path, holder)
		}
		if err := lock.Close(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s is removed again and again", path)
}

// same tells whether the file that is locked is the one that has its name, and no link to another.
func same(lock *flock.Flock, path string) bool {
	locked, err := lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(locked, named)
}

// ended is what the file of a lock says that was released while requests still counted.
type ended struct {
	CountingUntil time.Time `json:"counting_until"`
}

// sign writes into the file who holds it. What clears old files away looks at when they were written.
func (l *Locks) sign(path string, holder Holder) error {
	if before, err := os.ReadFile(path); err == nil && len(bytes.TrimSpace(before)) > 0 {
		var e ended
		if json.Unmarshal(before, &e) != nil || e.CountingUntil.IsZero() || holder.Since.Before(e.CountingUntil) {
			l.Recent = true
		}
	}
	text, err := json.Marshal(holder)
	if err != nil {
		return err
	}
	return l.write(path, append(text, '\n'))
}

func (l *Locks) write(path string, text []byte) error {
	file, err := l.disk.Create(path, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

// Release releases the locks, and says in their files that this is no death, and until when requests still
// count; zero where none do.
func (l *Locks) Release(counting time.Time) error {
	var text []byte
	if !counting.IsZero() {
		text, _ = json.Marshal(ended{counting}) // a time of our own can't fail
	}
	var errs []error
	for _, lock := range l.files {
		if same(lock, lock.Path()) {
			errs = append(errs, l.write(lock.Path(), text))
		}
		errs = append(errs, lock.Close())
	}
	l.files = nil
	return errors.Join(errs...)
}

// private refuses what is no folder of the user's alone. A link is none, wherever it leads.
func private(path string, uid int) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", path)
	}
	if how := shared(info, uid); how != "" {
		return errors.New(path + " " + how)
	}
	return nil
}
