// Package state is the state folder: what a run must remember to go on after it was stopped.
//
//	.rollcall/
//	  lock                  held by the one run at work, by the operating system
//	  asked                 when a vendor was last asked
//	  owner                 a random name, by which a sink knows the folder's own dead runs
//	  2026-11-21/           one night, until its snapshot is sealed
//	    night.json          when it began, what it is bound to, how often it was started
//	    figures.json        what the vendors were asked so far
//	    keys/  spool/  parts/  uploads.jsonl
//
// It promises that one process at a time works in a folder, and that night.json is either the old
// one or the new one. A night is bound to vendors, apps, data blocks and ID lists: a changed
// configuration of those is refused, since its answers would not fit the ones already there.
package state

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// HeldError says that another process works in the folder.
type HeldError struct{ Folder string }

// Error names the folder.
func (e *HeldError) Error() string {
	return fmt.Sprintf("another run is at work in the state folder %s", e.Folder)
}

// fileMode is of everything in the folder that is not a folder: it is nobody else's to read.
const fileMode = 0o600

// Folder is a state folder that this process holds.
type Folder struct {
	Path  string
	Owner string // random, the same for all runs of this folder

	disk  disk.Disk
	lock  *flock.Flock
	fresh bool // no run has worked here before
}

// Night is what is remembered of one unsealed snapshot date.
type Night struct {
	Date       string          `json:"date"`
	Started    time.Time       `json:"started"`
	Generation int             `json:"generation"` // process starts so far, this one included
	Binding    []string        `json:"binding"`    // one line for each thing that may not change
	Lists      map[string]List `json:"lists"`      // ID lists that were copied

	Path string `json:"-"`

	disk disk.Disk
}

// List is one ID list that was copied into the night.
type List struct {
	Read   int64  `json:"read"`
	Unique int64  `json:"unique"`
	SHA256 string `json:"sha256"`
}

// Open takes the folder on d (nil: the real disk), creating it where it is missing. Random makes its name when it has none.
// It returns *HeldError when another process works in it.
func Open(d disk.Disk, path string, random func() uint64) (*Folder, error) {
	d = disk.Or(d)
	if err := disk.Folder(d, path, 0o700); err != nil {
		return nil, &fault.Error{Kind: fault.Configuration, Message: "the state folder " + path + " can't be made", Hint: "name another one with --state", Err: err}
	}
	lock := flock.New(filepath.Join(path, "lock"))
	held, err := lock.TryLock()
	if err != nil {
		return nil, &fault.Error{Kind: fault.Configuration, Message: "the state folder " + path + " can't be locked", Hint: "name a folder on a local disk with --state", Err: err}
	}
	if !held {
		return nil, &HeldError{Folder: path}
	}
	f := &Folder{Path: path, disk: d, lock: lock}
	if f.Owner, err = f.name(random); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return f, nil
}

func (f *Folder) name(random func() uint64) (string, error) {
	path := filepath.Join(f.Path, "owner")
	text, err := os.ReadFile(path)
	if err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	f.fresh = true
	name := fmt.Sprintf("%016x", random())
	return name, disk.Replace(f.disk, path, fileMode, []byte(name+"\n"))
}

// Close gives the folder back.
func (f *Folder) Close() error { return f.lock.Unlock() }

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
	last, unreadable := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(text)))
	return last, unreadable == nil, f.disk.Remove(path)
}

// Asked says when a vendor was last asked by this run, so that the next one, of whatever date,
// keeps its distance.
func (f *Folder) Asked(at time.Time) error {
	return disk.Replace(f.disk, filepath.Join(f.Path, "asked"), fileMode, []byte(at.UTC().Format(time.RFC3339Nano)+"\n"))
}

// FreshFor is how long an unsealed date is taken up by a run that names no date: a day, less what
// a nightly job may begin earlier than the night before, lest it never come to its own date.
const FreshFor = 24*time.Hour - 30*time.Minute

// Pending is the unsealed date that a run without --date takes up: the newest that began less
// than FreshFor ago, or "".
func (f *Folder) Pending(now time.Time) (string, error) {
	nights, err := f.Nights()
	if err != nil {
		return "", err
	}
	best := Night{}
	for _, n := range nights {
		if now.Sub(n.Started) < FreshFor && n.Started.After(best.Started) {
			best = n
		}
	}
	return best.Date, nil
}

