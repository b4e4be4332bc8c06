// Package keys reads ID lists and keeps them as key files: the sorted, duplicate-free IDs of one
// list, which a run asks about and a later run can prove to be the same.
//
// [Import] reads a list of any size in flat memory and writes its key file whole or not at all.
// A list that can't be read, is empty or holds something that is no ID is a Configuration fault
// that names file, line and what to do; nothing is skipped silently but blank lines. [Open] and
// [Union] stream key files in ascending bytewise order.
//
// Formats go by the name: .txt or no ending (one ID a line), .csv (with a header), .ndjson or
// .jsonl (one object a line), .parquet; each may end in .gz. A byte order mark and CRLF are
// tolerated. An ID is 1 to 1024 bytes of UTF-8 without NUL and line breaks, and is otherwise taken
// as it stands: a leading # belongs to it, and so do blanks around it, which a list of lines may not
// have, since there they are nearly always a mistake.
package keys

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"rollcall/pipeline/sorted"
	"rollcall/schema"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// MaxID is how many bytes an ID may have, in a list as in a vendor's answer.
const MaxID = schema.MaxID

// DefaultMemory is the memory of an import in bytes where none is given.
const DefaultMemory = 64 << 20

// ImportOptions says what to import, and where to.
type ImportOptions struct {
	Path   string   // local, s3://bucket/key, or "-" for standard input (one ID a line)
	Column string   // of CSV, NDJSON and Parquet; may be empty where there is only one
	Values []string // the IDs themselves, instead of Path

	Open  func(ctx context.Context, path string) (io.ReadCloser, error) // opens s3:// paths
	Stdin io.Reader                                                     // read where Path is "-"

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
// faults where the list is at fault, those of options.Open as they are, else Bug (a full disk) or
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
	if options.Path == "" {
		for i, value := range options.Values {
			if err := check([]byte(value)); err != nil {
				return fault.Wrap(err, "value %d", i+1)
			}
			if err := yield([]byte(value)); err != nil {
				return err
			}
		}
		return nil
	}
	format, packed, err := formatOf(options.Path)
	if err != nil {
		return err
	}
	file, err := open(ctx, options)
	if err != nil {
		return err
	}
	defer file.Close()
	list := &list{ctx: ctx, name: title(options.Path), column: options.Column, temp: filepath.Join(options.Temp, filepath.Base(options.Target)+".list"), disk: disk.Or(options.Disk), yield: yield}
	return list.read(file, format, packed)
}

// open opens the list, whatever it lies on.
func open(ctx context.Context, options ImportOptions) (io.ReadCloser, error) {
	switch {
	case options.Path == "-" && options.Stdin != nil:
		return io.NopCloser(options.Stdin), nil
	case remote(options.Path) && options.Open != nil:
		file, err := options.Open(ctx, options.Path)
		return file, fault.Wrap(err, "open %s", options.Path)
	}
	file, err := os.Open(options.Path)
	if err == nil {
		var info os.FileInfo
		if info, err = file.Stat(); err == nil && info.IsDir() {
			err = errors.New("it is a folder")
		}
		if err == nil {
			return file, nil
		}
		file.Close()
	}
	if cause, ok := errors.AsType[*os.PathError](err); ok {
		err = cause.Err
	}
	return nil, &fault.Error{
		Kind: fault.Configuration, Message: fmt.Sprintf("%s cannot be read: %v", options.Path, err),
		Hint: "give ids the path of a readable list; relative paths count from the configuration file's folder",
	}
}

func remote(path string) bool { return strings.HasPrefix(path, "s3://") }

// title is the path as messages name it.
func title(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
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

// check tells what keeps id from being one.
func check(id []byte) error {
	switch {
	case len(id) == 0:
		return &fault.Error{Kind: fault.Configuration, Message: "an empty ID", Hint: "leave out rows without an ID"}
	case len(id) > MaxID:
		return &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("an ID of %d bytes: at most %d are allowed", len(id), MaxID), Hint: "check that this is a list of IDs, one a line, and that the right column is named"}
	case !utf8.Valid(id):
		return &fault.Error{Kind: fault.Configuration, Message: "an ID that is not valid UTF-8", Hint: "save the list as UTF-8"}
	case bytes.IndexByte(id, 0) >= 0:
		return &fault.Error{Kind: fault.Configuration, Message: "an ID with a NUL byte", Hint: "save the list as UTF-8 text"}
	case bytes.ContainsAny(id, "\r\n"):
		return &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("an ID with a line break, %.40q", id), Hint: "an ID is one line; check the quotes in the list"}
	}
	return nil
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
