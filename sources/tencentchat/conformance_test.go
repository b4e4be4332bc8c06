package tencentchat_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
	"rollcall/sources/simulated"
	"rollcall/sources/sourcetest"
	"rollcall/sources/tencentchat"
)

const (
	appID     = 1400000007
	secretKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
)

// world is a simulated Tencent Cloud Chat and what an honest client must read from it.
type world struct {
	*simulated.World
	rows  []sources.Row
	topic map[string]bool // groups that come only where topics are asked for
}

func newWorld(o simulated.Options) *world {
	o.SDKAppID, o.SecretKey = fmt.Sprint(appID), secretKey
	o.Limits = map[string]int{simulated.PathTencentJoined: -1, simulated.PathTencentRoles: -1, simulated.PathTencentMember: -1}
	return &world{World: simulated.New(o), topic: map[string]bool{}}
}

func (w *world) group(g simulated.Group) {
	w.Tencent.AddGroup(g)
	w.topic[g.ID] = g.SupportTopic
}

func (w *world) add(g simulated.Group, user, role string, joined time.Time, card *string) {
	w.Tencent.AddMember(g.ID, user, simulated.Member{Role: role, Joined: joined, Nickname: card})
	known := map[string]schema.Role{simulated.Ordinary: schema.Member, simulated.Admin: schema.Admin, simulated.Owner: schema.Owner}[role]
	raw := role
	if known != schema.NoRole {
		raw = strings.ToUpper(role[:1]) + role[1:]
	}
	row := sources.Row{
		Group: g.ID, User: user, GroupName: schema.SomeText(g.Name), GroupType: schema.SomeText(g.Type),
		Role: known, RoleRaw: schema.SomeText(raw), Joined: schema.SomeMicros(joined),
	}
	if card != nil {
		row.Nickname = schema.SomeText(*card)
	}
	w.rows = append(w.rows, row)
}

const community = "@TGS#_@TGS#cV6IHIIM62C4"

// populate makes groups of several pages of either kind, and a user in more groups than a page holds.
func (w *world) populate() {
	start := time.Unix(1_700_000_000, 0)
	card := `"Überlänge" 😀`
	for _, g := range []simulated.Group{
		{ID: "crowded", Name: "crowded", Type: "Public"},
		{ID: community, Name: "community", Type: "Community"},
	} {
		w.group(g)
		for i := range 450 {
			role, name := simulated.Ordinary, (*string)(nil)
			switch i {
			case 0:
				role, name = simulated.Owner, &card
			case 200, 201, 449:
				role = simulated.Admin
			case 7:
				role = "Moderator"
			}
			w.add(g, fmt.Sprintf("user-%03d", i), role, start.Add(time.Duration(i)*time.Second), name)
		}
	}
	types := []string{"Public", "Private", "ChatRoom", "AVChatRoom", "Community"}
	for i := range 5100 {
		g := simulated.Group{ID: fmt.Sprintf("group-%04d", i), Name: "n", Type: types[i%5], Inactive: i%10 == 1, SupportTopic: i%500 == 499}
		w.group(g)
		w.add(g, "busy", simulated.Ordinary, start.Add(time.Duration(i)*time.Minute), nil)
	}
	w.Tencent.AddUser("lonely")
}

// want gives what the data block of q must give.
func (w *world) want(q sources.Question) sources.Reading {
	if q.Data == "group_roles" {
		return w.wantRoles(q)
	}
	r := sources.Reading{Unverified: len(q.Only) > 0}
	for _, row := range w.rows {
		if q.Data == "joined_groups" {
			row.Nickname = schema.Text{}
			if row.User != q.Key || w.topic[row.Group] && !q.Topics {
				continue
			}
		} else {
			row.GroupName, row.GroupType = schema.Text{}, schema.Text{}
			if row.Group != q.Key {
				continue
			}
		}
		r.Declared++
		if len(q.Only) == 0 || slices.Contains(q.Only, row.Role) {
			r.Rows = append(r.Rows, row)
		}
	}
	return r
}

func (w *world) wantRoles(q sources.Question) sources.Reading {
	r := sources.Reading{Declared: -1}
	for _, user := range q.Users {
		row := sources.Row{Group: q.Key, User: user, RoleRaw: schema.SomeText("NotMember"), NotMember: true}
		for _, m := range w.rows {
			if m.Group == q.Key && m.User == user {
				row = sources.Row{Group: q.Key, User: user, Role: m.Role, RoleRaw: m.RoleRaw}
			}
		}
		r.Rows = append(r.Rows, row)
	}
	return r
}

func config(endpoint string) sources.Config {
	return &tencentchat.Config{Endpoint: endpoint, SDKAppID: appID, Identifier: "administrator", SecretKey: secretKey}
}

func crowd(n int) []string {
	users := make([]string, n)
	for i := range users {
		users[i] = fmt.Sprintf("user-%03d", i)
	}
	return users
}

func cases(w *world) []sourcetest.Case {
	var all []sourcetest.Case
	for _, q := range []sources.Question{
		{Data: "joined_groups", Key: "busy"},
		{Data: "joined_groups", Key: "busy", Topics: true},
		{Data: "joined_groups", Key: "user-000", Topics: true},
		{Data: "joined_groups", Key: "lonely"},
		{Data: "group_roles", Key: "crowded", Users: crowd(500)},
		{Data: "group_roles", Key: community, Users: []string{"user-007", "lonely", "nobody"}},
		{Data: "group_members", Key: "crowded"},
		{Data: "group_members", Key: community},
		{Data: "group_members", Key: "group-0000"},
		{Data: "group_members", Key: "crowded", Only: []schema.Role{schema.Owner, schema.Admin}},
		{Data: "group_members", Key: "crowded", Only: []schema.Role{schema.Member}},
		{Data: "group_members", Key: community, Only: []schema.Role{schema.Member, schema.Member}},
	} {
		all = append(all, sourcetest.Case{Name: fmt.Sprintf("%s of %s %v %v", q.Data, q.Key, q.Only, q.Topics), Question: q, Want: w.want(q)})
	}
	return all
}

