package schema

// Origin is where the values of a column come from when a vendor is asked.
type Origin struct{ Vendor, From string }

// The vendors' names and how their endpoints are written below.
const (
	rongCloud = "RongCloud"
	tencent   = "Tencent Cloud Chat"

	given    = "Rollcall: the address in the configuration"
	counted  = "Rollcall: counted"
	judged   = "Rollcall: judged"
	compared = "Rollcall: compared with the base"
)

// Origins says where the values of a column come from: one Origin for each vendor, or a single one
// without a vendor for what Rollcall itself makes. Fields are written "endpoint: field".
func (t Table) Origins(column string) []Origin {
	if fields, ok := vendorFields()[t.Name+"."+column]; ok {
		return []Origin{{rongCloud, fields[0]}, {tencent, fields[1]}}
	}
	if made, ok := ownFields()[t.Name+"."+column]; ok {
		return []Origin{{From: made}}
	}
	switch column {
	case "source":
		return []Origin{{From: given}}
	case "group_id", "user_id":
		return []Origin{{From: "as in memberships"}}
	}
	return nil
}

// vendorFields are the columns that a vendor's answer fills, with RongCloud's field and Tencent's.
func vendorFields() map[string][2]string {
	return map[string][2]string{
		"memberships.group_id":      {"user/group/query: groups[].id; entrust/joined/group/query: groups[].groupId; of a group's own list the groupId asked", "get_joined_group_list: GroupIdList[].GroupId; of a group's own list and of roles the GroupId asked"},
		"memberships.user_id":       {"entrust/group/member/query: members[].userId; of a user's own list the userId asked", "get_group_member_info: MemberList[].Member_Account; get_role_in_group: UserIdList[].Member_Account; of a user's own list the Member_Account asked"},
		"memberships.role":          {"from role_raw: 1 member, 2 admin, 3 owner", "from role_raw: Member, Admin, Owner"},
		"memberships.role_raw":      {"entrust/group/member/query: members[].role; entrust/joined/group/query: groups[].role", "get_role_in_group: UserIdList[].Role; get_group_member_info: MemberList[].Role; get_joined_group_list: SelfInfo.Role"},
		"memberships.nickname":      {"entrust/group/member/query: members[].nickname", "get_group_member_info: MemberList[].NameCard"},
		"memberships.joined_at":     {"entrust/group/member/query: members[].time; entrust/joined/group/query: groups[].joinTime (milliseconds)", "get_group_member_info: MemberList[].JoinTime; get_joined_group_list: SelfInfo.JoinTime (seconds)"},
		"memberships.extra":         {"entrust/group/member/query: members[].extra", "none"},
		"memberships.in_user_view":  {"user/group/query and entrust/joined/group/query: groups[] names the group", "get_joined_group_list: GroupIdList[] names the group"},
		"memberships.in_group_view": {"entrust/group/member/query: members[] names the user", "get_group_member_info: MemberList[] names the user"},
		"memberships.in_role_view":  {"none", "get_role_in_group: a Role other than NotMember"},
		"groups.name":               {"user/group/query and entrust/joined/group/query: groups[].name", "get_joined_group_list: GroupIdList[].Name"},
		"groups.type":               {"none", "get_joined_group_list: GroupIdList[].Type"},
		"groups.declared_members":   {"entrust/group/member/query: totalCount", "get_group_member_info: MemberNum"},
		"users.declared_groups":     {"entrust/joined/group/query: totalCount; user/group/query gives none", "get_joined_group_list: TotalCount"},
		"outcomes.declared":         {"totalCount", "TotalCount or MemberNum"},
		"outcomes.vendor_code":      {"code", "ErrorCode"},
		"outcomes.message":          {"errorMessage, or what Rollcall met", "ErrorInfo, or what Rollcall met"},
		"sources.app_id":            {"app_key of the configuration", "sdk_app_id of the configuration"},
	}
}

// ownFields are the columns that Rollcall makes.
func ownFields() map[string]string {
	return map[string]string{
		"memberships.disputed":     judged + " from the views",
		"groups.collected_members": counted,
		"groups.owners":            counted,
		"groups.admins":            counted,
		"groups.verdict":           judged + " from the outcome, declared_members and collected_members",
		"users.collected_groups":   counted,
		"users.verdict":            judged + " from the outcome, declared_groups and collected_groups",
		"outcomes.data":            given,
		"outcomes.key":             "Rollcall: from the ID lists, or discovered by another data block",
		"outcomes.outcome":         judged + " from the answers",
		"outcomes.rows":            counted,
		"outcomes.requests":        counted,
		"outcomes.attempts":        counted,
		"outcomes.asked_at":        "Rollcall: its own clock",
		"outcomes.answered_at":     "Rollcall: its own clock",
		"discrepancies.kind":       judged + " from the views",
		"discrepancies.user_view":  "Rollcall: the role in the user's own list, as in memberships",
		"discrepancies.group_view": "Rollcall: the role in the group's own list, as in memberships",
		"discrepancies.role_view":  "Rollcall: the role query's answer, as in memberships",
		"changes.change":           compared,
		"changes.role_before":      "Rollcall: memberships.role of the base",
		"changes.role_after":       "Rollcall: memberships.role of this snapshot",
		"changes.certain":          compared,
		"sources.type":             given,
		"sources.endpoint":         given,
		"sources.budgets":          given,
		"sources.requests":         counted,
		"sources.retries":          counted,
		"sources.throttles":        counted,
		"sources.seconds":          "Rollcall: its own clock",
		"sources.budget_share":     counted,
	}
}
