package tencentchat

import (
	"net/http"
	"strconv"
	"time"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
	"rollcall/sources/wire"
)

// tooLarge is the code of an answer over 1 MB: a smaller page may pass.
const tooLarge = 10018

// refusal is what an answer that is no page means.
type refusal struct {
	kind    fault.Kind
	outcome schema.Outcome
	hint    string
	again   bool
}

// refuse classifies an answer by HTTP status and ErrorCode. A gateway's status comes first; a code
// that nobody knows concerns the key alone.
func refuse(status int, code int64, q sources.Question) refusal {
	switch {
	case status == http.StatusTooManyRequests:
		return throttled()
	case status >= 500 || status == http.StatusRequestTimeout:
		return refusal{kind: fault.Transient}
	}
	for _, table := range []func(int64) (refusal, bool){passing, credentials, configuration} {
		if r, known := table(code); known {
			return r
		}
	}
	switch {
	case code == 10010 || code == 10015: // 10015: Tencent's pages disagree, its header says a bad group ID
		return refusal{kind: fault.Item, outcome: schema.Gone}
	case (code == 70107 || code == 10019) && q.Data == joinedGroups: // the account was never imported, or is no more
		return refusal{kind: fault.Item, outcome: schema.Gone}
	case code == 10007 && q.Data != joinedGroups:
		return refusal{kind: fault.Item, outcome: schema.Unsupported}
	case code == 10007:
		return refusal{kind: fault.Item, outcome: schema.Denied}
	case code > 0:
		return refusal{kind: fault.Item, outcome: schema.Failed}
	}
	return byStatus(status)
}

// byStatus judges an answer in which Tencent said nothing.
func byStatus(status int) refusal {
	switch {
	case status >= 300 && status < 400:
		return refusal{kind: fault.Configuration, hint: "redirects are not followed: put the address that Tencent names in endpoint"}
	case status == http.StatusUnauthorized:
		return refusal{kind: fault.Credentials, hint: "check sdk_app_id, identifier and secret_key"}
	case status == http.StatusNotFound:
		return refusal{kind: fault.Configuration, hint: "check endpoint: it must be a Tencent Cloud Chat REST API"}
	default:
		return refusal{kind: fault.Transient}
	}
}

func throttled() refusal {
	return refusal{kind: fault.Throttled, hint: "lower this budget or share; Tencent counts per SDKAppID and command"}
}

// passing knows what may pass by itself (Tencent, documents 679/131708 and 269/1617).
func passing(code int64) (refusal, bool) {
	switch code {
	case 60007, 60011, 60018, 60019, 10006:
		return throttled(), true
	case 60008, 60013, 60014, 70169, 70500, 10002:
		return refusal{kind: fault.Transient}, true
	}
	return refusal{}, false
}

// credentials knows the ways in which Tencent refuses who we are.
func credentials(code int64) (refusal, bool) {
	r := refusal{kind: fault.Credentials}
	switch code {
	case 70001, 70052:
		r.again, r.hint = true, "check this machine's clock and secret_key: a UserSig made just now was refused as expired"
	case 70009, 70002, 70003, 70005, 70016:
		r.hint = "check that secret_key is the key of this sdk_app_id"
	case 60006, 60012, 70014, 70020:
		r.hint = "check sdk_app_id, and that endpoint is the app's own region"
	case 60004, 60005, 60010, 70013, 70403:
		r.hint = "check identifier: it must be an administrator account of the app"
	case 70050:
		r.hint = "Tencent locked the account after several refusals: check secret_key, wait a minute and run it again"
	case 70051, 70114:
		r.hint = "Tencent blocks this account: name another administrator in identifier, or ask Tencent"
	default:
		return refusal{}, false
	}
	return r, true
}

// configuration knows what a person must change at Tencent or in the configuration.
func configuration(code int64) (refusal, bool) {
	r := refusal{kind: fault.Configuration}
	switch code {
	case 60009, 10003:
		r.hint = "check endpoint: it must be a Tencent Cloud Chat REST API"
	case 60016, 60017, 10026:
		r.hint = "Tencent has disabled the app or this command for it: check the app in Tencent's console"
	case 60020:
		r.hint = "the plan of this app does not include this command, or has been bought less than five minutes ago"
	case 60021:
		r.hint = "add this machine's address to the IP list of the app in Tencent's console"
	default:
		return refusal{}, false
	}
	return r, true
}

// refused makes the fault of one answer that is no page. Hidden never shows in it.
func refused(q sources.Question, answer sources.Answer, p page, now time.Time, hidden ...string) *fault.Error {
	r := refuse(answer.Status, p.code, q)
	e := fault.New(r.kind, "Tencent refused %s of %s: HTTP %d", q.Data, subject(q).Key, answer.Status)
	e.Hint, e.Outcome, e.Again = r.hint, r.outcome, r.again
	if p.code > 0 {
		e.Code = strconv.FormatInt(p.code, 10)
		e.Message += ", code " + e.Code
	}
	if p.info != "" {
		e.Message += ", " + wire.Quote(p.info, hidden...)
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
	key := "group "
	if q.Data == joinedGroups {
		key = "user "
	}
	return wire.Subject{Vendor: "Tencent", Data: q.Data, Key: key + wire.Name(q.Key)}
}
