package config_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"rollcall/pipeline/config"
	"rollcall/sources/all"
)

// tell gives the faults of a configuration of the real vendors, one a line, in an environment.
func tell(t *testing.T, text string, variables, files map[string]string) string {
	t.Helper()
	_, diagnostics := config.Parse("/etc/rollcall/rollcall.hcl", []byte(text), config.Options{
		Definitions: all.Definitions(), Secrets: true,
		Env: func(name string) (string, bool) { v, ok := variables[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	})
	var lines []string
	for _, d := range diagnostics.List() {
		lines = append(lines, d.Severity+": "+d.Summary)
		if strings.Contains(d.Summary+d.Detail, "hunter2") {
			t.Errorf("a secret is shown: %s %s", d.Summary, d.Detail)
		}
	}
	return strings.Join(lines, "\n")
}

func TestEveryFaultIsToldAtOnce(t *testing.T) {
	t.Parallel()
	const text = `
source "rongcloud" "prod" {
  endpoint   = "api.rong-api.com"
  app_key    = env("UNSET_KEY")
  app_secret = env("SECRET")
  budget "user_group" { per_second = 5 }
}
source "tencentchat" "t" {
  sdk_app_id = "abc"
  secret_key = file("none.key")
}
ids "staff" { path = env("UNSET_PATH") }
data "rongcloud_user_groups" "staff" { users = ids.staf }
data "tencentchat_joined_groups" "x" { users = data.tencentchat_group_members.y.users }
data "tencentchat_group_members" "y" { groups = data.tencentchat_joined_groups.x.groups }
sink "s3" "lake" {
  bucket     = "Acme_Audit"
  encryption = "aes"
}
snapshot {
  tolerate_failed = "lots"
  check "spaced" {
    table = "memberships"
    drop  = "5 %"
  }
  check "worded" {
    table = "memberships"
    drop  = "5 percent"
  }
  column "user_id" { hmac_key = env("UNSET_HMAC") }
}
nonsense "x" {}
`
	told := tell(t, text, map[string]string{"SECRET": "hunter2\u00a0", "HTTPS_PROXY": "http://user:hunter2@"}, nil)
	for _, fault := range []string{
		`endpoint "api.rong-api.com" is no address of a server`, "The environment variable UNSET_KEY is not set",
		`app_secret, which comes from env("SECRET"), ends with a no-break space (U+00A0)`, `RongCloud has no budget "user_group"`,
		"sdk_app_id has the wrong type", "none.key cannot be read", "The environment variable UNSET_PATH is not set", "There is no ids.staf", "Data blocks wait for each other in a circle",
		`S3 has no bucket "Acme_Audit"`, `There is no encryption "aes"`, "tolerate_failed is neither a share nor a number of keys", "drop is neither a share nor a number of rows",
		"The environment variable UNSET_HMAC is not set", `There is no block "nonsense"`, "The environment variable HTTPS_PROXY is no address of a proxy",
	} {
		if strings.Count(told, "error: "+fault) != 1 {
			t.Errorf("it is not told once that %s", fault)
		}
	}
	if n := strings.Count(told, "\n") + 1; n != 16 {
		t.Errorf("%d faults are told, of 16:\n%s", n, told)
	}
}

const small = `
source "rongcloud" "prod" {
  app_key    = env("KEY")
  app_secret = %s
}
ids "staff" { path = "users.txt" }
data "rongcloud_user_groups" "staff" { users = ids.staff }
%s
`

func TestASecretIsPrintableASCII(t *testing.T) {
	t.Parallel()
	for value, flaw := range map[string]string{
		"hunter2": "", "\ufeffhunter2": "begins with a byte order mark (U+FEFF)", "hunter2\u00a0": "ends with a no-break space (U+00A0)", "hunter2\n\n": "ends with a line break", // of which one at the end of a file is none of the secret's

		" hunter2": "begins with a blank", "hunter2\t": "ends with a tab", "hunt\u200ber2": "holds a zero-width space (U+200B)",
	} {
		for _, from := range []string{`env("SECRET")`, `file("secret.txt")`} {
			told := tell(t, fmt.Sprintf(small, from, ""), map[string]string{"KEY": "k", "SECRET": value}, map[string]string{"/etc/rollcall/secret.txt": value})
			want := ""
			if flaw != "" {
				want = "error: app_secret, which comes from " + from + ", " + flaw + "; it must be printable ASCII"
			}
			if told != want {
				t.Errorf("%q from %s: %q, want %q", value, from, told, want)
			}
		}
	}
	told := tell(t, fmt.Sprintf(small, `env("SECRET")`, "snapshot {\n column \"user_id\" { hmac_key = env(\"HMAC\") }\n}"), map[string]string{"KEY": "\ufeffk", "SECRET": "s", "HMAC": "hunter2hunter2hunter2\ufeff"}, nil)
	number := tell(t, strings.Replace(fmt.Sprintf(small, `env("SECRET")`, ""), "app_key ", "share = env(\"SHARE\")\n  app_key ", 1), map[string]string{"KEY": "k", "SECRET": "s", "SHARE": "0.5\u00a0"}, nil)
	if number != `error: share, which comes from env("SHARE"), has the wrong type: a number is required; it ends with a no-break space (U+00A0)` {
		t.Error(number)
	}
	for _, want := range []string{`app_key, which comes from env("KEY"), begins with a byte order mark`, `hmac_key, which comes from env("HMAC"), ends with a byte order mark`} {
		if !strings.Contains(told, want) {
			t.Errorf("%s: %s", want, told)
		}
	}
}

func TestABucketHasANameThatItsStoreAllows(t *testing.T) {
	t.Parallel()
	for name, good := range map[string][2]bool{ // at AWS, and at another store
		"acme-audit": {true, true}, "a.b-c1": {true, true}, "123": {true, true}, strings.Repeat("a", 63): {true, true}, "alias-abc-s3alias": {true, true},
		"ab": {false, true}, strings.Repeat("a", 64): {false, true}, "Acme": {false, true}, "a_b": {false, true}, "-ab": {false, true}, "ab-": {false, true}, ".ab": {false, true}, "a..b": {false, true}, "192.168.0.1": {false, true},
		"s3://acme": {false, false}, "acme/im": {false, false}, "acme audit": {false, false}, "acme\u00a0": {false, false}, "": {false, false},
	} {
		for i, endpoint := range []string{"", `endpoint = "https://minio.internal:9000"`, `endpoint = env("UNSET", null)`} {
			i %= 2
			told := tell(t, fmt.Sprintf(small, `env("SECRET")`, fmt.Sprintf("sink \"s3\" \"lake\" {\n  bucket = %q\n  %s\n}", name, endpoint)), map[string]string{"KEY": "k", "SECRET": "s"}, nil)
			if (told == "") != good[i] || told != "" && !strings.HasPrefix(told, "error: ") {
				t.Errorf("bucket %q %s: %s", name, endpoint, told)
			}
		}
	}
}

func TestAProxyIsAnAddress(t *testing.T) {
	t.Parallel()
	for value, good := range map[string]bool{
		"": true, "http://proxy:3128": true, "https://user:hunter2@proxy": true, "socks5://10.0.0.1:1080": true, "proxy.internal:3128": true, "proxy": true, "[::1]:3128": true,
		"http://": false, "http://user:hunter2@": false, "ht!tp://x y": false, "http://proxy:port": false, "ftp://proxy": false, "http://proxy\u00a0": false, " http://proxy": false,
	} {
		for _, name := range []string{"HTTPS_PROXY", "http_proxy"} {
			told := tell(t, fmt.Sprintf(small, `env("SECRET")`, ""), map[string]string{"KEY": "k", "SECRET": "s", name: value}, nil)
			want := "error: The environment variable " + name + " is no address of a proxy"
			if good {
				want = ""
			}
			if told != want {
				t.Errorf("%s=%q: %q", name, value, told)
			}
			here := strings.Replace(fmt.Sprintf(small, `env("SECRET")`, ""), "app_key ", "endpoint = \"http://127.0.0.1:8080\"\n  app_key ", 1)
			if told := tell(t, here, map[string]string{"KEY": "k", "SECRET": "s", name: value}, nil); told != "" {
				t.Errorf("%s=%q for a host of this machine: %q", name, value, told)
			}
		}
	}
}

func TestAPlaceThatItsReadersMisreadIsWarnedOf(t *testing.T) {
	t.Parallel()
	for sink, want := range map[string]string{
		`sink "local" "x" { path = "back\\slash" }`:                         `warning: DuckDB can't list what lies below /etc/rollcall/back\slash`,
		`sink "local" "x" { path = "/a/snapshot_date=2026-11-28/b" }`:       `warning: DuckDB takes the folder snapshot_date=2026-11-28 above the snapshots for a column's value`,
		`sink "local" "x" { path = "/a [1]*?/year=2026" }`:                  "",
		"sink \"s3\" \"x\" {\n bucket = \"acme\"\n prefix = \"it's\"\n}":    `warning: DuckDB can't list what lies below s3://acme/it's`,
		"sink \"s3\" \"x\" {\n bucket = \"acme\"\n prefix = \"a*\"\n}":      `warning: Athena can't read what lies below s3://acme/a*`,
		"sink \"s3\" \"x\" {\n bucket = \"acme\"\n prefix = \"im/prod\"\n}": "",
	} {
		if told := tell(t, fmt.Sprintf(small, `env("SECRET")`, sink), map[string]string{"KEY": "k", "SECRET": "s"}, nil); told != want {
			t.Errorf("%s: %q, want %q", sink, told, want)
		}
	}
}

// The AWS SDK leaves in the path what it takes for no host's name, and says nothing.
func TestABucketBeforeTheHostIsOneThatTheSDKPutsThere(t *testing.T) {
	t.Parallel()
	for bucket, endpoint := range map[string]string{"ab": "https://s3.test", "my.lake": "http://s3.test", "acme.lake": "https://s3.test", "acme..lake": "http://s3.test", "-acme": "http://s3.test"} {
		told := tell(t, fmt.Sprintf("sink \"s3\" \"x\" {\n bucket = %q\n endpoint = %q\n path_style = false\n}", bucket, endpoint), nil, nil)
		if !strings.Contains(told, fmt.Sprintf("The bucket's name %q can't stand in the name of a host", bucket)) {
			t.Errorf("%s before %s: %s", bucket, endpoint, told)
		}
	}
	for bucket, endpoint := range map[string]string{"abc": "https://s3.test", "acme.lake": "http://s3.test"} {
		if told := tell(t, fmt.Sprintf("sink \"s3\" \"x\" {\n bucket = %q\n endpoint = %q\n path_style = false\n}", bucket, endpoint), nil, nil); strings.Contains(told, "can't stand") {
			t.Errorf("%s before %s: %s", bucket, endpoint, told)
		}
	}
}
