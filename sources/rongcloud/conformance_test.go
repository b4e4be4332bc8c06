package rongcloud_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
	"rollcall/sources/rongcloud"
	"rollcall/sources/simulated"
	"rollcall/sources/sourcetest"
)

// world is a simulated RongCloud and what an honest client must read from it.
type world struct {
	*simulated.World
	rows []sources.Row
}

func newWorld(o simulated.Options) *world {
	o.AppKey, o.AppSecret = appKey, appSecret
	o.Limits = map[string]int{simulated.PathUserGroups: -1, simulated.PathGroupMembers: -1, simulated.PathJoinedGroups: -1}
	return &world{World: simulated.New(o)}
}

const (
	appKey    = "key-of-the-app"
	appSecret = "Y1W2MeFwwwRxa0-never-shown"
)

func (w *world) add(group, user, role string, joined time.Time, nickname, extra *string) {
	raw := map[string]string{simulated.Ordinary: "1", simulated.Admin: "2", simulated.Owner: "3"}[role]
	known := map[string]schema.Role{simulated.Ordinary: schema.Member, simulated.Admin: schema.Admin, simulated.Owner: schema.Owner}[role]
	w.RongCloud.AddGroup(simulated.Group{ID: group, Name: "name of " + group})
	w.RongCloud.AddMember(group, user, simulated.Member{Role: role, Joined: joined, Nickname: nickname, Extra: extra})
	row := sources.Row{
		Group: group, User: user, GroupName: schema.SomeText("name of " + group),
		Role: known, RoleRaw: schema.SomeText(raw), Joined: schema.SomeMicros(joined),
	}
	if nickname != nil {
		row.Nickname = schema.SomeText(*nickname)
	}
	if extra != nil {
		row.Extra = schema.SomeText(*extra)
	}
	w.rows = append(w.rows, row)
}

// populate makes a group of 250 members, a user in 5300 groups and one in 250 of them.
func (w *world) populate() {
	start := time.UnixMilli(1_700_000_000_123)
	nickname, extra := `"Überlänge" 😀`, `{"a":1}`
	for i := range 250 {
		role, nick, more := simulated.Ordinary, (*string)(nil), (*string)(nil)
		switch i {
		case 0:
			role, nick = simulated.Owner, &nickname
		case 100, 101, 249:
			role, more = simulated.Admin, &extra
		}
		w.add("crowded", fmt.Sprintf("user-%03d", i), role, start.Add(time.Duration(i)*time.Second), nick, more)
	}
	for i := range 5300 {
		w.add(fmt.Sprintf("group-%04d", i), "busy", simulated.Ordinary, start.Add(time.Duration(i)*time.Minute), nil, nil)
	}
	for i := range 250 {
		w.add(fmt.Sprintf("group-%04d", i), "regular", simulated.Admin, start.Add(time.Duration(i)*time.Hour), nil, nil)
	}
	w.RongCloud.AddUser("lonely")
}

// want gives what the data block of q must give.
func (w *world) want(q sources.Question) sources.Reading {
	r := sources.Reading{Declared: -1, Unverified: len(q.Only) > 0}
	for _, row := range w.rows {
		switch q.Data {
		case "user_groups":
			row = sources.Row{Group: row.Group, User: row.User, GroupName: row.GroupName}
		case "joined_groups":
			row.Nickname, row.Extra = schema.Text{}, schema.Text{}
		case "group_members":
			row.GroupName = schema.Text{}
		}
		asked := len(q.Only) == 0
		for _, role := range q.Only {
			asked = asked || role == row.Role
		}
		if asked && (row.User == q.Key && q.Data != "group_members" || row.Group == q.Key && q.Data == "group_members") {
			r.Rows = append(r.Rows, row)
		}
	}
	if q.Data != "user_groups" && len(q.Only) == 0 {
		r.Declared = int64(len(r.Rows))
	}
	return r
}

func config(endpoint string) sources.Config {
	return &rongcloud.Config{Endpoint: endpoint, AppKey: appKey, AppSecret: appSecret}
}

func questions() []sources.Question {
	return []sources.Question{
		{Data: "user_groups", Key: "busy"},
		{Data: "user_groups", Key: "user-000"},
		{Data: "user_groups", Key: "lonely"},
		{Data: "group_members", Key: "crowded"},
		{Data: "group_members", Key: "crowded", Only: []schema.Role{schema.Owner, schema.Admin, schema.Owner}},
		{Data: "group_members", Key: "crowded", Only: []schema.Role{schema.Member}},
		{Data: "group_members", Key: "group-0001"},
		{Data: "joined_groups", Key: "regular"},
		{Data: "joined_groups", Key: "lonely"},
	}
}

func cases(w *world) []sourcetest.Case {
	var all []sourcetest.Case
	for _, q := range questions() {
		all = append(all, sourcetest.Case{Name: fmt.Sprintf("%s of %s %v", q.Data, q.Key, q.Only), Question: q, Want: w.want(q)})
	}
	return all
}

func TestConformance(t *testing.T) {
	t.Parallel()
	w := newWorld(simulated.Options{})
	w.populate()
	sourcetest.Run(t, sourcetest.Options{
		Definition: rongcloud.Definition(),
		Config:     config,
		Server:     w.Handler,
		Cases:      cases(w),
		RoleKey:    "role",
		Texts:      []string{"name", "nickname", "extra"},
		TimeKeys:   []string{"time", "joinTime"},
		TotalKeys:  []string{"totalCount"},
		EchoKey: func(data string) string {
			return map[bool]string{true: "groupId", false: "userId"}[data == "group_members"]
		},
		Refuse:   func(text string) string { return fmt.Sprintf(`{"code":1002,"errorMessage":%q,"url":"/x"}`, text) },
		Hidden:   func(r *http.Request) []string { return []string{r.Header.Get("Signature")} },
		Refusals: refusals(),
	})
}

