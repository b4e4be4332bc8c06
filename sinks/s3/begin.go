package s3

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// Begin aborts what the journal names, then looks for a manifest, then removes what is left of the
// date: uploads that died before they reached the journal, and completed files that nothing names.
func (s *Sink) Begin(ctx context.Context, lock sinks.Lock, date, journalPath string) (sinks.Staging, error) {
	log, err := s.prepare(ctx, lock, date, journalPath)
	if err != nil {
		return nil, err
	}
	manifest := sinks.ManifestPath(date)
	sealed, err := s.exists(ctx, manifest)
	if err != nil {
		return nil, err
	}
	if sealed {
		return nil, &sinks.SealedError{Place: s.String(), Path: manifest}
	}
	if err := s.abortOrphans(ctx, lock, date); err != nil {
		return nil, err
	}
	if err := s.removeUnsealed(ctx, lock, log, date); err != nil {
		return nil, err
	}
	return &staging{sink: s, lock: lock, date: date, journal: log, uploads: map[string]*upload{}}, nil
}

// prepare proves the lock and aborts what the journal names.
func (s *Sink) prepare(ctx context.Context, lock sinks.Lock, date, journalPath string) (*journal, error) {
	if !sinks.IsDate(date) {
		return nil, fault.New(fault.Bug, "%q is no snapshot date", date)
	}
	if err := lock.Check(ctx); err != nil {
		return nil, err
	}
	log := &journal{path: journalPath, disk: disk.Or(s.cfg.Disk)}
	return log, s.abortJournaled(ctx, log)
}

// abortJournaled aborts what an earlier run of this state folder began. Uploads in another bucket,
// from before the sink was changed, are aborted where these credentials may do so.
func (s *Sink) abortJournaled(ctx context.Context, log *journal) error {
	if err := log.open(); err != nil {
		return err
	}
	old, err := log.read()
	if err != nil {
		return err
	}
	for _, b := range old {
		if err := s.abort(ctx, b); err != nil && b.Bucket == s.cfg.Bucket {
			return err
		}
	}
	return log.forget()
}

// abort makes an upload and its parts vanish; one that is gone, since it was completed or aborted, has.
func (s *Sink) abort(ctx context.Context, b begun) error {
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.Bucket, Key: &b.Key, UploadId: &b.Upload})
	if isCode(err, noSuchUpload) {
		return nil
	}
	if err = classify(err, "s3://"+b.Bucket+"/"+b.Key); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s *Sink) exists(ctx context.Context, path string) (bool, error) {
	_, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket(), Key: s.key(path)})
	if err = classify(err, s.URL(path)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// abortListed aborts the open uploads under folder that are meant, proving before that the lock is
// still ours: what was begun since may be a successor's.
func (s *Sink) abortListed(ctx context.Context, lock sinks.Lock, folder string, meant func(path string) bool) error {
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: s.bucket(), Prefix: s.key(folder)})
	next := ""
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err == nil {
			next, err = s.goesOn(page.IsTruncated, len(page.Uploads)+len(page.CommonPrefixes), next, strings.Trim(aws.ToString(page.NextKeyMarker)+"\n"+aws.ToString(page.NextUploadIdMarker), "\n"))
		}
		if err != nil {
			return s.unlisted(err, folder)
		}
		var open []begun
		for _, u := range page.Uploads {
			if meant(strings.TrimPrefix(aws.ToString(u.Key), s.prefix)) {
				open = append(open, begun{Bucket: s.cfg.Bucket, Key: aws.ToString(u.Key), Upload: aws.ToString(u.UploadId)})
			}
		}
		if len(open) == 0 {
			continue
		}
		if err := lock.Check(ctx); err != nil {
			return err
		}
		for _, u := range open {
			if err := s.abort(ctx, u); err != nil {
				return err
			}
		}
	}
	return nil
}

// abortManifests aborts the open uploads of manifests, of whatever date: a former holder of the lock
// whose last request is still on its way can seal nothing after that, and what is read of the chain
// from then on stays its end for as long as the lock is ours.
func (s *Sink) abortManifests(ctx context.Context, lock sinks.Lock) error {
	return s.abortListed(ctx, lock, "_snapshots/", sinks.IsManifest)
}

// abortOrphans aborts the open uploads of a date that no journal names: where the answer to a
// beginning was lost, the SDK began another.
func (s *Sink) abortOrphans(ctx context.Context, lock sinks.Lock, date string) error {
	for _, partition := range sinks.Partitions(date) {
		if err := s.abortListed(ctx, lock, partition, func(path string) bool { return sinks.IsPart(path, date) }); err != nil {
			return err
		}
	}
	return nil
}
