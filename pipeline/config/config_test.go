package config_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline/config"
	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sources/all"
)

// contract is the example of the product's documentation.
const contract = `
source "rongcloud" "prod" {
  endpoint   = "https://api.rong-api.com"       # default: Beijing
  app_key    = env("RONGCLOUD_APP_KEY")
  app_secret = env("RONGCLOUD_APP_SECRET")
  share      = 0.8                              # of every budget; the rest is the live app's (default 1)
  budget "group_members" { per_second = 200 }   # the vendor raised this one (default 100)
}

source "tencentchat" "intl" {
  endpoint   = "https://adminapisgp.im.qcloud.com"
  sdk_app_id = 1400000001
  identifier = "administrator"
  secret_key = env("TENCENT_SECRET_KEY")
}

ids "staff" { path = "users.txt" }                # one ID a line

ids "rooms" {
  path   = "groups.csv"                           # .txt .csv .ndjson .parquet; s3:// or local; .gz; "-" is stdin
  column = "group_id"
}

ids "vip" { values = ["u0000001", "u0000002"] }

data "rongcloud_user_groups" "staff" {
  source = source.rongcloud.prod
  users  = ids.staff
}

data "rongcloud_group_members" "all" {
  source = source.rongcloud.prod
  groups = [ids.rooms, data.rongcloud_user_groups.staff.groups]   # given and discovered, each once
}

data "tencentchat_joined_groups" "staff" {
  source = source.tencentchat.intl
  users  = ids.staff
}

data "tencentchat_group_roles" "staff" {
  source      = source.tencentchat.intl
  memberships = data.tencentchat_joined_groups.staff.memberships  # (group, user) pairs, batched by group
}

sink "s3" "lake" {
  bucket   = "acme-audit"
  prefix   = "im"
  region   = "ap-southeast-1"
  endpoint = env("S3_ENDPOINT", null)  # optional
}

snapshot {
  tolerate_failed = "0.1%"           # of keys; default 0
}
`

// vendors is the world in which the contract's example runs.
func vendors(secrets bool) config.Options {
	o := options()
	o.Definitions, o.Secrets = all.Definitions(), secrets
	o.Env = func(name string) (string, bool) {
		value, ok := map[string]string{
			"RONGCLOUD_APP_KEY": "bmdehs6pbg8zs", "RONGCLOUD_APP_SECRET": "Wrz2cfjOGQ1P7n",
			"TENCENT_SECRET_KEY": "60c6c5925f3ae52c7325ac5a8ec78e44c056d1dd84d54e12ffa39911267a2a70",
		}[name]
		return value, ok && secrets
	}
	return o
}

func TestTheContractsExampleIsValid(t *testing.T) {
	t.Parallel()
	j := mustParse(t, contract, vendors(true))
	addresses := []string{}
	for _, d := range j.Data {
		addresses = append(addresses, d.Source+" "+d.Address)
	}
	if want := []string{
		"rongcloud.prod rongcloud_group_members.all", "rongcloud.prod rongcloud_user_groups.staff",
		"tencentchat.intl tencentchat_group_roles.staff", "tencentchat.intl tencentchat_joined_groups.staff",
	}; !slices.Equal(addresses, want) {
		t.Errorf("data blocks are %q", addresses)
	}
	members := j.Data[0]
	if !slices.Equal(members.Groups.Lists, []string{"rooms"}) || !slices.Equal(members.Upstream(), []string{"rongcloud_user_groups.staff"}) {
		t.Errorf("groups come from %+v", members.Groups)
	}
	if !slices.Equal(j.Data[2].Memberships, []string{"tencentchat_joined_groups.staff"}) {
		t.Errorf("memberships come from %q", j.Data[2].Memberships)
	}
	wantLists := []job.List{{Name: "rooms", Path: "/etc/rollcall/groups.csv", Column: "group_id"}, {Name: "staff", Path: "/etc/rollcall/users.txt"}}
	if !reflect.DeepEqual(j.Lists, wantLists) {
		t.Errorf("lists are %+v", j.Lists)
	}
	prod := j.Sources[0]
	wantBudgets := map[string]job.Budget{"user_groups": {PerSecond: 100}, "group_members": {PerSecond: 200}, "joined_groups": {PerSecond: 100}}
	if prod.Address != "rongcloud.prod" || prod.Share != 0.8 || !maps.Equal(prod.Budgets, wantBudgets) || prod.Config.Account().AppID != "bmdehs6pbg8zs" {
		t.Errorf("the source is %+v", prod)
	}
	if want := (job.S3{Bucket: "acme-audit", Prefix: "im", Region: "ap-southeast-1"}); j.Sink.S3 == nil || *j.Sink.S3 != want || j.Sink.Address != "s3.lake" {
		t.Errorf("the sink is %+v", j.Sink)
	}
	if j.Tolerate != (job.Tolerance{Share: 0.001}) {
		t.Errorf("tolerated is %+v", j.Tolerate)
	}
}

