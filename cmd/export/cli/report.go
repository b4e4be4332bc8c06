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
	"rollcall/pipeline/check"
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
	Sum           string                      `json:"manifest_sha256"`
	Report        string                      `json:"report,omitempty"`   // where the page is, if this run wrote one
	Replaces      string                      `json:"replaces,omitempty"` // the manifest in whose place it is
	Signed        string                      `json:"signed_with"`        // ID of the key; empty: not signed
	Rows          map[string]int64            `json:"rows"`
	Outcomes      map[string]map[string]int64 `json:"outcomes"`
	Groups        map[string]int64            `json:"group_verdicts"`
	Users         map[string]int64            `json:"user_verdicts"`
	Discrepancies int64                       `json:"discrepancies"`
	Base          *string                     `json:"changes_base"`
	Changes       map[string]int64            `json:"changes"`
	Checks        []manifest.Check            `json:"checks"`
	Replaced      int64                       `json:"replaced_texts"` // texts whose invalid Unicode was replaced
	Cut           int64                       `json:"cut_texts"`      // texts that were longer than 64 KiB and were cut
	Seconds       float64                     `json:"seconds"`        // that this run took
	Requests      int64                       `json:"requests"`       // of all runs of the date
	Throttles     int64                       `json:"throttles"`      // of these, refused as too many
}

func sealedJSON(r pipeline.Result, took time.Duration) sealedAnswer {
	m := r.Manifest
	figures := total(m)
	signed := ""
	if m.Signature != nil {
		signed = m.Signature.KeyID
	}
	answer := sealedAnswer{
		Date: r.Date, Place: r.Place, Already: r.Already, Code: r.Code, Manifest: r.URL(r.Path), Sum: r.Sum, Signed: signed, Rows: rowsOf(m),
		Outcomes: m.Outcomes, Groups: m.Verdicts.Groups, Users: m.Verdicts.Users, Discrepancies: m.Discrepancies, Base: m.ChangesBase, Changes: m.Changes, Checks: append([]manifest.Check{}, m.Checks...),
		Replaced: m.ReplacedTexts, Cut: m.CutTexts,
		Seconds: took.Seconds(), Requests: figures.Requests, Throttles: figures.Throttles,
	}
	if r.Report != "" {
		answer.Report = r.URL(r.Report)
	}
	if m.Replaces != nil {
		answer.Replaces = r.URL(m.Replaces.Path)
	}
	return answer
}

// rowsOf counts a snapshot's rows by table.
func rowsOf(m manifest.Manifest) map[string]int64 {
	rows := map[string]int64{}
	for _, f := range m.Files {
		rows[f.Table] += f.Rows
	}
	return rows
}

// report tells a person what was sealed, how long that took, what of it is complete and what is
// not, and where it is.
func report(w io.Writer, r pipeline.Result, took time.Duration) {
	m, rows := r.Manifest, rowsOf(r.Manifest)
	if r.Already {
		fmt.Fprintf(w, "%s was sealed before, at %s: nothing was asked.\n", r.Date, m.SealedAt.Time().Format(time.RFC3339))
	}
	fmt.Fprintf(w, "Sealed %s in %s\n", r.Date, escape(r.Place))
	fmt.Fprintf(w, "  %s memberships, %s groups, %s users\n",
		humanize.Comma(rows["memberships"]), humanize.Comma(rows["groups"]), humanize.Comma(rows["users"]))
	fmt.Fprintf(w, "  groups: %s\n", tally(m.Verdicts.Groups, "no data block lists their members"))
	fmt.Fprintf(w, "  users:  %s\n", tally(m.Verdicts.Users, "no data block lists their groups"))
	if m.Discrepancies > 0 {
		fmt.Fprintf(w, "  %s contradictions between views that were read whole: see the table discrepancies\n", humanize.Comma(m.Discrepancies))
	}
	altered(w, m)
	changed(w, m)
	checks(w, m.Checks)
	asked(w, r, took)
	fmt.Fprintf(w, "  manifest: %s\n", escape(r.URL(r.Path)))
	fmt.Fprintf(w, "    SHA-256 %s\n", r.Sum)
	if m.Signature != nil {
		fmt.Fprintf(w, "    signed with the key %s\n", m.Signature.KeyID)
	}
	if r.Report != "" {
		fmt.Fprintf(w, "  report: %s\n", escape(r.URL(r.Report)))
	}
	if m.Replaces != nil {
		fmt.Fprintf(w, "  in place of: %s\n", escape(r.URL(m.Replaces.Path)))
	}
	shortfall(w, r)
}

