package simulated

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// form is RongCloud's question: each field once.
type form map[string]string

// rongServer answers as RongCloud documents it (pages: auth, code, query-group-by-user,
// query-group-member, query-member-join-group).
type rongServer struct{}

// rongFields lists what each path knows; the first is required.
func rongFields(path string) []string {
	switch path {
	case PathUserGroups:
		return []string{"userId", "page", "size"}
	case PathGroupMembers:
		return []string{"groupId", "type", "pageToken", "size", "order"}
	case PathJoinedGroups:
		return []string{"userId", "role", "pageToken", "size", "order"}
	}
	return nil
}

func (s rongServer) admit(q *query) (string, *answer) {
	fields := rongFields(q.path)
	if fields == nil {
		return "", s.no(q, 404, "no such path")
	}
	if refusal := s.authenticate(q); refusal != nil {
		return "", refusal
	}
	if q.options.HostingOff && strings.HasPrefix(q.path, "/entrust/") {
		return "", s.no(q, 1009, "profile hosting is not enabled.")
	}
	mediaType, _, _ := strings.Cut(q.http.Header.Get("Content-Type"), ";")
	if q.http.Method != http.MethodPost || len(q.body) == 0 || strings.TrimSpace(mediaType) != "application/x-www-form-urlencoded" {
		return "", s.no(q, 1003, "no POST data in application/x-www-form-urlencoded.")
	}
	if len(q.body) > 100<<10 {
		return "", s.no(q, 1508, "body is over 100 kB.")
	}
	if q.http.URL.RawQuery != "" {
		return "", s.no(q, 1002, "no parameter belongs in the URL.")
	}
	if problem := q.parseForm(fields); problem != "" {
		return "", s.no(q, 1002, problem)
	}
	return q.form[fields[0]], nil
}

func (q *query) parseForm(known []string) (problem string) {
	values, err := url.ParseQuery(string(q.body))
	if err != nil {
		return "the form can't be read."
	}
	q.form = make(form, len(values))
	for name, list := range values {
		if len(list) > 1 {
			return name + " is given more than once."
		}
		q.form[name] = list[0]
	}
	found := 0
	for _, name := range known {
		if _, given := q.form[name]; given {
			found++
		}
	}
	if found != len(q.form) {
		return "unknown parameter; known: " + strings.Join(known, ", ")
	}
	if q.form[known[0]] == "" {
		return known[0] + " is required."
	}
	return ""
}

// authenticate holds the four headers against the app (auth page): each also goes by an RC- alias.
func (s rongServer) authenticate(q *query) *answer {
	header := func(name string) string {
		if v := q.http.Header.Get(name); v != "" {
			return v
		}
		return q.http.Header.Get("RC-" + name)
	}
	nonce, timestamp := header("Nonce"), header("Timestamp")
	if header("App-Key") != q.options.AppKey {
		return s.no(q, 1002, "invalid App-Key.")
	}
	if len(nonce) > 18 && !q.options.LooseNonce {
		return s.no(q, 1005, "Nonce is longer than 18 characters.")
	}
	if len(q.http.Header.Get("X-Request-ID")) > 36 {
		return s.no(q, 1005, "X-Request-ID is longer than 36 characters.")
	}
	want := RongCloudSignature(q.options.AppSecret, nonce, timestamp)
	if nonce == "" || !q.timely(timestamp) || !hmac.Equal([]byte(want), []byte(header("Signature"))) {
		return s.no(q, 1004, "签名错误，请检查。")
	}
	return nil
}

// RongCloudSignature is lower-case hex SHA-1 of secret, nonce and timestamp as they were sent.
func RongCloudSignature(secret, nonce, timestamp string) string {
	sum := sha1.Sum([]byte(secret + nonce + timestamp))
	return hex.EncodeToString(sum[:])
}

// timely accepts seconds and milliseconds, as every SDK sends the former and the page demands the latter.
func (q *query) timely(timestamp string) bool {
	n, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || n <= 0 {
		return false
	}
	if !q.options.StrictClock {
		return true
	}
	const tolerance = 5 * 60 * 1000
	off := n - q.now().UnixMilli()
	return -tolerance <= off && off <= tolerance
}

func (s rongServer) no(q *query, code int, message string) *answer {
	a := s.refuse(q, code, message)
	return &a
}

// refuse pairs codes and HTTP statuses as the code page does.
func (s rongServer) refuse(q *query, code int, message string) answer {
	status := http.StatusOK
	switch code {
	case 404:
		status = http.StatusNotFound
	case 1000:
		status = http.StatusInternalServerError
	case 1001, 1004, 1006, 1007:
		status = http.StatusUnauthorized
	case 400, 1002, 1003, 1005, 1501, 1502, 1508:
		status = http.StatusBadRequest
	case 1008:
		status = http.StatusTooManyRequests
	case 1009:
		status = 430
	case 1016, 2007:
		status = http.StatusForbidden
	case 1050:
		status = http.StatusGatewayTimeout
	}
	t := text{b: q.buf, quoted: q.options.NumbersAsStrings}
	t.raw("{")
	t.key("url")
	t.string(q.path)
	t.key("code")
	t.number(int64(code))
	t.key("errorMessage")
	t.string(message)
	t.raw("}")
	q.buf = t.b
	return answer{status: status, body: t.b}
}

func (s rongServer) throttle(q *query) answer {
	return s.refuse(q, 1008, "the call exceeds the cap per second.")
}

func (s rongServer) codes() map[Class]int {
	return map[Class]int{Busy: 1000, BadItem: 1002, GoneItem: 25410, BadSignature: 1004, NotEnabled: 1009}
}

func (s rongServer) reply(q *query) answer {
	done := q.RongCloud.read()
	defer done()
	switch q.path {
	case PathUserGroups:
		return s.userGroups(q)
	case PathGroupMembers:
		return s.groupMembers(q)
	default:
		return s.joinedGroups(q)
	}
}
