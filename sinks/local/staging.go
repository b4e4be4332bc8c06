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

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// staging is the files of one date on their way.
type staging struct {
	sink *Sink
	lock sinks.Lock
	date string
	old  *sinks.Old // what Seal puts aside first; nil: the date is not sealed
	own  *own

	mu     sync.Mutex
	files  map[string]fs.FileInfo // by path, as they lie in the staging folder; nil while one is being put
	sealed bool                   // it is, or may be: nothing of it is removed any more
}

// Put copies the local file into the own folder, syncs it and reads it back.
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
	info, err := g.store(ctx, path, local, sum)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		delete(g.files, path)
		return classify(err, g.own.at(path))
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

func (g *staging) store(ctx context.Context, path, local string, sum [32]byte) (fs.FileInfo, error) {
	from, err := os.Open(local)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	target := g.own.at(path)
	if err := g.own.write(ctx, path, from); err != nil {
		return nil, err
	}
	arrived, info, err := g.sink.sumOf(target)
	if err != nil {
		return nil, g.own.lost(ctx, err)
	}
	if arrived != sum {
		return nil, errors.Join(fault.New(fault.Bug, "%s is not what was written: its SHA-256 is %x instead of %x", target, arrived, sum), g.sink.disk.Remove(target))
	}
	return info, nil
}

func (s *Sink) sumOf(path string) (sum [32]byte, info fs.FileInfo, err error) {
	file, err := s.tree.Open(path)
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

// manifestFile is where the manifest waits in the own folder.
const manifestFile = "manifest.json"

// Seal links the files to their names, checking the lock before each, and then the manifest.
func (g *staging) Seal(ctx context.Context, path string, manifest []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sealed || path != sinks.ManifestPath(g.date) {
		return fault.New(fault.Bug, "%s can't be sealed here, or not twice", path)
	}
	err := g.whole()
	if err == nil {
		err = g.own.write(ctx, manifestFile, bytes.NewReader(manifest))
	}
	if err == nil && g.old != nil {
		err = g.putAside(ctx)
	}
	if err == nil {
		err = g.publish(ctx)
	}
	if err == nil {
		err = g.lock.Check(ctx)
	}
	if err == nil {
		err = g.linkManifest(ctx, path, manifest)
	}
	if err != nil {
		err = classify(err, g.sink.root)
		if g.sealed {
			return err
		}
		return joined(err, g.withdraw(ctx))
	}
	g.sealed = true
	_ = g.own.clear() // only second names of what is sealed; the next holder of the lock removes them, too
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

// publish gives every file its name. It has its old one, too, until the own folder goes.
func (g *staging) publish(ctx context.Context) error {
	for _, path := range g.paths() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := g.lock.Check(ctx); err != nil {
			return err
		}
		target := g.sink.URL(path)
		if err := g.own.give(ctx, g.own.at(path), target); err != nil {
			return err
		}
		if err := g.own.lost(ctx, g.sink.syncUp(target)); err != nil {
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

// linkManifest gives the manifest its name on the condition that nobody has it, and looks at what is
// sealed. Network file systems may say that the name is taken when it was we who took it.
func (g *staging) linkManifest(ctx context.Context, path string, manifest []byte) error {
	target := g.sink.URL(path)
	err := g.own.give(ctx, g.own.at(manifestFile), target)
	if errors.Is(err, fs.ErrExist) {
		if there, readErr := g.sink.tree.ReadFile(target, maxManifest); readErr != nil || !bytes.Equal(there, manifest) {
			return &sinks.SealedError{Place: g.sink.root, Path: path}
		}
		err = nil
	}
	if err != nil {
		return err
	}
	if err = g.own.lost(ctx, g.sink.syncUp(target)); err == nil {
		err = g.confirm(ctx, path, manifest)
	}
	if err == nil || g.sealed {
		return err
	}
	undone := g.unseal(ctx, target, manifest)
	g.sealed = undone != nil // it may be: the files must stay
	return errors.Join(err, undone)
}

// confirm tells whether what was just sealed is there, file by file, and the lock still ours. Where that is
// lost or can't be asked, all stays as it is: whoever holds it has seen the manifest, and decides.
func (g *staging) confirm(ctx context.Context, path string, manifest []byte) error {
	if err := g.lock.Check(ctx); err != nil {
		g.sealed = true
		return err
	}
	wrong := ""
	if there, err := g.sink.tree.ReadFile(g.sink.URL(path), maxManifest); err != nil || !bytes.Equal(there, manifest) {
		wrong = path
	}
	for _, file := range g.paths() {
		if wrong == "" && !g.sink.same(g.sink.URL(file), g.files[file]) {
			wrong = file
		}
	}
	if wrong == "" {
		return nil
	}
	return &fault.Error{Kind: fault.Bug, Message: g.sink.URL(wrong) + " was changed while the snapshot of " + g.date + " was being sealed",
		Hint: "another program works in the folder of the sink: find it, then run the same command again"}
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
func (g *staging) Abort(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sealed {
		return nil
	}
	return g.withdraw(ctx)
}

// joined is err with what went wrong after it, if anything did.
func joined(err, after error) error {
	if after == nil {
		return err
	}
	return errors.Join(err, after)
}

// withdraw removes our files, visible or not. A file that has its name but is not ours belongs to
// the run that took our lock, and so do all of them once that run has removed our folder.
func (g *staging) withdraw(ctx context.Context) error {
	var failed []error
	for _, path := range g.paths() {
		target := g.sink.URL(path)
		if !g.sink.same(target, g.files[path]) {
			continue
		}
		_, err := g.own.take(context.WithoutCancel(ctx), target)
		if _, lost := errors.AsType[*sinks.HeldError](err); lost {
			break
		}
		if err != nil {
			failed = append(failed, classify(err, target))
			continue
		}
		_ = g.sink.disk.Remove(filepath.Dir(target)) // only where it is empty
	}
	if err := g.own.clear(); err != nil {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
