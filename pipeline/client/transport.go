package client

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Transport sends each request once, and never by itself again, whatever becomes of its connection.
//
// It keeps connections within what RongCloud's base-url page allows: idle for less than 55 s, used less
// than 80 times. For any other vendor that is harmless. A connection carries one request at a time; the
// one that became free last is taken first, so that few connections carry most requests, and resumed TLS
// sessions are shared among them. HTTP/2 is net/http's, HTTP/1 is package client's own, since net/http
// can't tell what arrived on a connection without having been asked for; see [Unproved] and the package
// comment. It is safe for concurrent use.
type Transport struct {
	proxy  func(*http.Request) (*url.URL, error)
	config *tls.Config
	dial   dialer

	mu      sync.Mutex
	closed  bool
	free    map[target][]connection
	ending  map[*conn]struct{} // read to their end
	habits  map[target]habit
	looking bool // a goroutine looks for connections that begin to idle
	running sync.WaitGroup

	open context.Context // until Close
	end  context.CancelFunc
}

// dialer is a *net.Dialer, but in tests.
type dialer interface {
	Dial(network, address string) (net.Conn, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// target is where a connection leads.
type target struct{ scheme, address, proxy string }

// habit is how a server does.
type habit struct {
	times int // in a row that it ended a connection without being asked to
	bound int // of uses, so that it need not; 0: none

	answers       int           // up to usualOf
	usual, spread time.Duration // how long they took: moving means of that, and of how far each was from it
}

// connection carries one request at a time.
type connection interface {
	send(*http.Request) (*http.Response, error)
	// rest begins to idle. Watch is called every watchAfter from then on, until it tells that the
	// connection is watched. Both are called with the transport's lock held. Wake ends both, and tells
	// whether the connection can be used.
	rest()
	watch() (watched bool)
	wake() (usable bool)
	// prove ends an idle connection that has unproved answers; it is called like rest.
	prove()
	// close closes an idle connection, or one that was never used.
	close()
}

const (
	idleBound  = 50 * time.Second
	usesBound  = 75
	watchAfter = 10 * time.Millisecond
	usualOf    = 256 // answers are what it usually is
)

// NewTransport makes a transport. Proxy tells the proxy of a request and may be nil:
// http.ProxyFromEnvironment, or what is like it, is handed in by who may read the environment. Config
// may be nil.
func NewTransport(proxy func(*http.Request) (*url.URL, error), config *tls.Config) *Transport {
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	open, end := context.WithCancel(context.Background())
	return &Transport{
		open: open, end: end, proxy: proxy, config: config, dial: &net.Dialer{Timeout: dialTime, KeepAlive: 15 * time.Second},
		free: map[target][]connection{}, ending: map[*conn]struct{}{}, habits: map[target]habit{},
	}
}

// RoundTrip sends a request. Its connection is taken until the answer's body is closed. A request with
// Close gets a connection of its own.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil && request.GetBody != nil {
		request = request.WithContext(request.Context())
		request.GetBody = nil // nobody sends it again
	}
	c, err := t.connect(request)
	if err != nil {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, unsent{err}
	}
	return c.send(request)
}

// connect gives the connection for a request, or errFenced where the request may not leave any more.
func (t *Transport) connect(request *http.Request) (connection, error) {
	to, through, err := t.route(request)
	if err != nil {
		return nil, err
	}
	var c connection
	if !request.Close {
		c = t.take(to)
	}
	if c == nil {
		if c, err = t.connectTo(request.Context(), to, through); err != nil {
			return nil, err
		}
	}
	if !mayLeave(request) {
		if !t.give(to, c) {
			c.close()
		}
		return nil, errFenced
	}
	return c, nil
}

// Prove ends the idle connections that have unproved answers now, and not a moment later: nobody has
// anything more to ask that could prove them.
func (t *Transport) Prove() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, list := range t.free {
		for _, c := range list {
			c.prove()
		}
	}
}

