// Package client sends the requests that sources build. It is the only way to a vendor, so what
// it promises holds for every request: the endpoint's budget is kept, nothing is sent twice by
// a library behind it, the whole body is read within a bound, redirects are not followed, what is
// transient is tried again, everything is counted, and an answer is known to belong to its request
// before anybody may rely on it.
//
// HTTP/2 binds answers to requests. On an HTTP/1 connection nothing but their order does: a proxy that
// sends one answer twice shifts all that follow, and each is taken for that of the next request.
// Therefore an answer on such a connection is unproved ([Unproved]) until
//
//   - it, or one after it, repeats what its question named ([sources.Exchange]), and no request before
//     that one on the connection named the same;
//   - a request with "Connection: close" was the last one, and the connection was read to the server's
//     end without a surplus byte. It counts as that end, too, when the server says in its answer that
//     it closes, and sends nothing in five seconds, or resets the connection;
//   - the server ended the connection while nothing was outstanding, without a surplus byte: by itself, or
//     because this side had ended its half, which asks the vendor nothing more. It does so after some
//     idling, in which an answer that was still owed would have come, and so it does where a request was
//     given up, once something was answered to it.
//
// What arrives without having been asked for, an answer that names another question, a connection that
// breaks, and an end that a server announces where nobody asked for it make every unproved answer
// void. So that proof comes soon, connections are ended after 32 unproved answers, or when the oldest
// is a second old, or when they idle. [Call.Settled] tells what a question's answers are worth;
// errors that concern an item are answers, too.
//
// What it can't see: a proxy that swaps answers between connections, or behind an HTTP/2 stream, where they
// name neither group nor user; one that drops an answer after it sent another twice, on one connection
// and before the proof; and one that, told that no more requests come, throws away an answer that it
// still owed, and that took much longer than those before it.
//
// What becomes of a failure follows from its kind (package fault) alone:
//
//   - Throttled slows the endpoint's pace and is tried again, sixty times in a row at most; it is
//     no failed attempt.
//   - Transient is tried again with jittered backoff, ten attempts in all; the last one comes
//     back as an Item fault with outcome failed. Attempts while nobody is answered don't count for
//     a minute and a half, nor those that got no connection: then the vendor is away, not the key.
//     None counts before the endpoint's first good answer of the night ([Endpoint.Recall]): a vendor
//     that was never there fails no key, it is down.
//   - Credentials with Again is tried once more. Everything else comes back as it is, at once.
//   - An endpoint without one good answer for two minutes is down: a Transient fault comes back, or
//     a Throttled one where nothing but throttling answers came, with [ErrDown] in its chain. It
//     stops the run.
//
// Where a vendor has a second host ([Hosts]), three attempts in a row without an answer of the
// vendor's make an endpoint go over to it, and one good answer makes it go back: every half minute,
// later every five, one request tries the main host. An answer that the vendor wrote, be it a
// refusal, never does. Both hosts share the endpoint's budget, its health and its figures.
//
// Waiting to try again holds neither a place of the budget nor a place in its queue. Errors never
// carry a URL, since a URL may carry a signature.
package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// ErrDown is in the chain of every fault that says that an endpoint is down.
var ErrDown = errors.New("endpoint is down")

// Options is what a client is given of the world. Zero values of the bounds mean the defaults.
type Options struct {
	Transport http.RoundTripper // see [Transport]; must be safe for concurrent use
	Now       func() time.Time
	Random    func() uint64 // uniform; for the jitter of backoff; safe for concurrent use
	Fence     Fence         // asked right before a request leaves; nil: it is always open

	Timeout   time.Duration // of one attempt, its body included; 30 s
	BodyLimit int64         // of one answer, uncompressed; 32 MiB
	Attempts  int           // of one request, throttled ones not counted; 10
	DownAfter time.Duration // without one good answer; two minutes
}

// Defaults of Options.
const (
	DefaultTimeout   = 30 * time.Second
	defaultBodyLimit = 32 << 20
	defaultAttempts  = 10
	defaultDownAfter = 2 * time.Minute
)

// Client sends requests for any number of endpoints. It is safe for concurrent use.
type Client struct {
	options Options
	buffers sync.Pool // of *bytes.Buffer
}

// New makes a client.
func New(options Options) *Client {
	setDefault(&options.Timeout, DefaultTimeout)
	setDefault(&options.BodyLimit, defaultBodyLimit)
	setDefault(&options.Attempts, defaultAttempts)
	setDefault(&options.DownAfter, defaultDownAfter)
	return &Client{options: options, buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
}

func setDefault[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}

// exchange sends one request and hands its whole answer to read. The budget's ticket is given
// back as soon as the answer begins: the vendor has counted the request by then. Status is that of
// the answer, 0 where none began. Unproved is nil where the answer is bound to its request.
func (c *Client) exchange(ctx context.Context, request *http.Request, b *budget.Budget, ticket budget.Ticket,
	x sources.Exchange) (status int, unproved Unproved, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	began := c.options.Now()
	response, err := c.options.Transport.RoundTrip(once(request.WithContext(ctx)))
	if err != nil {
		if errors.Is(err, errFenced) {
			b.Answered(ticket)
			return 0, nil, errFenced
		}
		if neverLeft(err) {
			b.Answered(ticket)
			return 0, nil, unreached{networkFault(err, request, c.options.Timeout)}
		}
		b.Unanswered(ticket)
		return 0, nil, networkFault(err, request, c.options.Timeout)
	}
	defer response.Body.Close()
	b.Answered(ticket)

	buffer := c.buffers.Get().(*bytes.Buffer)
	defer c.release(buffer)
	buffer.Reset()
	if _, err := buffer.ReadFrom(http.MaxBytesReader(nil, response.Body, c.options.BodyLimit)); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return response.StatusCode, nil, fault.New(fault.Item, "the answer was larger than %d MiB", c.options.BodyLimit>>20)
		}
		return response.StatusCode, nil, networkFault(err, request, c.options.Timeout)
	}
	took := c.options.Now().Sub(began)
	echoed, err := x.Read(sources.Answer{Status: response.StatusCode, Header: response.Header, Body: buffer.Bytes()})
	if unproved, _ = response.Body.(Unproved); unproved != nil {
		unproved.Judge(Verdict{Echo: x.Echo, Echoed: echoed, Foreign: errors.Is(err, sources.ErrForeign), Took: took})
	}
	return response.StatusCode, unproved, err
}

// unreached is a failure to get a connection at all.
type unreached struct{ error }

func (u unreached) Unwrap() error { return u.error }

// release keeps a buffer for the next answer, unless a rare large answer has blown it up.
func (c *Client) release(buffer *bytes.Buffer) {
	if buffer.Cap() <= 4<<20 {
		c.buffers.Put(buffer)
	}
}

// once keeps net/http, where it is the transport, from sending a request twice by itself. It does so
// when a connection breaks or refuses a stream, for every request whose body it can have again; others
// it repeats only if not one byte of them was written, which nobody counts. [Transport] never does.
func once(request *http.Request) *http.Request {
	if request.Method == http.MethodGet || request.Method == http.MethodHead {
		request.Body = unreplayable{http.NoBody}
	}
	request.GetBody = nil
	return request
}
