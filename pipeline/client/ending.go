package client

import (
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"syscall"
	"time"
)

// ending is how a connection ends.
type ending struct {
	wait  time.Duration // for what comes before the server is told that no more requests do
	asked bool          // the last request asked for it, or its answer announced it
	said  bool          // both, and no other request had asked
	skip  *http.Request // one whose answer still comes, and is nobody's
}

// end reads the connection to its end.
func (c *conn) end(how ending) {
	_ = c.net.SetDeadline(time.Time{}) // where it fails, so does what follows
	err := c.skip(how.skip)
	if err == nil {
		err = c.last(how.wait)
	}
	_ = c.net.Close()
	// A reset throws nothing away that a server had to say who has just said that it closes.
	settle(c.order.take(), err == io.EOF || how.said && (timedOut(err) || errors.Is(err, syscall.ECONNRESET)))
	if how.asked {
		c.t.ended(c.to, c.uses, false)
	}
}

// last waits for the end. A server that leaves the connection open is told that no more requests come, as
// one with an idle connection is, and not before what it still owes has had its time.
func (c *conn) last(wait time.Duration) error {
	if wait > 0 {
		if err := c.peek(c.begin(), wait); !timedOut(err) {
			return err
		}
	}
	closeWrite(c.net)
	return c.peek(c.begin(), endBound)
}

// skip reads over the answer to a request, which may be that to an earlier one: nothing is said to the server.
func (c *conn) skip(request *http.Request) error {
	if request == nil {
		return nil
	}
	timer := c.bound(c.begin(), endBound)
	defer timer.Stop()
	c.meter.left = headerBound
	response, err := c.read(request)
	c.meter.left = math.MaxInt64
	if err != nil {
		return errors.New("no whole answer came")
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, defaultBodyLimit)); err != nil {
		return errors.New("no whole answer came")
	}
	return nil
}

// closeWrite tells the server that no more requests come.
func closeWrite(c net.Conn) {
	type halves interface{ CloseWrite() error }
	type over interface{ NetConn() net.Conn }
	if h, ok := c.(halves); ok {
		_ = h.CloseWrite() // where it fails, so does the read that follows
	}
	if o, ok := c.(over); ok {
		closeWrite(o.NetConn())
	}
}
