# What Rollcall asks for and where it seals the answer.
# Check it with `rollcall validate`, see what it would cost with `rollcall plan`, then `rollcall run`.

# 1. The vendor account. Secrets come from the environment or from a file, never from here.
source "rongcloud" "prod" {
  app_key    = env("RONGCLOUD_APP_KEY")
  app_secret = env("RONGCLOUD_APP_SECRET")

  # endpoint = "https://api.sg-light-api.com"     # the default is Beijing: https://api.rong-api.com
  share = 0.8                                     # of every budget; the rest is left to the live application

  # budget "group_members" { per_second = 200 }   # where the vendor raised a limit (default 100)
}

# source "tencentchat" "intl" {
#   endpoint   = "https://adminapisgp.im.qcloud.com"
#   sdk_app_id = 1400000001
#   identifier = "administrator"
#   secret_key = env("TENCENT_SECRET_KEY")
# }

# 2. Whom to ask about: one ID a line, or a column of a .csv, .ndjson or .parquet file (.gz too).
ids "staff" { path = "users.txt" }

# ids "rooms" {
#   path   = "groups.csv"
#   column = "group_id"
# }

# 3. What to ask. Every group that a user is in:
data "rongcloud_user_groups" "staff" {
  source = source.rongcloud.prod
  users  = ids.staff
}

# ... and every member of each of those groups, with role and time of joining:
data "rongcloud_group_members" "all" {
  source = source.rongcloud.prod
  groups = data.rongcloud_user_groups.staff.groups   # or a list: [ids.rooms, data.….groups]
}

# 4. Where the snapshots go.
sink "local" "out" { path = "./snapshots" }

# sink "s3" "lake" {
#   bucket = "acme-audit"
#   prefix = "im"
#   region = "ap-southeast-1"   # credentials come from the AWS SDK's ordinary chain
# }

# 5. How many keys may fail in a snapshot that is sealed all the same (default: none).
snapshot { tolerate_failed = "0.1%" }
