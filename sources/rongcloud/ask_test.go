package rongcloud_test

import (
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
		`{"code":"200","totalCount":"3","pageToken":null,"members":[{"userId":"b","role":1},{"userId":"c","role":9,"nickname":null}]}`)
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
	_, s, err := ask(t, members, `{"code":200,"pageToken":"1","members":[{"userId":"a"}]}`, `{"code":200,"members":[{"userId":"b"}]}`)
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
	for _, body := range []string{`{"code":200,"groups":null}`, `{"code":200,"groups":[]}`} {
		if r, _, err := ask(t, groups, body); err != nil || len(r.Rows) != 0 || r.Declared != -1 {
			t.Errorf("%s: %+v, %v", body, r, err)
		}
	}
	for body, q := range map[string]sources.Question{
		`{"code":200}`:                        groups,
		`{"code":200,"Groups":[]}`:            groups,
		`{"code":200,"result":{"members":1}}`: members,
	} {
		if _, _, err := ask(t, q, body); fault.KindOf(err) != fault.Transient {
			t.Errorf("%s is taken for an answer: %v", body, err)
		}
	}
	if r, _, err := ask(t, members, `{"code":200,"totalCount":0}`); err != nil || r.Declared != 0 {
		t.Errorf("a total of none without a list: %+v, %v", r, err)
	}
}

func TestPagingThatDoesNotAdvanceFailsTheKey(t *testing.T) {
	t.Parallel()
	for name, bodies := range map[string][]string{
		"one token for ever":     {`{"code":200,"pageToken":"1","members":[{"userId":"a"}]}`, `{"code":200,"pageToken":"1","members":[{"userId":"b"}]}`},
		"a page without members": {`{"code":200,"pageToken":"1","members":[]}`},
		"a page seen before":     {`{"code":200,"pageToken":"1","members":[{"userId":"a"}]}`, `{"code":200,"pageToken":"2","members":[{"userId":"a"}]}`},
	} {
		_, _, err := ask(t, members, bodies...)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Item || e.Outcome != schema.Failed || !strings.Contains(e.Message, "advance") {
			t.Errorf("%s: %v", name, err)
		}
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

func TestFreshTokensForEverEndAWalk(t *testing.T) {
	t.Parallel()
	asked := 0
	_, err := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprintf(w, `{"code":200,"totalCount":1000,"pageToken":"%d","members":[]}`, asked)
	})).Ask(t.Context(), &sourcetest.Caller{}, members)
	if e, ok := errors.AsType[*fault.Error](err); !ok || e.Outcome != schema.Failed || !strings.Contains(e.Message, "advance") || asked > 100 {
		t.Errorf("%d requests, %v", asked, err)
	}
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
	if _, _, err = ask(t, members, `{"code":200,"pageToken":"1","members":[{"userId":"a"}]}`, `{"code":25410}`); fault.KindOf(err) != fault.Item {
		t.Errorf("a group that went meanwhile: %v", err)
	}
}

func TestOnlyAsksOneWalkForEachRole(t *testing.T) {
	t.Parallel()
	q := members
	q.Only = []schema.Role{schema.Admin, schema.Owner}
	// The user became an administrator between the two walks: the first word stands, once.
	r, s, err := ask(t, q,
		`{"code":200,"totalCount":1,"members":[{"userId":"a","role":3}]}`,
		`{"code":200,"totalCount":2,"members":[{"userId":"a","role":2},{"userId":"b","role":2}]}`)
	if err != nil || len(r.Rows) != 2 || r.Rows[0].Role != schema.Owner || !r.Unverified || r.Declared != -1 || r.Drifted {
		t.Errorf("%+v, %v", r, err)
	}
	if len(s.asked) != 2 || s.asked[0].Get("type") != "3" || s.asked[1].Get("type") != "2" {
		t.Errorf("asked %v", s.asked)
	}
}

func TestInvalidUnicodeIsReplacedInTextsAndRefusedInIDs(t *testing.T) {
	t.Parallel()
	r, _, err := ask(t, members, `{"code":200,"members":[{"userId":"a","nickname":"cut \ud83d","extra":"`+"\xff"+`"},{"userId":"b","nickname":"whole 😀 \ud83d\ude00"}]}`)
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
