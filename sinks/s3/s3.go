// Package s3 seals snapshots in a bucket of S3, or of a server that speaks as S3 does, conditional
// writes included.
//
// Every file, the manifest too and whatever its size, is a multipart upload: its parts arrive one by one,
// each proved by its SHA-256, and stay invisible until the upload is completed. Sealing completes the
// uploads of the data files, each after proving that the lock is still ours and on the condition that nothing
// has that name, and then that of the manifest on the same condition: that seals. Begun uploads are
// written to a local journal before their first byte is sent; what a dead run left is found there
// and, should it have died in between, by listing. A snapshot that is replaced goes before its
// successor's first upload is completed: its manifest first, on the condition that it is still the one meant.
//
// What a former holder of the lock sent, and what arrives late, changes nothing. An upload is an attempt's
// own and begun before the lock is looked at for the last time; who takes the lock aborts those of
// manifests, who begins a date those of its files, and after that nobody can complete them. What is
// deleted has an ETag that no other object ever has. Neither leaves, at any of the SDK's attempts, unless a
// heartbeat sent less than [sinks.FreshFor] ago was acknowledged.
//
// Success is not believed. That the store refuses a PUT whose If-None-Match or If-Match does not hold is
// proved when the lock is taken; otherwise nothing is begun. Each file is looked at when it is completed, by size
// and checksum, or read where the store tells no checksum; the manifest is read back; then files and lock are
// looked at once more. What stays unproved: conditions of a DELETE and of a completion. A store that
// ignores the latter is safe by the upload IDs. On one that ignores those of a DELETE, a delete that is held
// up for longer than the lock lives removes what a successor has stored under that name.
//
// With a retention, what is sealed is locked by Object Lock: the data files, and when all of them
// are, the manifest. A locked manifest therefore says that all is locked. Nothing else ever is.
//
// An answer can be lost after the bucket has carried out what was asked, and the SDK then asks
// again and is told that it comes too late. Wherever a conditional write is refused, this package
// therefore looks at what is there: if it is what we meant to write, we wrote it.
//
// Bodies are sent plainly, with their SHA-256 in a header: other stores refuse the aws-chunked encoding in which the
// SDK would send a checksum over https.
//
// Credentials come from the AWS SDK's ordinary chain. That there are none is final, and found within ten seconds
// where the chain ends at a service of this machine, else within a minute; who waits is told. Refused access is a
// Credentials fault, a bucket that isn't there or lies elsewhere ([RegionError]) a Configuration fault, as is an
// archived object (sinks.ErrArchived); a bucket that doesn't answer after many tries a Transient one. Each has a sentence
// of its own before the SDK's text.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
)

// Usual values of Config.
const (
	usualPartSize = 16 << 20
	usualAttempts = 10
	usualParallel = 4
	maxBackoff    = 20 * time.Second
	maxParts      = 10_000 // S3's limit for one upload
)

// Config is a bucket and how to reach it. Only Bucket and Now are needed.
type Config struct {
	Bucket, Prefix string
	Region         string // empty: what the environment says, or us-east-1 with an Endpoint
	Endpoint       string // empty: AWS; otherwise a URL
	PathStyle      *bool  // whether the bucket stands in the path or in the host's name; nil: in the path where there is an Endpoint
	Encryption     string // "", "AES256" or "aws:kms"
	KMSKeyID       string
	Retention      Retention // of what is sealed; never applied to lock files and reports

	Now         func() time.Time        // for the lock's record
	Waiting     func(text string)       // hears, perhaps from another goroutine, that credentials are long in coming; nil: nobody does
	Credentials aws.CredentialsProvider // nil: the SDK's chain
	HTTP        aws.HTTPClient          // nil: the SDK's own, which knows AWS_CA_BUNDLE
	Pace        lease.Pace              // zero: as package sinks says
	PartSize    int64                   // bytes of a part, at least 5 MiB where the server is S3; 0: 16 MiB
	Parallel    int                     // parts of one file in flight; 0: 4
	Attempts    int                     // of one request; 0: 10
	Disk        disk.Disk               // for the journal; nil: the real one
}

// Sink is a prefix of a bucket.
type Sink struct {
	cfg    Config
	prefix string // empty or ending in "/"
	client *s3.Client
}

var _ sinks.Sink = (*Sink)(nil)

