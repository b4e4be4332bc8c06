package config_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/pipeline/config"
)

const fromFile = `
source "chat" "prod" {
  app        = 1
  app_secret = file("secret.txt")
}
ids "users" { path = "users.txt" }
data "chat_user_groups" "all" { users = ids.users }
`

func TestAFileWithASecretThatOthersCanReadOrReplaceIsWarnedOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, folder fs.FileMode
		link         bool
		want         []string // beginnings of summaries
	}{
		"for its owner alone":                 {0o600, 0o755, false, nil},
		"for its group":                       {0o640, 0o755, false, nil},
		"for everybody":                       {0o644, 0o755, false, []string{"secret.txt can be read by others"}},
		"behind a link, as Kubernetes has it": {0o644, 0o755, true, []string{"secret.txt can be read by others"}},
		"in a folder for everybody":           {0o600, 0o777, false, []string{"secret.txt can be replaced by others"}},
		"in a folder like /tmp":               {0o600, 0o777 | fs.ModeSticky, false, nil},
		"in every way":                        {0o666, 0o777, false, []string{"secret.txt can be read by others", "secret.txt can be replaced by others"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := filepath.Join(folder, "secret.txt")
			target := path
			if c.link {
				target = filepath.Join(t.TempDir(), "data")
				if err := os.Symlink(target, path); err != nil {
					t.Fatal(err)
				}
			}
			for _, err := range []error{os.WriteFile(target, []byte("hunter2"), 0o600), os.Chmod(target, c.file), os.Chmod(folder, c.folder)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, secrets := range []bool{true, false} {
				o := options()
				o.Secrets, o.ReadFile, o.FileInfo = secrets, os.ReadFile, os.Stat
				j, diagnostics := config.Parse(filepath.Join(folder, "rollcall.hcl"), []byte(fromFile), o)
				list := diagnostics.List()
				if j == nil || len(list) != len(c.want) {
					t.Fatalf("found %+v", list)
				}
				for i, want := range c.want {
					if d := list[i]; d.Severity != "warning" || !strings.HasPrefix(d.Summary, want) || d.Line != 4 || strings.Contains(d.Summary+d.Detail+d.Source, "hunter2") {
						t.Errorf("found %+v, want %q", d, want)
					}
					if strings.HasSuffix(want, "read by others") && !strings.Contains(list[i].Detail, "chmod 600 "+path+" ") {
						t.Errorf("this command does not name %s: %s", path, list[i].Detail)
					}
				}
				o.FileInfo = nil
				if _, diagnostics := config.Parse(filepath.Join(folder, "rollcall.hcl"), []byte(fromFile), o); diagnostics.Len() > 0 {
					t.Errorf("who only reads snapshots is told %+v", diagnostics.List())
				}
			}
		})
	}
}
