package tencentchat_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

func TestAnAnswerWithoutWhatProvesItIsContradictory(t *testing.T) {
	t.Parallel()
	only, community := members, members
	only.Only, community.Key = []schema.Role{schema.Owner}, "@TGS#_c"
	for _, c := range []struct {
		q    sources.Question
		rest string
	}{
		{members, `"MemberList":null}`},
		{members, `"MemberList":[]}`},
		{members, `"MemberNum":-1,"MemberList":[]}`},
		{members, `"MemberNum":null,"MemberList":[{"Member_Account":"a"}]}`},
		{members, `"MemberNum":3,"MemberList":null}`},
		{members, `"MemberNum":3}`},
		{members, `"TotalCount":0}`},
		{members, `"GroupId":"g"}`},
		{community, `"Next":"","MemberList":[]}`},
		{community, `"MemberNum":-1,"Next":""}`},
		{only, `"MemberList":[]}`},
		{joined, `"GroupIdList":null}`},
		{joined, `"GroupIdList":[]}`},
		{joined, `"TotalCount":-1,"GroupIdList":[]}`},
		{joined, `"TotalCount":5,"GroupIdList":null}`},
		{joined, `"MemberNum":0}`},
	} {
		if r, s, err := ask(t, c.q, ok+c.rest); fault.KindOf(err) != fault.Transient || len(s.asked) != 1 || len(r.Rows) > 0 {
			t.Errorf("%s is taken for an answer to %s: %+v, %v", c.rest, c.q.Data, r, err)
		}
	}
	for _, c := range []struct {
		q    sources.Question
		rest string
	}{
		{members, `"MemberNum":0}`}, {members, `"MemberNum":0,"MemberList":null}`}, {members, `"TotalCount":0,"MemberList":[]}`},
		{joined, `"TotalCount":0}`}, {joined, `"TotalCount":"0","GroupIdList":null}`}, {community, `"MemberNum":0,"Next":""}`},
	} {
		if r, _, err := ask(t, c.q, ok+c.rest); err != nil || r.Declared != 0 || len(r.Rows) > 0 {
			t.Errorf("%s is no answer to %s: %+v, %v", c.rest, c.q.Data, r, err)
		}
	}
	// Behind the last full page, a list may be left out.
	if r, _, err := ask(t, members, ok+memberPage(200, 0, 200), ok+`"MemberNum":200}`); err != nil || len(r.Rows) != 200 {
		t.Errorf("no list behind the last page: %d rows, %v", len(r.Rows), err)
	}
	for _, word := range []string{"FAIL", "fail", "Fail ", "FAILED"} {
		for q, rest := range map[*sources.Question]string{&members: `"MemberNum":0,"MemberList":[]}`, &joined: `"TotalCount":0}`, &roles: bothRoles} {
			if _, s, err := ask(t, *q, `{"ActionStatus":"`+word+`","ErrorCode":0,`+rest); fault.KindOf(err) != fault.Transient || len(s.asked) != 1 {
				t.Errorf("%s with ErrorCode 0 passes for an answer to %s: %v", word, q.Data, err)
			}
		}
	}
}

const bothRoles = `"UserIdList":[{"Member_Account":"a","Role":"Owner"},{"Member_Account":"b","Role":"Member"}]}`

