package s3_test

import (
	"crypto/sha256"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"rollcall/sinks"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// TestMemoryStaysFlatHoweverLargeTheFile is not parallel: it looks at the heap of the whole process.
func TestMemoryStaysFlatHoweverLargeTheFile(t *testing.T) {
	const size, allowed = 192 << 20, 16 << 20
	local := filepath.Join(t.TempDir(), "part")
	file, err := os.Create(local)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		t.Fatal(err)
	}

	bucket := &sinktest.Bucket{Name: "audit"}
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := uint64(0)
	cfg := filled(s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPut || !r.URL.Query().Has("partNumber") {
			return bucket.Do(r)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil { // the bucket would keep it
			return nil, err
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"x"`}}, Body: http.NoBody, Request: r}, nil
	})})
	cfg.PartSize, cfg.Parallel = 16<<20, 1 // one at a time, so that looking at the heap needs no lock
	inner := cfg.HTTP
	cfg.HTTP = client(func(r *http.Request) (*http.Response, error) {
		answer, err := inner.Do(r)
		if r.URL.Query().Has("partNumber") {
			runtime.ReadMemStats(&during)
			most = max(most, during.HeapAlloc)
		}
		return answer, err
	})
	sink, err := s3.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := sink.Lock(t.Context(), sinks.Owner{State: "a", Since: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release(t.Context())
	staging, err := sink.Begin(t.Context(), lock, "2026-11-21", filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	if err := staging.Put(t.Context(), part, local, [32]byte(hash.Sum(nil))); err != nil {
		t.Fatal(err)
	}
	if most == 0 || most > before.HeapAlloc+allowed {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapAlloc, most)
	}
	t.Logf("%d MiB took %d KiB of heap", size>>20, (int64(most)-int64(before.HeapAlloc))>>10)
}
