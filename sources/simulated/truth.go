package simulated

import (
	"iter"
	"slices"
)

// Truth says what an honest client could collect from an app. It reads the population itself and
// uses nothing of the answers. While one of its sequences is read, the app must not be changed.
type Truth struct{ app *App }

// Membership is one user in one group, in the words of the vendor's answers.
type Membership struct {
	Group, User             string
	GroupName, GroupType    string
	Role                    string  // RongCloud "1", "2", "3"; Tencent "Member", "Admin", "Owner"; else verbatim
	Nickname, Extra         *string // as the group's own list tells them; lone surrogates are U+FFFD
	JoinedMicros            int64   // since 1970; 0: not told
	InUserView, InGroupView bool    // which lists name it; a dissolved group and an AVChatRoom have no list
	UserListed              bool    // whether users.txt names the user
	Topics                  bool    // only asked for with topics
}

// UserTruth is one user.
type UserTruth struct {
	ID       string
	Declared int // groups in all, with topics
	Topics   int // of which communities with topics
	Listed   bool
}

// GroupTruth is one group.
type GroupTruth struct {
	ID, Name, Type string
	Declared       int    // members
	State          string // ok, gone or unsupported
	Listed         bool
	Owners, Admins int
}

// Truth gives the app's truth.
func (a *App) Truth() Truth { return Truth{a} }

// Users gives every registered user.
func (t Truth) Users() iter.Seq[UserTruth] {
	return func(yield func(UserTruth) bool) {
		a := t.app
		defer a.read()()
		for i := range a.users {
			u := UserTruth{ID: a.users[i].id, Declared: len(a.users[i].groups), Listed: !a.users[i].unlisted}
			for _, e := range a.users[i].groups {
				if a.groups[e.other].SupportTopic {
					u.Topics++
				}
			}
			if !yield(u) {
				return
			}
		}
	}
}

// Groups gives every group, gone ones too.
func (t Truth) Groups() iter.Seq[GroupTruth] {
	return func(yield func(GroupTruth) bool) {
		a := t.app
		defer a.read()()
		for i := range a.groups {
			g := &a.groups[i]
			truth := GroupTruth{ID: g.ID, Name: readable(g.Name), Type: g.Type, Declared: len(g.members), State: g.state(), Listed: !g.Unlisted}
			for _, e := range g.members {
				switch a.roles[e.role] {
				case Owner:
					truth.Owners++
				case Admin:
					truth.Admins++
				}
			}
			if !yield(truth) {
				return
			}
		}
	}
}

func (g *group) state() string {
	switch {
	case g.Dissolved:
		return "gone"
	case g.Type == "AVChatRoom":
		return "unsupported"
	}
	return "ok"
}

// Memberships gives every pair that any list names, each once: first by user, then what the groups'
// lists alone name.
func (t Truth) Memberships() iter.Seq[Membership] {
	return func(yield func(Membership) bool) {
		a := t.app
		defer a.read()()
		for u := range a.users {
			for i, e := range a.users[u].groups {
				if repeated(a.users[u].groups, i) {
					continue
				}
				m := a.truth(e.other, uint32(u), e)
				_, listed := a.find(e.other, uint32(u))
				m.InUserView, m.InGroupView = true, listed && a.groups[e.other].state() == "ok"
				if !yield(m) {
					return
				}
			}
		}
		for g := range a.groups {
			if a.groups[g].state() != "ok" {
				continue
			}
			for _, e := range a.groups[g].members {
				if slices.ContainsFunc(a.users[e.other].groups, func(other entry) bool { return other.other == uint32(g) }) {
					continue
				}
				m := a.truth(uint32(g), e.other, e)
				m.InGroupView = true
				if !yield(m) {
					return
				}
			}
		}
	}
}

// repeated tells whether a pair that was added twice has been seen; equal pairs in a row are enough
// for what tests plant.
func repeated(list []entry, i int) bool { return i > 0 && list[i-1].other == list[i].other }

func (a *App) truth(g, u uint32, e entry) Membership {
	m := Membership{
		Group: a.groups[g].ID, User: a.users[u].id, GroupName: readable(a.groups[g].Name), GroupType: a.groups[g].Type,
		JoinedMicros: e.joined * 1000, UserListed: !a.users[u].unlisted, Topics: a.groups[g].SupportTopic,
	}
	if a.kind == tencent {
		m.Role = a.tencentRole(e.role)
	} else {
		m.Role = [...]string{"1", "2", "3", a.roles[e.role]}[min(e.role, 3)]
	}
	if s, present := a.extra(g, u, e.flags); present {
		s = readable(s)
		m.Extra = &s
	}
	m.Nickname = a.nicknameTruth(g, u, e.flags)
	return m
}

func (a *App) nicknameTruth(g, u uint32, flags uint8) *string {
	switch {
	case flags&generated != 0:
		stem, number, present := a.nickname(g, u)
		if !present {
			return nil
		}
		if number != 0 {
			stem += decimal(number)
		}
		return &stem
	case flags&detailed != 0:
		if nick := a.details[pair(g, u)].nickname; nick != nil {
			s := readable(*nick)
			return &s
		}
	}
	return nil
}
