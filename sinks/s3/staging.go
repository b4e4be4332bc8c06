package s3

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// cleanupTime bounds the clearing away after a failure, when the run's own context may be at its end.
const cleanupTime = time.Minute

// restarts is how often an upload is begun anew when the bucket says that another write met it.
const restarts = 3

// staging is the files of one date on their way.
type staging struct {
	sink    *Sink
	lock    sinks.Lock
	date    string
	old     *sinks.Old // what Seal puts aside first; nil: the date is not sealed
	journal *journal

	mu      sync.Mutex
	uploads map[string]*upload // by path
	sealed  bool
	unsure  bool // the manifest may be there, or come to be there: nothing that it names may go
}

// Put uploads the local file's parts. The file must stay until Seal has returned: should the
// bucket ask to begin an upload anew, it is read again.
func (g *staging) Put(ctx context.Context, path, local string, sum [32]byte) error {
	if !sinks.IsPart(path, g.date) {
		return fault.New(fault.Bug, "%q is no data file of %s", path, g.date)
	}
	u := &upload{path: path, kind: parquetType, open: fromFile(local)}
	if !g.reserve(u) {
		return fault.New(fault.Bug, "%q was put twice", path)
	}
	err := u.measure(g.sink.cfg.PartSize)
	if err == nil && u.cut.whole != sum {
		err = fault.New(fault.Bug, "%s changed since it was written: its SHA-256 is %x instead of %x", local, u.cut.whole, sum)
	}
	if err == nil {
		err = g.sink.transfer(ctx, u, g.journal)
	}
	if err == nil {
		return nil
	}
	after, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	if g.drop(after, u) == nil { // otherwise Abort tries again
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.uploads, path)
	}
	return err
}

func (g *staging) reserve(u *upload) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, taken := g.uploads[u.path]; taken || g.sealed {
		return false
	}
	g.uploads[u.path] = u
	return true
}

// drop aborts an upload that was begun.
func (g *staging) drop(ctx context.Context, u *upload) error {
	if u.begun.Upload == "" {
		return nil
	}
	return g.sink.abort(ctx, u.begun)
}

// Seal puts aside what is to be replaced, completes the uploads and looks at each, checking the lock
// before each, writes the manifest, reads it back, and looks at files and lock once more.
func (g *staging) Seal(ctx context.Context, path string, manifest []byte) error {
	uploads, err := g.finish(path)
	if err != nil {
		return err
	}
	if err = g.seal(ctx, uploads, path, manifest); err == nil {
		_ = g.journal.forget() // what it names is completed; aborting that later does nothing
		return nil
	}
	g.mu.Lock()
	g.sealed = false
	g.mu.Unlock()
	if _, sealed := errors.AsType[*sinks.SealedError](err); sealed {
		return err // what is there may be that snapshot's; our uploads go with Abort
	}
	after, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	if left := g.withdraw(after); left != nil {
		return errors.Join(err, left)
	}
	return err
}

func (g *staging) seal(ctx context.Context, uploads []*upload, path string, manifest []byte) error {
	if g.old != nil {
		if err := g.sink.putAside(ctx, g.lock, g.journal, g.date, *g.old); err != nil {
			return err
		}
	}
	if err := g.publish(ctx, uploads); err != nil {
		return err
	}
	if err := g.sink.abortOrphans(ctx, g.lock, g.date); err != nil {
		return err
	}
	etag, err := g.putManifest(ctx, path, manifest)
	if err != nil {
		return err
	}
	return g.confirm(ctx, uploads, path, etag)
}

// finish closes the staging for further files and lists those that it has, in order.
func (g *staging) finish(path string) ([]*upload, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sealed || path != sinks.ManifestPath(g.date) {
		return nil, fault.New(fault.Bug, "%s can't be sealed here, or not twice", path)
	}
	for _, u := range g.uploads {
		if !u.ready {
			return nil, fault.New(fault.Bug, "%s has not been put whole", u.path)
		}
	}
	g.sealed = true
	return g.sorted(), nil
}

func (g *staging) sorted() []*upload {
	var all []*upload
	for _, u := range g.uploads {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b *upload) int { return bytes.Compare([]byte(a.path), []byte(b.path)) })
	return all
}

// publish completes every upload.
func (g *staging) publish(ctx context.Context, uploads []*upload) error {
	for _, u := range uploads {
		if err := g.expose(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// expose completes one upload. Where the bucket says that another write met it, "the whole upload
// must be begun again" (S3, CompleteMultipartUpload page, 409). An object that has the name although
// Begin removed all is what a former attempt wrote late: nobody sealed it, and it goes, too.
func (g *staging) expose(ctx context.Context, u *upload) error {
	for attempt := 0; ; attempt++ {
		if err := g.lock.Check(ctx); err != nil {
			return err
		}
		err := g.sink.complete(ctx, g.lock, u, "")
		if err == nil {
			return nil
		}
		again := isCode(err, conflict) || errors.Is(err, errForeign) && !u.completed || errors.Is(err, errAbsent)
		if !again || attempt == restarts {
			return g.sink.explain(ctx, g.lock, err, u.path)
		}
		if errors.Is(err, errForeign) {
			if err := g.sink.removePart(ctx, g.lock, g.journal, u.path, u.etag); err != nil {
				return err
			}
		}
		if err := g.drop(ctx, u); err != nil {
			return err
		}
		if err := g.sink.transfer(ctx, u, g.journal); err != nil {
			return err
		}
	}
}

// Abort removes all that was put and not sealed. It needs the lock: without it, only uploads are
// aborted, since a file that can be seen may be the next holder's.
func (g *staging) Abort(ctx context.Context) error {
	g.mu.Lock()
	sealed := g.sealed
	g.mu.Unlock()
	if sealed {
		return nil
	}
	return g.withdraw(ctx)
}

// withdraw aborts our uploads and, if the lock is still ours and no manifest is there, removes what
// of them can be seen. Otherwise that may be another's; the next Begin of the date looks after it. So
// it does where the manifest may be there: what it names must not go.
func (g *staging) withdraw(ctx context.Context) error {
	g.mu.Lock()
	uploads, unsure := g.sorted(), g.unsure
	g.mu.Unlock()
	if unsure {
		return nil
	}
	var failed []error
	for _, u := range uploads {
		failed = append(failed, g.drop(ctx, u))
	}
	err := g.lock.Check(ctx)
	if _, lost := errors.AsType[*sinks.HeldError](err); err == nil {
		failed = append(failed, g.sink.abortOrphans(ctx, g.lock, g.date), g.unpublish(ctx, uploads))
	} else if !lost {
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	g.mu.Lock()
	clear(g.uploads)
	g.mu.Unlock()
	return g.journal.forget()
}

// unpublish removes the files that can be seen. The caller holds the lock.
func (g *staging) unpublish(ctx context.Context, uploads []*upload) error {
	if !slices.ContainsFunc(uploads, func(u *upload) bool { return u.completed }) {
		return nil
	}
	sealed, err := g.sink.exists(ctx, sinks.ManifestPath(g.date))
	if err != nil || sealed {
		return err
	}
	for _, u := range uploads {
		if !u.completed {
			continue
		}
		is, err := g.sink.see(ctx, u, nil)
		if err == nil && is != absent {
			err = g.sink.removePart(ctx, g.lock, g.journal, u.path, u.etag)
		}
		if err != nil {
			return err
		}
		u.completed = false
	}
	return nil
}
