package local

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// readOld gives the manifest at path, if it is old; *sinks.SealedError where it is another.
func (s *Sink) readOld(path string, old sinks.Old) ([]byte, error) {
	there, err := s.tree.ReadFile(path, maxManifest)
	if err != nil {
		return nil, classify(err, path)
	}
	if !old.Is(there) {
		return nil, &sinks.SealedError{Place: s.root, Path: sinks.ManifestPath(sinks.ManifestDate("_snapshots/" + filepath.Base(path)))}
	}
	return there, nil
}

// putAside gives the old manifest its second name, takes its first one away, which unseals the
// date, and then removes the date's files. Each step is on disk before the next begins: a power
// cut must not leave a manifest whose files are gone.
func (g *staging) putAside(ctx context.Context) error {
	s, from, to := g.sink, g.sink.URL(sinks.ManifestPath(g.date)), g.sink.URL(g.old.To)
	if err := g.lock.Check(ctx); err != nil {
		return err
	}
	manifest, err := s.readOld(from, *g.old)
	if err != nil {
		return err
	}
	if err := g.own.write(ctx, "replaced.json", bytes.NewReader(manifest)); err != nil {
		return err
	}
	if err := g.keepOld(ctx, to, manifest); err != nil {
		return err
	}
	if err := g.own.lost(ctx, s.syncUp(to)); err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), g.lock.Check(ctx)); err != nil {
		return err
	}
	if err := g.unseal(ctx, from, manifest); err != nil {
		return err
	}
	return s.removeUnsealed(ctx, g.date, g.own)
}

// keepOld gives the old manifest its second name. A run that was stopped here before us may have
// done so already.
func (g *staging) keepOld(ctx context.Context, to string, manifest []byte) error {
	err := g.own.give(ctx, g.own.at("replaced.json"), to)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, err := g.sink.tree.ReadFile(to, maxManifest)
	if err == nil && !bytes.Equal(there, manifest) {
		return fault.New(fault.Bug, "%s is there already and is another manifest than the one to be put aside", to)
	}
	return err
}

// unseal takes a manifest from its place, durably. It is put back if it is another than the one that is meant.
func (g *staging) unseal(ctx context.Context, path string, manifest []byte) error {
	taken, err := g.own.take(ctx, path)
	if err != nil || taken == "" {
		return err
	}
	if there, err := g.sink.tree.ReadFile(taken, maxManifest); err != nil || !bytes.Equal(there, manifest) {
		back := g.own.give(ctx, taken, path)
		return errors.Join(&sinks.SealedError{Place: g.sink.root, Path: sinks.ManifestPath(g.date)}, err, back)
	}
	if err := g.own.sync(ctx); err != nil {
		return err
	}
	return g.sink.disk.SyncFolder(filepath.Dir(path))
}
