package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"rollcall/schema/advice"
	"rollcall/schema/fault"
)

// Fits is a fault where binding differs from what the night is bound to.
func (n Night) Fits(binding []string) error {
	was, is := byName(n.Binding), byName(binding)
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if now, ok := is[name]; !ok {
			differ = append(differ, name+" is gone")
		} else if now != was[name] {
			differ = append(differ, fmt.Sprintf("%s was %q%s and is now %q", name, was[name], n.copied(name), now))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if _, ok := was[name]; !ok {
			differ = append(differ, name+" is new")
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return &fault.Error{
		Kind:    fault.Configuration,
		Message: fmt.Sprintf("the configuration has changed since the run for %s began, and its answers would not fit together: %s", n.Date, strings.Join(differ, "; ")),
		Hint: fmt.Sprintf("put it back to go on where that run stopped, or throw away what it fetched and begin %s anew with {} "+
			"(budgets, share, endpoint, sink, tolerance, checks and credentials may change at any time)", n.Date),
		Commands: []advice.Command{n.Command().With("discard", "")},
	}
}

// copied tells how many IDs were copied of a list that a binding's line is about.
func (n Night) copied(name string) string {
	list, ok := n.Lists[strings.TrimPrefix(name, "ids ")]
	if !ok || !strings.HasPrefix(name, "ids ") {
		return ""
	}
	return fmt.Sprintf(" (%s IDs)", humanize.Comma(list.Unique))
}

// byName takes binding lines apart: "what: value".
func byName(lines []string) map[string]string {
	values := map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		values[name] = value
	}
	return values
}