// Open loads the SDK's configuration. It asks the bucket nothing: taking the lock is the early
// proof that it can be written.
func Open(ctx context.Context, cfg Config) (*Sink, error) {
	switch cfg.Encryption {
	case "", string(types.ServerSideEncryptionAes256), string(types.ServerSideEncryptionAwsKms):
	default:
		return nil, &fault.Error{Kind: fault.Configuration, Message: "encryption " + cfg.Encryption + " is not known", Hint: `use "AES256" or "aws:kms"`}
	}
	if cfg.PartSize == 0 {
		cfg.PartSize = usualPartSize
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = usualParallel
	}
	client, err := newClient(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Sink{cfg: cfg, client: client}
	if prefix := strings.Trim(cfg.Prefix, "/"); prefix != "" {
		s.prefix = prefix + "/"
	}
	return s, nil
}

// String is s3://bucket/prefix.
func (s *Sink) String() string { return strings.TrimSuffix("s3://"+s.cfg.Bucket+"/"+s.prefix, "/") }

// URL is s3://bucket/prefix/path.
func (s *Sink) URL(path string) string { return "s3://" + s.cfg.Bucket + "/" + s.prefix + path }

func (s *Sink) key(path string) *string { return aws.String(s.prefix + path) }

func (s *Sink) bucket() *string { return aws.String(s.cfg.Bucket) }

// Lock takes _locks/run.json, in a bucket that doesn't lock every heartbeat against removal and that
// keeps to the conditions of writes. From then on no former holder can seal anything.
func (s *Sink) Lock(ctx context.Context, owner sinks.Owner) (sinks.Lock, error) {
	if err := s.checkBucket(ctx); err != nil {
		return nil, err
	}
	record := &store{sink: s}
	held, err := lease.Take(ctx, record, owner, s.cfg.Pace, s.cfg.Now)
	if err != nil {
		return nil, err
	}
	err = s.proveConditions(ctx, held, record)
	if err == nil {
		err = s.abortManifests(ctx, held)
	}
	if err == nil {
		return held, nil
	}
	after, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	_ = held.Release(after) // it goes stale by itself
	return nil, err
}

// Manifests lists sealed manifests.
func (s *Sink) Manifests(ctx context.Context) ([]string, error) {
	var names []string
	for object, err := range s.list(ctx, "_snapshots/", aws.String("/")) {
		if err != nil {
			return nil, err
		}
		if sinks.IsManifest(object.Path) {
			names = append(names, object.Path)
		}
	}
	return names, nil
}

// Open reads one object. A connection that breaks while it is read is taken up again.
func (s *Sink) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	if !fs.ValidPath(path) {
		return nil, classify(fs.ErrNotExist, s.URL(path))
	}
	return openObject(ctx, s.client, s.cfg.Bucket, *s.key(path))
}

// The most bytes that small objects have: the lock's record, and a manifest.
const maxRecord, maxManifest = 1 << 20, 64 << 20

// read gives a small object whole, with its ETag. A body that breaks off, or that is not what its
// checksum says, is asked for again: some servers answer so while the object is being replaced. One that
// has more than limit bytes is none of ours.
func (s *Sink) read(ctx context.Context, path string, limit int64) ([]byte, string, error) {
	for attempt := 0; ; attempt++ {
		object, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: s.bucket(), Key: s.key(path)})
		if err != nil {
			return nil, "", classify(err, s.URL(path))
		}
		content, err := io.ReadAll(io.LimitReader(object.Body, limit+1))
		object.Body.Close()
		switch {
		case int64(len(content)) > limit:
			return nil, "", &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("%s has more than the %d bytes that such an object can have", s.URL(path), limit),
				Hint: "see who put it there, and move it away"}
		case err == nil:
			return content, aws.ToString(object.ETag), nil
		case ctx.Err() != nil:
			return nil, "", ctx.Err()
		case attempt == resumes:
			return nil, "", &fault.Error{Kind: fault.Transient, Message: s.URL(path) + " can't be read whole", Hint: hintDown, Err: err}
		}
	}
}

// put writes a small object on a condition: with an etag, that this one is there, otherwise that
// none is. It gives the new ETag, or lease.ErrConflict where the condition does not hold. A
// conflict of two writers (409) is tried again, as the "Conditional requests" page of S3 asks.
func (s *Sink) put(ctx context.Context, path string, content []byte, etag string) (string, error) {
	input := &s3.PutObjectInput{Key: s.key(path), ContentType: aws.String(manifestType)}
	if etag == "" {
		input.IfNoneMatch = aws.String("*")
	} else {
		input.IfMatch = aws.String(etag)
	}
	written, err := s.putWhole(ctx, input, content)
	switch {
	case err == nil:
		return aws.ToString(written.ETag), nil
	case isCode(err, preconditionFailed) || etag != "" && isCode(err, noSuchKey):
		return "", lease.ErrConflict
	default:
		return "", classify(err, s.URL(path))
	}
}

// putWhole writes content in one request, into this bucket and encrypted as the configuration says. Its
// SHA-256 is a header: computed by the SDK, it would be a trailer of an aws-chunked body over https, which not
// every store reads.
// The key, the kind of content and the condition are input's.
func (s *Sink) putWhole(ctx context.Context, input *s3.PutObjectInput, content []byte) (written *s3.PutObjectOutput, err error) {
	input.Bucket, input.ChecksumAlgorithm = s.bucket(), types.ChecksumAlgorithmSha256
	sum := sha256.Sum256(content)
	input.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(sum[:]))
	input.ServerSideEncryption, input.SSEKMSKeyId = types.ServerSideEncryption(s.cfg.Encryption), s.kmsKey()
	err = s.settle(ctx, func() (err error) {
		input.Body = bytes.NewReader(content)
		written, err = s.client.PutObject(ctx, input)
		return err
	})
	return written, err
}

func (s *Sink) kmsKey() *string {
	if s.cfg.KMSKeyID == "" {
		return nil
	}
	return aws.String(s.cfg.KMSKeyID)
}

// settle repeats do while the bucket says that two writes meet, which the SDK takes for final.
func (s *Sink) settle(ctx context.Context, do func() error) error {
	wait := retry.NewExponentialJitterBackoff(maxBackoff)
	for attempt := 0; ; attempt++ {
		err := do()
		if !isCode(err, conflict) || attempt >= usualAttempts {
			return err
		}
		delay, _ := wait.BackoffDelay(attempt, err)
		if err := pause(ctx, delay); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// place is what a configuration is about, for messages: a bucket, or objects of any.
func place(cfg Config) string {
	if cfg.Bucket == "" {
		return "objects on s3://"
	}
	return "bucket " + cfg.Bucket
}
