package s3_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// client is a function that answers requests.
type client func(*http.Request) (*http.Response, error)

func (c client) Do(r *http.Request) (*http.Response, error) { return c(r) }

const part = "users/snapshot_date=2026-11-21/part-00000.parquet"

// attempt runs a whole night with one file and gives its first fault.
func attempt(t *testing.T, sink sinks.Sink, journal string) error {
	t.Helper()
	lock, err := sink.Lock(t.Context(), sinks.Owner{State: "a", Since: time.Now()})
	if err != nil {
		return err
	}
	defer lock.Release(context.WithoutCancel(t.Context()))
	staging, err := sink.Begin(t.Context(), lock, "2026-11-21", journal)
	if err != nil {
		return err
	}
	local := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(local, []byte("x"), 0o600); err != nil {
		return err
	}
	if err := staging.Put(t.Context(), part, local, sha256.Sum256([]byte("x"))); err != nil {
		return err
	}
	return staging.Seal(t.Context(), "_snapshots/2026-11-21.json", []byte("{}\n"))
}

func TestEncryptionIsAskedForWhereverSomethingIsMade(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]s3.Config{
		"none":         {},
		"SSE-S3":       {Encryption: "AES256"},
		"SSE-KMS":      {Encryption: "aws:kms"},
		"SSE-KMS, key": {Encryption: "aws:kms", KMSKeyID: "alias/audit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucket := &sinktest.Bucket{Name: "audit"}
			cfg.HTTP = bucket
			if err := attempt(t, open(t, cfg), filepath.Join(t.TempDir(), "journal")); err != nil {
				t.Fatal(err)
			}
			making := func(r *http.Request) bool {
				return r.URL.Query().Get("x-id") == "PutObject" || r.URL.Query().Has("uploads") && r.Method == http.MethodPost
			}
			for header, want := range map[string]string{
				"X-Amz-Server-Side-Encryption": cfg.Encryption, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": cfg.KMSKeyID,
			} {
				got := headers(bucket, header, making)
				if len(got) < 3 || slices.ContainsFunc(got, func(value string) bool { return value != want }) {
					t.Errorf("%s is %q, want %q in each", header, got, want)
				}
			}
			if got := headers(bucket, "X-Amz-Checksum-Algorithm", func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploads") }); !slices.Equal(got, []string{"SHA256", "SHA256"}) { // a data file and the manifest
				t.Errorf("uploads were begun with checksum algorithm %q", got)
			}
		})
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		code   string
		kind   fault.Kind
		hint   string
	}{
		{403, "AccessDenied", fault.Credentials, "s3:PutObject"},
		{403, "InvalidAccessKeyId", fault.Credentials, "AWS_ACCESS_KEY_ID"},
		{403, "SignatureDoesNotMatch", fault.Credentials, "AWS_ACCESS_KEY_ID"},
		{404, "XAdminUserNotFound", fault.Credentials, "AWS_ACCESS_KEY_ID"},
		{400, "ExpiredToken", fault.Credentials, "sign in again"},
		{403, "RequestTimeTooSkewed", fault.Credentials, "clock"},
		{404, "NoSuchBucket", fault.Configuration, "make the bucket"},
		{301, "PermanentRedirect", fault.Configuration, "region"},
		{400, "AuthorizationHeaderMalformed", fault.Credentials, "region"},
		{400, "IllegalLocationConstraintException", fault.Configuration, "region"},
		{403, "SecondLevelDomainForbidden", fault.Configuration, "path_style = false"},
		{403, "PathStyleDomainForbidden", fault.Configuration, "path_style = false"},
		{418, "Teapot", fault.Bug, ""},
		{501, "NotImplemented", fault.Configuration, "conditional writes"},
		{500, "InternalError", fault.Transient, "again"},
		{503, "SlowDown", fault.Transient, "again"},
		{507, "XMinioStorageFull", fault.Transient, "make room"},
		{403, "QuotaExceeded", fault.Transient, "make room"},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) { return refuse(r, test.status, test.code), nil })})
				err := attempt(t, sink, filepath.Join(t.TempDir(), "journal"))
				if fault.KindOf(err) != test.kind || !strings.Contains(fault.HintOf(err), test.hint) {
					t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
				}
				if said, raw, _ := strings.Cut(err.Error(), ": operation error S3"); !strings.HasPrefix(said, "s3://audit/im/") || strings.Count(said, ": ") != 1 || raw == "" {
					t.Errorf("no sentence stands before the SDK's text in %v", err)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the secret shows in %v", err)
				}
			})
		})
	}
}

