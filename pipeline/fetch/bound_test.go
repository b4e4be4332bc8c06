package fetch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/client"
	"rollcall/pipeline/client/clienttest"
	"rollcall/pipeline/event"
	"rollcall/pipeline/fetch"
	"rollcall/pipeline/job"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// overHTTP is a source whose vendor answers over HTTP. Each key has as many rows as its number says, all
// of which name the key, so that an answer to another question can be told.
type overHTTP struct {
	url   string
	names bool // answers name the key

	left atomic.Int64 // questions until done is called
	done func()
}

// stop calls done after so many questions.
func (o *overHTTP) stop(after int64, done func()) {
	o.left.Store(after)
	o.done = done
}

// rowsOf is how many rows the vendor has of a key.
func rowsOf(key string) int { return 3 + len(key)%3 }

// isGone tells which keys the vendor does not know.
func isGone(key string) bool { return strings.HasSuffix(key, "7") && len(key)%2 == 0 }

type listed struct {
	Key   string
	Gone  bool
	Users []string
}

// members serves the vendor.
func members(names bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key := r.FormValue("key")
		answer := listed{Key: key, Gone: isGone(key)}
		if !names {
			answer.Key = ""
		}
		for i := range rowsOf(key) {
			answer.Users = append(answer.Users, fmt.Sprintf("%s/%d", key, i))
		}
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (o *overHTTP) Ask(ctx context.Context, call sources.Caller, q sources.Question) (sources.Reading, error) {
	if o.left.Add(-1) == 0 {
		o.done()
	}
	reading := sources.Reading{Declared: -1}
	return reading, call.Call(ctx, sources.Exchange{
		Echo: q.Key,
		Build: func() (*http.Request, error) {
			return http.NewRequest(http.MethodPost, o.url+"/?key="+q.Key, strings.NewReader("{}"))
		},
		Read: func(answer sources.Answer) (echoed bool, err error) {
			var got listed
			if err := json.Unmarshal(answer.Body, &got); err != nil {
				return false, fault.New(fault.Transient, "no list: %v", err)
			}
			if o.names && got.Key != q.Key {
				return false, &fault.Error{Kind: fault.Transient, Message: "another key", Err: sources.ErrForeign}
			}
			if got.Gone {
				return o.names, &fault.Error{Kind: fault.Item, Message: "no such key", Outcome: schema.Gone}
			}
			reading.Rows = nil
			for _, user := range got.Users {
				reading.Rows = append(reading.Rows, sources.Row{Group: q.Key, User: user})
			}
			return o.names, nil
		},
	})
}

// TestNoKeyGetsAnotherKeysAnswer: a proxy sends answers twice on kept connections, so that every later
// answer is taken for that of the next request.
func TestNoKeyGetsAnotherKeysAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		names       bool
		keys, every int
		perSecond   float64
	}{
		"answers name their key":                           {true, 1500, 50, 1e6},
		"answers name nothing":                             {false, 1500, 50, 1e6},
		"answers name nothing, every tenth is sent twice":  {false, 1500, 10, 1e6},
		"answers name their key, at the default budget":    {true, 400, 20, 100},
		"answers name nothing, at the default budget":      {false, 400, 20, 100},
		"answers name nothing, at a budget of few workers": {false, 60, 7, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vendor := httptest.NewServer(members(test.names))
			defer vendor.Close()
			proxy := clienttest.Repeat(t, vendor.URL, test.every)
			r := newReader(t, &overHTTP{url: proxy.URL, names: test.names}, test.keys, test.perSecond)
			if err := r.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			s := r.spooled()
			if s.foreign > 0 {
				t.Errorf("%d facts are another key's", s.foreign)
			}
			if s.right != test.keys || s.missing != 0 || s.gone == 0 || proxy.Repeated() < test.keys/test.every/2 {
				t.Errorf("%d of %d keys are right, %d are missing; %d answers were sent twice", s.right, test.keys, s.missing, proxy.Repeated())
			}
			if asked := r.endpoint.Figures().Requests; asked != s.requests {
				t.Errorf("the outcomes have %d requests, the endpoint %d", s.requests, asked)
			}
			t.Logf("| a proxy sends %d answers twice on kept connections, which shifts all that come later: %s | %d | no key has another key's answer | %d | 0 | %d | %d |",
				proxy.Repeated(), name, test.keys, test.keys-s.right, s.foreign, s.requests-int64(test.keys))
		})
	}
}

// TestAStoppedFetchKeepsNothingThatIsNotProved, and goes on to the whole truth.
func TestAStoppedFetchKeepsNothingThatIsNotProved(t *testing.T) {
	t.Parallel()
	vendor := httptest.NewServer(members(false))
	defer vendor.Close()
	proxy := clienttest.Repeat(t, vendor.URL, 15)
	r := newReader(t, &overHTTP{url: proxy.URL}, 1500, 1e6)
	kept := 0
	for stops := 1; ; stops++ {
		ctx, cancel := context.WithCancel(t.Context())
		r.ask.stop(int64(250), cancel)
		err := r.run(ctx)
		cancel()
		s := r.spooled()
		if s.foreign > 0 || s.right < kept || s.missing > 0 {
			t.Fatalf("after stop %d: %+v, and %d were right before", stops, s, kept)
		}
		kept = s.right
		if err == nil {
			break
		}
		if stops > 100 {
			t.Fatal("it never ends")
		}
	}
	if kept != 1500 {
		t.Errorf("%d keys are right", kept)
	}
}

