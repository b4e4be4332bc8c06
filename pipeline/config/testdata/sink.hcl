source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}
ids "users" { path = "users.txt" }
data "chat_user_groups" "all" { users = ids.users }
sink "local" "out" {
  path = "s3://bucket/x"
  retention {
    mode = "COMPLIANCE"
    days = 30
  }
}
sink "s3" "lake" { endpoint = "https://me:hunter2@host" }
snapshot { tolerate_failed = 0.5 }
