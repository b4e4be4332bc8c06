source "chat" "prod" {
  app        = 1
  app_secret = "hunter2
}

ids "users" { path = "users.txt" }
