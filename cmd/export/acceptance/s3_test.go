package acceptance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/lease"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// pace is a lock that is lost in seconds, since here time is real, but not by a machine that is busy.
func pace() lease.Pace {
	return lease.Pace{Beat: 500 * time.Millisecond, Stale: 15 * time.Second, Dead: sinktest.Dead}
}

// leastPart is S3's own lower limit, which the server keeps, too.
const leastPart = 5 << 20

func TestConformanceOfS3(t *testing.T) {
	t.Parallel()
	server := S3(t)
	var places atomic.Int64
	var fresh func(testing.TB) sinktest.Place
	fresh = func(testing.TB) sinktest.Place {
		prefix := fmt.Sprintf("place-%d", places.Add(1))
		return sinktest.Place{
			Open: func(t testing.TB, inject sinktest.Injector) sinks.Sink { return open(t, server, prefix, inject) },
			Visible: func(t testing.TB) []string {
				var names []string
				for _, key := range server.Objects(t) {
					if name, ours := strings.CutPrefix(key, prefix+"/"); ours && name != sinks.LockPath {
						names = append(names, name)
					}
				}
				return names
			},
			Hidden: func(t testing.TB) []string {
				var keys []string
				for _, key := range server.Uploads(t) {
					if strings.HasPrefix(key, prefix+"/") {
						keys = append(keys, key)
					}
				}
				return keys
			},
			Write:  func(t testing.TB, path string, content []byte) { server.Put(t, prefix+"/"+path, content) },
			Pace:   pace(),
			Faults: []sinktest.Fault{sinktest.Lost},
			Fresh:  fresh,
			Stride: 9,
			Large:  leastPart + 1600,
		}
	}
	sinktest.Run(t, sinktest.Options{New: fresh})
}

// open opens a prefix of the server's bucket. Requests are made once: each fault must be survived
// without the SDK's retries, which would take their time here.
func open(t testing.TB, server *Server, prefix string, inject sinktest.Injector) *s3.Sink {
	t.Helper()
	sink, err := s3.Open(context.Background(), s3.Config{
		Bucket: server.Bucket, Prefix: prefix, Region: region, Endpoint: server.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		HTTP:        losing{awshttp.NewBuildableClient(), inject}, Now: time.Now, Pace: pace(), PartSize: leastPart, Attempts: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

// losing is an HTTP client that loses requests or answers when it is told to.
type losing struct {
	client *awshttp.BuildableClient
	inject sinktest.Injector
}

var errLost = errors.New("connection reset by peer")

func (l losing) Do(r *http.Request) (*http.Response, error) {
	what := sinktest.None
	if l.inject != nil {
		what = l.inject(r.Method + " " + path.Base(r.URL.Path) + "?" + r.URL.RawQuery)
	}
	if what == sinktest.Refused {
		return nil, errLost
	}
	answer, err := l.client.Do(r)
	if err != nil || what == sinktest.None {
		return answer, err
	}
	answer.Body.Close()
	return nil, errLost
}

func TestTheServersRefusalsHaveTheirKinds(t *testing.T) {
	t.Parallel()
	server := S3(t)
	for name, test := range map[string]struct {
		bucket, key, secret string
		kind                fault.Kind
	}{
		"a wrong secret":   {"audit", accessKey, "wrong", fault.Credentials},
		"an unknown key":   {"audit", "unknown", secretKey, fault.Credentials},
		"no such bucket":   {"nowhere", accessKey, secretKey, fault.Configuration},
		"nothing is amiss": {"audit", accessKey, secretKey, fault.Bug}, // the kind of no error at all
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink, err := s3.Open(t.Context(), s3.Config{Bucket: test.bucket, Region: region, Endpoint: server.Endpoint, Now: time.Now,
				Credentials: credentials.NewStaticCredentialsProvider(test.key, test.secret, "")})
			if err != nil {
				t.Fatal(err)
			}
			lock, err := sink.Lock(t.Context(), sinks.Owner{State: "a", Since: time.Now()})
			if err == nil {
				err = lock.Release(t.Context())
			}
			if fault.KindOf(err) != test.kind || (err != nil && fault.HintOf(err) == "") || (err != nil) != (test.kind != fault.Bug) {
				t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
			}
		})
	}
}

func TestSealingOverTLSWithACertificateOfOnesOwn(t *testing.T) {
	server := S3TLS(t)
	t.Setenv("AWS_CA_BUNDLE", server.CA)
	sink, err := s3.Open(t.Context(), s3.Config{
		Bucket: server.Bucket, Prefix: "im", Region: region, Endpoint: server.Endpoint, Now: time.Now, Pace: pace(), PartSize: leastPart,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	snapshot{}.seal(t, sink, "2026-11-21")
	if names, err := sink.Manifests(t.Context()); err != nil || len(names) != 1 {
		t.Errorf("manifests: %q, %v", names, err)
	}
	if open := server.Uploads(t); len(open) > 0 {
		t.Errorf("open uploads: %q", open)
	}
	CheckColumns(t, filepath.Join(server.Folder, "im"))
}
