// Package local seals snapshots in a folder.
//
// Every attempt to seal has a folder of its own below the hidden folder .staging. Files are copied there,
// synced, and read back against their SHA-256. Sealing links them to their final names and then the
// manifest to its own, which fails where one stands already: nothing is ever overwritten, and that last
// link seals. What loses a final name is renamed into the own folder: files of an attempt that was
// stopped, and, when a snapshot is replaced, its manifest and then its files. Who has them open keeps
// reading the old bytes. Everything is synced to disk before the manifest appears, so that a power cut
// leaves either a whole snapshot or files that no manifest names, which the next Begin removes. After it
// has appeared, the lock, the manifest and the files are looked at once more: where the lock is lost by
// then, all stays as it is, for the next holder to see.
//
// Who takes the lock removes the own folders of all earlier holders before it does anything else (the
// fence). Every change of a final name moves a file out of the own folder or into it, and an own folder is made only once:
// so none of these steps can happen after the fence, however long a former holder was suspended
// before it, and no snapshot can be harmed by one. This needs no clock and no lock of the system, and
// holds between hosts that share a network file system.
//
// The sink's own path may be a symbolic link. Below it nothing but plain folders and plain files is
// followed, opened or written into; everything else is a Configuration fault that wraps
// *disk.NotPlainError.
//
// The folder must be one file system that knows hard links. Opening touches nothing; the folder is made
// when the lock is taken. A folder that may not be written or is none is a Configuration fault, a full
// disk a Bug fault with a hint, as the table of exit codes has it.
package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// stagingFolder holds what is not sealed. Its dot hides it from query engines.
const stagingFolder = ".staging"

// Everybody may read what is sealed, as far as the umask lets them.
const folderMode, fileMode = 0o755, 0o644

// Config is a folder and the clock.
type Config struct {
	Path string           // made absolute
	Now  func() time.Time // for the lock's record
	Pace lease.Pace       // zero: as package sinks says
	Disk disk.Disk        // nil: the real one
}

// Sink is a folder.
type Sink struct {
	root string
	cfg  Config
	disk disk.Disk // confined below root
	tree disk.Tree // root, for reading
}

var _ sinks.Sink = (*Sink)(nil)

// Open names the folder; it need not exist yet.
func Open(cfg Config) (*Sink, error) {
	root, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, classify(err, cfg.Path)
	}
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		return nil, notFolder(root)
	}
	return &Sink{root: root, cfg: cfg, disk: disk.Beneath(disk.Or(cfg.Disk), root), tree: disk.Tree{Path: root}}, nil
}

// String is the folder's absolute path.
func (s *Sink) String() string { return s.root }

// URL is the absolute path of a file.
func (s *Sink) URL(path string) string { return filepath.Join(s.root, filepath.FromSlash(path)) }

// Lock takes _locks/run.json and makes the folder where it is missing. From then on no earlier holder can
// change what is sealed. Where something else lies in the place of a table's folder, nothing is locked.
func (s *Sink) Lock(ctx context.Context, owner sinks.Owner) (sinks.Lock, error) {
	taken, err := lease.Take(ctx, &store{sink: s}, owner, s.cfg.Pace, s.cfg.Now)
	if errors.Is(err, errBusy) {
		return nil, &sinks.HeldError{Place: s.root, Owner: s.holder()}
	}
	if err != nil {
		return nil, err
	}
	lock := &held{Lease: taken, tag: tagOf(owner)}
	err = s.fence(ctx, lock)
	if err == nil {
		err = s.plainTables(owner.Date)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Release(context.WithoutCancel(ctx)))
	}
	return lock, nil
}

// plainTables refuses what lies where the folder of a table must, or that of a date in it: nothing could be
// sealed there, however long a run had asked before.
func (s *Sink) plainTables(date string) error {
	for _, partition := range sinks.Partitions(date) {
		if _, err := s.tree.ReadDir(s.URL(partition)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return classify(err, s.URL(partition))
		}
	}
	return nil
}

