package sourcetest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

const page = "<html><body><h1>somebody else answers</h1></body></html>"

// plain lists what HTTP itself can answer.
func plain() []Refusal {
	wait := func(text string) http.Header { return http.Header{"Retry-After": {text}} }
	all := []Refusal{
		{Name: "not logged in", Status: 401, Kind: fault.Credentials},
		{Name: "not allowed by something on the way", Status: 403, Kind: fault.Transient},
		{Name: "no such path", Status: 404, Kind: fault.Configuration},
		{Name: "moved", Status: 301, Header: http.Header{"Location": {"https://elsewhere.example.com/"}}, Kind: fault.Configuration},
		{Name: "moved for now", Status: 307, Header: http.Header{"Location": {"/"}}, Kind: fault.Configuration},
		{Name: "too many", Status: 429, Kind: fault.Throttled},
		{Name: "too many, wait in seconds", Status: 429, Header: wait("7"), Kind: fault.Throttled, RetryAfter: 7 * time.Second},
		{Name: "too many, wait in fractions", Status: 429, Header: wait("1.5"), Kind: fault.Throttled, RetryAfter: 1500 * time.Millisecond},
		{Name: "too many, wait empty", Status: 429, Header: wait(""), Kind: fault.Throttled},
		{Name: "too many, wait until a past date", Status: 429, Header: wait("Fri, 31 Dec 1999 23:59:59 GMT"), Kind: fault.Throttled},
		{Name: "too many, wait in words", Status: 429, Header: wait("a while"), Kind: fault.Throttled},
		{Name: "too many, wait negative", Status: 429, Header: wait("-3"), Kind: fault.Throttled},
		{Name: "HTML under 200", Status: 200, Kind: fault.Transient},
	}
	for _, status := range []int{500, 502, 503, 504, 520} {
		all = append(all, Refusal{Name: fmt.Sprint("trouble ", status), Status: status, Kind: fault.Transient})
	}
	var both []Refusal
	for _, r := range all {
		r.Body = page
		both = append(both, r)
		r.Name, r.Body = r.Name+", empty body", ""
		both = append(both, r)
	}
	return both
}

func checkRefusals(t *testing.T, o Options) {
	for _, r := range append(plain(), o.Refusals...) {
		t.Run(r.Name, func(t *testing.T) {
			for _, c := range o.first() {
				if r.Data == "" || r.Data == c.Question.Data {
					checkRefusal(t, o, c, r)
				}
			}
		})
	}
}

func checkRefusal(t *testing.T, o Options, c Case, r Refusal) {
	source := o.open(t, refusing(r))
	got, err := source.Ask(t.Context(), &Caller{}, c.Question)
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || !reflect.DeepEqual(got, sources.Reading{}) {
		t.Fatalf("%s: error %v (%T) and %d rows", c.Question.Data, err, err, len(got.Rows))
	}
	outcome := e.Outcome
	if e.Kind == fault.Item && outcome == "" {
		outcome = schema.Failed
	}
	if e.Kind != r.Kind || outcome != r.Outcome || e.Code != r.Code || e.RetryAfter != r.RetryAfter || e.Again != r.Again {
		t.Errorf("%s: %v, outcome %q, code %q, wait %v, again %v; want %v, %q, %q, %v, %v (%v)", c.Question.Data,
			e.Kind, outcome, e.Code, e.RetryAfter, e.Again, r.Kind, r.Outcome, r.Code, r.RetryAfter, r.Again, err)
	}
	stops := e.Kind == fault.Credentials || e.Kind == fault.Configuration
	if stops && e.Hint == "" {
		t.Errorf("%s: it stops the run and has no hint: %v", c.Question.Data, err)
	}
	if !strings.Contains(err.Error(), c.Question.Key) {
		t.Errorf("%s: the message does not name the key: %v", c.Question.Data, err)
	}
}

func refusing(r Refusal) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range r.Header {
			w.Header()[name] = values
		}
		if r.Status != 0 {
			w.WriteHeader(r.Status)
		}
		io.WriteString(w, r.Body)
	})
}

