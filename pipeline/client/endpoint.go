package client

import (
	"errors"
	"math"
	"net/http"
	"sync"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/schema/fault"
)

// Name is how messages call an endpoint.
type Name struct {
	Source string // address: "rongcloud.prod"
	Data   string // budget name: "group_members"
	Path   string // "/entrust/group/member/query.json"
}

// String is the short form: rongcloud.prod group_members.
func (n Name) String() string { return n.Source + " " + n.Data }

// Endpoint is one endpoint of one vendor app, shared by all data blocks that ask it: its budget,
// its health and its figures. It is safe for concurrent use.
type Endpoint struct {
	name   Name
	client *Client
	budget *budget.Budget

	mu      sync.Mutex
	health  health
	route   route
	figures Figures
	recent  recent
	failure string    // the last transient one
	good    time.Time // when the last good answer came
	smooth  float64   // latency in seconds, the last answers weighing most; 0: none yet
}

// Endpoint makes an endpoint. There must be one for each (app, endpoint): two would each spend
// the whole budget. Requests to hosts.Main may go to hosts.Backup; all others go where they say.
func (c *Client) Endpoint(name Name, b *budget.Budget, hosts Hosts) *Endpoint {
	return &Endpoint{name: name, client: c, budget: b, health: health{patience: c.options.DownAfter}, route: route{hosts: hosts}}
}

// Caller is the sources.Caller for one question.
func (e *Endpoint) Caller() *Call { return &Call{endpoint: e, bindings: &bindings{}} }

// Prove lets the transport prove what it has answered, where it can: who calls it has nothing more to ask.
func (e *Endpoint) Prove() {
	if t, ok := e.client.options.Transport.(interface{ Prove() }); ok {
		t.Prove()
	}
}

// Name tells which endpoint this is.
func (e *Endpoint) Name() Name { return e.name }

// Workers is how many goroutines it takes to use the whole pace now: pace times latency, half as
// much again for its jitter, and two. It follows the latency's moving mean, so it changes slowly.
func (e *Endpoint) Workers() int {
	const (
		handling  = 50 * time.Millisecond  // of an answer, before the worker asks again
		guess     = 200 * time.Millisecond // latency before the first answer
		most      = 1024
		mostAtAny = 32 // where the budget is no bound, more workers only add load
		unbounded = 10_000
	)
	e.mu.Lock()
	latency := e.smooth
	e.mu.Unlock()
	if latency == 0 {
		latency = guess.Seconds()
	}
	limit, bound := e.budget.Limit(), most
	if limit >= unbounded {
		bound = mostAtAny
	}
	need := math.Ceil(limit*(latency+handling.Seconds())*1.5) + 2
	return int(min(max(need, 2), float64(bound)))
}

// enter and leave bracket a call: an endpoint that nobody asks does not become unhealthy.
func (e *Endpoint) enter() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.health.enter(e.client.options.Now())
}

func (e *Endpoint) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.health.leave(e.client.options.Now())
}

// sending and sent bracket one attempt, which goes the way that is given back.
func (e *Endpoint) sending(request *http.Request, at time.Time, again bool) leg {
	limit := e.budget.Limit()
	e.mu.Lock()
	defer e.mu.Unlock()
	way := e.route.send(request, at)
	f := &e.figures
	f.Requests++
	if way.backup {
		f.Elsewhere++
	}
	f.InFlight++
	if again {
		f.Retries++
	}
	if f.First.IsZero() || at.Before(f.First) { // two requests may be counted in another order than they were let go
		f.First = at
	}
	if at.After(f.Last) {
		f.Last = at
	}
	f.Series.send(at, limit)
	e.recent.add(at)
	return way
}

func (e *Endpoint) sent(way leg) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.figures.InFlight--
	e.route.abandoned(way)
}

// answeredSince tells whether a good answer came after a moment, and whether one ever did.
func (e *Endpoint) answeredSince(at time.Time) (since, ever bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.good.After(at), e.health.ever
}

// Recall tells an endpoint that it gave good answers to an earlier process of the night: who resumes
// it for the keys that can't be answered must not take their vendor for one that never was there.
func (e *Endpoint) Recall() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.health.ever = true
}

// down is the fault that stopped this endpoint, nil while it works.
func (e *Endpoint) down() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.health.stopped == nil {
		return nil
	}
	return e.health.stopped
}

// judge lets one attempt's result count for health, pace and figures, and returns it, or the
// fault that says that the endpoint is down.
func (e *Endpoint) judge(ticket budget.Ticket, way leg, status int, err error) error {
	news := true
	if err != nil && fault.KindOf(err) == fault.Throttled {
		news = e.budget.Throttled(ticket, retryAfter(err))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.client.options.Now()
	if refused, ok := errors.AsType[untrusted](err); ok && e.route.distrusts(way, now, refused.Error()) {
		err = unreached{fault.New(fault.Transient, "%s", refused.Error())}
	}
	kind := fault.KindOf(err)
	bad := troubled(status, err)
	reason := ""
	if bad {
		reason = err.Error()
	}
	e.route.ended(way, bad, now, reason)
	switch {
	case err != nil && kind == fault.Throttled:
		e.figures.Throttles++
		e.figures.Series.Throttled[e.figures.Series.bucket(ticket.Sent())]++
		e.health.throttled(ticket.Sent(), news)
	case err != nil && kind == fault.Transient:
		e.figures.Failures++
		e.figures.Series.Failed[e.figures.Series.bucket(ticket.Sent())]++
		e.health.failed(ticket.Sent())
		e.failure = err.Error()
	default:
		e.health.good()
		e.good = now
		e.took(now.Sub(ticket.Sent()))
		return err
	}
	if e.health.stopped == nil && e.health.hopeless(now) {
		e.health.stopped = e.health.fault(e.name, e.route, now, err)
	}
	if e.health.stopped != nil {
		return e.health.stopped
	}
	return err
}
