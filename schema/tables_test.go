package schema_test

import (
	"flag"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollcall/schema"
)

var update = flag.Bool("update", false, "write TABLES.md anew")

// The published names. Readers have SQL against them: columns are added, never renamed, retyped
// or taken away, and IDs are never used again.
var published = map[string]struct {
	columns string
	key     string
}{
	"memberships":   {"source group_id user_id role role_raw nickname joined_at extra in_user_view in_group_view in_role_view disputed", "source group_id user_id"},
	"groups":        {"source group_id name type declared_members collected_members owners admins verdict", "source group_id"},
	"users":         {"source user_id declared_groups collected_groups verdict", "source user_id"},
	"outcomes":      {"source data key outcome rows declared requests attempts vendor_code message asked_at answered_at", "source data key"},
	"discrepancies": {"source group_id user_id kind user_view group_view role_view", "source group_id user_id kind"},
	"changes":       {"source group_id user_id change role_before role_after certain", "source group_id user_id"},
	"sources":       {"source type app_id endpoint budgets requests retries throttles seconds budget_share", "source"},
}

func TestTablesAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	tables := schema.Tables()
	if len(tables) != len(published) {
		t.Fatalf("%d tables, want %d", len(tables), len(published))
	}
	for _, table := range tables {
		want, ok := published[table.Name]
		if !ok {
			t.Errorf("table %s is not published", table.Name)
			continue
		}
		var columns []string
		for _, c := range table.Columns {
			columns = append(columns, c.Name)
		}
		if got := strings.Join(columns, " "); got != want.columns {
			t.Errorf("%s has columns\n%s, want\n%s", table.Name, got, want.columns)
		}
		if got := strings.Join(table.Key(), " "); got != want.key {
			t.Errorf("%s has key %s, want %s", table.Name, got, want.key)
		}
	}
}

func TestEveryColumnIsDescribedFully(t *testing.T) {
	t.Parallel()
	snake := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	types := []string{"string", "int64", "double", "boolean", "timestamp"}
	for _, table := range schema.Tables() {
		if table.Doc == "" || !snake.MatchString(table.Name) {
			t.Errorf("table %q is named or documented badly", table.Name)
		}
		for _, c := range table.Columns {
			if !snake.MatchString(c.Name) {
				t.Errorf("%s.%s is not snake_case", table.Name, c.Name)
			}
			if c.Doc == "" {
				t.Errorf("%s.%s is not documented", table.Name, c.Name)
			}
			if !slices.Contains(types, c.Type) {
				t.Errorf("%s.%s is of type %q", table.Name, c.Name, c.Type)
			}
			if c.Nullable != (c.Null != "") {
				t.Errorf("%s.%s: nullable is %v, and its null rule %q", table.Name, c.Name, c.Nullable, c.Null)
			}
			if number := c.Type == "int64" || c.Type == "double" || c.Type == "timestamp"; number != (c.Unit != "") && c.Name != "budgets" {
				t.Errorf("%s.%s is of type %s and in %q", table.Name, c.Name, c.Type, c.Unit)
			}
			if origins := table.Origins(c.Name); len(origins) == 0 || slices.ContainsFunc(origins, func(o schema.Origin) bool { return o.From == "" }) {
				t.Errorf("%s.%s comes from nowhere", table.Name, c.Name)
			}
			if c.Key > 0 && c.Nullable {
				t.Errorf("%s.%s is part of the key and can be null", table.Name, c.Name)
			}
			if c.Bloom && c.Name != "user_id" && c.Name != "group_id" {
				t.Errorf("%s.%s has a bloom filter that nobody asks", table.Name, c.Name)
			}
		}
	}
}

func TestFieldIDsAreUniqueAndWithoutGaps(t *testing.T) {
	t.Parallel()
	for _, table := range schema.Tables() {
		for i, c := range table.Columns {
			if c.ID != i+1 {
				t.Errorf("%s.%s has field ID %d, want %d: a new column goes last and takes the next number", table.Name, c.Name, c.ID, i+1)
			}
		}
	}
}

