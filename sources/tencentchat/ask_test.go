package tencentchat_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
	asked  []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, string(body))
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
	roles   = sources.Question{Data: "group_roles", Key: "g", Users: []string{"a", "b"}}
)

const ok = `{"ActionStatus":"OK","ErrorCode":0,`

func TestTheQuestionsNameAllThatIsWanted(t *testing.T) {
	t.Parallel()
	topics, admins, community := joined, members, members
	topics.Topics = true
	admins.Only = []schema.Role{schema.Admin, schema.Owner}
	community.Key = "@TGS#_c"
	for _, c := range []struct {
		q    sources.Question
		want []string
	}{
		{topics, []string{
			`{"Member_Account":"u","WithHugeGroups":1,"WithNoActiveGroups":1,"Limit":5000,"Offset":0,"ResponseFilter":{"GroupBaseInfoFilter":["Type","Name"],"SelfInfoFilter":["Role","JoinTime"]}}`,
			`{"Member_Account":"u","WithHugeGroups":1,"WithNoActiveGroups":1,"Limit":5000,"Offset":0,"GroupType":"Community","SupportTopic":1,"ResponseFilter":{"GroupBaseInfoFilter":["Type","Name"],"SelfInfoFilter":["Role","JoinTime"]}}`,
		}},
		{roles, []string{`{"GroupId":"g","User_Account":["a","b"]}`}},
		{members, []string{`{"GroupId":"g","Limit":200,"Offset":0,"MemberInfoFilter":["Role","JoinTime","NameCard"]}`}},
		{admins, []string{`{"GroupId":"g","Limit":200,"Offset":0,"MemberInfoFilter":["Role","JoinTime","NameCard"],"MemberRoleFilter":["Owner","Admin"]}`}},
		{community, []string{`{"GroupId":"@TGS#_c","Limit":200,"Next":"","MemberInfoFilter":["Role","JoinTime","NameCard"]}`}},
	} {
		body := ok + `"TotalCount":0,"MemberNum":0}`
		if c.q.Data == "group_roles" {
			body = ok + bothRoles
		}
		_, s, err := ask(t, c.q, body)
		if err != nil || strings.Join(s.asked, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("asked\n%s\nwant\n%s\n%v", strings.Join(s.asked, "\n"), strings.Join(c.want, "\n"), err)
		}
	}
}

func TestTopicCommunitiesAddUpInTheTotal(t *testing.T) {
	t.Parallel()
	q := joined
	q.Topics = true
	r, _, err := ask(t, q,
		ok+`"TotalCount":2,"GroupIdList":[{"GroupId":"both","Type":"Community","SelfInfo":{"Role":"Owner","JoinTime":7}},{"GroupId":"live","Type":"AVChatRoom"}]}`,
		`{"ErrorCode":0,"ErrorInfo":"ok","TotalCount":2,"GroupIdList":[{"GroupId":"both","Type":"Community"},{"GroupId":"topics","Type":"Community","SupportTopic":1}]}`)
	if err != nil || r.Declared != 3 || len(r.Rows) != 3 || r.Drifted {
		t.Errorf("%+v, %v", r, err)
	}
	want := sources.Row{Group: "both", User: "u", GroupType: schema.SomeText("Community"), Role: schema.Owner, RoleRaw: schema.SomeText("Owner"), Joined: schema.Micros{Value: 7_000_000, Valid: true}}
	mustHaveAll(t, "joined", r.Rows, []sources.Row{want, {Group: "live", User: "u", GroupType: schema.SomeText("AVChatRoom")}})
}

