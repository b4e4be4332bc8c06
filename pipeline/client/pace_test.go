package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/sources"
)

// network is one in memory: each connection takes its time to be made, TLS included.
type network struct {
	takes    time.Duration
	accepted chan net.Conn
	closed   chan struct{}
	dials    int
	mu       sync.Mutex
}

func (n *network) Dial(string, string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	n.mu.Unlock()
	time.Sleep(n.takes)
	here, there := net.Pipe()
	select {
	case n.accepted <- there:
		return here, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) DialContext(_ context.Context, network, address string) (net.Conn, error) {
	return n.Dial(network, address)
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.accepted:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { close(n.closed); return nil }
func (n *network) Addr() net.Addr { return &net.TCPAddr{} }

// pace is how many requests a second a budget of 100 lets through, and how many connections they take.
func pace(t *testing.T, from, to, connect time.Duration, names bool) (perSecond float64, connections int) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{takes: connect, accepted: make(chan net.Conn), closed: make(chan struct{})}
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			latency := from + time.Duration(random.Int64N(int64(to-from)+1))
			mu.Unlock()
			time.Sleep(latency)
			_, _ = w.Write([]byte("{}"))
		})}
		var running sync.WaitGroup
		running.Go(func() { _ = server.Serve(n) })
		transport := NewTransport(nil, nil)
		transport.dial = n
		e := New(Options{Transport: transport, Now: time.Now, Random: func() uint64 { return 1 << 63 }}).
			Endpoint(Name{}, budget.New(budget.Config{Limit: budget.Steady(100), Timeout: DefaultTimeout}, time.Now), Hosts{})
		const warm, length = 5 * time.Second, 30 * time.Second
		begun, counted, asked := time.Now(), 0, 0
		var callers sync.WaitGroup
		for range int(100*to.Seconds()*1.5) + 20 {
			callers.Go(func() {
				for time.Since(begun) < warm+length {
					mu.Lock()
					if asked++; time.Since(begun) > warm {
						counted++
					}
					echo := fmt.Sprint(asked)
					mu.Unlock()
					err := e.Caller().Call(t.Context(), sources.Exchange{
						Echo: echo,
						Build: func() (*http.Request, error) {
							return http.NewRequest(http.MethodPost, "http://vendor.example/", strings.NewReader("{}"))
						},
						Read: func(sources.Answer) (bool, error) { return names, nil },
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		callers.Wait()
		_ = transport.Close()
		_ = server.Close()
		running.Wait()
		perSecond, connections = float64(counted)/length.Seconds(), n.dials
	})
	return perSecond, connections
}

// TestEndingConnectionsCostsNoPace holds answers that name nothing, whose connections must end soon,
// against answers that prove themselves, for which none ends: on virtual time, with connections that take
// as long to be made as they do over the sea.
func TestEndingConnectionsCostsNoPace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name              string
		from, to, connect time.Duration
	}{
		{"1 ms", time.Millisecond, time.Millisecond, time.Millisecond},
		{"50 ms", 50 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond},
		{"5-200 ms", 5 * time.Millisecond, 200 * time.Millisecond, 100 * time.Millisecond},
		{"20-500 ms", 20 * time.Millisecond, 500 * time.Millisecond, 200 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			kept, few := pace(t, test.from, test.to, test.connect, true)
			ended, many := pace(t, test.from, test.to, test.connect, false)
			t.Logf("%.1f requests a second over %d connections, %.1f over %d that are ended", kept, few, ended, many)
			if ended < 0.97*kept {
				t.Errorf("%.1f requests a second, and %.1f where connections are kept", ended, kept)
			}
		})
	}
}
