package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/client"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// counter is a server that notes when requests arrive and on which connection.
type counter struct {
	mu       sync.Mutex
	arrivals []time.Time
	uses     map[string]int
}

// arrive gives the number of this arrival, from 1.
func (c *counter) arrive(connection string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrivals = append(c.arrivals, time.Now())
	c.uses[connection]++
	return len(c.arrivals)
}

func (c *counter) most() int {
	slices.SortFunc(c.arrivals, time.Time.Compare)
	most, first := 0, 0
	for last := range c.arrivals {
		for c.arrivals[last].Sub(c.arrivals[first]) > time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

func postTo(url string) func() (*http.Request, error) {
	return func() (*http.Request, error) {
		return http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
	}
}

// TestARealServerCountsNoMoreThanTheBudget runs for three seconds over loopback: jitter in both
// directions, some answers cut off, some slow, more workers than places. How near to the budget it
// comes is for virtual time to say: a machine that is busy gets fewer requests out.
func TestARealServerCountsNoMoreThanTheBudget(t *testing.T) {
	t.Parallel()
	const limit = 150
	c := &counter{uses: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		n := c.arrive(r.RemoteAddr)
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		switch n % 40 {
		case 20:
			panic(http.ErrAbortHandler)
		case 39:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, "{}")
	}))
	defer server.Close()
	transport := client.NewTransport(nil, nil)
	defer transport.Close()

	// A request that was given up must not arrive later: a server that is starved of its processor
	// may take as long as this to look at what came.
	e := endpoint(transport, limit, func(o *client.Options) { o.Timeout = 10 * time.Second })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var group sync.WaitGroup
	for range limit / 2 {
		group.Go(func() {
			for e.Caller().Call(ctx, plain(postTo(server.URL), read)) == nil {
			}
		})
	}
	group.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if most := c.most(); most > limit || most == 0 {
		t.Errorf("largest second holds %d requests, %d may", most, limit)
	}
	if f := e.Figures(); f.Requests < f.Answers+int64(len(c.arrivals)/40) || f.InFlight != 0 {
		t.Errorf("of %d arrivals some failed, but figures are %+v", len(c.arrivals), f)
	}
}

func TestConnectionsAreReusedAndClosedBeforeTheirEightiethUse(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2 %v", http2), func(t *testing.T) {
			t.Parallel()
			c := &counter{uses: map[string]int{}}
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.arrive(r.RemoteAddr)
				if http2 != (r.ProtoMajor == 2) {
					t.Errorf("spoken: %s", r.Proto)
				}
				fmt.Fprint(w, "{}")
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			transport := client.NewTransport(nil, server.Client().Transport.(*http.Transport).TLSClientConfig)
			defer transport.Close()
			e := endpoint(transport, 1e6, nil)
			for range 400 {
				if err := e.Caller().Call(t.Context(), plain(postTo(server.URL), read)); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(c.uses); n < 6 || n > 100 { // six, but for those that a starved machine closes before their time
				t.Errorf("400 requests took %d connections, want some 6", n)
			}
			for connection, uses := range c.uses {
				if uses > 75 {
					t.Errorf("%s was used %d times", connection, uses)
				}
			}
		})
	}
}

func TestRedirectsAreNotFollowedAndAnswersAreUncompressed(t *testing.T) {
	t.Parallel()
	var asked sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path, r.Header.Get("Accept-Encoding"))
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer server.Close()
	transport := client.NewTransport(nil, nil)
	defer transport.Close()
	err := endpoint(transport, 1000, nil).Caller().Call(t.Context(), plain(postTo(server.URL+"/here"), func(answer sources.Answer) error {
		return fault.New(fault.Configuration, "status %d", answer.Status)
	}))
	if err == nil || err.Error() != "status 302" {
		t.Errorf("got %v", err)
	}
	if _, followed := asked.Load("/elsewhere"); followed {
		t.Error("the redirect was followed")
	}
	if accepted, _ := asked.Load("/here"); accepted != "gzip" {
		t.Errorf("accepted encodings: %v", accepted)
	}
}

func TestAnUntrustedCertificateStopsTheRunAtOnce(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the refusal
	server.StartTLS()
	defer server.Close()
	transport := client.NewTransport(nil, nil)
	defer transport.Close()
	call := endpoint(transport, 1000, nil).Caller()
	err := call.Call(t.Context(), plain(postTo(server.URL), read))
	if fault.KindOf(err) != fault.Configuration || call.Attempts() != 1 {
		t.Errorf("got %v (%v) after %d attempts", err, fault.KindOf(err), call.Attempts())
	}
}

// TestARefusedConnectionHoldsItsPlaceForASecondOnly dials for real, while all waiting is on virtual time.
func TestARefusedConnectionHoldsItsPlaceForASecondOnly(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	listener.Close()
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(budget.Config{Limit: budget.Steady(1), Timeout: time.Minute}, time.Now)
		options := client.Options{Transport: client.NewTransport(nil, nil), Now: time.Now, Random: rand.Uint64, Attempts: 2, DownAfter: 3 * time.Second}
		e := client.New(options).Endpoint(client.Name{}, b, client.Hosts{})
		start := time.Now()
		if err := e.Caller().Call(t.Context(), plain(postTo(url), read)); err == nil || !strings.Contains(err.Error(), "refused the connection") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("a few refused attempts took %v", took)
		}
	})
}
