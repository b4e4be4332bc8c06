// Package check looks at a snapshot before it is sealed: does it differ from the one before in a way
// that a vendor's error, or a wrong ID list, explains better than a night's life?
//
// It promises to judge from manifests alone, so that it costs nothing however large the tables are,
// and to say with each result what was measured. Where there is nothing to compare with, a check
// passes and says so. It never fails: what it finds is data, and [Refused] tells what of it keeps
// the snapshot from being sealed.
package check

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"rollcall/pipeline/job"
	"rollcall/sinks/manifest"
)

// What a check comes to.
const (
	Pass     = "pass"
	Warn     = "warn"
	Fail     = "fail"
	Accepted = "accepted" // it failed, and a person overruled it
)

// Look holds tonight's manifest against each check, and against base, the nearest earlier sealed
// date, with the roles of all earlier ones; nil where there is none. Checks whose names are in accepted seal all the same. The
// results have the order of checks.
func Look(checks []job.Check, accepted []string, tonight manifest.Manifest, base *manifest.Manifest) []manifest.Check {
	var results []manifest.Check
	for _, c := range checks {
		if c.Off {
			continue
		}
		ok, measured := look(c, tonight, base)
		found := manifest.Check{Name: c.Name, Kind: string(c.Kind), Result: Pass, Measured: measured}
		if c.Kind.Limited() {
			found.Limit = c.Limit.String()
		}
		switch {
		case ok:
		case c.Warn:
			found.Result = Warn
		case slices.Contains(accepted, c.Name):
			found.Result = Accepted
		default:
			found.Result = Fail
		}
		results = append(results, found)
	}
	return results
}

// Refused are the results that keep a snapshot from being sealed.
func Refused(results []manifest.Check) []manifest.Check {
	return slices.DeleteFunc(slices.Clone(results), func(c manifest.Check) bool { return c.Result != Fail })
}

func look(c job.Check, tonight manifest.Manifest, base *manifest.Manifest) (ok bool, measured string) {
	switch c.Kind {
	case job.Ownerless:
		return ownerless(c, tonight.Ownership)
	case job.ListWithoutRows:
		return listWithoutRows(tonight.Lists)
	}
	if base == nil && tonight.ChangesNote != "" {
		return true, "there is nothing to compare with: " + tonight.ChangesNote
	}
	if base == nil {
		return true, "there is no earlier snapshot to compare with"
	}
	switch c.Kind {
	case job.Drop:
		return drop(c, tonight, *base)
	case job.Emptied:
		return emptied(c, tonight, *base)
	case job.ListShrunk:
		return listShrunk(c, tonight.Lists, base.Date)
	case job.Uncovered:
		return uncovered(c, tonight, *base)
	default:
		return newRoles(tonight, *base)
	}
}

// drop counts the rows of a table.
func drop(c job.Check, tonight, base manifest.Manifest) (bool, string) {
	is, was := rows(tonight, c.Table), rows(base, c.Table)
	measured := fmt.Sprintf("%s: %s, %s on %s", c.Table, counted(is, "row"), humanize.Comma(was), base.Date)
	if is >= was {
		return true, measured
	}
	return c.Limit.Allows(was-is, was), measured + fmt.Sprintf(" (%s fewer, %s)", humanize.Comma(was-is), percent(was-is, was))
}

// emptied looks for tables that have lost all rows: the one named, or those that a night is about.
func emptied(c job.Check, tonight, base manifest.Manifest) (bool, string) {
	tables := []string{"memberships", "groups", "users"}
	if c.Table != "" {
		tables = []string{c.Table}
	}
	var empty []string
	for _, table := range tables {
		if was := rows(base, table); was > 0 && rows(tonight, table) == 0 {
			empty = append(empty, fmt.Sprintf("%s has no rows, and had %s on %s", table, humanize.Comma(was), base.Date))
		}
	}
	if empty == nil {
		return true, fmt.Sprintf("%s: nothing that had rows on %s is empty", strings.Join(tables, ", "), base.Date)
	}
	return false, strings.Join(empty, "; ")
}

// shownRoles is how many new roles are named.
const shownRoles = 5

// newRoles looks for words for a role that the same source did not use up to the base.
func newRoles(tonight, base manifest.Manifest) (bool, string) {
	if base.Roles == nil {
		return true, fmt.Sprintf("no snapshot up to that of %s counted roles", base.Date)
	}
	var found, unknown []string
	more := 0
	for _, source := range slices.Sorted(maps.Keys(tonight.Roles)) {
		known := base.Roles[source]
		if len(known) == 0 { // another source, or its first block that names roles
			unknown = append(unknown, source)
			continue
		}
		for _, role := range slices.Sorted(maps.Keys(tonight.Roles[source])) {
			if _, old := known[role]; old {
				continue
			}
			if len(found) == shownRoles {
				more++
				continue
			}
			found = append(found, fmt.Sprintf("%s has %q (%s)", source, role, counted(tonight.Roles[source][role], "membership")))
		}
	}
	measured := fmt.Sprintf("no role that was not there up to %s", base.Date)
	if len(found) > 0 {
		measured = fmt.Sprintf("not there up to %s: %s", base.Date, strings.Join(found, ", "))
	}
	if more > 0 {
		measured += fmt.Sprintf(", and %d more", more)
	}
	if len(unknown) > 0 {
		measured += fmt.Sprintf("; no roles of %s to compare with", strings.Join(unknown, ", "))
	}
	return len(found) == 0, measured
}

// ownerless counts the groups that nobody owns, as schema.OwnershipOf has it.
func ownerless(c job.Check, o manifest.Ownership) (bool, string) {
	empty := ""
	if o.Empty != nil && *o.Empty > 0 {
		empty = "; " + counted(*o.Empty, "empty group") + " not counted"
	}
	if o.Judged == 0 {
		return true, "no group was read whole with roles, so that its owner could be told" + empty
	}
	return c.Limit.Allows(o.Ownerless, o.Judged),
		fmt.Sprintf("%s of %s read whole have no owner (%s)", humanize.Comma(o.Ownerless), counted(o.Judged, "group"), percent(o.Ownerless, o.Judged)) + empty
}

func rows(m manifest.Manifest, table string) (n int64) {
	for _, f := range m.Files {
		if f.Table == table {
			n += f.Rows
		}
	}
	return n
}

func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return humanize.Comma(n) + " " + noun + "s"
}

// percent has two digits behind the point where it needs them, and is 0% for nothing alone.
func percent(part, whole int64) string {
	share := 100 * float64(part) / float64(whole)
	if part > 0 && share < 0.01 {
		return "below 0.01%"
	}
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(share, 'f', 2, 64), "0"), ".") + "%"
}
