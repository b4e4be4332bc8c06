source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}
ids "users" { path = "users.txt" }
data "chat_user_groups" "all" { users = ids.users }
sink "s3" "address" {
  bucket     = "acme-audit"
  endpoint   = "http://127.0.0.1:9000"
  path_style = false
}
sink "s3" "dots" {
  bucket     = "audit.acme.example"
  endpoint   = "https://oss-cn-hangzhou.aliyuncs.com"
  path_style = false
}
sink "s3" "capitals" {
  bucket     = "Acme_audit"
  path_style = false
}
sink "s3" "word" {
  bucket     = "acme-audit"
  path_style = "virtual"
}
