package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"rollcall/pipeline"
	"rollcall/schema"
	"rollcall/sinks/manifest"
)

// sealedAnswer is a sealed snapshot as a script reads it.
type sealedAnswer struct {
	Date          string                      `json:"date"`
	Place         string                      `json:"place"`
	Already       bool                        `json:"already_sealed"`
	Code          int                         `json:"exit_code"`
	Manifest      string                      `json:"manifest"`
	Rows          map[string]int64            `json:"rows"`
	Outcomes      map[string]map[string]int64 `json:"outcomes"`
	Groups        map[string]int64            `json:"group_verdicts"`
	Users         map[string]int64            `json:"user_verdicts"`
	Discrepancies int64                       `json:"discrepancies"`
}

func sealedJSON(r pipeline.Result) sealedAnswer {
	m := r.Manifest
	return sealedAnswer{
		Date: r.Date, Place: r.Place, Already: r.Already, Code: r.Code, Manifest: r.URL(r.Path), Rows: rowsOf(m),
		Outcomes: m.Outcomes, Groups: m.Verdicts.Groups, Users: m.Verdicts.Users, Discrepancies: m.Discrepancies,
	}
}

// rowsOf counts a snapshot's rows by table.
func rowsOf(m manifest.Manifest) map[string]int64 {
	rows := map[string]int64{}
	for _, f := range m.Files {
		rows[f.Table] += f.Rows
	}
	return rows
}

// report tells a person what was sealed, what of it is complete and what is not, and where it is.
func report(w io.Writer, r pipeline.Result) {
	m, rows := r.Manifest, rowsOf(r.Manifest)
	if r.Already {
		fmt.Fprintf(w, "%s was sealed before, at %s: nothing was asked.\n", r.Date, m.SealedAt.Time().Format(time.RFC3339))
	}
	fmt.Fprintf(w, "Sealed %s in %s\n", r.Date, escape(r.Place))
	fmt.Fprintf(w, "  %s memberships, %s groups, %s users; %s asked %s times in all\n",
		humanize.Comma(rows["memberships"]), humanize.Comma(rows["groups"]), humanize.Comma(rows["users"]), vendors(m), humanize.Comma(requests(m)))
	fmt.Fprintf(w, "  groups: %s\n", tally(m.Verdicts.Groups))
	fmt.Fprintf(w, "  users:  %s\n", tally(m.Verdicts.Users))
	if m.Discrepancies > 0 {
		fmt.Fprintf(w, "  %s contradictions between views that were read whole: see the table discrepancies\n", humanize.Comma(m.Discrepancies))
	}
	fmt.Fprintf(w, "  manifest: %s\n", escape(r.URL(r.Path)))
	shortfall(w, r)
}

// shortfall says what keeps a snapshot from being whole, and what is absent for a reason.
func shortfall(w io.Writer, r pipeline.Result) {
	var missing, absent []pipeline.Gap
	for _, g := range r.Gaps {
		if g.Outcome.Missing() {
			missing = append(missing, g)
		} else {
			g.Message = "" // of a gone group the code says enough
			absent = append(absent, g)
		}
	}
	switch {
	case r.Code == pipeline.CodeComplete:
		fmt.Fprintln(w, "Complete: every key was answered, and every count that a vendor gave is met.")
	default:
		fmt.Fprintln(w, "Not whole:")
		gaps(w, missing)
		for _, v := range []struct {
			noun   string
			counts map[string]int64
		}{{"groups", r.Manifest.Verdicts.Groups}, {"users", r.Manifest.Verdicts.Users}} {
			for _, verdict := range []schema.Verdict{schema.Short, schema.Over, schema.Drifted} {
				if n := v.counts[string(verdict)]; n > 0 {
					fmt.Fprintf(w, "  %s %s are %s: %s\n", humanize.Comma(n), v.noun, verdict, meaning(verdict))
				}
			}
		}
	}
	if len(absent) > 0 {
		fmt.Fprintln(w, "Answered, without rows:")
		gaps(w, absent)
	}
}

func meaning(v schema.Verdict) string {
	switch v {
	case schema.Short:
		return "fewer were given than the vendor declares, at a second reading too"
	case schema.Over:
		return "more were given than the vendor declares, at a second reading too"
	default:
		return "the vendor's total changed while it was read, at a second reading too"
	}
}

// gaps lists why keys have no rows, each reason with one of its keys.
func gaps(w io.Writer, list []pipeline.Gap) {
	for _, g := range list {
		fmt.Fprintf(w, "  %s %s in %s", humanize.Comma(g.Keys), g.Outcome, g.Data)
		if g.Code != "" {
			fmt.Fprintf(w, ", code %s", escape(g.Code))
		}
		fmt.Fprintf(w, ", such as %s", escape(g.Key))
		if g.Message != "" {
			fmt.Fprintf(w, ": %s", escape(g.Message))
		}
		fmt.Fprintln(w)
	}
}

// tally is "398 exact, 2 gone", the largest first.
func tally(counts map[string]int64) string {
	words := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return int(min(1, max(-1, counts[b]-counts[a])))
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, word := range words {
		if counts[word] > 0 {
			parts = append(parts, humanize.Comma(counts[word])+" "+word)
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func vendors(m manifest.Manifest) string {
	if len(m.Requests) == 0 {
		return "vendors"
	}
	return strings.Join(slices.Sorted(maps.Keys(m.Requests)), " and ")
}

func requests(m manifest.Manifest) (n int64) {
	for _, endpoints := range m.Requests {
		for _, f := range endpoints {
			n += f.Requests
		}
	}
	return n
}
