package state

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"rollcall/schema/advice"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// nightFile says what a night is.
const nightFile = "night.json"

// Night is what is remembered of one unsealed snapshot date.
type Night struct {
	Date       string          `json:"date"`
	Started    time.Time       `json:"started"`
	Generation int             `json:"generation"` // process starts so far, this one included
	Binding    []string        `json:"binding"`    // one line for each thing that may not change
	Lists      map[string]List `json:"lists"`      // ID lists that were copied

	Replace  bool   `json:"replace,omitempty"`  // it is to replace what seals the date
	Replaces string `json:"replaces,omitempty"` // SHA-256 of that manifest, in hex; empty where the date was not sealed then
	Sealing  string `json:"sealing,omitempty"`  // SHA-256 of the manifest that it last set out to put, in hex

	Path string `json:"-"`

	disk disk.Disk
}

// List is one ID list that was copied into the night.
type List struct {
	Read   int64  `json:"read"`
	Unique int64  `json:"unique"`
	SHA256 string `json:"sha256"`
}

// FreshFor is how long an unsealed date is taken up by a run that names no date: a day, less what
// a nightly job may begin earlier than the night before, lest it never come to its own date.
const FreshFor = 24*time.Hour - 30*time.Minute

// Fresh are those of a folder's nights that a run without --date may take up: they began less than
// FreshFor ago, the newest first. Those to come are none: they began by a clock that was ahead.
func Fresh(nights []Night, now time.Time) []Night {
	fresh := slices.DeleteFunc(slices.Clone(nights), func(n Night) bool { return now.Sub(n.Started) >= FreshFor || ToCome(n.Date, now) })
	slices.SortStableFunc(fresh, func(a, b Night) int { return b.Started.Compare(a.Started) })
	return fresh
}

// Pending is that of a folder's nights which a run without --date takes up, as far as the folder
// alone can tell: the date of the newest fresh one that replaces nothing, or "".
func Pending(nights []Night, now time.Time) string {
	for _, n := range Fresh(nights, now) {
		if !n.Replace {
			return n.Date
		}
	}
	return ""
}

// Command is what goes on with the night.
func (n Night) Command() advice.Command {
	c := advice.Rollcall("run")
	if n.Replace {
		c = c.With("replace", "")
	}
	return c.With("date", n.Date)
}

// Night is what is remembered of date; nil where that is nothing.
func (f *Folder) Night(date string) (*Night, error) {
	n, err := read(filepath.Join(f.Path, date))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n.disk = f.disk
	return &n, nil
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
	if _, err := readVersion(folder); err != nil {
		return nil, err
	}
	var nights []Night
	for _, e := range entries {
		if !e.IsDir() || !isNight(e.Name()) {
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

func isNight(name string) bool { return regexp.MustCompile(`^\d{4}-\d\d-\d\d$`).MatchString(name) }

func read(path string) (Night, error) {
	file := filepath.Join(path, nightFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return Night{}, err
	}
	n := Night{}
	text, whole := Unstamp(text)
	if err = json.Unmarshal(text, &n); err == nil && !whole {
		err = errors.New("it has changed since it was written")
	}
	if err == nil && !isNight(n.Date) {
		err = errors.New("it names no date")
	}
	if err != nil {
		return Night{}, &fault.Error{Kind: fault.Bug, Message: file + " is damaged", Hint: "remove the folder " + path + " to begin this date anew: everything is asked again", Err: err}
	}
	if folder := filepath.Base(path); n.Date != folder {
		return Night{}, &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("%s holds what was fetched for %s, and would pass for that of %s", path, n.Date, folder),
			Hint: "rename it to " + filepath.Join(filepath.Dir(path), n.Date) + ", or remove it to begin " + folder + " anew"}
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
		if answered, err := (Night{Path: path}).answered(); answered || err != nil {
			return nil, false, errors.Join(unknown(path), err)
		}
		n = Night{Date: date, Started: now.UTC(), Binding: binding, Lists: map[string]List{}, Path: path}
	case err != nil:
		return nil, false, err
	default:
		resumed = true
		if err := n.Refuses(binding); err != nil {
			return nil, false, err
		}
		if n.Fits(binding) != nil {
			n.Binding, n.Lists = binding, map[string]List{} // there are no answers that would not fit
		}
	}
	n.Generation++
	for _, sub := range []string{"keys", "spool", "parts"} {
		if err := disk.Folder(f.disk, filepath.Join(path, sub), folderMode); err != nil {
			return nil, false, err
		}
	}
	n.disk = f.disk
	return &n, resumed, n.Save()
}

// unknown is the fault of answers of which nobody knows what they were asked for.
func unknown(path string) error {
	return &fault.Error{
		Kind: fault.Bug, Message: filepath.Join(path, nightFile) + " is missing, and nobody can tell which configuration the answers beside it belong to",
		Hint: "remove the folder " + path + " to begin this date anew: everything is asked again",
	}
}

// Refuses is a fault where the night holds answers that would not fit to those of a job with this
// binding.
func (n Night) Refuses(binding []string) error {
	unfit := n.Fits(binding)
	if unfit == nil {
		return nil
	}
	answered, missing := n.answered()
	if missing != nil {
		return errors.Join(missing, unfit)
	}
	if answered {
		return unfit
	}
	return nil
}

// answered tells whether the spool holds any answers.
func (n Night) answered() (bool, error) {
	runs, err := os.ReadDir(n.Spool())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return len(runs) > 0, err
}

// Save writes night.json.
func (n *Night) Save() error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return disk.Replace(n.disk, filepath.Join(n.Path, nightFile), fileMode, Stamp(append(text, '\n')))
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

// Progress is the file in which a run tells how far it is.
func (n *Night) Progress() string { return filepath.Join(n.Path, "progress.json") }

// discarded begins the names of nights that are being thrown away.
const discarded = "discarded-"

// Discard throws a night away, so that its date begins anew. Whatever moment it is cut off at,
// the night is there whole or not at all.
func (f *Folder) Discard(date string) error {
	aside := filepath.Join(f.Path, discarded+date)
	if err := f.disk.Rename(filepath.Join(f.Path, date), aside); err != nil {
		return err
	}
	if err := f.disk.SyncFolder(f.Path); err != nil {
		return err
	}
	return f.disk.RemoveAll(aside)
}

// sweep removes what is left of nights that were being thrown away.
func (f *Folder) sweep() error {
	entries, err := os.ReadDir(f.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), discarded) {
			if err := f.disk.RemoveAll(filepath.Join(f.Path, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Holds tells whether anything is there of a date.
func (f *Folder) Holds(date string) bool {
	_, err := os.Stat(filepath.Join(f.Path, date))
	return err == nil
}

// SetOut remembers that the night is to replace the manifest of that SHA-256; empty where the date
// is not sealed, or not any more.
func (n *Night) SetOut(sum string) error {
	if n.Replace && (sum == "" || sum == n.Replaces) {
		return nil
	}
	n.Replace, n.Replaces = true, cmp.Or(sum, n.Replaces)
	return n.Save()
}

// SetSealing remembers the manifest that is about to be put, by its SHA-256.
func (n *Night) SetSealing(sum string) error {
	n.Sealing = sum
	return n.Save()
}

// Forget removes what is left of a date that is sealed. What the night remembers goes last: a stop
// in between leaves a night that still knows itself to be done.
func (f *Folder) Forget(date string) error {
	path := filepath.Join(f.Path, date)
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == nightFile {
			continue
		}
		if err := f.disk.RemoveAll(filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	if err := f.disk.SyncFolder(path); err != nil {
		return err
	}
	return f.disk.RemoveAll(path)
}
