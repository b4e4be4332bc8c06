# Rollcall: who is in which group, sealed every night.
#
#   rollcall validate     checks this file
#   rollcall plan         says how many requests a night takes, and how long; asks nothing
#   rollcall run          does it; when it is cut short, run it again and it goes on
#
# Secrets stay out of this file: env("NAME") reads an environment variable, file("path") a file.

# A source is one account of a vendor.
source "rongcloud" "prod" {
  endpoint   = "https://api.rong-api.com" # Beijing; the default
  app_key    = env("RONGCLOUD_APP_KEY")
  app_secret = env("RONGCLOUD_APP_SECRET")

  # Rollcall never sends more than a budget allows: 100 requests a second for each endpoint,
  # where the vendor did not raise it. The live app shares that budget; leave it its part.
  share = 0.8

  # budget "group_members" {
  #   per_second = 200
  # }

  # By day the live app needs more:
  # window {
  #   from      = "08:00"
  #   to        = "22:00"
  #   share     = 0.2
  #   time_zone = "Asia/Shanghai"
  # }
}

# A list of IDs: .txt (one a line), .csv, .ndjson or .parquet, each also with .gz, in a local file or
# folder or on s3://; "-" is standard input.
ids "users" {
  path = "users.txt"
}

# ids "rooms" {
#   path      = "groups.csv"
#   column    = "group_id"
#   delimiter = ";"          # default: a comma
# }

# A data block asks one question about many keys. This one: in which groups is each user?
data "rongcloud_user_groups" "all" {
  source = source.rongcloud.prod
  users  = ids.users
}

# And this one: who is in each of the groups found that way? A list of groups can be added:
# groups = [ids.rooms, data.rongcloud_user_groups.all.groups]
data "rongcloud_group_members" "all" {
  source = source.rongcloud.prod
  groups = data.rongcloud_user_groups.all.groups
  # only = ["owner", "admin"]   # asks for these roles alone, with far fewer requests
}

# Tencent Cloud Chat is asked the same way:
#
# source "tencentchat" "intl" {
#   endpoint   = "https://adminapisgp.im.qcloud.com"
#   sdk_app_id = 1400000001
#   identifier = "administrator"
#   secret_key = env("TENCENT_SECRET_KEY")
# }
#
# data "tencentchat_joined_groups" "all" {
#   users = ids.users
# }
#
# data "tencentchat_group_roles" "all" {
#   memberships = data.tencentchat_joined_groups.all.memberships
# }

# Where snapshots go. For S3, credentials come from the AWS SDK's chain, never from this file:
# sink "s3" "lake" {
#   bucket = "acme-audit"
#   prefix = "im"
#   region = "ap-southeast-1"
# }
sink "local" "out" {
  path = "./snapshots"
}

snapshot {
  # How many keys may have failed in a snapshot that is sealed all the same: a share or a number.
  tolerate_failed = "0.1%"

  # Looked at before sealing, against the snapshot before. After a failed check nothing is sealed and
  # nothing is lost: rollcall run --accept fewer_memberships seals all the same.
  #
  # Five checks are there without being written. A block of its name changes one; action = "warn" or
  # "off" softens it:
  # check "list_shrunk" {          # an ID list has over 20% and at least 20 IDs fewer
  #   drop = "50%"                 # the only limit, once it is written
  # }
  # check "uncovered" {            # so many memberships belong to no group and no user that was asked
  #   drop = "50%"
  # }
  # check "fewer_memberships" {    # there are so many memberships fewer
  #   drop = "5%"
  # }
  # check "emptied" {              # memberships, groups or users had rows and has none
  #   action = "warn"
  # }
  # check "list_without_rows" {    # none of the 20 or more IDs of a list has a membership
  #   action = "off"
  # }
  #
  # Others are written:
  # check "no_owner" {
  #   ownerless = "1%"
  #   action    = "warn"
  # }

  # A count that is known to disagree with the vendor's total, and is not to make a run end with code 3:
  # acknowledge "short" {
  #   groups = ["g17"]
  #   until  = "2027-03-01" # the last snapshot date for which it holds
  #   reason = "ticket 123: the vendor counts a deleted account"
  # }

  # What the snapshot is not to hold: pseudonyms instead of IDs, and no nicknames.
  # column "user_id"  { hmac_key = env("HMAC_KEY") } # openssl rand -hex 32; keep it safe
  # column "nickname" { drop = true }
}