func TestConformance(t *testing.T) {
	t.Parallel()
	w := newWorld(simulated.Options{})
	w.populate()
	sourcetest.Run(t, sourcetest.Options{
		Definition: tencentchat.Definition(),
		Config:     config,
		Server:     w.Handler,
		Cases:      cases(w),
		RoleKey:    "Role",
		Texts:      []string{"Name", "NameCard"},
		TimeKeys:   []string{"JoinTime"},
		TotalKeys:  []string{"TotalCount", "MemberNum"},
		EchoKey: func(data string) string {
			return map[bool]string{true: "Member_Account", false: "GroupId"}[data == "joined_groups"]
		},
		Refuse: func(text string) string {
			return fmt.Sprintf(`{"ActionStatus":"FAIL","ErrorCode":70003,"ErrorInfo":%q}`, text)
		},
		Hidden:   func(r *http.Request) []string { return []string{r.URL.Query().Get("usersig")} },
		Refusals: refusals(),
	})
}

func refusals() []sourcetest.Refusal {
	var all []sourcetest.Refusal
	add := func(kind fault.Kind, outcome schema.Outcome, data string, codes ...int) {
		for _, code := range codes {
			all = append(all, sourcetest.Refusal{
				Name: fmt.Sprint("code ", code, " ", data), Data: data,
				Body: fmt.Sprintf(`{"ActionStatus":"FAIL","ErrorCode":%d,"ErrorInfo":"said so"}`, code),
				Kind: kind, Outcome: outcome, Code: fmt.Sprint(code), Again: code == 70001 || code == 70052,
			})
		}
	}
	add(fault.Throttled, "", "", 60007, 60011, 60018, 60019, 10006)
	add(fault.Transient, "", "", 60008, 60013, 60014, 70169, 70500, 10002)
	add(fault.Credentials, "", "", 60004, 60005, 60006, 60010, 60012, 70001, 70002, 70003, 70005, 70009, 70013, 70014, 70016, 70020, 70050, 70051, 70052, 70114, 70403)
	add(fault.Configuration, "", "", 60009, 60016, 60017, 60020, 60021, 10003, 10026)
	add(fault.Item, schema.Gone, "", 10010, 10015)
	add(fault.Item, schema.Gone, "joined_groups", 10019, 70107)
	add(fault.Item, schema.Failed, "group_members", 10019, 70107)
	add(fault.Item, schema.Unsupported, "group_members", 10007)
	add(fault.Item, schema.Unsupported, "group_roles", 10007)
	add(fault.Item, schema.Denied, "joined_groups", 10007)
	add(fault.Item, schema.Failed, "", 10004, 10005, 10008, 10011, 10012, 10018, 60003, 60015, 70206, 70402, 31337)
	return append(all,
		sourcetest.Refusal{Name: "a gateway's status outranks the body", Status: 502, Body: `{"ActionStatus":"FAIL","ErrorCode":70003}`, Kind: fault.Transient, Code: "70003"},
		sourcetest.Refusal{Name: "an answer without an ErrorCode", Body: `{"ActionStatus":"OK"}`, Kind: fault.Transient},
		sourcetest.Refusal{Name: "an answer that contradicts itself", Body: `{"ActionStatus":"FAIL","ErrorCode":0}`, Kind: fault.Transient},
		sourcetest.Refusal{Name: "an ErrorCode of the wrong type", Body: `{"ErrorCode":[]}`, Kind: fault.Transient},
	)
}

// Every way in which the documents leave room must give the same reading.
func TestVariantsOfTheVendorReadAlike(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]simulated.Options{
		"roles in another order":      {ShuffledRoles: true},
		"roles with a trailing blank": {PaddedRoles: true},
		"small answers only":          {MaxTencentAnswer: 9000},
		"escapes and gzip":            {EscapeUnicode: true, Gzip: true},
		"empty lists left out":        {EmptyListsLeftOut: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(o)
			w.populate()
			source := open(t, w.Handler())
			for _, c := range cases(w) {
				if o.MaxTencentAnswer > 0 && len(c.Question.Users) > 100 {
					continue // one batch can't be asked for by halves
				}
				got, err := source.Ask(t.Context(), &sourcetest.Caller{}, c.Question)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				if len(got.Rows) != len(c.Want.Rows) || got.Declared != c.Want.Declared || got.Unverified != c.Want.Unverified || got.Drifted {
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
		{sources.Question{Data: "joined_groups", Key: "user-000"}, 1},
		{sources.Question{Data: "joined_groups", Key: "user-000", Topics: true}, 2},
		{sources.Question{Data: "joined_groups", Key: "busy"}, 2},
		{sources.Question{Data: "group_roles", Key: "crowded", Users: crowd(500)}, 1},
		{sources.Question{Data: "group_members", Key: "crowded"}, 3},
		{sources.Question{Data: "group_members", Key: community}, 3},
		{sources.Question{Data: "group_members", Key: "crowded", Only: []schema.Role{schema.Owner, schema.Admin}}, 2}, // an empty page alone is an end
	} {
		var caller sourcetest.Caller
		if _, err := source.Ask(t.Context(), &caller, c.q); err != nil || caller.Calls() != c.calls {
			t.Errorf("%s of %s: %d calls, want %d (%v)", c.q.Data, c.q.Key, caller.Calls(), c.calls, err)
		}
	}
}
