ids "nothing" {}
ids "both" {
  path   = "a.txt"
  values = ["a"]
}
ids "none" { values = [] }
ids "empty" { values = ["a", ""] }
ids "numbers" { values = [[1], 2] }
ids "column" {
  values = ["a"]
  column = "id"
}
ids "unseen" { values = ["u1", "u2​"] }
ids "wide" {
  path      = "a.csv"
  delimiter = ";;"
  header    = "no"
}
ids "local" {
  path     = "a.csv"
  region   = "eu-central-1"
  endpoint = "s3"
}
ids "headless" {
  path   = "a.csv"
  column = "id"
  header = false
}
ids "kept" {
  values    = ["a"]
  delimiter = ";"
  region    = "eu-central-1"
}
ids "blank" { path = "" }
ids "stdin" { path = "-" }
ids "again" { path = "-" }
ids "lines" {
  path   = "-"
  header = false
}
ids "typo" { pth = "users.txt" }
ids "reference" { path = ids.stdin }

sink "s3" "lake" {
  bucket        = "s3://acme/audit"
  prefix        = 7
  endpoint      = "minio:9000"
  encryption    = "kms"
  kms_key_id    = "k"
  access_key    = "AKIA"
  storage_class = "GLACIER"
  retention {
    mode   = "COMPLIENCE"
    days   = 0.5
    bypass = true
  }
  retention {}
}

snapshot { tolerate_failed = "101%" }
