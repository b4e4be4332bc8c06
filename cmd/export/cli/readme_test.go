package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeIsTrue holds the README's exit codes and its configuration.
func TestReadmeIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Codes() {
		if row := fmt.Sprintf("| %d | %s |\n", c.Number, c.Meaning); !strings.Contains(string(text), row) {
			t.Errorf("the README's table of exit codes lacks %q", row)
		}
	}
	_, rest, found := strings.Cut(string(text), "```hcl\n")
	example, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the README shows no configuration")
	}
	path := filepath.Join(t.TempDir(), "rollcall.hcl")
	if err := os.WriteFile(path, []byte(example), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "users.txt"), []byte("u1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, "validate", "--config", path)
	env.LookupEnv = func(name string) (string, bool) { return "value-of-" + name, true }
	if code := Main(t.Context(), env); code != Done {
		t.Errorf("the README's configuration is refused: %s", stderr.String())
	}
}
