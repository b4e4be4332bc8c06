package simulated

import (
	"slices"
	"strconv"
)

// What the filters of the commands may name.
var (
	groupTypes = [...]string{"Public", "Private", "ChatRoom", "AVChatRoom", "Community"}
	baseFields = [...]string{
		"Type", "Name", "Introduction", "Notification", "FaceUrl", "CreateTime", "Owner_Account", "LastInfoTime", "LastMsgTime",
		"NextMsgSeq", "MemberNum", "MaxMemberNum", "ApplyJoinOption", "ShutUpAllMember", "InviteJoinOption", "SupportTopic",
	}
	selfFields   = [...]string{"Role", "JoinTime", "MsgFlag", "MsgSeq"}
	memberFields = [...]string{"Role", "JoinTime", "MsgSeq", "MsgFlag", "LastSendMsgTime", "MuteUntil", "ShutUpUntil", "NameCard"}
	roleNames    = [...]string{"Member", "Admin", "Owner"} // in the order of App.roles
)

// set turns a filter into a set; false when it names what the documents don't know.
func set(names, known []string) (map[string]bool, bool) {
	s := make(map[string]bool, len(names))
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, false
		}
		s[n] = true
	}
	return s, true
}

func (a *App) tencentRole(role uint8) string {
	if role < 3 {
		return roleNames[role]
	}
	return a.roles[role]
}

// list writes a field of rows, or leaves it out where there are none and the option says so.
func (q *query) list(t *text, name string, rows int, row func(i int)) {
	if rows == 0 && q.options.EmptyListsLeftOut {
		return
	}
	q.rows(t, name, rows, row)
}

func (ask *joinedAsk) valid() bool {
	flag := func(n int) bool { return n == 0 || n == 1 }
	ok := flag(ask.Huge) && flag(ask.Inactive) && flag(ask.Topics) && ask.Offset >= 0
	ok = ok && (ask.Limit == nil || *ask.Limit >= 1 && *ask.Limit <= 5000)
	ok = ok && (ask.GroupType == "" || slices.Contains(groupTypes[:], ask.GroupType))
	if ask.Response != nil {
		var ok1, ok2 bool
		ask.wantedBase, ok1 = set(ask.Response.Base, baseFields[:])
		ask.wantedSelf, ok2 = set(ask.Response.Self, selfFields[:])
		ok = ok && ok1 && ok2
	}
	return ok
}

// lists tells whether the question covers a group: AVChatRooms, inactive Work groups and, instead
// of all others, communities with topics come only where they are asked for.
func (ask *joinedAsk) lists(g *group) bool {
	switch {
	case ask.GroupType != "" && ask.GroupType != g.Type,
		g.Type == "AVChatRoom" && ask.Huge == 0,
		g.Type == "Private" && g.Inactive && ask.Inactive == 0:
		return false
	}
	return g.SupportTopic == (ask.Topics == 1)
}

func (s tencentServer) joined(q *query, ask *joinedAsk) answer {
	a := q.Tencent
	if !ask.valid() {
		return s.refuse(q, 10004, "a parameter is out of range; Limit is 1 to 5000")
	}
	u, known := a.userAt[*ask.Account]
	if !known {
		return s.refuse(q, q.options.UnknownAccountCode, "account does not exist")
	}
	rows := make([]entry, 0, len(a.users[u].groups))
	for _, e := range a.users[u].groups {
		if ask.lists(&a.groups[e.other]) {
			rows = append(rows, e)
		}
	}
	total := len(rows)
	limit := total
	if ask.Limit != nil {
		limit = *ask.Limit
	}
	rows, _ = q.cut(rows, ask.Offset, limit, false)
	info := infoEmpty
	if ask.Topics == 1 {
		info = infoOK
	}
	t := q.begin(info)
	q.named(t, "Member_Account", *ask.Account, false)
	q.total(t, "TotalCount", total)
	rows = q.told(rows)
	q.list(t, "GroupIdList", len(rows), func(i int) { a.writeTencentGroup(q, t, ask, rows[i]) })
	return s.close(q, t)
}

// writeTencentGroup writes GroupId and only what the ResponseFilter names besides.
func (a *App) writeTencentGroup(q *query, t *text, ask *joinedAsk, e entry) {
	g := &a.groups[e.other]
	t.raw("{")
	if ask.wantedBase["Type"] { // the order of keys is not fixed
		t.key("Type")
		t.string(g.Type)
	}
	t.key("GroupId")
	t.string(g.ID)
	if len(ask.wantedBase) > 0 {
		a.writeBase(q, t, ask.wantedBase, g)
	}
	if len(ask.wantedSelf) > 0 {
		t.key("SelfInfo")
		t.raw("{")
		a.writeCommon(q, t, ask.wantedSelf, e, mix(pair(uint32(e.other), 1)))
		t.raw("}")
	}
	t.raw("}")
}

