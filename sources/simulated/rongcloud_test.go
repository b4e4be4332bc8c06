package simulated_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/sources/simulated"
)

// noon is the frozen time of tests that need one.
var noon = time.UnixMilli(1_700_000_000_000)

// calm is an empty world without budgets on a frozen clock.
func calm() simulated.Options {
	limits := map[string]int{}
	for _, p := range simulated.Paths() {
		limits[p] = -1
	}
	return simulated.Options{Seed: 3, Limits: limits, Now: func() time.Time { return noon }}
}

type object = map[string]any

// send plays a client by hand and gives status and decoded body.
func send(t *testing.T, w *simulated.World, r *http.Request) (int, object) {
	t.Helper()
	answer, err := w.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var decoded object
	if err := json.Unmarshal(body, &decoded); err != nil {
		t.Fatalf("%s: %v in %s", r.URL.Path, err, body)
	}
	return answer.StatusCode, decoded
}

func rongRequest(t testing.TB, path string, form url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://simulated"+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("App-Key", simulated.DemoAppKey)
	r.Header.Set("Nonce", "14314")
	r.Header.Set("Timestamp", "1700000000000")
	r.Header.Set("Signature", simulated.RongCloudSignature(simulated.DemoAppSecret, "14314", "1700000000000"))
	return r
}

func fields(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

func rong(t *testing.T, w *simulated.World, path string, pairs ...string) (int, object) {
	t.Helper()
	return send(t, w, rongRequest(t, path, fields(pairs...)))
}

func TestTheSignatureOfTheVendorsTestSuite(t *testing.T) {
	t.Parallel()
	got := simulated.RongCloudSignature("Y1W2MeFwwwRxa0", "14314", "1408706337")
	if got != "e107e3819638b81a00383951d1d871197910ffe6" {
		t.Errorf("signature %s", got)
	}
}

func TestRongCloudRefusesWhatItsDocumentsForbid(t *testing.T) {
	t.Parallel()
	members := simulated.PathGroupMembers
	for name, c := range map[string]struct {
		path   string
		form   url.Values
		change func(r *http.Request)
		status int
		code   float64
		text   string
	}{
		"a wrong signature":               {change: func(r *http.Request) { r.Header.Set("Signature", strings.Repeat("a", 40)) }, status: 401, code: 1004},
		"an upper-case signature":         {change: func(r *http.Request) { r.Header.Set("Signature", strings.ToUpper(r.Header.Get("Signature"))) }, status: 401, code: 1004},
		"no timestamp":                    {change: func(r *http.Request) { r.Header.Del("Timestamp") }, status: 401, code: 1004},
		"a foreign app key":               {change: func(r *http.Request) { r.Header.Set("App-Key", "other") }, status: 400, code: 1002, text: "invalid App-Key."},
		"a nonce of 19 characters":        {change: func(r *http.Request) { r.Header.Set("Nonce", "1234567890123456789") }, status: 400, code: 1005},
		"a request ID of 37 characters":   {change: func(r *http.Request) { r.Header.Set("X-Request-ID", strings.Repeat("1", 37)) }, status: 400, code: 1005},
		"a body of another type":          {change: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, status: 400, code: 1003},
		"a GET":                           {change: func(r *http.Request) { r.Method = http.MethodGet }, status: 400, code: 1003},
		"a parameter in the URL":          {change: func(r *http.Request) { r.URL.RawQuery = "userId=u" }, status: 400, code: 1002},
		"an unknown path":                 {path: "/user/groups.json", form: fields("userId", "u"), status: 404, code: 404},
		"no user":                         {form: fields("page", "1"), status: 400, code: 1002, text: "userId is required."},
		"an empty user":                   {form: fields("userId", ""), status: 400, code: 1002, text: "userId is required."},
		"an unknown field":                {form: fields("userId", "u", "pageToken", "x"), status: 400, code: 1002},
		"a field twice":                   {form: fields("userId", "u", "userId", "v"), status: 400, code: 1002},
		"a page of 1001 groups":           {form: fields("userId", "u", "page", "1", "size", "1001"), status: 400, code: 1002},
		"a page that is no number":        {form: fields("userId", "u", "page", "one"), status: 400, code: 1002},
		"no group":                        {path: members, form: fields("size", "100"), status: 400, code: 1002, text: "groupId is required."},
		"a page of 101 members":           {path: members, form: fields("groupId", "g", "size", "101"), status: 400, code: 1002},
		"a fourth role":                   {path: members, form: fields("groupId", "g", "type", "4"), status: 400, code: 1002},
		"a third order":                   {path: members, form: fields("groupId", "g", "order", "2"), status: 400, code: 1002},
		"a made-up token":                 {path: members, form: fields("groupId", "g", "pageToken", "abc"), status: 400, code: 1002},
		"type where it is called role":    {path: simulated.PathJoinedGroups, form: fields("userId", "u", "type", "1"), status: 400, code: 1002},
		"a group that is not there":       {path: members, form: fields("groupId", "nowhere"), status: 200, code: 25410},
		"a group that has been dissolved": {path: members, form: fields("groupId", "gone"), status: 200, code: 25410},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := simulated.New(calm())
			w.RongCloud.AddMember("g", "u", simulated.Member{})
			w.RongCloud.AddGroup(simulated.Group{ID: "gone", Dissolved: true})
			if c.path == "" {
				c.path = simulated.PathUserGroups
			}
			if c.form == nil {
				c.form = fields("userId", "u")
			}
			r := rongRequest(t, c.path, c.form)
			if c.change != nil {
				c.change(r)
			}
			status, body := send(t, w, r)
			if status != c.status || body["code"] != c.code || c.text != "" && body["errorMessage"] != c.text || body["url"] != c.path {
				t.Errorf("%d %v", status, body)
			}
		})
	}
}

