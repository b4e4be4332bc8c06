// Package rongcloud asks RongCloud (融云; outside China also Nexconn) who is in which group.
//
// It offers three data blocks: the groups of a user (user_groups, no roles), the members of a
// hosted group with their roles (group_members), and the hosted groups of a user with the role
// there (joined_groups). The latter two need profile hosting, which RongCloud enables by ticket.
//
// It promises what package sources promises: a Reading is all that RongCloud gave for the key, or
// there is a *fault.Error and no Reading. Answers are decoded strictly (package wire), errors are
// classified by HTTP status and body code together, since RongCloud uses both, and no message
// shows the app secret or a signature. Requests are built for the endpoint given; going over to the
// backup host, which takes the same signature, is the host's affair.
package rongcloud

import (
	"rollcall/schema"
	"rollcall/sources"
	"rollcall/sources/wire"
)

const (
	userGroups   = "user_groups"
	groupMembers = "group_members"
	joinedGroups = "joined_groups"

	userGroupsPath   = "/user/group/query.json"
	groupMembersPath = "/entrust/group/member/query.json"
	joinedGroupsPath = "/entrust/joined/group/query.json"
)

const (
	unpagedGroups = 5000 // what one unpaged answer holds at most (RongCloud, query-group-by-user page)
	groupsPage    = 1000 // largest page of the same endpoint
	hostedPage    = 100  // largest page of the hosted endpoints (RongCloud, query-group-member page)
)

// Definition says what RongCloud can be asked.
func Definition() sources.Definition {
	return sources.Definition{
		Type:  "rongcloud",
		Title: "RongCloud",
		Doc:   "RongCloud (Nexconn) server API. Endpoints: " + wire.Regions(regions()),
		Data: []sources.Data{{
			Name: userGroups, Path: userGroupsPath, Key: sources.UserKey, View: schema.UserView,
			PerSecond: 100, PageSize: unpagedGroups, OpenEnd: true,
			Doc: "the groups of each user, with their names, without roles",
		}, {
			Name: groupMembers, Path: groupMembersPath, Key: sources.GroupKey, View: schema.GroupView,
			PerSecond: 100, PageSize: hostedPage, Total: true, Roles: true, Only: true,
			Doc: "the members of each hosted group: role, nickname, time of joining, extra",
		}, {
			Name: joinedGroups, Path: joinedGroupsPath, Key: sources.UserKey, View: schema.UserView,
			PerSecond: 100, PageSize: hostedPage, Total: true, Roles: true,
			Doc: "the hosted groups of each user: name, role, time of joining",
		}},
		Config: func() sources.Config { return &Config{Endpoint: defaultEndpoint, Failover: true} },
	}
}

// regions lists RongCloud's data centres (RongCloud, base-url page).
func regions() []wire.Region {
	return []wire.Region{
		{Name: "Beijing", Main: "api.rong-api.com", Backup: "api-b.rong-api.com"},
		{Name: "Singapore", Main: "api.sg-light-api.com", Backup: "api-b.sg-light-api.com"},
		{Name: "Singapore B", Main: "api.sg-b-light-api.com", Backup: "api-b.sg-b-light-api.com"},
		{Name: "North America", Main: "api.us-light-api.com", Backup: "api-b.us-light-api.com"},
		{Name: "Saudi Arabia", Main: "api.sau-light-api.com", Backup: "api-b.sau-light-api.com"},
	}
}
