package simulated

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// tencentServer answers as Tencent documents it (REST overview; pages of the three commands).
// Every outcome of its own has HTTP status 200.
type tencentServer struct{}

// joinedAsk, rolesAsk and membersAsk are the bodies of the three commands, with every documented field.
type joinedAsk struct {
	Account    *string       `json:"Member_Account"`
	Huge       int           `json:"WithHugeGroups"`
	Inactive   int           `json:"WithNoActiveGroups"`
	Limit      *int          `json:"Limit"`
	Offset     int           `json:"Offset"`
	GroupType  string        `json:"GroupType"`
	Topics     int           `json:"SupportTopic"`
	Response   *joinedFilter `json:"ResponseFilter"`
	wantedBase map[string]bool
	wantedSelf map[string]bool
}

type joinedFilter struct {
	Base []string `json:"GroupBaseInfoFilter"`
	Self []string `json:"SelfInfoFilter"`
}

type rolesAsk struct {
	GroupID  *string  `json:"GroupId"`
	Accounts []string `json:"User_Account"`
}

type membersAsk struct {
	GroupID *string   `json:"GroupId"`
	Limit   *int      `json:"Limit"`
	Offset  *int      `json:"Offset"`
	Next    *string   `json:"Next"`
	Info    *[]string `json:"MemberInfoFilter"`
	Roles   []string  `json:"MemberRoleFilter"`
	Custom  []string  `json:"AppDefinedDataFilter_GroupMember"`
}

func (s tencentServer) admit(q *query) (string, *answer) {
	if code, message := q.checkURL(); code != 0 {
		return "", s.no(q, code, message)
	}
	switch q.path {
	case PathTencentJoined:
		return admitAsk(s, q, &joinedAsk{}, func(a *joinedAsk) *string { return a.Account }, "Member_Account")
	case PathTencentRoles:
		return admitAsk(s, q, &rolesAsk{}, func(a *rolesAsk) *string { return a.GroupID }, "GroupId")
	case PathTencentMember:
		return admitAsk(s, q, &membersAsk{}, func(a *membersAsk) *string { return a.GroupID }, "GroupId")
	}
	if strings.HasPrefix(q.path, "/v4/group_open_http_svc/") {
		return "", s.no(q, 10003, "invalid command word")
	}
	return "", s.no(q, 60009, "no such resource")
}

// checkURL holds the five query parameters against the overview page; names are case-sensitive.
func (q *query) checkURL() (code int, message string) {
	if q.http.Method != http.MethodPost {
		return 60002, "only POST is supported"
	}
	values, err := url.ParseQuery(q.http.URL.RawQuery)
	if err != nil {
		return 60002, "the URL can't be parsed"
	}
	for name, list := range values {
		if len(list) != 1 || !slices.Contains([]string{"sdkappid", "identifier", "usersig", "random", "contenttype"}, name) {
			return 60002, "unknown or repeated parameter in the URL"
		}
	}
	random := values.Get("random")
	_, badRandom := strconv.ParseUint(random, 10, 32)
	switch {
	case values.Get("sdkappid") == "":
		return 60012, "sdkappid is missing"
	case values.Get("sdkappid") != q.options.SDKAppID:
		return 60006, "sdkappid is invalid"
	case values.Get("identifier") == "":
		return 60004, "identifier is missing"
	case badRandom != nil:
		return 60002, "random is not an unsigned 32-bit integer"
	case values.Get("contenttype") != "json":
		return 60002, "contenttype must be json"
	}
	if code := q.checkUserSig(values.Get("usersig"), q.options.SDKAppID, values.Get("identifier")); code != 0 {
		return code, "usersig is refused"
	}
	if values.Get("identifier") != q.options.Identifier {
		return 60010, "the identifier is not an administrator of the app"
	}
	return 0, ""
}

// admitAsk reads the body: names are case-sensitive, none may be unknown or repeated.
func admitAsk[Ask any](s tencentServer, q *query, ask *Ask, key func(*Ask) *string, keyName string) (string, *answer) {
	if len(q.body) == 0 {
		return "", s.no(q, 60003, "the body is empty; at least {} is needed")
	}
	if err := json.Unmarshal(q.body, ask, json.RejectUnknownMembers(true)); err != nil {
		var syntax *jsontext.SyntacticError
		if errors.As(err, &syntax) {
			return "", s.no(q, 60003, "the body is not JSON")
		}
		return "", s.no(q, 10004, "a field is unknown or of the wrong type")
	}
	q.ask = ask
	k := key(ask)
	if k == nil {
		return "", s.no(q, 10004, keyName+" is missing")
	}
	return *k, nil
}

func (s tencentServer) no(q *query, code int, message string) *answer {
	a := s.refuse(q, code, message)
	return &a
}

func (s tencentServer) refuse(q *query, code int, message string) answer {
	t := text{b: q.buf[:0]}
	t.raw(`{"ActionStatus":"FAIL","ErrorCode":`)
	t.number(int64(code))
	t.raw(`,"ErrorInfo":`)
	t.string(message)
	t.raw("}")
	q.buf = t.b
	return answer{status: http.StatusOK, body: t.b}
}

func (s tencentServer) throttle(q *query) answer {
	return s.refuse(q, q.options.ThrottleCode, "the call rate exceeds the limit")
}

func (s tencentServer) codes() map[Class]int {
	return map[Class]int{Busy: 60008, BadItem: 10004, GoneItem: 10010, BadSignature: 70009, NotEnabled: 60020}
}

func (s tencentServer) reply(q *query) answer {
	done := q.Tencent.read()
	defer done()
	switch ask := q.ask.(type) {
	case *joinedAsk:
		return s.joined(q, ask)
	case *rolesAsk:
		return s.roles(q, ask)
	default:
		return s.members(q, ask.(*membersAsk))
	}
}

// begin opens a good answer. ErrorInfo is as the samples have it: empty, "ok" or left out.
func (q *query) begin(info string) *text {
	t := &text{b: q.buf, ascii: q.options.EscapeUnicode}
	t.raw(`{"ActionStatus":"OK",` + info + `"ErrorCode":0`)
	return t
}

const (
	infoEmpty = `"ErrorInfo":"",`
	infoOK    = `"ErrorInfo":"ok",`
	infoNone  = ""
)

// close ends a good answer, unless it grew over what the vendor sends.

func (s tencentServer) close(q *query, t *text) answer {
	q.newFields(t)
	t.raw("}")
	q.buf = t.b
	if len(t.b) > q.options.MaxTencentAnswer {
		return s.refuse(q, 10018, "the answer is over 1 MB; ask for less")
	}
	return answer{status: http.StatusOK, body: t.b}
}

// group finds a group that can be asked about, or says why not: 10015 for an ID that can't be one,
// 10010 for one that is not there, 10007 for an AVChatRoom.
func (s tencentServer) group(q *query, id string) (uint32, *answer) {
	g, known := q.Tencent.groupAt[id]
	switch {
	case !known && malformed(id):
		return 0, s.no(q, 10015, "group id is illegal")
	case !known || q.Tencent.groups[g].Dissolved:
		return 0, s.no(q, 10010, "group does not exist or has been deleted")
	case q.Tencent.groups[g].Type == "AVChatRoom":
		return 0, s.no(q, 10007, "this group type is not supported")
	}
	return g, nil
}

// malformed is this simulator's own idea of an illegal ID, since the documents give no grammar:
// nothing, only the prefix, too long, or control characters.
func malformed(id string) bool {
	return id == "" || id == "@TGS#" || id == "@TGS#_" || len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
