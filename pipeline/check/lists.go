package check

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"rollcall/pipeline/job"
	"rollcall/sinks/manifest"
)

// listShrunk compares each list with the one of its name in the base. Where some are beyond the limit, they alone
// are named.
func listShrunk(c job.Check, lists manifest.Lists, date string) (bool, string) {
	compared := 0
	var fewer, beyond []string
	for _, list := range lists {
		if list.Before == nil {
			continue
		}
		compared++
		if lost := *list.Before - list.IDs; lost > 0 {
			text := fmt.Sprintf("ids.%s: %s, %s on %s (%s fewer, %s)", list.Name,
				counted(list.IDs, "ID"), humanize.Comma(*list.Before), date, humanize.Comma(lost), percent(lost, *list.Before))
			if fewer = append(fewer, text); !c.Limit.Allows(lost, *list.Before) {
				beyond = append(beyond, text)
			}
		}
	}
	switch {
	case compared == 0:
		return true, fmt.Sprintf("the snapshot of %s has no list of the same name", date)
	case len(fewer) == 0:
		return true, fmt.Sprintf("no list has fewer IDs than on %s", date)
	case len(beyond) > 0:
		return false, strings.Join(beyond, "; ")
	}
	return true, strings.Join(fewer, "; ")
}

// uncovered counts the memberships of the base that nobody asked about.
func uncovered(c job.Check, tonight, base manifest.Manifest) (bool, string) {
	was := rows(base, "memberships")
	if tonight.Uncovered == nil {
		why := ""
		if tonight.ChangesNote != "" {
			why = ": " + tonight.ChangesNote
		}
		return true, fmt.Sprintf("how many memberships of %s nobody asked about is not known%s", base.Date, why)
	}
	n := *tonight.Uncovered
	measured := counted(n, "membership") + " no longer covered by the lists, of " + humanize.Comma(was) + " on " + base.Date
	if n > 0 && was > 0 {
		measured += " (" + percent(n, was) + ")"
	}
	return c.Limit.Allows(n, was), measured
}

// leastKeys is how many IDs a list must have for it to be strange that none has a membership.
const leastKeys = 20

// listWithoutRows looks for lists whose IDs were all answered, and without a single membership.
func listWithoutRows(lists manifest.Lists) (bool, string) {
	var empty []string
	judged := 0
	for _, list := range lists {
		if list.WithoutRows == nil || list.IDs < leastKeys {
			continue
		}
		judged++
		if n := *list.WithoutRows; n == list.IDs {
			empty = append(empty, fmt.Sprintf("%s of %s %s: is ids.%s the right list?", humanize.Comma(n), humanize.Comma(list.IDs), without(list.Keys), list.Name))
		}
	}
	switch {
	case len(empty) > 0:
		return false, strings.Join(empty, " ")
	case judged == 0:
		return true, fmt.Sprintf("there is no list of %d or more IDs that can be judged", leastKeys)
	}
	return true, fmt.Sprintf("some ID of each list of %d or more has a membership", leastKeys)
}

// without says of IDs what it means that they have no membership.
func without(keys []string) string {
	if len(keys) != 1 {
		return "IDs have no membership"
	}
	if keys[0] == manifest.GroupKeys {
		return "groups have no member"
	}
	return "users are in no group"
}
