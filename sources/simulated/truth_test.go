package simulated_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"rollcall/sources/simulated"
)

// nasty is a small nasty world without budgets, on one of its nights.
func nasty(night int) *simulated.World {
	o := simulated.Default()
	o.Limits, o.Now = calm().Limits, calm().Now
	o.Users, o.Groups, o.Huge, o.Disagreements = 60, 40, false, 4
	o.Night = night
	return simulated.New(o)
}

func told(row object, name string) string {
	if s, is := row[name].(string); is {
		return "=" + s
	}
	return "absent"
}

func text(s *string) string {
	if s == nil {
		return "absent"
	}
	return "=" + *s
}

func TestAClientCollectsTheTruthOfEveryNight(t *testing.T) {
	t.Parallel()
	for _, night := range []int{0, 1, 5} {
		w := nasty(night)
		collectFromRongCloud(t, w)
		collectFromTencent(t, w)
	}
}

func collectFromRongCloud(t *testing.T, w *simulated.World) {
	t.Helper()
	users, groups := map[string]string{}, map[string]string{}
	for m := range w.RongCloud.Truth().Memberships() {
		if m.InUserView {
			users[m.User+"\x00"+m.Group] = fmt.Sprintln(m.GroupName, m.Role, m.JoinedMicros)
		}
		if m.InGroupView {
			groups[m.User+"\x00"+m.Group] = fmt.Sprintln(m.Role, m.JoinedMicros, text(m.Nickname), text(m.Extra))
		}
	}
	micros := func(row object, name string) int64 {
		ms, _ := row[name].(float64)
		return int64(ms) * 1000
	}
	gotUsers, gotGroups, requests := map[string]string{}, map[string]string{}, 0
	for _, u := range w.RongCloud.UserIDs() {
		rows, n, _ := walk(t, w, simulated.PathJoinedGroups, "groups", "userId", u, "size", "100")
		requests += n
		for _, row := range rows {
			gotUsers[u+"\x00"+row["groupId"].(string)] = fmt.Sprintln(row["name"], row["role"], micros(row, "joinTime"))
		}
	}
	if fewest := w.RongCloud.Fewest(simulated.Ask{Data: "joined_groups", Keys: w.RongCloud.UserIDs()}); fewest != requests {
		t.Errorf("%d requests for users, fewest %d", requests, fewest)
	}
	requests = 0
	for g := range w.RongCloud.Truth().Groups() {
		requests++
		if g.State == "gone" {
			continue
		}
		rows, n, total := walk(t, w, simulated.PathGroupMembers, "members", "groupId", g.ID, "size", "100")
		requests += n - 1
		if total != float64(g.Declared) || len(rows) != g.Declared {
			t.Errorf("%s: %d rows, total %v, truth %d", g.ID, len(rows), total, g.Declared)
		}
		for _, row := range rows {
			gotGroups[row["userId"].(string)+"\x00"+g.ID] = fmt.Sprintln(row["role"], micros(row, "time"), told(row, "nickname"), told(row, "extra"))
		}
	}
	if fewest := w.RongCloud.Fewest(simulated.Ask{Data: "group_members", Keys: w.RongCloud.GroupIDs()}); fewest != requests {
		t.Errorf("%d requests for groups, fewest %d", requests, fewest)
	}
	compare(t, "user view", gotUsers, users)
	compare(t, "group view", gotGroups, groups)
}

func compare(t *testing.T, view string, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	t.Errorf("%s: %d memberships, truth %d", view, len(got), len(want))
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s %q: got %q, truth %q", view, k, got[k], v)
			return
		}
	}
}

