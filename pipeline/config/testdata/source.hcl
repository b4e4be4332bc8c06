source "chat" "prod" {
  endpoint   = ""
  app        = "seven"
  app_secret = "hunter2"
  app_secrt  = "hunter2"
  share      = 1.5
  budget     = 100
  window {
    from      = "8 o'clock"
    to        = "25:00"
    time_zone = "Asia/Shangai"
  }
  budget "user_group" { per_second = 5 }
  budget "user_groups" {
    per_second = 0
    pacing     = "smooth"
  }
  budget "user_groups" {}
  limit "user_groups" {}
}

source "chat" "secret" {
  app        = -2
  app_secret = "${env("SECRET")}-hunter2"
  debug      = "perhaps"
  share      = env("SHARE")
}

source "chat" "default" {
  app_secret = env("UNSET", "hunter2")
}

source "chat" "short" {
  app        = 2
  app_secret = env("EMPTY")
}

source "chat" "unset" {
  app        = 3
  app_secret = env("CHAT_SECRET")
}

source "chat" "file" {
  app        = 1.5
  app_secret = file("missing.txt")
  endpoint   = getenv("X")
}

source "chat" "heredoc" {
  app        = 5
  app_secret = <<EOT
hunter2
EOT
}

source "chat" "same" {
  app        = 2
  share      = 0.5
  app_secret = env("SECRET")
}

source "chat" "window" {
  app        = 6
  app_secret = env("SECRET")
  window {
    from  = "08:00"
    to    = "08:00"
    share = 0
  }
}

data "chat_user_groups" "all" {
  source = source.chat.window
  users  = ids.users
}

ids "users" { values = ["u1"] }
