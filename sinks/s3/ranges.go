package s3

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// file is one object that is read by ranges, on the condition that it is still the same.
type file struct {
	ctx  context.Context
	sink *Sink
	path string
	etag *string
	size int64
}

// OpenAt opens one object for reading at any place. Each ReadAt is one request.
func (s *Sink) OpenAt(ctx context.Context, path string) (sinks.File, error) {
	if !fs.ValidPath(path) {
		return nil, classify(fs.ErrNotExist, s.URL(path))
	}
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket(), Key: s.key(path)})
	if err != nil {
		return nil, classify(err, s.URL(path))
	}
	return &file{ctx: ctx, sink: s, path: path, etag: head.ETag, size: aws.ToInt64(head.ContentLength)}, nil
}

// Size is the object's length when it was opened.
func (f *file) Size() int64 { return f.size }

// Close ends reading; nothing is held open between two reads.
func (f *file) Close() error { return nil }

// ReadAt reads len(p) bytes from offset on. A body that breaks off is asked for again.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	if offset >= f.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), f.size-offset)]
	if len(want) == 0 {
		return 0, nil
	}
	b := &body{ctx: f.ctx, client: f.sink.client, place: f.sink.URL(f.path), read: offset, size: offset + int64(len(want)), input: &s3.GetObjectInput{
		Bucket: f.sink.bucket(), Key: f.sink.key(f.path), IfMatch: f.etag,
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+int64(len(want))-1)),
	}}
	object, err := f.sink.client.GetObject(f.ctx, b.input)
	if err != nil {
		return 0, classify(err, b.place)
	}
	b.rest = object.Body
	defer b.Close()
	n, err := io.ReadFull(b, want)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// List goes through every object below folder. Unfinished uploads are no objects.
func (s *Sink) List(ctx context.Context, folder string) iter.Seq2[sinks.Object, error] {
	return s.list(ctx, folder, nil)
}

// list is List where delimiter is nil; with "/", what lies in sub-folders of folder is left out.
func (s *Sink) list(ctx context.Context, folder string, delimiter *string) iter.Seq2[sinks.Object, error] {
	return func(yield func(sinks.Object, error) bool) {
		for object, err := range s.objects(ctx, folder, delimiter) {
			found := sinks.Object{Path: s.pathOf(object), Size: aws.ToInt64(object.Size), Modified: aws.ToTime(object.LastModified)}
			if err != nil {
				found = sinks.Object{}
			}
			if !yield(found, err) {
				return
			}
		}
	}
}

// pathOf is where an object lies in the sink.
func (s *Sink) pathOf(object types.Object) string {
	return strings.TrimPrefix(aws.ToString(object.Key), s.prefix)
}

// objects is list with all that the bucket tells of them.
func (s *Sink) objects(ctx context.Context, folder string, delimiter *string) iter.Seq2[types.Object, error] {
	return func(yield func(types.Object, error) bool) {
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: s.bucket(), Prefix: s.key(folder), Delimiter: delimiter})
		next := ""
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err == nil {
				next, err = s.goesOn(page.IsTruncated, len(page.Contents)+len(page.CommonPrefixes), next, aws.ToString(page.NextContinuationToken))
			}
			if err != nil {
				yield(types.Object{}, s.unlisted(err, folder))
				return
			}
			for _, object := range page.Contents {
				if !yield(object, nil) {
					return
				}
			}
		}
	}
}

// listing refuses what names nothing and does not say either whether it is cut off: every listing says that, and
// the SDK makes an empty one of whatever comes with the status 200, be it a proxy's page.
func listing(cut *bool, named int, bucket string) error {
	if cut != nil || named > 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Transient,
		Message: "what answers for the bucket " + bucket + " gives no listing",
		Hint:    "a proxy or a gateway may answer in the store's place: run the same command again, or look at endpoint in the sink block"}
}

// goesOn gives where a listing goes on that is cut off. One that does not say so, as of a server that knows only
// the first version of listing, or that goes on where it did before, is a fault: what it leaves out would
// pass as not there.
func (s *Sink) goesOn(cut *bool, named int, before, next string) (string, error) {
	if err := listing(cut, named, s.cfg.Bucket); err != nil {
		return "", err
	}
	if !aws.ToBool(cut) || next != "" && next != before {
		return next, nil
	}
	return "", &fault.Error{Kind: fault.Configuration,
		Message: "the server behind bucket " + s.cfg.Bucket + " cuts a listing off and does not say where it goes on",
		Hint:    "it must answer ListObjectsV2 and ListMultipartUploads page by page: update or replace it, or use another sink"}
}
