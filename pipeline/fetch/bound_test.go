package fetch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/client"
	"rollcall/pipeline/client/clienttest"
	"rollcall/pipeline/event"
	"rollcall/pipeline/fetch"
	"rollcall/pipeline/job"
	"rollcall/pipeline/spool"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// overHTTP is a source whose vendor answers over HTTP. Each key has as many rows as its number says, all
// of which name the key, so that an answer to another question can be told.
type overHTTP struct {
	url   string
	names bool // answers name the key
}

type listed struct {
	Key   string
	Users []string
}

// members serves the vendor.
func members(names bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key := r.FormValue("key")
		answer := listed{Key: key}
		if !names {
			answer.Key = ""
		}
		for i := range 3 + len(key)%3 {
			answer.Users = append(answer.Users, fmt.Sprintf("%s/%d", key, i))
		}
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (o *overHTTP) Ask(ctx context.Context, call sources.Caller, q sources.Question) (sources.Reading, error) {
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
			right, foreign, missing, requests := readAll(t, &overHTTP{proxy.URL, test.names}, test.keys, test.perSecond)
			if foreign > 0 {
				t.Errorf("%d rows are another key's", foreign)
			}
			if right != test.keys || missing != 0 || proxy.Repeated() < test.keys/test.every/2 {
				t.Errorf("%d of %d keys are right, %d are missing; %d answers were sent twice", right, test.keys, missing, proxy.Repeated())
			}
			t.Logf("%d requests for %d keys, %d answers sent twice", requests, test.keys, proxy.Repeated())
		})
	}
}

// readAll fetches keys, and counts what lies in the spool then.
func readAll(t *testing.T, source sources.Source, keys int, perSecond float64) (right, foreign, missing int, requests int64) {
	t.Helper()
	lists := ids{}
	for i := range keys {
		lists["keys"] = append(lists["keys"], fmt.Sprintf("g%0*d", 4+i%3, i))
	}
	data := []job.Data{{Address: "members.a", Source: "v.a", Kind: kinds["members"], Groups: given("keys")}}
	j := &job.Job{Sources: []job.Source{{Address: "v.a", Budgets: map[string]job.Budget{}}}, Data: data}
	store, err := spool.Open(spool.Options{Dir: t.TempDir(), Blocks: fetch.Blocks(j)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	transport := client.NewTransport(nil, nil)
	defer transport.CloseIdleConnections()
	c := client.New(client.Options{Transport: transport, Now: time.Now, Random: rand.Uint64})
	endpoint := c.Endpoint(client.Name{Source: "v.a", Data: "members"}, budget.New(budget.Config{Limit: budget.Steady(perSecond), Timeout: 30 * time.Second}, time.Now), client.Hosts{})
	err = fetch.New(fetch.Options{
		Job: j, Sources: map[string]sources.Source{"v.a": source}, Keys: lists, Spool: store,
		Endpoint: func(_, _ string) *client.Endpoint { return endpoint }, Generation: 1, Now: time.Now,
		Listen: func(event.Event) {}, Every: func() error { return nil },
	}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := spool.Filter{Blocks: func(int) bool { return true }}
	rows, err := store.Rows(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]int{}
	for rows.Next() {
		row := rows.Row()
		found[strings.Clone(row.Group)]++
		if !strings.HasPrefix(row.User, row.Group+"/") {
			foreign++
		}
	}
	for key, n := range found {
		if n == 3+len(key)%3 {
			right++
		}
	}
	records, err := store.Records(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	for records.Next() {
		requests += records.Record().Requests
		if records.Record().Outcome.Missing() {
			missing++
		}
	}
	if figures := endpoint.Figures(); figures.Requests != requests {
		t.Errorf("the outcomes have %d requests, the endpoint %d", requests, figures.Requests)
	}
	return right, foreign, missing, requests
}
