package client

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"rollcall/schema/fault"
)

// Hosts are the two names of one vendor's server: origins without a path, "https://api.example.com".
// Both lead to the same app, whose budget they share. Backup is empty where there is none.
type Hosts struct{ Main, Backup string }

const (
	// troubleBound is how many attempts in a row a host may fail before the other one is asked:
	// one cut connection says nothing, and two minutes in all is what an endpoint has.
	troubleBound = 3

	// switchSpacing is the time between two switches, as in RongCloud's own SDKs for Go and
	// Python, so that two bad hosts are not asked by turns.
	switchSpacing = 30 * time.Second

	// The first request that looks whether the main host is back, and the longest pause between two.
	firstProbe   = 30 * time.Second
	longestProbe = 5 * time.Minute
)

// route says which of its hosts an endpoint's next request goes to. It starts with the main one,
// goes over when the host in use fails, and back when one request has shown that the main host
// answers again. It is guarded by its Endpoint, and knows nothing of budgets: which host a request
// goes to is decided when its place is already taken.
type route struct {
	hosts    Hosts
	backup   bool  // in use
	switches int64 // so far
	at       time.Time
	reason   string // of the last switch

	failed    int     // attempts in a row that the host in use failed
	untrusted [2]bool // main, backup: whose certificate was refused
	probing   bool    // one request is on its way to the main host while the backup is in use
	probe     time.Time
	pause     time.Duration
}

// leg is the way one attempt took.
type leg struct {
	routed   bool // its request is one that has a choice
	backup   bool
	probe    bool
	switches int64 // how many there had been when it was sent
}

// send chooses the host of a request that is about to be sent, and writes it into the request.
func (r *route) send(request *http.Request, now time.Time) leg {
	if r.hosts.Backup == "" || request.URL.Scheme+"://"+request.URL.Host != r.hosts.Main {
		return leg{}
	}
	l := leg{routed: true, backup: r.backup, switches: r.switches}
	if r.backup && !r.probing && !now.Before(r.probe) {
		r.probing, l.probe, l.backup = true, true, false
	}
	if l.backup {
		redirect(request, r.hosts.Backup)
	}
	return l
}

func redirect(request *http.Request, origin string) {
	to, err := url.Parse(origin)
	if err != nil { // it was checked with the configuration; the main host is as good a place to fail
		return
	}
	request.URL.Scheme, request.URL.Host, request.Host = to.Scheme, to.Host, to.Host
}

// distrusts hears that the certificate of an attempt's host was refused. It is true where the other
// host is still to be tried: a name that was hijacked is what a vendor's second name is for.
func (r *route) distrusts(l leg, now time.Time, reason string) bool {
	if !l.routed {
		return false
	}
	if l.probe {
		return true
	}
	mine, other := 0, 1
	if l.backup {
		mine, other = 1, 0
	}
	r.untrusted[mine] = true
	if r.untrusted[other] {
		return false
	}
	if l.switches == r.switches {
		r.change(now, reason)
	}
	return true
}

// ended hears how an attempt went: trouble means that its host is to blame.
func (r *route) ended(l leg, trouble bool, now time.Time, reason string) {
	switch {
	case !l.routed || l.switches != r.switches: // of a host that is not in use any more
	case l.probe:
		r.probing = false
		if !trouble {
			r.untrusted[0] = false
			r.change(now, "it answers again")
			return
		}
		r.pause = min(2*r.pause, longestProbe)
		r.probe = now.Add(r.pause)
	case !trouble:
		r.failed = 0
	default:
		if r.failed++; r.failed >= troubleBound && (r.at.IsZero() || now.Sub(r.at) >= switchSpacing) {
			r.change(now, reason)
		}
	}
}

// abandoned hears that an attempt was called off.
func (r *route) abandoned(l leg) {
	if l.probe && l.switches == r.switches {
		r.probing = false
	}
}

func (r *route) change(now time.Time, reason string) {
	r.backup = !r.backup
	r.switches++
	r.at, r.reason, r.failed, r.probing = now, reason, 0, false
	r.pause, r.probe = firstProbe, now.Add(firstProbe)
}

// host is the one in use, without its scheme.
func (r *route) host() string {
	origin := r.hosts.Main
	if r.backup {
		origin = r.hosts.Backup
	}
	_, host, _ := strings.Cut(origin, "://")
	return host
}

// troubled tells whether a failed attempt is its host's fault: no answer, a gateway's, or one that
// the vendor did not write. What carries the vendor's own code came from the vendor, who would say
// the same at another host, unless the status says that its server has failed. Status 0: no answer.
func troubled(status int, err error) bool {
	return err != nil && fault.KindOf(err) == fault.Transient && (status == 0 || status >= 500 || code(err) == "")
}