func TestAnAnswerThatNamesAnotherQuestionIsForeign(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		q      sources.Question
		bodies []string
	}{
		"another group":                {members, []string{ok + `"GroupId":"h","MemberNum":0}`}},
		"another group, refused":       {members, []string{`{"ActionStatus":"FAIL","ErrorCode":10010,"GroupId":"h"}`}},
		"another group on page two":    {members, []string{ok + `"GroupId":"g",` + memberPage(201, 0, 200), ok + `"GroupId":"h",` + memberPage(201, 200, 201)}},
		"another group in a row":       {members, []string{ok + `"MemberNum":1,"MemberList":[{"Member_Account":"a","GroupId":"h"}]}`}},
		"another group of roles":       {roles, []string{ok + `"GroupId":"h",` + bothRoles}},
		"another account":              {joined, []string{ok + `"Member_Account":"v","TotalCount":0}`}},
		"another account in a row":     {joined, []string{ok + `"TotalCount":1,"GroupIdList":[{"GroupId":"g","Member_Account":"v"}]}`}},
		"roles of somebody else":       {roles, []string{ok + `"UserIdList":[{"Member_Account":"a","Role":"Owner"},{"Member_Account":"c","Role":"Member"}]}`}},
		"roles of one more":            {roles, []string{ok + strings.Replace(bothRoles, "]", `,{"Member_Account":"c","Role":"Member"}]`, 1)}},
		"members for roles":            {roles, []string{ok + `"MemberNum":0,"MemberList":[]}`}},
		"groups for a group":           {members, []string{ok + `"TotalCount":0,"GroupIdList":[]}`}},
		"an empty group for a account": {joined, []string{ok + `"TotalCount":0,"MemberList":[]}`}},
	} {
		r, _, err := ask(t, c.q, c.bodies...)
		if !errors.Is(err, sources.ErrForeign) || fault.KindOf(err) != fault.Transient || len(r.Rows) > 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestAnswersTellWhetherTheyRepeatTheQuestion(t *testing.T) {
	t.Parallel()
	third := sources.Question{Data: "group_roles", Key: "g", Users: []string{"a", "b", "c"}}
	for _, c := range []struct {
		q    sources.Question
		rest string
		want bool
	}{
		{members, `"GroupId":"g","MemberNum":0}`, true},
		{members, `"MemberNum":0}`, false},
		{members, `"MemberNum":1,"MemberList":[{"Member_Account":"g"}]}`, false},
		{joined, `"Member_Account":"u","TotalCount":0}`, true},
		{joined, `"TotalCount":0}`, false},
		{roles, bothRoles, false}, // as an answer to third that left one out, about any group, would be
		{third, bothRoles, false},
		{roles, `"GroupId":"g",` + bothRoles, true},
		{third, `"GroupId":"g",` + bothRoles, true},
	} {
		caller := &hearing{body: ok + c.rest}
		_, _ = config("https://chat.example.com").Open(sources.Environment{Now: time.Now, Random: rand.Uint64}).Ask(t.Context(), caller, c.q)
		if caller.echo != c.q.Key || caller.echoed != c.want {
			t.Errorf("%s: echoed %v of %q", c.rest, caller.echoed, caller.echo)
		}
	}
}

// hearing is a Caller without a network that keeps what was said of the answer's echo.
type hearing struct {
	body, echo string
	echoed     bool
}

func (h *hearing) Call(_ context.Context, e sources.Exchange) (err error) {
	h.echo = e.Echo
	h.echoed, err = e.Read(sources.Answer{Status: http.StatusOK, Body: []byte(h.body)})
	return err
}

func TestTwoRolesOfOneAccountAreContradictory(t *testing.T) {
	t.Parallel()
	topics := joined
	topics.Topics = true
	row := func(role string) string { return `{"Member_Account":"m00000","Role":"` + role + `"}` }
	for name, c := range map[string]struct {
		q      sources.Question
		bodies []string
	}{
		"in one page":           {members, []string{ok + `"MemberNum":1,"MemberList":[` + row("Owner") + `,` + row("Member") + `]}`}},
		"on two pages":          {members, []string{ok + memberPage(201, 0, 200), ok + `"MemberNum":201,"MemberList":[` + row("Owner") + `]}`}},
		"one of them unknown":   {members, []string{ok + `"MemberNum":1,"MemberList":[` + row("Chief") + `,` + row("Member") + `]}`}},
		"a member and not":      {roles, []string{ok + strings.Replace(bothRoles, "]", `,{"Member_Account":"a","Role":"NotMember"}]`, 1)}},
		"not and a member":      {roles, []string{ok + `"UserIdList":[{"Member_Account":"a","Role":"NotMember"},` + bothRoles[len(`"UserIdList":[`):]}},
		"a role and none":       {roles, []string{ok + strings.Replace(bothRoles, "]", `,{"Member_Account":"a"}]`, 1)}},
		"with topics and not":   {topics, []string{ok + `"TotalCount":1,"GroupIdList":[{"GroupId":"c","SelfInfo":{"Role":"Owner"}}]}`, ok + `"TotalCount":1,"GroupIdList":[{"GroupId":"c","SelfInfo":{"Role":"Admin"}}]}`}},
		"a group with two of u": {joined, []string{ok + `"TotalCount":1,"GroupIdList":[{"GroupId":"c","SelfInfo":{"Role":"Owner"}},{"GroupId":"c","SelfInfo":{"Role":"Admin"}}]}`}},
	} {
		r, s, err := ask(t, c.q, c.bodies...)
		if fault.KindOf(err) != fault.Transient || len(r.Rows) > 0 || len(s.asked) != len(c.bodies) || !strings.Contains(fmt.Sprint(err), "twice") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if r, _, err := ask(t, roles, ok+strings.Replace(bothRoles, "]", `,{"Member_Account":"a","Role":"Owner "}]`, 1)); err != nil || len(r.Rows) != 2 {
		t.Errorf("the same row twice: %+v, %v", r, err)
	}
}

func TestLongTextsAreCutAndLongIDsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("長", schema.MaxText)
	r, _, err := ask(t, joined, ok+`"TotalCount":1,"GroupIdList":[{"GroupId":"g","Name":"`+long+`","Type":"`+long+`","SelfInfo":{"Role":"`+long+`"}}]}`)
	if err != nil || r.Cut != 3 || len(r.Rows) != 1 {
		t.Fatalf("%d texts cut, %d rows, %v", r.Cut, len(r.Rows), err)
	}
	for _, text := range []string{r.Rows[0].GroupName.Value, r.Rows[0].GroupType.Value, r.Rows[0].RoleRaw.Value} {
		if len(text) > schema.MaxText || !strings.HasSuffix(text, "長… [cut]") {
			t.Errorf("%d bytes, ending in %q", len(text), text[len(text)-20:])
		}
	}
	id := strings.Repeat("i", schema.MaxID+1)
	for name, c := range map[string]struct {
		q    sources.Question
		rest string
	}{
		"a member": {members, `"MemberNum":1,"MemberList":[{"Member_Account":"` + id + `"}]}`},
		"a group":  {joined, `"TotalCount":1,"GroupIdList":[{"GroupId":"` + id + `"}]}`},
	} {
		_, s, err := ask(t, c.q, ok+c.rest)
		if e, is := errors.AsType[*fault.Error](err); !is || e.Kind != fault.Item || e.Outcome != schema.Failed || !strings.Contains(e.Message, "an ID of 1025 bytes") || len(s.asked) != 1 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}
