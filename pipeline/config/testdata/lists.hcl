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
ids "blank" { path = "" }
ids "stdin" { path = "-" }
ids "again" { path = "-" }
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
