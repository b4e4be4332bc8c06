package client

import (
	"context"
	"errors"
	"net/http"

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

// openKey is where a request's context holds whether the fence is open.
type openKey struct{}

// fenced keeps a request from leaving that gets its connection only when the fence is closed: making one
// takes long, and a [Transport] asks once more before it writes.
func (e *Endpoint) fenced(ctx context.Context) context.Context {
	if fence := e.client.options.Fence; fence != nil {
		return context.WithValue(ctx, openKey{}, fence.Open)
	}
	return ctx
}

// mayLeave tells whether a request may be written to its connection now.
func mayLeave(request *http.Request) bool {
	open, fenced := request.Context().Value(openKey{}).(func() bool)
	return !fenced || open()
}
