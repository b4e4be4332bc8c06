package pipeline

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"

	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/keys"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
	"rollcall/sinks/local"
	"rollcall/sinks/s3"
)

// OpenSink opens the place for snapshots that a configuration names; what it keeps on this machine
// goes through d (nil: the real disk). The listener hears that credentials are long in coming, perhaps from
// another goroutine.
func OpenSink(ctx context.Context, s job.Sink, now func() time.Time, d disk.Disk, listen event.Listener) (sinks.Sink, error) {
	return openSink(ctx, s, World{Now: now, Disk: d}, listen)
}

func openSink(ctx context.Context, s job.Sink, w World, listen event.Listener) (sinks.Sink, error) {
	switch {
	case s.Local != nil:
		return local.Open(local.Config{Path: s.Local.Path, Now: w.Now, Disk: w.Disk, Pace: lease.Pace{Dead: w.dead}})
	case s.S3 != nil:
		return s3.Open(ctx, s3.Config{
			Bucket: s.S3.Bucket, Prefix: s.S3.Prefix, Region: s.S3.Region, Endpoint: s.S3.Endpoint, PathStyle: s.S3.PathStyle,
			Encryption: s.S3.Encryption, KMSKeyID: s.S3.KMSKeyID, Retention: s3.Retention(s.S3.Retention), Now: w.Now, Disk: w.Disk, HTTP: w.Bucket,
			Pace:    lease.Pace{Dead: w.dead},
			Waiting: func(text string) { listen(event.Notice{Warning: true, Text: text}) },
		})
	default:
		return nil, fault.New(fault.Bug, "the configuration has no sink")
	}
}

// ObjectReader gives what reads a list on s3://: with the region and endpoint that it has, each else that of
// the sink where that is a bucket, else that of the environment. Warn hears that credentials are long in coming
// (nil: nobody does).
func ObjectReader(s job.Sink, list job.List, warn func(text, hint string)) keys.Objects {
	config := s3.Config{Region: list.Region, Endpoint: list.Endpoint, PathStyle: list.PathStyle}
	if warn != nil {
		config.Waiting = func(text string) { warn(text, "") }
	}
	if s.S3 != nil {
		config.Region = cmp.Or(config.Region, s.S3.Region)
		if config.Endpoint == "" {
			config.Endpoint, config.PathStyle = s.S3.Endpoint, cmp.Or(config.PathStyle, s.S3.PathStyle)
		}
	}
	return &objects{config: config}
}

// objects reads a bucket, which is reached when it is first asked.
type objects struct {
	config s3.Config
	reader *s3.Reader
}

func (o *objects) reach(ctx context.Context, address string) (err error) {
	if o.reader == nil {
		o.config.Bucket, _, _ = strings.Cut(strings.TrimPrefix(address, "s3://"), "/")
		o.reader, err = s3.NewReader(ctx, o.config)
	}
	return err
}

// Open opens s3://bucket/key.
func (o *objects) Open(ctx context.Context, address string) (io.ReadCloser, error) {
	if err := o.reach(ctx, address); err != nil {
		return nil, err
	}
	return o.reader.Open(ctx, address)
}

// List names what lies directly in s3://bucket/folder/.
func (o *objects) List(ctx context.Context, folder string) ([]string, error) {
	if err := o.reach(ctx, folder); err != nil {
		return nil, err
	}
	return o.reader.List(ctx, folder)
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
