package client

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"
)

const (
	headerBound = 1 << 20         // bytes of an answer's header
	endBound    = 5 * time.Second // for a server to end what it was asked to end

	// A connection with unproved answers is ended when it has idled for idleProof, or for hasteProof where
	// nobody has more to ask; but an answer that is still owed would be thrown away by many a proxy that is
	// told that no more requests come, so that it gets several times as long as others took.
	idleProof    = 300 * time.Millisecond
	hasteProof   = 50 * time.Millisecond
	owedFactor   = 3 // of the mean, or
	spreadFactor = 6 // of the mean distance from it, and the mean: some answers take much longer than others
	longestProof = 10 * time.Second
)

// conn is an HTTP/1 connection. It belongs to one goroutine at a time: to that of a request; while it
// idles, to one that reads, so that what nobody asked for is seen when it comes; and at its end to one
// that reads until the server has ended it, too.
type conn struct {
	t       *Transport
	to      target
	through *url.URL // the proxy; nil: there is none
	plain   bool     // one that takes whole URLs

	net    net.Conn
	meter  meter
	reader *bufio.Reader
	writer *bufio.Writer
	order  order
	uses   int
	took   time.Duration // how long all its answers took
	owed   time.Duration // how long an answer that is still owed may take
	seen   bool          // while it idles: the transport has looked at it once
	haste  *time.Timer   // while it is watched: until it may be ended, where nobody has more to ask

	mu       sync.Mutex
	watching bool          // a read may be interrupted
	reads    int           // how often one began that may: what was to interrupt another one comes too late
	watched  chan struct{} // closed when the goroutine that watches it has ended; nil: there is none
	dead     bool          // found by it
	hastened bool          // nobody has more to ask; guarded by the transport's lock
}

func newConn(t *Transport, to target, through *url.URL, over net.Conn) *conn {
	c := &conn{t: t, to: to, through: through, net: over, meter: meter{from: over, left: math.MaxInt64}, writer: bufio.NewWriter(over)}
	c.reader = bufio.NewReader(&c.meter)
	return c
}

// meter bounds what is read for a header.
type meter struct {
	from io.Reader
	left int64
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errors.New("the header of the answer is too large")
	}
	n, err := m.from.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, err
}

