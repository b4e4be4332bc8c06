snapshot {
  column "nickname" { drop = true }
  column "nickname" { drop = true }
  column "extra" { drop = false }
  column "message" {}
  column "name" { hmac_key = env("HMAC_KEY") }
  column "user_id" { drop = true }
  column "group_id" { hmac_key = "hunter2-hunter2-hunter2" }
  column "user_ids" { hmac_key = env("HMAC_KEY") }
  column "user_id" { hmac_key = env("SECRET") }
  column "role" { drop = true }
  column "key" { hmac_key = env("HMAC_KEY") }
  colum "user_id" { hmac_key = "hunter2-hunter2-hunter2" }
  hmac_key = "hunter2-hunter2-hunter2"
}

column "user_id" { hmac_key = "hunter2" }
