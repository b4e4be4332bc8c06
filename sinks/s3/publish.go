package s3

import (
	"context"
	"errors"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// Publish puts the page over the one that it found there, or where it found none: a page that comes late
// does not replace one that was written since.
func (s *Sink) Publish(ctx context.Context, path string, page []byte) error {
	if !sinks.IsReport(path) {
		return fault.New(fault.Bug, "%q is no place for a report", path)
	}
	for attempt := 0; ; attempt++ {
		input := &s3.PutObjectInput{Key: s.key(path), ContentType: aws.String("text/html; charset=utf-8"), IfNoneMatch: aws.String("*")}
		head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket(), Key: s.key(path)})
		switch err = classify(err, s.URL(path)); {
		case err == nil:
			input.IfNoneMatch, input.IfMatch = nil, head.ETag
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		_, err = s.putWhole(ctx, input, page)
		if !isCode(err, preconditionFailed) && !isCode(err, noSuchKey) || attempt == restarts {
			return classify(err, s.URL(path))
		}
	}
}
