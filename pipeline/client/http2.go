package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// stream is an HTTP/2 connection with one stream at a time. HTTP/2 binds answers to requests by itself.
// What net/http calls a ClientConn sends each request once: what sends refused ones again is the pool of
// its Transport, which is not used.
type stream struct {
	t    *Transport
	to   target
	conn *http.ClientConn
	uses int
	idle *time.Timer
}

func newStream(ctx context.Context, t *Transport, to target, over *tls.Conn) (*stream, error) {
	var once sync.Once
	transport := &http.Transport{
		ForceAttemptHTTP2: true, MaxResponseHeaderBytes: headerBound,
		DialTLSContext: func(context.Context, string, string) (c net.Conn, err error) {
			err = errors.New("this transport has one connection")
			once.Do(func() { c, err = over, nil })
			return c, err
		},
	}
	conn, err := transport.NewClientConn(ctx, "https", to.address)
	if err != nil {
		over.Close()
		return nil, err
	}
	return &stream{t: t, to: to, conn: conn}, nil
}

func (s *stream) send(request *http.Request) (*http.Response, error) {
	s.uses++
	response, err := s.conn.RoundTrip(request)
	if err != nil {
		s.close()
		return nil, err
	}
	response.Body = &streamBody{ReadCloser: response.Body, stream: s, last: request.Close || s.uses >= usesBound}
	return response, nil
}

func (s *stream) rest() {
	s.idle = time.AfterFunc(idleBound, func() {
		if s.t.remove(s.to, s) {
			s.close()
		}
	})
}

func (s *stream) watch() bool { return true } // net/http does

func (s *stream) wake() bool {
	s.idle.Stop()
	if s.conn.Err() == nil && s.conn.Available() > 0 {
		return true
	}
	s.close()
	return false
}

func (s *stream) prove() {}

func (s *stream) close() { _ = s.conn.Close() } // of a connection that is given up: nobody could do anything

// streamBody gives its connection back when it is closed, once.
type streamBody struct {
	io.ReadCloser
	stream *stream
	last   bool
	once   sync.Once
}

func (b *streamBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() {
		if b.last || b.stream.conn.Err() != nil || b.stream.conn.Available() == 0 {
			b.stream.close()
		} else if !b.stream.t.give(b.stream.to, b.stream) {
			b.stream.close()
		}
	})
	return err
}