func collectFromTencent(t *testing.T, w *simulated.World) {
	t.Helper()
	users, groups := map[string]string{}, map[string]string{}
	for m := range w.Tencent.Truth().Memberships() {
		if m.InUserView {
			users[m.User+"\x00"+m.Group] = fmt.Sprintln(m.GroupName, m.GroupType, m.Role, m.JoinedMicros)
		}
		if m.InGroupView {
			groups[m.User+"\x00"+m.Group] = fmt.Sprintln(m.Role, m.JoinedMicros, text(m.Nickname))
		}
	}
	micros := func(row object) int64 {
		s, _ := row["JoinTime"].(float64)
		return int64(s) * 1_000_000
	}
	got := map[string]string{}
	for _, u := range w.Tencent.UserIDs() {
		for topics := range 2 {
			body := ask(t, w, simulated.PathTencentJoined, map[string]any{
				"Member_Account": u, "Limit": 5000, "WithHugeGroups": 1, "WithNoActiveGroups": 1, "SupportTopic": topics,
				"ResponseFilter": map[string]any{"GroupBaseInfoFilter": []string{"Type", "Name"}, "SelfInfoFilter": []string{"Role", "JoinTime"}},
			})
			for _, r := range body["GroupIdList"].([]any) {
				row := r.(object)
				self := row["SelfInfo"].(object)
				got[u+"\x00"+row["GroupId"].(string)] = fmt.Sprintln(row["Name"], row["Type"], self["Role"], micros(self))
			}
		}
	}
	compare(t, "user view", got, users)
	clear(got)
	requests := 0
	for g := range w.Tencent.Truth().Groups() {
		requests++
		if g.State != "ok" {
			continue
		}
		question := map[string]any{"GroupId": g.ID, "Limit": 200, "MemberInfoFilter": []string{"Role", "JoinTime", "NameCard"}}
		if g.Type == "Community" {
			question["Next"] = ""
		}
		for collected := 0; ; requests++ {
			body := ask(t, w, simulated.PathTencentMember, question)
			for _, r := range body["MemberList"].([]any) {
				row := r.(object)
				got[row["Member_Account"].(string)+"\x00"+g.ID] = fmt.Sprintln(row["Role"], micros(row), told(row, "NameCard"))
				collected++
			}
			if g.Type == "Community" && body["Next"] == "" || g.Type != "Community" && len(body["MemberList"].([]any)) < 200 {
				break
			}
			if g.Type == "Community" {
				question["Next"] = body["Next"]
			} else {
				question["Offset"] = collected
			}
		}
	}
	compare(t, "group view", got, groups)
	if fewest := w.Tencent.Fewest(simulated.Ask{Data: "group_members", Keys: w.Tencent.GroupIDs()}); fewest != requests {
		t.Errorf("%d requests for groups, fewest %d", requests, fewest)
	}
}

func ask(t *testing.T, w *simulated.World, path string, question map[string]any) object {
	t.Helper()
	body, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	code, answer := chat(t, w, path, string(body))
	if code != 0 {
		t.Fatalf("%s: %v", body, answer)
	}
	return answer
}

