package local

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"rollcall/schema/disk"
	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// held is the lock of this sink with a name for its holder that no other holder has.
type held struct {
	*lease.Lease
	tag string
}

// tagOf makes a name of an owner.
func tagOf(o sinks.Owner) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %d", o.State, o.Host, o.PID, o.Since.UnixNano()))
	return hex.EncodeToString(sum[:8])
}

// fence removes the own folders of all earlier holders: from then on none of them can change the name
// of a sealed file any more, however late it wakes; see the package comment. What was found before the
// lock was seen to be ours can only be an earlier holder's.
func (s *Sink) fence(ctx context.Context, lock sinks.Lock) error {
	entries, err := s.tree.ReadDir(s.URL(stagingFolder))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return classify(err, s.URL(stagingFolder))
	}
	if err := lock.Check(ctx); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := s.vanish(s.URL(stagingFolder + "/" + entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// vanishAttempts is how often a folder is removed into which somebody keeps writing.
const vanishAttempts = 100

// vanish removes a folder until it is gone: its owner may be writing into it.
func (s *Sink) vanish(folder string) (err error) {
	for range vanishAttempts {
		if err = s.disk.RemoveAll(folder); !errors.Is(err, syscall.ENOTEMPTY) {
			break
		}
	}
	return classify(err, folder)
}

// own is the folder of one staging: whatever is given a final name lies here before, and whatever
// loses one lies here after. It is made once. Nobody else ever makes a folder of its name.
type own struct {
	sink    *Sink
	lock    sinks.Lock
	path    string
	removed int
}

// newOwn makes a folder.
func (s *Sink) newOwn(lock sinks.Lock, date string) (*own, error) {
	tag := "0"
	if h, ok := lock.(*held); ok {
		tag = h.tag
	}
	for at := s.cfg.Now().UnixNano(); ; at++ {
		if err := s.disk.MkdirAll(s.URL(stagingFolder), folderMode); err != nil {
			return nil, classify(err, s.root)
		}
		folder := s.URL(fmt.Sprintf("%s/%s.%s.%d", stagingFolder, date, tag, at))
		err := s.disk.Mkdir(folder, folderMode)
		if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) { // .staging goes when it is empty
			continue
		}
		return &own{sink: s, lock: lock, path: folder}, classify(err, s.root)
	}
}

// at is where a file that is to get the name path waits. The folder has no folders in it.
func (o *own) at(path string) string {
	return filepath.Join(o.path, strings.ReplaceAll(path, "/", "+"))
}

// lost is err, or *sinks.HeldError where err is there because a later holder of the lock has removed the folder.
func (o *own) lost(ctx context.Context, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, gone := o.sink.tree.Lstat(o.path); gone == nil {
		return err
	}
	return cmp.Or(o.lock.Check(ctx), err)
}

// write makes a file.
func (o *own) write(ctx context.Context, path string, content io.Reader) error {
	return o.lost(ctx, disk.Write(o.sink.disk, o.at(path), fileMode, content))
}

// give gives a file of the folder a second, final name: fs.ErrExist where that is taken.
func (o *own) give(ctx context.Context, from, to string) error {
	for range vanishAttempts {
		if err := o.sink.disk.MkdirAll(filepath.Dir(to), folderMode); err != nil {
			return err
		}
		err := o.sink.disk.Link(from, to)
		if !errors.Is(err, fs.ErrNotExist) {
			return o.sink.explain(err)
		}
		if _, gone := o.sink.tree.Lstat(from); gone != nil {
			return o.lost(ctx, err)
		}
		// Else an earlier holder has just removed the folder of the new name, which was empty.
	}
	return &fs.PathError{Op: "link", Path: to, Err: fs.ErrNotExist}
}

// take takes a final name away from a file, which lies in the folder afterwards: at to, which is empty
// where there was no such file.
func (o *own) take(ctx context.Context, path string) (to string, err error) {
	o.removed++
	to = filepath.Join(o.path, fmt.Sprintf("removed-%05d", o.removed))
	err = o.sink.disk.Rename(path, to)
	if !errors.Is(err, fs.ErrNotExist) {
		return to, err
	}
	if _, gone := o.sink.tree.Lstat(o.path); gone != nil {
		return "", o.lost(ctx, gone)
	}
	return "", nil
}

// sync makes durable what was taken.
func (o *own) sync(ctx context.Context) error { return o.lost(ctx, o.sink.disk.SyncFolder(o.path)) }

// clear removes the folder, and the one around it where it is empty.
func (o *own) clear() error {
	err := o.sink.vanish(o.path)
	_ = o.sink.disk.Remove(o.sink.URL(stagingFolder))
	return err
}

// removeUnsealed removes the data files of a date that has no manifest, proving before each that
// the lock is still ours: a successor may be sealing that date.
func (s *Sink) removeUnsealed(ctx context.Context, date string, into *own) error {
	moved := false
	for _, partition := range sinks.Partitions(date) {
		entries, err := s.tree.ReadDir(s.URL(partition))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return classify(err, s.URL(partition))
		}
		for _, name := range names(entries) {
			if !sinks.IsPart(partition+name, date) {
				continue
			}
			if err := errors.Join(ctx.Err(), into.lock.Check(ctx)); err != nil {
				return err
			}
			moved = true
			if _, err := into.take(ctx, s.URL(partition+name)); err != nil {
				return classify(err, s.URL(partition+name))
			}
		}
		_ = s.disk.Remove(s.URL(partition)) // only where it is empty; an empty folder disturbs nobody
	}
	if !moved {
		return nil
	}
	return classify(into.sync(ctx), into.path)
}

func names(entries []fs.DirEntry) (all []string) {
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	slices.Sort(all)
	return all
}

// same tells whether what lies at path is the very file that is meant.
func (s *Sink) same(path string, as fs.FileInfo) bool {
	there, err := s.tree.Lstat(path)
	return err == nil && as != nil && os.SameFile(there, as) && there.Size() == as.Size()
}
