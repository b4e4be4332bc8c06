package pipeline

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"rollcall/pipeline/job"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/local"
	"rollcall/sinks/s3"
)

// OpenSink opens the place for snapshots that a configuration names.
func OpenSink(ctx context.Context, s job.Sink, now func() time.Time) (sinks.Sink, error) {
	switch {
	case s.Local != nil:
		return local.Open(local.Config{Path: s.Local.Path, Now: now})
	case s.S3 != nil:
		return s3.Open(ctx, s3.Config{
			Bucket: s.S3.Bucket, Prefix: s.S3.Prefix, Region: s.S3.Region, Endpoint: s.S3.Endpoint,
			Encryption: s.S3.Encryption, KMSKeyID: s.S3.KMSKeyID, Now: now,
		})
	default:
		return nil, fault.New(fault.Bug, "the configuration has no sink")
	}
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
