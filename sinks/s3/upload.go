package s3

import (
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

// upload is one data file on its way.
type upload struct {
	path, local string
	cut         cut
	begun       begun                 // zero until the bucket gave it an ID
	parts       []types.CompletedPart // all of them, once put
	ready       bool                  // all parts have arrived
	completed   bool                  // it can be seen
}

// cut is how a file is divided into parts, and the SHA-256 of each.
type cut struct {
	size, part int64
	sums       [][32]byte
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

// section is part i of file.
func (c cut) section(file io.ReaderAt, i int) *io.SectionReader {
	from := int64(i) * c.part
	return io.NewSectionReader(file, from, min(c.part, c.size-from))
}

// measure reads the file once, part by part, holds it against sum and remembers the parts' sums.
func measure(local string, sum [32]byte, part int64) (c cut, err error) {
	file, err := os.Open(local)
	if err != nil {
		return c, &fault.Error{Kind: fault.Bug, Message: "a file to be stored", Err: err}
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return c, &fault.Error{Kind: fault.Bug, Message: "a file to be stored", Err: err}
	}
	c.size = info.Size()
	c.part = max(part, (c.size+maxParts-1)/maxParts)
	whole := sha256.New()
	for i := 0; i == 0 || int64(i)*c.part < c.size; i++ {
		one := sha256.New()
		if _, err := io.Copy(io.MultiWriter(whole, one), c.section(file, i)); err != nil {
			return c, &fault.Error{Kind: fault.Bug, Message: "a file to be stored", Err: err}
		}
		c.sums = append(c.sums, [32]byte(one.Sum(nil)))
	}
	if [32]byte(whole.Sum(nil)) != sum {
		return c, fault.New(fault.Bug, "%s changed since it was written: its SHA-256 is %x instead of %x", local, whole.Sum(nil), sum)
	}
	return c, nil
}

// start begins the upload and writes it to the journal before anything is sent.
func (s *Sink) start(ctx context.Context, u *upload, log *journal) error {
	made, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: s.bucket(), Key: s.key(u.path), ContentType: aws.String("application/vnd.apache.parquet"),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumType: types.ChecksumTypeComposite,
		ServerSideEncryption: types.ServerSideEncryption(s.cfg.Encryption), SSEKMSKeyId: s.kmsKey(),
	})
	if err != nil {
		return classify(err, s.URL(u.path))
	}
	u.begun = begun{Bucket: s.cfg.Bucket, Key: *s.key(u.path), Upload: aws.ToString(made.UploadId)}
	return log.add(u.begun)
}

// send sends all parts, several at a time, straight from the file.
func (s *Sink) send(ctx context.Context, u *upload) error {
	file, err := os.Open(u.local)
	if err != nil {
		return &fault.Error{Kind: fault.Bug, Message: "a file to be stored", Err: err}
	}
	defer file.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	u.parts = make([]types.CompletedPart, len(u.cut.sums))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(s.cfg.Parallel, len(u.parts)) {
		workers.Go(func() {
			for i := range next {
				if err := s.sendPart(ctx, u, file, i); err != nil {
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

func (s *Sink) sendPart(ctx context.Context, u *upload, file io.ReaderAt, i int) error {
	number, sum := aws.Int32(int32(i+1)), aws.String(base64.StdEncoding.EncodeToString(u.cut.sums[i][:]))
	section := u.cut.section(file, i)
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

// complete makes the upload visible on the condition that nothing has its name. Whatever the bucket
// answers, if our object stands there afterwards it was done.
func (s *Sink) complete(ctx context.Context, u *upload) error {
	done, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: s.bucket(), Key: s.key(u.path), UploadId: &u.begun.Upload, IfNoneMatch: aws.String("*"),
		ChecksumType: types.ChecksumTypeComposite, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	if err == nil {
		u.completed = true
		if got := aws.ToString(done.ChecksumSHA256); got != "" && got != u.cut.composite() {
			return fault.New(fault.Bug, "%s has the checksum %s, what was sent has %s", s.URL(u.path), got, u.cut.composite())
		}
		return nil
	}
	ours, headErr := s.isOurs(context.WithoutCancel(ctx), u)
	if ours {
		u.completed = true
		return nil
	}
	if isCode(err, preconditionFailed) {
		return fault.New(fault.Bug, "%s is there already and is not ours", s.URL(u.path))
	}
	if headErr != nil { // it may stand there: whoever cleans up must look
		u.completed = true
	}
	return err
}

// isOurs tells whether the object under the upload's name is what we meant to write.
func (s *Sink) isOurs(ctx context.Context, u *upload) (bool, error) {
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket(), Key: s.key(u.path), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		if statusOf(err) == 404 {
			err = nil
		}
		return false, err
	}
	return aws.ToString(head.ChecksumSHA256) == u.cut.composite(), nil
}
