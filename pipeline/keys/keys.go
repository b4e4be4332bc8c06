// Package keys reads ID lists and keeps them as key files: the sorted, duplicate-free IDs of one
// list, which a run asks about and a later run can prove to be the same.
//
// [Import] reads a list of any size in flat memory and writes its key file whole or not at all.
// A list that can't be read, is empty or holds something that is no ID is a Configuration fault
// that names file, line and what to do; nothing is skipped silently but blank lines. [Open] and
// [Union] stream key files in ascending bytewise order.
//
// Formats go by the name: .txt or no ending (one ID a line), .csv, .ndjson, .jsonl or .json (one object a
// line), .parquet; each may end in .gz, and gzip is recognized without it. A folder is read whole: the
// files in it that a job has written, such as part-00000.snappy.parquet, in the order of their names. A byte
// order mark and CRLF are tolerated.
//
// An ID is 1 to 1024 bytes of UTF-8 without NUL and line breaks, and is otherwise taken as it stands: a
// leading # belongs to it. What a slip leaves in a list is refused, since an ID that nobody has is asked in
// vain and its absence then looks like an answer: blanks and unseen characters at the ends of an ID, quotes
// around it, names of missing values, floats in a column of whole numbers, another delimiter than the one
// that is used, separators of columns and lines within an ID, all IDs on one line, a web page or JSON in place of lines.
// Texts in NDJSON are marked as texts, so that only blanks are refused there. A list that is written to while it is
// read is refused, too: it may be half of one.
package keys

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"rollcall/pipeline/sorted"
	"rollcall/schema"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// MaxID is how many bytes an ID may have, in a list as in a vendor's answer.
const MaxID = schema.MaxID

// DefaultMemory is the memory of an import in bytes where none is given.
const DefaultMemory = 64 << 20

// Objects reads what lies in buckets.
type Objects interface {
	// Open opens s3://bucket/key. One that is not there gives an error for which errors.Is(err, fs.ErrNotExist) holds.
	Open(ctx context.Context, address string) (io.ReadCloser, error)
	// List names what lies directly in s3://bucket/folder/, in order; what is a folder ends in "/".
	List(ctx context.Context, folder string) ([]string, error)
}

// ImportOptions says what to import, and where to.
type ImportOptions struct {
	Path      string   // a file or folder, local or on s3://, or "-" for standard input (one ID a line)
	Column    string   // of CSV, NDJSON and Parquet; may be empty where there is only one
	Delimiter rune     // of CSV; 0: a comma
	NoHeader  bool     // of CSV: its first line is a row like the others, and there is one column
	Values    []string // the IDs themselves, instead of Path

	Objects Objects   // reads s3:// paths
	Stdin   io.Reader // read where Path is "-"

	Warn func(text, hint string) // hears of what may be a mistake and is read all the same; nil: nobody does

	Target string    // the key file to write
	Temp   string    // folder for temporary files; it must exist
	Memory int       // bytes; 0 means DefaultMemory
	Disk   disk.Disk // nil: the real one
}

// Summary is what an import found.
type Summary struct {
	Read       int64 // IDs in the list
	Unique     int64
	Duplicates int64
	// SHA256 is that of the sorted unique IDs, each followed by a line feed: what
	// "LC_ALL=C sort -u users.txt | sha256sum" gives for a plain list.
	SHA256 [32]byte
}

// Import reads a list and writes its key file, whole or not at all. Errors are Configuration
// faults where the list is at fault, those of options.Objects as they are, else Bug (a full disk) or
// the context's.
func Import(ctx context.Context, options ImportOptions) (Summary, error) {
	memory := options.Memory
	if memory <= 0 {
		memory = DefaultMemory
	}
	sorter := sorted.New(options.Temp, memory)
	sorter.Unique, sorter.Disk = true, options.Disk
	defer sorter.Close()
	var s Summary
	err := Read(ctx, options, func(id []byte) error {
		s.Read++
		return sorter.Add(id, nil)
	})
	if err != nil {
		return Summary{}, err
	}
	if s.Read == 0 {
		return Summary{}, empty(options)
	}
	cursor, err := sorter.Sort()
	if err != nil {
		return Summary{}, err
	}
	defer cursor.Close()
	if err := write(ctx, disk.Or(options.Disk), options.Target, cursor, &s); err != nil {
		return Summary{}, fault.Wrap(err, "write %s", options.Target)
	}
	return s, nil
}

// Read streams the IDs of a list in their own order, duplicates included. What id holds is valid
// until yield returns; an error of yield ends the reading and comes back.
func Read(ctx context.Context, options ImportOptions, yield func(id []byte) error) error {
	l, err := begin(ctx, options, yield)
	if err != nil {
		return err
	}
	return l.finish()
}

