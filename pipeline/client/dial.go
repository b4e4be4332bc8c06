package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/net/proxy"

	"rollcall/schema/fault"
)

const dialTime = 10 * time.Second // for a connection, and as much for TLS on it

// unsent is a failure before there was a connection to write a request to.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

// route finds out where a request goes.
func (t *Transport) route(request *http.Request) (to target, through *url.URL, err error) {
	port := request.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[request.URL.Scheme]
	}
	if port == "" {
		return target{}, nil, fault.New(fault.Configuration, "requests are sent by http and https, not by %q", request.URL.Scheme)
	}
	to = target{scheme: request.URL.Scheme, address: net.JoinHostPort(request.URL.Hostname(), port)}
	if t.proxy == nil {
		return to, nil, nil
	}
	if through, err = t.proxy(request); err != nil {
		f := fault.New(fault.Configuration, "the proxy for %s can't be used: its address is no URL", to.address)
		f.Hint = proxyHint
		return target{}, nil, f
	}
	if through != nil {
		to.proxy = through.String()
	}
	return to, through, nil
}

// connectTo opens a connection to a server, through a proxy where there is one.
func (t *Transport) connectTo(ctx context.Context, to target, through *url.URL) (connection, error) {
	over, plain, err := t.reach(ctx, to, through)
	if err != nil {
		return nil, err
	}
	if to.scheme == "http" {
		c := newConn(t, to, through, over)
		c.plain = plain
		return c, nil
	}
	secure, err := t.handshake(ctx, over, to.address, "h2", "http/1.1")
	if err != nil {
		return nil, err
	}
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		return newStream(ctx, t, to, secure)
	}
	return newConn(t, to, through, secure), nil
}

// reach gives a connection that leads to a server, or, where plain, to a proxy that takes whole URLs.
func (t *Transport) reach(ctx context.Context, to target, through *url.URL) (over net.Conn, plain bool, err error) {
	if through == nil {
		over, err = t.dial.DialContext(ctx, "tcp", to.address)
		return over, false, err
	}
	switch through.Scheme {
	case "http", "https":
	case "socks5", "socks5h":
		over, err = t.socks(ctx, to, through)
		return over, false, err
	default:
		f := fault.New(fault.Configuration, "the proxy %s is of a kind that is not known: %s", through.Host, through.Scheme)
		f.Hint = "use http://, https:// or socks5:// in HTTPS_PROXY and HTTP_PROXY"
		return nil, false, f
	}
	address := withPort(through)
	if over, err = t.dial.DialContext(ctx, "tcp", address); err != nil {
		return nil, false, unreachable(through, err)
	}
	if through.Scheme == "https" {
		if over, err = t.handshake(ctx, over, address, "http/1.1"); err != nil {
			return nil, false, unreachable(through, err)
		}
	}
	if to.scheme == "http" {
		return over, true, nil
	}
	if err := connect(ctx, over, to, through); err != nil {
		over.Close()
		return nil, false, err
	}
	return over, false, nil
}

// handshake makes a connection one of TLS. It closes it where that fails.
func (t *Transport) handshake(ctx context.Context, over net.Conn, address string, protocols ...string) (*tls.Conn, error) {
	config := t.config.Clone()
	config.NextProtos = protocols
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	secure := tls.Client(over, config)
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		over.Close()
		return nil, err
	}
	return secure, nil
}

// connect asks a proxy for a way to a server.
func connect(ctx context.Context, over net.Conn, to target, through *url.URL) error {
	stop := interrupted(ctx, over)
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: to.address}, Host: to.address, Header: http.Header{}}
	if auth := authorization(through); auth != "" {
		request.Header.Set("Proxy-Authorization", auth)
	}
	err := request.Write(over)
	var response *http.Response
	if err == nil { // what is read too much is lost, but a server of TLS does not speak first
		response, err = http.ReadResponse(bufio.NewReader(io.LimitReader(over, headerBound)), request)
	}
	if !stop() {
		return ctx.Err()
	}
	if err != nil {
		return unreachable(through, err)
	}
	if response.StatusCode != http.StatusOK {
		return refusedBy(through.Host, to.address, response.StatusCode)
	}
	return nil
}

func (t *Transport) socks(ctx context.Context, to target, through *url.URL) (net.Conn, error) {
	var auth *proxy.Auth
	if through.User != nil {
		password, _ := through.User.Password()
		auth = &proxy.Auth{User: through.User.Username(), Password: password}
	}
	dialer, err := proxy.SOCKS5("tcp", withPort(through), auth, t.dial)
	if err != nil {
		return nil, unreachable(through, err)
	}
	over, err := dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", to.address)
	if err != nil {
		return nil, unreachable(through, err)
	}
	return over, nil
}

func withPort(through *url.URL) string {
	port := through.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[through.Scheme]
	}
	if port == "" {
		port = "1080"
	}
	return net.JoinHostPort(through.Hostname(), port)
}

// authorization is what a proxy's URL says of who asks.
func authorization(through *url.URL) string {
	if through.User == nil {
		return ""
	}
	password, _ := through.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(through.User.Username()+":"+password))
}

const proxyHint = "look at HTTPS_PROXY and HTTP_PROXY; hosts in NO_PROXY are asked without a proxy"

// unreachable is a proxy that can't be talked to. Its URL has a password, so that only its host is named.
func unreachable(through *url.URL, err error) error {
	what := "gave no connection"
	var dns *net.DNSError
	switch {
	case outOfFiles(err):
		return err
	case certificate(err):
		f := fault.New(fault.Configuration, "the certificate of the proxy %s can't be trusted", through.Host)
		f.Hint = proxyHint
		return f
	case errors.As(err, &dns):
		what = "could not be found: its name is not known"
	case errors.Is(err, syscall.ECONNREFUSED):
		what = "refused the connection"
	case timedOut(err), errors.Is(err, context.DeadlineExceeded):
		what = "did not answer"
	case errors.Is(err, context.Canceled):
		return err
	}
	f := fault.New(fault.Transient, "the proxy %s %s", through.Host, what)
	f.Hint = proxyHint
	return f
}

// refusedBy is a proxy that says no.
func refusedBy(proxy, address string, status int) error {
	said := strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		said += " " + text
	}
	f := fault.New(fault.Configuration, "the proxy %s refused the way to %s: %s", proxy, address, said)
	f.Hint = "ask who runs the proxy to allow it, or except the host in NO_PROXY"
	switch {
	case status == http.StatusProxyAuthRequired:
		f.Hint = "give user and password in the proxy's address, HTTPS_PROXY=http://user:password@host:port, or except the vendor's host in NO_PROXY"
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		f.Kind, f.Hint = fault.Transient, proxyHint
	}
	return f
}
