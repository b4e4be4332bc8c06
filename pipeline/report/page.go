package report

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/sinks/manifest"
)

// page is all that the template shows, in the order in which it does.
type page struct {
	Style  template.CSS
	Policy string

	Date, Place string
	Whole       bool
	Verdict     string
	Sentences   []string
	Tiles       []tile
	Sealed      []fact

	Verdicts []stack
	Outcomes []ledger
	Checks   []manifest.Check
	Missing  []reasons // what counts against the snapshot
	Absent   []reasons // what doesn't
	Keys     top[keyRow]
	Differ   top[groupRow]
	DifferU  top[userRow]
	Known    []string // disagreements that are acknowledged

	Changes changes

	Nights  int
	Dates   []string // between them, without a snapshot
	Trends  []chart
	History []historyRow

	Largest   top[groupRow]
	Ownerless top[groupRow]
	Judged    *figure
	Orphans   *figure
	Empty     *figure

	Endpoints []endpoint
	Tables    []tableRow
	Lists     []listRow
	Proof     []fact
}

// tile is one figure in large letters.
type tile struct {
	Label  string
	Figure figure
	Note   string
	Since  string // a date; empty: the note is not about one
}

// stack is a bar of words with their shares.
type stack struct {
	ID, Title string
	Total     figure
	Bars      []bar
	Parts     []part
}

type part struct {
	Word, Meaning, Share, Class string
	Figure                      figure
}

// ledger is the outcomes of one data block.
type ledger struct {
	Data  string
	Cells []figure // by outcome, in the order of schema.Outcomes
	Total figure
}

// reasons are the keys without rows of one outcome.
type reasons struct {
	Outcome, Advice string
	Figure          figure
	Rows            []reasonRow
	More            int
}

type reasonRow struct {
	Data, Code, Key, Message string
	Figure                   figure
}

type keyRow struct {
	Source, Data, Key, Outcome, Code, Message string
}

type groupRow struct {
	Source, ID, Name, Verdict string
	Members                   string
	Declared                  string
	Collected, Owners, Admins int64
	Certain                   bool
}

type userRow struct {
	Source, ID, Verdict, Declared string
	Collected                     int64
}

// changes is what is different from the base.
type changes struct {
	Base, Note string
	Known      bool
	Figures    []tile
	Privileged top[changeRow]
	Moved      top[moved]
}

type changeRow struct {
	Source, Group, User, Change, Before, After string
	Certain                                    bool
}

type historyRow struct {
	Date, Code string
	Whole      bool
	Cells      []string
}

type tableRow struct {
	Name, Doc   string
	Files, Rows figure
	Size        string
}

type listRow struct {
	Name, Sum       string
	IDs, Read       figure
	Before, Without string
}

func newPage(s *snapshot.Snapshot, nights []night, f *found) page {
	m, tonight := s.Manifest, nights[len(nights)-1]
	p := page{Date: s.Date, Place: shown(s.Sink.String()), Whole: m.ExitCode == 0, Checks: checksOf(m), Nights: len(nights)}
	p.Style, p.Policy = style()
	p.Verdict, p.Sentences = verdict(m, tonight)
	p.Sentences = append(p.Sentences, scope(m)...)
	p.Tiles = tiles(m, nights)
	p.Sealed = []fact{
		{Label: "sealed", Text: moment(m.SealedAt.Time()) + " UTC"},
		{Label: "vendors asked", Text: asked(m)},
		{Label: "where", Text: p.Place},
	}
	if m.AskedLate() {
		p.Sealed = append(p.Sealed, fact{Label: "backdated", Text: "the vendors were asked after " + s.Date + " was over in UTC"})
	}
	if hidden := hidden(m.Columns); hidden != "" {
		p.Sealed = append(p.Sealed, fact{Label: "privacy", Text: hidden})
	}
	p.Verdicts = []stack{stacked("groups", "Groups", m.Verdicts.Groups), stacked("users", "Users", m.Verdicts.Users)}
	p.Outcomes = ledgers(m)
	p.Missing, p.Absent = reasonsOf(f, schema.Failed, schema.Denied), reasonsOf(f, schema.Gone, schema.Unsupported)
	p.Keys = mapped(f.Missing, keyOf)
	p.Differ, p.DifferU = mapped(f.Differing, groupOf), mapped(f.DiffUsers, userOf)
	p.Known = acknowledged(m)
	p.Changes = changesOf(m, f)
	p.Trends = trends(nights)
	p.History, p.Dates = historyOf(nights), missingDates(nights)
	p.Largest, p.Ownerless = mapped(f.Largest, groupOf), mapped(f.Ownerless, groupOf)
	if tonight.Judged != nil {
		p.Judged, p.Orphans = &figure{"ownership.judged", *tonight.Judged}, &figure{"ownership.ownerless", *tonight.Orphans}
	}
	if tonight.Empty != nil {
		p.Empty = &figure{"ownership.empty", *tonight.Empty}
	}
	p.Endpoints = endpoints(m)
	p.Tables, p.Lists = tablesOf(m), listsOf(m)
	p.Proof = proof(s)
	return p
}

