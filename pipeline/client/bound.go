package client

import (
	"context"
	"errors"
	"sync"

	"rollcall/schema/fault"
)

// errUnbound is in the chain of the fault of a reading that one of its answers has made void.
var errUnbound = errors.New("an answer may belong to another request")

// bindings counts the answers of one reading that are not proved yet.
type bindings struct {
	mu   sync.Mutex
	open int
	void bool
	tell func(bound bool)
}

func (b *bindings) add(a Unproved) {
	b.mu.Lock()
	b.open++
	b.mu.Unlock()
	a.Settled(b.settled)
}

func (b *bindings) settled(proved bool) {
	b.mu.Lock()
	b.open--
	b.void = b.void || !proved
	b.decide()
}

// decide unlocks b, and tells where all is known.
func (b *bindings) decide() {
	tell, bound := b.tell, !b.void
	if tell == nil || b.open > 0 && bound {
		tell = nil
	} else {
		b.tell = nil
	}
	b.mu.Unlock()
	if tell != nil {
		tell(bound)
	}
}

// Settled calls tell, once, when it is known whether all answers since the last Again belong to their
// requests: perhaps at once, else by another goroutine, and in the end always.
func (c *Call) Settled(tell func(bound bool)) {
	c.bindings.mu.Lock()
	c.bindings.tell = tell
	c.bindings.decide()
}

// Void tells whether one of them is known not to.
func (c *Call) Void() bool {
	c.bindings.mu.Lock()
	defer c.bindings.mu.Unlock()
	return c.bindings.void
}

// Again begins anew with a question whose answers were void. From now on each request has a connection of
// its own, and its answer is proved before Call returns, or the request is sent again.
func (c *Call) Again() { c.bindings, c.alone = &bindings{}, true }

// unbound is what Call returns once an earlier answer has made the reading void.
func unbound() error {
	return &fault.Error{Kind: fault.Transient, Message: "more arrived on a connection than was asked for", Err: errUnbound}
}

// bind keeps what must still be proved of an answer that counts. An error of its item is an answer like
// any other: that a group is gone is as wrong of another group as its members are.
func (c *Call) bind(ctx context.Context, a Unproved, err error) error {
	if a == nil || err != nil && fault.KindOf(err) != fault.Item {
		return err
	}
	if !c.alone {
		c.bindings.add(a)
		return err
	}
	proved, ended := answered(ctx, a)
	switch {
	case ended != nil:
		return ended
	case !proved:
		return unbound()
	}
	return err
}