// probed is how many IDs a probe reads.
const probed = 1000

// errEnough ends a probe.
var errEnough = errors.New("enough was read")

// Probe reads the beginning of a list, and tells what keeps it from being one as [Import] does. Only files
// and folders on this machine are read: of others, the path alone is looked at.
func Probe(ctx context.Context, options ImportOptions) (read bool, err error) {
	if elsewhere, err := readElsewhere(options.Path); elsewhere {
		return false, err
	}
	n := 0
	l, err := begin(ctx, options, func([]byte) error {
		if n++; n >= probed {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err == nil {
		err = l.finish()
	}
	if err == nil && n == 0 {
		err = empty(options)
	}
	return true, err
}

// readElsewhere tells whether a list can't be read without asking a bucket or taking away what is there to
// be read once; and what of its path is wrong at once.
func readElsewhere(path string) (bool, error) {
	if remote(path) {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "s3://"), "/")
		if bucket == "" || key == "" {
			return true, slip("write it as s3://bucket/key, or s3://bucket/folder/", "%q is no address of an object", path)
		}
		if strings.HasSuffix(key, "/") {
			return true, nil
		}
		_, _, err := formatOf(path)
		return true, err
	}
	info, err := os.Stat(path)
	return path == "-" || err == nil && !info.IsDir() && !info.Mode().IsRegular(), nil
}

// begin reads a list without looking back on all of its IDs, which is finish's part.
func begin(ctx context.Context, options ImportOptions, yield func(id []byte) error) (*list, error) {
	l := &list{
		ctx: ctx, column: options.Column, delimiter: options.Delimiter, noHeader: options.NoHeader, warn: options.Warn, disk: disk.Or(options.Disk), yield: yield,
		temp: filepath.Join(options.Temp, filepath.Base(options.Target)+".list"),
	}
	if options.Path == "" {
		for i, value := range options.Values {
			if err := Check([]byte(value)); err != nil {
				return l, fault.Wrap(err, "value %d", i+1)
			}
			if err := yield([]byte(value)); err != nil {
				return l, err
			}
		}
		return l, nil
	}
	return l, l.readLocation(location{
		path: options.Path, objects: options.Objects, stdin: options.Stdin,
		hint:    "give ids the path of a readable list; relative paths count from the configuration file's folder",
		several: ", or one ids block each: users = [ids.a, ids.b]",
	}, formatOf)
}

func empty(options ImportOptions) error {
	if options.Path == "" {
		return &fault.Error{Kind: fault.Configuration, Message: "no IDs in values", Hint: "name at least one ID"}
	}
	return &fault.Error{
		Kind:    fault.Configuration,
		Message: fmt.Sprintf("no IDs in %s: the list is empty", title(options.Path)),
		Hint:    "an empty list would seal an empty snapshot; check what writes the list, or remove the data blocks that use it",
	}
}

// write makes the key file of what cursor gives: header, then each ID after its length.
func write(ctx context.Context, d disk.Disk, target string, cursor *sorted.Cursor, s *Summary) error {
	aside := target + ".tmp"
	file, err := d.Create(aside, 0o600)
	if err != nil {
		return err
	}
	err = writeBody(ctx, file, cursor, s)
	if err == nil {
		_, err = file.WriteAt(appendHeader(nil, *s), 0)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = d.Rename(aside, target)
	}
	if err != nil {
		_ = d.Remove(aside) // else it goes with the night
		return err
	}
	return d.SyncFolder(filepath.Dir(target))
}

func writeBody(ctx context.Context, file io.Writer, cursor *sorted.Cursor, s *Summary) error {
	sum := sha256.New()
	body := make([]byte, headerSize, bufferSize)
	lines := make([]byte, 0, bufferSize)
	flush := func() error {
		sum.Write(lines)
		_, err := file.Write(body)
		body, lines = body[:0], lines[:0]
		return errors.Join(err, ctx.Err())
	}
	for cursor.Next() {
		if len(body)+MaxID+binary.MaxVarintLen16 > bufferSize {
			if err := flush(); err != nil {
				return err
			}
		}
		id := cursor.Key()
		body = append(binary.AppendUvarint(body, uint64(len(id))), id...)
		lines = append(append(lines, id...), '\n')
		s.Unique++
	}
	if err := errors.Join(cursor.Err(), flush()); err != nil {
		return err
	}
	s.Duplicates = s.Read - s.Unique
	sum.Sum(s.SHA256[:0])
	return nil
}
