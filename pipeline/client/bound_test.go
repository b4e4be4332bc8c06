package client_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/pipeline/client"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// connection is one as a scripted server has it.
type connection struct {
	net.Conn
	reader *bufio.Reader
}

// answer reads a request and answers it, without waiting for more.
func (c *connection) answer(text string) {
	if readRequest(c.reader) == nil {
		c.say(text)
	}
}

func (c *connection) say(text string) { _, _ = io.WriteString(c, text) }

// reset ends the connection as a server that has crashed does, once the client had time to read.
func (c *connection) reset() {
	time.Sleep(20 * time.Millisecond)
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// drain waits for the client's end.
func (c *connection) drain() { _, _ = io.Copy(io.Discard, c.reader) }

// asked is a question as it is put: what its answer may echo, and whether it does.
type asked struct {
	echo    string
	echoed  bool
	foreign bool
	gone    bool // the answer says that the key is gone
}

const (
	isProved = "proved"
	isVoid   = "void"
	isOpen   = "open" // for now
)

// TestAnAnswerIsBelievedWhenItsConnectionHasProvedIt: questions are put one after the other on the first
// connection that a server gets; what becomes of each is what its answers are worth.
func TestAnAnswerIsBelievedWhenItsConnectionHasProvedIt(t *testing.T) {
	t.Parallel()
	nothing := asked{}
	tests := map[string]struct {
		ask  []asked
		do   func(c *connection)
		at   []string // once all are asked
		want []string // in the end; empty: as it was at once
	}{
		"an echo proves its answer, and all before it": {
			ask: []asked{nothing, {echo: "g0"}, {echo: "g1", echoed: true}, nothing},
			do:  answers(4), at: []string{isProved, isProved, isProved, isOpen}, want: []string{isProved, isProved, isProved, isProved},
		},
		"an echo that an answer before it could have given proves nothing": {
			ask: []asked{{echo: "g1"}, {echo: "g1", echoed: true}},
			do:  answers(2), at: []string{isOpen, isOpen}, want: []string{isProved, isProved},
		},
		"a second page proves nothing, a question about another group all": {
			ask: []asked{{echo: "g1", echoed: true}, {echo: "g1", echoed: true}, {echo: "g2", echoed: true}},
			do:  answers(3), at: []string{isProved, isProved, isProved},
		},
		"an answer to another question voids those before it": {
			ask: []asked{{echo: "g1", echoed: true}, nothing, nothing, {echo: "g2", foreign: true}},
			do:  answers(4), at: []string{isProved, isVoid, isVoid, isVoid},
		},
		"an idle connection that the server ends in step is proof": {
			ask: []asked{nothing, nothing},
			do:  answers(2), at: []string{isOpen, isOpen}, want: []string{isProved, isProved},
		},
		"an idle connection is ended, and no more is asked": {
			ask: []asked{nothing, nothing},
			do: func(c *connection) {
				answers(2)(c)
				c.drain()
			},
			at: []string{isOpen, isOpen}, want: []string{isProved, isProved},
		},
		"what comes on an idle connection voids its answers": {
			ask: []asked{{echo: "g1", echoed: true}, nothing, nothing},
			do: func(c *connection) {
				answers(3)(c)
				time.Sleep(50 * time.Millisecond)
				c.say(whole("late"))
				c.drain()
			},
			at: []string{isProved, isOpen, isOpen}, want: []string{isProved, isVoid, isVoid},
		},
		"what comes after the client has ended an idle connection does, too": {
			ask: []asked{nothing},
			do: func(c *connection) {
				answers(1)(c)
				c.drain()
				c.say(whole("late"))
			},
			at: []string{isOpen}, want: []string{isVoid},
		},
		"what stands behind an answer voids it": {
			ask: []asked{nothing, nothing},
			do: func(c *connection) {
				c.answer(whole("{}"))
				c.answer(whole("{}") + "H")
				c.drain()
			},
			at: []string{isVoid, isVoid},
		},
		"what stands behind an answer that echoes its question does not": {
			ask: []asked{nothing, {echo: "g1", echoed: true}},
			do: func(c *connection) {
				c.answer(whole("{}"))
				c.answer(whole("{}") + "H")
				c.drain()
			},
			at: []string{isProved, isProved},
		},
		"a connection that breaks over a request proves nothing": {
			ask: []asked{nothing, nothing, nothing},
			do: func(c *connection) {
				answers(2)(c)
				_ = readRequest(c.reader)
				c.say("HTTP/1.1 200 OK\r\nContent-Le")
			},
			at: []string{isVoid, isVoid, isOpen}, want: []string{isVoid, isVoid, isProved}, // the last is asked again elsewhere
		},
		"one that is ended over a request does not, either": {
			ask: []asked{nothing, nothing, nothing},
			do: func(c *connection) {
				answers(2)(c)
				_ = readRequest(c.reader)
			},
			at: []string{isVoid, isVoid, isOpen}, want: []string{isVoid, isVoid, isProved},
		},
		"a server that ends the connection by itself may have skipped a request": {
			ask: []asked{nothing, nothing},
			do: func(c *connection) {
				c.answer(whole("{}"))
				c.answer(last("{}"))
			},
			at: []string{isVoid, isVoid},
		},
		"but not with its first answer": {
			ask: []asked{nothing},
			do:  func(c *connection) { c.answer(last("{}")) },
			at:  []string{isOpen}, want: []string{isProved},
		},
		"that a key is gone must be proved, too": {
			ask: []asked{{gone: true}, {echo: "g2", foreign: true}},
			do:  answers(2), at: []string{isVoid, isVoid},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var connections atomic.Int64
			url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
				script := &connection{c, reader}
				if connections.Add(1) == 1 {
					test.do(script)
					return
				}
				answers(1)(script)
				script.drain()
			})
			transport := client.NewTransport(nil, nil)
			defer transport.Close()
			e := endpoint(transport, 1e6, func(o *client.Options) { o.Attempts = 2 })
			var known []chan string
			for _, q := range test.ask {
				known = append(known, put(t, e, url, q))
			}
			at := states(known, 0)
			for i, state := range at {
				if state != test.at[i] && (test.at[i] != isOpen || state != test.want[i]) { // a slow machine comes late
					t.Errorf("at once: %v, want %v", at, test.at)
					break
				}
			}
			if test.want == nil {
				return
			}
			if got := states(known, 20*time.Second); !slices.Equal(got, test.want) {
				t.Errorf("in the end: %v, want %v", got, test.want)
			}
		})
	}
}