// large is a source whose readings have many rows.
type large struct{ sources.Source }

func (l large) Ask(ctx context.Context, call sources.Caller, q sources.Question) (sources.Reading, error) {
	reading, err := l.Source.Ask(ctx, call, q)
	for i := range 2000 {
		if err == nil {
			reading.Rows = append(reading.Rows, sources.Row{Group: q.Key, User: fmt.Sprintf("%s/more/%d", q.Key, i)})
		}
	}
	return reading, err
}

// TestMoreRowsThanMayWaitForProofAreReadAllTheSame: workers wait until connections that idle have proved
// what is held.
func TestMoreRowsThanMayWaitForProofAreReadAllTheSame(t *testing.T) {
	t.Parallel()
	vendor := httptest.NewServer(members(false))
	defer vendor.Close()
	r := newReader(t, &overHTTP{url: vendor.URL}, 60, 1e6)
	r.source = large{r.ask}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.spooled(); s.foreign > 0 || s.missing > 0 || s.rows < 50*2000 {
		t.Errorf("%+v", s)
	}
}

// reader fetches keys, and may be stopped.
type reader struct {
	t          *testing.T
	ask        *overHTTP
	source     sources.Source // ask, or what is made of it
	lists      ids
	dir        string
	perSecond  float64
	generation int
	endpoint   *client.Endpoint
}

func newReader(t *testing.T, ask *overHTTP, keys int, perSecond float64) *reader {
	r := &reader{t: t, ask: ask, source: ask, lists: ids{}, dir: t.TempDir(), perSecond: perSecond}
	for i := range keys {
		r.lists["keys"] = append(r.lists["keys"], fmt.Sprintf("g%0*d", 4+i%3, i))
	}
	slices.Sort(r.lists["keys"])
	return r
}

func (r *reader) job() *job.Job {
	data := []job.Data{{Address: "members.a", Source: "v.a", Kind: kinds["members"], Groups: given("keys")}}
	return &job.Job{Sources: []job.Source{{Address: "v.a", Budgets: map[string]job.Budget{}}}, Data: data}
}

func (r *reader) open() *spool.Spool {
	r.t.Helper()
	store, err := spool.Open(spool.Options{Dir: r.dir, Blocks: fetch.Blocks(r.job())})
	if err != nil {
		r.t.Fatal(err)
	}
	return store
}

func (r *reader) run(ctx context.Context) error {
	r.t.Helper()
	r.generation++
	store := r.open()
	defer store.Close()
	transport := client.NewTransport(nil, nil)
	defer transport.Close()
	c := client.New(client.Options{Transport: transport, Now: time.Now, Random: rand.Uint64})
	r.endpoint = c.Endpoint(client.Name{Source: "v.a", Data: "members"}, budget.New(budget.Config{Limit: budget.Steady(r.perSecond), Timeout: 30 * time.Second}, time.Now), client.Hosts{})
	return fetch.New(fetch.Options{
		Job: r.job(), Sources: map[string]sources.Source{"v.a": r.source}, Keys: r.lists, Spool: store,
		Endpoint: func(_, _ string) *client.Endpoint { return r.endpoint }, Generation: r.generation, Resumed: r.generation > 1, Now: time.Now,
		Listen: func(event.Event) {}, Every: func() error { return nil },
	}).Run(ctx)
}

// spooled is what lies in the spool.
type spooled struct {
	right, foreign, missing, gone int
	rows                          int
	requests                      int64
}

func (r *reader) spooled() (s spooled) {
	r.t.Helper()
	store := r.open()
	defer store.Close()
	all := spool.Filter{Blocks: func(int) bool { return true }}
	rows, err := store.Rows(r.t.Context(), all)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]int{}
	for rows.Next() {
		row := rows.Row()
		s.rows++
		found[strings.Clone(row.Group)]++
		if !strings.HasPrefix(row.User, row.Group+"/") {
			s.foreign++
		}
	}
	records, err := store.Records(r.t.Context(), all)
	if err != nil {
		r.t.Fatal(err)
	}
	defer records.Close()
	for records.Next() {
		record := records.Record()
		s.requests += record.Requests
		switch {
		case isGone(record.Key) != (record.Outcome == schema.Gone):
			s.foreign++
		case isGone(record.Key):
			s.gone++
			s.right++
		case record.Outcome.Missing():
			s.missing++
		case found[record.Key] == rowsOf(record.Key):
			s.right++
		}
	}
	return s
}
