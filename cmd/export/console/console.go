// Package console writes to the program's two streams: talk to stderr ([Talk]), answers to stdout
// ([Answer]).
//
// It promises: text from elsewhere can't get to a stream unescaped, since a [Printer] escapes every
// argument by itself and raw bytes need a call that says so; and nobody who reads a stream, or who
// reads it no more, stops or hangs the program. Talk is never waited for: it is queued within a bound,
// of progress the newest stays, and what found no place is counted. An answer is waited for as long as
// the work is not asked to stop, and within a limit where there is one. A reader that has gone away is
// no fault; any other failure to write an answer is one, which [Answer.Close] gives.
package console

import (
	"errors"
	"io/fs"
	"syscall"
)

// ErrReaderGone is what writing an answer gives when nobody reads it any more.
var ErrReaderGone = errors.New("nobody reads the answer any more")

// ErrNotRead is what writing an answer gives when nobody read it within the limit.
var ErrNotRead = errors.New("nobody read it in time")

// gone tells whether a stream has lost its reader.
func gone(err error) bool { return errors.Is(err, syscall.EPIPE) }

// cause is why a write failed, without the name of the stream.
func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
