package schema_test

import (
	"testing"

	"rollcall/schema"
)

func TestOwnershipHasOneDefinition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		verdict                  schema.Verdict
		members, unknown, owners int64
		want                     schema.Ownership
	}{
		{schema.Exact, 3, 0, 1, schema.Owned},
		{schema.Exact, 3, 0, 0, schema.Ownerless},
		{schema.Exact, 3, 1, 0, schema.OwnershipUnknown},
		{schema.Exact, 3, 1, 1, schema.Owned},
		{schema.Exact, 0, 0, 0, schema.EmptyGroup},
		{schema.Exact, 0, 0, 1, schema.EmptyGroup}, // whom another view names is no member of its own list
		{schema.Short, 3, 0, 0, schema.OwnershipUnknown},
		{schema.Short, 3, 0, 1, schema.Owned},
		{schema.Over, 3, 0, 0, schema.OwnershipUnknown},
		{schema.Drifted, 3, 0, 0, schema.OwnershipUnknown},
		{schema.Unverifiable, 3, 0, 0, schema.OwnershipUnknown}, // perhaps asked for some roles only
		{schema.VerdictGone, 0, 0, 0, schema.OwnershipUnknown},
		{schema.VerdictFailed, 0, 0, 0, schema.OwnershipUnknown},
		{schema.NotAsked, 0, 0, 1, schema.Owned},
	} {
		if got := schema.OwnershipOf(c.verdict, c.members, c.unknown, c.owners); got != c.want {
			t.Errorf("%+v is %s", c, got)
		}
	}
	if terms := schema.Ownerships(); len(terms) != 4 || terms[1].Word != string(schema.Ownerless) {
		t.Errorf("%v", terms)
	}
}
