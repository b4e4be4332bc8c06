package sourcetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/sources"
)

func checkReading(t *testing.T, o Options) {
	for _, c := range o.Cases {
		t.Run(c.Name, func(t *testing.T) {
			var served atomic.Int64
			vendor := o.Server()
			source := o.open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				served.Add(1)
				vendor.ServeHTTP(w, r)
			}))
			for range 2 { // the second time, a cached signature and the like are in use
				var caller Caller
				served.Store(0)
				got, err := source.Ask(t.Context(), &caller, c.Question)
				if err != nil {
					t.Fatal(err)
				}
				mustEqual(t, got, c.Want)
				if caller.Calls() != served.Load() {
					t.Errorf("%d requests came in, %d of them through the Caller", served.Load(), caller.Calls())
				}
			}
		})
	}
}

// mustEqual compares readings whatever the order of their rows.
func mustEqual(t *testing.T, got, want sources.Reading) {
	t.Helper()
	got.Rows, want.Rows = sorted(got.Rows), sorted(want.Rows)
	if len(got.Rows) != len(want.Rows) {
		t.Errorf("%d rows, want %d", len(got.Rows), len(want.Rows))
	}
	for i := range min(len(got.Rows), len(want.Rows)) {
		if got.Rows[i] != want.Rows[i] {
			t.Fatalf("row %d:\n got %+v\nwant %+v", i, got.Rows[i], want.Rows[i])
		}
	}
	got.Rows, want.Rows = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("reading, rows left out:\n got %+v\nwant %+v", got, want)
	}
}

func sorted(rows []sources.Row) []sources.Row {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b sources.Row) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.User, b.User))
	})
	return rows
}

// twice builds each request twice and sends the second one, as after a retry.
type twice struct {
	Caller
	t *testing.T
}

func (c *twice) Call(ctx context.Context, e sources.Exchange) error {
	build := e.Build
	e.Build = func() (*http.Request, error) {
		before, err := build()
		if err != nil {
			return nil, err
		}
		after, err := build()
		if err != nil {
			return nil, err
		}
		if print(before) == print(after) {
			c.t.Error("two attempts at one call are the same request, nonce included")
		}
		if body(before) != body(after) {
			c.t.Error("two attempts at one call have different bodies")
		}
		return after, nil
	}
	return c.Caller.Call(ctx, e)
}

func print(r *http.Request) string { return fmt.Sprint(r.URL, r.Header) }

func body(r *http.Request) string {
	if r.GetBody == nil {
		return ""
	}
	b, err := r.GetBody()
	if err != nil {
		return err.Error()
	}
	text, err := io.ReadAll(b)
	return fmt.Sprint(string(text), err)
}

func checkFresh(t *testing.T, o Options) {
	for _, c := range o.first() {
		source := o.open(t, o.Server())
		got, err := source.Ask(t.Context(), &twice{t: t}, c.Question)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		mustEqual(t, got, c.Want)
	}
}

// checkCut fails each call in turn: the error comes back as it is, and nothing of the reading.
func checkCut(t *testing.T, o Options) {
	for _, c := range o.Cases {
		source := o.open(t, o.Server())
		var whole Caller
		if _, err := source.Ask(t.Context(), &whole, c.Question); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		for k := int64(1); k <= whole.Calls(); k++ {
			caller := Caller{FailAt: k, Failure: errCut}
			got, err := source.Ask(t.Context(), &caller, c.Question)
			if !errors.Is(err, errCut) || !reflect.DeepEqual(got, sources.Reading{}) {
				t.Errorf("%s, call %d cut: error %v and %d rows", c.Name, k, err, len(got.Rows))
			}
			if caller.Calls() != k {
				t.Errorf("%s, call %d cut: %d calls", c.Name, k, caller.Calls())
			}
		}
	}
}

func checkCancel(t *testing.T, o Options) {
	for _, c := range o.first() {
		asked := make(chan struct{}, 1)
		source := o.open(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // or the server would not see the connection close
			asked <- struct{}{}
			<-r.Context().Done()
		}))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := source.Ask(ctx, &Caller{}, c.Question)
			done <- err
		}()
		<-asked
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want the cancellation", c.Name, err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: Ask goes on after its context was cancelled", c.Name)
		}
	}
}

// checkTogether asks everything at once of one source.
func checkTogether(t *testing.T, o Options) {
	source := o.open(t, o.Server())
	var wg sync.WaitGroup
	for range 2 {
		for _, c := range o.Cases {
			wg.Go(func() {
				got, err := source.Ask(t.Context(), &Caller{}, c.Question)
				if err != nil {
					t.Errorf("%s: %v", c.Name, err)
					return
				}
				if !slices.Equal(sorted(got.Rows), sorted(c.Want.Rows)) || got.Declared != c.Want.Declared {
					t.Errorf("%s: another reading than when asked alone", c.Name)
				}
			})
		}
	}
	wg.Wait()
}

// answer is one recorded answer of the vendor.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(b []byte) (int, error) {
	a.body = append(a.body, b...)
	return len(b), nil
}

// garbled is the vendor with change applied to each of its answers, the first being number 1.
func garbled(vendor http.Handler, change func(number int64, a *answer)) http.Handler {
	var number atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{status: http.StatusOK, header: http.Header{}}
		vendor.ServeHTTP(a, r)
		a.body = bytes.Clone(a.body)
		change(number.Add(1), a)
		for name, values := range a.header {
			if name != "Content-Length" {
				w.Header()[name] = values
			}
		}
		w.WriteHeader(a.status)
		w.Write(a.body)
	})
}
