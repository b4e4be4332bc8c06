package s3

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

var _ sinks.Retainer = (*Sink)(nil)

// Retention is how long objects are locked by S3's Object Lock. The zero value is not at all.
type Retention struct {
	Mode string // "COMPLIANCE" or "GOVERNANCE"
	Days int
}

// lockers is how many objects are locked at the same time.
const lockers = 16

// The codes of S3's Object Lock.
const (
	noLockOfBucket = "ObjectLockConfigurationNotFoundError"
	noLockOfObject = "NoSuchObjectLockConfiguration"
	invalidRequest = "InvalidRequest" // a bucket without Object Lock
)

const (
	hintLockable  = "Object Lock is switched on for a whole bucket, with versioning: do that, name another bucket, or take retention out of the sink block"
	hintDefault   = "take the default retention off the bucket, and say in the sink block how long snapshots are to be locked: retention { … }"
	hintRetention = "with retention, the policy must also allow s3:GetBucketObjectLockConfiguration on the bucket, and s3:GetObjectRetention and s3:PutObjectRetention on its objects"
)

// checkBucket refuses a bucket that can't lock objects where that is asked, and one that locks every
// object by itself: the lock's heartbeat is a new object every few seconds, and none of them could
// be removed for years.
func (s *Sink) checkBucket(ctx context.Context) error {
	found, err := s.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: s.bucket()})
	asked := s.cfg.Retention != Retention{}
	switch {
	case err != nil && !asked && statusOf(err) != 0:
		return nil // it doesn't know the question, or may not tell: nothing of that is needed
	case isCode(err, noLockOfBucket):
		return s.unlockable()
	case err != nil:
		return s.classifyLock(err, "s3://"+s.cfg.Bucket)
	}
	configuration := found.ObjectLockConfiguration
	if configuration == nil || configuration.ObjectLockEnabled != types.ObjectLockEnabledEnabled {
		if asked {
			return s.unlockable()
		}
		return nil
	}
	if configuration.Rule != nil && configuration.Rule.DefaultRetention != nil {
		return &fault.Error{Kind: fault.Configuration, Hint: hintDefault,
			Message: "bucket " + s.cfg.Bucket + " locks every new object by itself (its default retention), the heartbeats of a run too: each would stay for as long"}
	}
	return nil
}

func (s *Sink) unlockable() error {
	return &fault.Error{Kind: fault.Configuration, Message: "bucket " + s.cfg.Bucket + " has no Object Lock, and the sink block asks for retention", Hint: hintLockable}
}

// classifyLock is classify with the hint that fits refused access.
func (s *Sink) classifyLock(err error, place string) error {
	err = classify(err, place)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Hint == hintPolicy {
		f.Hint = hintRetention
	}
	return err
}

// Retains tells whether what is sealed is to be locked.
func (s *Sink) Retains() bool { return s.cfg.Retention != Retention{} }

// Retain locks the files, and when all are locked the manifest: a manifest that is locked long
// enough says that nothing is left to do.
func (s *Sink) Retain(ctx context.Context, sealedAt time.Time, files []string, manifest string) (bool, error) {
	until := sealedAt.Add(time.Duration(s.cfg.Retention.Days) * 24 * time.Hour).UTC().Truncate(time.Second)
	if !s.Retains() || !until.After(s.cfg.Now()) {
		return false, nil
	}
	if locked, err := s.lockedUntil(ctx, manifest); err != nil || !locked.Before(until) {
		return false, err
	}
	if err := s.forEach(ctx, files, func(ctx context.Context, path string) error { return s.retain(ctx, path, until) }); err != nil {
		return false, err
	}
	err := s.retain(ctx, manifest, until)
	return err == nil, err
}

// retain locks one object. S3 refuses to shorten a lock; one that is longer will do.
func (s *Sink) retain(ctx context.Context, path string, until time.Time) error {
	_, err := s.client.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{Bucket: s.bucket(), Key: s.key(path),
		Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionMode(s.cfg.Retention.Mode), RetainUntilDate: aws.Time(until)}})
	if err == nil {
		return nil
	}
	if locked, broken := s.lockedUntil(ctx, path); broken == nil && !locked.Before(until) {
		return nil
	}
	return s.classifyLock(err, s.URL(path))
}

// Retained is the latest moment until which any of the files is locked.
func (s *Sink) Retained(ctx context.Context, files []string) (time.Time, error) {
	var latest time.Time
	var mu sync.Mutex
	err := s.forEach(ctx, files, func(ctx context.Context, path string) error {
		until, err := s.lockedUntil(ctx, path)
		mu.Lock()
		defer mu.Unlock()
		if until.After(latest) {
			latest = until
		}
		return err
	})
	if !latest.After(s.cfg.Now()) {
		latest = time.Time{}
	}
	return latest, err
}

// lockedUntil is the moment until which an object is locked; zero where it is not, or not there.
// Where no retention is asked for, a server that can't or won't tell has locked nothing of ours.
func (s *Sink) lockedUntil(ctx context.Context, path string) (time.Time, error) {
	found, err := s.client.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{Bucket: s.bucket(), Key: s.key(path)})
	switch {
	case err == nil && found.Retention != nil:
		return aws.ToTime(found.Retention.RetainUntilDate), nil
	case err == nil, isCode(err, noLockOfObject), isCode(err, invalidRequest), !s.Retains() && statusOf(err) != 0 && statusOf(err) < 500, isCode(err, "NotImplemented"):
		return time.Time{}, nil
	}
	if err = s.classifyLock(err, s.URL(path)); errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	return time.Time{}, err
}

// forEach does one thing to several files at a time, and stops at the first error.
func (s *Sink) forEach(ctx context.Context, files []string, do func(ctx context.Context, path string) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	places := make(chan struct{}, lockers)
	var group sync.WaitGroup
	for _, path := range files {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			if err := do(ctx, path); err != nil {
				stop(err)
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
