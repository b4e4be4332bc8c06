package verify

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// choose says which files are read. Of a share, those are chosen for which a number that follows
// from path and sealed hash is small: the same ones each time, spread evenly, and one at least.
func (v *verifier) choose(targets []*node) {
	least, lowest := "", math.Inf(1)
	for _, n := range targets {
		for _, f := range n.Files {
			lot := lotOf(f)
			if lot < lowest {
				least, lowest = f.Path, lot
			}
			if v.Share <= 0 || v.Share >= 1 || lot < v.Share {
				v.chosen[f.Path] = true
			}
		}
	}
	if len(v.chosen) == 0 && least != "" {
		v.chosen[least] = true
	}
	if v.Share <= 0 || v.Share >= 1 {
		v.report.Share = 1
	}
	for _, n := range targets {
		for _, f := range n.Files {
			if v.chosen[f.Path] {
				v.report.Bytes += f.Size
			}
		}
	}
}

// lotOf is a number from 0 to 1 that follows from the file alone.
func lotOf(f manifest.File) float64 {
	sum := sha256.Sum256([]byte(f.Path + " " + f.SHA256))
	return float64(binary.BigEndian.Uint64(sum[:])) / math.MaxUint64
}

// files holds what lies in the sink against what the manifests name.
func (v *verifier) files(ctx context.Context) error {
	want, sealed := map[string]manifest.File{}, maps.Clone(v.unreadable)
	for _, n := range v.nodes {
		if n.Replaced {
			continue
		}
		sealed[n.Date] = true
		for _, f := range n.Files {
			if n.Date >= v.From {
				want[f.Path] = f
			}
		}
	}
	v.report.Listed = int64(len(want))
	left := map[string]*unsealed{} // by date
	for _, table := range v.tables {
		for object, err := range v.sink.List(ctx, table+"/") {
			if err != nil {
				return err
			}
			f, named := want[object.Path]
			delete(want, object.Path)
			switch {
			case object.NotPlain != "":
				v.planted(object)
				v.skip(object.Path)
				continue
			case named:
				v.size(f, object.Size)
				continue
			}
			date := dateOf(object.Path)
			switch {
			case date != "" && (date < v.From || v.archived[sinks.ManifestPath(date)]):
			case sealed[date]:
				v.found.add(Extra, object.Path, "%s that no manifest names, among the files of a sealed date", humanize.IBytes(uint64(object.Size)))
			default:
				if left[date] == nil {
					left[date] = &unsealed{}
				}
				left[date].add(object.Path)
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		v.found.add(Missing, path, "a manifest names it, and it is not there")
		v.skip(path)
	}
	return v.unnamed(ctx, left)
}

// size holds the size of a file against the sealed one. A file that is read is judged by its bytes. One that
// is larger than it was sealed is not read, unless it may be another sealed file, which has just that size.
func (v *verifier) size(f manifest.File, size int64) {
	if size > f.Size && !v.sealedSizes[size] {
		v.skip(f.Path)
	}
	if !v.chosen[f.Path] {
		v.resized(f, size)
		return
	}
	v.limits[f.Path] = max(size, f.Size)
}

// skip leaves a file unread that was chosen: it is no longer worth it.
func (v *verifier) skip(path string) { delete(v.chosen, path) }

// resized finds a file of another size, and tells whether it is one.
func (v *verifier) resized(f manifest.File, size int64) bool {
	switch {
	case size < f.Size:
		v.found.add(Truncated, f.Path, "it has %d bytes, and was sealed with %d", size, f.Size)
	case size > f.Size:
		v.found.add(Altered, f.Path, "it has %d bytes, and was sealed with %d", size, f.Size)
	}
	return size != f.Size
}

// dateOf is the date of the partition in which a path lies; empty where it lies in none.
func dateOf(p string) string {
	_, partition, _ := strings.Cut(path.Dir(p), "/")
	date, ok := strings.CutPrefix(partition, "snapshot_date=")
	if !ok || !sinks.IsDate(date) {
		return ""
	}
	return date
}

// fetched is a copy of a file on local disk.
type fetched struct {
	*os.File
	size int64
}

func (f *fetched) close() error {
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// fetch copies a file onto local disk and holds its bytes against the manifest; whole tells whether
// they can be worth reading. There is no copy of a file that went missing.
func (v *verifier) fetch(ctx context.Context, date string, f manifest.File) (copied *fetched, whole bool, err error) {
	from, err := v.sink.Open(ctx, f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		v.found.add(Missing, f.Path, "a manifest names it, and it is not there")
		return nil, false, nil
	}
	if errors.Is(err, sinks.ErrArchived) {
		v.note("%s is archived and was not read", f.Path)
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer from.Close()
	file, err := os.CreateTemp(v.Scratch, "part-*.parquet")
	if err != nil {
		return nil, false, full(err)
	}
	copied = &fetched{File: file}
	hash := sha256.New()
	told := &teller{ctx: ctx, v: v, from: io.LimitReader(from, v.limits[f.Path]+1), progress: Progress{Date: date, Path: f.Path}}
	copied.size, err = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(file, hash)}, told, make([]byte, 1<<20))
	if told.err != nil {
		err = fault.Wrap(told.err, "%s", v.sink.URL(f.Path))
	} else if err != nil {
		err = full(err)
	}
	if err != nil {
		return nil, false, errors.Join(err, copied.close())
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	v.report.Files++
	return copied, v.bytes(f, copied.size, sum), nil
}

// bytes judges a file by its size and SHA-256, and tells whether it is worth reading further: bytes that
// were never sealed prove nothing, and could ask the Parquet library for memory without end.
func (v *verifier) bytes(f manifest.File, size int64, sum string) bool {
	if sum == f.SHA256 && size == f.Size {
		return true
	}
	if others := v.sealedSums[sum]; len(others) > 0 {
		v.found.add(Swapped, f.Path, "it holds what %s was sealed with", others[0])
		return false
	}
	if v.resized(f, size) {
		return false
	}
	v.found.add(Altered, f.Path, "its SHA-256 is %s, and it was sealed with %s", sum, f.SHA256)
	return false
}

// teller reads a file of the sink and tells how far it has come. What fails here is the sink's.
type teller struct {
	ctx      context.Context
	v        *verifier
	from     io.Reader
	progress Progress
	err      error
}

func (t *teller) Read(p []byte) (int, error) {
	if t.err = t.ctx.Err(); t.err != nil {
		return 0, t.err
	}
	n, err := t.from.Read(p)
	if err != nil && err != io.EOF {
		t.err = err
	}
	t.v.read += int64(n)
	if t.v.Listen != nil {
		t.progress.Read, t.progress.Total = t.v.read, t.v.report.Bytes
		t.v.Listen(t.progress)
	}
	return n, err
}

func full(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err // the work was stopped
	}
	return &fault.Error{Kind: fault.Bug, Message: "copy a file to verify it", Hint: "a file of each table at a time is copied into the system's temporary folder: see that there is space, or set TMPDIR to a folder that has some", Err: err}
}
