package sourcetest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"rollcall/schema/fault"
	"rollcall/sources"
)

// Caller is a plain sources.Caller: it sends each request once, without budget or retries, and
// counts. Its zero value is ready; it may be used by many goroutines.
type Caller struct {
	FailAt  int64 // the call, from 1, that fails with Failure without being sent; 0 for none
	Failure error

	calls atomic.Int64
}

var _ sources.Caller = (*Caller)(nil)

// Calls tells how many calls there were.
func (c *Caller) Calls() int64 { return c.calls.Load() }

// Call sends one request and hands its answer to e.Read.
func (c *Caller) Call(ctx context.Context, e sources.Exchange) error {
	if c.calls.Add(1) == c.FailAt {
		return c.Failure
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	request, err := e.Build()
	if err != nil {
		return err
	}
	answer, err := send(request.WithContext(ctx))
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	_, err = e.Read(answer)
	return err
}

func send(request *http.Request) (sources.Answer, error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return sources.Answer{}, fault.New(fault.Transient, "the network gave no answer")
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return sources.Answer{}, fault.New(fault.Transient, "the answer was cut")
	}
	return sources.Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

var errCut = errors.New("this call was cut by the test")
