package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/diff"
	"rollcall/pipeline/snapshot"
	"rollcall/schema/advice"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

const aboutDiff = `Tells what is different in the snapshot of date B, seen from that of date A; either may be the
earlier one. A summary comes first, then what changed, group by group.

Nobody is said to have left on a failure: the group or user that named them must have been read whole
on both nights and deny them now. Who is named no more, and that is all there is, is "no longer seen,
not certain". What only role queries denied stands in the table changes of the night itself.

--table compares another table row by row; the ledger's times and requests are no difference. --json
gives one document: "from", "to", "rows", one a line, and "summary" at its end. --exit-code ends with 7
where a row differs. Needs read access to the sink and no secrets.`

// diffFlags are those of diff.
type diffFlags struct {
	options  diff.Options
	exitCode bool
	limit    int
}

func (a *app) diffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "tell who joined, left and changed role between two snapshots",
		Long:  aboutDiff,
		Args:  twoDates,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.options.Check(); err != nil {
				return err
			}
			different, err := a.diff(cmd.Context(), args[0], args[1], f)
			if err == nil && different && f.exitCode {
				return found(Different)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&f.options.Table, "table", "memberships", "compare `TABLE`: "+strings.Join(diff.Tables(), ", "))
	cmd.Flags().StringVar(&f.options.Group, "group", "", "only what is about the group `ID`")
	cmd.Flags().StringVar(&f.options.User, "user", "", "only what is about the user `ID`")
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "end with 7 where a row differs")
	cmd.Flags().IntVar(&f.limit, "limit", 100, "show the first `N` rows that differ; 0: all")
	return cmd
}

func twoDates(cmd *cobra.Command, args []string) error {
	if len(args) != 2 {
		return misusedSo(advice.Say("name the earlier and the later one; {} lists what is sealed", advice.Rollcall("snapshots")), "rollcall %s takes two dates, and was given %d", cmd.Name(), len(args))
	}
	for _, date := range args {
		if !sinks.IsDate(date) {
			return misused("write it as 2026-11-21", "%q is no date", date)
		}
	}
	return nil
}

func (a *app) diff(ctx context.Context, from, to string, f diffFlags) (different bool, err error) {
	l, err := a.look(ctx)
	if err != nil {
		return false, err
	}
	before, err := snapshot.Open(ctx, l.sink, from)
	if err != nil {
		return false, err
	}
	after, err := snapshot.Open(ctx, l.sink, to)
	if err != nil {
		return false, err
	}
	if err := diff.Comparable(before, after); err != nil {
		return false, err
	}
	for column, id := range map[string]*string{"group_id": &f.options.Group, "user_id": &f.options.User} {
		if *id, err = l.id(before, column, *id); err != nil {
			return false, err
		}
	}
	scratch, done, err := a.temporary()
	if err != nil {
		return false, err
	}
	defer done()
	f.options.Scratch = scratch
	if a.flags.json {
		return a.diffJSON(ctx, before, after, f)
	}
	return a.diffText(ctx, before, after, f)
}

// side is one of the two snapshots as a script reads it.
type side struct {
	Date string `json:"date"`
	Sum  string `json:"manifest_sha256"`
	Late bool   `json:"backdated"` // the vendors were asked after the date was over
}

// diffJSON streams one document.
func (a *app) diffJSON(ctx context.Context, before, after *snapshot.Snapshot, f diffFlags) (bool, error) {
	w := a.out.Raw()
	head, err := json.Marshal(map[string]side{"from": {before.Date, before.Sum, before.AskedLate()}, "to": {after.Date, after.Sum, after.AskedLate()}})
	if err != nil {
		return false, err
	}
	if _, err := io.WriteString(w, string(head[:len(head)-1])+",\"rows\":["); err != nil {
		return false, err
	}
	between := "\n"
	summary, err := diff.Run(ctx, before, after, f.options, func(d diff.Difference) error {
		row, err := plainJSON(d)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, between+row)
		between = ",\n"
		return err
	})
	if err != nil {
		return false, err
	}
	foot, err := plainJSON(summary)
	if err != nil {
		return false, err
	}
	_, err = io.WriteString(w, "\n],\"summary\":"+foot+"}\n")
	return summary.Any(), err
}

// plainJSON is one value on one line, with vendors' < and & as they are.
func plainJSON(value any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimSuffix(string(console.JSON(b.Bytes())), "\n"), err
}

