package client_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"rollcall/pipeline/client"
	"rollcall/pipeline/client/clienttest"
)

// askFor lets many callers ask for a while, within a budget, and holds what arrived against what the
// endpoint counted.
func askFor(t *testing.T, how string, transport *client.Transport, url string, arrivals *clienttest.Arrivals) {
	t.Helper()
	const limit = 50
	e := endpoint(transport, limit, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2200*time.Millisecond)
	defer cancel()
	var callers sync.WaitGroup
	for range 30 {
		callers.Go(func() {
			for ctx.Err() == nil {
				_ = e.Caller().Call(t.Context(), plain(postTo(url), read)) // some fail for good
			}
		})
	}
	callers.Wait()
	all, most := arrivals.Count()
	t.Logf("| every second request is refused or its connection is broken: %s | %d | each took a permit and was counted, at most %d arrived in a second of %d | 0 | 0 | 0 | %d |",
		how, all, most, limit, e.Figures().Retries)
	if most > limit {
		t.Errorf("%d requests arrived in one second, %d may", most, limit)
	}
	figures := e.Figures()
	if int64(all) != figures.Requests || figures.Retries == 0 || all < limit {
		t.Errorf("%d requests arrived, %d are counted, %d of them as sent again", all, figures.Requests, figures.Retries)
	}
}

// TestNoRequestIsSentTwiceOverHTTP2 counts at a server that refuses every second request in one of the
// ways after which net/http sends it again by itself, outside any budget.
func TestNoRequestIsSentTwiceOverHTTP2(t *testing.T) {
	t.Parallel()
	for name, refuse := range clienttest.Refusals() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := clienttest.Refuse(t, refuse)
			transport := client.NewTransport(nil, server.TLS)
			defer transport.Close()
			askFor(t, "HTTP/2, "+name, transport, server.URL, &server.Arrivals)
		})
	}
}

// TestNoRequestIsSentTwiceOverHTTP1 does so at one that breaks the connection instead of every second
// answer.
func TestNoRequestIsSentTwiceOverHTTP1(t *testing.T) {
	t.Parallel()
	for name, begins := range map[string]string{
		"before the first byte": "", "after the first byte": "H", "in the header": "HTTP/1.1 200 OK\r\nContent-", "in the body": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrivals := &clienttest.Arrivals{}
			url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
				for readRequest(reader) == nil {
					if arrivals.Fails() {
						_, _ = io.WriteString(c, begins)
						return
					}
					_, _ = io.WriteString(c, whole("{}"))
				}
			})
			transport := client.NewTransport(nil, nil)
			defer transport.Close()
			askFor(t, "HTTP/1, "+name, transport, url, arrivals)
		})
	}
}

// whole is an answer that keeps its connection.
func whole(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// last is one that announces the end of its connection.
func last(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// readRequest reads one whole request.
func readRequest(reader *bufio.Reader) error {
	request, err := http.ReadRequest(reader)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, request.Body)
	return err
}

// serveRaw lets each connection be served by do, which closes it when it returns.
func serveRaw(t *testing.T, do func(net.Conn, *bufio.Reader)) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				stop := context.AfterFunc(t.Context(), func() { c.Close() }) // when the test is over
				defer stop()
				do(c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return "http://" + listener.Addr().String()
}
