package report

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"rollcall/sinks/manifest"
)

// acknowledged says which disagreements are known: how many, which, until when and why.
func acknowledged(m manifest.Manifest) (said []string) {
	for _, a := range m.Acknowledged {
		ids, users := a.IDs()
		what := count(int64(len(ids)), "group", "groups")
		if users {
			what = count(int64(len(ids)), "user", "users")
		}
		var parts []string
		for i, id := range ids[:min(keptGroups, len(ids))] {
			parts = append(parts, fmt.Sprintf("%s: %s of %s", shown(id), humanize.Comma(a.Collected[i]), optional(a.Declared[i])))
		}
		if more := len(ids) - keptGroups; more > 0 {
			parts = append(parts, humanize.Comma(int64(more))+" more")
		}
		said = append(said, fmt.Sprintf("%s of %s %s (%s), acknowledged until %s: %s", what, shown(a.Source), a.Verdict, strings.Join(parts, ", "), a.Until, shown(a.Reason)))
	}
	return said
}

// known counts the groups and users whose disagreement is acknowledged, with the verb: "1 is", "3 are".
func known(m manifest.Manifest) string {
	return count(int64(manifest.CountAcknowledged(m.Acknowledged)), "is", "are")
}
