package chaos_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/job"
	"rollcall/schema/fault"
	"rollcall/sinks/sinktest"
	"rollcall/sources/simulated"
)

// front stands between a night and its bucket, and lets requests go wrong.
type front struct {
	bucket *sinktest.Bucket

	mu     sync.Mutex
	random *rand.Rand
	rate   float64                                                                // of requests that are refused
	after  int                                                                    // from this writing request on every request is refused; 0: never
	writes int                                                                    // so far
	refuse func(r *http.Request, bucket *sinktest.Bucket) (*http.Response, error) // nil: nothing is
}

// Do answers, or refuses.
func (f *front) Do(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	if r.Method == http.MethodPost || r.Method == http.MethodPut && !strings.Contains(r.URL.Path, "_locks/") {
		f.writes++
	}
	bad := f.refuse != nil && (f.after > 0 && f.writes >= f.after || f.random.Float64() < f.rate)
	refuse := f.refuse
	f.mu.Unlock()
	if bad {
		return refuse(r, f.bucket)
	}
	return f.bucket.Do(r)
}

func says(status int, code string) func(*http.Request, *sinktest.Bucket) (*http.Response, error) {
	return func(r *http.Request, _ *sinktest.Bucket) (*http.Response, error) {
		text := "<Error><Code>" + code + "</Code><Message>a fault on demand</Message></Error>"
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/xml"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	}
}

// buckets are the ways of a bucket to go wrong.
func buckets() []struct {
	name   string
	refuse func(*http.Request, *sinktest.Bucket) (*http.Response, error)
} {
	return []struct {
		name   string
		refuse func(*http.Request, *sinktest.Bucket) (*http.Response, error)
	}{
		{"drops connections", func(*http.Request, *sinktest.Bucket) (*http.Response, error) { return nil, syscall.ECONNRESET }},
		{"carries out what it is asked, and its answer is lost", func(r *http.Request, b *sinktest.Bucket) (*http.Response, error) {
			if answer, err := b.Do(r); err == nil {
				_ = answer.Body.Close()
			}
			return nil, syscall.ECONNRESET
		}},
		{"throttles (503 SlowDown)", says(503, "SlowDown")},
		{"fails (500 InternalError)", says(500, "InternalError")},
		{"is full (507 XMinioStorageFull)", says(507, "XMinioStorageFull")},
		{"is over its quota (403 QuotaExceeded)", says(403, "QuotaExceeded")},
	}
}

// toBucket is a night whose sink is a bucket behind a front.
func toBucket(t *testing.T, world *simulated.World) (*night, *front) {
	n := newNight(t, world)
	n.job.Sink = job.Sink{Address: "s3.lake", S3: &job.S3{Bucket: "audit", Prefix: "im", Region: "eu-central-1", Endpoint: "http://s3.test"}}
	return n, &front{bucket: &sinktest.Bucket{Name: "audit"}, random: rand.New(rand.NewPCG(1, 1))}
}

// bucketTrouble lets the bucket refuse a third of all requests, and then everything from some write on.
func bucketTrouble(t *testing.T, quiet reference) {
	for _, way := range buckets() {
		part := line{fault: "the bucket " + way.name + ": 30 % of its requests", happened: "sealed, the bytes of a quiet night"}
		rest := line{fault: "the bucket " + way.name + " from some write on", happened: "exit 5, the answers kept; run again: no vendor asked, sealed, the bytes of a quiet night", resumed: 1}
		for i := range many(8) {
			if way.name != "is over its quota (403 QuotaExceeded)" && !strings.HasPrefix(way.name, "is full") {
				part.stored(t, quiet, func(n *night, f *front) (pipeline.Result, error) {
					f.rate, f.refuse = 0.3, way.refuse
					return n.store(f)
				})
			}
			rest.stored(t, quiet, func(n *night, f *front) (pipeline.Result, error) {
				f.after, f.refuse = 1+2*i, way.refuse
				_, err := n.store(f)
				stopped := &pipeline.StoppedError{}
				if !errors.As(err, &stopped) || stopped.Done == 0 || fault.HintOf(err) == "" {
					return pipeline.Result{}, fmt.Errorf("from write %d on: %w, hint %q", f.after, err, fault.HintOf(err))
				}
				asked := arrived(n.world)
				f.refuse = nil
				result, err := n.store(f)
				if again := arrived(n.world) - asked; err == nil && again > 0 {
					err = fmt.Errorf("%d requests to vendors that were all answered before", again)
				}
				return result, err
			})
		}
		if part.times > 0 {
			part.tell(t)
		}
		rest.tell(t)
	}
}

func (n *night) store(f *front) (pipeline.Result, error) {
	r := n.request()
	r.Bucket = f
	return pipeline.Run(n.t.Context(), r)
}

// stored carries out a night to a bucket in some way, and demands the quiet night's files there and nothing else.
func (l *line) stored(t *testing.T, quiet reference, how func(n *night, f *front) (pipeline.Result, error)) {
	n, f := toBucket(t, chaotic(simulated.Options{}))
	defer n.clear()
	result, err := how(n, f)
	if err != nil {
		t.Errorf("%s: %v", l.fault, err)
		return
	}
	l.times++
	l.repeated += arrived(n.world) - quiet.requests
	sums := map[string]string{}
	want := []string{"im/" + result.Path}
	for _, file := range result.Manifest.Files {
		sums[file.Table] += file.SHA256 + " "
		want = append(want, "im/"+file.Path)
	}
	if !sameTables(snapshot{sums: sums}, quiet.snapshot) {
		l.harm.lies++
		t.Errorf("%s: other bytes than those of a quiet night", l.fault)
	}
	slices.Sort(want)
	if keys := f.bucket.Keys(); !slices.Equal(keys, want) {
		t.Errorf("%s: in the bucket lie %v, the manifest names %v", l.fault, keys, want)
	}
}
