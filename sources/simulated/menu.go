package simulated

import "time"

// Dish is a fault that can be ordered by name.
type Dish struct {
	Name    string
	Doc     string // what goes wrong, one line
	Passing bool   // a run gets over it, however often it comes: a client that tries again gets the same answer as without it
	Online  bool   // a server can play it, not only the Transport
	Effects []Effect
}

// Menu lists the faults by name, in the order in which a request meets them.
func Menu() []Dish {
	return []Dish{
		{"refused", "connections are refused for a moment", true, true, []Effect{Refused()}},
		{"dns", "the host's name is not found", true, false, []Effect{Unresolved()}},
		{"tls", "the TLS handshake fails", true, false, []Effect{Handshake()}},
		{"reset", "the connection is cut without an answer", true, true, []Effect{Reset()}},
		{"silent", "no answer begins, until the client gives up", true, true, []Effect{Silence()}},
		{"slow", "the answer comes two seconds late", true, true, []Effect{Delay(2 * time.Second)}},
		{"garbage", "bytes that are no HTTP", true, true, []Effect{Garbage()}},
		{"stall", "nothing more after half of the body, until the client gives up", true, true, []Effect{Stall()}},
		{"cut", "the connection is cut after half of the body", true, true, []Effect{Cut()}},
		{"length", "a Content-Length that is too long or too short", true, true, []Effect{Longer(), Shorter()}},
		{"json", "JSON that ends too early, as a whole answer", true, true, []Effect{Truncated()}},
		{"html", "a gateway's page of HTML, as 200 and as 502", true, true, []Effect{HTML(200), HTML(502)}},
		{"5xx", "500, 502, 503 and 504 without a word of the vendor's", true, true, []Effect{Status(500, ""), Status(502, "Bad Gateway"), Status(503, ""), Status(504, "upstream timed out")}},
		{"429", "throttling, with and without Retry-After", true, true, []Effect{Throttled(""), Throttled("1"), Status(429, "")}},
		{"code-busy", "the vendor's code for trouble of its own", true, true, []Effect{OfClass(Busy)}},
		{"code-throttled", "the vendor's code for too many requests", true, true, []Effect{OfClass(TooMany)}},
		{"code-item", "the vendor's code for a key that it refuses: the key fails", false, true, []Effect{OfClass(BadItem)}},
		{"code-gone", "the vendor's code for a group that does not exist: the key is gone", false, true, []Effect{OfClass(GoneItem)}},
		{"code-credentials", "the vendor's code for wrong credentials: the run stops", false, true, []Effect{OfClass(BadSignature)}},
		{"code-configuration", "the vendor's code for an API that is not enabled: the run stops", false, true, []Effect{OfClass(NotEnabled)}},
		{"token", "page tokens expire", false, true, []Effect{ExpiredToken()}},
		{"empty-page", "an empty page with a token behind which the list goes on", true, true, []Effect{EmptyPage()}},
		{"row-twice", "the last row of a page stands on the next one too", false, true, []Effect{DuplicateRow()}},
		{"row-missing", "a page lacks a row", false, true, []Effect{MissingRow()}},
		{"total", "a total that is three too large", false, true, []Effect{Total(3)}},
		{"total-lags", "a total that is three too small", false, true, []Effect{Total(-3)}},
		{"no-total", "an answer without the total that it should have", false, true, []Effect{NoTotal()}},
		{"no-list", "null in the place of a list, with and without a total", false, true, []Effect{NoList(), NoListNoTotal()}},
		{"two-roles", "an answer that gives one user two roles", false, true, []Effect{TwoRoles()}},
		{"foreign", "an answer that says that it is about another group or user", false, true, []Effect{Foreign()}},
	}
}

// Order makes a dish's faults hit this part of all answers, its effects in equal parts.
func (d Dish) Order(rate float64) []Fault {
	var all []Fault
	for i, effect := range d.Effects {
		// The effects are drawn one after the other: each of those that are left takes an equal
		// part of what the ones before it have let pass.
		part := rate / float64(len(d.Effects))
		all = append(all, Fault{Probability: part / (1 - float64(i)*part), Do: effect})
	}
	return all
}
