// Package tencentchat asks Tencent Cloud Chat (腾讯云即时通信 IM) who is in which group.
//
// It offers three data blocks: the groups of a user with the role there (joined_groups), the role
// of up to 500 users in one group (group_roles), and the members of a group (group_members).
//
// It promises what package sources promises: a Reading is all that Tencent gave for the key, or
// there is a *fault.Error and no Reading. Answers are decoded strictly (package wire) and judged
// by ErrorCode, since the HTTP status is 200 for every outcome. A list that is paged by offset ends at a
// page that is not full; where only some roles are asked for, at an empty one, since Tencent doesn't
// document whether it filters by role before it cuts pages or after, so that any page may be short and
// such a reading is never a proof that somebody is absent. A UserSig is made here, valid for
// 24 hours, kept and renewed in time; neither it nor the key is shown in a message. Requests
// are built for the endpoint given; going over to the backup host is the host's affair.
package tencentchat

import (
	"rollcall/schema"
	"rollcall/sources"
	"rollcall/sources/wire"
)

const (
	joinedGroups = "joined_groups"
	groupRoles   = "group_roles"
	groupMembers = "group_members"

	joinedGroupsPath = "/v4/group_open_http_svc/get_joined_group_list"
	groupRolesPath   = "/v4/group_open_http_svc/get_role_in_group"
	groupMembersPath = "/v4/group_open_http_svc/get_group_member_info"
)

const (
	joinedPage  = 5000 // largest Limit of get_joined_group_list (Tencent, document 269/1625)
	rolesBatch  = 500  // most accounts of one get_role_in_group (Tencent, document 1047/34963)
	membersPage = 200  // largest Limit of get_group_member_info (Tencent, document 269/1617)
)

// Definition says what Tencent Cloud Chat can be asked.
func Definition() sources.Definition {
	return sources.Definition{
		Type:  "tencentchat",
		Title: "Tencent Cloud Chat",
		Doc:   "Tencent Cloud Chat REST API. Endpoints: " + wire.Regions(regions()),
		Data: []sources.Data{{
			Name: joinedGroups, Path: joinedGroupsPath, Key: sources.UserKey, View: schema.UserView,
			PerSecond: 200, PageSize: joinedPage, Total: true, Roles: true, Topics: true, TopicIDs: communityPrefix, OpenEnd: true,
			Doc: "the groups of each user: name, type, role, time of joining",
		}, {
			Name: groupRoles, Path: groupRolesPath, Key: sources.RoleKey, View: schema.RoleView,
			PerSecond: 200, PageSize: rolesBatch, Batch: rolesBatch, Roles: true,
			Doc: "the role of each user in a group, NotMember included",
		}, {
			Name: groupMembers, Path: groupMembersPath, Key: sources.GroupKey, View: schema.GroupView,
			PerSecond: 200, PageSize: membersPage, Total: true, Roles: true, Only: true, OpenEnd: true, Linked: communityPrefix,
			Doc: "the members of each group: role, time of joining, name card",
		}},
		Config: func() sources.Config {
			return &Config{Endpoint: defaultEndpoint, Identifier: defaultIdentifier, Failover: true}
		},
	}
}

// regions lists Tencent's data centres (Tencent, document 1047/34620).
func regions() []wire.Region {
	return []wire.Region{
		{Name: "China", Main: "console.tim.qq.com", Backup: "adminapi.my-imcloud.com"},
		{Name: "Singapore", Main: "adminapisgp.im.qcloud.com", Backup: "adminapisgp.my-imcloud.com"},
		{Name: "Seoul", Main: "adminapikr.im.qcloud.com", Backup: "adminapikr.my-imcloud.com"},
		{Name: "Tokyo", Main: "adminapijpn.im.qcloud.com", Backup: "adminapijpn.my-imcloud.com"},
		{Name: "Frankfurt", Main: "adminapiger.im.qcloud.com", Backup: "adminapiger.my-imcloud.com"},
		{Name: "Mumbai", Main: "adminapiind.im.qcloud.com", Backup: "adminapiind.my-imcloud.com"},
		{Name: "Silicon Valley", Main: "adminapiusa.im.qcloud.com", Backup: "adminapiusa.my-imcloud.com"},
		{Name: "Jakarta", Main: "adminapiidn.im.qcloud.com", Backup: "adminapiidn.my-imcloud.com"},
	}
}

// communityPrefix begins the ID of every community. (Tencent Cloud Chat, creating a group: custom and
// generated community IDs begin with @TGS#_.)
const communityPrefix = "@TGS#_"
