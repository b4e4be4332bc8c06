// Package report makes one self-contained HTML page about a sealed snapshot, for people.
//
// The page says first what was sealed and how complete it is, then what is missing and what to do, what
// changed, how the last snapshots compare, which groups are largest or have no owner, and how the
// vendors were asked. It needs no network and runs no script; its content security policy forbids both.
// It reads the sealed manifests and tables of one date and nothing else, so that what a snapshot leaves
// out or writes as a pseudonym is so in the report, too.
//
// Every figure is counted from these, and the same snapshot gives the same page. Lists are bounded, and
// say how many more there are and how to see them; memory and page stay small however large the
// tables are. Text that came from a vendor is escaped, controls and invisible marks written out.
//
// Errors are those of package snapshot and of the sink. An earlier manifest that can't be read is told
// on the page, and its night is a gap.
package report

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/dustin/go-humanize"

	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/schema/spelling"
)

// Nights is how many snapshots the history shows at most, this one included.
const Nights = 30

var (
	//go:embed page.html
	pageHTML string
	//go:embed parts.html
	partsHTML string
	//go:embed style.css
	styleCSS string
)

// Write writes the page about s.
func Write(ctx context.Context, w io.Writer, s *snapshot.Snapshot) error {
	nights, err := history(ctx, s)
	if err != nil {
		return err
	}
	found, err := gather(ctx, s)
	if err != nil {
		return err
	}
	made, err := template.New("page").Funcs(functions()).Parse(partsHTML)
	if err == nil {
		made, err = made.Parse(pageHTML)
	}
	if err != nil {
		return &fault.Error{Kind: fault.Bug, Message: "the report's template", Err: err}
	}
	var page bytes.Buffer
	if err := made.Execute(&page, newPage(s, nights, found)); err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	_, err = w.Write(visible(page.Bytes()))
	return err
}

// visible lets no control or invisible mark into a page, whichever word it came by: the template knows
// what HTML would read, and nothing of what a terminal or an editor does. The page's own lines stay.
func visible(page []byte) []byte {
	lines := bytes.Split(page, []byte("\n"))
	for i, line := range lines {
		lines[i] = []byte(spelling.Visible(string(line)))
	}
	return bytes.Join(lines, []byte("\n"))
}

// style is the style sheet and the policy that allows it and nothing else.
func style() (sheet template.CSS, policy string) {
	sum := sha256.Sum256([]byte(styleCSS))
	return template.CSS(styleCSS), "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// functions are what the templates use.
func functions() template.FuncMap {
	return template.FuncMap{
		"comma":    humanize.Comma,
		"fig":      func(n int64, name ...string) figure { return figure{spelling.Visible(strings.Join(name, ".")), n} },
		"more":     func(more int64, sql string) rest { return rest{more, sql} },
		"groups":   func(label string, rows []groupRow) groupList { return groupList{label, rows} },
		"outcomes": schema.Outcomes,
		"word":     func(i int) string { return schema.Outcomes()[i].Word },
		"bad":      func(i int) bool { return schema.Outcome(schema.Outcomes()[i].Word).Missing() },
	}
}

// rest is how many rows a list leaves out, and the query that shows them.
type rest struct {
	More int64
	SQL  string
}

// groupList is a table of groups and what it is called for who can't see the heading.
type groupList struct {
	Label string
	Rows  []groupRow
}