func TestAnAnswerTooLargeIsAskedForByHalves(t *testing.T) {
	t.Parallel()
	const large = `{"ActionStatus":"FAIL","ErrorCode":10018,"ErrorInfo":"too large"}`
	r, s, err := ask(t, members, large, large,
		ok+memberPage(53, 0, 50), large, ok+memberPage(53, 50, 53))
	if err != nil || len(r.Rows) != 53 || r.Declared != 53 {
		t.Errorf("%d rows, %v", len(r.Rows), err)
	}
	for i, want := range []string{`"Limit":200,"Offset":0`, `"Limit":100,"Offset":0`, `"Limit":50,"Offset":0`, `"Limit":50,"Offset":50`, `"Limit":25,"Offset":50`} {
		if !strings.Contains(s.asked[i], want) {
			t.Errorf("request %d is %s, want %s", i, s.asked[i], want)
		}
	}
	_, s, err = ask(t, members, large)
	if fault.KindOf(err) != fault.Item || len(s.asked) != 8 {
		t.Errorf("too large for ever: %d requests, %v", len(s.asked), err)
	}
}

func TestACommunityIsWalkedOverEmptyPagesAndAgainWhereItsNextExpires(t *testing.T) {
	t.Parallel()
	community := sources.Question{Data: "group_members", Key: "@TGS#_c"}
	r, _, err := ask(t, community, ok+`"MemberNum":1,"Next":"1","MemberList":[]}`, ok+`"MemberNum":1,"Next":"","MemberList":[{"Member_Account":"a"}]}`)
	if err != nil || len(r.Rows) != 1 || r.Declared != 1 {
		t.Errorf("an empty page: %+v, %v", r, err)
	}
	refusal := `{"ActionStatus":"FAIL","ErrorCode":10004,"ErrorInfo":"Next has expired"}`
	r, _, err = ask(t, community, ok+`"MemberNum":2,"Next":"1","MemberList":[{"Member_Account":"a"}]}`, refusal)
	if e, is := errors.AsType[*fault.Error](err); !is || e.Kind != fault.Transient || e.Code != "10004" || len(r.Rows) > 0 {
		t.Errorf("behind a Next: %d rows, %v", len(r.Rows), err)
	}
	if _, _, err = ask(t, community, refusal); fault.KindOf(err) != fault.Item {
		t.Errorf("on the first page: %v", err)
	}
}

