package rongcloud_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
	"rollcall/sources/sourcetest"
)

func open(t *testing.T, handler http.Handler) sources.Source {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return config(server.URL).Open(sources.Environment{Now: time.Now, Random: rand.Uint64})
}

// script answers with one body after the other, the last one for ever, and keeps what was asked.
type script struct {
	bodies []string
	mu     sync.Mutex
	asked  []url.Values
	heads  []http.Header
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.heads = append(s.asked, r.PostForm), append(s.heads, r.Header)
	io.WriteString(w, s.bodies[min(len(s.asked), len(s.bodies))-1])
}

func ask(t *testing.T, q sources.Question, bodies ...string) (sources.Reading, *script, error) {
	t.Helper()
	s := &script{bodies: bodies}
	reading, err := open(t, s).Ask(t.Context(), &sourcetest.Caller{}, q)
	return reading, s, err
}

var (
	members = sources.Question{Data: "group_members", Key: "g"}
	joined  = sources.Question{Data: "joined_groups", Key: "u"}
	groups  = sources.Question{Data: "user_groups", Key: "u"}
)

func TestMembersAreReadByTokenInAscendingOrder(t *testing.T) {
	t.Parallel()
	r, s, err := ask(t, members,
		`{"code":200,"totalCount":3,"pageToken":"t+1","members":[{"userId":"a","role":3,"time":1700000000123,"nickname":"","extra":"x"},{"userId":"b","role":"2","time":"0"}]}`,
		`{"code":"200","totalCount":"3","pageToken":null,"members":[{"userId":"b","role":2,"nickname":"later"},{"userId":"c","role":9,"nickname":null}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []sources.Row{
		{Group: "g", User: "a", Role: schema.Owner, RoleRaw: schema.SomeText("3"), Nickname: schema.SomeText(""), Extra: schema.SomeText("x"), Joined: schema.Micros{Value: 1700000000123000, Valid: true}},
		{Group: "g", User: "b", Role: schema.Admin, RoleRaw: schema.SomeText("2")},
		{Group: "g", User: "c", RoleRaw: schema.SomeText("9")},
	}
	mustHaveAll(t, "members", r.Rows, want)
	if len(r.Rows) != 3 || r.Declared != 3 || r.Drifted || r.Unverified {
		t.Errorf("reading %+v", r)
	}
	first, second := s.asked[0], s.asked[1]
	if first.Encode() != "groupId=g&order=0&size=100" || second.Encode() != "groupId=g&order=0&pageToken=t%2B1&size=100" {
		t.Errorf("asked %v, then %v", first.Encode(), second.Encode())
	}
}

func TestRequestsAreSignedAfreshWithinTheDocumentedBounds(t *testing.T) {
	t.Parallel()
	_, s, err := ask(t, members, `{"code":200,"totalCount":2,"pageToken":"1","members":[{"userId":"a"}]}`, `{"code":200,"totalCount":2,"members":[{"userId":"b"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range s.heads {
		if n := len(h.Get("Nonce")); n == 0 || n > 18 {
			t.Errorf("a nonce of %d characters", n)
		}
		if len(h.Get("Timestamp")) != 13 || h.Get("App-Key") != appKey || len(h.Get("Signature")) != 40 {
			t.Errorf("headers %v", h)
		}
		if h.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("content type %q", h.Get("Content-Type"))
		}
	}
	if s.heads[0].Get("Nonce") == s.heads[1].Get("Nonce") {
		t.Error("two requests with one nonce")
	}
}

func TestATotalThatChangesWhilePagingIsDrift(t *testing.T) {
	t.Parallel()
	r, _, err := ask(t, joined,
		`{"code":200,"totalCount":1,"pageToken":"1","groups":[{"groupId":"g1","role":1,"joinTime":1,"name":"n","remarkName":"mine"}]}`,
		`{"code":200,"totalCount":2,"pageToken":"","groups":[{"groupId":"g2"}]}`)
	if err != nil || !r.Drifted || r.Declared != 2 || len(r.Rows) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAnEmptyListIsEmptyAndAnAbsentOneIsNoAnswer(t *testing.T) {
	t.Parallel()
	if r, _, err := ask(t, groups, `{"code":200,"groups":[]}`); err != nil || len(r.Rows) != 0 || r.Declared != -1 {
		t.Errorf("no groups: %+v, %v", r, err)
	}
	for _, body := range []string{`{"code":200,"totalCount":0}`, `{"code":200,"totalCount":0,"members":null}`, `{"code":200,"totalCount":"0","members":[]}`} {
		if r, _, err := ask(t, members, body); err != nil || r.Declared != 0 || len(r.Rows) > 0 {
			t.Errorf("%s: %+v, %v", body, r, err)
		}
	}
}

// Nothing but a total tells a list that was left out from an empty one: each such answer is one whose
// key is read again, and it is not asked for ten times.
func TestAnAnswerWithoutWhatProvesItIsContradictory(t *testing.T) {
	t.Parallel()
	full := strings.TrimSuffix(strings.Replace(groupsPage(0, 100), "groups", "members", 1), "}")
	full = strings.ReplaceAll(full, `"id"`, `"userId"`) + "}"
	for body, q := range map[string]sources.Question{
		`{"code":200}`:                                     groups,
		`{"code":200,"groups":null}`:                       groups,
		`{"code":200,"Groups":[]}`:                         groups,
		`{"code":200,"result":{"members":1}}`:              members,
		`{"code":200,"members":null}`:                      members,
		`{"code":200,"members":[]}`:                        members,
		`{"code":200,"members":[{"userId":"a","role":1}]}`: members,
		`{"code":200,"totalCount":null,"members":[]}`:      members,
		`{"code":200,"totalCount":"","members":[]}`:        members,
		`{"code":200,"totalCount":-1,"members":[]}`:        members,
		`{"code":200,"totalCount":-3,"members":null}`:      members,
		`{"code":200,"totalCount":3}`:                      members,
		`{"code":200,"totalCount":3,"members":null}`:       members,
		full:                       members,
		`{"code":200,"groups":[]}`: joined,
		`{"code":200,"totalCount":-1,"groups":[]}`:          joined,
		`{"code":200,"totalCount":7,"groups":null}`:         joined,
		`{"code":200,"totalCount":1,"groups":[],"total":0}`: {Data: "group_members", Key: "g"},
	} {
		_, s, err := ask(t, q, body)
		if fault.KindOf(err) != fault.Transient || len(s.asked) != 1 || errors.Is(err, sources.ErrForeign) != strings.Contains(body, `"total":0`) {
			t.Errorf("%.80s is taken for an answer to %s: %v", body, q.Data, err)
		}
	}
	only := members
	only.Only = []schema.Role{schema.Owner}
	if _, _, err := ask(t, only, `{"code":200,"members":[]}`); fault.KindOf(err) != fault.Transient {
		t.Errorf("no total where only owners were asked for: %v", err)
	}
	if _, _, err := ask(t, members, `{"code":200,"totalCount":2,"pageToken":"1","members":[{"userId":"a"}]}`, `{"code":200,"members":[{"userId":"b"}]}`); fault.KindOf(err) != fault.Transient {
		t.Errorf("no total on the second page: %v", err)
	}
}

func TestAnAnswerThatNamesAnotherQuestionIsForeign(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		q      sources.Question
		bodies []string
	}{
		"another group":                 {members, []string{`{"code":200,"totalCount":0,"groupId":"h","members":[]}`}},
		"another group, refused":        {members, []string{`{"code":25410,"groupId":"h"}`}},
		"another group on page two":     {members, []string{`{"code":200,"totalCount":2,"groupId":"g","pageToken":"1","members":[{"userId":"a"}]}`, `{"code":200,"totalCount":2,"groupId":"h","members":[{"userId":"b"}]}`}},
		"another group in a row":        {members, []string{`{"code":200,"totalCount":1,"members":[{"userId":"a","groupId":"h"}]}`}},
		"another user":                  {groups, []string{`{"code":200,"userId":"v","groups":[]}`}},
		"another user of hosted groups": {joined, []string{`{"code":200,"totalCount":0,"userId":"v","groups":[]}`}},
		"another user in a row":         {joined, []string{`{"code":200,"totalCount":1,"groups":[{"groupId":"g","userId":"v"}]}`}},
		"an empty group for a user":     {joined, []string{`{"code":200,"totalCount":0,"groupId":"h","members":[]}`}},
		"members for a user":            {groups, []string{`{"code":200,"totalCount":0,"members":[]}`}},
		"groups for a group":            {members, []string{`{"code":200,"totalCount":0,"groups":[]}`}},
	} {
		r, _, err := ask(t, c.q, c.bodies...)
		if !errors.Is(err, sources.ErrForeign) || fault.KindOf(err) != fault.Transient || len(r.Rows) > 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	q := sources.Question{Data: "group_members", Key: "10001"}
	if r, _, err := ask(t, q, `{"code":200,"totalCount":1,"groupId":10001,"members":[{"userId":"a"}]}`); err != nil || len(r.Rows) != 1 {
		t.Errorf("a group's ID as a number: %+v, %v", r, err)
	}
}

func TestAnswersTellWhetherTheyRepeatTheQuestion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		q    sources.Question
		body string
		want bool
	}{
		{members, `{"code":200,"totalCount":0,"groupId":"g","members":[]}`, true},
		{members, `{"code":25410,"groupId":"g"}`, true},
		{members, `{"code":200,"totalCount":0,"groupId":"","members":[]}`, false},
		{members, `{"code":200,"totalCount":0,"groupId":null,"members":[]}`, false},
		{members, `{"code":200,"totalCount":0,"members":[]}`, false},
		{groups, `{"code":200,"groups":[{"id":"u","name":"u"}]}`, false},
		{groups, `{"code":200,"userId":"u","groups":[]}`, true},
	} {
		caller := &hearing{body: c.body}
		_, _ = config("https://chat.example.com").Open(sources.Environment{Now: time.Now, Random: rand.Uint64}).Ask(t.Context(), caller, c.q)
		if caller.echo != c.q.Key || caller.echoed != c.want {
			t.Errorf("%s: echoed %v of %q", c.body, caller.echoed, caller.echo)
		}
	}
}

// hearing is a Caller without a network that keeps what was said of the answer's echo.
type hearing struct {
	body, echo string
	echoed     bool
}

func (h *hearing) Call(_ context.Context, e sources.Exchange) (err error) {
	if _, err := e.Build(); err != nil {
		return err
	}
	h.echo = e.Echo
	h.echoed, err = e.Read(sources.Answer{Status: http.StatusOK, Body: []byte(h.body)})
	return err
}

func TestTwoRolesOfOneUserAreContradictory(t *testing.T) {
	t.Parallel()
	owner, admin := `{"userId":"a","role":3}`, `{"userId":"a","role":2}`
	for name, bodies := range map[string][]string{
		"in one page":              {`{"code":200,"totalCount":1,"members":[` + owner + `,` + admin + `]}`},
		"on two pages":             {`{"code":200,"totalCount":1,"pageToken":"1","members":[` + owner + `]}`, `{"code":200,"totalCount":1,"members":[` + admin + `]}`},
		"an unknown and a role":    {`{"code":200,"totalCount":1,"members":[` + owner + `,{"userId":"a","role":9}]}`},
		"two unknown ones":         {`{"code":200,"totalCount":1,"members":[{"userId":"a","role":8},{"userId":"a","role":9}]}`},
		"two and a total that fit": {`{"code":200,"totalCount":2,"members":[` + owner + `,` + admin + `]}`},
	} {
		r, s, err := ask(t, members, bodies...)
		if fault.KindOf(err) != fault.Transient || len(r.Rows) > 0 || len(s.asked) != len(bodies) || !strings.Contains(fmt.Sprint(err), "twice") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for _, rows := range []string{owner + `,{"userId":"a"}`, `{"userId":"a"},` + owner} {
		if r, _, err := ask(t, members, `{"code":200,"totalCount":1,"members":[`+rows+`]}`); err != nil || len(r.Rows) != 1 || r.Rows[0].Role != schema.Owner {
			t.Errorf("with a role and without: %+v, %v", r, err)
		}
	}
	r, _, err := ask(t, members, `{"code":200,"totalCount":1,"members":[{"userId":"a","role":3,"nickname":"first","time":1},{"userId":"a","role":"3","nickname":"second","time":2}]}`)
	if err != nil || len(r.Rows) != 1 || r.Rows[0].Nickname.Value != "first" {
		t.Errorf("the same row with another nickname: %+v, %v", r, err)
	}
}

func TestPagingThatDoesNotAdvanceFailsTheKey(t *testing.T) {
	t.Parallel()
	page := func(token, user string) string {
		return `{"code":200,"totalCount":9,"pageToken":"` + token + `","members":[` + user + `]}`
	}
	a, b := `{"userId":"a"}`, `{"userId":"b"}`
	for name, bodies := range map[string][]string{
		"one token for ever":        {page("1", a), page("1", b)},
		"a page without members":    {page("1", "")},
		"three pages without new":   {page("1", a), page("2", a), page("3", a), page("4", a), page("5", b)},
		"three pages without a row": {page("1", a), page("2", ""), page("3", ""), page("4", ""), page("5", b)},
	} {
		_, s, err := ask(t, members, bodies...)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Item || e.Outcome != schema.Failed || !strings.Contains(e.Message, "advance") || len(s.asked) > 4 {
			t.Errorf("%s: %d requests, %v", name, len(s.asked), err)
		}
	}
	if r, _, err := ask(t, members, page("1", a), page("2", a), page("3", ""), page("4", b), page("5", ""), page("6", ""), page("", "")); err != nil || len(r.Rows) != 2 {
		t.Errorf("two pages in a row without anything new: %+v, %v", r, err)
	}
}

func TestAnEmptyPageWithAFreshTokenIsNotTheEnd(t *testing.T) {
	t.Parallel()
	r, s, err := ask(t, members,
		`{"code":200,"totalCount":2,"pageToken":"1","members":[]}`,
		`{"code":200,"totalCount":2,"pageToken":"2","members":[{"userId":"a"}]}`,
		`{"code":200,"totalCount":2,"pageToken":"3","members":[]}`,
		`{"code":200,"totalCount":2,"members":[{"userId":"b"}]}`)
	if err != nil || len(r.Rows) != 2 || r.Declared != 2 || r.Drifted || len(s.asked) != 4 {
		t.Errorf("%+v after %d requests, %v", r, len(s.asked), err)
	}
}

// A total that nobody can check keeps no run for days.
func TestFreshTokensForEverEndAWalk(t *testing.T) {
	t.Parallel()
	only := members
	only.Only = []schema.Role{schema.Owner}
	for _, c := range []struct {
		q     sources.Question
		total string
		asked int
	}{
		{members, "1000", 3}, {members, "2000000000", 3}, {members, "9223372036854775807", 3}, {joined, "2000000000", 3},
		{only, "0", 50}, {only, "1000", 60}, {only, "1000000", 10_050}, {only, "2000000000", 10_050}, {only, "9223372036854775807", 10_050},
	} {
		caller := &forever{list: "members", total: c.total}
		if c.q.Data == "joined_groups" {
			caller.list = "groups"
		}
		_, err := config("https://chat.example.com").Open(sources.Environment{Now: time.Now, Random: rand.Uint64}).Ask(t.Context(), caller, c.q)
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Outcome != schema.Failed || !strings.Contains(e.Message, "advance") || caller.asked != c.asked {
			t.Errorf("%s, a total of %s: %d requests, want %d, %v", c.q.Data, c.total, caller.asked, c.asked, err)
		}
	}
}

// forever is a Caller that gives empty pages with a fresh token each.
type forever struct {
	list, total string
	asked       int
}

func (f *forever) Call(_ context.Context, e sources.Exchange) error {
	f.asked++
	body := fmt.Sprintf(`{"code":200,"totalCount":%s,"pageToken":"%d","%s":[]}`, f.total, f.asked, f.list)
	_, err := e.Read(sources.Answer{Status: http.StatusOK, Body: []byte(body)})
	return err
}

func TestATokenThatExpiresAsksForAnotherReading(t *testing.T) {
	t.Parallel()
	refusal := `{"code":1002,"errorMessage":"pageToken has expired"}`
	r, _, err := ask(t, members, `{"code":200,"totalCount":2,"pageToken":"1","members":[{"userId":"a"}]}`, refusal)
	if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Transient || e.Code != "1002" || len(r.Rows) > 0 {
		t.Errorf("behind a token: %d rows, %v", len(r.Rows), err)
	}
	if _, _, err = ask(t, members, refusal); fault.KindOf(err) != fault.Item {
		t.Errorf("without a token: %v", err)
	}
	if _, _, err = ask(t, members, `{"code":200,"totalCount":2,"pageToken":"1","members":[{"userId":"a"}]}`, `{"code":25410}`); fault.KindOf(err) != fault.Item {
		t.Errorf("a group that went meanwhile: %v", err)
	}
}

func TestOnlyAsksOneWalkForEachRole(t *testing.T) {
	t.Parallel()
	q := members
	q.Only = []schema.Role{schema.Admin, schema.Owner}
	r, s, err := ask(t, q,
		`{"code":200,"totalCount":1,"members":[{"userId":"a","role":3}]}`,
		`{"code":200,"totalCount":2,"members":[{"userId":"b","role":2},{"userId":"c","role":2}]}`)
	if err != nil || len(r.Rows) != 3 || r.Rows[0].Role != schema.Owner || !r.Unverified || r.Declared != -1 || r.Drifted {
		t.Errorf("%+v, %v", r, err)
	}
	// The user became an administrator between the two walks: which of them is true, another reading tells.
	if _, _, err = ask(t, q, `{"code":200,"totalCount":1,"members":[{"userId":"a","role":3}]}`, `{"code":200,"totalCount":1,"members":[{"userId":"a","role":2}]}`); fault.KindOf(err) != fault.Transient {
		t.Errorf("a role that changed between two walks: %v", err)
	}
	if len(s.asked) != 2 || s.asked[0].Get("type") != "3" || s.asked[1].Get("type") != "2" {
		t.Errorf("asked %v", s.asked)
	}
}

func TestInvalidUnicodeIsReplacedInTextsAndRefusedInIDs(t *testing.T) {
	t.Parallel()
	r, _, err := ask(t, members, `{"code":200,"totalCount":2,"members":[{"userId":"a","nickname":"cut \ud83d","extra":"`+"\xff"+`"},{"userId":"b","nickname":"whole 😀 \ud83d\ude00"}]}`)
	if err != nil || r.Replaced != 2 || r.Rows[0].Nickname.Value != "cut \ufffd" || r.Rows[0].Extra.Value != "\ufffd" || r.Rows[1].Nickname.Value != "whole 😀 😀" {
		t.Errorf("%+v, %v", r, err)
	}
	for _, id := range []string{`\ud83d`, "\xc3", `a\udc00b`} {
		_, _, err := ask(t, members, `{"code":200,"members":[{"userId":"`+id+`"}]}`)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Item || e.Outcome != schema.Failed || !strings.Contains(e.Message, `group "g"`) {
			t.Errorf("ID %q: %v", id, err)
		}
	}
}

func TestRowsThatCanNotBeBelievedAreRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []string{`{}`, `{"userId":""}`, `{"userId":null}`, `{"userId":7}`, `{"USERID":"a"}`, `"a"`,
		`{"userId":"a","userId":"b"}`, `{"userId":"a","time":1.5}`, `{"userId":"a","time":"soon"}`, `{"userId":"a","time":9223372036854775807}`,
		`{"userId":"a","role":{}}`, `{"userId":"a","nickname":5}`} {
		if _, _, err := ask(t, members, `{"code":200,"members":[`+row+`]}`); fault.KindOf(err) != fault.Transient {
			t.Errorf("%s: %v", row, err)
		}
	}
}

func TestLongTextsAreCutAndLongIDsRefused(t *testing.T) {
	t.Parallel()
	id, text := strings.Repeat("i", schema.MaxID), strings.Repeat("長", schema.MaxText/2)
	r, _, err := ask(t, members, `{"code":200,"totalCount":1,"members":[{"userId":"`+id+`","role":"`+text+`","nickname":"`+text+`","extra":"`+text+`\ud83d"}]}`)
	if err != nil || r.Cut != 3 || r.Replaced != 1 || len(r.Rows) != 1 || r.Rows[0].User != id {
		t.Fatalf("%d texts cut, %d replaced, %d rows, %v", r.Cut, r.Replaced, len(r.Rows), err)
	}
	for _, text := range []string{r.Rows[0].Nickname.Value, r.Rows[0].Extra.Value, r.Rows[0].RoleRaw.Value} {
		if len(text) > schema.MaxText || !strings.HasSuffix(text, "長… [cut]") {
			t.Errorf("%d bytes, ending in %q", len(text), text[len(text)-20:])
		}
	}
	for name, c := range map[string]struct {
		q    sources.Question
		body string
	}{
		"a user":         {members, `{"code":200,"totalCount":1,"members":[{"userId":"` + id + `i"}]}`},
		"a group":        {groups, `{"code":200,"groups":[{"id":"` + strings.Repeat("長", 342) + `"}]}`},
		"a hosted group": {joined, `{"code":200,"totalCount":1,"groups":[{"groupId":"` + strings.Repeat("i", 1_100_000) + `"}]}`},
	} {
		_, s, err := ask(t, c.q, c.body)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Item || e.Outcome != schema.Failed || !strings.Contains(e.Message, "1024 are allowed") || len(e.Message) > 300 || len(s.asked) != 1 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
	token := strings.Repeat("t", 5000)
	if _, s, err := ask(t, members, `{"code":200,"totalCount":2,"pageToken":"`+token+`","members":[{"userId":"a"}]}`, `{"code":200,"totalCount":2,"members":[{"userId":"b"}]}`); err != nil || s.asked[1].Get("pageToken") != token {
		t.Errorf("a token longer than an ID: %.300v", err)
	}
}

// groupsPage writes a page with the groups from..to-1.
func groupsPage(from, to int) string {
	var b strings.Builder
	b.WriteString(`{"code":200,"groups":[`)
	for i := from; i < to; i++ {
		if i > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"n","id":"g%05d"}`, i)
	}
	b.WriteString(`]}`)
	return b.String()
}

func TestAFullUnpagedAnswerGoesOnByPages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		bodies []string
		rows   int
		pages  string
	}{
		{"one order, nothing behind", []string{groupsPage(0, 5000), groupsPage(4000, 5000), groupsPage(5000, 5000)}, 5000, " 5 6"},
		{"one order, more behind", []string{groupsPage(0, 5000), groupsPage(4000, 5000), groupsPage(5000, 6000), groupsPage(6000, 6001)}, 6001, " 5 6 7"},
		{"another order", []string{groupsPage(0, 5000), groupsPage(3999, 4999), groupsPage(0, 1000), groupsPage(1000, 2000), groupsPage(2000, 3000), groupsPage(3000, 4000), groupsPage(4000, 5000), groupsPage(5000, 5010)}, 5010, " 5 1 2 3 4 5 6"},
		{"not full", []string{groupsPage(0, 4999)}, 4999, ""},
	} {
		r, s, err := ask(t, groups, c.bodies...)
		pages := ""
		for _, form := range s.asked {
			if p := form.Get("page"); p != "" {
				pages += " " + p
				if form.Get("size") != "1000" {
					t.Errorf("%s: size %q", c.name, form.Get("size"))
				}
			}
		}
		if err != nil || len(r.Rows) != c.rows || pages != c.pages {
			t.Errorf("%s: %d rows by pages%s, want %d by%s (%v)", c.name, len(r.Rows), pages, c.rows, c.pages, err)
		}
	}
}

func TestPagesThatContradictTheUnpagedAnswerAreNotBelieved(t *testing.T) {
	t.Parallel()
	_, _, err := ask(t, groups, groupsPage(0, 5000), groupsPage(0, 0))
	if fault.KindOf(err) != fault.Transient {
		t.Errorf("5000 groups unpaged and none paged: %v", err)
	}
}

func TestABlockThatDoesNotExistIsABug(t *testing.T) {
	t.Parallel()
	if _, s, err := ask(t, sources.Question{Data: "nonsense", Key: "k"}, `{}`); fault.KindOf(err) != fault.Bug || len(s.asked) > 0 {
		t.Errorf("%v", err)
	}
}