// diffText collects what changed before it is summed up: the few first rows in memory, all of them
// in the scratch folder.
func (a *app) diffText(ctx context.Context, before, after *snapshot.Snapshot, f diffFlags) (bool, error) {
	var details io.ReadWriter = &bytes.Buffer{}
	if f.limit == 0 {
		file, err := os.CreateTemp(f.options.Scratch, "details-")
		if err != nil {
			return false, err
		}
		defer file.Close()
		details = file
	}
	rows := int64(0)
	lines := &detailed{w: console.NewPrinter(details)}
	summary, err := diff.Run(ctx, before, after, f.options, func(d diff.Difference) error {
		if rows++; f.limit > 0 && rows > int64(f.limit) {
			return nil
		}
		return lines.tell(d)
	})
	if err != nil {
		return false, err
	}
	w := a.out.Printer()
	w.Printf("%s, seen from %s, in %s\n", dated(after.Date, after.AskedLate()), dated(before.Date, before.AskedLate()), after.Sink.String())
	sumUp(w, summary)
	if f.options.Group == "" && f.options.User == "" {
		unreadLine(w, before.Manifest)
		unreadLine(w, after.Manifest)
	}
	if seeker, ok := details.(io.Seeker); ok {
		if _, err := seeker.Seek(0, io.SeekStart); err != nil {
			return false, err
		}
	}
	if _, err := io.Copy(a.out.Raw(), details); err != nil {
		return false, err
	}
	if more := rows - int64(f.limit); f.limit > 0 && more > 0 {
		w.Printf("\n... and %s more: --limit 0 shows all, --group and --user those of one, --json is for scripts\n", humanize.Comma(more))
	}
	return summary.Any(), nil
}

// sumUp says how much is different.
func sumUp(w console.Printer, s diff.Summary) {
	if !s.Any() {
		w.Printf("  no difference in %s\n", s.Table)
	}
	count := func(c diff.Change, text string) {
		if n := s.Changes[c]; n > 0 {
			w.Printf("  %s %s", humanize.Comma(n), text)
			if groups := s.Groups[c]; groups > 0 {
				w.Printf(", in %s", plural(groups, "group"))
			}
			w.Println()
		}
	}
	count(diff.Joined, "joined")
	count(diff.Left, "left")
	count(diff.RoleChanged, "changed role")
	count(diff.Unseen, "no longer seen, not certain: nobody who was read whole on both nights denies them")
	count(diff.Added, "new in "+s.Table)
	count(diff.Removed, "no longer in "+s.Table)
	count(diff.Changed, "changed in "+s.Table)
	for _, column := range slices.Sorted(maps.Keys(s.Columns)) {
		w.Printf("    %s in %s\n", column, humanize.Comma(s.Columns[column]))
	}
	if certain := s.Uncertain - s.Changes[diff.Unseen]; certain > 0 {
		w.Printf("  %s of those who joined or changed role are not certain: their group or user was not read whole on both nights\n", humanize.Comma(certain))
	}
	if g := s.GroupRows; g != (diff.GroupRows{}) {
		w.Printf("  groups: %s new, %s there no more, %s with another verdict\n", humanize.Comma(g.New), humanize.Comma(g.Gone), humanize.Comma(g.Verdict))
	}
	for _, note := range s.Notes {
		w.Printf("  %s\n", note)
	}
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return humanize.Comma(n) + " " + noun + "s"
}

// unreadLine says what of a night can't be compared.
func unreadLine(w console.Printer, m manifest.Manifest) {
	var parts []string
	for _, of := range []struct {
		noun     string
		verdicts map[string]int64
	}{{"group", m.Verdicts.Groups}, {"user", m.Verdicts.Users}} {
		n := int64(0)
		for _, verdict := range []string{"failed", "short", "over", "drifted"} {
			n += of.verdicts[verdict]
		}
		if n > 0 {
			parts = append(parts, plural(n, of.noun))
		}
	}
	if len(parts) > 0 {
		w.Printf("  %s: %s not read whole; nobody is said to have left by them\n", m.Date, strings.Join(parts, " and "))
	}
}

// detailed writes differences, those of one group together.
type detailed struct {
	w     console.Printer
	place string
}

func (l *detailed) tell(d diff.Difference) error {
	place, what := d.Key["source"], ""
	for _, column := range []string{"group_id", "data", "user_id", "key", "kind"} {
		value, has := d.Key[column]
		switch {
		case !has:
		case column == "group_id" && d.Key["user_id"] != "" || column == "data":
			place += " " + value
		default:
			what += " " + value
		}
	}
	if place != l.place {
		l.place = place
		l.w.Printf("\n%s\n", place)
	}
	return l.w.Printf("  %s%s %s\n", mark(d.Change), what, words(d))
}

func mark(c diff.Change) string {
	switch c {
	case diff.Joined, diff.Added:
		return "+"
	case diff.Left, diff.Removed:
		return "-"
	case diff.Unseen:
		return "?"
	default:
		return "~"
	}
}

// words says a difference behind its key.
func words(d diff.Difference) string {
	text := ""
	switch d.Change {
	case diff.Joined:
		text = "joined" + as(" as ", d.After["role"])
	case diff.Left:
		return "left" + as(", was ", d.Before["role"])
	case diff.Unseen:
		return "no longer seen" + as(", was ", d.Before["role"]) + ", not certain"
	case diff.RoleChanged:
		text = shown(d.Before["role"]) + " -> " + shown(d.After["role"])
	case diff.Changed:
		var parts []string
		for _, column := range slices.Sorted(maps.Keys(d.After)) {
			parts = append(parts, column+": "+shown(d.Before[column])+" -> "+shown(d.After[column]))
		}
		return strings.Join(parts, ", ")
	default:
		return string(d.Change)
	}
	if !d.Certain {
		text += ", not certain"
	}
	return text
}

func as(before string, value any) string {
	if value == nil {
		return ""
	}
	return before + shown(value)
}

func shown(value any) string {
	if value == nil {
		return "null"
	}
	return fmt.Sprint(value)
}
