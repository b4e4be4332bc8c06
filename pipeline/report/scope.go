package report

import (
	"slices"
	"strings"

	"rollcall/sinks/manifest"
)

// Complete says that nothing is missing, and of what.
const Complete = "complete for the lists given"

// Scope is one sentence about what a complete snapshot does not say: it is complete for the keys that were asked.
func Scope(m manifest.Manifest) string {
	var users []string
	for _, list := range m.Lists {
		if !slices.Equal(list.Keys, []string{manifest.UserKeys}) {
			return "Whether the lists hold all groups of the app is not known."
		}
		users = append(users, "ids."+shown(list.Name))
	}
	if len(users) == 0 {
		return "Whether all groups of the app were asked is not known."
	}
	const named = 3
	if len(users) > named {
		users = append(users[:named], "other lists")
	}
	return "Its groups are those of the users in " + strings.Join(users, ", ") + "; whether the app has others is not known."
}

// scope says which memberships the lists no longer lead to, and what a complete snapshot does not say.
func scope(m manifest.Manifest) (said []string) {
	if m.Uncovered != nil && *m.Uncovered > 0 {
		said = append(said, count(*m.Uncovered, "membership", "memberships")+" no longer covered by the lists: nobody asked about their group or user now.")
	}
	if m.ExitCode == 0 {
		said = append(said, Scope(m))
	}
	return said
}
