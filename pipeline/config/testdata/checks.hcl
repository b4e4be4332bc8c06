source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}
ids "users" { path = "users.txt" }
data "chat_user_groups" "all" { users = ids.users }
snapshot {
  check "nothing" {}
  check "two" {
    drop    = "5%"
    emptied = true
  }
  check "no_table" { drop = "5%" }
  check "typo" {
    table = "membership"
    drop  = 5
  }
  check "much" {
    table = "groups"
    drop  = "105%"
  }
  check "no" { new_roles = false }
  check "roles" {
    table     = "groups"
    new_roles = true
    action    = "warm"
  }
  check "owners" {
    ownerles = 3
  }
  check "twice" { emptied = true }
  check "twice" { new_roles = true }
  check { emptied = true }
  check "null_table" {
    table = null
    drop  = 3
  }
  check "null_drop" {
    table = "users"
    drop  = null
  }
  chek "x" { emptied = true }
  check "list_shrank" { drop = "50%" }
  check "uncoverd" { action = "off" }
  check "uncovered" { table = "users" }
  check "list_without_rows" { drop = "5%" }
  check "emptied" { emptied = false }
  check "list_shrunk" { drop = "most" }
}
check "outside" { emptied = true }
