package all_test

import (
	"slices"
	"strings"
	"testing"

	"rollcall/sources"
	"rollcall/sources/all"
)

func TestVendorsAreSortedByTypeAndEachStandsOnce(t *testing.T) {
	t.Parallel()
	definitions := all.Definitions()
	if !slices.IsSortedFunc(definitions, func(a, b sources.Definition) int { return strings.Compare(a.Type, b.Type) }) {
		t.Error("the list is not sorted")
	}
	names := map[string]bool{}
	for _, d := range definitions {
		for _, data := range d.Data {
			name := d.Type + "_" + data.Name
			if names[name] {
				t.Errorf("%s stands twice", name)
			}
			names[name] = true
		}
	}
	for _, name := range []string{
		"rongcloud_user_groups", "rongcloud_group_members", "rongcloud_joined_groups",
		"tencentchat_joined_groups", "tencentchat_group_roles", "tencentchat_group_members",
	} {
		if !names[name] {
			t.Errorf("%s is missing", name)
		}
	}
}
