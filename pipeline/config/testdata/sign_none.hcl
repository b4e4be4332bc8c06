source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}
ids "users" { path = "users.txt" }
snapshot {
  sign {}
  sign { ed25519_key = env("SECRET") }
}