// altered says which texts are not as the vendors sent them.
func altered(w io.Writer, m manifest.Manifest) {
	if m.ReplacedTexts > 0 {
		fmt.Fprintf(w, "  %s texts held invalid Unicode, which was replaced by U+FFFD\n", humanize.Comma(m.ReplacedTexts))
	}
	if m.CutTexts > 0 {
		fmt.Fprintf(w, "  %s texts were longer than 64 KiB and were cut\n", humanize.Comma(m.CutTexts))
	}
}

// changed says what is different from which earlier date, or why that is not known.
func changed(w io.Writer, m manifest.Manifest) {
	if m.ChangesBase == nil {
		if m.ChangesNote != "" {
			fmt.Fprintf(w, "  changes: NOT KNOWN: %s\n", escape(m.ChangesNote))
		}
		return
	}
	fmt.Fprintf(w, "  since %s: %s joined, %s left, %s changed role", escape(*m.ChangesBase),
		humanize.Comma(m.Changes["joined"]), humanize.Comma(m.Changes["left"]), humanize.Comma(m.Changes["role_changed"]))
	if m.ChangesUncertain > 0 {
		fmt.Fprintf(w, "; %s of these not certain", humanize.Comma(m.ChangesUncertain))
	}
	fmt.Fprintln(w)
	if m.ChangesNote != "" {
		fmt.Fprintf(w, "  changes: %s\n", escape(m.ChangesNote))
	}
}

// checks lists what was looked at before sealing, and what it came to.
func checks(w io.Writer, results []manifest.Check) {
	words := map[string]string{check.Pass: "passed", check.Warn: "WARNING", check.Fail: "FAILED", check.Accepted: "FAILED, and was accepted"}
	for _, c := range results {
		fmt.Fprintf(w, "  check %s %s: %s", escape(c.Name), words[c.Result], escape(c.Measured))
		if c.Limit != "" {
			fmt.Fprintf(w, "; limit %s", escape(c.Limit))
		}
		fmt.Fprintln(w)
	}
}

// asked says what the vendors were asked, and where they refused that as too many requests.
func asked(w io.Writer, r pipeline.Result, took time.Duration) {
	fmt.Fprintf(w, "  %s requests to %s", humanize.Comma(total(r.Manifest).Requests), vendors(r.Manifest))
	if !r.Already {
		fmt.Fprintf(w, "; this run took %s", span(took))
	}
	fmt.Fprintln(w)
	for _, source := range slices.Sorted(maps.Keys(r.Manifest.Requests)) {
		for _, name := range slices.Sorted(maps.Keys(r.Manifest.Requests[source])) {
			if n := r.Manifest.Requests[source][name].Throttles; n > 0 {
				fmt.Fprintf(w, "  refused as too many: %s (%s %s); is the budget, or share, what the vendor grants?\n", humanize.Comma(n), escape(source), escape(name))
			}
		}
	}
}

