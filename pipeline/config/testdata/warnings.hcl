source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}
source "chat" "idle" {
  app        = 2
  app_secret = env("SECRET")
}
ids "users" { path = "users.txt" }
ids "idle" { path = "idle.txt" }
data "chat_user_groups" "all" {
  source = source.chat.prod
  users  = ids.users
}
