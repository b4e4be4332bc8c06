package simulated

import (
	"net"
	"sync"
	"time"
)

// shutFor is how long a Door stays shut after a Refused fault.
const shutFor = 100 * time.Millisecond

// Door is a listener that can be shut for a moment: connections are refused meanwhile, as by a host
// whose server is being started anew. Those that are open stay.
type Door struct {
	address net.Addr

	mu     sync.Mutex
	inner  net.Listener
	open   chan struct{} // closed when the door is open again; nil: it is
	closed bool
}

// Door makes a listener the one that Refused faults of this world shut.
func (w *World) Door(inner net.Listener) *Door {
	d := &Door{address: inner.Addr(), inner: inner}
	w.door.Store(d)
	return d
}

// Accept waits for a connection, over moments in which the door is shut.
func (d *Door) Accept() (net.Conn, error) {
	for {
		d.mu.Lock()
		inner, open := d.inner, d.open
		d.mu.Unlock()
		if open != nil {
			<-open
			continue
		}
		conn, err := inner.Accept()
		if err == nil {
			return conn, nil
		}
		d.mu.Lock()
		shut, closed := d.inner != inner || d.open != nil, d.closed
		d.mu.Unlock()
		if closed || !shut {
			return nil, err
		}
	}
}

// Addr is the address that the door was opened at first.
func (d *Door) Addr() net.Addr { return d.address }

// Close ends it for good.
func (d *Door) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return d.inner.Close()
}

func (d *Door) shut(pause time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != nil || d.closed {
		return
	}
	open := make(chan struct{})
	d.open = open
	_ = d.inner.Close()
	time.AfterFunc(pause, func() { d.reopen(open) })
}

// reopen listens again. An address that somebody else took meanwhile is tried again; while it is
// away, connections are refused or go to that somebody, as they would with a real server.
func (d *Door) reopen(open chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		inner, err := net.Listen("tcp", d.address.String())
		if err != nil {
			time.AfterFunc(shutFor, func() { d.reopen(open) })
			return
		}
		d.inner = inner
	}
	d.open = nil
	close(open)
}