// readWhole reads a request with its body.
func readWhole(reader *bufio.Reader) (*http.Request, error) {
	request, err := http.ReadRequest(reader)
	if err == nil {
		_, err = io.Copy(io.Discard, request.Body)
	}
	return request, err
}

func answers(n int) func(*connection) {
	return func(c *connection) {
		for range n {
			c.answer(whole("{}"))
		}
	}
}

// twoConnectionsAreVoid asks a hundred questions of a server that ends a connection after five answers, and
// demands that the client has learned so from the first two.
func twoConnectionsAreVoid(t *testing.T, e *client.Endpoint, url string) {
	t.Helper()
	var known []chan string
	for range 100 {
		known = append(known, put(t, e, url, asked{}))
	}
	void := 0
	for _, k := range known {
		if <-k == isVoid {
			void++
		}
	}
	if void != 10 {
		t.Errorf("%d answers of 100 are void, want those of two connections with five each", void)
	}
}

// put asks one question and gives where to learn what its answer is worth. An answer to another question
// is the last that it gets, and it is void.
func put(t *testing.T, e *client.Endpoint, url string, q asked) chan string {
	t.Helper()
	known := make(chan string, 2)
	x := sources.Exchange{Build: postTo(url), Echo: q.echo, Read: func(sources.Answer) (bool, error) {
		switch {
		case q.foreign:
			return false, &fault.Error{Kind: fault.Item, Message: "another question's", Err: sources.ErrForeign}
		case q.gone:
			return false, fault.New(fault.Item, "gone")
		}
		return q.echoed, nil
	}}
	call := e.Caller()
	if err := call.Call(t.Context(), x); err != nil && !q.foreign && !q.gone {
		t.Fatal(err)
	}
	call.Settled(func(bound bool) { known <- map[bool]string{true: isProved, false: isVoid}[bound] })
	return known
}

// states are what is known of each answer within some time.
func states(known []chan string, within time.Duration) (got []string) {
	deadline := time.After(within)
	for _, k := range known {
		state := isOpen
		select {
		case state = <-k:
			k <- state
		default:
			select {
			case state = <-k:
				k <- state
			case <-deadline:
				deadline = time.After(0)
			}
		}
		got = append(got, state)
	}
	return got
}

