package simulated

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fault is something that goes wrong on demand. It hits the requests of a path and key that pass
// all checks of credentials and budget.
type Fault struct {
	Path        string  // empty: any
	Key         string  // the user or group that is asked about; empty: any
	Nth         int     // the first matching request that is hit, from 1; 0: the first
	Times       int     // how many are hit from then on; 0: every one
	Probability float64 // of being hit, drawn from the world's seed; 0: certain
	Do          Effect
}

// Effect is what a fault does. The functions below make one.
type Effect struct {
	act  func(q *query, v vendor, rw http.ResponseWriter) // replaces the answer
	mark func(p *plan)                                    // changes it
	dial func() error                                     // instead of a connection; only the Transport can
}

// plan is what all faults together demand of one answer.
type plan struct {
	delay       time.Duration
	stop        *Effect
	truncate    bool
	duplicate   bool
	drop        bool
	repeatToken bool
	surrogate   bool
	expire      bool
	barren      bool
	total       int
	lies        lies
}

type faults struct {
	mu     sync.Mutex
	list   []*fault
	dice   dice
	dialed bool // the Transport is in use, where connections fail before a request arrives
}

type fault struct {
	Fault
	seen, hit int
}

// Fault plants faults. All that match a request take effect, in the order of planting; the first
// that replaces the answer wins.
func (w *World) Fault(list ...Fault) {
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	for _, f := range list {
		w.faults.list = append(w.faults.list, &fault{Fault: f})
	}
}

// Heal removes all faults.
func (w *World) Heal() {
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	w.faults.list = nil
}

// dial tells what keeps a request from being sent at all, nil for nothing. No key is known yet.
func (fs *faults) dial(path string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.list {
		if f.Do.dial != nil && f.matches(path, f.Key, &fs.dice) {
			return f.Do.dial()
		}
	}
	return nil
}

func (fs *faults) plan(path, key string) (p plan) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.list {
		if f.Do.dial != nil && fs.dialed || !f.matches(path, key, &fs.dice) {
			continue
		}
		if f.Do.mark != nil {
			f.Do.mark(&p)
		} else if f.Do.act != nil && p.stop == nil {
			p.stop = &f.Do
		}
	}
	return p
}

func (f *fault) matches(path, key string, d *dice) bool {
	if f.Path != "" && f.Path != path || f.Key != "" && f.Key != key {
		return false
	}
	f.seen++
	if f.seen < f.Nth || f.Times > 0 && f.hit >= f.Times {
		return false
	}
	if f.Probability > 0 && float64(d.next()>>11)/(1<<53) >= f.Probability {
		return false
	}
	f.hit++
	return true
}

func replace(make func(q *query, v vendor) answer) Effect {
	return Effect{act: func(q *query, v vendor, rw http.ResponseWriter) { q.send(rw, make(q, v)) }}
}

// Status answers with an HTTP status and a body of no particular type.
func Status(status int, body string) Effect {
	return replace(func(*query, vendor) answer {
		return answer{status: status, body: []byte(body), mediaType: "text/plain; charset=utf-8"}
	})
}

// Code answers with a code of the vendor, in the vendor's shape and with its HTTP status.
func Code(code int, message string) Effect {
	return replace(func(q *query, v vendor) answer { return v.refuse(q, code, message) })
}

// HTML answers with a gateway's page.
func HTML(status int) Effect {
	return replace(func(*query, vendor) answer {
		page := "<html><head><title>" + http.StatusText(status) + "</title></head><body><h1>nginx</h1></body></html>"
		return answer{status: status, body: []byte(page), mediaType: "text/html"}
	})
}

// Throttled answers that a budget was passed; retryAfter is the header's text, empty for none.
func Throttled(retryAfter string) Effect {
	return replace(func(q *query, v vendor) answer {
		a := v.throttle(q)
		a.retryAfter = retryAfter
		return a
	})
}

// Huge answers with n bytes that begin like JSON and never end it.
func Huge(n int64) Effect {
	return Effect{act: func(q *query, _ vendor, rw http.ResponseWriter) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"junk":"`))
		block := []byte(strings.Repeat("x", 32<<10))
		for left := n; left > 0 && q.http.Context().Err() == nil; left -= int64(len(block)) {
			if _, err := rw.Write(block[:min(left, int64(len(block)))]); err != nil {
				return
			}
		}
	}}
}

// Reset cuts the connection without an answer.
func Reset() Effect {
	return Effect{act: func(_ *query, _ vendor, rw http.ResponseWriter) {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil { // not HTTP/1: an answer that is no answer must do
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}}
}

// Silence never answers, until the client goes away.
func Silence() Effect {
	return Effect{act: func(q *query, _ vendor, _ http.ResponseWriter) { <-q.http.Context().Done() }}
}

// Delay answers rightly, but later.
func Delay(d time.Duration) Effect { return Effect{mark: func(p *plan) { p.delay += d }} }

// Truncated ends the JSON after two thirds, as a whole answer with the wrong content.
func Truncated() Effect { return Effect{mark: func(p *plan) { p.truncate = true }} }

// DuplicateRow tells the last row of the page before once more at the head of the page.
func DuplicateRow() Effect { return Effect{mark: func(p *plan) { p.duplicate = true }} }

// MissingRow leaves a row of the page out.
func MissingRow() Effect { return Effect{mark: func(p *plan) { p.drop = true }} }

// EmptyPage gives a page without rows and yet a fresh token behind which the list goes on, as a
// vendor may do that filters a page after cutting it, twice in a row at most. RongCloud's listings by token
// alone have it.
func EmptyPage() Effect { return Effect{mark: func(p *plan) { p.barren = true }} }

// RepeatedToken hands back the token that it was asked with, for ever.
func RepeatedToken() Effect { return Effect{mark: func(p *plan) { p.repeatToken = true }} }

// Total adds n to the declared total, down to 0: of every answer for a wrong total, of the first only (Times: 1)
// for one that changes while paging.
func Total(n int) Effect { return Effect{mark: func(p *plan) { p.total += n }} }

// Surrogate ends the first display text of the answer in half an emoji.
func Surrogate() Effect { return Effect{mark: func(p *plan) { p.surrogate = true }} }

// Paths lists the paths of both vendors, for faults and limits of all of them.
func Paths() []string {
	return []string{PathUserGroups, PathGroupMembers, PathJoinedGroups, PathTencentJoined, PathTencentRoles, PathTencentMember}
}