func TestTheFewestRequests(t *testing.T) {
	t.Parallel()
	o := simulated.Default()
	o.Users, o.Groups = 10, 10
	w := simulated.New(o)
	for _, c := range []struct {
		app  *simulated.App
		ask  simulated.Ask
		want int
	}{
		{w.RongCloud, simulated.Ask{Data: "user_groups", Keys: []string{"busy-4999"}}, 1},
		{w.RongCloud, simulated.Ask{Data: "user_groups", Keys: []string{"busy-5000"}}, 3},
		{w.RongCloud, simulated.Ask{Data: "user_groups", Keys: []string{"busy-5001", "busy-5001"}}, 3},
		{w.RongCloud, simulated.Ask{Data: "user_groups", Keys: []string{"busy-6500", "nobody"}}, 5},
		{w.RongCloud, simulated.Ask{Data: "joined_groups", Keys: []string{"busy-6500", "nobody"}}, 66},
		{w.RongCloud, simulated.Ask{Data: "group_members", Keys: []string{"size-00000", "size-00100", "size-00101", "size-20000", "nowhere"}}, 205},
		{w.RongCloud, simulated.Ask{Data: "group_members", Keys: []string{"size-20000"}, Roles: []string{simulated.Owner, simulated.Admin}}, 2},
		{w.Tencent, simulated.Ask{Data: "joined_groups", Keys: []string{"busy-4999", "busy-5000", "busy-5001"}}, 5},
		{w.Tencent, simulated.Ask{Data: "joined_groups", Keys: []string{"busy-5001"}, Topics: true}, 3},
		{w.Tencent, simulated.Ask{Data: "group_members", Keys: []string{"size-00000", "size-00200", "size-00201", "@TGS#_size-00501"}}, 8},
		{w.Tencent, simulated.Ask{Data: "group_members", Keys: []string{"@TGS#_size-00200"}}, 1},
		{w.Tencent, simulated.Ask{Data: "group_members", Keys: []string{"size-00200"}, Roles: []string{simulated.Owner}}, 2},
		{w.Tencent, simulated.Ask{Data: "group_members", Keys: []string{"size-00000", "size-00200"}, Roles: []string{simulated.Admin}}, 2},
		{w.Tencent, simulated.Ask{Data: "group_members", Keys: []string{"size-00200"}, Roles: []string{simulated.Ordinary, simulated.Owner}}, 2},
		{w.Tencent, simulated.Ask{Data: "group_roles", Keys: []string{"busy-5001", "busy-6500"}}, 6500},
	} {
		if got := c.app.Fewest(c.ask); got != c.want {
			t.Errorf("%+v: %d, want %d", c.ask, got, c.want)
		}
	}
}

func TestTheDemoTakesHalfAMinute(t *testing.T) {
	t.Parallel()
	w := simulated.New(simulated.Demo())
	users, groups := w.RongCloud.UserIDs(), w.RongCloud.GroupIDs()
	asked := map[string]int{
		"user_groups":     w.RongCloud.Fewest(simulated.Ask{Data: "user_groups", Keys: users}),
		"joined_groups":   w.RongCloud.Fewest(simulated.Ask{Data: "joined_groups", Keys: users}),
		"group_members":   w.RongCloud.Fewest(simulated.Ask{Data: "group_members", Keys: groups}),
		"tencent joined":  w.Tencent.Fewest(simulated.Ask{Data: "joined_groups", Keys: w.Tencent.UserIDs()}),
		"tencent topics":  w.Tencent.Fewest(simulated.Ask{Data: "joined_groups", Keys: w.Tencent.UserIDs(), Topics: true}),
		"tencent roles":   w.Tencent.Fewest(simulated.Ask{Data: "group_roles", Keys: w.Tencent.UserIDs()}),
		"tencent members": w.Tencent.Fewest(simulated.Ask{Data: "group_members", Keys: w.Tencent.GroupIDs()}),
	}
	t.Logf("%d + %d groups; requests %v", len(groups), len(w.Tencent.GroupIDs()), asked)
	for name, most := range map[string]int{"user_groups": 1600, "joined_groups": 1600, "group_members": 2500, "tencent joined": 4100} {
		if asked[name] > most || asked[name] < most/6 {
			t.Errorf("%s: %d requests", name, asked[name])
		}
	}
	chain := time.Duration(asked["tencent joined"]+asked["tencent roles"]) * time.Second / 200
	if chain < 24*time.Second || chain > 40*time.Second {
		t.Errorf("the longest chain takes %s at least", chain)
	}
}

func TestTheSameSeedGivesTheSamePopulation(t *testing.T) {
	t.Parallel()
	count := func(seed uint64) (n int, sum uint64) {
		o := calm()
		o.Seed, o.Users, o.Groups, o.Nasty = seed, 200, 100, true
		for m := range simulated.New(o).Tencent.Truth().Memberships() {
			n++
			sum = sum*31 + uint64(len(m.User+m.Group+m.GroupName+m.Role)) + uint64(m.JoinedMicros)
		}
		return n, sum
	}
	n, sum := count(5)
	if again, sumAgain := count(5); again != n || sumAgain != sum {
		t.Error("the same seed gave another population")
	}
	if other, otherSum := count(6); other == n && otherSum == sum {
		t.Error("another seed gave the same population")
	}
}
