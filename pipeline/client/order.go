package client

import (
	"sync"
	"time"
)

const (
	// unprovedBound is how many unproved answers a connection may have before it is ended, and ageBound
	// how old the oldest of them may be: both by measurement, see the decision on bound answers.
	unprovedBound = 32
	ageBound      = time.Second
)

// Unproved is what the body of a response is whose answer is bound to its request by nothing but the
// order on its connection (HTTP/1). The answers of every other RoundTripper are taken as bound.
type Unproved interface {
	// Judge says what the answer tells of its question. It is called once, before Close.
	Judge(v Verdict)
	// Settled calls tell, once, when it is known whether the answer belongs to its request: perhaps at
	// once, and never before the body was closed. Tell may be called by any goroutine.
	Settled(tell func(proved bool))
}

// Verdict is what an answer tells of its question.
type Verdict struct {
	Echo    string // what it may repeat of the question; empty: it never does
	Echoed  bool   // it does repeat it
	Foreign bool   // it names another question

	Took time.Duration // from the request to its whole answer
}

// answer is one answer on a connection. It is open until its connection proves it or makes it void.
type answer struct {
	mu      sync.Mutex
	settled bool
	proved  bool
	tell    func(proved bool)
}

// Settled is that of Unproved.
func (a *answer) Settled(tell func(proved bool)) {
	a.mu.Lock()
	if !a.settled {
		a.tell = tell
		a.mu.Unlock()
		return
	}
	a.mu.Unlock()
	tell(a.proved)
}

func (a *answer) settle(proved bool) {
	a.mu.Lock()
	tell := a.tell
	if a.settled {
		tell = nil
	}
	a.settled, a.proved, a.tell = true, proved, nil
	a.mu.Unlock()
	if tell != nil {
		tell(proved)
	}
}

// order is what one HTTP/1 connection has answered, in order. It is used by one goroutine at a time.
type order struct {
	open  []*answer
	asked map[string]struct{} // every Echo so far
	age   *time.Timer         // of the oldest open answer
}

// add takes the next answer and returns those that it proves: itself and all before it, where it repeats
// what no request before it on this connection could have had repeated. A repeated answer to an earlier
// request about the same group would repeat the group, too, and must prove nothing.
func (o *order) add(a *answer, v Verdict) (proved []*answer) {
	_, before := o.asked[v.Echo]
	if v.Echo != "" && !before {
		if o.asked == nil {
			o.asked = map[string]struct{}{}
		}
		o.asked[v.Echo] = struct{}{}
	}
	o.open = append(o.open, a)
	if v.Echo != "" && v.Echoed && !before {
		return o.take()
	}
	if len(o.open) == 1 {
		o.age = time.NewTimer(ageBound)
	}
	return nil
}

// take gives the open answers, to be settled by the caller, and forgets them.
func (o *order) take() []*answer {
	open := o.open
	o.open = nil
	if o.age != nil {
		o.age.Stop()
		o.age = nil
	}
	return open
}

// ripe tells whether the open answers, with one more, call for the end of the connection.
func (o *order) ripe(bound int) bool {
	if len(o.open)+1 >= bound {
		return true
	}
	if o.age == nil {
		return false
	}
	select {
	case <-o.age.C:
		o.age.Reset(0) // it stays old
		return true
	default:
		return false
	}
}

func settle(answers []*answer, proved bool) {
	for _, a := range answers {
		a.settle(proved)
	}
}
