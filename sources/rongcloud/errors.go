package rongcloud

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
	"rollcall/sources/wire"
)

const hostingHint = "this data block needs profile hosting: ask RongCloud by ticket to enable it for this app, or use rongcloud_user_groups"

// refusal is what an answer that is no page means.
type refusal struct {
	kind    fault.Kind
	outcome schema.Outcome
	hint    string
	again   bool
}

// refuse classifies an answer by HTTP status, body code and errorMessage together. Throttling and
// trouble of RongCloud's own come first, whatever else the answer says; then the code, which is
// the finer word; then the status. A code that nobody knows concerns the key alone.
func refuse(status int, code int64, message string) refusal {
	switch {
	case status == http.StatusTooManyRequests || code == 1008:
		return refusal{kind: fault.Throttled, hint: "lower this budget or share; RongCloud counts per app key and endpoint, and answers 1008 also where a service was never enabled"}
	case status >= 500 || code == 1000 || code == 1050:
		return refusal{kind: fault.Transient}
	case code == 1002 && strings.Contains(strings.ToLower(message), "app-key"):
		return refusal{kind: fault.Credentials, hint: "check app_key, and that endpoint is the app's own data centre"}
	}
	if r, known := byCode(code); known {
		return r
	}
	switch {
	case status >= 300 && status < 400:
		return refusal{kind: fault.Configuration, hint: "redirects are not followed: put the address that RongCloud names in endpoint"}
	case status == http.StatusUnauthorized:
		return refusal{kind: fault.Credentials, hint: "check app_key and app_secret"}
	case status == http.StatusForbidden && code >= 0:
		return refusal{kind: fault.Item, outcome: schema.Denied}
	case status == http.StatusNotFound:
		return refusal{kind: fault.Configuration, hint: "check endpoint: it must be a RongCloud server API"}
	case status == 430:
		return refusal{kind: fault.Configuration, hint: hostingHint}
	case code < 0:
		return refusal{kind: fault.Transient} // no word of RongCloud's: something on the way answered
	default:
		return refusal{kind: fault.Item, outcome: schema.Failed}
	}
}

// byCode knows the codes that mean the same under every status (RongCloud, code page). The 2xxxx
// codes are those of the client SDKs, which the hosted endpoints share.
func byCode(code int64) (refusal, bool) {
	switch code {
	case 1001, 1006:
		return refusal{kind: fault.Credentials, hint: "check app_key and app_secret, and in the console that the app is neither locked nor deleted"}, true
	case 1004:
		return refusal{kind: fault.Credentials, hint: "check app_secret (not the App Key), and this machine's clock"}, true
	case 1007:
		return refusal{kind: fault.Credentials, hint: "RongCloud restricts who may call: add this machine's address to the app's IP list"}, true
	case 1009, 24369:
		return refusal{kind: fault.Configuration, hint: hostingHint}, true
	case 404, 1003:
		return refusal{kind: fault.Configuration, hint: "check endpoint, and that no proxy on the way drops the body of a POST"}, true
	case 25410:
		return refusal{kind: fault.Item, outcome: schema.Gone}, true
	case 25405:
		return refusal{kind: fault.Item, outcome: schema.Denied}, true
	case 400, 1002, 1005, 1501, 1502, 1508:
		return refusal{kind: fault.Item, outcome: schema.Failed}, true
	}
	return refusal{}, false
}

// refused makes the fault of one answer that is no page. Hidden never shows in it.
func refused(q sources.Question, answer sources.Answer, p page, now time.Time, hidden ...string) *fault.Error {
	r := refuse(answer.Status, p.code, p.message)
	e := fault.New(r.kind, "RongCloud refused %s of %s: HTTP %d", q.Data, subject(q).Key, answer.Status)
	e.Hint, e.Outcome, e.Again = r.hint, r.outcome, r.again
	if p.code >= 0 {
		e.Code = strconv.FormatInt(p.code, 10)
		e.Message += ", code " + e.Code
	}
	if p.message != "" {
		e.Message += ", " + wire.Quote(p.message, hidden...)
	}
	if answer.Status >= 300 && answer.Status < 400 {
		e.Message += ", redirect to " + wire.Quote(answer.Header.Get("Location"), hidden...)
	}
	if r.kind == fault.Throttled || r.kind == fault.Transient {
		e.RetryAfter = wire.RetryAfter(answer.Header, now)
	}
	return e
}

func subject(q sources.Question) wire.Subject {
	key := "user "
	if q.Data == groupMembers {
		key = "group "
	}
	return wire.Subject{Vendor: "RongCloud", Data: q.Data, Key: key + wire.Name(q.Key)}
}