func TestAnEndpointThatIsNoStoreIsSaidToBeNone(t *testing.T) {
	t.Parallel()
	sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) { return refuse(r, 404, "page not found"), nil })})
	_, err := sink.Manifests(t.Context())
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(fault.HintOf(err), "endpoint") || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
	}
}

func TestABucketThatNeverAnswersIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := open(t, s3.Config{HTTP: client(func(*http.Request) (*http.Response, error) { return nil, errBroken })})
		start := time.Now()
		_, err := sink.Manifests(t.Context())
		if fault.KindOf(err) != fault.Transient || fault.HintOf(err) == "" {
			t.Errorf("got %v (%v)", err, fault.KindOf(err))
		}
		if took := time.Since(start); took < 10*time.Second || took > 5*time.Minute {
			t.Errorf("it was given up after %v", took)
		}
	})
}

func TestNoCredentialsAtAll(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
	cfg := filled(s3.Config{HTTP: &sinktest.Bucket{Name: "audit"}})
	cfg.Credentials = nil
	sink, err := s3.Open(t.Context(), cfg)
	if err == nil {
		err = attempt(t, sink, filepath.Join(t.TempDir(), "journal"))
	}
	text, _, _ := strings.Cut(err.Error(), "failed to refresh")
	for _, tried := range []string{"bucket audit", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "profile default", "~/.aws/config", "instance metadata"} {
		if !strings.Contains(text, tried) {
			t.Errorf("%q is not named before the SDK's words in %v", tried, err)
		}
	}
	if fault.KindOf(err) != fault.Credentials || !strings.Contains(fault.HintOf(err), "AWS_PROFILE") {
		t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
	}
}

func TestTheRegionMustBeKnown(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "nowhere"))
	if _, err := s3.Open(t.Context(), s3.Config{Bucket: "audit", Now: time.Now}); fault.KindOf(err) != fault.Configuration || !strings.Contains(fault.HintOf(err), "region") {
		t.Errorf("got %v, hint %q", err, fault.HintOf(err))
	}
	if _, err := s3.Open(t.Context(), s3.Config{Bucket: "audit", Endpoint: "http://127.0.0.1:1", Now: time.Now}); err != nil {
		t.Errorf("with an endpoint of one's own: %v", err)
	}
}

func TestUnknownEncryptionIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := s3.Open(t.Context(), filled(s3.Config{Encryption: "rot13"})); fault.KindOf(err) != fault.Configuration {
		t.Errorf("got %v", err)
	}
}

func TestTwoWritesThatMeetAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"PutObject", "uploadId"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit"}
				var met atomic.Int64
				sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
					writing := r.Method == http.MethodPost && r.URL.Query().Has("uploadId") || r.URL.Query().Get("x-id") == "PutObject"
					if writing && strings.Contains(r.URL.RawQuery, operation) && met.Add(1) <= 2 {
						return refuse(r, http.StatusConflict, "ConditionalRequestConflict"), nil
					}
					return bucket.Do(r)
				})})
				if err := attempt(t, sink, filepath.Join(t.TempDir(), "journal")); err != nil {
					t.Fatal(err)
				}
				if met.Load() < 3 || !slices.Equal(visible(bucket), []string{"_snapshots/2026-11-21.json", part}) || len(bucket.Uploads()) > 0 {
					t.Errorf("after %d writes there are %q, open %q", met.Load(), visible(bucket), bucket.Uploads())
				}
			})
		})
	}
}

