package s3

import (
	"bytes"
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// wrongETag is the ETag of no object: MD5 sums are never all zero in practice, and what is written
// under it would change nothing anyway.
const wrongETag = `"00000000000000000000000000000000"`

// proveConditions asks for two writes of the lock's own record that must be refused: one where
// nothing may be there, and one over another ETag. A store that carries them out is a Configuration
// fault. Nothing is harmed there: the record stays what it was, and it is ours, since we looked
// before we wrote it. What stays open on such a store is the moment between this look and that
// write, and whoever came in it is refused by the same proof.
func (s *Sink) proveConditions(ctx context.Context, lock sinks.Lock, record *store) error {
	for _, condition := range []struct {
		name  string
		input s3.PutObjectInput
	}{
		{"If-None-Match: *", s3.PutObjectInput{IfNoneMatch: aws.String("*")}},
		{"If-Match", s3.PutObjectInput{IfMatch: aws.String(wrongETag)}},
	} {
		if err := s.proveCondition(ctx, lock, record, condition.name, condition.input); err != nil {
			return err
		}
	}
	return s.proveHeartbeat(ctx, lock, record)
}

// proveHeartbeat writes the record over its own ETag, as each heartbeat does. Where that is refused and
// nobody has touched the record, its lock would be taken for lost at the first heartbeat.
func (s *Sink) proveHeartbeat(ctx context.Context, lock sinks.Lock, record *store) error {
	own, _ := record.written()
	err := lock.Check(ctx)
	if _, lost := errors.AsType[*sinks.HeldError](err); !lost {
		return err
	}
	if there, _, reading := record.Read(ctx); reading != nil || !bytes.Equal(there, own) {
		return err
	}
	return &fault.Error{Kind: fault.Configuration,
		Message: "bucket " + s.cfg.Bucket + " refuses a write with If-Match although it names the ETag that the bucket gave",
		Hint:    "the fault is the store's, or of a proxy before it that alters ETags or conditions; nothing was asked of the vendors. The lock goes stale by itself in half a minute"}
}

// proveCondition tries twice: who takes the lock's record away just then lets the first write through.
func (s *Sink) proveCondition(ctx context.Context, lock sinks.Lock, record *store, name string, input s3.PutObjectInput) error {
	for range 2 {
		input.Key, input.ContentType = s.key(sinks.LockPath), aws.String("application/json")
		own, _ := record.written()
		_, err := s.putWhole(ctx, &input, own)
		switch {
		case isCode(err, preconditionFailed):
			return nil
		case err != nil && !isCode(err, noSuchKey):
			return classify(err, s.URL(sinks.LockPath))
		}
		if err := lock.Check(ctx); err != nil {
			return err
		}
	}
	return &fault.Error{Kind: fault.Configuration,
		Message: "bucket " + s.cfg.Bucket + " ignores the condition " + name + " of a write: two runs could hold its lock at once and seal each other's files",
		Hint:    "the fault is the store's: it must refuse a PUT whose If-None-Match or If-Match does not hold, with 412. Update or replace the server behind the bucket, or use another sink; nothing was asked of the vendors"}
}
