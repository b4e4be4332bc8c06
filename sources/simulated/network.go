package simulated

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
)

// breaker is an http.ResponseWriter that can play what a connection does: the Transport's recorder.
// On a real connection the same is done to the socket.
type breaker interface {
	breakWith(err error) // after what has been written
	hang()
}

// body writes a good answer's beginning: its header with so many bytes declared, and so many sent.
func body(q *query, v vendor, rw http.ResponseWriter, count func(whole int) (declared, sent int)) {
	a := v.reply(q)
	declared, sent := count(len(a.body))
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Content-Length", strconv.Itoa(declared))
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body[:sent])
	if f, ok := rw.(http.Flusher); ok {
		f.Flush()
	}
}

func half(whole int) (declared, sent int) { return whole, whole / 2 }

// Cut sends the header and half of the body, and cuts the connection.
func Cut() Effect {
	return Effect{act: func(q *query, v vendor, rw http.ResponseWriter) {
		body(q, v, rw, half)
		hangUp(rw, io.ErrUnexpectedEOF)
	}}
}

// Stall sends the header and half of the body, and then nothing until the client goes away.
func Stall() Effect {
	return Effect{act: func(q *query, v vendor, rw http.ResponseWriter) {
		body(q, v, rw, half)
		if b, ok := rw.(breaker); ok {
			b.hang()
			return
		}
		<-q.http.Context().Done()
	}}
}

// Longer declares ten bytes more than it sends.
func Longer() Effect {
	return Effect{act: func(q *query, v vendor, rw http.ResponseWriter) {
		body(q, v, rw, func(whole int) (int, int) { return whole + 10, whole })
		hangUp(rw, io.ErrUnexpectedEOF)
	}}
}

// Shorter declares ten bytes less than the answer has, so that its end is never read.
func Shorter() Effect {
	return Effect{act: func(q *query, v vendor, rw http.ResponseWriter) {
		body(q, v, rw, func(whole int) (int, int) { n := max(0, whole-10); return n, n })
	}}
}

// Garbage answers with bytes that are no HTTP: what a client sees that speaks to another kind of
// server, or to a TLS port in plain text.
func Garbage() Effect {
	return Effect{act: func(_ *query, _ vendor, rw http.ResponseWriter) {
		if b, ok := rw.(breaker); ok {
			b.breakWith(errors.New("malformed HTTP response \"\\x15\\x03\\x01\\x00\\x02\\x02(\""))
			return
		}
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = conn.Write([]byte("\x15\x03\x01\x00\x02\x02(\r\n\r\n"))
		_ = conn.Close()
	}}
}

// hangUp cuts the connection of an answer that has begun.
func hangUp(rw http.ResponseWriter, err error) {
	if b, ok := rw.(breaker); ok {
		b.breakWith(err)
		return
	}
	if conn, _, hijacked := http.NewResponseController(rw).Hijack(); hijacked == nil {
		_ = conn.Close()
	}
}

// Refused refuses the connection: the Transport at once; a server, which has accepted it already,
// by cutting it and closing its Door for a moment.
func Refused() Effect {
	return Effect{
		dial: func() error {
			return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		},
		act: func(q *query, v vendor, rw http.ResponseWriter) {
			if door := q.door.Load(); door != nil {
				door.shut(shutFor)
			}
			Reset().act(q, v, rw)
		},
	}
}

// Unresolved finds no address for the host's name. Only the Transport can play it: who has reached a
// server has found it.
func Unresolved() Effect {
	return Effect{dial: func() error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "vendor.example", IsNotFound: true}}
	}}
}

// Handshake fails to agree on TLS. Only the Transport can play it, as the server speaks plain HTTP.
func Handshake() Effect {
	return Effect{dial: func() error { return &net.OpError{Op: "remote error", Err: tls.AlertError(40)} }}
}

// Class answers with a code of the vendor's that means the same for both vendors.
type Class uint8

// The classes of codes.
const (
	Busy         Class = iota // trouble of the vendor's own that passes
	TooMany                   // a budget was passed
	BadItem                   // the key is refused, and asking again changes nothing
	GoneItem                  // the group or user does not exist
	BadSignature              // the credentials are refused
	NotEnabled                // the app may not ask this
)

// OfClass answers with a code of a class.
func OfClass(class Class) Effect {
	return replace(func(q *query, v vendor) answer {
		if class == TooMany {
			return v.throttle(q)
		}
		return v.refuse(q, v.codes()[class], "a fault on demand")
	})
}

// ExpiredToken refuses to go on from a page token, as a vendor does that keeps tokens for a while
// only. A request without a token is answered well.
func ExpiredToken() Effect { return Effect{mark: func(p *plan) { p.expire = true }} }