func (a *App) writeBase(q *query, t *text, wanted map[string]bool, g *group) {
	owner := "" // a group may have none
	if g.owner != 0 {
		owner = a.users[g.owner-1].id
	}
	for _, f := range [...]struct{ name, value string }{
		{"Name", g.Name}, {"Introduction", ""}, {"Notification", ""}, {"FaceUrl", ""}, {"Owner_Account", owner},
		{"ApplyJoinOption", "FreeAccess"}, {"InviteJoinOption", "FreeAccess"}, {"ShutUpAllMember", "Off"},
	} {
		if wanted[f.name] {
			t.key(f.name)
			if f.name == "Name" {
				f.value = q.spoil(f.value)
			}
			t.string(f.value)
		}
	}
	topics := int64(0)
	if g.SupportTopic {
		topics = 1
	}
	for _, f := range [...]struct {
		name  string
		value int64
	}{
		{"CreateTime", g.created / 1000}, {"LastInfoTime", g.created / 1000}, {"LastMsgTime", 0}, {"NextMsgSeq", 1},
		{"MemberNum", int64(len(g.members))}, {"MaxMemberNum", 6000}, {"SupportTopic", topics},
	} {
		if wanted[f.name] {
			t.key(f.name)
			t.number(f.value)
		}
	}
}

// writeCommon writes what SelfInfo and a member's row share.
func (a *App) writeCommon(q *query, t *text, wanted map[string]bool, e entry, random uint64) {
	if wanted["Role"] {
		t.key("Role")
		t.string(q.padded(a.tencentRole(e.role)))
	}
	if wanted["JoinTime"] && e.joined != 0 {
		t.key("JoinTime")
		t.number(e.joined / 1000)
	}
	if wanted["MsgSeq"] {
		t.key("MsgSeq")
		t.number(int64(uint32(random)))
	}
	if wanted["MsgFlag"] {
		t.key("MsgFlag")
		t.string("AcceptAndNotify")
	}
}

func (q *query) padded(role string) string {
	if q.options.PaddedRoles {
		return role + " "
	}
	return role
}

func (s tencentServer) roles(q *query, ask *rolesAsk) answer {
	a := q.Tencent
	if len(ask.Accounts) == 0 || len(ask.Accounts) > 500 {
		return s.refuse(q, 10004, "User_Account must have 1 to 500 accounts")
	}
	g, refusal := s.group(q, *ask.GroupID)
	if refusal != nil {
		return *refusal
	}
	accounts := ask.Accounts
	if q.options.ShuffledRoles {
		accounts = slices.Clone(accounts)
		slices.Reverse(accounts)
	}
	if q.plan.drop {
		accounts = accounts[1:]
	}
	if q.plan.duplicate {
		accounts = append(slices.Clone(accounts), accounts[0])
	}
	told := len(accounts)
	if q.plan.lies.twoRoles {
		accounts = append(slices.Clone(accounts), accounts[0])
	}
	t := q.begin(infoEmpty)
	q.named(t, "GroupId", *ask.GroupID, false)
	q.list(t, "UserIdList", len(accounts), func(i int) {
		role := a.roleOf(g, accounts[i])
		switch {
		case i >= told && role == "NotMember":
			role = roleNames[0]
		case i >= told:
			role = "NotMember"
		}
		t.raw(`{"Member_Account":`)
		t.string(accounts[i])
		t.raw(`,"Role":`)
		t.string(q.padded(role))
		t.raw("}")
	})
	return s.close(q, t)
}

// roleOf is what the role query says; who is not registered is no member.
func (a *App) roleOf(g uint32, account string) string {
	u, known := a.userAt[account]
	if !known {
		return "NotMember"
	}
	if role, planted := a.roleViews[pair(g, u)]; planted {
		if i := slices.Index(a.roles[:3], role); i >= 0 {
			return roleNames[i]
		}
		return role
	}
	e, member := a.find(g, u)
	if !member {
		return "NotMember"
	}
	return a.tencentRole(e.role)
}

