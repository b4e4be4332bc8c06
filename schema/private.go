package schema

import "slices"

// Private says what a column may tell of a person, and so what a configuration may ask to be done
// with it: IDs may become pseudonyms, details may be left out.
type Private string

// The kinds. A column without one holds what Rollcall counted or judged, or a word of few.
const (
	NotPrivate Private = ""
	UserID     Private = "user"
	GroupID    Private = "group"
	KeyID      Private = "key"    // a user or a group, as the data block asks about
	Detail     Private = "detail" // shown and never compared; always nullable
)

// Details lists the names of the columns that may be left out, sorted.
func Details() []string { return private(Detail) }

// IDs lists the names of the columns whose values may become pseudonyms, sorted. What stands in
// other columns of IDs follows them.
func IDs() []string { return private(UserID, GroupID) }

func private(kinds ...Private) []string {
	var names []string
	for _, t := range Tables() {
		for _, c := range t.Columns {
			if slices.Contains(kinds, c.Private) {
				names = append(names, c.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