func TestRongCloudTakesWhatItsDocumentsAllow(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	r := rongRequest(t, simulated.PathUserGroups, fields("userId", "u"))
	for _, name := range []string{"App-Key", "Nonce", "Timestamp", "Signature"} {
		r.Header.Set("RC-"+name, r.Header.Get(name))
		r.Header.Del(name)
	}
	if status, body := send(t, w, r); status != 200 || body["code"] != 200.0 || len(body["groups"].([]any)) != 0 {
		t.Errorf("RC- headers and an unknown user: %d %v", status, body)
	}
	r = rongRequest(t, simulated.PathUserGroups, fields("userId", "u"))
	r.Header.Set("Timestamp", "1700000000")
	r.Header.Set("Signature", simulated.RongCloudSignature(simulated.DemoAppSecret, "14314", "1700000000"))
	if status, _ := send(t, w, r); status != 200 {
		t.Errorf("seconds: %d", status)
	}
	if status, _ := rong(t, w, simulated.PathJoinedGroups, "userId", "u", "pageToken", ""); status != 200 {
		t.Errorf("an empty token: %d", status)
	}
	o := calm()
	o.StrictClock = true
	r = rongRequest(t, simulated.PathUserGroups, fields("userId", "u"))
	r.Header.Set("Timestamp", "1700000000")
	r.Header.Set("Signature", simulated.RongCloudSignature(simulated.DemoAppSecret, "14314", "1700000000"))
	if status, _ := send(t, simulated.New(o), r); status != 401 {
		t.Errorf("seconds under a strict clock: %d", status)
	}
}

