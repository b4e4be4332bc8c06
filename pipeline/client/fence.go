package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"rollcall/pipeline/budget"
)

// Fence tells whether requests may leave: whoever paces requests must own what is paced.
type Fence interface {
	// Open tells whether one may leave now.
	Open() bool
	// Wait returns when it is open. An error, ctx's cause among them, ends the call as it is.
	Wait(ctx context.Context) error
}

// errFenced is a request that was stopped by the fence while it waited for a connection.
var errFenced = errors.New("the fence closed before the request left")

// permit takes a place of the budget while the fence is open. Waiting for a place can take long, and so
// can waiting at the fence, which holds no place and counts for nobody's health.
func (e *Endpoint) permit(ctx context.Context) (budget.Ticket, error) {
	fence := e.client.options.Fence
	for {
		ticket, err := e.budget.Wait(ctx)
		if err != nil || fence == nil || fence.Open() {
			return ticket, err
		}
		e.budget.Answered(ticket)
		e.leave()
		err = fence.Wait(ctx)
		e.enter()
		if err != nil {
			return budget.Ticket{}, err
		}
	}
}

// fenced keeps a request that waits for its connection from leaving once the fence is closed: its body
// can't be read any more, and without it net/http sends nothing on HTTP/1. It gives a function that tells
// whether that came to pass.
func (e *Endpoint) fenced(request *http.Request) (stopped func() bool) {
	fence := e.client.options.Fence
	if fence == nil || request.Body == nil || request.Body == http.NoBody {
		return func() bool { return false }
	}
	body := &fencedBody{ReadCloser: request.Body, fence: fence, closed: new(atomic.Bool)}
	request.Body = body
	if get := request.GetBody; get != nil {
		request.GetBody = func() (io.ReadCloser, error) {
			again, err := get()
			return &fencedBody{ReadCloser: again, fence: fence, closed: body.closed}, err
		}
	}
	return body.closed.Load
}

type fencedBody struct {
	io.ReadCloser
	fence  Fence
	closed *atomic.Bool // it was to be read and could not, or that of a repetition
}

// Read reads while the fence is open.
func (b *fencedBody) Read(p []byte) (int, error) {
	if !b.fence.Open() {
		b.closed.Store(true)
		return 0, errFenced
	}
	return b.ReadCloser.Read(p)
}
