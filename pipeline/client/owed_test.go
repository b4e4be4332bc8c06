package client_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/pipeline/client"
)

// TestAnAnswerThatIsStillOwedIsWaitedFor: a proxy has given the first answer once more, to the second
// request, and throws away the second one where it is told before it came that no more requests come.
// It takes as long as the first did.
func TestAnAnswerThatIsStillOwedIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		latency time.Duration
		prove   bool // nobody has more to ask
	}{
		"nobody has more to ask":        {100 * time.Millisecond, true},
		"a slow vendor":                 {500 * time.Millisecond, false},
		"one whom nobody has to ask on": {500 * time.Millisecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var connections atomic.Int64
			url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
				script := &connection{c, reader}
				if connections.Add(1) > 1 {
					return
				}
				_ = readRequest(reader)
				time.Sleep(test.latency)
				script.say(whole("{}"))
				script.answer(whole("{}"))
				script.owe(test.latency)
			})
			transport := client.NewTransport(nil, nil)
			defer transport.Close()
			e := endpoint(transport, 1e6, nil)
			known := []chan string{put(t, e, url, asked{}), put(t, e, url, asked{})}
			for range 100 {
				if test.prove {
					e.Prove()
				}
				if at := states(known, 20*time.Millisecond); !slices.Contains(at, isOpen) {
					break
				}
			}
			if got := states(known, 20*time.Second); !slices.Equal(got, []string{isVoid, isVoid}) {
				t.Errorf("got %v, want both void", got)
			}
		})
	}
}

// TestWhoGivesUpWaitsForWhatIsStillOwed: the request that is given up was to get the second answer, and a
// proxy that is told that no more requests come has answered the third one in vain.
func TestWhoGivesUpWaitsForWhatIsStillOwed(t *testing.T) {
	t.Parallel()
	ctx, giveUp := context.WithCancel(t.Context())
	var connections atomic.Int64
	url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
		script := &connection{c, reader}
		if connections.Add(1) > 1 {
			return
		}
		script.answer(whole("{}"))
		script.answer(whole("{}"))
		_ = readRequest(reader)
		giveUp()
		time.Sleep(20 * time.Millisecond)
		script.say(whole("{}")) // to the second one
		script.owe(30 * time.Millisecond)
	})
	transport := client.NewTransport(nil, nil)
	defer transport.Close()
	e := endpoint(transport, 1e6, nil)
	known := []chan string{put(t, e, url, asked{}), put(t, e, url, asked{})}
	if err := e.Caller().Call(ctx, plain(postTo(url), read)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := states(known, 20*time.Second); !slices.Equal(got, []string{isVoid, isVoid}) {
		t.Errorf("got %v, want both void", got)
	}
}

// TestAnswersOfOtherConnectionsTellHowLongOneTakes: the connection on which an answer is owed has given one
// alone, faster than usual; and where few answers are slow, the mean says little.
func TestAnswersOfOtherConnectionsTellHowLongOneTakes(t *testing.T) {
	t.Parallel()
	for name, latencies := range map[string][]time.Duration{
		"mostly slow":    {500 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond},
		"sometimes slow": {600 * time.Millisecond, 1, 1, 1, 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var connections atomic.Int64
			url := serveRaw(t, func(c net.Conn, reader *bufio.Reader) {
				script := &connection{c, reader}
				n := int(connections.Add(1)) - 1
				if n < len(latencies) {
					_ = readRequest(reader)
					time.Sleep(latencies[n])
					script.say(last("{}"))
					return
				}
				script.answer(whole("{}"))
				script.answer(whole("{}")) // the first one once more
				script.owe(500 * time.Millisecond)
			})
			transport := client.NewTransport(nil, nil)
			defer transport.Close()
			e := endpoint(transport, 1e6, nil)
			for range latencies {
				put(t, e, url, asked{})
			}
			known := []chan string{put(t, e, url, asked{}), put(t, e, url, asked{})}
			if got := states(known, 20*time.Second); !slices.Equal(got, []string{isVoid, isVoid}) {
				t.Errorf("got %v, want both void", got)
			}
		})
	}
}

// owe gives one more answer after some time, unless the client has ended its half by then.
func (c *connection) owe(after time.Duration) {
	_ = c.SetReadDeadline(time.Now().Add(after))
	if _, err := c.reader.Peek(1); idled(err) {
		c.say(whole("{}"))
		_ = c.SetReadDeadline(time.Time{})
		c.drain()
	}
}

func idled(err error) bool {
	wait, ok := err.(net.Error)
	return ok && wait.Timeout()
}
