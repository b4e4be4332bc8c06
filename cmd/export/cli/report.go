package cli

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/pipeline/check"
	"rollcall/pipeline/job"
	reports "rollcall/pipeline/report"
	"rollcall/schema"
	"rollcall/sinks/manifest"
)

// sealedAnswer is a sealed snapshot as a script reads it.
type sealedAnswer struct {
	Date          string                      `json:"date"`
	Backdated     bool                        `json:"backdated"` // the vendors were asked after the date was over
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
	Lists         manifest.Lists              `json:"lists"`
	Uncovered     *int64                      `json:"uncovered"` // memberships of the base that nobody asked about; null: not known
	Checks        []manifest.Check            `json:"checks"`
	Acknowledged  []manifest.Acknowledged     `json:"acknowledged,omitempty"`
	Replaced      int64                       `json:"replaced_texts"` // displayed values with invalid Unicode, which was replaced, or of a wrong type, which are null
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
		Date: r.Date, Backdated: m.AskedLate(), Place: r.Place, Already: r.Already, Code: r.Code, Manifest: r.URL(r.Path), Sum: r.Sum, Signed: signed, Rows: rowsOf(m),
		Outcomes: m.Outcomes, Groups: m.Verdicts.Groups, Users: m.Verdicts.Users, Discrepancies: m.Discrepancies, Base: m.ChangesBase, Changes: m.Changes, Lists: append(manifest.Lists{}, m.Lists...), Uncovered: m.Uncovered, Checks: append([]manifest.Check{}, m.Checks...), Acknowledged: m.Acknowledged,
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
func report(w console.Printer, r pipeline.Result, took time.Duration) {
	m, rows := r.Manifest, rowsOf(r.Manifest)
	if r.Already {
		w.Printf("%s was sealed before, at %s: nothing was asked.\n", r.Date, m.SealedAt.Time().Format(time.RFC3339))
	}
	w.Printf("Sealed %s in %s\n", r.Date, r.Place)
	w.Printf("  %s memberships, %s groups, %s users\n",
		humanize.Comma(rows["memberships"]), humanize.Comma(rows["groups"]), humanize.Comma(rows["users"]))
	w.Printf("  groups: %s\n", tally(m.Verdicts.Groups, "no data block lists their members"))
	w.Printf("  users:  %s\n", tally(m.Verdicts.Users, "no data block lists their groups"))
	if m.Discrepancies > 0 {
		w.Printf("  %s contradictions between views that were read whole: see the table discrepancies\n", humanize.Comma(m.Discrepancies))
	}
	if m.AskedLate() {
		w.Printf("  backdated: the vendors were asked from %s on, after that date was over in UTC\n", m.AskedFrom.Time().Format(time.RFC3339))
	}
	altered(w, m)
	listed(w, m)
	changed(w, m)
	checks(w, m.Checks)
	asked(w, r, took)
	w.Printf("  manifest: %s\n", r.URL(r.Path))
	w.Printf("    SHA-256 %s\n", r.Sum)
	if m.Signature != nil {
		w.Printf("    signed with the key %s\n", m.Signature.KeyID)
	}
	if r.Report != "" {
		w.Printf("  report: %s\n", r.URL(r.Report))
	}
	if m.Replaces != nil {
		w.Printf("  in place of: %s\n", r.URL(m.Replaces.Path))
	}
	shortfall(w, r)
}

// altered says which texts are not as the vendors sent them.
func altered(w console.Printer, m manifest.Manifest) {
	if m.ReplacedTexts > 0 {
		w.Printf("  %s names, nicknames, times and other displayed values could not be read as they came: invalid Unicode became U+FFFD, any other value null\n", humanize.Comma(m.ReplacedTexts))
	}
	if m.CutTexts > 0 {
		w.Printf("  %s texts were longer than 64 KiB and were cut\n", humanize.Comma(m.CutTexts))
	}
}

// changed says what is different from which earlier date, or why that is not known.
func changed(w console.Printer, m manifest.Manifest) {
	if m.ChangesBase == nil {
		if m.ChangesNote != "" {
			w.Printf("  changes: NOT KNOWN: %s\n", m.ChangesNote)
		}
		return
	}
	w.Printf("  since %s: %s joined, %s left, %s changed role", *m.ChangesBase,
		humanize.Comma(m.Changes["joined"]), humanize.Comma(m.Changes["left"]), humanize.Comma(m.Changes["role_changed"]))
	if m.ChangesUncertain > 0 {
		w.Printf("; %s of these not certain", humanize.Comma(m.ChangesUncertain))
	}
	w.Println()
	if m.ChangesNote != "" {
		w.Printf("  changes: %s\n", m.ChangesNote)
	}
}

// listed says how many IDs each list had, and the list of its name in the snapshot before, and how many of that
// one's memberships nobody asked about now.
func listed(w console.Printer, m manifest.Manifest) {
	base := ""
	if m.ChangesBase != nil {
		base = *m.ChangesBase
	}
	for _, list := range m.Lists {
		showList(w, list.Name, list.IDs, list.Before, base)
	}
	if m.Uncovered != nil && *m.Uncovered > 0 {
		w.Printf("  %s no longer covered by the lists: nobody asked about their group or user now\n", plural(*m.Uncovered, "membership"))
	}
}

// showList is one line about an ID list. The date of the run before may be empty.
func showList(w console.Printer, name string, ids int64, before *int64, base string) {
	w.Printf("  ids.%s: %s", name, plural(ids, "ID"))
	if before != nil {
		w.Printf(", %s the run before", humanize.Comma(*before))
		if base != "" {
			w.Printf(" (%s)", base)
		}
	}
	w.Println()
}

// checks lists what was looked at before sealing, and what it came to; built-in checks that passed in one line, and in
// another those that measured the same: nothing, since there was nothing to compare with.
func checks(w console.Printer, results []manifest.Check) {
	words := map[string]string{check.Pass: "passed", check.Warn: "WARNING", check.Fail: "FAILED", check.Accepted: "FAILED, and was accepted"}
	passed := map[string][]string{} // names by what was measured
	for _, c := range results {
		if c.Result == check.Pass && isBuiltIn(c) {
			passed[c.Measured] = append(passed[c.Measured], c.Name)
			continue
		}
		w.Printf("  check %s %s: %s", c.Name, words[c.Result], c.Measured)
		if c.Limit != "" {
			w.Printf("; limit %s", c.Limit)
		}
		w.Println()
	}
	var alone []string
	for _, measured := range slices.Sorted(maps.Keys(passed)) {
		if names := passed[measured]; len(names) > 1 {
			w.Printf("  built-in checks %s: %s\n", strings.Join(names, ", "), measured)
		} else {
			alone = append(alone, names[0])
		}
	}
	if len(alone) > 0 {
		w.Printf("  built-in checks passed: %s\n", strings.Join(slices.Sorted(slices.Values(alone)), ", "))
	}
}

// isBuiltIn tells whether a check is one that applies without being written, be it with another limit.
func isBuiltIn(c manifest.Check) bool {
	return slices.ContainsFunc(job.BuiltIn(), func(b job.Check) bool { return b.Name == c.Name && string(b.Kind) == c.Kind })
}

// asked says what the vendors were asked, and where they refused that as too many requests.
func asked(w console.Printer, r pipeline.Result, took time.Duration) {
	w.Printf("  %s requests to %s", humanize.Comma(total(r.Manifest).Requests), vendors(r.Manifest))
	if !r.Already {
		w.Printf("; this run took %s", span(took))
	}
	w.Println()
	for _, source := range slices.Sorted(maps.Keys(r.Manifest.Requests)) {
		for _, name := range slices.Sorted(maps.Keys(r.Manifest.Requests[source])) {
			if n := r.Manifest.Requests[source][name].Throttles; n > 0 {
				w.Printf("  refused as too many: %s (%s %s); is the budget, or share, what the vendor grants?\n", humanize.Comma(n), source, name)
			}
		}
	}
}

// shortfall says what keeps a snapshot from being whole, and what is absent for a reason.
func shortfall(w console.Printer, r pipeline.Result) {
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
		but := ""
		if len(r.Manifest.Acknowledged) > 0 {
			but = ", but for those that are acknowledged"
		}
		w.Printf("Complete for the lists given: every key was answered, and every count that a vendor gave is met%s.\n", but)
		w.Printf("%s\n", reports.Scope(r.Manifest))
	} else {
		w.Printf("Not whole:\n")
		gaps(w, missing)
		disagreements(w, r.Manifest.Unacknowledged())
	}
	acknowledged(w, r.Manifest.Acknowledged)
	if len(absent) > 0 {
		w.Printf("Answered, without rows:\n")
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

// disagreements counts the groups and users whose count is not the one that the vendor declares and is not
// acknowledged, and says where each of them stands.
func disagreements(w console.Printer, v manifest.Verdicts) {
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
				w.Printf("  %s %s %s: %s\n", humanize.Comma(n), what, verdict, meaning(verdict))
				found = true
			}
		}
	}
	if found {
		w.Printf("  Which ones: the column verdict of the tables groups and users tells.\n")
	}
}

func meaning(v schema.Verdict) string {
	terms := schema.Verdicts()
	return terms[slices.IndexFunc(terms, func(t schema.Term) bool { return t.Word == string(v) })].Meaning
}

// gaps lists why keys have no rows, each reason with one of its keys.
func gaps(w console.Printer, list []pipeline.Gap) {
	for _, g := range list {
		w.Printf("  %s %s in %s", humanize.Comma(g.Keys), g.Outcome, g.Data)
		if g.Code != "" {
			w.Printf(", code %s", g.Code)
		}
		if g.Key != "" {
			w.Printf(", such as %s", g.Key)
		}
		if g.Message != "" {
			w.Printf(": %s", g.Message)
		}
		w.Println()
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
