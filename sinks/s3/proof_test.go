package s3_test

import (
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// endless counts what is read of it.
type endless struct{ read *atomic.Int64 }

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	if e.read.Add(int64(len(p))) > 1<<30 {
		return 0, io.ErrUnexpectedEOF
	}
	return len(p), nil
}

// TestALockWithoutEndIsNotReadToItsEnd lays an object of a gibibyte where the lock belongs.
func TestALockWithoutEndIsNotReadToItsEnd(t *testing.T) {
	t.Parallel()
	var read atomic.Int64
	bucket := &sinktest.Bucket{Name: "audit"}
	sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, sinks.LockPath) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"x"`}}, Body: io.NopCloser(endless{&read}), ContentLength: 1 << 30, Request: r}, nil
		}
		return bucket.Do(r)
	})})
	_, err := sink.Lock(t.Context(), sinks.Owner{State: "a"})
	if fault.KindOf(err) != fault.Configuration || fault.HintOf(err) == "" {
		t.Errorf("got %v (%v)", err, fault.KindOf(err))
	}
	if read.Load() > 4<<20 {
		t.Errorf("%d bytes of it were read", read.Load())
	}
}

// TestAStoreThatRefusesEveryHeartbeatIsTold alters the ETags as some proxies do: the lock is nobody else's.
func TestAStoreThatRefusesEveryHeartbeatIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bucket := &sinktest.Bucket{Name: "audit"}
		sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
			answer, err := bucket.Do(r)
			if err == nil && answer.Header.Get("Etag") != "" {
				answer.Header.Set("Etag", "W/"+answer.Header.Get("Etag"))
			}
			return answer, err
		})})
		_, err := sink.Lock(t.Context(), sinks.Owner{State: "a"})
		if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "If-Match") {
			t.Errorf("got %v (%v)", err, fault.KindOf(err))
		}
	})
}

// TestAStoreThatKnowsNoConditionOfADeletionIsNoHindrance refuses each in one of the ways that servers have.
func TestAStoreThatKnowsNoConditionOfADeletionIsNoHindrance(t *testing.T) {
	t.Parallel()
	for code, status := range map[string]int{"NotImplemented": 501, "InvalidArgument": 400, "MethodNotAllowed": 405} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit"}
				bucket.Put("im/"+part, []byte("left over"))
				sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodDelete && r.Header.Get("If-Match") != "" {
						return refuse(r, status, code), nil
					}
					return bucket.Do(r)
				})})
				if err := attempt(t, sink, filepath.Join(t.TempDir(), "journal")); err != nil {
					t.Fatal(err)
				}
				if got := bucket.Keys(); !slices.Equal(got, []string{"im/_snapshots/2026-11-21.json", "im/" + part}) {
					t.Errorf("there are %q", got)
				}
			})
		})
	}
}
