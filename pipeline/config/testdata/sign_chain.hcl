source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}
ids "users" { path = "users.txt" }
snapshot {
  sign {
    ed25519_key  = file("/etc/rollcall/third.pem")
    endorsements = [file("/etc/rollcall/second.endorsement")]
  }
}
