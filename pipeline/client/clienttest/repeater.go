// Package clienttest is a kit for tests: servers that do to a client's requests what a network should
// not. It promises to do it on purpose, so that a test can count it.
package clienttest

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// late is how long a repeated answer waits, unless a request on its connection comes first.
const late = 20 * time.Millisecond

// Repeater is a proxy on loopback, on HTTP/1 with kept connections, that sends every so manyth answer a
// second time on its connection: when the next request has come, before that one's answer, or a little
// later. From then on a client that counts on the order of answers takes each for that of the next request.
type Repeater struct {
	URL string

	listener net.Listener
	to       string // host and port
	every    int
	backend  *http.Transport
	running  sync.WaitGroup

	mu       sync.Mutex
	open     map[net.Conn]struct{}
	closed   bool
	answers  int
	repeated int
}

// Repeat serves a Repeater in front of the server at url until the test ends.
func Repeat(t testing.TB, url string, every int) *Repeater {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Repeater{
		URL: "http://" + listener.Addr().String(), listener: listener, to: strings.TrimPrefix(url, "http://"), every: every,
		backend: &http.Transport{MaxIdleConnsPerHost: 64}, open: map[net.Conn]struct{}{},
	}
	r.running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			r.running.Go(func() { r.serve(c) })
		}
	})
	t.Cleanup(r.close)
	return r
}

// Repeated tells how many answers were sent twice.
func (r *Repeater) Repeated() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.repeated
}

func (r *Repeater) close() {
	r.listener.Close()
	r.mu.Lock()
	r.closed = true
	for c := range r.open {
		c.Close()
	}
	r.mu.Unlock()
	r.running.Wait()
	r.backend.CloseIdleConnections()
}

// enter tells whether a connection may be served.
func (r *Repeater) enter(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[c] = struct{}{}
	return !r.closed
}

func (r *Repeater) leave(c net.Conn) {
	c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
}

// repeats counts an answer, and tells whether it is one that is sent twice.
func (r *Repeater) repeats() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers++
	if r.answers%r.every != 0 {
		return false
	}
	r.repeated++
	return true
}

// serve serves one connection, whose requests come one after the other.
func (r *Repeater) serve(c net.Conn) {
	defer r.leave(c)
	if !r.enter(c) {
		return
	}
	reader := bufio.NewReader(c)
	again := []byte(nil) // what is sent a second time
	for {
		if again != nil {
			_ = c.SetReadDeadline(time.Now().Add(late))
			_, err := reader.Peek(1)
			_ = c.SetReadDeadline(time.Time{})
			if _, broken := c.Write(again); broken != nil {
				return
			}
			again = nil
			if wait, ok := errors.AsType[net.Error](err); err != nil && (!ok || !wait.Timeout()) {
				return
			}
		}
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		text, err := r.ask(request)
		if err != nil {
			return
		}
		if _, err := c.Write(text); err != nil || request.Close {
			return
		}
		if r.repeats() {
			again = text
		}
	}
}

// ask forwards one request and gives the bytes of its answer.
func (r *Repeater) ask(request *http.Request) ([]byte, error) {
	forward := request.Clone(request.Context())
	forward.URL.Scheme, forward.URL.Host, forward.Close, forward.RequestURI = "http", r.to, false, ""
	forward.Header.Del("Connection")
	response, err := r.backend.RoundTrip(forward)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	response.Close = request.Close
	var text bytes.Buffer
	err = response.Write(&text)
	return text.Bytes(), err
}