func TestUserGroupsStopsAt5000UnlessPaged(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	for i := range 6500 {
		w.RongCloud.AddMember("g"+strconv.Itoa(i), "busy", simulated.Member{})
	}
	ids := func(pairs ...string) []string {
		_, body := rong(t, w, simulated.PathUserGroups, append([]string{"userId", "busy"}, pairs...)...)
		var list []string
		for _, g := range body["groups"].([]any) {
			list = append(list, g.(object)["id"].(string))
		}
		return list
	}
	whole := ids()
	if len(whole) != 5000 || len(ids("page", "0", "size", "7")) != 5000 || len(ids("page", "1")) != 50 {
		t.Fatalf("unpaged %d", len(whole))
	}
	fifth := ids("page", "5", "size", "1000")
	if len(fifth) != 1000 || fifth[0] != whole[4000] || fifth[999] != whole[4999] {
		t.Errorf("page 5 is not what the unpaged answer ends with")
	}
	if n := len(ids("page", "7", "size", "1000")); n != 500 {
		t.Errorf("last page has %d", n)
	}
	if n := len(ids("page", "8", "size", "1000")); n != 0 {
		t.Errorf("page behind the last has %d", n)
	}
}

// walk reads all pages of an entrust call.
func walk(t *testing.T, w *simulated.World, path, list string, pairs ...string) (rows []object, requests int, total any) {
	t.Helper()
	token := ""
	for {
		form := pairs
		if token != "" {
			form = append(append([]string{}, pairs...), "pageToken", token)
		}
		status, body := rong(t, w, path, form...)
		requests++
		if status != 200 || body["code"] != 200.0 {
			t.Fatalf("%d %v", status, body)
		}
		for _, row := range body[list].([]any) {
			rows = append(rows, row.(object))
		}
		next, more := body["pageToken"].(string)
		if !more || next == "" || requests > 1000 {
			return rows, requests, body["totalCount"]
		}
		token = next
	}
}

func TestMembersComeByJoiningAndByRole(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	roles := []string{simulated.Owner, simulated.Admin, simulated.Ordinary}
	for i := range 201 {
		w.RongCloud.AddMember("g", "u"+strconv.Itoa(i), simulated.Member{Role: roles[min(i, 2)], Joined: noon.Add(time.Duration(-i) * time.Minute)})
	}
	rows, requests, total := walk(t, w, simulated.PathGroupMembers, "members", "groupId", "g", "size", "100", "order", "0")
	if len(rows) != 201 || requests != 3 || total != 201.0 || rows[0]["userId"] != "u200" || rows[200]["userId"] != "u0" {
		t.Errorf("ascending: %d rows, %d requests, total %v, first %v", len(rows), requests, total, rows[0])
	}
	rows, requests, _ = walk(t, w, simulated.PathGroupMembers, "members", "groupId", "g")
	if len(rows) != 201 || requests != 5 || rows[0]["userId"] != "u0" || rows[0]["role"] != 3.0 || rows[0]["time"] != float64(noon.UnixMilli()) {
		t.Errorf("by default: %d rows, %d requests, first %v", len(rows), requests, rows[0])
	}
	rows, _, _ = walk(t, w, simulated.PathGroupMembers, "members", "groupId", "g", "type", "2")
	if len(rows) != 1 || rows[0]["userId"] != "u1" {
		t.Errorf("administrators: %v", rows)
	}
}

func TestATokenBelongsToItsQuestion(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	for i := range 60 {
		w.RongCloud.AddMember("g", "u"+strconv.Itoa(i), simulated.Member{})
		w.RongCloud.AddMember("h", "u"+strconv.Itoa(i), simulated.Member{})
	}
	_, body := rong(t, w, simulated.PathGroupMembers, "groupId", "g")
	token := body["pageToken"].(string)
	if status, _ := rong(t, w, simulated.PathGroupMembers, "groupId", "h", "pageToken", token); status != 400 {
		t.Errorf("another group: %d", status)
	}
	if status, _ := rong(t, w, simulated.PathGroupMembers, "groupId", "g", "pageToken", token, "order", "0"); status != 400 {
		t.Errorf("another order: %d", status)
	}
}

