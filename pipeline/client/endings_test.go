package client_test

import (
	"bufio"
	"net"
	"slices"
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
