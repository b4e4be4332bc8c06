package config_test

import (
	"io/fs"
	"testing"

	"rollcall/pipeline/config"
	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sources"
)

// chat is a vendor that only tests know.
type chat struct {
	Endpoint string        `hcl:"endpoint,optional" doc:"the address"`
	App      int64         `hcl:"app" doc:"the number of the app"`
	Secret   schema.Secret `hcl:"app_secret" doc:"the secret of the app"`
	Debug    bool          `hcl:"debug,optional" doc:"more words"`
}

func (c *chat) Validate() []sources.Problem {
	var problems []sources.Problem
	if c.App <= 0 {
		problems = append(problems, sources.Problem{Attribute: "app", Message: "must be above 0", Hint: "copy it from the console"})
	}
	if c.Endpoint == "" {
		problems = append(problems, sources.Problem{Attribute: "endpoint", Message: "is empty", Hint: "leave it out for the default"})
	}
	if len(c.Secret) < 3 {
		problems = append(problems, sources.Problem{Attribute: "app_secret", Message: "is too short", Hint: "copy it from the console"})
	}
	return problems
}

func (c *chat) Account() sources.Account {
	return sources.Account{AppID: string(rune('0' + c.App)), Endpoint: c.Endpoint}
}
func (c *chat) Open(sources.Environment) sources.Source { return nil }

func definitions() []sources.Definition {
	return []sources.Definition{{
		Type: "chat", Title: "Chat",
		Data: []sources.Data{
			{Name: "user_groups", Key: sources.UserKey, View: schema.UserView, PerSecond: 100, Topics: true},
			{Name: "group_members", Key: sources.GroupKey, View: schema.GroupView, PerSecond: 50, Only: true},
			{Name: "group_roles", Key: sources.RoleKey, View: schema.RoleView, PerSecond: 20, Batch: 500},
		},
		Config: func() sources.Config { return &chat{Endpoint: "https://chat.test"} },
	}}
}

// options is a world with a few variables and one file.
func options() config.Options {
	variables := map[string]string{"SECRET": "hunter2-of-env", "EMPTY": "", "NUMBER": "7"}
	return config.Options{
		Definitions: definitions(), Secrets: true,
		Env: func(name string) (string, bool) { v, ok := variables[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			if path == "/etc/rollcall/secret.txt" {
				return []byte("hunter2-of-file\r\n"), nil
			}
			if text, ok := keyFiles()[path]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	}
}

const sourceBlock = `
source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}
ids "users" { path = "users.txt" }
ids "rooms" { values = ["g1"] }
`

// mustParse reads a configuration that lies in /etc/rollcall and must be valid.
func mustParse(t *testing.T, text string, options config.Options) *job.Job {
	t.Helper()
	j, diagnostics := config.Parse("/etc/rollcall/rollcall.hcl", []byte(text), options)
	if diagnostics.HasErrors() {
		t.Fatalf("not valid: %+v", diagnostics.List())
	}
	return j
}

// keyFiles are a key, one that takes its place, and their endorsements, as `rollcall keygen` writes them.
func keyFiles() map[string]string {
	return map[string]string{
		"/etc/rollcall/first.pem": `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIBASAc041En+vH/vWFpoEHDdCnuklZa+mbxk/DyE/Otl
-----END PRIVATE KEY-----
`,
		"/etc/rollcall/first.pub": `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA827KFQb7TP+unNR4wtW7GjL3N5feqz/jgU5u8uS1mrA=
-----END PUBLIC KEY-----
`,
		"/etc/rollcall/second.pem": `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIO5xXZO44RAK2J3373BtrQHuMCY3NY8hjmcWEMjvb2Eh
-----END PRIVATE KEY-----
`,
		"/etc/rollcall/second.endorsement": `{"by":"827KFQb7TP+unNR4wtW7GjL3N5feqz/jgU5u8uS1mrA=","key":"HFDUz3oVZ7Z33NF5/YTEboFNhyijt78IVnvL0OnEQ80=","value":"VNaExn6Nn041H6F+tHxqZorfgL8a1XJAPwLYOvb552psogB0igbYD3l+45GdKkVehCiD0LZGyDYT6HEu7bAWCw=="}
`,
		"/etc/rollcall/third.pem": `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINEbvweF0Sx/sIBVjEdoqhTDK9yzLE6fYmAdjke3Nr4a
-----END PRIVATE KEY-----
`,
		"/etc/rollcall/third.endorsement": `{"by":"HFDUz3oVZ7Z33NF5/YTEboFNhyijt78IVnvL0OnEQ80=","key":"BO5wIVT5BJVKr7lHC4vo+KjfykJ+CeayBlT0+jcZ62g=","value":"UI5+yqHi5mo6EzGQIzDWJW6fCNBerfKk653HblKUKisSSH4WS15Os8oYpQKTZTzGQb79Bv8SpsW9V/MxhEfPBg=="}
`,
	}
}
