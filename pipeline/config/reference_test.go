package config_test

import (
	"os"
	"strings"
	"testing"

	"rollcall/pipeline/config"
	"rollcall/sources/all"
)

func TestTheReferenceIsMadeFromTheDefinitions(t *testing.T) {
	t.Parallel()
	page, err := config.Reference(all.Definitions())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("REFERENCE.md", []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile("REFERENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	if page != string(written) {
		t.Error("REFERENCE.md is not what the definitions give: go test ./pipeline/config -update")
	}
	for word := range strings.FieldsSeq("share budget window per_second pacing from to time_zone path column values source users groups memberships only topics bucket prefix region endpoint path_style encryption kms_key_id retention mode days tolerate_failed check table drop emptied new_roles ownerless action acknowledge until reason") {
		if !strings.Contains(page, word) {
			t.Errorf("the page does not name %s", word)
		}
	}
}

func TestTheReferencesExampleIsValid(t *testing.T) {
	t.Parallel()
	page, err := config.Reference(all.Definitions())
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(page, "```hcl\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the page shows no configuration")
	}
	_, faults := config.Parse("rollcall.hcl", []byte(example), config.Options{
		Definitions: all.Definitions(), Secrets: true,
		Env: func(name string) (string, bool) {
			if name == "S3_ENDPOINT" {
				return "", false
			}
			return "value-of-" + name, true
		},
		ReadFile: func(string) ([]byte, error) { return []byte("another-secret"), nil },
	})
	if faults.Len() > 0 {
		var text strings.Builder
		_ = faults.Write(&text, false, 0)
		t.Errorf("the example has faults:\n%s", text.String())
	}
}
