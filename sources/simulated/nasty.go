package simulated

import (
	"fmt"
	"strings"
	"time"
)

// nastyTexts are display texts that have broken somebody's export.
var nastyTexts = [...]string{
	`"quoted"`, `back\slash\`, "two\nlines", "tab\tand\rreturn", "control \x00\x01\x1f\x7f", "escape \x1b[31mred\x1b[0m", "emoji 😀👩‍👩‍👧‍👦",
	"العربية", "e\u0301 combining", "line\u2028separator", "\ufeffmark", "'; drop table users; --", "<b>&amp;</b>", " blanks ", `\u0041 not escaped`,
	"null", "NaN", "群组，逗号", "🇩🇪", "a/b%2Fc+d",
}

// nastyIDs need escaping in a form, in a URL, in JSON or on a terminal.
var nastyIDs = [...]string{
	"a b&c=d/é+%", `quote"back\slash'`, "群组😀", "100%41", "null", "0", "-1e9", "semi;colon,comma", "<script>", "UPPER", "upper", "ünï?#frag", "e\u0301",
}

// Sizes around every page size of both vendors.
var nastySizes = [...]int{0, 1, 49, 50, 51, 99, 100, 101, 199, 200, 201, 400, 499, 500, 501}

// crowd is how many users the nasty groups share; whoever is beyond it is unlisted.
const crowd = 501

// addNasty adds to a population everything nasty that the documents leave possible.
func (a *App) addNasty(huge bool) {
	a.AddUser("nasty-loner")
	a.addSizes(huge)
	a.addOddities()
	a.addNastyIDs()
	if a.kind == tencent {
		a.addTencentOddities()
	}
	if huge {
		a.addBusyUsers()
	}
}

func crowdID(i int) string { return fmt.Sprintf("crowd-%05d", i) }

func (a *App) addSizes(huge bool) {
	for i := range crowd {
		a.AddUser(crowdID(i))
	}
	for _, n := range nastySizes {
		a.addSized(Group{ID: fmt.Sprintf("size-%05d", n), Name: fmt.Sprintf("%d members", n)}, n)
	}
	if huge {
		for i := crowd; i < 20_000; i++ {
			a.AddUnlistedUser(crowdID(i))
		}
		a.addSized(Group{ID: "size-20000", Name: "20,000 members"}, 20_000)
	}
}

// addSized adds a group of the first n of the crowd, owned by the first.
func (a *App) addSized(g Group, n int) {
	a.AddGroup(g)
	for i := range n {
		m := Member{Role: Ordinary, Joined: time.UnixMilli(epoch + int64(i)*61_001)}
		if i == 0 {
			m.Role = Owner
		}
		if i%7 == 1 {
			nick := nastyTexts[i%len(nastyTexts)]
			m.Nickname = &nick
		}
		a.AddMember(g.ID, crowdID(i), m)
	}
}

func (a *App) addOddities() {
	empty, long, extra := "", strings.Repeat("長", 64), `{"k":"v\u0041","n":[1,2,{"x":null}]}`
	at := time.UnixMilli(epoch + 123)
	a.AddGroup(Group{ID: "odd-nameless"})
	a.AddMember("odd-nameless", crowdID(1), Member{Role: Admin, Nickname: &empty, Extra: &empty, Joined: at})
	a.AddMember("odd-nameless", crowdID(2), Member{Nickname: &long, Extra: &extra, Joined: at}) // no owner, equal times
	a.AddMember("odd-nameless", crowdID(3), Member{})                                           // no time, no texts
	a.AddGroup(Group{ID: "odd-dissolved", Name: "dissolved, still listed by its users", Dissolved: true})
	for i := range 3 {
		a.AddMember("odd-dissolved", crowdID(i), Member{Joined: at})
	}
	for i, name := range nastyTexts {
		g := Group{ID: fmt.Sprintf("odd-text-%02d", i), Name: name}
		a.AddGroup(g)
		a.AddMember(g.ID, crowdID(i), Member{Role: Owner, Nickname: &nastyTexts[i], Extra: &nastyTexts[len(nastyTexts)-1-i], Joined: at})
	}
}

func (a *App) addNastyIDs() {
	at := time.UnixMilli(epoch + 456_789)
	for i, id := range nastyIDs {
		a.AddGroup(Group{ID: id, Name: "nasty ID"})
		a.AddMember(id, nastyIDs[(i+1)%len(nastyIDs)], Member{Role: Owner, Joined: at})
		a.AddMember(id, id, Member{Joined: at.Add(time.Hour)})
	}
}

func (a *App) addTencentOddities() {
	at := time.Unix(epoch/1000, 0)
	for _, g := range []Group{
		{ID: "odd-live", Name: "live", Type: "AVChatRoom"},
		{ID: "odd-inactive", Name: "asleep", Type: "Private", Inactive: true},
		{ID: "odd-meeting", Name: "meeting", Type: "ChatRoom"},
		{ID: "@TGS#_odd-topics", Name: "with topics", Type: "Community", SupportTopic: true},
		{ID: "@TGS#_@TGS#cODD0ROLES", Name: "custom roles", Type: "Community"},
	} {
		a.AddGroup(g)
		for i := range 5 {
			a.AddMember(g.ID, crowdID(i), Member{Role: [...]string{Owner, Admin, "Moderator", Ordinary, Ordinary}[i], Joined: at})
		}
	}
	for _, n := range []int{0, 200, 201, 501} {
		a.addSized(Group{ID: fmt.Sprintf("@TGS#_size-%05d", n), Name: "community", Type: "Community"}, n)
	}
}

// addBusyUsers adds users around 5000 groups, where RongCloud cuts its unpaged answer off and
// Tencent a page. The groups have these users alone and are not in groups.txt.
func (a *App) addBusyUsers() {
	counts := []int{4999, 5000, 5001, 6500}
	for g := range counts[len(counts)-1] {
		id := fmt.Sprintf("hall-%04d", g)
		a.AddGroup(Group{ID: id, Name: "Hall " + id[5:], Unlisted: true})
		for _, n := range counts {
			if g < n {
				a.AddMember(id, fmt.Sprintf("busy-%d", n), Member{Joined: time.Unix(epoch/1000+int64(g)*3600, 0)})
			}
		}
	}
}

// addDisagreements plants memberships that only one view names, half of them in each.
func (a *App) addDisagreements(n int) {
	for i := range n {
		m := Member{Views: UserViewOnly, Joined: time.UnixMilli(epoch)}
		if i%2 == 1 {
			m.Views = GroupViewOnly
		}
		id := fmt.Sprintf("disputed-%02d", i)
		a.AddGroup(Group{ID: id, Name: "Disputed " + id[9:]})
		a.AddMember(id, fmt.Sprintf("witness-%02d", i), Member{Role: Owner, Joined: time.UnixMilli(epoch)})
		a.AddMember(id, fmt.Sprintf("disputed-%02d", i), m)
	}
}
