package s3

import (
	"bytes"
	"context"
	"errors"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// putManifest writes the manifest where none is, and gives the ETag under which it was read back. It
// is an upload like that of any file, so that a successor can end it: a plain PUT that is held up on
// its way would seal whenever it arrives. It exists before the lock is looked at for the last time,
// and the successor looks for such uploads after it has the lock.
func (g *staging) putManifest(ctx context.Context, path string, manifest []byte) (etag string, err error) {
	m := &upload{path: path, kind: manifestType, open: fromMemory(manifest)}
	if err := m.measure(g.sink.cfg.PartSize); err != nil {
		return "", err
	}
	for attempt := 0; ; attempt++ {
		err := g.sink.transfer(ctx, m, g.journal)
		if err == nil {
			err = g.lock.Check(ctx)
		}
		if err != nil {
			return "", errors.Join(err, g.end(ctx, m))
		}
		g.doubt(true)
		_, err = g.sink.finish(ctx, g.lock, m, "")
		if !isCode(err, conflict) || attempt == restarts {
			return g.decide(ctx, m, manifest, err)
		}
		g.doubt(false)
		if err := g.drop(ctx, m); err != nil {
			return "", err
		}
	}
}

// decide finds out what became of the manifest. Whatever the bucket answered, what stands there
// decides; and where nothing does, whether the upload could be ended.
func (g *staging) decide(ctx context.Context, m *upload, manifest []byte, answer error) (etag string, err error) {
	after, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	etag, err = g.readBack(after, m.path, manifest)
	if _, other := errors.AsType[*sinks.SealedError](err); other {
		g.doubt(false)
		return "", errors.Join(err, g.drop(after, m))
	}
	switch {
	case err == nil:
		return etag, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", errors.Join(classify(answer, g.sink.URL(m.path)), err)
	case answer == nil:
		return "", &fault.Error{Kind: fault.Transient, Message: g.sink.URL(m.path), Err: errAbsent, Hint: hintLies}
	}
	if !g.ended(after, m) {
		return "", g.sink.explain(after, g.lock, answer, m.path)
	}
	if etag, err = g.readBack(after, m.path, manifest); !errors.Is(err, fs.ErrNotExist) {
		return etag, err
	}
	g.doubt(false)
	if isCode(answer, preconditionFailed) {
		return "", &fault.Error{Kind: fault.Configuration, Message: g.sink.URL(m.path) + " can neither be read nor created",
			Hint: "its server does not follow S3's conditional writes, perhaps after a deletion in a bucket with versions"}
	}
	return "", g.sink.explain(after, g.lock, answer, m.path)
}

// readBack gives the ETag of the manifest where it stands there byte for byte; *sinks.SealedError
// where another does.
func (g *staging) readBack(ctx context.Context, path string, manifest []byte) (etag string, err error) {
	there, etag, err := g.sink.read(ctx, path, maxManifest)
	if err == nil && !bytes.Equal(there, manifest) {
		err = &sinks.SealedError{Place: g.sink.String(), Path: path}
	}
	return etag, err
}

// ended tells whether it was we who ended the upload: then it can't be completed any more.
func (g *staging) ended(ctx context.Context, m *upload) bool {
	_, err := g.sink.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: g.sink.bucket(), Key: g.sink.key(m.path), UploadId: &m.begun.Upload})
	return err == nil
}

// end drops an upload although ctx may have ended.
func (g *staging) end(ctx context.Context, u *upload) error {
	after, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	return g.drop(after, u)
}

func (g *staging) doubt(unsure bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unsure = unsure
}

// confirm looks once more, now that the manifest is there: are its files what was sent, and is the lock
// still ours? Only then is it sealed for sure; nobody can have begun to remove anything before. Where a
// file is not and the lock is ours, the manifest is taken back. Where the lock is not, its holder decides.
func (g *staging) confirm(ctx context.Context, uploads []*upload, path, etag string) error {
	broken, err := g.missing(ctx, uploads)
	if err == nil {
		err = g.lock.Check(ctx)
	}
	if err != nil || broken == "" {
		return err
	}
	err = &fault.Error{Kind: fault.Transient, Message: g.sink.URL(broken) + " is not what was stored a moment ago: the seal is taken back",
		Hint: "another program writes there, or the server behind the bucket loses what it acknowledged: see to it, then run the same command again, nothing that was fetched is lost"}
	after, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	switch left := g.sink.removeIf(holding(after, g.lock), path, etag); {
	case errors.Is(left, lease.ErrConflict): // another's manifest is there
	case left != nil:
		return errors.Join(err, left)
	default:
		g.doubt(false)
	}
	return err
}

// missing is the path of a file that is not there as it was seen before; empty where all are.
func (g *staging) missing(ctx context.Context, uploads []*upload) (string, error) {
	there, err := g.sink.parts(ctx, g.date)
	if err != nil {
		return "", err
	}
	etags := map[string]string{}
	for _, object := range there {
		etags[g.sink.pathOf(object)] = aws.ToString(object.ETag)
	}
	for _, u := range uploads {
		if etag := etags[u.path]; etag != "" && etag == u.etag {
			continue
		}
		if is, err := g.sink.see(ctx, u, nil); err != nil || is != ours {
			return u.path, err
		}
	}
	return "", nil
}
