package cli

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"rollcall/cmd/export/console"
	"rollcall/sinks/manifest"
)

// acknowledged tells which disagreements with a vendor's totals are known, and don't count.
func acknowledged(w console.Printer, list []manifest.Acknowledged) {
	if len(list) > 0 {
		w.Printf("Acknowledged, and not counted against the exit code:\n")
	}
	for _, a := range list {
		w.Printf("  %s\n", disagreement(a))
	}
}

// disagreement is "2 groups of rongcloud.prod are short (g17: 3 of 5, g18: 7 of 8), until 2027-03-01: ticket 123".
func disagreement(a manifest.Acknowledged) string {
	const most = 5
	ids, users := a.IDs()
	noun := "group"
	if users {
		noun = "user"
	}
	are := "are"
	if len(ids) == 1 {
		are = "is"
	}
	var parts []string
	for i, id := range ids[:min(most, len(ids))] {
		parts = append(parts, fmt.Sprintf("%s: %s of %s", id, humanize.Comma(a.Collected[i]), number(a.Declared[i])))
	}
	if more := len(ids) - most; more > 0 {
		parts = append(parts, humanize.Comma(int64(more))+" more")
	}
	return fmt.Sprintf("%s of %s %s %s (%s), until %s: %s", count(len(ids), noun), a.Source, are, a.Verdict, strings.Join(parts, ", "), a.Until, a.Reason)
}
