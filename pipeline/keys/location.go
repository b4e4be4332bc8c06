package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"rollcall/schema/fault"
)

// location is where a list lies.
type location struct {
	path    string // a file or folder, local or on s3://, or "-"
	objects Objects
	stdin   io.Reader
	hint    string // what to do where the path is wrong
	several string // how to give several files at once, after "give one of them"
}

func remote(path string) bool { return strings.HasPrefix(path, "s3://") }

// title is the path as messages name it.
func title(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// readLocation reads the file that lies there, or the files of the folder. Format tells the format by a name,
// and whether the file is gzip.
func (l *list) readLocation(at location, format func(name string) (encoding, bool, error)) error {
	err := l.readFile(at, at.path, format)
	if !errors.Is(err, errFolder) {
		return err
	}
	folder := strings.TrimSuffix(at.path, "/") + "/"
	inside, err := at.list(l.ctx, folder)
	if err != nil {
		return err
	}
	names, err := at.parts(folder, inside, format)
	for i := 0; err == nil && i < len(names); i++ {
		err = l.readFile(at, folder+names[i], format)
	}
	if err != nil {
		return err
	}
	now, err := at.list(l.ctx, folder)
	if err == nil && !slices.Equal(now, inside) {
		err = changedMeanwhile(folder)
	}
	return err
}

func (l *list) readFile(at location, path string, format func(name string) (encoding, bool, error)) error {
	file, err := at.open(l.ctx, path)
	if err != nil {
		return err
	}
	defer file.Close()
	as, packed, err := format(path)
	if err != nil {
		return err
	}
	l.name = title(path)
	before := writtenLast(file)
	if err = l.read(file, as, packed); err == nil && writtenLast(file) != before {
		err = changedMeanwhile(l.name)
	}
	return err
}

// written tells of a file on this machine when and how far it was written. What replaces a file by renaming does
// not write to it.
type written struct {
	at   time.Time
	size int64
}

// writtenLast is the zero value for what is no file on this machine, such as a pipe.
func writtenLast(file io.Reader) written {
	local, ok := file.(*os.File)
	if !ok {
		return written{}
	}
	info, err := local.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return written{}
	}
	return written{info.ModTime(), info.Size()}
}

// changedMeanwhile is the fault of a list that somebody writes while it is read: half of it would pass for the whole.
func changedMeanwhile(name string) error {
	return &fault.Error{Kind: fault.Transient, Message: name + " was written to while it was read",
		Hint: "run again when it is written; better, write it under another name and rename it when it is whole"}
}

// errFolder says that a path is that of a folder.
var errFolder = errors.New("it is a folder")

// open opens a file. A folder gives errFolder.
func (at location) open(ctx context.Context, path string) (io.ReadCloser, error) {
	switch {
	case path == "-" && at.stdin != nil:
		return io.NopCloser(at.stdin), nil
	case remote(path) && at.objects != nil:
		return at.openObject(ctx, path)
	}
	file, err := os.Open(path)
	if err == nil {
		var info os.FileInfo
		if info, err = file.Stat(); err == nil && info.IsDir() {
			err = errFolder
		}
		if err == nil {
			return file, nil
		}
		file.Close()
	}
	return nil, at.unreadable(path, err)
}

// openObject opens an object. A bucket has no folders: one is where there is no object of that name and
// there are some below it.
func (at location) openObject(ctx context.Context, path string) (io.ReadCloser, error) {
	if strings.HasSuffix(path, "/") {
		return nil, errFolder
	}
	file, err := at.objects.Open(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		if inside, listErr := at.objects.List(ctx, path+"/"); listErr == nil && len(inside) > 0 {
			return nil, errFolder
		}
		if strings.ContainsAny(path, "*?[") {
			return nil, at.unreadable(path, fs.ErrNotExist)
		}
	}
	return file, err
}

// unreadable is the fault of a file or folder that can't be read.
func (at location) unreadable(path string, err error) error {
	if errors.Is(err, errFolder) {
		return err
	}
	if cause, ok := errors.AsType[*os.PathError](err); ok {
		err = cause.Err
	}
	hint := at.hint
	if errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(path, "*?[") {
		hint = "patterns are not expanded: give the folder, all files of which are read; else give one of them" + at.several
	}
	return &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("%s cannot be read: %v", path, err), Hint: hint}
}

// list names what lies directly in a folder, in order; what is a folder ends in "/".
func (at location) list(ctx context.Context, folder string) ([]string, error) {
	if remote(folder) {
		return at.objects.List(ctx, folder)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, at.unreadable(folder, err)
	}
	var inside []string
	for _, entry := range entries {
		name := entry.Name()
		switch info, err := os.Stat(folder + name); {
		case err == nil && info.IsDir():
			name += "/"
		case err == nil && !info.Mode().IsRegular() && name[0] != '_' && name[0] != '.':
			return nil, slip("give files in folders; a pipe has a path of its own", "%s in %s is no file", name, folder)
		}
		inside = append(inside, name)
	}
	return inside, nil
}

// parts picks the files of a folder that make up the list. As Spark and Hive have it, names that begin with
// an underscore or a point are no data. What they tell is heeded: a job that has not ended, or a table
// of which some files may not be read.
func (at location) parts(folder string, inside []string, format func(name string) (encoding, bool, error)) ([]string, error) {
	var files, folders []string
	ended := slices.Contains(inside, "_SUCCESS")
	for _, name := range inside {
		job, started := strings.CutPrefix(name, "_started_")
		switch {
		case name == "_temporary/" && !ended, started && !slices.Contains(inside, "_committed_"+job):
			return nil, slip("wait for the job that writes it, or run that again", "%s is not whole: there is %s and nothing that says that the job ended well", folder, name)
		case name == "_delta_log/" || name == ".hoodie/":
			return nil, slip("write the IDs into files of their own, and give those", "%s is a table of which only some files count, as %s says", folder, name)
		case name[0] == '_' || name[0] == '.':
		case strings.HasSuffix(name, "/"):
			folders = append(folders, name)
		default:
			files = append(files, name)
		}
	}
	switch {
	case len(folders) > 0:
		return nil, slip("give one of them"+at.several, "%s holds further folders, such as %q", folder, folders[0])
	case len(files) == 0:
		return nil, slip("give the path of a list, or of a folder with its parts", "%s holds no list", folder)
	}
	var first encoding
	for i, name := range files {
		as, _, err := format(name)
		switch {
		case err != nil:
			return nil, fault.Wrap(err, "%s", folder)
		case i == 0:
			first = as
		case as != first:
			return nil, slip("give one of them"+at.several, "%s holds lists of several formats, %q and %q", folder, files[0], name)
		}
	}
	return files, nil
}
