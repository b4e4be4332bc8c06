package client_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/pipeline/client"
	"rollcall/pipeline/client/clienttest"
	"rollcall/schema/fault"
)

// throughProxy is a proxy on loopback that leads everywhere to one server, as one that resolves names does.
type throughProxy struct {
	*httptest.Server
	server   *httptest.Server
	refuse   int // with this status; 0: nobody
	ways     atomic.Int64
	forwards atomic.Int64
}

const (
	proxyUser     = "robot"
	proxyPassword = "pa55-of-the-proxy"
)

func serveProxy(t *testing.T, server *httptest.Server, secure bool, refuse int) *throughProxy {
	t.Helper()
	p := &throughProxy{server: server, refuse: refuse}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it complains of connections that nobody used
	if secure {
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(p.Close)
	return p
}

func (p *throughProxy) serve(w http.ResponseWriter, r *http.Request) {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(proxyUser+":"+proxyPassword))
	switch {
	case p.refuse != 0:
		w.WriteHeader(p.refuse)
	case r.Header.Get("Proxy-Authorization") != want:
		w.WriteHeader(http.StatusProxyAuthRequired)
	case r.Method == http.MethodConnect:
		p.ways.Add(1)
		p.tunnel(w)
	default:
		p.forwards.Add(1)
		forward := r.Clone(r.Context())
		forward.RequestURI, forward.URL.Host = "", p.server.Listener.Addr().String()
		forward.Header.Del("Proxy-Authorization")
		answer, err := http.DefaultTransport.RoundTrip(forward)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}
}

func (p *throughProxy) tunnel(w http.ResponseWriter) {
	to, err := net.Dial("tcp", p.server.Listener.Addr().String())
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		to.Close()
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(to, c); to.Close() })
	both.Go(func() { _, _ = io.Copy(c, to); c.Close() })
	both.Wait()
}

// through gives the proxy for every request.
func through(scheme, address, user, password string) func(*http.Request) (*url.URL, error) {
	u := &url.URL{Scheme: scheme, Host: address}
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	return func(*http.Request) (*url.URL, error) { return u, nil }
}

// trusting is the TLS of a client that trusts both servers.
func trusting(servers ...*httptest.Server) *tls.Config {
	config := servers[0].Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	for _, s := range servers[1:] {
		config.RootCAs.AddCert(s.Certificate())
	}
	return config
}

// TestTheBudgetHoldsThroughAProxy counts at the server behind it, over every kind of proxy. The server's
// name, example.com, is known to its certificate and to the proxy alone.
func TestTheBudgetHoldsThroughAProxy(t *testing.T) {
	t.Parallel()
	const limit = 40
	for name, test := range map[string]struct {
		https, http2 bool   // the server
		kind         string // of the proxy
	}{
		"https through http": {true, false, "http"}, "HTTP/2 through http": {true, true, "http"}, "http through http": {false, false, "http"},
		"https through https": {true, false, "https"}, "http through https": {false, false, "https"},
		"https through socks5": {true, false, "socks5"}, "http through socks5h": {false, false, "socks5h"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrivals := &clienttest.Arrivals{}
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				arrivals.Arrive()
				if r.Header.Get("Proxy-Authorization") != "" || test.http2 != (r.ProtoMajor == 2) {
					t.Errorf("%s came with the header %v", r.Proto, r.Header)
				}
				_, _ = io.WriteString(w, "{}")
			}))
			server.EnableHTTP2 = test.http2
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			url, config := "http://example.com", (*tls.Config)(nil)
			if test.https {
				server.StartTLS()
				url, config = "https://example.com", trusting(server)
			} else {
				server.Start()
			}
			defer server.Close()
			proxy := through(test.kind, serveSocks(t, server.Listener.Addr().String()), proxyUser, proxyPassword)
			if strings.HasPrefix(test.kind, "http") {
				p := serveProxy(t, server, test.kind == "https", 0)
				if test.kind == "https" {
					config = trusting(append([]*httptest.Server{p.Server}, []*httptest.Server{server}[:map[bool]int{true: 1}[test.https]]...)...)
				}
				proxy = through(test.kind, p.Listener.Addr().String(), proxyUser, proxyPassword)
			}
			transport := client.NewTransport(proxy, config)
			defer transport.Close()
			e := endpoint(transport, limit, nil)
			var callers sync.WaitGroup
			begun := time.Now()
			for range 10 {
				callers.Go(func() {
					for time.Since(begun) < 1500*time.Millisecond {
						if err := e.Caller().Call(t.Context(), plain(postTo(url), read)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			callers.Wait()
			all, most := arrivals.Count()
			if f := e.Figures(); most > limit || int64(all) != f.Requests || all == 0 {
				t.Errorf("%d of %d requests arrived, at most %d in a second", all, f.Requests, most)
			}
		})
	}
}

// serveSocks serves SOCKS 5 (RFC 1928, 1929), and leads everywhere to one address.
func serveSocks(t *testing.T, to string) (address string) {
	t.Helper()
	u := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
		read := func(n int) []byte {
			p := make([]byte, n)
			_, _ = io.ReadFull(reader, p)
			return p
		}
		read(int(read(2)[1]))
		_, _ = c.Write([]byte{5, 2})
		user := string(read(int(read(2)[1])))
		if password := string(read(int(read(1)[0]))); user != proxyUser || password != proxyPassword {
			_, _ = c.Write([]byte{1, 1})
			return
		}
		_, _ = c.Write([]byte{1, 0})
		if head := read(5); head[3] == 3 {
			read(int(head[4]) + 2)
		}
		over, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		var both sync.WaitGroup
		both.Go(func() { _, _ = io.Copy(over, reader); over.Close() })
		both.Go(func() { _, _ = io.Copy(c, over); c.Close() })
		both.Wait()
	})
	return strings.TrimPrefix(u, "http://")
}