func TestAuditorsNeedNoVariables(t *testing.T) {
	t.Parallel()
	auditor := mustParse(t, contract, vendors(false))
	if len(auditor.Sources) != 2 || len(auditor.Data) != 4 {
		t.Errorf("got %+v", auditor)
	}
	o := vendors(true)
	o.Secrets = false
	o.Env = func(name string) (string, bool) {
		if name != "RONGCLOUD_APP_KEY" && name != "S3_ENDPOINT" {
			t.Errorf("%s was read", name)
		}
		return "https://in.env", true
	}
	mustParse(t, contract, o)
}

func TestTheStarterIsValid(t *testing.T) {
	t.Parallel()
	j := mustParse(t, string(config.Starter()), vendors(true))
	if len(j.Data) != 2 || j.Sink.Local == nil || j.Sink.Local.Path != "/etc/rollcall/snapshots" {
		t.Errorf("got %+v", j)
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	t.Parallel()
	j := mustParse(t, sourceBlock+`data "chat_user_groups" "all" { users = ids.users }`, options())
	if j.Sink.Local == nil || j.Sink.Local.Path != "/etc/rollcall/snapshots" {
		t.Errorf("the sink is %+v", j.Sink)
	}
	if j.Data[0].Source != "chat.prod" || j.Sources[0].Share != 1 || j.Tolerate != (job.Tolerance{}) {
		t.Errorf("got %+v", j)
	}
	if c := j.Sources[0].Config.(*chat); c.Endpoint != "https://chat.test" || c.Secret.Reveal() != "hunter2-of-env" {
		t.Errorf("the vendor's struct is %+v", c)
	}
	if len(j.Lists) != 1 {
		t.Errorf("an unused list is kept: %+v", j.Lists)
	}
}

func TestEverythingThatCanBeSaid(t *testing.T) {
	t.Parallel()
	j := mustParse(t, `
source "chat" "a" {
  app        = env("NUMBER")
  app_secret = "${file("secret.txt")}"
  endpoint   = env("NOTHING", null)
  debug      = true
  budget "user_groups" {
    per_second = 7.5
    pacing     = "even"
  }
  window {
    from      = "22:30"
    to        = "06:00"
    share     = 1
    time_zone = "Asia/Shanghai"
  }
  window {
    from  = "6:00"
    to    = "22:30"
    share = 0.25
  }
}
ids "in" { path = "-" }
ids "far" {
  path   = "s3://bucket/ids.parquet"
  column = "id"
}
ids "abs" { path = "/ids.txt" }
data "chat_user_groups" "u" {
  users  = [ids.in, ids.far, ids.in]
  topics = true
}
data "chat_group_members" "m" {
  source = source.chat.a
  groups = data.chat_user_groups.u.groups
  only   = ["admin", "owner", "admin"]
}
data "chat_group_roles" "lists" {
  groups = [ids.abs, data.chat_user_groups.u.groups]
  users  = data.chat_group_members.m.users
}
data "chat_group_roles" "pairs" {
  memberships = [data.chat_user_groups.u.memberships, data.chat_group_members.m.memberships]
}
sink "s3" "x" {
  bucket     = "b"
  prefix     = "/im/"
  endpoint   = "http://127.0.0.1:9000"
  encryption = "aws:kms"
  kms_key_id = "key"
  retention {
    mode = "GOVERNANCE"
    days = 30
  }
}
snapshot {
  tolerate_failed = 25
  check "rows" {
    table = "memberships"
    drop  = "5%"
  }
  check "roles" {
    new_roles = true
    action    = "warn"
  }
  check "empty" { emptied = true }
  check "empty_changes" {
    table   = "changes"
    emptied = true
    action  = "fail"
  }
  check "owners" { ownerless = 3 }
}
`, options())
	source := j.Sources[0]
	if c := source.Config.(*chat); c.App != 7 || c.Secret.Reveal() != "hunter2-of-file" || c.Endpoint != "https://chat.test" || !c.Debug {
		t.Errorf("the vendor's struct is %+v", c)
	}
	if source.Budgets["user_groups"] != (job.Budget{PerSecond: 7.5, Even: true}) || source.Budgets["group_roles"] != (job.Budget{PerSecond: 20}) {
		t.Errorf("budgets are %+v", source.Budgets)
	}
	if want := []job.Window{{From: 1350, To: 360, Share: 1, TimeZone: "Asia/Shanghai"}, {From: 360, To: 1350, Share: 0.25, TimeZone: "UTC"}}; !slices.Equal(source.Windows, want) {
		t.Errorf("windows are %+v", source.Windows)
	}
	wantLists := []job.List{{Name: "abs", Path: "/ids.txt"}, {Name: "far", Path: "s3://bucket/ids.parquet", Column: "id"}, {Name: "in", Path: "-"}}
	if !reflect.DeepEqual(j.Lists, wantLists) {
		t.Errorf("lists are %+v", j.Lists)
	}
	kinds := definitions()[0].Data
	from := func(addresses ...string) job.Input { return job.Input{From: addresses} }
	wantData := []job.Data{
		{Address: "chat_group_members.m", Source: "chat.a", Kind: kinds[1], Groups: from("chat_user_groups.u"), Only: []schema.Role{schema.Owner, schema.Admin}},
		{Address: "chat_group_roles.lists", Source: "chat.a", Kind: kinds[2], Users: from("chat_group_members.m"), Groups: job.Input{Lists: []string{"abs"}, From: []string{"chat_user_groups.u"}}},
		{Address: "chat_group_roles.pairs", Source: "chat.a", Kind: kinds[2], Memberships: []string{"chat_group_members.m", "chat_user_groups.u"}},
		{Address: "chat_user_groups.u", Source: "chat.a", Kind: kinds[0], Users: job.Input{Lists: []string{"far", "in"}}, Topics: true},
	}
	if !reflect.DeepEqual(j.Data, wantData) {
		t.Errorf("data blocks are\n%+v, want\n%+v", j.Data, wantData)
	}
	if want := (job.S3{Bucket: "b", Prefix: "im", Endpoint: "http://127.0.0.1:9000", Encryption: "aws:kms", KMSKeyID: "key", Retention: job.Retention{Mode: "GOVERNANCE", Days: 30}}); *j.Sink.S3 != want {
		t.Errorf("the sink is %+v", j.Sink.S3)
	}
	builtIn := job.BuiltIn()
	wantChecks := []job.Check{
		builtIn[0],
		{Name: "empty", Kind: job.Emptied},
		{Name: "empty_changes", Kind: job.Emptied, Table: "changes"},
		builtIn[1], builtIn[2], builtIn[3],
		{Name: "owners", Kind: job.Ownerless, Limit: job.Tolerance{Count: 3}},
		{Name: "roles", Kind: job.NewRoles, Warn: true},
		{Name: "rows", Kind: job.Drop, Table: "memberships", Limit: job.Tolerance{Share: 0.05}},
		builtIn[4],
	}
	if !slices.Equal(j.Checks, wantChecks) {
		t.Errorf("checks are\n%+v, want\n%+v", j.Checks, wantChecks)
	}
	if j.Tolerate != (job.Tolerance{Count: 25}) {
		t.Errorf("tolerated is %+v", j.Tolerate)
	}
}

func TestARequiredAttributeMayNotBeLeftOutByNull(t *testing.T) {
	t.Parallel()
	text := `
source "rongcloud" "p" {
  app_key    = env("NOT_SET", null)
  app_secret = env("NOT_SET", null)
}
ids "u" { values = ["a"] }
data "rongcloud_user_groups" "a" { users = ids.u }
`
	unset := func(string) (string, bool) { return "", false }
	_, faults := config.Parse("rollcall.hcl", []byte(text), config.Options{Definitions: all.Definitions(), Env: unset, Secrets: true})
	told := ""
	for _, f := range faults.List() {
		told += f.Summary + "; "
	}
	if told != "app_key is missing; app_secret is missing; " {
		t.Errorf("told %q", told)
	}
	if _, faults := config.Parse("rollcall.hcl", []byte(text), config.Options{Definitions: all.Definitions(), Env: unset}); faults.HasErrors() {
		t.Errorf("who evaluates no secrets is told %+v", faults.List())
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	text := sourceBlock + `
data "chat_user_groups" "all" { users = ids.users }
snapshot {
  column "user_id"  { hmac_key = env("KEY") }
  column "group_id" { hmac_key = file("key.txt") }
  column "nickname" { drop = true }
}
`
	key, given := "", false
	read := func(secrets, keys bool) (*job.Job, config.Diagnostics) {
		o := options()
		known, readFile := o.Env, o.ReadFile
		o.Env = func(name string) (string, bool) {
			if name == "KEY" && given {
				return key, true
			}
			return known(name)
		}
		o.ReadFile = func(path string) ([]byte, error) {
			if path == "/etc/rollcall/key.txt" {
				return []byte("another key of length\n"), nil
			}
			return readFile(path)
		}
		o.Secrets, o.Keys = secrets, keys
		return config.Parse("/etc/rollcall/rollcall.hcl", []byte(text), o)
	}
	if _, d := read(true, false); !d.HasErrors() {
		t.Error("a run needs the key, and could do without")
	}
	j, d := read(false, true)
	if d.HasErrors() || j.Columns[2].Key != "" || j.Columns[0].Key.Reveal() != "another key of length" {
		t.Fatalf("looking needs no key: %+v", d.List())
	}
	if j, d = read(false, false); d.HasErrors() || j.Columns[0].Key != "" {
		t.Fatalf("who asks for no secret is given one: %+v", d.List())
	}
	given = true
	if _, d = read(true, false); !d.HasErrors() || d.List()[0].Summary != "hmac_key is empty" {
		t.Errorf("an empty key is taken: %+v", d.List())
	}
	key = "0123456789abcde"
	if _, d = read(true, false); !d.HasErrors() || !strings.Contains(d.List()[0].Summary, "16 bytes") {
		t.Errorf("a key of 15 bytes is taken: %+v", d.List())
	}
	key += "f"
	j, d = read(true, false)
	if d.HasErrors() || len(j.Columns) != 3 || j.Columns[0].Name != "group_id" || !j.Columns[1].Drop || j.Columns[2].Key.Reveal() != key || j.Columns[2].From != `env("KEY")` {
		t.Fatalf("%+v %+v", j, d.List())
	}
}
