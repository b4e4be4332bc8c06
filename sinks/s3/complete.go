package s3

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// anything, as what an upload may be completed over, is no condition at all.
const anything = "*"

// over is the condition of a completion: that nothing has the name (empty), or what has this ETag.
func (s *Sink) finish(ctx context.Context, lock sinks.Lock, u *upload, over string) (*s3.CompleteMultipartUploadOutput, error) {
	input := &s3.CompleteMultipartUploadInput{
		Bucket: s.bucket(), Key: s.key(u.path), UploadId: &u.begun.Upload,
		ChecksumType: types.ChecksumTypeComposite, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	}
	switch over {
	case "":
		input.IfNoneMatch = aws.String("*")
	case anything:
	default:
		input.IfMatch = aws.String(over)
	}
	return s.client.CompleteMultipartUpload(holding(ctx, lock), input)
}

// The ways in which a completion can end other than well and with the bucket's refusal.
var (
	errForeign = errors.New("an object that is not ours has the name")
	errAbsent  = errors.New("the bucket answered that it is stored, and it is not there")
)

// complete makes the upload visible. What the bucket answers is not believed: the object that stands
// there afterwards must be the one that was sent, by its size and its checksum.
func (s *Sink) complete(ctx context.Context, lock sinks.Lock, u *upload, over string) error {
	done, err := s.finish(ctx, lock, u, over)
	if err != nil {
		done = nil
	}
	is, broken := s.see(context.WithoutCancel(ctx), u, done)
	switch {
	case is == ours:
		u.completed = true
		return nil
	case broken != nil: // it may stand there: whoever cleans up must look
		u.completed = true
		return errors.Join(classify(err, s.URL(u.path)), broken)
	case is == another && (err == nil || isCode(err, preconditionFailed)):
		u.completed = err == nil
		return errForeign
	case err == nil:
		return errAbsent
	}
	return err
}

// sight is what was found under an upload's name.
type sight int

const (
	absent sight = iota
	ours
	another
)

// see looks at the object under the upload's name: is it what we meant to write? Where the bucket
// tells no checksum, neither now nor when it completed the upload, the object is read back.
func (s *Sink) see(ctx context.Context, u *upload, done *s3.CompleteMultipartUploadOutput) (sight, error) {
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket(), Key: s.key(u.path), ChecksumMode: types.ChecksumModeEnabled})
	if statusOf(err) == http.StatusNotFound {
		return absent, nil
	}
	if err != nil {
		return absent, classify(err, s.URL(u.path))
	}
	u.etag = aws.ToString(head.ETag)
	checksum := aws.ToString(head.ChecksumSHA256)
	if checksum == "" && done != nil && aws.ToString(done.ETag) == u.etag {
		checksum = aws.ToString(done.ChecksumSHA256)
	}
	switch {
	case aws.ToInt64(head.ContentLength) != u.cut.size:
		return another, nil
	case u.cut.is(checksum):
		return ours, nil
	case checksum != "":
		return another, nil
	}
	return s.readBack(ctx, u)
}

// readBack reads the object under the upload's name whole.
func (s *Sink) readBack(ctx context.Context, u *upload) (sight, error) {
	object, err := s.Open(ctx, u.path)
	if err != nil {
		return absent, err
	}
	defer object.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, object); err != nil {
		return absent, classify(err, s.URL(u.path))
	}
	if [32]byte(hash.Sum(nil)) != u.cut.whole {
		return another, nil
	}
	return ours, nil
}

// explain says what the end of a completion means.
func (s *Sink) explain(ctx context.Context, lock sinks.Lock, err error, path string) error {
	switch {
	case errors.Is(err, errForeign):
		return fault.New(fault.Bug, "%s has other bytes than those that were sent", s.URL(path))
	case errors.Is(err, errAbsent):
		return &fault.Error{Kind: fault.Transient, Message: s.URL(path), Err: errAbsent, Hint: hintLies}
	case isCode(err, noSuchUpload): // who takes the lock aborts what the holder before began
		if lost := lock.Check(ctx); lost != nil {
			return lost
		}
		return &fault.Error{Kind: fault.Transient, Message: "the upload of " + s.URL(path) + " was aborted by somebody else", Err: err,
			Hint: "look at the bucket's lifecycle rules, then run the same command again: nothing that was fetched is lost"}
	}
	return classify(err, s.URL(path))
}

const hintLies = "the server behind the bucket acknowledges what it does not keep: see to it, then run the same command again, nothing that was fetched is lost"