// TestWhoGivesUpLosesNothingThatWasAnsweredBefore: a stopped run keeps what it has.
func TestWhoGivesUpLosesNothingThatWasAnsweredBefore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ behind, want string }{"in step": {"", isProved}, "one answer too many": {whole("late"), isVoid}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, giveUp := context.WithCancel(t.Context())
			url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
				script := &connection{c, reader}
				answers(2)(script)
				_ = readRequest(reader)
				giveUp()
				time.Sleep(20 * time.Millisecond)
				script.say(whole("{}"))
				script.drain()
				script.say(test.behind)
			})
			transport := client.NewTransport(nil, nil)
			defer transport.Close()
			e := endpoint(transport, 1e6, nil)
			known := []chan string{put(t, e, url, asked{}), put(t, e, url, asked{})}
			if err := e.Caller().Call(ctx, plain(postTo(url), read)); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			for _, k := range known {
				if got := <-k; got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			}
		})
	}
}

// TestConnectionsAreEndedSoThatProofComes: after so many answers, and when the oldest is a second old.
func TestConnectionsAreEndedSoThatProofComes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		requests int
		pause    time.Duration
	}{"many at once": {300, 0}, "some now and then": {60, 25 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ended atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Close {
					ended.Add(1)
				}
				_, _ = io.WriteString(w, "{}")
			}))
			defer server.Close()
			transport := client.NewTransport(nil, nil)
			defer transport.Close()
			e := endpoint(transport, 1e6, nil)
			type proof struct {
				bound bool
				took  time.Duration
			}
			proofs := make(chan proof, test.requests)
			for range test.requests {
				call, begun := e.Caller(), time.Now()
				if err := call.Call(t.Context(), plain(postTo(server.URL), read)); err != nil {
					t.Fatal(err)
				}
				call.Settled(func(bound bool) { proofs <- proof{bound, time.Since(begun)} })
				time.Sleep(test.pause)
			}
			for range test.requests {
				if p := <-proofs; !p.bound || p.took > 2*time.Second {
					t.Errorf("proved %v, after %v", p.bound, p.took)
				}
			}
			if ended.Load() == 0 {
				t.Error("no connection was ended by a request")
			}
		})
	}
}

// TestAServerThatEndsConnectionsEarlyIsLearned: it would otherwise have nearly everything read again.
func TestAServerThatEndsConnectionsEarlyIsLearned(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
		script := &connection{c, reader}
		for range 4 {
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
		script.answer(last("{}"))
	})
	transport := client.NewTransport(nil, nil)
	defer transport.Close()
	e := endpoint(transport, 1e6, nil)
	twoConnectionsAreVoid(t, e, url)
}

// TestAQuestionThatIsAskedAgainHasConnectionsOfItsOwn, and its answers are proved one by one.
func TestAQuestionThatIsAskedAgainHasConnectionsOfItsOwn(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
		script := &connection{c, reader}
		text := last("{}")
		if connections.Add(1) == 2 {
			text += whole("another")
		}
		script.answer(text)
	})
	transport := client.NewTransport(nil, nil)
	defer transport.Close()
	call := endpoint(transport, 1e6, nil).Caller()
	call.Again()
	for range 3 {
		if err := call.Call(t.Context(), plain(postTo(url), read)); err != nil {
			t.Fatal(err)
		}
	}
	proved := make(chan bool, 1)
	call.Settled(func(bound bool) { proved <- bound })
	if !<-proved || connections.Load() != 4 || call.Attempts() != 4 || call.Retries() != 1 {
		t.Errorf("%d connections, %d attempts, %d of them again", connections.Load(), call.Attempts(), call.Retries())
	}

	never := serveRaw(t, func(c net.Conn, reader *bufio.Reader) { (&connection{c, reader}).answer(last("{}") + whole("another")) })
	e := endpoint(transport, 1e6, func(o *client.Options) { o.Attempts, o.DownAfter = 3, time.Second })
	e.Recall()
	call = e.Caller()
	call.Again()
	err := call.Call(t.Context(), plain(postTo(never), read))
	if _, ok := errors.AsType[*fault.Error](err); !ok || !strings.Contains(err.Error(), "more arrived on a connection than was asked for") {
		t.Errorf("got %v", err)
	}
}
