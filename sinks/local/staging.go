package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// staging is the files of one date on their way.
type staging struct {
	sink   *Sink
	lock   sinks.Lock
	date   string
	old    *sinks.Old // what Seal puts aside first; nil: the date is not sealed
	folder string     // of this staging alone

	mu     sync.Mutex
	files  map[string]fs.FileInfo // by path, as they lie in the staging folder; nil while one is being put
	sealed bool
}

// staged is where a file waits.
func (g *staging) staged(path string) string {
	return g.sink.URL(g.folder + "/" + path)
}

// Put copies the local file into the staging folder, syncs it and reads it back.
func (g *staging) Put(ctx context.Context, path, local string, sum [32]byte) error {
	if !sinks.IsPart(path, g.date) {
		return fault.New(fault.Bug, "%q is no data file of %s", path, g.date)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !g.reserve(path) {
		return fault.New(fault.Bug, "%q was put twice", path)
	}
	info, err := g.store(path, local, sum)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		delete(g.files, path)
		return classify(err, g.staged(path))
	}
	g.files[path] = info
	return nil
}

func (g *staging) reserve(path string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, taken := g.files[path]; taken || g.sealed {
		return false
	}
	g.files[path] = nil
	return true
}

func (g *staging) store(path, local string, sum [32]byte) (fs.FileInfo, error) {
	from, err := os.Open(local)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	target := g.staged(path)
	if err := g.sink.disk.MkdirAll(filepath.Dir(target), folderMode); err != nil {
		return nil, err
	}
	if err := disk.Write(g.sink.disk, target, fileMode, from); err != nil {
		return nil, err
	}
	arrived, info, err := sumOf(target)
	if err != nil {
		return nil, err
	}
	if arrived != sum {
		return nil, errors.Join(fault.New(fault.Bug, "%s is not what was written: its SHA-256 is %x instead of %x", target, arrived, sum), g.sink.disk.Remove(target))
	}
	return info, nil
}

func sumOf(path string) (sum [32]byte, info fs.FileInfo, err error) {
	file, err := os.Open(path)
	if err != nil {
		return sum, nil, err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return sum, nil, err
	}
	info, err = file.Stat()
	return [32]byte(hash.Sum(nil)), info, err
}

// Seal links the files to their names, checking the lock before each, and then the manifest.
func (g *staging) Seal(ctx context.Context, path string, manifest []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sealed || path != sinks.ManifestPath(g.date) {
		return fault.New(fault.Bug, "%s can't be sealed here, or not twice", path)
	}
	err := g.whole()
	if err == nil && g.old != nil {
		err = g.sink.putAside(ctx, g.lock, g.date, *g.old)
	}
	if err == nil {
		err = g.publish(ctx)
	}
	if err == nil {
		err = g.lock.Check(ctx)
	}
	if err == nil {
		err = g.linkManifest(path, manifest)
	}
	if err != nil {
		err = classify(err, g.sink.root)
		if left := g.withdraw(); left != nil {
			return errors.Join(err, left)
		}
		return err
	}
	g.sealed = true
	_ = g.clear() // only second names of what is sealed; the next Begin removes them, too
	return nil
}

// whole is a fault where a file has not arrived.
func (g *staging) whole() error {
	for path, info := range g.files {
		if info == nil {
			return fault.New(fault.Bug, "%s is still being put", path)
		}
	}
	return nil
}

// publish gives every file its name. It has its old one, too, until the staging folder goes.
func (g *staging) publish(ctx context.Context) error {
	for _, path := range g.paths() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := g.lock.Check(ctx); err != nil {
			return err
		}
		target := g.sink.URL(path)
		if err := g.sink.disk.MkdirAll(filepath.Dir(target), folderMode); err != nil {
			return err
		}
		if err := g.sink.disk.Link(g.staged(path), target); err != nil {
			return g.sink.explain(err)
		}
		if err := g.sink.syncUp(target); err != nil {
			return err
		}
	}
	return nil
}

func (g *staging) paths() []string {
	var all []string
	for path := range g.files {
		all = append(all, path)
	}
	slices.Sort(all)
	return all
}

// linkManifest writes the manifest aside, whole and synced, and gives it its name on the condition
// that nobody has it. Network file systems may say that it is taken when it was we who took it.
func (g *staging) linkManifest(path string, manifest []byte) error {
	target, aside := g.sink.URL(path), g.staged("manifest.json")
	for _, folder := range []string{filepath.Dir(target), filepath.Dir(aside)} {
		if err := g.sink.disk.MkdirAll(folder, folderMode); err != nil {
			return err
		}
	}
	if err := disk.Write(g.sink.disk, aside, fileMode, bytes.NewReader(manifest)); err != nil {
		return err
	}
	err := g.sink.disk.Link(aside, target)
	if errors.Is(err, fs.ErrExist) {
		if there, readErr := os.ReadFile(target); readErr != nil || !bytes.Equal(there, manifest) {
			return &sinks.SealedError{Place: g.sink.root, Path: path}
		}
		err = nil
	}
	if err != nil {
		return g.sink.explain(err)
	}
	if err := g.sink.syncUp(target); err != nil {
		return errors.Join(err, g.sink.disk.Remove(target))
	}
	return nil
}

// explain says what a failed link means.
func (s *Sink) explain(err error) error {
	if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &fault.Error{Kind: fault.Configuration, Message: "can't link files in " + s.root, Err: err,
		Hint: "its file system must know hard links, and this user must be allowed to write there"}
}

// Abort removes all that was put and not sealed.
func (g *staging) Abort(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sealed {
		return nil
	}
	return g.withdraw()
}

// withdraw removes our files, visible or not. A file that has its name but is not ours belongs to
// the run that took our lock.
func (g *staging) withdraw() error {
	var failed []error
	for _, path := range g.paths() {
		target := g.sink.URL(path)
		if there, err := os.Stat(target); err != nil || !os.SameFile(there, g.files[path]) {
			continue
		}
		if err := disk.Gone(g.sink.disk, target); err != nil {
			failed = append(failed, classify(err, target))
			continue
		}
		_ = g.sink.disk.Remove(filepath.Dir(target)) // only where it is empty
	}
	if err := g.clear(); err != nil {
		failed = append(failed, classify(err, g.sink.URL(g.folder)))
	}
	return errors.Join(failed...)
}

// clear removes the staging folder of this staging, and the one around it where it is empty.
func (g *staging) clear() error {
	err := g.sink.disk.RemoveAll(g.sink.URL(g.folder))
	_ = g.sink.disk.Remove(g.sink.URL(stagingFolder))
	return err
}
