// Package client sends the requests that sources build. It is the only way to a vendor, so what
// it promises holds for every request: the endpoint's budget is kept, the whole body is read
// within a bound, redirects are not followed, what is transient is tried again, and everything is
// counted.
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
// the answer, 0 where none began.
func (c *Client) exchange(ctx context.Context, request *http.Request, b *budget.Budget, ticket budget.Ticket,
	read func(sources.Answer) (echoed bool, err error)) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	response, err := c.options.Transport.RoundTrip(replayable(request.WithContext(ctx)))
	if err != nil {
		if neverLeft(err) {
			b.Answered(ticket)
		} else {
			b.Unanswered(ticket)
		}
		if neverLeft(err) {
			return 0, unreached{networkFault(err, request, c.options.Timeout)}
		}
		return 0, networkFault(err, request, c.options.Timeout)
	}
	defer response.Body.Close()
	b.Answered(ticket)

	buffer := c.buffers.Get().(*bytes.Buffer)
	defer c.release(buffer)
	buffer.Reset()
	if _, err := buffer.ReadFrom(http.MaxBytesReader(nil, response.Body, c.options.BodyLimit)); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return response.StatusCode, fault.New(fault.Item, "the answer was larger than %d MiB", c.options.BodyLimit>>20)
		}
		return response.StatusCode, networkFault(err, request, c.options.Timeout)
	}
	_, err = read(sources.Answer{Status: response.StatusCode, Header: response.Header, Body: buffer.Bytes()})
	return response.StatusCode, err
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

// replayable keeps net/http from sending a request twice by itself. It does so, when a kept
// connection breaks, for methods without side effects whose body it can rewind; every other
// request it repeats only if not one byte of it was written, which nobody counts.
func replayable(request *http.Request) *http.Request {
	if request.Method == http.MethodGet || request.Method == http.MethodHead {
		request.Body, request.GetBody = unreplayable{http.NoBody}, nil
	}
	return request
}
