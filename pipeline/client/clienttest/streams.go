package clienttest

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Arrivals notes when requests arrive.
type Arrivals struct {
	mu sync.Mutex
	at []time.Time
}

// Arrive counts a request and gives its number, from 1.
func (a *Arrivals) Arrive() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Now())
	return len(a.at)
}

// Fails counts a request and tells whether it is to fail: every second of the first forty.
func (a *Arrivals) Fails() bool {
	n := a.Arrive()
	return n%2 == 0 && n <= 40
}

// Count tells how many came, and how many of them in the fullest second.
func (a *Arrivals) Count() (all, most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	slices.SortFunc(a.at, time.Time.Compare)
	first := 0
	for last := range a.at {
		for a.at[last].Sub(a.at[first]) > time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return len(a.at), most
}

// Refusal is what a server does to a request that has arrived whole.
type Refusal func(framer *http2.Framer, stream uint32) error

// Refusals are the ways in which an HTTP/2 server refuses a request, by what people call them. After
// each of them some clients send it again by themselves.
func Refusals() map[string]Refusal {
	return map[string]Refusal{
		"REFUSED_STREAM": func(f *http2.Framer, stream uint32) error {
			return f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		},
		"PROTOCOL_ERROR": func(f *http2.Framer, stream uint32) error {
			return f.WriteRSTStream(stream, http2.ErrCodeProtocol)
		},
		"GOAWAY": func(f *http2.Framer, stream uint32) error {
			if err := f.WriteGoAway(stream-1, http2.ErrCodeNo, nil); err != nil {
				return err
			}
			return io.EOF
		},
		"a lost connection": func(*http2.Framer, uint32) error { return io.EOF },
	}
}

// Streams is a TLS server that speaks HTTP/2 and refuses requests that arrive; see [Arrivals.Fails].
type Streams struct {
	Arrivals
	URL string
	TLS *tls.Config // of a client that trusts it
}

// Refuse serves Streams until the test ends.
func Refuse(t testing.TB, refuse Refusal) *Streams {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for its certificate
	defer certified.Close()
	config := &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: []string{"h2"}}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	s := &Streams{URL: "https://" + listener.Addr().String(), TLS: certified.Client().Transport.(*http.Transport).TLSClientConfig}
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			running.Go(func() {
				defer c.Close()
				_ = s.serve(c, refuse) // ends when the client does, or when it is refused so
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return s
}

func (s *Streams) serve(c net.Conn, refuse Refusal) error {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return err
	}
	framer := http2.NewFramer(c, c)
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			ended = f.StreamEnded()
		case *http2.DataFrame:
			ended = f.StreamEnded()
		}
		if ended && s.Fails() {
			err = refuse(framer, frame.Header().StreamID)
		} else if ended {
			err = answer(framer, frame.Header().StreamID)
		}
		if err != nil {
			return err
		}
	}
}

func answer(framer *http2.Framer, stream uint32) error {
	var header bytes.Buffer
	if err := hpack.NewEncoder(&header).WriteField(hpack.HeaderField{Name: ":status", Value: "200"}); err != nil {
		return err
	}
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header.Bytes(), EndHeaders: true}); err != nil {
		return err
	}
	return framer.WriteData(stream, true, []byte("{}"))
}