func (c *conn) send(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	stop := interrupted(ctx, c.net)
	c.uses++
	uses, unproved := c.t.mostUses(c.to)
	alone := request.Close
	request = c.dress(request, c.uses >= uses || c.order.ripe(unproved))
	if request.Close && !alone {
		c.t.replace(c.to, c.through)
	}
	response, err := c.exchange(request)
	if err != nil {
		late := !stop() && errors.Is(err, errAwaited)
		if errors.Is(err, errNoAnswer) || c.costly(err) {
			c.t.ended(c.to, c.uses, true)
		}
		// Nobody waits for this answer any more. It still comes, perhaps, and proves those before it.
		if !late || len(c.order.open) == 0 || !c.t.finish(c, func() { c.end(ending{wait: c.patience(hasteProof), skip: request}) }) {
			c.fail()
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	if c.plain && response.StatusCode == http.StatusProxyAuthRequired {
		stop()
		c.fail()
		return nil, unsent{refusedBy(c.through.Host, c.to.address, response.StatusCode)}
	}
	b := &body{conn: c, raw: response.Body, stop: stop, asked: request.Close, said: response.Close}
	b.from = b
	if request.Header.Get("Accept-Encoding") == "gzip" && response.Header.Get("Content-Encoding") == "gzip" {
		response.Header.Del("Content-Encoding")
		response.Header.Del("Content-Length")
		response.ContentLength, response.Uncompressed = -1, true
		b.from = &unzip{from: b}
	}
	response.Body = &bodyOf{b}
	return response, nil
}

// dress makes the request as it is sent here.
func (c *conn) dress(request *http.Request, last bool) *http.Request {
	request = request.WithContext(request.Context())
	request.Close = request.Close || last
	if request.Header = maps.Clone(request.Header); request.Header == nil {
		request.Header = http.Header{}
	}
	if request.Header.Get("Accept-Encoding") == "" && request.Method != http.MethodHead {
		request.Header.Set("Accept-Encoding", "gzip")
	}
	if c.plain && c.through.User != nil {
		request.Header.Set("Proxy-Authorization", authorization(c.through))
	}
	return request
}

// errNoAnswer is a connection that the server ended, in order, instead of answering.
var errNoAnswer = fmt.Errorf("the connection was ended before an answer: %w", io.EOF)

// errAwaited is in the chain where a whole request was sent, and nothing has come.
var errAwaited = errors.New("no answer came")

func (c *conn) exchange(request *http.Request) (*http.Response, error) {
	write := request.Write
	if c.plain {
		write = request.WriteProxy
	}
	if err := errors.Join(write(c.writer), c.writer.Flush()); err != nil {
		return nil, err
	}
	c.meter.left = headerBound
	defer func() { c.meter.left = math.MaxInt64 }()
	switch _, err := c.reader.Peek(1); {
	case err == io.EOF:
		return nil, errNoAnswer
	case timedOut(err):
		return nil, fmt.Errorf("%w: %w", errAwaited, err)
	case err != nil:
		return nil, err
	}
	return c.read(request)
}

// read reads an answer's header. Provisional answers don't count.
func (c *conn) read(request *http.Request) (*http.Response, error) {
	for range 5 {
		response, err := http.ReadResponse(c.reader, request)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil || response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			return response, err
		}
	}
	return nil, errors.New("nothing but provisional answers came")
}

// fail closes the connection: what it has not proved is void.
func (c *conn) fail() {
	_ = c.net.Close() // of a connection that is given up: nobody could do anything
	settle(c.order.take(), false)
}

// close is that of connection. The goroutine that watches finds an error; where it was about to end the
// connection, it leaves that to who took it.
func (c *conn) close() {
	_ = c.net.Close()
	if c.watched != nil {
		<-c.watched
	}
	c.fail()
}

// rest is that of connection.
func (c *conn) rest() { c.watched, c.seen, c.hastened = nil, false, false }

// watch is that of connection: a goroutine reads while nothing is outstanding.
func (c *conn) watch() bool {
	switch {
	case c.watched != nil:
	case !c.seen:
		c.seen = true
		return false
	default:
		c.watched, c.haste = make(chan struct{}), time.NewTimer(c.patience(hasteProof)-watchAfter)
		read := c.begin()
		c.t.running.Go(func() { c.idle(read) })
	}
	return true
}

// wake is that of connection. A connection that was not watched may hold what nobody asked for, or its
// server's end: what is answered by that proves nothing, see [order].
func (c *conn) wake() bool {
	if c.watched == nil {
		return true
	}
	c.interrupt()
	<-c.watched
	c.watched = nil
	c.haste.Stop()
	return !c.dead
}

func (c *conn) prove() {
	if len(c.order.open) == 0 {
		return
	}
	c.hastened = true
	if c.watched == nil {
		return
	}
	select {
	case <-c.haste.C:
		c.haste.Reset(0) // it stays over
		c.interrupt()
	default:
	}
}

// patience is how long an answer that is still owed is waited for.
func (c *conn) patience(least time.Duration) time.Duration {
	return max(least, min(c.owed, longestProof))
}

// begin lets a read begin that may be interrupted.
func (c *conn) begin() (read int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watching = true
	c.reads++
	return c.reads
}

// interrupt ends the read that may be interrupted, if there is one.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watching {
		_ = c.net.SetReadDeadline(past())
	}
}

// bound interrupts a read after some time.
func (c *conn) bound(read int, within time.Duration) *time.Timer {
	return time.AfterFunc(within, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.watching && c.reads == read {
			_ = c.net.SetReadDeadline(past())
		}
	})
}

// peek reads one byte, unless it is interrupted or the time is over.
func (c *conn) peek(read int, within time.Duration) error {
	timer := c.bound(read, within)
	_, err := c.reader.Peek(1)
	timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watching = false
	_ = c.net.SetReadDeadline(time.Time{})
	return err
}

