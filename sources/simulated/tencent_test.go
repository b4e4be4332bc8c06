package simulated_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/sources/simulated"
)

func tencentURL(w *simulated.World, path string) string {
	return "http://simulated" + path + "?" + url.Values{
		"sdkappid": {simulated.DemoSDKAppID}, "identifier": {simulated.DemoIdentifier}, "usersig": {w.UserSig(time.Hour)},
		"random": {"4294967295"}, "contenttype": {"json"},
	}.Encode()
}

func tencentRequest(t testing.TB, w *simulated.World, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, tencentURL(w, path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// chat asks Tencent; the HTTP status must be 200 whatever comes.
func chat(t *testing.T, w *simulated.World, path, body string) (code int, decoded object) {
	t.Helper()
	status, decoded := send(t, w, tencentRequest(t, w, path, body))
	if status != 200 {
		t.Fatalf("HTTP %d", status)
	}
	code = int(decoded["ErrorCode"].(float64))
	if (decoded["ActionStatus"] == "OK") != (code == 0) {
		t.Errorf("%v", decoded)
	}
	return code, decoded
}

func TestTencentRefusesWhatItsURLRulesForbid(t *testing.T) {
	t.Parallel()
	change := func(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }
	for name, c := range map[string]struct {
		change func(url.Values)
		code   float64
	}{
		"no sdkappid":               {func(v url.Values) { v.Del("sdkappid") }, 60012},
		"a foreign sdkappid":        {change("sdkappid", "1400000002"), 60006},
		"no identifier":             {func(v url.Values) { v.Del("identifier") }, 60004},
		"an identifier not signed":  {change("identifier", "root"), 70013},
		"no usersig":                {func(v url.Values) { v.Del("usersig") }, 70002},
		"a broken usersig":          {change("usersig", "abc"), 70003},
		"no random":                 {func(v url.Values) { v.Del("random") }, 60002},
		"a random of 33 bits":       {change("random", "4294967296"), 60002},
		"a negative random":         {change("random", "-1"), 60002},
		"another contenttype":       {change("contenttype", "JSON"), 60002},
		"a name in another case":    {func(v url.Values) { v.Del("random"); v.Set("Random", "1") }, 60002},
		"a parameter of its own":    {change("apn", "1"), 60002},
		"a parameter that is twice": {func(v url.Values) { v.Add("random", "1") }, 60002},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := simulated.New(calm())
			r := tencentRequest(t, w, simulated.PathTencentRoles, `{}`)
			v := r.URL.Query()
			c.change(v)
			r.URL.RawQuery = v.Encode()
			status, body := send(t, w, r)
			if status != 200 || body["ErrorCode"] != c.code || body["ActionStatus"] != "FAIL" {
				t.Errorf("%d %v", status, body)
			}
		})
	}
}

func TestAUserSigExpires(t *testing.T) {
	t.Parallel()
	now := noon
	o := calm()
	o.Now = func() time.Time { return now }
	w := simulated.New(o)
	w.Tencent.AddUser("u")
	address := tencentURL(w, simulated.PathTencentJoined)
	ask := func() any {
		r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(`{"Member_Account":"u"}`))
		if err != nil {
			t.Fatal(err)
		}
		_, body := send(t, w, r)
		return body["ErrorCode"]
	}
	for _, step := range []struct {
		after time.Duration
		code  float64
	}{{0, 0}, {time.Hour, 0}, {time.Hour + time.Second, 70001}} {
		now = noon.Add(step.after)
		if code := ask(); code != step.code {
			t.Errorf("after %s: %v", step.after, code)
		}
	}
}