// shortfall says what keeps a snapshot from being whole, and what is absent for a reason.
func shortfall(w io.Writer, r pipeline.Result) {
	var missing, absent []pipeline.Gap
	for _, g := range reasons(r) {
		if g.Outcome.Missing() {
			missing = append(missing, g)
		} else {
			g.Message = "" // of a gone group the code says enough
			absent = append(absent, g)
		}
	}
	if r.Code == pipeline.CodeComplete {
		fmt.Fprintln(w, "Complete: every key was answered, and every count that a vendor gave is met.")
	} else {
		fmt.Fprintln(w, "Not whole:")
		gaps(w, missing)
		disagreements(w, r.Manifest.Verdicts)
	}
	if len(absent) > 0 {
		fmt.Fprintln(w, "Answered, without rows:")
		gaps(w, absent)
	}
}

// reasons are the run's own gaps; of a date that was sealed before, what its manifest counts, which
// names neither codes nor keys.
func reasons(r pipeline.Result) []pipeline.Gap {
	if !r.Already {
		return r.Gaps
	}
	var list []pipeline.Gap
	for _, outcome := range []schema.Outcome{schema.Failed, schema.Denied, schema.Gone, schema.Unsupported} {
		for _, data := range slices.Sorted(maps.Keys(r.Manifest.Outcomes)) {
			if n := r.Manifest.Outcomes[data][string(outcome)]; n > 0 {
				list = append(list, pipeline.Gap{Data: data, Outcome: outcome, Keys: n})
			}
		}
	}
	return list
}

// disagreements counts the groups and users whose count is not the one that the vendor declares, and
// says where each of them stands.
func disagreements(w io.Writer, v manifest.Verdicts) {
	found := false
	for _, of := range []struct {
		noun   string
		counts map[string]int64
	}{{"groups", v.Groups}, {"users", v.Users}} {
		for _, verdict := range []schema.Verdict{schema.Short, schema.Over, schema.Drifted} {
			if n := of.counts[string(verdict)]; n > 0 {
				what := of.noun + " are"
				if n == 1 {
					what = strings.TrimSuffix(of.noun, "s") + " is"
				}
				fmt.Fprintf(w, "  %s %s %s: %s\n", humanize.Comma(n), what, verdict, meaning(verdict))
				found = true
			}
		}
	}
	if found {
		fmt.Fprintln(w, "  Which ones: the column verdict of the tables groups and users tells.")
	}
}

func meaning(v schema.Verdict) string {
	terms := schema.Verdicts()
	return terms[slices.IndexFunc(terms, func(t schema.Term) bool { return t.Word == string(v) })].Meaning
}

// gaps lists why keys have no rows, each reason with one of its keys.
func gaps(w io.Writer, list []pipeline.Gap) {
	for _, g := range list {
		fmt.Fprintf(w, "  %s %s in %s", humanize.Comma(g.Keys), g.Outcome, g.Data)
		if g.Code != "" {
			fmt.Fprintf(w, ", code %s", escape(g.Code))
		}
		if g.Key != "" {
			fmt.Fprintf(w, ", such as %s", escape(g.Key))
		}
		if g.Message != "" {
			fmt.Fprintf(w, ": %s", escape(g.Message))
		}
		fmt.Fprintln(w)
	}
}

// tally is "398 exact, 2 gone", the largest first. Words that a newcomer takes for a fault are
// explained; notAsked says why nobody asked.
func tally(counts map[string]int64, notAsked string) string {
	explained := map[string]string{
		string(schema.Unverifiable): "no total of the vendor to hold them against",
		string(schema.NotAsked):     notAsked,
	}
	words := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return int(min(1, max(-1, counts[b]-counts[a])))
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, word := range words {
		if counts[word] > 0 {
			part := humanize.Comma(counts[word]) + " " + word
			if why := explained[word]; why != "" {
				part += " (" + why + ")"
			}
			parts = append(parts, part)
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

// total adds up what all endpoints were asked.
func total(m manifest.Manifest) (sum manifest.Figures) {
	for _, endpoints := range m.Requests {
		for _, f := range endpoints {
			sum.Requests += f.Requests
			sum.Throttles += f.Throttles
		}
	}
	return sum
}
