package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"rollcall/pipeline/fetch"
	"rollcall/pipeline/job"
	"rollcall/pipeline/keys"
	"rollcall/pipeline/sorted"
	"rollcall/pipeline/state"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// importLists copies every ID list into the night, sorted and each ID once. A list that is
// already there is not read again: a resumed run asks what the first one was given.
func (r *run) importLists(ctx context.Context) (fetch.Keys, error) {
	for _, list := range r.Job.Lists {
		if _, ok := r.night.Lists[list.Name]; ok {
			if err := r.tellChanged(ctx, list); err != nil {
				return nil, err
			}
			if err := r.mend(ctx, list); err != nil {
				return nil, err
			}
			continue
		}
		summary, err := ImportList(ctx, r.Job, list, r.night.Keys(list.Name), r.Stdin, r.Disk, func(text, hint string) { r.notice(text, hint) })
		if err != nil {
			return nil, err
		}
		r.night.Lists[list.Name] = state.List{Read: summary.Read, Unique: summary.Unique, SHA256: hex.EncodeToString(summary.SHA256[:])}
		if err := r.night.Save(); err != nil {
			return nil, err
		}
	}
	return &lists{night: r.night, disk: r.Disk}, nil
}

// tellChanged says that a list holds other IDs than the copy made when the night began: the copy
// is what counts. A list that was not written to since is not read again, and standard input can't be.
func (r *run) tellChanged(ctx context.Context, list job.List) error {
	if list.Path == "-" || !lastWrite(list.Path).After(r.night.Started) {
		return nil
	}
	copied := r.night.Lists[list.Name]
	aside := r.night.Keys(list.Name) + ".now"
	is, err := ImportList(ctx, r.Job, list, aside, r.Stdin, r.Disk, nil)
	said := humanize.Comma(is.Unique) + " IDs now"
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil:
		said = "it can't be read now" // which is no reason to lose the night
	case hex.EncodeToString(is.SHA256[:]) == copied.SHA256:
		return disk.Or(r.Disk).Remove(aside)
	default:
		if err := disk.Or(r.Disk).Remove(aside); err != nil {
			return err
		}
	}
	r.notice(fmt.Sprintf("ids.%s: %s has changed since this run began at %s (%s IDs then, %s); the copy made then is asked",
		list.Name, list.Path, r.night.Started.UTC().Format("15:04"), humanize.Comma(copied.Unique), said),
		"to ask the new list tonight, throw away what was fetched and begin anew with {}", r.night.Command().With("discard", ""))
	return nil
}

