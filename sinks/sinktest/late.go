package sinktest

import (
	"sync"
	"sync/atomic"
)

// Pass is called in place of every operation that a run makes on its place. It carries the operation
// out by calling do, now, later, or once more later, and tells whether the run gets the answer; otherwise
// the operation looks broken to it. It may be called by many goroutines.
type Pass func(operation string, changes bool, do func()) bool

// Lateness is one way in which an operation comes late.
type Lateness int

// The ways.
const (
	Suspended Lateness = iota // the run stands still before the operation, its heartbeat too, and goes on with it later
	Cut                       // the operation is held up on its way, and the run hears no more of the place
	Retried                   // the operation is held up on its way, the run gets no answer and tries again
	Copied                    // the operation is carried out, and once more later
)

func (l Lateness) String() string {
	return [...]string{"suspended", "cut off", "held up and tried again", "carried out twice"}[l]
}

// late makes one changing operation of a run late.
type late struct {
	how     Lateness
	nth     int64 // of the changing operations, from 1
	n       atomic.Int64
	still   atomic.Bool
	away    atomic.Bool
	reached chan struct{}
	release func()
	opened  chan struct{} // closed by release

	mu   sync.Mutex
	held func()
	at   string
}

func newLate(how Lateness, nth int64) *late {
	l := &late{how: how, nth: nth, reached: make(chan struct{}), opened: make(chan struct{})}
	l.release = sync.OnceFunc(func() {
		l.mu.Lock()
		held := l.held
		l.mu.Unlock()
		if held != nil {
			held()
		}
		close(l.opened)
	})
	return l
}

func (l *late) pass(operation string, changes bool, do func()) bool {
	if l.still.Load() {
		<-l.opened
	}
	if l.away.Load() {
		return false
	}
	if !changes || l.n.Add(1) != l.nth {
		do()
		return true
	}
	l.mu.Lock()
	l.at = operation
	if l.how != Suspended {
		l.held = do
	}
	l.mu.Unlock()
	switch l.how {
	case Suspended:
		l.still.Store(true)
		close(l.reached)
		<-l.opened
		l.still.Store(false)
		do()
		return true
	case Copied:
		do()
	case Cut:
		l.away.Store(true)
	}
	close(l.reached)
	return l.how == Copied
}

func (l *late) point() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at
}

// releasing lets go of what is late before the nth changing operation of another run; 0: never.
func releasing(l *late, nth int64) Pass {
	var n atomic.Int64
	return func(_ string, changes bool, do func()) bool {
		if changes && n.Add(1) == nth {
			l.release()
		}
		do()
		return true
	}
}
