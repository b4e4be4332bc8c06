package s3_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// TestAListingThatIsCutOffIsNeverTakenForWhole lists one object, says that there are more, and then gives no
// place to go on, as servers do that know only the first version of listing, or always the same.
func TestAListingThatIsCutOffIsNeverTakenForWhole(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]string{
		"it does not say where it goes on": "<NextMarker>im/_snapshots/2026-11-20.json</NextMarker>",
		"it goes on where it was":          "<NextContinuationToken>x</NextContinuationToken><NextKeyMarker>x</NextKeyMarker><NextUploadIdMarker>y</NextUploadIdMarker>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit"}
				cut := func(root string) func(r *http.Request) (*http.Response, error) {
					return func(r *http.Request) (*http.Response, error) {
						query := r.URL.Query()
						if r.Method != http.MethodGet || query.Has("list-type") != (root == "ListBucketResult") || !query.Has("list-type") && !query.Has("uploads") {
							return bucket.Do(r)
						}
						body := "<" + root + "><IsTruncated>true</IsTruncated>" + next + "</" + root + ">"
						return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
					}
				}
				_, err := open(t, s3.Config{HTTP: client(cut("ListBucketResult"))}).Manifests(t.Context())
				if fault.KindOf(err) != fault.Configuration || fault.HintOf(err) == "" {
					t.Errorf("manifests: %v (%v)", err, fault.KindOf(err))
				}
				lock, err := open(t, s3.Config{HTTP: client(cut("ListMultipartUploadsResult"))}).Lock(t.Context(), sinks.Owner{State: "a"})
				if fault.KindOf(err) != fault.Configuration || fault.HintOf(err) == "" {
					t.Errorf("uploads: %v (%v)", err, fault.KindOf(err))
				}
				if lock != nil {
					_ = lock.Release(t.Context())
				}
			})
		})
	}
}

// TestAPageInAListingsPlaceIsNotAnEmptyBucket has a proxy answer listings, with the status 200.
func TestAPageInAListingsPlaceIsNotAnEmptyBucket(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"nothing": "", "a text": "please sign in", "a page": "<html><body>please sign in</body></html>"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit"}
				page := func(what string) s3.Config {
					return s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
						if r.Method != http.MethodGet || !r.URL.Query().Has(what) {
							return bucket.Do(r)
						}
						return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
					})}
				}
				if manifests, err := open(t, page("list-type")).Manifests(t.Context()); fault.KindOf(err) != fault.Transient || fault.HintOf(err) == "" {
					t.Errorf("manifests: %v, %v", manifests, err)
				}
				lock, err := open(t, page("uploads")).Lock(t.Context(), sinks.Owner{State: "a"})
				if fault.KindOf(err) != fault.Transient || fault.HintOf(err) == "" {
					t.Errorf("uploads: %v (%v)", err, fault.KindOf(err))
				}
				if lock != nil {
					_ = lock.Release(t.Context())
				}
			})
		})
	}
}
