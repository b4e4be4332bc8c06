source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}

ids "users" { path = "users.txt" }

data "chat_user_groups" "a" {
  users = [ids.users, data.chat_group_members.b.users]
}

data "chat_group_members" "b" {
  groups = data.chat_user_groups.c.groups
}

data "chat_user_groups" "c" {
  users = data.chat_group_members.d.users
}

data "chat_group_members" "d" {
  groups = [data.chat_user_groups.a.groups]
}

data "chat_group_roles" "outside" {
  memberships = data.chat_group_members.d.memberships
}
