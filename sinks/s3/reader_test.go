package s3_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"rollcall/schema/fault"
	"rollcall/sinks/s3"
)

// reading makes a reader of the bucket lists, which answers as do says.
func reading(t *testing.T, do client) *s3.Reader {
	t.Helper()
	cfg := filled(s3.Config{HTTP: do})
	cfg.Bucket = "lists"
	reader, err := s3.NewReader(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return reader
}

func TestWhatIsOnlyReadIsRefusedWithoutAWordOfTheSink(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		address       string
		status        int
		code, region  string
		kind          fault.Kind
		message, hint string
	}{
		{"s3://lists/none.txt", 404, "NoSuchKey", "", fault.Configuration, "s3://lists/none.txt", "correct the path"},
		{"s3://lists//none.txt", 404, "NoSuchKey", "", fault.Configuration, "s3://lists//none.txt", "two slashes"},
		{"s3://lists/none.txt", 404, "NoSuchBucket", "", fault.Configuration, "s3://lists", "correct the bucket in the path"},
		{"s3://lists/u.txt", 301, "PermanentRedirect", "ap-northeast-1", fault.Configuration, "the bucket lies in region ap-northeast-1", `set region = "ap-northeast-1" in the ids block`},
		{"s3://lists/u.txt", 307, "TemporaryRedirect", "", fault.Configuration, "the bucket lies in another region", "set region in the ids block"},
		{"s3://lists/u.txt", 400, "AuthorizationHeaderMalformed", "eu-north-1", fault.Configuration, "the bucket lies in region eu-north-1", `set region = "eu-north-1" in the ids block`},
		{"s3://lists/u.txt", 403, "AccessDenied", "", fault.Credentials, "s3://lists/u.txt", "s3:GetObject"},
		{"s3://lists/u.txt", 403, "InvalidAccessKeyId", "", fault.Credentials, "s3://lists/u.txt", "AWS_ACCESS_KEY_ID"},
		{"s3://lists/u.txt", 503, "SlowDown", "", fault.Transient, "s3://lists/u.txt", "run the same command again"},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				reader := reading(t, func(r *http.Request) (*http.Response, error) {
					answer := refuse(r, test.status, test.code)
					if test.region != "" {
						answer.Header.Set("X-Amz-Bucket-Region", test.region)
					}
					return answer, nil
				})
				_, err := reader.Open(t.Context(), test.address)
				if fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.message) || !strings.Contains(fault.HintOf(err), test.hint) || strings.Contains(fault.HintOf(err), "sink block") {
					t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
				}
				if errors.Is(err, fs.ErrNotExist) != (test.code == "NoSuchKey") {
					t.Errorf("whether it is missing is told wrongly: %v", err)
				}
			})
		})
	}
}

func TestAFolderOfABucketIsListed(t *testing.T) {
	t.Parallel()
	page := 0
	reader := reading(t, func(r *http.Request) (*http.Response, error) {
		query := r.URL.Query()
		if query.Get("prefix") != "users/" || query.Get("delimiter") != "/" {
			t.Errorf("asked %s", r.URL)
		}
		page++
		body := `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>2</NextContinuationToken><Contents><Key>users/</Key></Contents><Contents><Key>users/part-1.csv</Key></Contents></ListBucketResult>`
		if page == 2 {
			body = `<ListBucketResult><Contents><Key>users/_SUCCESS</Key></Contents><CommonPrefixes><Prefix>users/_temporary/</Prefix></CommonPrefixes></ListBucketResult>`
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
	})
	names, err := reader.List(t.Context(), "s3://lists/users/")
	if err != nil || !slices.Equal(names, []string{"_SUCCESS", "_temporary/", "part-1.csv"}) {
		t.Errorf("%q, %v", names, err)
	}
}

func TestAFolderWithoutEndIsRefused(t *testing.T) {
	t.Parallel()
	page := 0
	reader := reading(t, func(r *http.Request) (*http.Response, error) {
		page++
		var body strings.Builder
		fmt.Fprintf(&body, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>%d</NextContinuationToken>", page)
		for i := range 1000 {
			fmt.Fprintf(&body, "<Contents><Key>users/%d-%d</Key></Contents>", page, i)
		}
		body.WriteString("</ListBucketResult>")
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body.String())), ContentLength: int64(body.Len()), Request: r}, nil
	})
	if _, err := reader.List(t.Context(), "s3://lists/users/"); fault.KindOf(err) != fault.Configuration || !strings.Contains(fault.HintOf(err), "nothing but the list") {
		t.Errorf("%v", err)
	}
}

func TestAnObjectThatIsReplacedWhileItIsReadIsReadAgainLater(t *testing.T) {
	t.Parallel()
	reader := reading(t, func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("If-Match") != "" {
			return refuse(r, http.StatusPreconditionFailed, "PreconditionFailed"), nil
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"1"`}, "Content-Length": {"9"}}, Body: breaking{strings.NewReader("u1\n"), io.NopCloser(nil)}, ContentLength: 9, Request: r}, nil
	})
	object, err := reader.Open(t.Context(), "s3://lists/users.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	if _, err := io.ReadAll(object); fault.KindOf(err) != fault.Transient || !strings.Contains(err.Error(), "replaced while it was read") {
		t.Errorf("%v", err)
	}
}

func TestABucketThatIsReadMayStandInTheHostsName(t *testing.T) {
	t.Parallel()
	for style, want := range map[bool]string{true: "s3.test/lists/users.txt", false: "lists.s3.test/users.txt"} {
		asked := ""
		cfg := filled(s3.Config{PathStyle: &style, HTTP: client(func(r *http.Request) (*http.Response, error) {
			asked = r.URL.Host + r.URL.Path
			return refuse(r, http.StatusNotFound, "NoSuchKey"), nil
		})})
		cfg.Bucket = "lists"
		reader, err := s3.NewReader(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Open(t.Context(), "s3://lists/users.txt"); !errors.Is(err, fs.ErrNotExist) || asked != want {
			t.Errorf("asked %s (%v), want %s", asked, err, want)
		}
	}
}

func TestAReaderWithoutARegionNamesTheList(t *testing.T) {
	t.Parallel()
	_, err := s3.NewReader(t.Context(), s3.Config{Bucket: "lists"})
	if err == nil { // this machine has a region
		t.Skip("AWS_REGION or a profile names one")
	}
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(fault.HintOf(err), "ids block") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}