// window is the part of a member list that is asked for: by Offset, in communities by Next.
func (ask *membersAsk) window(q *query, g *group) (offset int, seal uint32, problem string) {
	seal = uint32(hashText(g.ID, *ask.GroupID)) &^ (1 << 31)
	if ask.Limit != nil && (*ask.Limit < 1 || *ask.Limit > q.options.MaxTencentLimit) {
		return 0, 0, "Limit must be 1 to " + strconv.Itoa(q.options.MaxTencentLimit)
	}
	if g.Type != "Community" {
		switch {
		case ask.Next != nil:
			return 0, 0, "Next is for communities only"
		case ask.Offset == nil:
			return 0, seal, ""
		case *ask.Offset < 0:
			return 0, 0, "Offset is negative"
		}
		return *ask.Offset, seal, ""
	}
	switch {
	case ask.Offset != nil:
		return 0, 0, "communities don't support Offset"
	case ask.Next == nil:
		return 0, 0, "communities require Next"
	case *ask.Next == "":
		return 0, seal, ""
	}
	n, err := strconv.ParseUint(*ask.Next, 10, 64)
	if err != nil || uint32(n) != seal {
		return 0, 0, "Next is not of this group"
	}
	if q.plan.expire {
		return 0, 0, "Next has expired"
	}
	return int(n >> 32), seal, ""
}

func (s tencentServer) members(q *query, ask *membersAsk) answer {
	a := q.Tencent
	wanted := map[string]bool{
		"Role": true, "JoinTime": true, "MsgSeq": true, "MsgFlag": true, "LastSendMsgTime": true, "NameCard": true, "MuteUntil": !q.options.OldMuteName, "ShutUpUntil": q.options.OldMuteName,
	}
	known := true
	if ask.Info != nil {
		wanted, known = set(*ask.Info, memberFields[:])
	}
	wantedRoles, knownRoles := set(ask.Roles, roleNames[:])
	if !known || !knownRoles {
		return s.refuse(q, 10004, "a filter names an unknown value")
	}
	g, refusal := s.group(q, *ask.GroupID)
	if refusal != nil {
		return *refusal
	}
	offset, seal, problem := ask.window(q, &a.groups[g])
	if problem != "" {
		return s.refuse(q, 10004, problem)
	}
	all := a.groups[g].members
	rows := all
	if len(wantedRoles) > 0 {
		rows = slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return !wantedRoles[a.tencentRole(e.role)] })
	}
	limit := len(rows)
	if ask.Limit != nil {
		limit = *ask.Limit
	}
	page, more := q.cut(rows, offset, limit, false)
	t := q.begin(infoNone)
	q.named(t, "GroupId", *ask.GroupID, false)
	q.total(t, "MemberNum", len(all)) // of the whole group, whatever the filter
	page = q.told(page)
	q.list(t, "MemberList", len(page), func(i int) { a.writeTencentMember(q, t, ask, wanted, g, page[i]) })
	if a.groups[g].Type == "Community" {
		t.key("Next")
		switch {
		case q.plan.repeatToken && *ask.Next != "":
			t.string(*ask.Next)
		case more:
			t.string(strconv.FormatUint(uint64(offset+limit)<<32|uint64(seal), 10))
		default:
			t.string("")
		}
	}
	return s.close(q, t)
}

func (a *App) writeTencentMember(q *query, t *text, ask *membersAsk, wanted map[string]bool, g uint32, e entry) {
	random := mix(pair(g, e.other))
	t.raw("{")
	t.key("Member_Account")
	t.string(a.users[e.other].id)
	a.writeCommon(q, t, wanted, e, random)
	if wanted["LastSendMsgTime"] {
		t.key("LastSendMsgTime")
		t.number(int64(random>>40) + 1_600_000_000)
	}
	for _, name := range [...]string{"MuteUntil", "ShutUpUntil"} {
		if wanted[name] {
			t.key(name)
			t.number([...]int64{0, 4294967295}[random>>60&1&(random>>61)]) // muted for good overflows an int32
		}
	}
	if wanted["NameCard"] {
		a.writeText(q, t, "NameCard", g, e)
	}
	if len(ask.Custom) > 0 {
		if s, present := a.extra(g, e.other, e.flags); present {
			t.raw(`,"AppMemberDefinedData":[`)
			for _, key := range ask.Custom {
				t.comma()
				t.raw(`{"Key":`)
				t.string(key)
				t.raw(`,"Value":`)
				t.string(s)
				t.raw("}")
			}
			t.raw("]")
		}
	}
	t.raw("}")
}
