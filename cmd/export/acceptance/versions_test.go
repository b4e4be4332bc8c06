package acceptance

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3response"
)

// markers is a backend with versions that reads If-None-Match as S3 does. There a delete marker is
// no object ("Conditional writes" page); versitygw 1.8.0 takes it for one, so that nothing could be
// created under a name that was deleted once. The lock's record is, at the end of every run. And what
// it remembers beside the files outlives the marker: a new object would stay hidden in listings.
type markers struct {
	backend.Backend
	side meta.MetadataStorer
}

func (m markers) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if in.IfNoneMatch != nil && m.missing(ctx, in.Bucket, in.Key) {
		in.IfNoneMatch = nil
	}
	out, err := m.Backend.PutObject(ctx, in)
	m.unmark(in.Bucket, in.Key, err)
	return out, err
}

func (m markers) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	if in.IfNoneMatch != nil && m.missing(ctx, in.Bucket, in.Key) {
		in.IfNoneMatch = nil
	}
	out, version, err := m.Backend.CompleteMultipartUpload(ctx, in)
	m.unmark(in.Bucket, in.Key, err)
	return out, version, err
}

func (m markers) missing(ctx context.Context, bucket, key *string) bool {
	_, err := m.Backend.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
	return err != nil
}

func (m markers) unmark(bucket, key *string, err error) {
	if err == nil {
		_ = m.side.DeleteAttribute(*bucket, *key, "delete-marker") // most have none
	}
}
