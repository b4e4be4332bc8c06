package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/pipeline/config"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/plan"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/state"
)

const aboutPlan = `Asks nothing of the vendors and needs no secrets. Counts the IDs, takes what only the vendors know
from the snapshot sealed last, and shows for each data block what a run would ask and how long its
endpoint's budget makes that take; what a stopped run still has to ask; when the whole would end if
it were started now; and, where a budget makes that absurd, what would help.

Figures are exact, or a range from the snapshot that is named, or "at least" where there is none.
A sink that can't be read (no credentials, say) costs only what its last snapshot tells: the plan says so.`

func (a *app) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan",
		Short: "show keys, requests, time at budget and files; ask nothing",
		Long:  aboutPlan,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.plan(cmd)
			if err != nil && len(p.Blocks) == 0 {
				return err
			}
			if a.flags.json {
				return cmp.Or(err, a.answer(p))
			}
			showPlan(a.out.Printer(), p)
			return err
		},
	}
}

func (a *app) plan(cmd *cobra.Command) (plan.Plan, error) {
	j, err := a.loadWith(a.flags.config, config.Options{FileInfo: fileInfo()})
	if err != nil {
		return plan.Plan{}, err
	}
	sink, closed := pipeline.OpenSink(cmd.Context(), j.Sink, a.env.Now, nil, a.notice)
	temp, done, err := a.temporary()
	if err != nil {
		return plan.Plan{}, err
	}
	defer done()
	p, err := plan.Make(cmd.Context(), plan.Request{
		Job: j, Date: a.flags.date, State: a.flags.stateDir(), Sink: sink, Closed: closed, Temp: temp,
		Stdin: a.env.Stdin, Now: a.env.Now, Random: a.env.Random, Warn: a.warn(j),
		Holder: state.Holder{PID: a.env.PID, Host: a.env.Host, Command: "plan", Since: a.env.Now(), Process: a.env.Process}, Look: a.env.Look,
	})
	p.Blocks = upstreamFirst(p.Blocks, j.Data)
	return p, pseudonym.New(j.Columns).Hide(err)
}

// warn says on stderr what may be a mistake, without IDs where the job keeps them to itself.
func (a *app) warn(j *job.Job) func(text, hint string) {
	hide := pseudonym.New(j.Columns)
	return func(text, hint string) {
		a.talk.Printer().Println(sentence(event.Notice{Warning: true, Text: hide.Text(text), Hint: hide.Text(hint)}))
	}
}

// upstreamFirst puts each block after those that it waits for, else in the order of names.
func upstreamFirst(blocks []plan.Block, data []job.Data) []plan.Block {
	waits := map[string][]string{}
	for _, d := range data {
		waits[d.Address] = d.Upstream()
	}
	left := slices.SortedFunc(slices.Values(blocks), func(a, b plan.Block) int { return strings.Compare(a.Address, b.Address) })
	ordered, placed := make([]plan.Block, 0, len(left)), map[string]bool{}
	for len(left) > 0 {
		next := slices.IndexFunc(left, func(b plan.Block) bool {
			return !slices.ContainsFunc(waits[b.Address], func(up string) bool { return !placed[up] })
		})
		next = max(0, next) // there is always one: the configuration refuses circles
		placed[left[next].Address] = true
		ordered, left = append(ordered, left[next]), slices.Delete(left, next, next+1)
	}
	return ordered
}

// showPlan tells a plan to a person; the summary is the last line, as Terraform's is.
func showPlan(w console.Printer, p plan.Plan) {
	if p.Sealed {
		w.Printf("%s was sealed in %s at %s.\n\nPlan: nothing to ask.\n", p.Date, p.Place, p.SealedAt.Format(time.RFC3339))
		return
	}
	w.Printf("Plan of snapshot %s into %s\n", p.Date, p.Place)
	if p.Running { // first: it says what to think of all that follows
		showNotes(w, p)
	}
	if p.Resumed {
		w.Printf("A run of this date was stopped: %s %s answered, and what is left is shown.\n", plural(p.Answered, "key"), english.PluralWord(int(p.Answered), "is", "are"))
	}
	for _, list := range p.Lists {
		showList(w, list.Name, list.IDs, list.Before, p.ListsBase)
	}
	showBlocks(w, p)
	showEndpoints(w, p)
	w.Printf("\n%s\n", filesOf(p))
	if !p.Running {
		showNotes(w, p)
	}
	for _, warning := range p.Warnings {
		w.Printf("\nWarning: %s\n", warning.Text)
		for _, lever := range warning.Levers {
			w.Printf("  - %s\n", lever)
		}
	}
	w.Printf("\nPlan: %s, %s requests, %s.\n", count(len(p.Blocks), "data block"), counts(p.Requests), lasting(p))
	if p.Bound != "" {
		later := ""
		if p.Requests.Most == nil {
			later = " or later"
		}
		w.Printf("Started now it ends at %s%s; %s takes longest.\n", clock(p.EndsAt, p.EndsAtUTC), later, p.Bound)
	}
}