func refusals() []sourcetest.Refusal {
	code := func(name string, status, code int, message string, kind fault.Kind, outcome schema.Outcome) sourcetest.Refusal {
		return sourcetest.Refusal{
			Name: name, Status: status, Body: fmt.Sprintf(`{"code":%d,"errorMessage":%q}`, code, message),
			Kind: kind, Outcome: outcome, Code: fmt.Sprint(code),
		}
	}
	return []sourcetest.Refusal{
		code("too many, by code alone", 200, 1008, "too many", fault.Throttled, ""),
		code("too many, by status and code", 429, 1008, "too many", fault.Throttled, ""),
		code("internal error", 500, 1000, "", fault.Transient, ""),
		code("internal error under 200", 200, 1000, "", fault.Transient, ""),
		code("internal timeout", 504, 1050, "", fault.Transient, ""),
		code("key and secret don't match", 401, 1001, "", fault.Credentials, ""),
		code("wrong signature", 401, 1004, "签名错误，请检查。", fault.Credentials, ""),
		code("app locked", 401, 1006, "", fault.Credentials, ""),
		code("address not on the list", 401, 1007, "", fault.Credentials, ""),
		code("unknown app key", 400, 1002, "invalid App-Key.", fault.Credentials, ""),
		code("unknown app key, older wording", 400, 1002, "Invalidate App-Key.", fault.Credentials, ""),
		code("hosting not enabled", 430, 1009, "服务未开通", fault.Configuration, ""),
		code("no POST data", 400, 1003, "", fault.Configuration, ""),
		code("no such path", 404, 404, "", fault.Configuration, ""),
		code("group unknown", 200, 25410, "", fault.Item, schema.Gone),
		code("group unknown, by status 400", 400, 25410, "", fault.Item, schema.Gone),
		code("no permission", 200, 25405, "", fault.Item, schema.Denied),
		code("parameter missing", 400, 1002, "userId is required.", fault.Item, schema.Failed),
		code("user unknown", 400, 400, "", fault.Item, schema.Failed),
		code("parameter too long", 400, 1005, "", fault.Item, schema.Failed),
		code("wrong type", 400, 1501, "", fault.Item, schema.Failed),
		code("unknown code", 200, 31337, "news", fault.Item, schema.Failed),
		code("code as the only word", 403, 2007, "", fault.Item, schema.Denied),
		{Name: "hosting not enabled, without a word", Status: 430, Kind: fault.Configuration},
		{Name: "an answer without a code", Body: `{"groups":[],"members":[]}`, Kind: fault.Transient},
		{Name: "a code of the wrong type", Body: `{"code":true}`, Kind: fault.Transient},
	}
}

// Every way in which the documents leave room must give the same reading.
func TestVariantsOfTheVendorReadAlike(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]simulated.Options{
		"numbers as strings":        {NumbersAsStrings: true},
		"a strict clock":            {StrictClock: true},
		"an empty token at the end": {TokenEnd: simulated.TokenEmpty},
		"a null token at the end":   {TokenEnd: simulated.TokenNull},
		"totals follow the filter":  {TotalFollowsFilter: true},
		"paged in another order":    {PagedOrderDiffers: true},
		"escapes and gzip":          {EscapeUnicode: true, Gzip: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(o)
			w.populate()
			source := open(t, w.Handler())
			for _, c := range cases(w) {
				got, err := source.Ask(t.Context(), &sourcetest.Caller{}, c.Question)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				if len(got.Rows) != len(c.Want.Rows) || got.Declared != c.Want.Declared || got.Unverified != c.Want.Unverified {
					t.Errorf("%s: %d rows of %d, want %d of %d", c.Name, len(got.Rows), got.Declared, len(c.Want.Rows), c.Want.Declared)
				}
				mustHaveAll(t, c.Name, got.Rows, c.Want.Rows)
			}
		})
	}
}

func mustHaveAll(t *testing.T, name string, got, want []sources.Row) {
	t.Helper()
	all := map[sources.Row]bool{}
	for _, row := range got {
		all[row] = true
	}
	for _, row := range want {
		if !all[row] {
			t.Fatalf("%s: %+v is missing", name, row)
		}
	}
}

func TestNobodyIsAskedTwiceAsOften(t *testing.T) {
	t.Parallel()
	w := newWorld(simulated.Options{})
	w.populate()
	source := open(t, w.Handler())
	for _, c := range []struct {
		q     sources.Question
		calls int64
	}{
		{sources.Question{Data: "user_groups", Key: "user-000"}, 1},
		{sources.Question{Data: "user_groups", Key: "busy"}, 3}, // unpaged, page 5, page 6
		{sources.Question{Data: "group_members", Key: "crowded"}, 3},
		{sources.Question{Data: "group_members", Key: "crowded", Only: []schema.Role{schema.Admin}}, 1},
		{sources.Question{Data: "joined_groups", Key: "regular"}, 3},
	} {
		var caller sourcetest.Caller
		if _, err := source.Ask(t.Context(), &caller, c.q); err != nil || caller.Calls() != c.calls {
			t.Errorf("%+v: %d calls, want %d (%v)", c.q, caller.Calls(), c.calls, err)
		}
	}
}
