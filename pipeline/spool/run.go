package spool

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// run is one durable folder: three tables and an index that describes them.
type run struct {
	dir         string
	first, last int // the flushes it holds
	size        int64
	index       runIndex

	// Guarded by Spool.mu.
	readers int
	dropped bool // superseded: goes when the last reader does
}

// runIndex is a run's index.json. It makes the run self-contained: whoever finds the folder knows
// which blocks its numbers mean.
type runIndex struct {
	Version int          `json:"version"`
	Level   int          `json:"level"` // how many merges deep
	Blocks  []blockIndex `json:"blocks"`
	Rows    tableIndex   `json:"rows"`
	Groups  tableIndex   `json:"groups"`
	Records tableIndex   `json:"records"`
}

type blockIndex struct {
	Address string `json:"address"`
	Source  string `json:"source"`
	View    string `json:"view"`
	Partial bool   `json:"partial,omitempty"`
}

const (
	version     = 2 // 1 had no count of cut texts, and lists that nothing proved were taken for complete ones
	rowsFile    = "rows.arrow"
	groupsFile  = "groups.arrow"
	recordsFile = "records.arrow"
	indexFile   = "index.json"
	temporary   = "unfinished-"

	folderMode, fileMode = 0o700, 0o600 // it holds personal data
)

func runName(first, last int) string { return fmt.Sprintf("run-%010d-%010d", first, last) }

func indexBlocks(blocks []Block) []blockIndex {
	all := make([]blockIndex, 0, len(blocks))
	for _, b := range blocks {
		all = append(all, blockIndex{b.Address, b.Source, b.View.String(), b.Partial})
	}
	return all
}

// runWriter writes one run. Rows must come in their order, records in theirs.
type runWriter struct {
	spool   *Spool
	run     *run
	working string // the folder until it is whole

	rows, groups, records *tableWriter
	rowColumns            *rowColumns
	groupColumns          *groupColumns
	recordColumns         *recordColumns
	gathered              gatherer
}

func (s *Spool) newRun(first, last, level int) (*runWriter, error) {
	name := runName(first, last)
	w := &runWriter{
		spool: s, working: filepath.Join(s.options.Dir, temporary+name),
		run: &run{
			dir: filepath.Join(s.options.Dir, name), first: first, last: last,
			index: runIndex{Version: version, Level: level, Blocks: indexBlocks(s.options.Blocks)},
		},
		rowColumns: newRowColumns(), groupColumns: &groupColumns{}, recordColumns: newRecordColumns(),
		gathered: newGatherer(len(s.options.Blocks)),
	}
	err := s.disk.MkdirAll(w.working, folderMode)
	if err == nil {
		w.rows, err = createTable(s.options, filepath.Join(w.working, rowsFile), rowSchema(), w.rowColumns.list())
	}
	if err == nil {
		w.groups, err = createTable(s.options, filepath.Join(w.working, groupsFile), groupSchema(), w.groupColumns.list())
	}
	if err == nil {
		w.records, err = createTable(s.options, filepath.Join(w.working, recordsFile), recordSchema(), w.recordColumns.list())
	}
	if err != nil {
		w.abandon()
		return nil, refused(err)
	}
	return w, nil
}

func (w *runWriter) row(r *Row) {
	at := place{w.spool.ordinals[r.Block], r.Group}
	w.gathered.row(r, at, w.group)
	w.rows.added(r.Block, at, w.rowColumns.add(r))
}

func (w *runWriter) group(g *Group, at place) {
	w.groups.added(g.Block, at, w.groupColumns.add(g))
}

func (w *runWriter) record(r *Record) {
	w.records.added(r.Block, place{}, w.recordColumns.add(r))
}

// commit makes the run durable. A run that can't be committed leaves nothing behind.
func (w *runWriter) commit() (*run, error) {
	w.gathered.flush(w.group)
	err := errors.Join(w.rows.finish(), w.groups.finish(), w.records.finish())
	x := &w.run.index
	x.Rows, x.Groups, x.Records = w.rows.index, w.groups.index, w.records.index
	w.run.size = x.Rows.Size + x.Groups.Size + x.Records.Size
	d := w.spool.disk
	if err == nil {
		err = writeIndex(d, filepath.Join(w.working, indexFile), x)
	}
	if err == nil {
		err = d.SyncFolder(w.working)
	}
	if err == nil {
		err = d.Rename(w.working, w.run.dir)
	}
	if err == nil {
		err = d.SyncFolder(w.spool.options.Dir)
	}
	if err != nil {
		w.abandon()
		return nil, refused(err)
	}
	return w.run, nil
}

// abandon closes and removes what was written. What can't be removed goes when the spool is opened next.
func (w *runWriter) abandon() {
	for _, t := range []*tableWriter{w.rows, w.groups, w.records} {
		if t != nil {
			t.file.Close()
		}
	}
	w.spool.disk.RemoveAll(w.working)
}

// writeIndex writes the index and, on a second line, its checksum.
func writeIndex(d disk.Disk, path string, index *runIndex) error {
	text, err := json.Marshal(index)
	if err != nil {
		return err
	}
	return disk.Write(d, path, fileMode, strings.NewReader(fmt.Sprintf("%s\n%08x\n", text, crc32.Checksum(text, castagnoli()))))
}

