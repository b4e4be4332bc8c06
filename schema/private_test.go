package schema_test

import (
	"slices"
	"strings"
	"testing"

	"rollcall/schema"
)

// Every text says whether it may tell of a person: a new column can't be forgotten, since the
// merge pseudonymises and drops by these marks.
func TestEveryTextSaysWhetherItIsPrivate(t *testing.T) {
	t.Parallel()
	harmless := strings.Fields(`source role role_raw type verdict data outcome vendor_code kind user_view group_view role_view
		change role_before role_after app_id endpoint budgets`)
	for _, table := range schema.Tables() {
		for _, c := range table.Columns {
			switch want := map[string]schema.Private{"user_id": schema.UserID, "group_id": schema.GroupID}[c.Name]; {
			case c.Private != want && want != "":
				t.Errorf("%s.%s is %q, not %q", table.Name, c.Name, c.Private, want)
			case c.Private == schema.Detail && !c.Nullable:
				t.Errorf("%s.%s is a detail and can't be null", table.Name, c.Name)
			case c.Type == "string" && c.Private == "" && !slices.Contains(harmless, c.Name):
				t.Errorf("%s.%s holds texts: give it a tag private, or name it here as one that tells of nobody", table.Name, c.Name)
			}
		}
	}
	if got := strings.Join(schema.Details(), " "); got != "extra joined_at message name nickname" {
		t.Errorf("details: %s", got)
	}
	if got := strings.Join(schema.IDs(), " "); got != "group_id user_id" {
		t.Errorf("IDs: %s", got)
	}
}
