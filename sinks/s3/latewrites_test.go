package s3_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"testing"
	"testing/synctest"

	"rollcall/sinks"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// TestLateWritesAreHarmless lets any one request that changes something come late, while another run does
// its work. ROLLCALL_CHAOS tries every request, otherwise a part of them is tried. A store that ignores the
// conditions of completions must do as well: upload IDs are what stops them.
func TestLateWritesAreHarmless(t *testing.T) {
	t.Parallel()
	for name, ignores := range map[string]func(*http.Request) bool{
		"a bucket": nil,
		"a bucket that ignores the conditions of completions": completes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tried := sinktest.LateWrites(t, sinktest.LateOptions{
				New: func(testing.TB) func(testing.TB, sinktest.Pass) sinks.Sink {
					bucket := &sinktest.Bucket{Name: "audit", Ignores: ignores}
					return func(t testing.TB, pass sinktest.Pass) sinks.Sink {
						return open(t, s3.Config{HTTP: passing{bucket, pass}})
					}
				},
				Ways: []sinktest.Lateness{sinktest.Suspended, sinktest.Cut, sinktest.Retried, sinktest.Copied},
				All:  os.Getenv("ROLLCALL_CHAOS") != "" && ignores == nil,
			}, func(t *testing.T, run func(*testing.T)) { synctest.Test(t, run) })
			t.Logf("| a write or deletion arrives late at %s, while another run takes the lock and seals | %d | every manifest has its files, no fork, nothing reported that is not so | 0 | 0 | 0 | 0 |", name, tried)
		})
	}
}

// passing is a client whose requests pass something that may hold them up.
type passing struct {
	bucket *sinktest.Bucket
	pass   sinktest.Pass
}

func (p passing) Do(r *http.Request) (answer *http.Response, err error) {
	if p.pass == nil {
		return p.bucket.Do(r)
	}
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	type result struct {
		answer *http.Response
		err    error
	}
	kept := r.Clone(context.WithoutCancel(r.Context())) // the SDK goes on with its own
	answers := make(chan result, 8)                     // as often as it is carried out
	if !p.pass(r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery, r.Method != http.MethodGet && r.Method != http.MethodHead, func() {
		sent := kept.Clone(kept.Context())
		sent.Body = io.NopCloser(bytes.NewReader(body))
		answer, err := p.bucket.Do(sent)
		answers <- result{answer, err}
	}) {
		return nil, errBroken
	}
	got := <-answers
	return got.answer, got.err
}
