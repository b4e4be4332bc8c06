# Both simulated vendors, asked everything that they can be asked. `rollcall simulate` serves them.
# To serve these again, at the address below:
#   {{.Again}}

source "rongcloud" "demo" {
  endpoint   = "{{.Endpoint}}"
  app_key    = file("rongcloud.key")
  app_secret = file("rongcloud.secret")
{{- range .RongCloud}}
  budget "{{.}}" { per_second = {{$.PerSecond}} }
{{- end}}
}

source "tencentchat" "demo" {
  endpoint   = "{{.Endpoint}}"
  sdk_app_id = {{.SDKAppID}}
  identifier = "{{.Identifier}}"
  secret_key = file("tencentchat.secret")
{{- range .TencentChat}}
  budget "{{.}}" { per_second = {{$.PerSecond}} }
{{- end}}
}

ids "rongcloud_users"    { path = "rongcloud/users.txt" }
ids "rongcloud_groups"   { path = "rongcloud/groups.txt" }
ids "tencentchat_users"  { path = "tencentchat/users.txt" }
ids "tencentchat_groups" { path = "tencentchat/groups.txt" }

data "rongcloud_user_groups" "all"   { users = ids.rongcloud_users }
data "rongcloud_joined_groups" "all" { users = ids.rongcloud_users }

data "rongcloud_group_members" "all" {
  groups = [ids.rongcloud_groups, data.rongcloud_user_groups.all.groups]   # given and discovered, each once
}

data "tencentchat_joined_groups" "all" { users = ids.tencentchat_users }
data "tencentchat_group_members" "all" { groups = ids.tencentchat_groups }

data "tencentchat_group_roles" "all" {
  memberships = data.tencentchat_joined_groups.all.memberships             # (group, user) pairs, batched by group
}

sink "local" "out" { path = "./snapshots" }

snapshot { tolerate_failed = "1%" }
