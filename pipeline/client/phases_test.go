package client_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/client"
	"rollcall/schema/fault"
	"rollcall/sources/simulated"
)

// silentListener accepts connections and says nothing, or speaks for a while and then says nothing.
func silentListener(t *testing.T, speak string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var open []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			open = append(open, conn)
			_, _ = io.WriteString(conn, speak)
		}
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr().String()
}

// TestNoPhaseOfARequestCanHang lets a server fall silent in each phase of a request. What bounds them
// all is the timeout of the attempt; the test would run into its own deadline if one were left out.
func TestNoPhaseOfARequestCanHang(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"TLS handshake":    "https://" + silentListener(t, ""),
		"half a handshake": "https://" + silentListener(t, "\x16\x03\x03\x00\x7a"),
		"header":           "http://" + silentListener(t, ""),
		"half a header":    "http://" + silentListener(t, "HTTP/1.1 200 OK\r\nContent-Le"),
		"body":             "http://" + silentListener(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"a\""),
		"half a chunk":     "http://" + silentListener(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\""),
		"endless 100s":     "http://" + silentListener(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"),
		"body without end": "http://" + silentListener(t, "HTTP/1.1 200 OK\r\n\r\n{\"a\""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := client.NewTransport(nil, &tls.Config{InsecureSkipVerify: true})
			defer transport.Close()
			b := budget.New(budget.Config{Limit: budget.Steady(1000), Timeout: 300 * time.Millisecond}, time.Now)
			e := client.New(client.Options{Transport: transport, Now: time.Now, Random: func() uint64 { return 0 }, Timeout: 300 * time.Millisecond, Attempts: 2, DownAfter: time.Second}).
				Endpoint(client.Name{Source: "s", Data: "d"}, b, client.Hosts{})
			err := e.Caller().Call(t.Context(), plain(postTo(address), read))
			if kind := fault.KindOf(err); kind != fault.Item && kind != fault.Transient {
				t.Errorf("got %v (%v)", err, kind)
			}
			if f := e.Figures(); f.InFlight != 0 || f.Requests < 2 {
				t.Errorf("figures %+v", f)
			}
		})
	}
}

// TestEveryFaultOfTheNetworkIsGotOver plays each fault over real connections, twice in a row, and then
// no more: the third attempt must be answered, whatever state the connection was left in.
func TestEveryFaultOfTheNetworkIsGotOver(t *testing.T) {
	t.Parallel()
	for _, dish := range simulated.Menu() {
		if !dish.Passing || !dish.Online || strings.HasPrefix(dish.Name, "code-") || dish.Name == "empty-page" || dish.Name == "json" {
			continue // those are for a source to understand, which this test has none of
		}
		for _, effect := range dish.Effects {
			t.Run(dish.Name, func(t *testing.T) {
				t.Parallel()
				world := simulated.New(simulated.Options{})
				world.Fault(simulated.Fault{Times: 2, Do: effect})
				server := httptest.NewUnstartedServer(world.Handler())
				server.Listener = world.Door(server.Listener)
				server.Start()
				defer server.Close()
				transport := client.NewTransport(nil, nil)
				defer transport.Close()
				e := endpoint(transport, 1000, func(o *client.Options) { o.Timeout = 3 * time.Second })
				call := e.Caller()
				err := call.Call(t.Context(), plain(signed(server.URL), readStrictly))
				if err != nil {
					t.Fatalf("after %d attempts: %v", call.Attempts(), err)
				}
				if dish.Name != "slow" && call.Attempts() < 3 {
					t.Errorf("%d attempts: the fault did not show", call.Attempts())
				}
			})
		}
	}
}

// signed builds a request that the simulated RongCloud accepts.
func signed(url string) func() (*http.Request, error) {
	return func() (*http.Request, error) {
		r, err := http.NewRequest(http.MethodPost, url+simulated.PathUserGroups, strings.NewReader("userId=u"))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("App-Key", simulated.DemoAppKey)
		r.Header.Set("Nonce", "1")
		r.Header.Set("Timestamp", "1700000000000")
		r.Header.Set("Signature", simulated.RongCloudSignature(simulated.DemoAppSecret, "1", "1700000000000"))
		return r, nil
	}
}