// lastWrite is when a local file was last written to, or a folder or one of the files in it; zero where
// nothing is there.
func lastWrite(path string) (last time.Time) {
	inside, _ := os.ReadDir(path) // of a file: nothing
	for _, name := range append([]string{""}, names(inside)...) {
		if info, err := os.Stat(filepath.Join(path, name)); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

func names(entries []os.DirEntry) (all []string) {
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// ImportList copies one ID list of a job to the key file target, beside which temporary files go. Warn hears
// of what may be a mistake in it (nil: nobody does).
func ImportList(ctx context.Context, j *job.Job, list job.List, target string, stdin io.Reader, d disk.Disk, warn func(text, hint string)) (keys.Summary, error) {
	options := listOptions(j.Sink, list, warn)
	options.Target, options.Temp, options.Stdin, options.Disk = target, filepath.Dir(target), stdin, d
	summary, err := keys.Import(ctx, options)
	return summary, fault.Wrap(err, "ids.%s", list.Name)
}

// ProbeList reads the beginning of one ID list of a job, and tells what keeps it from being one. It asks no
// bucket and leaves standard input alone: of those it says nothing but what their paths tell, and is not read.
func ProbeList(ctx context.Context, list job.List, temp string, warn func(text, hint string)) (read bool, err error) {
	options := listOptions(job.Sink{}, list, warn)
	options.Temp = temp
	read, err = keys.Probe(ctx, options)
	return read, fault.Wrap(err, "ids.%s", list.Name)
}

func listOptions(s job.Sink, list job.List, warn func(text, hint string)) keys.ImportOptions {
	options := keys.ImportOptions{
		Path: list.Path, Column: list.Column, Delimiter: list.Delimiter, NoHeader: list.NoHeader, Values: list.Values,
		Objects: ObjectReader(s, list, warn),
	}
	if warn != nil {
		options.Warn = func(text, hint string) { warn("ids."+list.Name+": "+text, hint) }
	}
	return options
}

// lists reads the copied ID lists.
type lists struct {
	night *state.Night
	disk  disk.Disk
}

func (l *lists) open(names []string) ([]*keys.List, error) {
	var all []*keys.List
	for _, name := range names {
		list, err := keys.Open(l.night.Keys(name))
		if err != nil {
			return nil, fault.Wrap(err, "ids.%s", name)
		}
		all = append(all, list)
	}
	return all, nil
}

// Union streams the IDs of several lists, each once.
func (l *lists) Union(names []string) (fetch.Cursor, error) {
	all, err := l.open(names)
	if err != nil {
		return nil, err
	}
	return keys.Union(all...)
}

// Count tells how many different IDs the lists hold together.
func (l *lists) Count(names []string) (int64, error) {
	if len(names) == 1 {
		return l.night.Lists[names[0]].Unique, nil
	}
	cursor, err := l.Union(names)
	if err != nil {
		return 0, err
	}
	n := int64(0)
	for cursor.Next() {
		n++
	}
	return n, errors.Join(cursor.Err(), cursor.Close())
}

// With streams the IDs of several lists and those that more adds, in ascending order, each once.
func (l *lists) With(ctx context.Context, names []string, more func(add func(id string) error) error) (fetch.Cursor, error) {
	sorter := sorted.New(filepath.Join(l.night.Path, "keys"), 16<<20)
	sorter.Disk = l.disk
	add := func(id string) error { return sorter.Add([]byte(id), nil) }
	given, err := l.Union(names)
	if err != nil {
		return nil, err
	}
	for given.Next() {
		if err := add(given.ID()); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(given.Err(), given.Close(), more(add), ctx.Err()); err != nil {
		return nil, err
	}
	cursor, err := sorter.Sort()
	if err != nil {
		return nil, err
	}
	return &sortedIDs{cursor: cursor}, nil
}

// sortedIDs is a cursor over sorted records that are IDs, some of them more than once.
type sortedIDs struct {
	cursor *sorted.Cursor
	last   string
	begun  bool
}

func (s *sortedIDs) Next() bool {
	for s.cursor.Next() {
		if key := s.cursor.Key(); !s.begun || string(key) != s.last {
			s.last, s.begun = string(key), true
			return true
		}
	}
	return false
}

func (s *sortedIDs) ID() string   { return s.last }
func (s *sortedIDs) Err() error   { return s.cursor.Err() }
func (s *sortedIDs) Close() error { return s.cursor.Close() }

// Binding lists what may not change while a night is unsealed: vendors, apps, data blocks and ID lists.
func Binding(j *job.Job) []string {
	var lines []string
	for _, s := range j.Sources {
		lines = append(lines, "source "+s.Address+": app "+s.Config.Account().AppID)
	}
	for _, l := range j.Lists {
		what := l.Path
		if l.Path == "" {
			what = given(l.Values)
		}
		if l.Column != "" {
			what += " column " + l.Column
		}
		if l.Delimiter != 0 {
			what += " delimiter " + strconv.Quote(string(l.Delimiter))
		}
		if l.NoHeader {
			what += " without a header"
		}
		lines = append(lines, "ids "+l.Name+": "+what)
	}
	for _, d := range j.Data {
		lines = append(lines, "data "+d.Address+": "+describe(d))
	}
	return lines
}

// given tells IDs apart that stand in the configuration itself: few of them as they are.
func given(values []string) string {
	const readable = 60
	text := strings.Join(values, ",")
	if len(text) <= readable && strings.Count(text, ",") == len(values)-1 {
		return text
	}
	return fmt.Sprintf("%d values, SHA-256 %x", len(values), sha256.Sum256([]byte(strings.Join(values, "\x00"))))
}

func describe(d job.Data) string {
	parts := []string{"source " + d.Source}
	for _, in := range []struct {
		name string
		from job.Input
	}{{"users", d.Users}, {"groups", d.Groups}, {"memberships", job.Input{From: d.Memberships}}} {
		if !in.from.Empty() {
			parts = append(parts, in.name+" "+strings.Join(append(append([]string{}, in.from.Lists...), in.from.From...), "+"))
		}
	}
	for _, role := range d.Only {
		parts = append(parts, "only "+role.String())
	}
	if d.Topics {
		parts = append(parts, "topics")
	}
	return strings.Join(parts, " ")
}

// Fits is a fault where a configuration would not go on with a night. App IDs may stand where
// secrets do; of a job that was read without them they are not compared.
func Fits(night state.Night, j *job.Job) error {
	unknown := map[string]bool{}
	for _, s := range j.Sources {
		unknown["source "+s.Address] = s.Config.Account().AppID == ""
	}
	comparable := func(lines []string) []string {
		return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
			what, _, _ := strings.Cut(line, ": ")
			return unknown[what]
		})
	}
	night.Binding = comparable(night.Binding)
	return night.Refuses(comparable(Binding(j)))
}