func TestBeginAbortsWhatIsOpenAndNothingElse(t *testing.T) {
	t.Parallel()
	bucket := &sinktest.Bucket{Name: "audit"}
	for range 1100 { // more than one page
		bucket.Begin("im/" + part)
	}
	others := []string{"im/users/snapshot_date=2026-11-20/part-00000.parquet", "im/users/snapshot_date=2026-11-21/other.bin", "users/snapshot_date=2026-11-21/part-00000.parquet"}
	for _, key := range others {
		bucket.Begin(key)
	}
	if err := attempt(t, open(t, s3.Config{HTTP: bucket}), filepath.Join(t.TempDir(), "journal")); err != nil {
		t.Fatal(err)
	}
	if got := bucket.Uploads(); !slices.Equal(got, others) {
		t.Errorf("still open: %q, want %q", got, others)
	}
}

func TestAJournalIsReadWhateverStandsInIt(t *testing.T) {
	t.Parallel()
	bucket := &sinktest.Bucket{Name: "audit"}
	bucket.Begin("im/users/snapshot_date=2026-11-19/part-00000.parquet") // another date, found by the journal alone
	journal := filepath.Join(t.TempDir(), "journal")
	text := `{"bucket":"audit","key":"im/users/snapshot_date=2026-11-19/part-00000.parquet","upload":"upload-000001"}` + "\n" +
		`{"bucket":"audit","key":"im/gone","upload":"upload-000009"}` + "\n" +
		`{"bucket":"elsewhere","key":"im/x","upload":"upload-000001"}` + "\n" +
		`{"bucket":"audit","key":"im/us`
	if err := os.WriteFile(journal, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := attempt(t, open(t, s3.Config{HTTP: bucket}), journal); err != nil {
		t.Fatal(err)
	}
	if got := bucket.Uploads(); len(got) > 0 {
		t.Errorf("still open: %q", got)
	}
	if _, err := os.Stat(journal); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the journal is still there: %v", err)
	}
}

func TestEveryUploadIsInTheJournalBeforeItsFirstByte(t *testing.T) {
	t.Parallel()
	bucket := &sinktest.Bucket{Name: "audit"}
	journal := filepath.Join(t.TempDir(), "journal")
	var sent atomic.Int64
	sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
		if id := r.URL.Query().Get("uploadId"); r.Method == http.MethodPut && id != "" {
			sent.Add(1)
			if text, err := os.ReadFile(journal); err != nil || !strings.Contains(string(text), id) {
				t.Errorf("%s is not in the journal: %s, %v", id, text, err)
			}
		}
		return bucket.Do(r)
	})})
	if err := attempt(t, sink, journal); err != nil || sent.Load() == 0 {
		t.Errorf("%d parts sent, %v", sent.Load(), err)
	}
}

// breaking is a body that breaks off after some bytes.
type breaking struct {
	io.Reader
	io.Closer
}

func (b breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestReaderGoesOnWhereAConnectionBroke(t *testing.T) {
	t.Parallel()
	bucket := &sinktest.Bucket{Name: "lists"}
	content := strings.Repeat("0123456789", 1000)
	bucket.Put("ids/users.txt", []byte(content))
	cfg := filled(s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
		answer, err := bucket.Do(r)
		if err == nil && answer.ContentLength > 3000 {
			answer.Body = breaking{io.LimitReader(answer.Body, 3000), answer.Body}
		}
		return answer, err
	})})
	reader, err := s3.NewReader(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	object, err := reader.Open(t.Context(), "s3://lists/ids/users.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	if got, err := io.ReadAll(object); err != nil || string(got) != content {
		t.Errorf("read %d of %d bytes, %v", len(got), len(content), err)
	}
	if _, err := reader.Open(t.Context(), "s3://lists/nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing object gives %v", err)
	}
	for _, address := range []string{"lists/ids", "s3://lists", "s3:///key", "s3://lists/", "https://lists/ids"} {
		if _, err := reader.Open(t.Context(), address); fault.KindOf(err) != fault.Configuration {
			t.Errorf("%s gives %v", address, err)
		}
	}
}

func TestPlacesAreWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	sink := open(t, s3.Config{HTTP: &sinktest.Bucket{Name: "audit"}})
	if sink.String() != "s3://audit/im" || sink.URL("a/b") != "s3://audit/im/a/b" {
		t.Errorf("got %s and %s", sink, sink.URL("a/b"))
	}
}
