package client_test

import (
	"bufio"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"rollcall/pipeline/client"
)

// TestServersThatEndConnectionsBadlyAreAskedOnce: what they answered is proved all the same, with one
// request for each question, whether a connection has ended many of them or its own alone.
func TestServersThatEndConnectionsBadlyAreAskedOnce(t *testing.T) {
	t.Parallel()
	servers := map[string]func(c *connection){
		"ignores that it was asked to end the connection": func(c *connection) {
			answers(100)(c)
		},
		"announces the end with each answer, and waits for the client's": func(c *connection) {
			for range 100 {
				c.answer(last("{}"))
			}
		},
		"resets the connection behind an answer that announces the end": func(c *connection) {
			for {
				request, err := readWhole(c.reader)
				if err != nil {
					return
				}
				if request.Close {
					c.say(last("{}"))
					c.reset()
					return
				}
				c.say(whole("{}"))
			}
		},
	}
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) { serve(&connection{c, reader}) })
			transport := client.NewTransport(nil, nil)
			defer transport.Close()
			e := endpoint(transport, 1e6, func(o *client.Options) { o.Attempts = 1 })
			var known []chan string
			for range 80 {
				known = append(known, put(t, e, url, asked{}))
			}
			got := states(known, 20*time.Second)
			if slices.Contains(got, isVoid) || slices.Contains(got, isOpen) {
				t.Errorf("got %v, want all proved", got)
			}
			alone := e.Caller()
			alone.Again()
			if err := alone.Call(t.Context(), plain(postTo(url), read)); err != nil || alone.Attempts() != 1 {
				t.Errorf("alone: %v, after %d attempts", err, alone.Attempts())
			}
		})
	}
}

// TestAServerThatResetsConnectionsEarlyIsLearned, as one that ends them in order is.
func TestAServerThatResetsConnectionsEarlyIsLearned(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
		script := &connection{c, reader}
		for range 5 {
			request, err := readWhole(reader)
			if err != nil {
				return
			}
			if request.Close {
				script.say(last("{}"))
				return
			}
			script.say(whole("{}"))
		}
		script.reset()
	})
	transport := client.NewTransport(nil, nil)
	defer transport.Close()
	e := endpoint(transport, 1e6, nil)
	twoConnectionsAreVoid(t, e, url)
}

// TestClosingTheTransportMakesOpenAnswersVoid: also those of a connection that has just become free, which
// nobody watches yet.
func TestClosingTheTransportMakesOpenAnswersVoid(t *testing.T) {
	t.Parallel()
	for name, idle := range map[string]time.Duration{"at once": 0, "when it is watched": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) { answers(100)(&connection{c, reader}) })
			transport := client.NewTransport(nil, nil)
			e := endpoint(transport, 1e6, nil)
			known := []chan string{put(t, e, url, asked{}), put(t, e, url, asked{})}
			if got := states(known, idle); !slices.Equal(got, []string{isOpen, isOpen}) {
				t.Fatalf("got %v before, want both open", got)
			}
			if err := transport.Close(); err != nil {
				t.Fatal(err)
			}
			if got := states(known, 0); !slices.Equal(got, []string{isVoid, isVoid}) {
				t.Errorf("got %v, want both void when Close returns", got)
			}
		})
	}
}

// TestClosingTheTransportSettlesConnectionsThatAreAboutToEnd: they have just been told that nobody has more
// to ask. Nobody may wait for ever for what becomes of their answers.
func TestClosingTheTransportSettlesConnectionsThatAreAboutToEnd(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) { answers(100)(&connection{c, reader}) })
	transport := client.NewTransport(nil, nil)
	e := endpoint(transport, 1e6, nil)
	known := make([]chan string, 100)
	var all, asking sync.WaitGroup
	all.Add(len(known))
	for i := range known {
		asking.Go(func() {
			all.Done()
			all.Wait() // so that there are many connections
			known[i] = put(t, e, url, asked{})
		})
	}
	asking.Wait()
	time.Sleep(100 * time.Millisecond)
	e.Prove()
	_ = transport.Close()
	if got := states(known, 0); slices.Contains(got, isOpen) {
		t.Error("an answer is open, and nobody is left to settle it")
	}
}

// TestWhatComesBeforeAConnectionIsWatchedProvesNothing: a server answers once more at once, so that the next
// request finds an answer that it did not wait for.
func TestWhatComesBeforeAConnectionIsWatchedProvesNothing(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
		script := &connection{c, reader}
		script.answer(whole("{}"))
		for range 100 {
			script.answer(whole("{}"))
			script.say(whole("{}"))
		}
	})
	transport := client.NewTransport(nil, nil)
	defer transport.Close()
	e := endpoint(transport, 1e6, nil)
	var known []chan string
	for range 40 { // more than may be open on one connection
		known = append(known, put(t, e, url, asked{}))
	}
	if got := states(known, 20*time.Second); slices.Contains(got, isOpen) || slices.Contains(got[1:31], isProved) {
		t.Errorf("got %v, want those void that were answered behind a surplus", got)
	}
}