// Nights lists the unsealed dates, in the order of dates.
func (f *Folder) Nights() ([]Night, error) { return Nights(f.Path) }

// Nights lists the unsealed dates of a state folder without holding it.
func Nights(folder string) ([]Night, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var nights []Night
	isDate := regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)
	for _, e := range entries {
		if !e.IsDir() || !isDate.MatchString(e.Name()) {
			continue
		}
		n, err := read(filepath.Join(folder, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a run was stopped before it had anything to remember
		}
		if err != nil {
			return nil, err
		}
		nights = append(nights, n)
	}
	return nights, nil
}

func read(path string) (Night, error) {
	file := filepath.Join(path, "night.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return Night{}, err
	}
	n := Night{}
	if err := json.Unmarshal(text, &n); err != nil {
		return Night{}, &fault.Error{Kind: fault.Bug, Message: file + " is damaged", Hint: "remove the folder " + path + " to begin this date anew", Err: err}
	}
	n.Path = path
	return n, nil
}

// Begin starts or resumes a night, and counts the start. Binding has one line for each thing that
// may not change while the night is unsealed; a line is "what: value".
func (f *Folder) Begin(date string, binding []string, now time.Time) (night *Night, resumed bool, err error) {
	path := filepath.Join(f.Path, date)
	n, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		n = Night{Date: date, Started: now.UTC(), Binding: binding, Lists: map[string]List{}, Path: path}
	case err != nil:
		return nil, false, err
	default:
		resumed = true
		if err := n.Fits(binding); err != nil {
			answered, missing := n.answered()
			if answered || missing != nil {
				return nil, false, errors.Join(missing, err)
			}
			n.Binding, n.Lists = binding, map[string]List{} // there are no answers that would not fit
		}
	}
	n.Generation++
	for _, sub := range []string{"keys", "spool", "parts"} {
		if err := disk.Folder(f.disk, filepath.Join(path, sub), 0o700); err != nil {
			return nil, false, err
		}
	}
	n.disk = f.disk
	return &n, resumed, n.Save()
}

// answered tells whether the spool holds any answers.
func (n Night) answered() (bool, error) {
	runs, err := os.ReadDir(n.Spool())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return len(runs) > 0, err
}

// Fits is a fault where binding differs from what the night is bound to.
func (n Night) Fits(binding []string) error {
	was, is := byName(n.Binding), byName(binding)
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if now, ok := is[name]; !ok {
			differ = append(differ, name+" is gone")
		} else if now != was[name] {
			differ = append(differ, fmt.Sprintf("%s was %q and is now %q", name, was[name], now))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if _, ok := was[name]; !ok {
			differ = append(differ, name+" is new")
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return &fault.Error{
		Kind:    fault.Configuration,
		Message: fmt.Sprintf("the configuration has changed since the run for %s began, and its answers would not fit together: %s", n.Date, strings.Join(differ, "; ")),
		Hint:    fmt.Sprintf("put it back to go on where that run stopped, or remove the folder %s to begin %s anew (budgets, share, endpoint, sink and tolerance may change at any time)", n.Path, n.Date),
	}
}

// byName takes binding lines apart: "what: value".
func byName(lines []string) map[string]string {
	values := map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		values[name] = value
	}
	return values
}

// Save writes night.json.
func (n *Night) Save() error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return disk.Replace(n.disk, filepath.Join(n.Path, "night.json"), fileMode, append(text, '\n'))
}

// Keys is where the copy of an ID list lies.
func (n *Night) Keys(list string) string {
	return filepath.Join(n.Path, "keys", hex.EncodeToString([]byte(list))+".keys")
}

// Spool is the folder of the spool.
func (n *Night) Spool() string { return filepath.Join(n.Path, "spool") }

// Parts is the folder in which the snapshot's files are prepared.
func (n *Night) Parts() string { return filepath.Join(n.Path, "parts") }

// Journal is the file in which the sink records what it begins.
func (n *Night) Journal() string { return filepath.Join(n.Path, "uploads.jsonl") }

// Figures is the file with what the vendors were asked so far.
func (n *Night) Figures() string { return filepath.Join(n.Path, "figures.json") }

// Remove forgets the night, once it is sealed.
func (n *Night) Remove() error { return n.disk.RemoveAll(n.Path) }

// Forget removes what is left of a date that turned out to be sealed.
func (f *Folder) Forget(date string) error { return f.disk.RemoveAll(filepath.Join(f.Path, date)) }