// checkBroken garbles one page at a time: what can't be believed is Transient, and nothing is kept.
func checkBroken(t *testing.T, o Options) {
	ways := map[string]func(body []byte) []byte{
		"cut in the middle":  func(b []byte) []byte { return b[:len(b)/2] },
		"cut at its end":     func(b []byte) []byte { return b[:len(b)-1] },
		"empty":              func([]byte) []byte { return nil },
		"an empty object":    func([]byte) []byte { return []byte(`{}`) },
		"null":               func([]byte) []byte { return []byte(`null`) },
		"a list":             func(b []byte) []byte { return []byte(`[` + string(b) + `]`) },
		"a number":           func([]byte) []byte { return []byte(`200`) },
		"two answers":        func(b []byte) []byte { return append(b, b...) },
		"a key twice":        func(b []byte) []byte { return []byte(`{"twice":1,"twice":2,` + strings.TrimSpace(string(b))[1:]) },
		"control characters": func(b []byte) []byte { return []byte(`{"new":` + "\x01" + `1,` + strings.TrimSpace(string(b))[1:]) },
		"depth":              func(b []byte) []byte { return []byte(`{"new":` + strings.Repeat("[", 1_000_000)) },
	}
	for _, c := range o.first() {
		pages := count(t, o, c)
		for name, change := range ways {
			for _, k := range ends(pages) {
				source := o.open(t, garbled(o.Server(), func(number int64, a *answer) {
					if number == k {
						a.body = change(a.body)
					}
				}))
				got, err := source.Ask(t.Context(), &Caller{}, c.Question)
				if fault.KindOf(err) != fault.Transient || !reflect.DeepEqual(got, sources.Reading{}) {
					t.Errorf("%s, page %d of %d, %s: error %v and %d rows", c.Name, k, pages, name, err, len(got.Rows))
				}
			}
		}
	}
}

// ends gives the pages where walks differ: the first, the second and the last.
func ends(pages int64) []int64 {
	return slices.Compact([]int64{1, min(2, pages), pages})
}

func count(t *testing.T, o Options, c Case) int64 {
	t.Helper()
	var caller Caller
	if _, err := o.open(t, o.Server()).Ask(t.Context(), &caller, c.Question); err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return caller.Calls()
}

// checkEndless repeats the first page for ever: the walk must notice, and end without a reading.
func checkEndless(t *testing.T, o Options) {
	for _, c := range o.Cases {
		pages := count(t, o, c)
		if pages < 2 || c.Question.Topics { // two walks may well give the same page
			continue
		}
		var first *answer
		source := o.open(t, garbled(o.Server(), func(number int64, a *answer) {
			if number == 1 {
				kept := *a
				first = &kept
			}
			*a = *first
		}))
		most := pages + 50
		if len(c.Question.Only) > 0 { // pages may be filtered after they were cut: more may bring nothing
			most += 100
		}
		caller := Caller{FailAt: most, Failure: errCut}
		got, err := source.Ask(t.Context(), &caller, c.Question)
		if errors.Is(err, errCut) || err == nil && len(got.Rows) > len(c.Want.Rows) {
			t.Errorf("%s: the first page repeated for ever: %d calls, error %v, %d rows", c.Name, caller.Calls(), err, len(got.Rows))
		}
		if err == nil && got.Declared == int64(len(got.Rows)) {
			t.Errorf("%s: the first page repeated for ever passes for a whole reading", c.Name)
		}
	}
}

// checkSecrets lets the vendor quote all that it was sent back at us, in every spelling and under every kind
// of refusal.
func checkSecrets(t *testing.T, o Options) {
	for _, c := range o.first() {
		for i := range 8 + len(spellings()) {
			status, spell := []int{200, 301, 400, 401, 403, 404, 429, 500}[i%8], spellings()[max(0, i-8)]
			var hidden []string
			server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hidden = append(hidden, o.Hidden(r)...)
				all := append(secrets(t, o.Config(endpointOfNobody)), hidden...)
				for i, secret := range all {
					all[i] = spell(secret)
				}
				if i < 8 {
					all = append(all, r.URL.RawQuery, fmt.Sprint(r.Header))
				}
				w.Header().Set("Location", "https://elsewhere.example.com/?"+r.URL.RawQuery)
				w.WriteHeader(status)
				io.WriteString(w, o.Refuse(strings.Join(all, " ")))
			})
			_, err := o.open(t, server).Ask(t.Context(), &Caller{}, c.Question)
			if err == nil {
				t.Fatalf("%s: a refusal under HTTP %d passes for an answer", c.Name, status)
			}
			hidden = append(hidden, secrets(t, o.Config(endpointOfNobody))...)
			mustHide(t, fmt.Sprintf("%v %+v %s", err, err, fault.HintOf(err)), hidden...)
		}
		closed := httptest.NewServer(http.NotFoundHandler())
		source := o.Config(closed.URL).Open(sources.Environment{Now: time.Now, Random: func() uint64 { return 1 }})
		closed.Close()
		_, err := source.Ask(t.Context(), &Caller{}, c.Question)
		if fault.KindOf(err) != fault.Transient {
			t.Errorf("%s: a refused connection gives %v", c.Name, err)
		}
	}
}

// spellings are ways in which a secret can come back.
func spellings() []func(string) string {
	each := func(format string) func(string) string {
		return func(s string) string {
			var b strings.Builder
			for _, letter := range []byte(s) {
				fmt.Fprintf(&b, format, letter)
			}
			return b.String()
		}
	}
	return []func(string) string{
		func(s string) string { return s }, url.QueryEscape, strings.ToUpper, strings.ToLower,
		func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
		strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace, strings.NewReplacer("*", `\u002a`, "-", `\/`, "_", "").Replace,
		each("%%%02X"), each(`\u%04x`), each("&#%d;"), each("%c "),
	}
}