func TestAProxyThatDoesNotLeadToTheVendorIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	address := func(refuse int) string { return serveProxy(t, server, false, refuse).Listener.Addr().String() }
	untrusted := serveProxy(t, server, true, 0)
	for name, test := range map[string]struct {
		kind, address, password, url string
		fault                        fault.Kind
		message, hint                string
	}{
		"who asks is not known to it":           {"http", address(0), "wr0ng-pa55", "https://example.com", fault.Configuration, "refused the way to example.com:443: 407", "user and password"},
		"nor where it takes whole URLs":         {"http", address(0), "wr0ng-pa55", "http://example.com", fault.Configuration, "refused the way to example.com:80: 407", "user and password"},
		"it does not lead there":                {"http", address(403), proxyPassword, "https://example.com", fault.Configuration, "403 Forbidden", "NO_PROXY"},
		"it can't reach the vendor":             {"http", address(502), proxyPassword, "https://example.com", fault.Transient, "502 Bad Gateway", "HTTPS_PROXY"},
		"nothing listens at its address":        {"http", closed.Addr().String(), proxyPassword, "https://example.com", fault.Transient, "refused the connection", "HTTPS_PROXY"},
		"its name is not known":                 {"http", "proxy.invalid:3128", proxyPassword, "https://example.com", fault.Transient, "proxy.invalid:3128 could not be found", "HTTPS_PROXY"},
		"its certificate can't be trusted":      {"https", untrusted.Listener.Addr().String(), proxyPassword, "https://example.com", fault.Configuration, "the certificate of the proxy", "HTTPS_PROXY"},
		"it is of another kind":                 {"ftp", "proxy.invalid:21", proxyPassword, "https://example.com", fault.Configuration, "of a kind that is not known: ftp", "socks5://"},
		"who asks is not known to it, by SOCKS": {"socks5", serveSocks(t, server.Listener.Addr().String()), "wr0ng-pa55", "https://example.com", fault.Transient, "gave no connection", "HTTPS_PROXY"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := client.NewTransport(through(test.kind, test.address, proxyUser, test.password), nil)
			defer transport.Close()
			e := endpoint(transport, 1000, func(o *client.Options) { o.DownAfter, o.Attempts = time.Second, 2 })
			err := e.Caller().Call(t.Context(), plain(postTo(test.url), read))
			if err == nil || fault.KindOf(err) != test.fault {
				t.Fatalf("got %v (%v)", err, fault.KindOf(err))
			}
			said := err.Error() + " / " + fault.HintOf(err) + " / " + fmt.Sprintf("%+v", err)
			if f := e.Figures(); f.Failure != "" {
				said += " / " + f.Failure
			}
			if !strings.Contains(said, test.message) || test.fault == fault.Configuration && !strings.Contains(fault.HintOf(err), test.hint) {
				t.Errorf("got %s", said)
			}
			for _, secret := range []string{proxyPassword, "wr0ng-pa55", base64.StdEncoding.EncodeToString([]byte(proxyUser + ":" + test.password))} {
				if strings.Contains(said, secret) {
					t.Errorf("the password is told: %s", said)
				}
			}
		})
	}
}
