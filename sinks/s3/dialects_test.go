package s3_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/schema/fault"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// TestConformanceOfOtherStores holds the sink to its contract at stores that differ from S3 as those of
// Alibaba and Tencent do, over http and https. What follows from faults does not depend on the store.
func TestConformanceOfOtherStores(t *testing.T) {
	t.Parallel()
	virtual := sinktest.Dialect{VirtualHosted: "SecondLevelDomainForbidden", NoChunks: true, Region: "cn-hangzhou"}
	for name, test := range map[string]struct {
		dialect sinktest.Dialect
		cfg     s3.Config
	}{
		"virtual-hosted over http":   {virtual, s3.Config{Endpoint: "http://s3.test", PathStyle: new(bool), Region: "cn-hangzhou"}},
		"virtual-hosted over https":  {virtual, s3.Config{Endpoint: "https://s3.test", PathStyle: new(bool), Region: "cn-hangzhou"}},
		"no aws-chunked over https":  {sinktest.Dialect{NoChunks: true}, s3.Config{Endpoint: "https://s3.test"}},
		"no checksums at all, https": {sinktest.Dialect{NoChunks: true, NoChecksums: true}, s3.Config{Endpoint: "https://s3.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, sinktest.Options{Virtual: true, New: func(testing.TB) sinktest.Place {
				place := placeOf(test.dialect, test.cfg)
				place.Faults = nil
				return place
			}})
		})
	}
}

func TestNoBodyIsSentInChunksWhateverTheEnvironmentSays(t *testing.T) {
	for _, calculation := range []string{"", "when_required", "when_supported"} {
		for _, scheme := range []string{"http", "https"} {
			t.Run(scheme+" "+calculation, func(t *testing.T) {
				t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", calculation)
				bucket := &sinktest.Bucket{Name: "audit", Locking: sinktest.ObjectLock{Enabled: true}, Dialect: sinktest.Dialect{NoChunks: true}}
				sink := open(t, s3.Config{HTTP: bucket, Endpoint: scheme + "://s3.test", Retention: s3.Retention{Mode: "GOVERNANCE", Days: 1}})
				if err := attempt(t, sink, filepath.Join(t.TempDir(), "journal")); err != nil {
					t.Fatal(err)
				}
				if err := sink.Publish(t.Context(), "_reports/2026-11-21.html", []byte("<p>")); err != nil {
					t.Error(err)
				}
				if _, err := sink.Retain(t.Context(), time.Now(), []string{part}, "_snapshots/2026-11-21.json"); err != nil {
					t.Error(err)
				}
				for _, r := range bucket.Requests() {
					if r.Method == http.MethodPut && r.Header.Get("X-Amz-Checksum-Sha256") == "" && !r.URL.Query().Has("retention") {
						t.Errorf("%s %s has no checksum", r.Method, r.URL)
					}
				}
			})
		}
	}
}

func TestTheRegionThatARefusalNamesIsToldInTheHint(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status               int
		region, header, body string
	}{
		"in the message":                {400, "eu-north-1", "", `<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region 'eu-central-1' is wrong; expecting 'eu-north-1'</Message></Error>`},
		"in the body":                   {400, "eu-north-1", "", `<Error><Code>AuthorizationHeaderMalformed</Code><Message>No.</Message><Region>eu-north-1</Region></Error>`},
		"a location that does not fit":  {400, "me-south-1", "", `<Error><Code>IllegalLocationConstraintException</Code><Message>The me-south-1 location constraint is incompatible for the region specific endpoint this request was sent to.</Message></Error>`},
		"in a header":                   {301, "ap-northeast-1", "ap-northeast-1", ""},
		"in a header, without any body": {400, "ap-northeast-1", "ap-northeast-1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
				answer := refuse(r, test.status, "")
				answer.Body, answer.ContentLength = io.NopCloser(strings.NewReader(test.body)), int64(len(test.body))
				answer.Header.Set("X-Amz-Bucket-Region", test.header)
				return answer, nil
			})})
			for what, ask := range map[string]func() error{
				"GET":  func() error { _, err := sink.Manifests(t.Context()); return err },
				"HEAD": func() error { _, err := sink.OpenAt(t.Context(), part); return err },
			} {
				if what == "HEAD" && test.header == "" {
					continue // its answer has no body
				}
				err := ask()
				elsewhere, ok := errors.AsType[*s3.RegionError](err)
				if fault.KindOf(err) != fault.Configuration || !ok || elsewhere.Region != test.region || !strings.Contains(fault.HintOf(err), `region = "`+test.region+`"`) {
					t.Errorf("%s: got %v (%v), hint %q", what, err, fault.KindOf(err), fault.HintOf(err))
				}
			}
		})
	}
}

func TestAStoreInAnotherRegionIsNamed(t *testing.T) {
	t.Parallel()
	for _, dialect := range []sinktest.Dialect{{Region: "eu-north-1"}, {Region: "eu-north-1", Unnamed: true}} {
		err := attempt(t, open(t, s3.Config{HTTP: &sinktest.Bucket{Name: "audit", Dialect: dialect}}), filepath.Join(t.TempDir(), "journal"))
		if !strings.Contains(fault.HintOf(err), `region = "eu-north-1" in the sink block`) || !strings.Contains(err.Error(), "eu-central-1 was asked") {
			t.Errorf("got %v, hint %q", err, fault.HintOf(err))
		}
	}
}

func TestABucketBelowLocalhostIsOnThisMachine(t *testing.T) {
	t.Parallel()
	bucket := &sinktest.Bucket{Name: "audit", Dialect: sinktest.Dialect{VirtualHosted: "PathStyleDomainForbidden"}}
	server := httptest.NewServer(bucket)
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	sink := open(t, s3.Config{Endpoint: "http://localhost:" + port, PathStyle: new(bool)})
	if err := attempt(t, sink, filepath.Join(t.TempDir(), "journal")); err != nil {
		t.Error(err)
	}
	for _, r := range bucket.Requests() {
		if !strings.HasPrefix(r.Host, "audit.localhost:") {
			t.Errorf("%s was asked", r.Host)
		}
	}
}
