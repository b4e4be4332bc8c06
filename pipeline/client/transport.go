package client

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Transport keeps connections within what RongCloud's base-url page allows: idle for less than
// 55 s, used less than 80 times. For any other vendor that is harmless.
//
// Each request under way has a lane: an http.Transport with one connection, which the lane's last
// use closes. The lane that became free last is taken first, so that few connections carry most
// requests, and resumed TLS sessions are shared among them. Certificates, HTTP/2, proxies and gzip
// are http.Transport's. It is safe for concurrent use.
type Transport struct {
	model *http.Transport

	mu   sync.Mutex
	free []*lane
}

type lane struct {
	transport *http.Transport
	uses      int // of its connection, or more
}

const (
	idleBound = 50 * time.Second
	usesBound = 75
)

// NewTransport makes a transport. Proxy tells the proxy of a request and may be nil:
// http.ProxyFromEnvironment is handed in by who may read the environment. Config may be nil.
func NewTransport(proxy func(*http.Request) (*url.URL, error), config *tls.Config) *Transport {
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &Transport{model: &http.Transport{
		Proxy:                 proxy,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          1,
		MaxIdleConnsPerHost:   1,
		IdleConnTimeout:       idleBound,
		ExpectContinueTimeout: time.Second,
	}}
}

// RoundTrip sends a request on a lane. The lane is taken until the answer's body is closed.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	l := t.take()
	if l.uses++; l.uses >= usesBound {
		request = request.Clone(request.Context())
		request.Close = true
		l.uses = 0
	}
	response, err := l.transport.RoundTrip(request)
	if err != nil {
		t.give(l)
		return nil, err
	}
	response.Body = &laneBody{ReadCloser: response.Body, give: func() { t.give(l) }}
	return response, nil
}

// CloseIdleConnections closes what is open and not in use.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.free {
		l.transport.CloseIdleConnections()
	}
}

func (t *Transport) take() *lane {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.free) - 1; last >= 0 {
		l := t.free[last]
		t.free = t.free[:last]
		return l
	}
	return &lane{transport: t.model.Clone()}
}

func (t *Transport) give(l *lane) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free = append(t.free, l)
}

// laneBody gives its lane back when it is closed, once.
type laneBody struct {
	io.ReadCloser
	once sync.Once
	give func()
}

func (b *laneBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.give)
	return err
}