// Close closes what is not in use, and returns when nothing of it runs any more; unproved answers are
// void. What is in use is closed when it becomes free.
func (t *Transport) Close() error {
	t.end()
	t.mu.Lock()
	t.closed = true
	var idle []connection
	for _, list := range t.free {
		idle = append(idle, list...)
	}
	t.free = map[target][]connection{}
	ending := slices.Collect(maps.Keys(t.ending))
	t.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
	for _, c := range ending {
		_ = c.net.Close() // its goroutine does the rest
	}
	t.running.Wait()
	return nil
}

// take gives the connection to a server that became free last, nil where there is none.
func (t *Transport) take(to target) connection {
	for {
		t.mu.Lock()
		list := t.free[to]
		if len(list) == 0 {
			t.mu.Unlock()
			return nil
		}
		c := list[len(list)-1]
		t.free[to] = list[:len(list)-1]
		t.mu.Unlock()
		if c.wake() {
			return c
		}
	}
}

// give lets a connection idle; false where the transport was closed.
func (t *Transport) give(to target, c connection) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	c.rest()
	t.free[to] = append(t.free[to], c)
	if !t.looking {
		t.looking = true
		t.running.Go(t.look)
	}
	return true
}

// look has those connections watched that idle for watchAfter. Where requests follow one another, most
// idle for less, and to begin to watch one costs much of what a request does.
func (t *Transport) look() {
	tick := time.NewTicker(watchAfter)
	defer tick.Stop()
	for t.watch() {
		select {
		case <-tick.C:
		case <-t.open.Done():
			return
		}
	}
}

// watch tells whether there are connections that idle and are not watched.
func (t *Transport) watch() (more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, list := range t.free {
		for _, c := range list {
			if !c.watch() {
				more = true
			}
		}
	}
	t.looking = more
	return more
}

// replace opens a connection in the place of one that ends with its next answer, so that no request has
// to wait for it. Where that fails, the next request finds out why.
func (t *Transport) replace(to target, through *url.URL) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.running.Go(func() {
		ctx, cancel := context.WithTimeout(t.open, 2*dialTime)
		defer cancel()
		if c, err := t.connectTo(ctx, to, through); err == nil && !t.give(to, c) {
			c.close()
		}
	})
}

// finish lets a goroutine read a connection to its end; false where the transport was closed.
func (t *Transport) finish(c *conn, read func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.ending[c] = struct{}{}
	t.running.Go(func() {
		defer t.finished(c)
		read()
	})
	return true
}

func (t *Transport) finished(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.ending, c)
}

// remove takes an idle connection out; false where somebody else did.
func (t *Transport) remove(to target, c connection) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.free[to]
	for i := range list {
		if list[i] == c {
			t.free[to] = append(list[:i:i], list[i+1:]...)
			return true
		}
	}
	return false
}

// mostUses is how often a connection may be used, and with how many unproved answers.
func (t *Transport) mostUses(to target) (uses, unproved int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.habits[to]; h.bound > 0 {
		return h.bound, min(h.bound, unprovedBound)
	}
	return usesBound, unprovedBound
}

// owed learns how long an answer took, and gives how long one that is still owed may take. It is of all
// connections to a server: few of them have answered often enough to tell.
func (t *Transport) owed(to target, took time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.habits[to]
	h.answers = min(h.answers+1, usualOf)
	h.usual += (took - h.usual) / time.Duration(h.answers)
	h.spread += ((took - h.usual).Abs() - h.spread) / time.Duration(h.answers)
	t.habits[to] = h
	return max(owedFactor*h.usual, h.usual+spreadFactor*h.spread)
}

// ended learns how connections end. A server that ends them by itself after so many answers proves
// nothing by it, and would have all of them read again: once it did so twice in a row, connections are
// ended before.
func (t *Transport) ended(to target, uses int, byItself bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.habits[to]
	switch {
	case !byItself:
		h.times = 0
	case uses > 1:
		if h.times++; h.times > 1 {
			h.bound = uses - 1
		}
	}
	t.habits[to] = h
}

// interrupted ends what is done with a connection when ctx does; stop tells whether it had not.
func interrupted(ctx context.Context, c net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(past()) })
}

// past is a deadline that is over.
func past() time.Time { return time.Unix(1, 0) }