// idle is the goroutine of an idle connection. It ends one that has idled for long enough: one with
// unproved answers soon, so that the server's end proves them.
func (c *conn) idle(read int) {
	defer close(c.watched)
	within := idleBound
	if len(c.order.open) > 0 {
		within = c.patience(idleProof)
	}
	err := c.peek(read, within)
	if timedOut(err) {
		if !c.t.remove(c.to, c) {
			return // it was taken
		}
		c.dead = true
		if len(c.order.open) > 0 && !c.hastened {
			c.t.replace(c.to, c.through) // it is idle now, and may be needed again
		}
		if !c.t.finish(c, func() { c.end(ending{}) }) {
			c.fail()
		}
		return
	}
	c.t.remove(c.to, c)
	c.dead = true
	_ = c.net.Close()
	if c.costly(err) {
		c.t.ended(c.to, c.uses, true)
	}
	settle(c.order.take(), err == io.EOF) // a server that ends an idle connection has ended it in step
}

// timedOut tells whether a read ended without a byte because it was to end.
func timedOut(err error) bool {
	wait, ok := errors.AsType[net.Error](err)
	return ok && wait.Timeout()
}

// costly tells whether the server has reset the connection, and unproved answers are void of it.
func (c *conn) costly(err error) bool {
	return len(c.order.open) > 0 && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// body is that of one answer, as it comes.
type body struct {
	conn    *conn
	raw     io.ReadCloser
	from    io.Reader // raw, or what unpacks it
	stop    func() bool
	asked   bool // the request asked for the end of the connection
	said    bool // the answer announces it
	whole   bool // read to its end
	verdict Verdict
	answer  answer
	once    sync.Once
}

var _ Unproved = (*bodyOf)(nil)

// bodyOf is what a caller sees of a body.
type bodyOf struct{ *body }

// Read is that of io.Reader.
func (b *bodyOf) Read(p []byte) (int, error) { return b.from.Read(p) }

// Read reads what was sent.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.raw.Read(p)
	b.whole = b.whole || err == io.EOF
	return n, err
}

// Judge is that of Unproved.
func (b *body) Judge(v Verdict) { b.verdict = v }

// Settled is that of Unproved.
func (b *body) Settled(tell func(proved bool)) { b.answer.Settled(tell) }

// Close gives the connection back, ends it, or closes it.
func (b *body) Close() error {
	b.once.Do(func() {
		_ = b.raw.Close() // reads nothing: what was not read ends the connection
		b.done()
	})
	return nil
}

func (b *body) done() {
	c := b.conn
	inTime := b.stop()
	if !b.whole || b.verdict.Foreign {
		c.order.add(&b.answer, Verdict{})
		c.fail()
		return
	}
	c.took += b.verdict.Took
	c.owed = max(owedFactor*c.took/time.Duration(c.uses), c.t.owed(c.to, b.verdict.Took))
	proved := c.order.add(&b.answer, b.verdict)
	defer settle(proved, true) // the connection goes on in the meantime
	switch {
	case !inTime || c.reader.Buffered() > 0:
		c.fail()
	case !b.asked && b.said && c.uses > 1:
		// The server ends the connection by itself. It may do so behind the answer to an earlier
		// request, and then nobody would miss the one that it never answered.
		c.t.ended(c.to, c.uses, true)
		c.fail()
	case b.asked || b.said:
		if !c.t.finish(c, func() { c.end(ending{wait: c.patience(idleProof), asked: true, said: b.asked && b.said}) }) {
			c.fail()
		}
	case !c.t.give(c.to, c):
		c.fail()
	}
}

// unzip unpacks an answer, beginning when it is read.
type unzip struct {
	from io.Reader
	zip  *gzip.Reader
	err  error
}

func (u *unzip) Read(p []byte) (int, error) {
	if u.zip == nil && u.err == nil {
		u.zip, u.err = gzip.NewReader(u.from)
	}
	if u.err != nil {
		return 0, u.err
	}
	return u.zip.Read(p)
}

// answered waits until it is known whether an answer belongs to its request.
func answered(ctx context.Context, a Unproved) (proved bool, err error) {
	known := make(chan bool, 1)
	a.Settled(func(proved bool) { known <- proved })
	select {
	case proved := <-known:
		return proved, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
