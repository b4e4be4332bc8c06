package pipeline_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/schema/disk/disktest"
	"rollcall/schema/fault"
)

// answering is a transport whose members' endpoint of RongCloud says something else than the vendor would.
type answering struct {
	http.RoundTripper
	says func(r *http.Request) (*http.Response, error)
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != pathMembers {
		return a.RoundTripper.RoundTrip(r)
	}
	return a.says(r)
}

// response is an answer with a body, as HTTP's client would give it.
func response(status int, header http.Header, body string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
	}
}

// TestNoTroubleNamesAnybodyUnderPseudonyms lets a vendor fail in every way, name IDs while it does, and
// looks at everything that is told of it: events, errors, hints, what the state folder says, and results.
func TestNoTroubleNamesAnybodyUnderPseudonyms(t *testing.T) {
	t.Parallel()
	const who = `u-someone's "id"`
	refusal := func(code int) string {
		return fmt.Sprintf(`{"code":%d,"errorMessage":"no \"u-someone\" in g-somewhere"}`, code)
	}
	for name, says := range map[string]func(*http.Request) (*http.Response, error){
		"transient":            response(200, nil, refusal(1000)),
		"throttled":            response(429, nil, refusal(1008)),
		"failed":               response(200, nil, refusal(1002)),
		"gone":                 response(200, nil, refusal(25410)),
		"denied":               response(403, nil, refusal(1009)),
		"credentials":          response(401, nil, refusal(1004)),
		"redirect":             response(302, http.Header{"Location": {"https://elsewhere.example/u-someone"}}, ""),
		"a gateway's page":     response(502, nil, "<html>u-someone in g-somewhere</html>"),
		"no JSON":              response(200, nil, `u-someone "g-somewhere`),
		"a quote that is open": response(200, nil, `{"code":200,"members":[" u-someone`),
		"a wrong type":         response(200, nil, `{"code":200,"members":"u-someone"}`),
		"a wrong number":       response(200, nil, `{"code":200,"totalCount":"u-someone","members":[]}`),
		"no code":              response(200, nil, `{"u-someone":"g-somewhere"}`),
		"a wrong ID":           response(200, nil, `{"code":200,"totalCount":1,"members":[{"userId":"u-someone\ud800"}]}`),
		"HTTP that is none": func(*http.Request) (*http.Response, error) {
			return nil, errors.New("net/http: HTTP/1.x transport connection broken: malformed MIME header line: " + who + " g-somewhere")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := few(t, 5)
			n.job.Columns = veiled(hmacKey)
			var told strings.Builder
			n.inBubble(func() {
				for range 2 { // the second goes on with the first
					result, err := n.virtually(disktest.New(n.t, disktest.Options{}), func(r *pipeline.Request) {
						r.Transport = answering{r.Transport, says}
						r.Listen = func(e event.Event) { fmt.Fprintf(&told, "%+v\n", e) }
					})
					fmt.Fprintf(&told, "%+v\n%v\n%s\n", result, err, fault.HintOf(err))
					if missing, ok := errors.AsType[*pipeline.NotSealedError](err); ok {
						fmt.Fprintf(&told, "%+v\n", missing.Gaps)
					}
					if text, err := os.ReadFile(n.state + "/" + date + "/progress.json"); err == nil {
						told.Write(text)
					}
				}
			})
			ids := append([]string{"u-someone", "g-somewhere"}, n.world.RongCloud.GroupIDs()...)
			for _, id := range append(ids, n.world.Tencent.GroupIDs()...) {
				if at := strings.Index(told.String(), id); at >= 0 {
					t.Errorf("%s is told: …%s…", id, told.String()[max(0, at-150):min(told.Len(), at+100)])
				}
			}
			if told.Len() < 300 {
				t.Errorf("too little is told to prove anything: %s", told.String())
			}
		})
	}
}
