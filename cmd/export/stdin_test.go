//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNobodyElseReadsStandardInput: the AWS SDK gives os.Stdin to the credential_process that it starts, and what
// that reads would be missing in a list.
func TestNobodyElseReadsStandardInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"rollcall.hcl": "source \"rongcloud\" \"prod\" {\n endpoint = \"http://127.0.0.1:9\"\n app_key = env(\"AK\")\n app_secret = env(\"SK\")\n}\n" +
			"ids \"staff\" { path = \"-\" }\ndata \"rongcloud_user_groups\" \"staff\" { users = ids.staff }\n" +
			"sink \"s3\" \"lake\" {\n bucket = \"audit\"\n endpoint = \"http://127.0.0.1:9\"\n}\n",
		"config": "[default]\ncredential_process = sh -c 'cat > eaten; exit 1'\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := program(t, dir, "run")
	command.Env = append(command.Env, "AK=key", "SK=secret", "AWS_CONFIG_FILE=config", "AWS_SHARED_CREDENTIALS_FILE=none", "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_PROFILE=")
	command.Stdin = strings.NewReader("u1\nu2\n")
	said, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "credential_process") {
		t.Fatalf("the program was not asked: %v\n%s", err, said)
	}
	if eaten, err := os.ReadFile(filepath.Join(dir, "eaten")); err != nil || len(eaten) > 0 {
		t.Errorf("the program read %q, %v", eaten, err)
	}
}
