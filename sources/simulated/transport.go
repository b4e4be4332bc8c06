package simulated

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"syscall"
)

// Transport serves the world without a network: each request runs in a goroutine of its own, so
// that tests on virtual time can use it. A reset connection is ECONNRESET.
func (w *World) Transport() http.RoundTripper {
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	w.faults.dialed = true
	return transport{w}
}

type transport struct{ world *World }

// RoundTrip answers a request, or gives up with its context.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.world.faults.dial(r.URL.Path); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	inner := r.Clone(r.Context())
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer func() { _ = inner.Body.Close() }()
		t.world.serve(rec, inner)
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-served:
	}
	if rec.broken != nil && !rec.begun {
		return nil, rec.broken
	}
	if rec.cut {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(rec.status), StatusCode: rec.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rec.header, Body: io.NopCloser(rec.reader(r.Context())), ContentLength: int64(rec.body.Len()), Request: r,
	}, nil
}

// recorder is a http.ResponseWriter that keeps the answer, and whose connection can be cut.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	begun  bool // a status was written
	cut    bool
	broken error // what comes after what was written
	hung   bool  // nothing comes after what was written
}

// reader gives what was written, and then what became of the connection.
func (r *recorder) reader(ctx context.Context) io.Reader {
	switch {
	case r.broken != nil:
		return io.MultiReader(&r.body, failing(func() error { return r.broken }))
	case r.hung:
		return io.MultiReader(&r.body, failing(func() error { <-ctx.Done(); return ctx.Err() }))
	}
	return &r.body
}

type failing func() error

func (f failing) Read([]byte) (int, error) { return 0, f() }

func (r *recorder) breakWith(err error) { r.broken = err }
func (r *recorder) hang()               { r.hung = true }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status, r.begun = status, true }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// Hijack gives the handler a connection that it may only close.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.cut = true
	ours, theirs := net.Pipe()
	_ = theirs.Close()
	return ours, nil, nil
}
