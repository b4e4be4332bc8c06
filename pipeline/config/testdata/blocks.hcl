name = "prod"

sorce "chat" "prod" {
  app_secret = "hunter2"
}

source "chta" "prod" {
  app_secret = "hunter2"
}

source "chat" {
  app = 1
}

source "chat" "my prod" {
  app = 1
}

ids "users" { path = "users.txt" }
ids "users" { path = "others.txt" }

data "chat_usr_groups" "all" { users = ids.users }

sink "s4" "lake" {}

sink "local" "second" { path = "./here" }

snapshot {}
snapshot { tolerate = 3 }