func showNotes(w console.Printer, p plan.Plan) {
	for _, note := range p.Notes {
		w.Printf("Note: %s\n", note)
	}
}

func showBlocks(w console.Printer, p plan.Plan) {
	w.Println()
	w, flush := w.Table()
	defer flush()
	w.Printf("DATA BLOCK\tKEYS\tREQUESTS\tFIGURES\tDONE AFTER\n")
	for _, d := range p.Blocks {
		w.Printf("%s\t%s\t%s\t%s\t%s\n", d.Address, keysOf(d), counts(d.Requests), figures(d.Basis, p.Base), until(d.Seconds, d.Requests))
	}
}

func showEndpoints(w console.Printer, p plan.Plan) {
	w.Println()
	w, flush := w.Table()
	defer flush()
	w.Printf("ENDPOINT\tBUDGET\tLEFT BY SHARE\tREACHED\tREQUESTS\tAT BUDGET\tDONE AFTER\n")
	for _, e := range p.Endpoints {
		w.Printf("%s\t%s/s\t%s/s\t%s/s\t%s\t%s\t%s\n", e.Name, tenths(e.PerSecond), tenths(e.Limit), tenths(e.Limit*e.Use),
			counts(e.Requests), until(e.SecondsAtBudget, e.Requests), until(e.Seconds, e.Requests))
	}
}

// keysOf is "12 users", or "12 groups and what is discovered".
func keysOf(b plan.Block) string {
	switch {
	case b.Keys.Most != nil:
		return counts(b.Keys) + " " + b.Unit
	case b.Keys.Least == 0 && b.Unread:
		return "? " + b.Unit
	case b.Unread:
		return counts(b.Keys) + " " + b.Unit
	case b.Keys.Least == 0:
		return b.Unit + " discovered"
	default:
		return humanize.Comma(b.Keys.Least) + " " + b.Unit + " and those discovered"
	}
}

// until is a time as sure as the requests that fill it: "8m 20s", "at least 8m 20s", or "?" where
// nothing is known of them.
func until(seconds float64, requests plan.Count) string {
	switch {
	case requests.Most != nil:
		return plan.Span(asSpan(seconds))
	case requests.Least == 0:
		return "?"
	default:
		return "at least " + plan.Span(asSpan(seconds))
	}
}

// counts is "12", "12 to 15", "at least 12", or "?" where nothing is known.
func counts(c plan.Count) string {
	switch {
	case c.Exact():
		return humanize.Comma(c.Least)
	case c.Most == nil:
		if c.Least == 0 {
			return "?"
		}
		return "at least " + humanize.Comma(c.Least)
	default:
		return humanize.Comma(c.Least) + " to " + humanize.Comma(*c.Most)
	}
}

// figures says where a block's requests come from.
func figures(b plan.Basis, base string) string {
	switch b {
	case plan.Exact:
		return "exact"
	case plan.Snapshot:
		return "from " + base
	case plan.Tonight:
		return "from the stopped run"
	default:
		return "one request a key"
	}
}

// lasting is the time of the whole run, as sure as its requests are.
func lasting(p plan.Plan) string {
	text := plan.Span(asSpan(p.Seconds))
	if p.Requests.Most == nil {
		return "at least " + text
	}
	return "about " + text
}

func filesOf(p plan.Plan) string {
	if p.Bytes == nil && len(p.Unread) > 0 {
		return fmt.Sprintf("Files: %d or more; rows and bytes are not known.", p.Files)
	}
	if p.Bytes == nil {
		return fmt.Sprintf("Files: %d or more; rows and bytes are not known before the first snapshot.", p.Files)
	}
	return fmt.Sprintf("Files: %s with about %s rows, %s (from %s).", humanize.Comma(p.Files), humanize.Comma(*p.Rows), humanize.IBytes(uint64(*p.Bytes)), p.Base)
}

// clock is a moment where the reader is, and in UTC where that is not the same.
func clock(local, utc time.Time) string {
	if _, offset := local.Zone(); offset == 0 {
		return utc.Format("15:04:05 on 2006-01-02 UTC")
	}
	return local.Format("15:04:05 on 2006-01-02 MST") + utc.Format(" (15:04:05 on 2006-01-02 UTC)")
}

func asSpan(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