// Encodings must be said for every column but booleans, which have one: the library's own choice
// for the others is one that older readers don't know.
func TestEveryColumnSaysHowItIsEncoded(t *testing.T) {
	t.Parallel()
	for _, table := range schema.Tables() {
		for i, c := range table.Columns {
			options := strings.Split(table.Row.Field(i).Tag.Get("parquet"), ",")
			said := slices.Contains(options, "plain") || slices.Contains(options, "dict")
			if said == (c.Type == "boolean") {
				t.Errorf("%s.%s: options %v", table.Name, c.Name, options)
			}
			if slices.Contains(options, "optional") {
				t.Errorf("%s.%s: nullable columns are pointers", table.Name, c.Name)
			}
		}
	}
}

func TestThePageIsMadeFromTheTables(t *testing.T) {
	t.Parallel()
	got := schema.Markdown(schema.Tables())
	if *update {
		if err := os.WriteFile("TABLES.md", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("TABLES.md")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Error("TABLES.md is not what the tables say: go test ./schema -update")
	}
}

func TestRolesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, role := range []schema.Role{schema.Owner, schema.Admin, schema.Member} {
		if got, ok := schema.ParseRole(role.String()); !ok || got != role {
			t.Errorf("%s is read as %v, %v", role, got, ok)
		}
	}
	for _, word := range []string{"", "Owner", "guest"} {
		if got, ok := schema.ParseRole(word); ok {
			t.Errorf("%q is read as %v", word, got)
		}
	}
}

func TestWhatCountsAsMissingAndAsDisagreement(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[schema.Outcome]bool{schema.OK: false, schema.Gone: false, schema.Unsupported: false, schema.Denied: true, schema.Failed: true} {
		if outcome.Missing() != want {
			t.Errorf("%s: missing is %v", outcome, !want)
		}
	}
	disagree := []schema.Verdict{schema.Drifted, schema.Short, schema.Over}
	for _, v := range []schema.Verdict{schema.Exact, schema.Drifted, schema.Short, schema.Over, schema.Unverifiable, schema.VerdictFailed, schema.VerdictGone, schema.VerdictUnsupported, schema.NotAsked} {
		if v.Disagrees() != slices.Contains(disagree, v) {
			t.Errorf("%s: disagrees is %v", v, v.Disagrees())
		}
	}
}

func TestRowsAreFlatStructs(t *testing.T) {
	t.Parallel()
	for _, table := range schema.Tables() {
		if table.Row.Kind() != reflect.Struct || table.Row.NumField() != len(table.Columns) {
			t.Errorf("%s is described by %v", table.Name, table.Row)
		}
		for i, c := range table.Columns {
			if pointer := table.Row.Field(i).Type.Kind() == reflect.Pointer; pointer != c.Nullable {
				t.Errorf("%s.%s: nullable is %v", table.Name, c.Name, c.Nullable)
			}
		}
	}
}

func TestEveryWordOfTheTablesIsExplainedOnce(t *testing.T) {
	t.Parallel()
	for column, terms := range map[string][]schema.Term{"verdict": schema.Verdicts(), "outcome": schema.Outcomes()} {
		var words []string
		for _, term := range terms {
			words = append(words, term.Word)
			if term.Meaning == "" {
				t.Errorf("%s %s is not explained", column, term.Word)
			}
		}
		if sorted := slices.Compact(slices.Sorted(slices.Values(words))); len(sorted) != len(words) {
			t.Errorf("the %ss are %v: one stands twice", column, words)
		}
		for _, table := range schema.Tables() {
			for _, c := range table.Columns {
				if c.Name != column || strings.HasPrefix(c.Doc, "as in ") {
					continue
				}
				told := regexp.MustCompile(`\w+`).FindAllString(strings.ReplaceAll(c.Doc, " or ", " "), -1)
				if slices.Sort(told); !slices.Equal(told, slices.Sorted(slices.Values(words))) {
					t.Errorf("%s.%s is documented as %v and explained as %v", table.Name, column, told, words)
				}
			}
		}
	}
}
