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