// mapped makes each row of a list fit to be shown.
func mapped[From, To any](t top[From], show func(From) To) top[To] {
	shown := top[To]{Total: t.Total}
	for _, row := range t.Rows {
		shown.Rows = append(shown.Rows, show(row))
	}
	return shown
}

func asked(m manifest.Manifest) string {
	from, until := m.AskedFrom.Time(), m.AskedUntil.Time()
	if from.IsZero() {
		return "nothing was asked"
	}
	return fmt.Sprintf("%s to %s UTC, %s", moment(from), moment(until), span(until.Sub(from)))
}

// verdict says in a few words what a night came to.
func verdict(m manifest.Manifest, n night) (string, []string) {
	var said []string
	if n.Asked != nil {
		if *n.Missing == 0 {
			said = append(said, fmt.Sprintf("Every one of %s was answered.", count(*n.Asked, "key", "keys")))
		} else {
			said = append(said, fmt.Sprintf("%s of %s could not be read (%s), within what the configuration tolerates.", count(*n.Missing, "key", "keys"), count(*n.Asked, "asked", "asked"), percent(*n.Missing, *n.Asked)))
		}
	}
	groups, users := differing(m.Verdicts.Groups), differing(m.Verdicts.Users)
	switch {
	case groups+users == 0 && m.Verdicts.Groups[string(schema.Exact)]+m.Verdicts.Users[string(schema.Exact)] == 0:
		said = append(said, "No vendor gave a total to hold the answers against.")
	case groups+users == 0:
		said = append(said, "Every count that a vendor gave is met.")
	default:
		said = append(said, fmt.Sprintf("%s another count than the vendor declares, at a second reading too.", differ(groups, users)))
	}
	if n := len(m.Acknowledged); n > 0 {
		said = append(said, fmt.Sprintf("Of these, %s acknowledged and not counted against the exit code.", known(m)))
	}
	if m.Discrepancies > 0 {
		said = append(said, fmt.Sprintf("%s between views that were read whole: see the table discrepancies.", count(m.Discrepancies, "contradiction", "contradictions")))
	}
	for _, c := range m.Checks {
		if c.Result != "pass" {
			said = append(said, fmt.Sprintf("The check %s %s: %s.", shown(c.Name), result(c.Result), shown(strings.TrimSuffix(c.Measured, "."))))
		}
	}
	if m.ExitCode == 0 {
		return "Sealed and " + Complete, said
	}
	return "Sealed, but not whole", said
}

// hidden says which columns this page, like the tables, does not hold as the vendors tell them; empty
// where it holds all.
func hidden(columns map[string]manifest.Column) string {
	var said []string
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		switch c := columns[name]; c.Treatment {
		case manifest.Pseudonym:
			said = append(said, fmt.Sprintf("%s is a keyed pseudonym (key %s)", shown(name), shown(c.Fingerprint)))
		default:
			said = append(said, fmt.Sprintf("%s is left out", shown(name)))
		}
	}
	return strings.Join(said, "; ")
}

// differ names those whose count differs, with their verb: "2 groups and 1 user have", "1 user has". At least one does.
func differ(groups, users int64) string {
	switch {
	case users == 0:
		return count(groups, "group has", "groups have")
	case groups == 0:
		return count(users, "user has", "users have")
	}
	return count(groups, "group", "groups") + " and " + count(users, "user", "users") + " have"
}

// result is what became of a check, in words.
func result(r string) string {
	switch r {
	case "pass":
		return "passed"
	case "warn":
		return "warns"
	case "accepted":
		return "failed, and a person accepted that"
	default:
		return "failed"
	}
}

func checksOf(m manifest.Manifest) (all []manifest.Check) {
	for _, c := range m.Checks {
		c.Name, c.Measured, c.Limit, c.Result = shown(c.Name), shown(c.Measured), shown(c.Limit), result(c.Result)
		all = append(all, c)
	}
	return all
}

