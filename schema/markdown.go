package schema

import (
	"fmt"
	"strings"
)

// Markdown documents tables as one page. It is what TABLES.md holds.
func Markdown(tables []Table) string {
	var b strings.Builder
	b.WriteString("# The tables of a snapshot\n\n")
	b.WriteString("Every snapshot has these tables with these columns, empty or not. This page is made from the structs in\n")
	b.WriteString("`tables.go`; `go test ./schema -update` writes it anew.\n\n")
	b.WriteString("Rows are sorted by the primary key, bytewise, and the key is unique. Texts are UTF-8, timestamps are in\n")
	b.WriteString("microseconds, UTC. `snapshot_date` is the partition of every table and not a column in its files. A column keeps its\n")
	b.WriteString("name, type and field ID for good.\n\n")
	for _, t := range tables {
		fmt.Fprintf(&b, "- [%s](#%s): %s\n", t.Name, t.Name, t.Doc)
	}
	for _, t := range tables {
		t.markdown(&b)
	}
	return b.String()
}

func (t Table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s. Key: %s.\n\n", t.Name, sentence(t.Doc), strings.Join(t.Key(), ", "))
	b.WriteString("| ID | column | type | null | bloom | meaning |\n|---:|---|---|---|---|---|\n")
	for _, c := range t.Columns {
		fmt.Fprintf(b, "| %d | `%s` | %s | %s | %s | %s |\n", c.ID, c.Name, c.Type, mark(c.Nullable), mark(c.Bloom), strings.ReplaceAll(c.Doc, "|", `\|`))
	}
}

func mark(yes bool) string {
	if yes {
		return "yes"
	}
	return ""
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
