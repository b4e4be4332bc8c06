package pipeline

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"rollcall/pipeline/job"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
	"rollcall/sinks/local"
	"rollcall/sinks/s3"
)

// OpenSink opens the place for snapshots that a configuration names; what it keeps on this machine
// goes through d (nil: the real disk).
func OpenSink(ctx context.Context, s job.Sink, now func() time.Time, d disk.Disk) (sinks.Sink, error) {
	return openSink(ctx, s, World{Now: now, Disk: d})
}

func openSink(ctx context.Context, s job.Sink, w World) (sinks.Sink, error) {
	switch {
	case s.Local != nil:
		return local.Open(local.Config{Path: s.Local.Path, Now: w.Now, Disk: w.Disk, Pace: lease.Pace{Dead: w.dead}})
	case s.S3 != nil:
		return s3.Open(ctx, s3.Config{
			Bucket: s.S3.Bucket, Prefix: s.S3.Prefix, Region: s.S3.Region, Endpoint: s.S3.Endpoint,
			Encryption: s.S3.Encryption, KMSKeyID: s.S3.KMSKeyID, Retention: s3.Retention(s.S3.Retention), Now: w.Now, Disk: w.Disk, HTTP: w.Bucket,
			Pace: lease.Pace{Dead: w.dead},
		})
	default:
		return nil, fault.New(fault.Bug, "the configuration has no sink")
	}
}

// ObjectOpener gives what opens ID lists on s3:// for a job: with the region and endpoint of its
// sink where that is a bucket, else with those of the environment.
func ObjectOpener(s job.Sink) func(ctx context.Context, path string) (io.ReadCloser, error) {
	config := s3.Config{}
	if s.S3 != nil {
		config.Region, config.Endpoint = s.S3.Region, s.S3.Endpoint
	}
	return func(ctx context.Context, path string) (io.ReadCloser, error) {
		reader, err := s3.NewReader(ctx, config)
		if err != nil {
			return nil, err
		}
		return reader.Open(ctx, path)
	}
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
