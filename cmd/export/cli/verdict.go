package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/pipeline/verify"
	"rollcall/sinks"
)

// summary counts the findings by their kind: "1 file altered, 2 files missing".
func summary(r verify.Report) string {
	counts := map[string]int64{}
	var all []string // in the order of their first finding
	for _, f := range r.Findings {
		noun, rest := countedAs(f)
		text := noun + "\x00" + rest
		if counts[text] == 0 {
			all = append(all, text)
		}
		counts[text] += 1 + f.More
		if f.Kind == verify.NoSnapshot {
			counts[text] = days(r)
		}
	}
	for i, text := range all {
		noun, rest, _ := strings.Cut(text, "\x00")
		all[i] = count(int(counts[text]), noun) + " " + rest
	}
	return strings.Join(all, ", ")
}

// days counts the dates without a snapshot.
func days(r verify.Report) (n int64) {
	for _, missing := range r.Missing {
		n += missing.Days
	}
	return n
}

// countedAs says how findings are counted: "file", "altered".
func countedAs(f verify.Finding) (noun, rest string) {
	noun = "file"
	if sinks.IsManifest(f.Path) || sinks.IsReplaced(f.Path) {
		noun = "manifest"
	}
	switch f.Kind {
	case verify.NotAFile:
		return "path", "not a file"
	case verify.Schema:
		return noun, "with another schema"
	case verify.Unsorted:
		return "row", "out of order"
	case verify.Duplicate:
		return "key", "duplicated"
	case verify.Values:
		return "value", "not allowed"
	case verify.Figures:
		return "figure", "wrong"
	case verify.Sums:
		return "sum", "wrong"
	case verify.Unproved:
		return "kept hash", "not found"
	case verify.NoSnapshot:
		return "date", "without a snapshot"
	case verify.BadSignature, verify.BadEndorsement:
		return string(f.Kind), "wrong"
	case verify.Stranger:
		return noun, "signed with an unknown key"
	case verify.Retired:
		return noun, "signed with a retired key"
	default:
		return noun, string(f.Kind)
	}
}

// expectFlag adds --expect.
func expectFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "expect", "", "daily: end with 7 where a date has no snapshot, up to yesterday (UTC)")
}

// expected is the time now where --expect asks for a snapshot of each day; zero where it is not given.
func (a *app) expected(expect string) (time.Time, error) {
	if expect == "" {
		return time.Time{}, nil
	}
	if expect != "daily" {
		return time.Time{}, misused("write --expect daily, or leave it out", "--expect %q is not known", expect)
	}
	return a.env.Now(), nil
}
