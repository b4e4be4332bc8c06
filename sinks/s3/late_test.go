package s3_test

import (
	"bytes"
	"errors"
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

// TestAManifestThatIsWrittenLate loses every answer to the manifest's completion, and lets the bucket
// carry one out after the run has given up. Where the run could end the upload, nothing is sealed; where
// it could not, what then is sealed must be whole.
func TestAManifestThatIsWrittenLate(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]bool{"finds that its upload was ended": false, "finds its files": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit"}
				var late *http.Request
				lossy := client(func(r *http.Request) (*http.Response, error) {
					if cut && late != nil {
						return nil, io.ErrUnexpectedEOF
					}
					if r.Method != http.MethodPost || !r.URL.Query().Has("uploadId") || !strings.HasSuffix(r.URL.Path, "_snapshots/2026-11-21.json") {
						return bucket.Do(r)
					}
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return nil, err
					}
					late = r.Clone(t.Context())
					late.Body = io.NopCloser(bytes.NewReader(body))
					return nil, io.ErrUnexpectedEOF
				})
				journal := filepath.Join(t.TempDir(), "journal")
				if err := attempt(t, open(t, s3.Config{HTTP: lossy}), journal); err == nil {
					t.Fatal("sealed, although nobody said so")
				}
				if slices.ContainsFunc(bucket.Keys(), func(key string) bool { return strings.Contains(key, "_snapshots/") }) {
					t.Fatal("the manifest is there too early for this test")
				}
				if _, err := bucket.Do(late); err != nil {
					t.Fatal(err)
				}
				whole := []string{"_snapshots/2026-11-21.json", part}
				if !cut {
					whole = nil
				}
				if got := visible(bucket); !slices.Equal(got, whole) {
					t.Errorf("after the late write there are %q, want %q", got, whole)
				}
				err := attempt(t, open(t, s3.Config{HTTP: bucket}), journal)
				if _, sealed := errors.AsType[*sinks.SealedError](err); sealed != cut || !cut && err != nil {
					t.Errorf("the next run got %v", err)
				}
			})
		})
	}
}

// TestASmallObjectThatComesWithAnotherChecksumIsReadAgain answers as a server does that replaces an
// object while it is read: old words under the checksum of the new ones.
func TestASmallObjectThatComesWithAnotherChecksumIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wrong  int64 // answers in a row
		sealed bool
	}{"once": {1, true}, "for good": {1 << 30, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit"}
				var answered atomic.Int64
				torn := client(func(r *http.Request) (*http.Response, error) {
					answer, err := bucket.Do(r)
					if err == nil && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, sinks.LockPath) && answer.StatusCode == http.StatusOK && answered.Add(1) <= test.wrong {
						answer.Header.Set("X-Amz-Checksum-Sha256", "CFgaMReXm4CB+kwjl/swaxULU7Q2HpFkBVHiGefqPZo=")
					}
					return answer, err
				})
				dead := []byte(`{"state":"a","host":"h","pid":1,"date":"2026-11-21","since":"2026-11-21T00:00:00Z"}`)
				bucket.Put("im/"+sinks.LockPath, dead)
				err := attempt(t, open(t, s3.Config{HTTP: torn}), filepath.Join(t.TempDir(), "journal"))
				if answered.Load() == 0 {
					t.Fatal("the lock was never read")
				}
				if test.sealed && err != nil || !test.sealed && fault.KindOf(err) != fault.Transient {
					t.Errorf("got %v (%v)", err, fault.KindOf(err))
				}
			})
		})
	}
}

// TestAReportThatIsWrittenLateReplacesNoNewerOne holds up the write of a page until another was written.
func TestAReportThatIsWrittenLateReplacesNoNewerOne(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"where none was": false, "over an older one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit"}
				path := sinks.ReportPath("2026-11-21")
				if before {
					bucket.Put("im/"+path, []byte("older"))
				}
				var late *http.Request
				cut := open(t, s3.Config{Attempts: 1, HTTP: client(func(r *http.Request) (*http.Response, error) {
					if r.Method != http.MethodPut {
						return bucket.Do(r)
					}
					body, err := io.ReadAll(r.Body)
					late = r.Clone(t.Context())
					late.Body = io.NopCloser(bytes.NewReader(body))
					return nil, errors.Join(err, errBroken)
				})})
				if err := cut.Publish(t.Context(), path, []byte("late")); err == nil {
					t.Error("nobody said that it was written")
				}
				sink := open(t, s3.Config{HTTP: bucket})
				if err := sink.Publish(t.Context(), path, []byte("newer")); err != nil {
					t.Fatal(err)
				}
				if _, err := bucket.Do(late); err != nil {
					t.Fatal(err)
				}
				page, err := sink.Open(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				defer page.Close()
				if got, err := io.ReadAll(page); err != nil || string(got) != "newer" {
					t.Errorf("there is %q, %v", got, err)
				}
			})
		})
	}
}
