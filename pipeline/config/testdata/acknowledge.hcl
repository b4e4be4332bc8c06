source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}
source "chat" "test" {
  app        = 2
  app_secret = env("SECRET")
}
ids "users" { path = "users.txt" }
data "chat_user_groups" "all" {
  source = source.chat.prod
  users  = ids.users
}
snapshot {
  acknowledge "short" {}
  acknowledge "exact" {
    source = source.chat.prod
    groups = ["g17"]
    until  = "2027-03-01"
    reason = "why not"
  }
  acknowledge "shrt" {
    source = source.chat.prd
    groups = ["g17"]
    users  = ["u1"]
    until  = "2027-02-30"
    reason = "  "
  }
  acknowledge "over" {
    source = "chat.prod"
    users  = []
    until  = ""
    reason = ""
    note   = "x"
  }
  acknowledge "drifted" {
    source = source.chat.test
    groups = ["", " g1", null]
    until  = "soon"
    reason = 5
  }
  acknowledge {
    groups = ["g1"]
  }
}
acknowledge "short" { groups = ["g17"] }
