package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rollcall/schema/fault"
)

// The kinds of content that are uploaded.
const (
	parquetType  = "application/vnd.apache.parquet"
	manifestType = "application/json"
)

// upload is one object on its way: it is an attempt's own until it is completed, and nobody can
// complete it once it was aborted.
type upload struct {
	path, kind string
	open       func() (source, error) // what is sent, as often as it is needed
	cut        cut
	begun      begun                 // zero until the bucket gave it an ID
	parts      []types.CompletedPart // all of them, once put
	ready      bool                  // all parts have arrived
	completed  bool                  // it can be seen
	etag       string                // as it was seen; empty: it was not
}

// source is what an upload sends.
type source struct {
	io.ReaderAt
	io.Closer
	size int64
}

// fromFile opens a local file.
func fromFile(path string) func() (source, error) {
	return func() (source, error) {
		file, err := os.Open(path)
		if err != nil {
			return source{}, err
		}
		info, err := file.Stat()
		if err != nil {
			file.Close()
			return source{}, err
		}
		return source{file, file, info.Size()}, nil
	}
}

// fromMemory opens a text.
func fromMemory(text []byte) func() (source, error) {
	return func() (source, error) {
		return source{bytes.NewReader(text), io.NopCloser(nil), int64(len(text))}, nil
	}
}

// cut is how an object is divided into parts, and the SHA-256 of each and of the whole.
type cut struct {
	size, part int64
	sums       [][32]byte
	whole      [32]byte
}

// composite is the checksum that S3 gives an object of these parts: that of their checksums, and
// their number ("Checking object integrity" page, composite checksums).
func (c cut) composite() string {
	all := sha256.New()
	for _, sum := range c.sums {
		all.Write(sum[:])
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(all.Sum(nil)), len(c.sums))
}

// is tells whether a checksum is that of these bytes, in parts or whole.
func (c cut) is(checksum string) bool {
	return checksum == c.composite() || checksum == base64.StdEncoding.EncodeToString(c.whole[:])
}

// section is part i of file.
func (c cut) section(file io.ReaderAt, i int) *io.SectionReader {
	from := int64(i) * c.part
	return io.NewSectionReader(file, from, min(c.part, c.size-from))
}

// measure reads what is to be sent once, part by part, and remembers the sums.
func (u *upload) measure(part int64) error {
	from, err := u.open()
	if err != nil {
		return unreadable(err)
	}
	defer from.Close()
	c := cut{size: from.size}
	c.part = max(part, (c.size+maxParts-1)/maxParts)
	whole := sha256.New()
	for i := 0; i == 0 || int64(i)*c.part < c.size; i++ {
		one := sha256.New()
		if _, err := io.Copy(io.MultiWriter(whole, one), c.section(from, i)); err != nil {
			return unreadable(err)
		}
		c.sums = append(c.sums, [32]byte(one.Sum(nil)))
	}
	c.whole = [32]byte(whole.Sum(nil))
	u.cut = c
	return nil
}

func unreadable(err error) error {
	return &fault.Error{Kind: fault.Bug, Message: "a file to be stored", Err: err}
}

// transfer begins the upload and sends all of it.
func (s *Sink) transfer(ctx context.Context, u *upload, log *journal) error {
	if err := s.start(ctx, u, log); err != nil {
		return err
	}
	if err := s.send(ctx, u); err != nil {
		return err
	}
	u.ready = true
	return nil
}

// start begins the upload and writes it to the journal before anything is sent.
func (s *Sink) start(ctx context.Context, u *upload, log *journal) error {
	made, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: s.bucket(), Key: s.key(u.path), ContentType: aws.String(u.kind),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumType: types.ChecksumTypeComposite,
		ServerSideEncryption: types.ServerSideEncryption(s.cfg.Encryption), SSEKMSKeyId: s.kmsKey(),
	})
	if err != nil {
		return classify(err, s.URL(u.path))
	}
	u.begun = begun{Bucket: s.cfg.Bucket, Key: *s.key(u.path), Upload: aws.ToString(made.UploadId)}
	return log.add(u.begun)
}

// send sends all parts, several at a time, straight from where they lie.
func (s *Sink) send(ctx context.Context, u *upload) error {
	from, err := u.open()
	if err != nil {
		return unreadable(err)
	}
	defer from.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	u.parts = make([]types.CompletedPart, len(u.cut.sums))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(s.cfg.Parallel, len(u.parts)) {
		workers.Go(func() {
			for i := range next {
				if err := s.sendPart(ctx, u, from, i); err != nil {
					stop(err)
				}
			}
		})
	}
	for i := range u.parts {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

func (s *Sink) sendPart(ctx context.Context, u *upload, from io.ReaderAt, i int) error {
	number, sum := aws.Int32(int32(i+1)), aws.String(base64.StdEncoding.EncodeToString(u.cut.sums[i][:]))
	section := u.cut.section(from, i)
	sent, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: s.bucket(), Key: s.key(u.path), UploadId: &u.begun.Upload, PartNumber: number,
		Body: section, ContentLength: aws.Int64(section.Size()),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumSHA256: sum,
	})
	if err != nil {
		return classify(err, s.URL(u.path))
	}
	u.parts[i] = types.CompletedPart{PartNumber: number, ETag: sent.ETag, ChecksumSHA256: sum}
	return nil
}
