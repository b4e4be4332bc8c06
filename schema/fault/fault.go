// Package fault is the closed list of error kinds. Every failure in Rollcall is of one kind,
// and the kind alone decides whether it is tried again, what becomes of the key, which exit
// code follows and which hint a person reads.
//
// A fault is classified once, at the border where it is first understood (a vendor's answer in
// its source, a bucket's answer in its sink, the network in the client). Layers above add the
// noun they know (key, data block, file) with [Wrap] and never change the kind. An error that
// nobody classified is a Bug: it is not retried and stops the run with exit code 1.
package fault

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"rollcall/schema"
	"rollcall/schema/advice"
)

// Kind is one of the six ways to fail.
type Kind uint8

const (
	// Bug is what nobody foresaw: a broken invariant, a full disk. It stops the run, state is kept.
	Bug Kind = iota
	// Throttled is the vendor's word that it gets too many requests. It slows the endpoint's
	// pace and is no failed attempt.
	Throttled
	// Transient may pass by itself: a cut connection, a 5xx, an unreadable answer. It is retried.
	Transient
	// Item concerns one key alone and becomes its outcome. It is not retried.
	Item
	// Credentials means that the vendor or the bucket refuses who we are. It stops the run at once.
	Credentials
	// Configuration means that a person must change something else first. It stops the run at once.
	Configuration
)

// String names the kind as the documentation does.
func (k Kind) String() string {
	switch k {
	case Throttled:
		return "throttled"
	case Transient:
		return "transient"
	case Item:
		return "item"
	case Credentials:
		return "credentials"
	case Configuration:
		return "configuration"
	default:
		return "bug"
	}
}

// Error is a classified failure.
type Error struct {
	Kind    Kind
	Message string // what happened, to what: one sentence without a full stop, lower case
	Hint    string // what to do about it; empty where the message says it all

	Commands []advice.Command // of Rollcall, each in the place of a {} in Hint

	Code       string         // the vendor's own code, verbatim ("10010"); empty where there is none
	Outcome    schema.Outcome //  of an Item fault; empty means Failed
	RetryAfter time.Duration  // how long the vendor asked us to wait; 0 where it did not
	Again      bool           // a Credentials fault that one fresh signature may cure: try once more, then stop

	Err error // the cause, where there is one
}

// New makes a fault with a formatted message.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Error is the message, and the cause behind it.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	default:
		return e.Message + ": " + e.Err.Error()
	}
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Wrap puts the noun that this layer knows before err and keeps its kind, hint, code and outcome.
// It returns nil for a nil err.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// KindOf tells the kind of err: that of the first fault in its chain, else Bug.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Bug
}

// advised is an error of another package that says itself what to do, in words alone or with commands
// of Rollcall.
type (
	hinted interface {
		error
		Hint() string
	}
	advised interface {
		error
		Advice() advice.Advice
	}
)

// OutOfFiles tells whether err says that this process, or the whole system, can open no more files.
func OutOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// moreFiles is what to do about it, wherever it hits: in a socket, the spool, a sink or a list.
const moreFiles = "raise the limit on open files, then run the same command again: `ulimit -n 4096`, or LimitNOFILE=4096 in a systemd unit; " +
	"a run needs about one for each request under way, and 200 more"

// AdviceOf is the advice of the first error in the chain that has one: a fault, or one with a method
// Advice or Hint. The text is empty where there is none. Where no more files can be opened, nothing else helps.
func AdviceOf(err error) advice.Advice {
	if OutOfFiles(err) {
		return advice.Say(moreFiles)
	}
	if a, ok := errors.AsType[advised](err); ok {
		return a.Advice()
	}
	if h, ok := errors.AsType[hinted](err); ok {
		return advice.Say(h.Hint())
	}
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return advice.Advice{}
		}
		if e.Hint != "" {
			return advice.Say(e.Hint, e.Commands...)
		}
		err = e.Err
	}
	return advice.Advice{}
}

// HintOf is AdviceOf as plain text.
func HintOf(err error) string { return AdviceOf(err).String() }
