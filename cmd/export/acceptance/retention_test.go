package acceptance

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
	"rollcall/sinks/s3"
)

// locking opens the server's bucket with a retention.
func locking(t *testing.T, server *Server, retention s3.Retention) *s3.Sink {
	t.Helper()
	sink, err := s3.Open(context.Background(), s3.Config{
		Bucket: server.Bucket, Prefix: "im", Region: region, Endpoint: server.Endpoint, Retention: retention, Now: time.Now, Pace: pace(), PartSize: leastPart,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

// TestWhatIsSealedIsLockedOnAServerWithObjectLock has versions and Object Lock on, and no fake.
func TestWhatIsSealedIsLockedOnAServerWithObjectLock(t *testing.T) {
	t.Parallel()
	server := S3Locking(t)
	sink := locking(t, server, s3.Retention{Mode: "COMPLIANCE", Days: 2})
	for _, date := range []string{"2026-11-20", "2026-11-21"} {
		snapshot{}.seal(t, sink, date)
	}
	sealedAt := time.Now()
	var files []string
	path := sinks.ManifestPath("2026-11-21")
	for _, key := range server.Objects(t) {
		name := strings.TrimPrefix(key, "im/")
		if strings.Contains(name, "snapshot_date=2026-11-21") {
			files = append(files, name)
		}
	}
	if len(files) < 7 {
		t.Fatalf("sealed %q", files)
	}
	if until, err := sink.Retained(t.Context(), append(files, path)); err != nil || !until.IsZero() {
		t.Errorf("before: locked until %v, %v", until, err)
	}
	for i, want := range []bool{true, false} {
		if locked, err := sink.Retain(t.Context(), sealedAt, files, path); err != nil || locked != want {
			t.Errorf("call %d: %v, %v", i, locked, err)
		}
	}
	want := sealedAt.Add(48 * time.Hour).UTC().Truncate(time.Second)
	for _, name := range append(files, path) {
		if until, err := sink.Retained(t.Context(), []string{name}); err != nil || !until.Equal(want) {
			t.Errorf("%s is locked until %v, %v; want %v", name, until, err, want)
		}
	}
	if until, err := sink.Retained(t.Context(), []string{sinks.ManifestPath("2026-11-20")}); err != nil || !until.IsZero() {
		t.Errorf("another date is locked until %v, %v", until, err)
	}
	protected(t, server, "im/"+path)
	// A longer lock is put over a shorter one, and never the other way round.
	longer, shorter := locking(t, server, s3.Retention{Mode: "COMPLIANCE", Days: 3}), locking(t, server, s3.Retention{Mode: "COMPLIANCE", Days: 1})
	if locked, err := longer.Retain(t.Context(), sealedAt, files, path); err != nil || !locked {
		t.Errorf("longer: %v, %v", locked, err)
	}
	if locked, err := shorter.Retain(t.Context(), sealedAt, files, path); err != nil || locked {
		t.Errorf("shorter: %v, %v", locked, err)
	}
	// What is not sealed can be removed as ever, and what was removed can be sealed again.
	replaceUnlocked(t, sink, "2026-11-20")
}

// protected fails unless the server itself refuses to remove the object's locked version.
func protected(t *testing.T, server *Server, key string) {
	t.Helper()
	head, err := server.Client.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: &server.Bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Client.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: &server.Bucket, Key: &key, VersionId: head.VersionId})
	if err == nil || head.ObjectLockMode != types.ObjectLockModeCompliance || aws.ToString(head.VersionId) == "" {
		t.Errorf("%s: version %s, mode %s; removing it gave %v", key, aws.ToString(head.VersionId), head.ObjectLockMode, err)
	}
}

// replaceUnlocked replaces a date on a bucket whose deletions leave markers.
func replaceUnlocked(t *testing.T, sink *s3.Sink, date string) {
	t.Helper()
	reader, err := sink.Open(t.Context(), sinks.ManifestPath(date))
	if err != nil {
		t.Fatal(err)
	}
	old, err := io.ReadAll(reader)
	if err = errors.Join(err, reader.Close()); err != nil {
		t.Fatal(err)
	}
	lock, err := sink.Lock(t.Context(), sinks.Owner{State: "a", Since: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release(t.Context())
	aside := sinks.ReplacedPath(date, 1)
	staging, err := sink.Replace(t.Context(), lock, date, filepath.Join(t.TempDir(), "journal"), sinks.Old{SHA256: manifest.Sum(old), To: aside})
	if err != nil {
		t.Fatal(err)
	}
	if err := staging.Seal(t.Context(), sinks.ManifestPath(date), []byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	var left []string
	for object, err := range sink.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(object.Path, date) {
			left = append(left, object.Path)
		}
	}
	if want := []string{sinks.ManifestPath(date), aside}; !slices.Equal(left, want) {
		t.Errorf("of %s there are %q, want %q", date, left, want)
	}
}

func TestTheServersBucketsThatLockWronglyAreRefused(t *testing.T) {
	t.Parallel()
	lock := func(server *Server, retention s3.Retention) error {
		held, err := locking(t, server, retention).Lock(t.Context(), sinks.Owner{State: "a", Since: time.Now()})
		if err == nil {
			err = held.Release(t.Context())
		}
		return err
	}
	plain, server := S3(t), S3Locking(t)
	if err := lock(plain, s3.Retention{Mode: "COMPLIANCE", Days: 1}); fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "no Object Lock") {
		t.Errorf("a bucket without Object Lock: %v", err)
	}
	if err := errors.Join(lock(plain, s3.Retention{}), lock(server, s3.Retention{}), lock(server, s3.Retention{Mode: "GOVERNANCE", Days: 1})); err != nil {
		t.Errorf("buckets that do: %v", err)
	}
	_, err := server.Client.PutObjectLockConfiguration(t.Context(), &awss3.PutObjectLockConfigurationInput{Bucket: &server.Bucket, ObjectLockConfiguration: &types.ObjectLockConfiguration{
		ObjectLockEnabled: types.ObjectLockEnabledEnabled,
		Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeCompliance, Days: aws.Int32(1)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, retention := range []s3.Retention{{}, {Mode: "COMPLIANCE", Days: 1}} {
		if err := lock(server, retention); fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "heartbeats") {
			t.Errorf("a default retention: %v", err)
		}
	}
	if keys := server.Objects(t); len(keys) > 0 {
		t.Errorf("it holds %q", keys)
	}
}
