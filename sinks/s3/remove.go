package s3

import (
	"context"
	"errors"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// removePart removes a data file that nobody has sealed, so that a removal which arrives late removes
// nothing else. Its ETag alone would not do: the same bytes give the same ETag, and a successor may
// have stored and sealed just these. So an upload with bytes of its own takes the file's place first:
// a successor aborts it, after which it can't be completed. What is then deleted has an ETag that
// no other object ever has.
func (s *Sink) removePart(ctx context.Context, lock sinks.Lock, log *journal, path, etag string) (err error) {
	u := &upload{path: path, kind: "text/plain"}
	defer func() {
		if err != nil && u.begun.Upload != "" {
			after, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
			defer stop()
			_ = s.abort(after, u.begun) // the journal knows it, too
		}
	}()
	if err := s.start(ctx, u, log); err != nil {
		return err
	}
	u.open = fromMemory([]byte("removed by upload " + u.begun.Upload + "\n"))
	if err := errors.Join(u.measure(s.cfg.PartSize), s.send(ctx, u), lock.Check(ctx)); err != nil {
		return err
	}
	err = s.complete(ctx, lock, u, etag)
	if unknownCondition(err) {
		err = s.complete(ctx, lock, u, anything)
	}
	if isCode(err, noSuchKey) {
		return s.abort(ctx, u.begun) // it is gone
	}
	if errors.Is(err, errForeign) {
		return &fault.Error{Kind: fault.Transient, Message: s.URL(path) + " changed while it was being removed", Hint: "another program writes there: see to it, then run the same command again"}
	}
	if err != nil {
		return s.explain(ctx, lock, err, path)
	}
	return s.removeIf(holding(ctx, lock), path, u.etag)
}

// removeIf deletes an object on the condition that it still has that ETag, for servers that heed
// it; for others the caller has looked a moment before. One that is gone is removed. Where it is
// another by now, lease.ErrConflict.
func (s *Sink) removeIf(ctx context.Context, path, etag string) error {
	input := &s3.DeleteObjectInput{Bucket: s.bucket(), Key: s.key(path), IfMatch: aws.String(etag)}
	_, err := s.client.DeleteObject(ctx, input)
	if unknownCondition(err) {
		input.IfMatch = nil
		_, err = s.client.DeleteObject(ctx, input)
	}
	if isCode(err, preconditionFailed) {
		// Our own first try whose answer was lost may have removed it.
		if there, missing := s.exists(ctx, path); missing != nil || !there {
			return missing
		}
		return lease.ErrConflict
	}
	if err = classify(err, s.URL(path)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// unknownCondition tells whether a server may know no condition of such a request: some say that it is not
// implemented, others that an argument is wrong or that the method is not allowed so.
func unknownCondition(err error) bool {
	return isCode(err, "NotImplemented") || isCode(err, "InvalidArgument") || isCode(err, "MethodNotAllowed")
}

// removeUnsealed removes the completed data files of a date that has no manifest, proving before
// each that the lock is still ours: a successor may be sealing that date.
func (s *Sink) removeUnsealed(ctx context.Context, lock sinks.Lock, log *journal, date string) error {
	left, err := s.parts(ctx, date)
	if err != nil {
		return err
	}
	for _, object := range left {
		if err := s.removePart(ctx, lock, log, s.pathOf(object), aws.ToString(object.ETag)); err != nil {
			return err
		}
	}
	return nil
}

// parts are the objects that lie where data files of date do.
func (s *Sink) parts(ctx context.Context, date string) ([]types.Object, error) {
	var all []types.Object
	for _, partition := range sinks.Partitions(date) {
		for object, err := range s.objects(ctx, partition, aws.String("/")) {
			if err != nil {
				return nil, err
			}
			if sinks.IsPart(s.pathOf(object), date) {
				all = append(all, object)
			}
		}
	}
	return all, nil
}
