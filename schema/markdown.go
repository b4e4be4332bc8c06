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
	b.WriteString("`tables.go` and the words in `glossary.go`; `go test ./schema -update` writes it anew.\n\n")
	b.WriteString("Rows are sorted by the primary key, bytewise, and the key is unique. Texts are UTF-8, timestamps are in\n")
	b.WriteString("microseconds, UTC. `snapshot_date` is the partition of every table and not a column in its files. A column keeps its\n")
	b.WriteString("name, type and field ID for good. Below each table stands where its columns come from: the field of the vendor's answer\n")
	b.WriteString("by endpoint, or Rollcall itself. SQL that reads all of it: `rollcall sql duckdb`, `rollcall sql athena`.\n\n")
	for _, t := range tables {
		fmt.Fprintf(&b, "- [%s](#%s): %s\n", t.Name, t.Name, t.Doc)
	}
	b.WriteString("- [what verdicts and outcomes mean](#verdicts)\n- [what changes mean](#changes-1)\n- [whether a group has an owner](#ownership)\n")
	for _, t := range tables {
		t.markdown(&b)
	}
	glossary(&b, "Verdicts", "How complete a group or a user is known to be. A view is whole when its outcome is ok and its verdict exact, or\nunverifiable only for want of a total; only whole views accuse in discrepancies and changes.\nWhere several types of data block list one user, the user is read whole there when each of them did.", Verdicts())
	glossary(&b, "Outcomes", "What became of one key. Every key that was asked has one.", Outcomes())
	glossary(&b, "Changes", "What the table changes tells. The base is the nearest earlier date that was sealed when this one was; the manifest names it as\n`changes_base`. Where that is null there is none, or it could not be read, and `changes_note` says why. Of a source that is\nnot in the base everybody has joined, which is not certain.", Changes())
	glossary(&b, "Ownership", "Whether a group has an owner. The manifest counts it as `ownership` (`judged`: owned or ownerless, and read completely); the\ncheck `ownerless`, reports, `explain` and the SQL views `groups_without_owner` and `empty_groups` go by the same definition.", Ownerships())
	return b.String()
}

func glossary(b *strings.Builder, title, about string, terms []Term) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| word | meaning |\n|---|---|\n", title, about)
	for _, t := range terms {
		fmt.Fprintf(b, "| `%s` | %s |\n", t.Word, t.Meaning)
	}
}

func (t Table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s. Key: %s.\n\n", t.Name, sentence(t.Doc), strings.Join(t.Key(), ", "))
	b.WriteString("| ID | column | type | unit | bloom | meaning | null |\n|---:|---|---|---|---|---|---|\n")
	for _, c := range t.Columns {
		fmt.Fprintf(b, "| %d | `%s` | %s | %s | %s | %s | %s |\n", c.ID, c.Name, c.Type, c.Unit, mark(c.Bloom), cell(c.Doc), null(c))
	}
	fmt.Fprintf(b, "\n| column | %s | %s |\n|---|---|---|\n", rongCloud, tencent)
	for _, c := range t.Columns {
		origins := t.Origins(c.Name)
		from := []string{origins[0].From, "the same"}
		if len(origins) > 1 {
			from[1] = origins[1].From
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", c.Name, cell(from[0]), cell(from[1]))
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func null(c Column) string {
	if c.Nullable {
		return cell(c.Null)
	}
	return "never"
}

func mark(yes bool) string {
	if yes {
		return "yes"
	}
	return ""
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
