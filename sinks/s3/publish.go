package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// Publish puts the page on no condition.
func (s *Sink) Publish(ctx context.Context, path string, page []byte) error {
	if !sinks.IsReport(path) {
		return fault.New(fault.Bug, "%q is no place for a report", path)
	}
	_, err := s.putWhole(ctx, &s3.PutObjectInput{Key: s.key(path), ContentType: aws.String("text/html; charset=utf-8")}, page)
	return classify(err, s.URL(path))
}