func tiles(m manifest.Manifest, nights []night) []tile {
	tonight := nights[len(nights)-1]
	var all []tile
	for _, t := range []struct{ label, name string }{{"memberships", "memberships"}, {"groups", "groups"}, {"users", "users"}} {
		one := tile{Label: t.label, Figure: figure{"rows." + t.name, tonight.Rows[t.name]}}
		if len(nights) > 1 {
			before := nights[len(nights)-2]
			if rows := before.rows(t.name); rows != nil {
				one.Note, one.Since = signed(one.Figure.N-*rows)+" since ", before.Date
			}
		}
		all = append(all, one)
	}
	if tonight.Asked != nil {
		all = append(all, tile{Label: "keys missing", Figure: figure{"keys.missing", *tonight.Missing}, Note: "of " + count(*tonight.Asked, "asked", "asked")})
	}
	all = append(all, tile{Label: "contradictions", Figure: figure{"rows.discrepancies", m.Discrepancies}, Note: "between whole views"})
	if tonight.Requests != nil {
		all = append(all, tile{Label: "requests", Figure: figure{"requests", *tonight.Requests}, Note: "in " + span(tonight.Took)})
	}
	return all
}

// stacked is a bar of verdicts, those first that need no second look.
func stacked(id, title string, counts map[string]int64) stack {
	s := stack{ID: "verdicts-" + id, Title: title, Total: figure{Name: "verdicts." + id + ".total"}}
	for _, n := range counts {
		s.Total.N += n
	}
	at := 0.0
	for _, t := range schema.Verdicts() {
		n := counts[t.Word]
		if n == 0 {
			continue
		}
		width := 1000 * float64(n) / float64(s.Total.N)
		class := "v-" + t.Word
		s.Bars = append(s.Bars, bar{X: round(at), W: round(max(width, 2)), Class: class, Text: t.Word + ": " + count(n, "row", "rows")})
		s.Parts = append(s.Parts, part{Word: t.Word, Meaning: t.Meaning, Share: percent(n, s.Total.N), Class: class, Figure: figure{"verdicts." + id + "." + t.Word, n}})
		at += width
	}
	return s
}

func ledgers(m manifest.Manifest) []ledger {
	var all []ledger
	for _, data := range slices.Sorted(maps.Keys(m.Outcomes)) {
		l := ledger{Data: shown(data), Total: figure{Name: "outcomes." + data + ".total"}}
		for _, t := range schema.Outcomes() {
			n := m.Outcomes[data][t.Word]
			l.Cells = append(l.Cells, figure{"outcomes." + data + "." + t.Word, n})
			l.Total.N += n
		}
		all = append(all, l)
	}
	return all
}

// reasonsOf groups what the ledger says by outcome, the most frequent reason first.
func reasonsOf(f *found, outcomes ...schema.Outcome) []reasons {
	var all []reasons
	for _, o := range outcomes {
		r := reasons{Outcome: string(o), Advice: advice(o), Figure: figure{Name: "reasons." + string(o)}}
		keys := slices.Collect(maps.Keys(f.Reasons))
		slices.SortFunc(keys, func(a, b reason) int {
			return cmp.Or(cmp.Compare(f.Reasons[b].Keys, f.Reasons[a].Keys), cmp.Compare(a.Data, b.Data), cmp.Compare(a.Code, b.Code))
		})
		for _, k := range keys {
			if k.Outcome != string(o) {
				continue
			}
			c := f.Reasons[k]
			r.Figure.N += c.Keys
			if len(r.Rows) == keptReasons {
				r.More++
				continue
			}
			r.Rows = append(r.Rows, reasonRow{Data: shown(k.Data), Code: shown(k.Code), Key: shown(c.Key), Message: shown(c.Message), Figure: figure{"reasons." + k.Data + "." + k.Outcome + "." + k.Code, c.Keys}})
		}
		if r.Figure.N > 0 {
			all = append(all, r)
		}
	}
	return all
}

func proof(s *snapshot.Snapshot) []fact {
	previous := "none: it is the first"
	if s.Previous != nil {
		previous = s.Previous.Path + " " + s.Previous.SHA256
	}
	return []fact{
		{Label: "manifest", Text: shown(s.Sink.URL(s.Path))},
		{Label: "its SHA-256", Text: s.Sum},
		{Label: "sequence", Text: strconv.FormatInt(s.Sequence, 10)},
		{Label: "sealed before it", Text: shown(previous)},
		{Label: "configuration", Text: shown(s.Configuration)},
		{Label: "made by", Text: "Rollcall " + shown(s.Tool)},
	}
}
