package s3

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// lockOf is the key under which a context carries the lock that its requests need.
type lockOf struct{}

// owner is a lock, as far as a request needs it.
type owner interface {
	Acknowledged() time.Time
	Check(ctx context.Context) error
}

// holding gives a context whose requests are sent, each attempt of the SDK's retries by itself, only
// while the last acknowledged heartbeat of lock was sent less than sinks.FreshFor ago.
func holding(ctx context.Context, lock owner) context.Context {
	return context.WithValue(ctx, lockOf{}, lock)
}

// fenced puts the look at the lock between the SDK's retries and the sending of a request.
func fenced(now func() time.Time) func(*s3.Options) {
	look := middleware.FinalizeMiddlewareFunc("rollcall.Lock", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if lock, needed := ctx.Value(lockOf{}).(owner); needed {
			if err := refresh(ctx, lock, now); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, notSent{err}
			}
		}
		return next.HandleFinalize(ctx, in)
	})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Finalize.Insert(look, "Retry", middleware.After)
		})
	}
}

// refresh asks for the lock where it was last heard of too long ago.
func refresh(ctx context.Context, lock owner, now func() time.Time) error {
	if sinks.Fresh(lock.Acknowledged(), now()) {
		return nil
	}
	// The heartbeat is a request of its own: it must not wait for itself.
	if err := lock.Check(context.WithValue(middleware.ClearStackValues(ctx), lockOf{}, nil)); err != nil {
		return err
	}
	if !sinks.Fresh(lock.Acknowledged(), now()) {
		return &fault.Error{Kind: fault.Transient, Message: "the lock could not be renewed in time", Hint: hintDown}
	}
	return nil
}

// notSent is why a request was not sent. The SDK does not try it again.
type notSent struct{ error }

func (e notSent) Unwrap() error { return e.error }

// RetryableError is asked by the SDK.
func (notSent) RetryableError() bool { return false }
