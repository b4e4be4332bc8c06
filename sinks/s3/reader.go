package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rollcall/schema/fault"
)

// Reader reads objects of one bucket by their s3:// addresses: an ID list, for instance.
type Reader struct {
	client *s3.Client
}

// NewReader uses the bucket, region, endpoint and credentials of cfg, and no prefix.
func NewReader(ctx context.Context, cfg Config) (*Reader, error) {
	client, err := newClient(ctx, cfg)
	if err != nil {
		return nil, forReading(err, "s3://"+cfg.Bucket)
	}
	return &Reader{client: client}, nil
}

// Open reads s3://bucket/key from its beginning. An object that is not there gives a Configuration fault for
// which errors.Is(err, fs.ErrNotExist) holds.
func (r *Reader) Open(ctx context.Context, address string) (io.ReadCloser, error) {
	bucket, key, err := split(address)
	if err != nil {
		return nil, err
	}
	object, err := openObject(ctx, r.client, bucket, key)
	if err != nil {
		return nil, forReading(err, address)
	}
	return object, nil
}

// mostListed is how many names of one folder are listed.
const mostListed = 100_000

// List names what lies directly in the folder s3://bucket/folder/, in order; what is a folder ends in "/".
func (r *Reader) List(ctx context.Context, folder string) ([]string, error) {
	bucket, prefix, err := split(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	pages := s3.NewListObjectsV2Paginator(r.client, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String(prefix), Delimiter: aws.String("/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err == nil {
			err = listing(page.IsTruncated, len(page.Contents)+len(page.CommonPrefixes), bucket)
		}
		if err != nil {
			return nil, forReading(classify(err, folder), folder)
		}
		for _, object := range page.Contents {
			if name := strings.TrimPrefix(aws.ToString(object.Key), prefix); name != "" { // else it is the folder itself
				names = append(names, name)
			}
		}
		for _, inside := range page.CommonPrefixes {
			names = append(names, strings.TrimPrefix(aws.ToString(inside.Prefix), prefix))
		}
		if len(names) > mostListed {
			return nil, &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("%s holds more than %d objects", folder, mostListed), Hint: "give a folder that holds nothing but the list"}
		}
	}
	slices.Sort(names)
	return names, nil
}

// forReading gives a fault of what is only read the hint that fits: the sink is not to be changed for it.
func forReading(err error, address string) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	is := *f
	is.Hint = strings.ReplaceAll(is.Hint, "sink block", "ids block")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		is.Kind, is.Hint = fault.Configuration, "correct the path, or see to what writes it"
		if strings.Contains(strings.TrimPrefix(address, "s3://"), "//") {
			is.Hint = "look at the two slashes in the path, which make it the name of another object; or see to what writes it"
		}
	case f.Code == "NoSuchBucket":
		is.Hint = "correct the bucket in the path; one that lies elsewhere than the sink needs region or endpoint in the ids block"
	case f.Hint == hintPolicy:
		is.Hint = "the policy must allow s3:GetObject on it; that it is not there shows only with s3:ListBucket on the bucket, which a folder needs as well"
	case f.Kind == fault.Transient:
		is.Hint = "the bucket does not answer: run the same command again, or look at its endpoint"
	}
	return &is
}

func split(address string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(address, "s3://")
	bucket, key, found := strings.Cut(rest, "/")
	if _, malformed := url.Parse("s3://" + bucket); !ok || !found || bucket == "" || key == "" || malformed != nil {
		return "", "", &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("%q is no address of an object", address), Hint: "write it as s3://bucket/key"}
	}
	return bucket, key, nil
}

// resumes is how often one object's body is asked for again after its connection broke.
const resumes = 5

// body is an object that is being read. When its connection breaks, the rest is asked for, on the
// condition that the object is still the same.
type body struct {
	ctx    context.Context
	client *s3.Client
	input  *s3.GetObjectInput
	place  string
	rest   io.ReadCloser
	read   int64 // where in the object the next byte stands
	size   int64 // where reading ends
	broken int
}

func openObject(ctx context.Context, client *s3.Client, bucket, key string) (io.ReadCloser, error) {
	b := &body{ctx: ctx, client: client, place: "s3://" + bucket + "/" + key, input: &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}}
	object, err := client.GetObject(ctx, b.input)
	if err != nil {
		return nil, classify(err, b.place)
	}
	b.rest, b.size, b.input.IfMatch = object.Body, aws.ToInt64(object.ContentLength), object.ETag
	return b, nil
}

// Read gives the next bytes of the object.
func (b *body) Read(p []byte) (int, error) {
	for {
		n, err := b.rest.Read(p)
		b.read += int64(n)
		switch {
		case err == nil || n > 0:
			return n, nil // a fault that is still there comes again with the next call
		case errors.Is(err, io.EOF) && b.read >= b.size:
			return 0, io.EOF
		case b.ctx.Err() != nil:
			return 0, b.ctx.Err()
		case b.read >= b.size: // what came is not what the bucket has a checksum of
			return 0, classify(err, b.place)
		}
		if err := b.resume(err); err != nil {
			return 0, err
		}
	}
}

// resume asks for what is still missing.
func (b *body) resume(cause error) error {
	if b.broken++; b.broken > resumes {
		return &fault.Error{Kind: fault.Transient, Message: b.place + " breaks off", Hint: hintDown, Err: cause}
	}
	b.rest.Close()
	b.input.Range = aws.String(fmt.Sprintf("bytes=%d-%d", b.read, b.size-1))
	object, err := b.client.GetObject(b.ctx, b.input)
	if err != nil {
		b.rest = io.NopCloser(strings.NewReader(""))
		if isCode(err, preconditionFailed) || isCode(err, noSuchKey) {
			return &fault.Error{Kind: fault.Transient, Message: b.place + " was replaced while it was read", Hint: "run the same command again", Err: cause}
		}
		return classify(err, b.place)
	}
	b.rest = object.Body
	return nil
}

// Close ends reading.
func (b *body) Close() error { return b.rest.Close() }
