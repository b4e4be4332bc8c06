source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}

source "chat" "test" {
  app        = 2
  app_secret = env("SECRET")
}

ids "users" { path = "users.txt" }
ids "idle" { path = "idle.txt" }

data "chat_user_groups" "no_source" { users = ids.users }

data "chat_user_groups" "a" {
  source = source.chat.prd
  users  = ids.usres
}

data "chat_user_groups" "b" {
  source = "source.chat.prod"
  users  = "ids.users"
  groups = ids.users
  only   = ["owner"]
}

data "chat_user_groups" "c" {
  source = source.chat.prod
  users  = [ids.users, data.chat_group_members.d.groups, dta.chat_group_members.d.users, data.chat_group_members.d]
}

data "chat_group_members" "d" {
  source = source.chat.prod
  groups = [data.chat_user_groups.b.gruops, data.chat_user_groups.x.groups, data.chat_user_groups.b.memberships]
  only   = ["ownr", "admin"]
  topics = true
}

data "chat_group_members" "e" {
  source = source.chat.test
  groups = [data.chat_user_groups.b.groups, ids.users["x"], upper("x")]
}

data "chat_group_roles" "f" {
  source      = source.chat.prod
  memberships = ids.users
}

data "chat_group_roles" "g" {
  source      = source.chat.prod
  memberships = data.chat_user_groups.b.memberships
  groups      = ids.users
}

data "chat_group_roles" "h" {
  source = source.chat.prod
  groups = [data.chat_group_roles.g.groups]
}

data "chat_group_roles" "i" { source = source.chat.prod }

data "chat_group_members" "j" {
  source = source.chat.prod
  groups = []
  only   = []
}

data "chat_group_members" "k" {
  source = source.chat.prod
  group  = ids.users
}