func TestTencentRefusesWhatItsCommandsForbid(t *testing.T) {
	t.Parallel()
	accounts := func(n int) string { return `["` + strings.Repeat(`u","`, n-1) + `u"]` }
	joined, roles, members := simulated.PathTencentJoined, simulated.PathTencentRoles, simulated.PathTencentMember
	for name, c := range map[string]struct {
		path, body string
		code       int
	}{
		"an empty body":                 {joined, ``, 60003},
		"a body that is not JSON":       {joined, `{`, 60003},
		"an empty object":               {joined, `{}`, 10004},
		"an unknown field":              {joined, `{"Member_Account":"u","limit":1}`, 10004},
		"a number as text":              {joined, `{"Member_Account":"u","Limit":"1"}`, 10004},
		"5001 groups":                   {joined, `{"Member_Account":"u","Limit":5001}`, 10004},
		"an unknown filter":             {joined, `{"Member_Account":"u","ResponseFilter":{"SelfInfoFilter":["role"]}}`, 10004},
		"an unknown type":               {joined, `{"Member_Account":"u","GroupType":"Work"}`, 10004},
		"an unknown account":            {joined, `{"Member_Account":"nobody"}`, 70107},
		"an unknown command":            {"/v4/group_open_http_svc/get_roles", `{}`, 10003},
		"an unknown service":            {"/v4/groups/get_role_in_group", `{}`, 60009},
		"no accounts":                   {roles, `{"GroupId":"g","User_Account":[]}`, 10004},
		"501 accounts":                  {roles, `{"GroupId":"g","User_Account":` + accounts(501) + `}`, 10004},
		"roles of a live group":         {roles, `{"GroupId":"live","User_Account":["u"]}`, 10007},
		"roles of a gone group":         {roles, `{"GroupId":"gone","User_Account":["u"]}`, 10010},
		"roles of an unknown group":     {roles, `{"GroupId":"nowhere","User_Account":["u"]}`, 10010},
		"roles of an illegal ID":        {roles, `{"GroupId":"","User_Account":["u"]}`, 10015},
		"members of a live group":       {members, `{"GroupId":"live","Limit":100}`, 10007},
		"members of a gone group":       {members, `{"GroupId":"gone","Limit":100}`, 10010},
		"201 members":                   {members, `{"GroupId":"g","Limit":201}`, 10004},
		"no members":                    {members, `{"GroupId":"g","Limit":0}`, 10004},
		"Next where it is not known":    {members, `{"GroupId":"g","Next":""}`, 10004},
		"a community without Next":      {members, `{"GroupId":"@TGS#_c","Limit":200}`, 10004},
		"a community with Offset":       {members, `{"GroupId":"@TGS#_c","Offset":0,"Next":""}`, 10004},
		"a made-up Next":                {members, `{"GroupId":"@TGS#_c","Next":"200"}`, 10004},
		"an unknown role in the filter": {members, `{"GroupId":"g","MemberRoleFilter":["owner"]}`, 10004},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := simulated.New(calm())
			w.Tencent.AddMember("g", "u", simulated.Member{})
			w.Tencent.AddGroup(simulated.Group{ID: "live", Type: "AVChatRoom"})
			w.Tencent.AddGroup(simulated.Group{ID: "gone", Dissolved: true})
			w.Tencent.AddGroup(simulated.Group{ID: "@TGS#_c", Type: "Community"})
			if code, body := chat(t, w, c.path, c.body); code != c.code {
				t.Errorf("%v", body)
			}
		})
	}
}

// everyType is a user in one group of each sort.
func everyType(t *testing.T) *simulated.World {
	t.Helper()
	w := simulated.New(calm())
	for _, g := range []simulated.Group{
		{ID: "public", Name: "Public \"1\""},
		{ID: "work", Type: "Private"},
		{ID: "asleep", Type: "Private", Inactive: true},
		{ID: "live", Type: "AVChatRoom"},
		{ID: "@TGS#_c", Type: "Community"},
		{ID: "@TGS#_t", Type: "Community", SupportTopic: true},
		{ID: "gone", Dissolved: true},
	} {
		w.Tencent.AddGroup(g)
		w.Tencent.AddMember(g.ID, "u", simulated.Member{Role: simulated.Admin, Joined: noon})
	}
	return w
}

func TestJoinedGroupsListsOnlyWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	w := everyType(t)
	for name, c := range map[string]struct {
		more string
		want []string
	}{
		"by default":     {``, []string{"public", "work", "@TGS#_c", "gone"}},
		"all":            {`,"WithHugeGroups":1,"WithNoActiveGroups":1`, []string{"public", "work", "asleep", "live", "@TGS#_c", "gone"}},
		"topics":         {`,"WithHugeGroups":1,"WithNoActiveGroups":1,"SupportTopic":1`, []string{"@TGS#_t"}},
		"one type":       {`,"GroupType":"Private"`, []string{"work"}},
		"a page":         {`,"Limit":2,"Offset":1`, []string{"work", "@TGS#_c"}},
		"behind the end": {`,"Limit":2,"Offset":10`, nil},
	} {
		code, body := chat(t, w, simulated.PathTencentJoined, `{"Member_Account":"u"`+c.more+`}`)
		var got []string
		for _, g := range body["GroupIdList"].([]any) {
			if row := g.(object); len(row) == 1 {
				got = append(got, row["GroupId"].(string))
			}
		}
		if code != 0 || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, body)
		}
		if name == "a page" && body["TotalCount"] != 4.0 {
			t.Errorf("total of a page: %v", body["TotalCount"])
		}
	}
	_, body := chat(t, w, simulated.PathTencentJoined,
		`{"Member_Account":"u","Limit":1,"ResponseFilter":{"GroupBaseInfoFilter":["Name","Type"],"SelfInfoFilter":["Role","JoinTime"]}}`)
	row := body["GroupIdList"].([]any)[0].(object)
	self := row["SelfInfo"].(object)
	if row["Name"] != `Public "1"` || row["Type"] != "Public" || !maps.Equal(self, object{"Role": "Admin", "JoinTime": float64(noon.Unix())}) {
		t.Errorf("%v", row)
	}
}

