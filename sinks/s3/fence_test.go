package s3_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/sinks"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// TestNothingIsCompletedOrDeletedWithoutALockThatWasHeardOf lets the bucket fail at one kind of request,
// which the SDK tries again and again, and from then on at the lock's heartbeats. Whatever others may have
// taken meanwhile is not touched: no such request leaves later than 20 seconds after the last heartbeat.
func TestNothingIsCompletedOrDeletedWithoutALockThatWasHeardOf(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]func(*http.Request) bool{
		"a completion of data":         func(r *http.Request) bool { return completes(r) && !ofManifest(r) },
		"the completion of a manifest": func(r *http.Request) bool { return completes(r) && ofManifest(r) },
		"the removal of the lock": func(r *http.Request) bool {
			return r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, sinks.LockPath)
		},
		"the removal of a left-over": func(r *http.Request) bool {
			return r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, ".parquet") && !r.URL.Query().Has("uploadId")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit"}
				bucket.Put("im/"+part, []byte("left over"))
				var last, latest, sent atomic.Int64 // last heartbeat, longest time since it, requests
				start := time.Now()
				sink := open(t, s3.Config{Attempts: 30, HTTP: client(func(r *http.Request) (*http.Response, error) {
					switch {
					case kind(r):
						sent.Add(1)
						latest.Store(max(latest.Load(), int64(time.Since(start))-last.Load()))
						return refuse(r, http.StatusServiceUnavailable, "SlowDown"), nil
					case sent.Load() > 0 && strings.HasSuffix(r.URL.Path, sinks.LockPath):
						return refuse(r, http.StatusServiceUnavailable, "SlowDown"), nil
					case r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, sinks.LockPath):
						at := int64(time.Since(start))
						answer, err := bucket.Do(r)
						if err == nil && answer.StatusCode == http.StatusOK {
							last.Store(at)
						}
						return answer, err
					}
					return bucket.Do(r)
				})})
				if err := attempt(t, sink, filepath.Join(t.TempDir(), "journal")); (err == nil) != (name == "the removal of the lock") {
					t.Errorf("got %v", err)
				}
				if sent.Load() < 2 || time.Duration(latest.Load()) >= sinks.FreshFor {
					t.Errorf("%d requests were sent, the last of them %v after the last heartbeat", sent.Load(), time.Duration(latest.Load()))
				}
			})
		})
	}
}