// openRuns finds the runs in o.Dir, sorted by range, and removes what crashes left there.
func openRuns(o Options) ([]*run, error) {
	if err := disk.Folder(o.Disk, o.Dir, folderMode); err != nil {
		return nil, refused(err)
	}
	names, err := os.ReadDir(o.Dir)
	if err != nil {
		return nil, refused(err)
	}
	var found []*run
	for _, name := range names {
		r := &run{dir: filepath.Join(o.Dir, name.Name())}
		if strings.HasPrefix(name.Name(), temporary) {
			err = errors.Join(err, o.Disk.RemoveAll(r.dir))
		} else if n, _ := fmt.Sscanf(name.Name(), "run-%d-%d", &r.first, &r.last); n == 2 && name.Name() == runName(r.first, r.last) {
			found = append(found, r)
		}
	}
	live, covered := supersede(found)
	for _, r := range covered {
		err = errors.Join(err, o.Disk.RemoveAll(r.dir))
	}
	if err != nil {
		return nil, refused(err)
	}
	for i, r := range live {
		if i > 0 && r.first <= live[i-1].last {
			return nil, damaged(r.dir, fmt.Errorf("it overlaps %s", filepath.Base(live[i-1].dir)))
		}
	}
	return openEach(o, live)
}

// openEach opens runs, and drops those that are damaged where somebody wants to know of it.
func openEach(o Options, live []*run) ([]*run, error) {
	var whole []*run
	for _, r := range live {
		err := r.open(o.Blocks)
		if err == nil && o.Dropped != nil {
			err = r.check()
		}
		if broken, ok := errors.AsType[*damage](err); ok && o.Dropped != nil {
			if err := o.Disk.RemoveAll(r.dir); err != nil {
				return nil, refused(err)
			}
			o.Dropped(Damage{Run: r.dir, Keys: r.keys(), Err: broken})
			continue
		}
		if err != nil {
			return nil, err
		}
		whole = append(whole, r)
	}
	return whole, nil
}

// keys is how many records the run holds, as far as its index tells.
func (r *run) keys() int64 {
	if r.index.Version == 0 {
		return -1
	}
	return r.index.Records.Rows
}

// check holds every batch against its checksum.
func (r *run) check() error {
	for name, t := range r.tables() {
		path := filepath.Join(r.dir, name)
		file, err := os.Open(path)
		if err != nil {
			return damaged(path, err)
		}
		err = t.check(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return damaged(path, err)
		}
	}
	return nil
}

func (r *run) tables() map[string]*tableIndex {
	return map[string]*tableIndex{rowsFile: &r.index.Rows, groupsFile: &r.index.Groups, recordsFile: &r.index.Records}
}

// supersede parts runs into those that count and those whose range lies within another's.
func supersede(runs []*run) (live, covered []*run) {
	slices.SortFunc(runs, func(a, b *run) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last)) })
	for _, r := range runs {
		if len(live) > 0 && r.last <= live[len(live)-1].last {
			covered = append(covered, r)
		} else {
			live = append(live, r)
		}
	}
	return live, covered
}

// open reads the run's index and holds it against the files and the spool's blocks.
func (r *run) open(blocks []Block) error {
	path := filepath.Join(r.dir, indexFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return damaged(path, err)
	}
	text, sum, _ := strings.Cut(string(raw), "\n")
	if sum != fmt.Sprintf("%08x\n", crc32.Checksum([]byte(text), castagnoli())) {
		return damaged(path, errors.New("it has changed since it was written"))
	}
	if err := json.Unmarshal([]byte(text), &r.index); err != nil {
		return damaged(path, err)
	}
	if want := indexBlocks(blocks); r.index.Version != version || !slices.Equal(r.index.Blocks, want) {
		return foreign(r.index, want)
	}
	for name, t := range r.tables() {
		path := filepath.Join(r.dir, name)
		switch info, err := os.Stat(path); {
		case err != nil:
			return damaged(path, err)
		case info.Size() != t.Size:
			return damaged(path, fmt.Errorf("it has %d bytes instead of %d", info.Size(), t.Size))
		}
		r.size += t.Size
	}
	return nil
}

// damaged is the fault of a file that is not what was written; or, where the system only refuses
// to read it, of that system.
func damaged(path string, err error) error {
	if _, system := errors.AsType[*fs.PathError](err); system && !errors.Is(err, fs.ErrNotExist) {
		return &fault.Error{
			Kind: fault.Bug, Message: "the spool can't be read", Err: err,
			Hint: "see to the state folder's disk, its permissions and the limit of open files (128 are needed), then run again",
		}
	}
	return &fault.Error{
		Kind: fault.Bug, Message: "the spool is damaged", Err: &damage{path, err},
		Hint: "check the disk, then run the same command again: what is damaged is dropped, and only what it held is asked again",
	}
}

// damage is a file that is not what was written.
type damage struct {
	path string
	err  error
}

// Error names the file.
func (d *damage) Error() string { return d.path + ": " + d.err.Error() }

// Unwrap gives what is wrong with it.
func (d *damage) Unwrap() error { return d.err }

// foreign is the fault of a run that was made for other blocks.
func foreign(index runIndex, want []blockIndex) error {
	message := "the spool was begun for other data blocks"
	for _, b := range index.Blocks {
		if !slices.Contains(want, b) {
			message += fmt.Sprintf(": it has answers of %s from %s", b.Address, b.Source)
			break
		}
	}
	if index.Version != version {
		message = fmt.Sprintf("the spool was begun by another version of rollcall: format %d, not %d", index.Version, version)
	}
	return &fault.Error{
		Kind: fault.Configuration, Message: message,
		Hint: "go on with the configuration and the version that began this run, or begin anew with another --state folder",
	}
}

// refused is the fault of a disk that doesn't do what it is asked.
func refused(err error) error {
	return &fault.Error{
		Kind: fault.Bug, Message: "the spool can't be written", Err: err,
		Hint: "see to space and permissions of the state folder's disk, then run again: what was flushed is kept",
	}
}
