package cli

import (
	"context"
	"errors"

	"rollcall/pipeline"
	"rollcall/pipeline/applock"
	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/state"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// The exit codes. Their meaning is published and never changes.
const (
	Done        = 0
	Unexpected  = 1
	ChangeFirst = 2
	Partial     = 3
	NotSealed   = 4
	Stopped     = 5
	Busy        = 6
	Different   = 7
)

// Code is one row of the published table.
type Code struct {
	Number  int
	Meaning string
}

// Codes is the published table.
func Codes() []Code {
	return []Code{
		{Done, "done; for run: sealed and complete"},
		{Unexpected, "unexpected failure (a bug, a full disk): state is kept"},
		{ChangeFirst, "usage, configuration, or refused credentials: change something first"},
		{Partial, "sealed, but not whole: some keys failed within what is tolerated, or some counts disagree and are not acknowledged"},
		{NotSealed, "not sealed: more is missing than tolerated, or a check failed; the same command asks only what is missing"},
		{Stopped, "stopped before the end (signal, vendor down, sink down): run it again to go on"},
		{Busy, "another run holds this snapshot"},
		{Different, "verify, reconcile or diff --exit-code found a difference, or --expect daily a date without a snapshot"},
	}
}

// finding is the end of a command that did its work and has a code to say so: 3, 4 or 7. The
// command has told the rest already, so that nothing more is printed for it.
type finding int

// Error is the meaning of the code.
func (f finding) Error() string { return Codes()[f].Meaning }

// found is nil for Done, else the finding.
func found(code int) error {
	if code == Done {
		return nil
	}
	return finding(code)
}

// code is the one place that turns an error into an exit code.
func code(err error) int {
	if err == nil {
		return Done
	}
	if f, ok := errors.AsType[finding](err); ok {
		return int(f)
	}
	if code, ok := codeOfEnd(err); ok {
		return code
	}
	switch fault.KindOf(err) {
	case fault.Credentials, fault.Configuration:
		return ChangeFirst
	case fault.Transient, fault.Throttled:
		return Stopped
	default:
		return Unexpected
	}
}

// codeOfEnd knows the ways in which a run ends early.
func codeOfEnd(err error) (int, bool) {
	if _, ok := errors.AsType[*sinks.HeldError](err); ok {
		return Busy, true
	}
	if _, ok := errors.AsType[*state.HeldError](err); ok {
		return Busy, true
	}
	if _, ok := errors.AsType[*applock.HeldError](err); ok {
		return Busy, true
	}
	if _, ok := errors.AsType[*pipeline.NotSealedError](err); ok {
		return NotSealed, true
	}
	if _, ok := errors.AsType[*pipeline.ChecksError](err); ok {
		return NotSealed, true
	}
	if _, ok := errors.AsType[*pipeline.StoppedError](err); ok || errors.Is(err, context.Canceled) {
		return Stopped, true
	}
	if _, ok := errors.AsType[*snapshot.MissingError](err); ok {
		return ChangeFirst, true
	}
	_, ok := errors.AsType[*faulty](err)
	return ChangeFirst, ok
}
