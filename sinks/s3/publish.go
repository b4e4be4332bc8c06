package s3

import (
	"bytes"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// Publish puts the page on no condition.
func (s *Sink) Publish(ctx context.Context, path string, page []byte) error {
	if !sinks.IsReport(path) {
		return fault.New(fault.Bug, "%q is no place for a report", path)
	}
	err := s.settle(ctx, func() error {
		_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: s.bucket(), Key: s.key(path), Body: bytes.NewReader(page), ContentType: aws.String("text/html; charset=utf-8"),
			ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ServerSideEncryption: types.ServerSideEncryption(s.cfg.Encryption), SSEKMSKeyId: s.kmsKey(),
		})
		return err
	})
	return classify(err, s.URL(path))
}
