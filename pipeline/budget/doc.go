// Package budget paces requests so that a vendor never gets more of them than it was promised.
//
// What it promises: in no second, however it is cut, do more requests of one endpoint of one app
// arrive than the limit allows, counted where they arrive. [Pace] keeps that promise by places.
// There are as many places as the limit has whole requests a second. A request takes its place
// before it is written and keeps it until one second after its answer came. It arrives somewhere
// between the two, so whoever arrives within one second holds a place at that second's end, and
// there are no more places than that. Nothing is assumed about latency, its jitter, or how late
// this process is woken up. What an unanswered request needs is that it can't arrive once its
// timeout has passed.
//
// The price is 1/(1 s + mean latency) of the budget where a place is held for a second. [Config]
// has Even for those who want all of it and accept a few requests too many now and then.
//
// [Pace] is a pure function of its state and of now: it has no clock, no lock and no goroutine.
// [Budget] adds these, and lets callers through one at a time in the order in which they came.
// Nothing here fails; a caller whose context ends leaves the queue with the context's error.
package budget
