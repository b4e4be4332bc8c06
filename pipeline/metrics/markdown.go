package metrics

import (
	_ "embed"
	"fmt"
	"strings"
)

// opening and questions stand before and after the table on the page.
var (
	//go:embed opening.md
	opening string
	//go:embed questions.md
	questions string
)

// Markdown documents families as one page. It is what METRICS.md holds.
func Markdown(families []Family) string {
	var b strings.Builder
	b.WriteString(opening)
	b.WriteString("\n| metric | type | labels | says |\n|---|---|---|---|\n")
	for _, f := range families {
		labels := "-"
		if len(f.Labels) > 0 {
			labels = "`" + strings.Join(f.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, labels, f.Help)
	}
	return b.String() + "\n" + questions
}