// Begin removes what is not sealed and opens the staging of date. The own folder itself says what was
// begun; the journal is not needed.
func (s *Sink) Begin(ctx context.Context, lock sinks.Lock, date, _ string) (sinks.Staging, error) {
	if err := s.prepare(ctx, lock, date); err != nil {
		return nil, err
	}
	manifest := sinks.ManifestPath(date)
	if _, err := s.tree.Lstat(s.URL(manifest)); err == nil {
		return nil, &sinks.SealedError{Place: s.root, Path: manifest}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, classify(err, s.URL(manifest))
	}
	staging, err := s.stage(lock, date, nil)
	if err != nil {
		return nil, err
	}
	if err := s.removeUnsealed(ctx, date, staging.own); err != nil {
		return nil, errors.Join(err, staging.own.clear())
	}
	return staging, nil
}

// Replace opens the staging of a date that old seals.
func (s *Sink) Replace(ctx context.Context, lock sinks.Lock, date, _ string, old sinks.Old) (sinks.Staging, error) {
	if !sinks.IsReplaced(old.To) {
		return nil, fault.New(fault.Bug, "%q is no place for a replaced manifest", old.To)
	}
	if err := s.prepare(ctx, lock, date); err != nil {
		return nil, err
	}
	if _, err := s.readOld(s.URL(sinks.ManifestPath(date)), old); err != nil {
		return nil, err
	}
	staging, err := s.stage(lock, date, &old)
	if err != nil {
		return nil, err
	}
	return staging, nil
}

// prepare proves the lock and removes what an earlier staging left.
func (s *Sink) prepare(ctx context.Context, lock sinks.Lock, date string) error {
	if !sinks.IsDate(date) {
		return fault.New(fault.Bug, "%q is no snapshot date", date)
	}
	if err := lock.Check(ctx); err != nil {
		return err
	}
	return s.fence(ctx, lock)
}

// stage opens a staging with a folder of its own.
func (s *Sink) stage(lock sinks.Lock, date string, old *sinks.Old) (*staging, error) {
	own, err := s.newOwn(lock, date)
	if err != nil {
		return nil, err
	}
	return &staging{sink: s, lock: lock, date: date, old: old, own: own, files: map[string]fs.FileInfo{}}, nil
}

// Manifests lists sealed manifests. What has the name of one and is none is listed, too: it is the
// reading of it that fails.
func (s *Sink) Manifests(context.Context) ([]string, error) {
	entries, err := s.tree.ReadDir(s.URL("_snapshots"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, classify(err, s.URL("_snapshots"))
	}
	var names []string
	for _, entry := range entries {
		if name := "_snapshots/" + entry.Name(); !entry.IsDir() && sinks.IsManifest(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// classify gives a file system error its kind, and leaves what has a meaning already as it is. The
// causes stay visible to errors.Is.
func classify(err error, path string) error {
	_, classified := errors.AsType[*fault.Error](err)
	_, held := errors.AsType[*sinks.HeldError](err)
	_, sealed := errors.AsType[*sinks.SealedError](err)
	if err == nil || classified || held || sealed || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		path, err = pathErr.Path, pathErr.Err
	} else if linkErr, ok := errors.AsType[*os.LinkError](err); ok {
		path, err = linkErr.New, linkErr.Err
	}
	if _, planted := errors.AsType[*disk.NotPlainError](err); planted {
		return &fault.Error{Kind: fault.Configuration, Err: err, Hint: "below the folder of a sink there must be plain files and folders only: see who made it, and remove it; only the path in the sink block may be a symbolic link"}
	}
	f := &fault.Error{Kind: fault.Bug, Message: path, Err: err}
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		f.Hint = "the disk is full: make room and run the same command again, nothing that was fetched is lost"
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		f.Kind, f.Hint = fault.Configuration, "let this user write there, or give another path in the sink block"
	case errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.ETIMEDOUT) || errors.Is(err, syscall.EHOSTDOWN):
		f.Kind, f.Hint = fault.Transient, "the disk, or the server that it is on, does not answer: see to it and run the same command again, nothing that was fetched is lost"
	case errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR):
		f.Kind, f.Hint = fault.Configuration, "a part of the path is a file where a folder must be: give another path in the sink block"
	}
	return f
}

// syncUp syncs the folder of path and those above it, up to the root.
func (s *Sink) syncUp(path string) error {
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		if err := s.disk.SyncFolder(folder); err != nil {
			return err
		}
		if folder == s.root || folder == filepath.Dir(folder) {
			return nil
		}
	}
}

func notFolder(path string) error {
	return &fault.Error{Kind: fault.Configuration, Message: path + " is a file, not a folder", Hint: "give the path of a folder in the sink block"}
}
