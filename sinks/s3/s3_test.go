package s3_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"rollcall/sinks"
	"rollcall/sinks/lease"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, sinktest.Options{New: newPlace, Virtual: true})
}

const partSize = 64 << 10

func newPlace(testing.TB) sinktest.Place { return placeOf(sinktest.Dialect{}, s3.Config{}) }

// placeOf is a bucket of a store with that dialect, opened with what cfg says besides.
func placeOf(dialect sinktest.Dialect, cfg s3.Config) sinktest.Place {
	bucket := &sinktest.Bucket{Name: "audit", MinPart: partSize, Dialect: dialect}
	return sinktest.Place{
		Open: func(t testing.TB, inject sinktest.Injector) sinks.Sink {
			cfg := cfg
			cfg.HTTP = faulty{bucket, inject}
			return open(t, cfg)
		},
		Visible: func(testing.TB) []string { return visible(bucket) },
		Hidden:  func(testing.TB) []string { return bucket.Uploads() },
		Write:   func(_ testing.TB, path string, content []byte) { bucket.Put("im/"+path, content) },
		Pace:    lease.Pace{Beat: sinks.HeartbeatEvery, Stale: sinks.StaleAfter, Dead: sinktest.Dead},
		Faults:  []sinktest.Fault{sinktest.Refused, sinktest.Lost},
		Fresh:   func(testing.TB) sinktest.Place { return placeOf(dialect, cfg) },
		Large:   2*partSize + 1600,
	}
}

func visible(bucket *sinktest.Bucket) []string {
	var names []string
	for _, key := range bucket.Keys() {
		if name := strings.TrimPrefix(key, "im/"); name != sinks.LockPath {
			names = append(names, name)
		}
	}
	return names
}

// open opens the bucket "audit" with what cfg says besides.
func open(t testing.TB, cfg s3.Config) *s3.Sink {
	t.Helper()
	sink, err := s3.Open(context.Background(), filled(cfg))
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func filled(cfg s3.Config) s3.Config {
	cfg.Bucket, cfg.Prefix, cfg.Region = "audit", "im", cmp.Or(cfg.Region, "eu-central-1")
	if cfg.Endpoint == "" {
		cfg.Endpoint = "http://s3.test"
	}
	cfg.Credentials = credentials.NewStaticCredentialsProvider("key", "secret", "")
	cfg.Now, cfg.PartSize, cfg.Pace.Dead = time.Now, partSize, sinktest.Dead
	return cfg
}

// faulty stands between a sink and its bucket.
type faulty struct {
	bucket *sinktest.Bucket
	inject sinktest.Injector
}

var errBroken = errors.New("connection reset by peer")

func (f faulty) Do(r *http.Request) (*http.Response, error) {
	fault := sinktest.None
	if f.inject != nil {
		fault = f.inject(r.Method + " " + path.Base(r.URL.Path) + "?" + r.URL.RawQuery)
	}
	switch fault {
	case sinktest.Refused:
		return nil, errBroken
	case sinktest.Lost:
		if _, err := f.bucket.Do(r); err != nil {
			return nil, err
		}
		return nil, errBroken
	default:
		return f.bucket.Do(r)
	}
}

// refuse is an S3 error answer.
func refuse(r *http.Request, status int, code string) *http.Response {
	body := ""
	if r.Method != http.MethodHead {
		body = "<Error><Code>" + code + "</Code></Error>"
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

// headers lists the values of one header in the requests that match.
func headers(bucket *sinktest.Bucket, name string, match func(*http.Request) bool) []string {
	var values []string
	for _, r := range bucket.Requests() {
		if match(r) {
			values = append(values, r.Header.Get(name))
		}
	}
	slices.Sort(values)
	return values
}