func TestPagingThatDoesNotAdvanceFailsTheKey(t *testing.T) {
	t.Parallel()
	community := sources.Question{Data: "group_members", Key: "@TGS#_c"}
	for name, c := range map[string]struct {
		q      sources.Question
		bodies []string
	}{
		"one page for ever":      {members, []string{ok + memberPage(1000, 0, 200)}},
		"one Next for ever":      {community, []string{ok + `"MemberNum":9,"Next":"7","MemberList":[{"Member_Account":"a"}]}`, ok + `"MemberNum":9,"Next":"7","MemberList":[{"Member_Account":"b"}]}`}},
		"a Next without members": {community, []string{ok + `"MemberNum":9,"Next":7,"MemberList":[]}`}},
	} {
		_, _, err := ask(t, c.q, c.bodies...)
		e, is := errors.AsType[*fault.Error](err)
		if !is || e.Kind != fault.Item || e.Outcome != schema.Failed || !strings.Contains(e.Message, "advance") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRolesAreJoinedByAccountAndNoneMayBeMissing(t *testing.T) {
	t.Parallel()
	r, _, err := ask(t, roles, ok+`"UserIdList":[{"Member_Account":"b","Role":"NotMember"},{"Member_Account":"a","Role":"Chief "},{"Member_Account":"a","Role":"Chief"}]}`)
	want := []sources.Row{
		{Group: "g", User: "b", RoleRaw: schema.SomeText("NotMember"), NotMember: true},
		{Group: "g", User: "a", RoleRaw: schema.SomeText("Chief")},
	}
	if err != nil || len(r.Rows) != 2 || r.Rows[0] != want[0] || r.Rows[1] != want[1] || r.Declared != -1 {
		t.Errorf("%+v, %v", r, err)
	}
	_, _, err = ask(t, roles, ok+`"UserIdList":[{"Member_Account":"b","Role":"Owner"}]}`)
	e, is := errors.AsType[*fault.Error](err)
	if !is || e.Kind != fault.Item || e.Outcome != schema.Failed || !strings.Contains(e.Message, "1 of the 2") {
		t.Errorf("one account left out: %v", err)
	}
}

func TestInvalidUnicodeIsReplacedInTextsAndRefusedInIDs(t *testing.T) {
	t.Parallel()
	r, _, err := ask(t, members, ok+`"MemberNum":1,"MemberList":[{"Member_Account":"a","NameCard":"cut \ud83d"}]}`)
	if err != nil || r.Replaced != 1 || r.Rows[0].Nickname.Value != "cut \ufffd" {
		t.Errorf("%+v, %v", r, err)
	}
	_, _, err = ask(t, joined, ok+`"TotalCount":1,"GroupIdList":[{"GroupId":"\ud83d"}]}`)
	if e, is := errors.AsType[*fault.Error](err); !is || e.Kind != fault.Item || !strings.Contains(e.Message, `user "u"`) {
		t.Errorf("%v", err)
	}
}

func TestAnIDThatIsNoTextIsNeverSent(t *testing.T) {
	t.Parallel()
	_, s, err := ask(t, sources.Question{Data: "joined_groups", Key: "\xff"}, `{}`)
	if fault.KindOf(err) != fault.Item || len(s.asked) > 0 {
		t.Errorf("%d requests, %v", len(s.asked), err)
	}
}

func TestABlockThatDoesNotExistIsABug(t *testing.T) {
	t.Parallel()
	if _, s, err := ask(t, sources.Question{Data: "nonsense", Key: "k"}, `{}`); fault.KindOf(err) != fault.Bug || len(s.asked) > 0 {
		t.Errorf("%v", err)
	}
}

// answers is a Caller without a network that keeps the UserSigs it was given.
type answers struct {
	body string
	sigs []string
}

func (a *answers) Call(_ context.Context, e sources.Exchange) error {
	request, err := e.Build()
	if err != nil {
		return err
	}
	a.sigs = append(a.sigs, request.URL.Query().Get("usersig"))
	_, err = e.Read(sources.Answer{Status: http.StatusOK, Body: []byte(a.body)})
	return err
}

func TestOneUserSigServesUntilAnHourBeforeItExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := config("https://chat.example.com").Open(sources.Environment{Now: time.Now, Random: rand.Uint64})
		a := &answers{body: ok + `"TotalCount":0}`}
		for _, wait := range []time.Duration{0, time.Hour, 22 * time.Hour, time.Second, 0} {
			time.Sleep(wait)
			if _, err := source.Ask(t.Context(), a, joined); err != nil {
				t.Fatal(err)
			}
		}
		if a.sigs[0] != a.sigs[1] || a.sigs[1] != a.sigs[2] || a.sigs[2] == a.sigs[3] || a.sigs[3] != a.sigs[4] {
			t.Errorf("UserSigs %q", a.sigs)
		}
	})
}

func TestARefusedUserSigIsMadeAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := config("https://chat.example.com").Open(sources.Environment{Now: time.Now, Random: rand.Uint64})
		for _, code := range []string{"70001", "70052"} {
			a := &answers{body: `{"ActionStatus":"FAIL","ErrorCode":` + code + `}`}
			for range 2 {
				_, err := source.Ask(t.Context(), a, joined)
				if e, is := errors.AsType[*fault.Error](err); !is || e.Kind != fault.Credentials || !e.Again {
					t.Errorf("%s: %v", code, err)
				}
				time.Sleep(time.Second)
			}
			if a.sigs[0] == a.sigs[1] {
				t.Errorf("%s: the refused UserSig was used again", code)
			}
		}
	})
}

func TestAnAccountWithoutARoleWasNotAnswered(t *testing.T) {
	t.Parallel()
	_, _, err := ask(t, roles, ok+`"UserIdList":[{"Member_Account":"a"},{"Member_Account":"b","Role":"Member"}]}`)
	e, is := errors.AsType[*fault.Error](err)
	if !is || e.Kind != fault.Item || e.Outcome != schema.Failed || !strings.Contains(e.Message, "left out 1 of the 2") {
		t.Errorf("got %v", err)
	}
}