func TestAbsentAndEmptyTextsDiffer(t *testing.T) {
	t.Parallel()
	empty, cut := "", "cut "+simulated.LoneSurrogate
	w := simulated.New(calm())
	w.RongCloud.AddMember("g", "absent", simulated.Member{})
	w.RongCloud.AddMember("g", "empty", simulated.Member{Nickname: &empty, Extra: &empty})
	w.RongCloud.AddMember("g", "cut", simulated.Member{Nickname: &cut, Joined: noon})
	rows, _, _ := walk(t, w, simulated.PathGroupMembers, "members", "groupId", "g", "order", "0")
	want := []object{
		{"userId": "absent", "role": 1.0},
		{"userId": "empty", "role": 1.0, "nickname": "", "extra": ""},
		{"userId": "cut", "role": 1.0, "nickname": "cut \ufffd", "time": float64(noon.UnixMilli())},
	}
	for i := range want {
		if !maps.Equal(rows[i], want[i]) {
			t.Errorf("row %v", rows[i])
		}
	}
	answer, _ := w.Transport().RoundTrip(rongRequest(t, simulated.PathGroupMembers, fields("groupId", "g")))
	raw, _ := io.ReadAll(answer.Body)
	if !strings.Contains(string(raw), `"cut \ud83d"`) {
		t.Errorf("no lone surrogate in %s", raw)
	}
}

func TestQuirksOfRongCloudAreOptions(t *testing.T) {
	t.Parallel()
	o := calm()
	o.NumbersAsStrings, o.TokenEnd, o.UnknownGroupCode, o.EscapeUnicode = true, simulated.TokenNull, 1002, true
	w := simulated.New(o)
	w.RongCloud.AddGroup(simulated.Group{ID: "群😀"})
	w.RongCloud.AddMember("群😀", "u", simulated.Member{Joined: noon})
	_, body := rong(t, w, simulated.PathGroupMembers, "groupId", "群😀")
	token, told := body["pageToken"]
	if body["code"] != "200" || body["totalCount"] != "1" || body["groupId"] != "群😀" || !told || token != nil {
		t.Errorf("%v", body)
	}
	if status, body := rong(t, w, simulated.PathGroupMembers, "groupId", "x"); status != 400 || body["code"] != "1002" {
		t.Errorf("%d %v", status, body)
	}
	o = calm()
	o.HostingOff = true
	if status, body := rong(t, simulated.New(o), simulated.PathJoinedGroups, "userId", "u"); status != 430 || body["code"] != 1009.0 {
		t.Errorf("hosting off: %d %v", status, body)
	}
}

func TestTheNightBetweenTwoReadings(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	for _, user := range []string{"boss", "stays", "leaves"} {
		w.RongCloud.AddMember("g", user, simulated.Member{Role: simulated.Ordinary, Joined: noon})
	}
	w.RongCloud.SetRole("g", "boss", simulated.Owner)
	rows, _, _ := walk(t, w, simulated.PathGroupMembers, "members", "groupId", "g", "type", "3")
	if len(rows) != 1 || rows[0]["userId"] != "boss" {
		t.Errorf("owners: %v", rows)
	}
	w.RongCloud.RemoveMember("g", "leaves")
	w.RongCloud.RemoveMember("g", "boss")
	rows, _, total := walk(t, w, simulated.PathGroupMembers, "members", "groupId", "g")
	if len(rows) != 1 || rows[0]["userId"] != "stays" || total != 1.0 {
		t.Errorf("who is left: %v of %v", rows, total)
	}
	rows, _, _ = walk(t, w, simulated.PathJoinedGroups, "groups", "userId", "stays")
	if _, owned := rows[0]["owner"]; owned || rows[0]["count"] != 1.0 || rows[0]["role"] != 1.0 {
		t.Errorf("the group without its owner: %v", rows)
	}
	if rows, _, _ = walk(t, w, simulated.PathJoinedGroups, "groups", "userId", "leaves"); len(rows) != 0 {
		t.Errorf("who left still lists %v", rows)
	}
	w.RongCloud.AddGroup(simulated.Group{ID: "g", Dissolved: true})
	if _, body := rong(t, w, simulated.PathGroupMembers, "groupId", "g"); body["code"] != 25410.0 {
		t.Errorf("dissolved: %v", body)
	}
}