func TestRolesAnswerEveryAccount(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	for i := range 40 {
		role := simulated.Ordinary
		if i == 0 {
			role = "Moderator"
		}
		w.Tencent.AddMember("g", "u"+strconv.Itoa(i), simulated.Member{Role: role})
	}
	w.Tencent.SetRoleView("g", "u2", "NotMember")
	code, body := chat(t, w, simulated.PathTencentRoles, `{"GroupId":"g","User_Account":["u1","stranger","u0","u39","u2"]}`)
	got := map[string]string{}
	for _, row := range body["UserIdList"].([]any) {
		got[row.(object)["Member_Account"].(string)] = row.(object)["Role"].(string)
	}
	want := map[string]string{"u1": "Member", "stranger": "NotMember", "u0": "Moderator", "u39": "Member", "u2": "NotMember"}
	if code != 0 || !maps.Equal(got, want) {
		t.Errorf("%v", body)
	}
}

func TestCommunitiesArePagedByNextAndOthersByOffset(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	w.Tencent.AddGroup(simulated.Group{ID: "@TGS#_c", Type: "Community"})
	for i := range 401 {
		m := simulated.Member{Joined: noon}
		if i == 7 {
			m.Role = simulated.Owner
		}
		w.Tencent.AddMember("@TGS#_c", "u"+strconv.Itoa(i), m)
		w.Tencent.AddMember("g", "u"+strconv.Itoa(i), m)
	}
	seen, requests := map[string]bool{}, 0
	for next, more := "", true; more; requests++ {
		_, body := chat(t, w, simulated.PathTencentMember, `{"GroupId":"@TGS#_c","Limit":200,"Next":"`+next+`","MemberInfoFilter":["Role"]}`)
		for _, row := range body["MemberList"].([]any) {
			seen[row.(object)["Member_Account"].(string)] = true
		}
		next = body["Next"].(string)
		more = next != ""
	}
	if len(seen) != 401 || requests != 3 {
		t.Errorf("%d members in %d requests", len(seen), requests)
	}
	_, body := chat(t, w, simulated.PathTencentMember, `{"GroupId":"g","Limit":200,"Offset":400}`)
	if _, told := body["Next"]; told || len(body["MemberList"].([]any)) != 1 || body["MemberNum"] != 401.0 {
		t.Errorf("%v", body)
	}
	_, body = chat(t, w, simulated.PathTencentMember, `{"GroupId":"g","Limit":200,"MemberRoleFilter":["Owner","Admin"],"MemberInfoFilter":["Role"]}`)
	list := body["MemberList"].([]any)
	if len(list) != 1 || !maps.Equal(list[0].(object), object{"Member_Account": "u7", "Role": "Owner"}) || body["MemberNum"] != 401.0 {
		t.Errorf("%v", body)
	}
}

func TestAnAnswerOverOneMegabyteIsRefused(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	w.Tencent.PopulateSizes(1, 20_000, []int{20_000})
	id := w.Tencent.GroupIDs()[0]
	name, err := json.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	next := ""
	if strings.HasPrefix(id, "@TGS#_") {
		next = `,"Next":""`
	}
	if code, _ := chat(t, w, simulated.PathTencentMember, `{"GroupId":`+string(name)+next+`}`); code != 10018 {
		t.Errorf("code %d", code)
	}
	if code, body := chat(t, w, simulated.PathTencentMember, `{"GroupId":`+string(name)+next+`,"Limit":200}`); code != 0 || len(body["MemberList"].([]any)) != 200 {
		t.Errorf("code %d", code)
	}
}

func TestGzipForWhoAcceptsIt(t *testing.T) {
	t.Parallel()
	o := calm()
	o.Gzip = true
	w := simulated.New(o)
	w.Tencent.AddUser("u")
	r := tencentRequest(t, w, simulated.PathTencentJoined, `{"Member_Account":"u"}`)
	r.Header.Set("Accept-Encoding", "gzip")
	answer, err := w.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	magic := make([]byte, 2)
	if _, err := answer.Body.Read(magic); err != nil || !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		t.Errorf("%x %v", magic, err)
	}
}
