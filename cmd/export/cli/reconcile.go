package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/keys"
	"rollcall/pipeline/reconcile"
	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/sources"
	"rollcall/sources/all"
)

const aboutReconcile = `Holds the application's own membership records against a sealed snapshot (the latest, or --date). The
records are a table, CSV with a header, NDJSON or Parquet, each of which may end in .gz, local or s3://,
or - for standard input: group_id, user_id, and where there are any role (owner, admin or member) and
source. Columns of other names are mapped by --columns, other words for roles by --role. A record that names no source, nor --source for it, belongs to the one that knows its group;
where several know it or none, it is held against each, and told once.

Tells who is missing at the vendor, who is unknown to the application, whose role differs, and where it
can't tell: nobody is called missing unless the group's or the user's own list was read whole on that
night, or the vendor says that they are gone. The records are taken to be all there are, of all sources
of the snapshot unless they or --source name some; with --only-listed-groups, groups that they don't
name are left out.

Ends with 7 where something differs, else with 0; what it can't tell makes no 7 unless --strict says so.`

// reconcileFlags are those of reconcile.
type reconcileFlags struct {
	expected, format, source, out string
	delimiter                     string
	columns, roles                []string // as they are typed
	only, strict                  bool
	limit                         int
}

// reconciled is a comparison as a script reads it.
type reconciled struct {
	reconcile.Summary
	Details []reconcile.Difference `json:"details"`   // the first of each kind
	Limit   int                    `json:"limit"`     // how many of each kind
	Out     string                 `json:"out_file"`  // where all of them are
	Code    int                    `json:"exit_code"` // of the command
}

func (a *app) reconcileCommand() *cobra.Command {
	var f reconcileFlags
	cmd := &cobra.Command{
		Use:   "reconcile --expected FILE",
		Short: "hold the application's own membership records against a snapshot",
		Long:  aboutReconcile,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.expected == "" {
				return misused("give the file of the application's records, such as --expected members.csv, or - for standard input", "--expected is missing")
			}
			if f.limit < 0 {
				return misused("give 0 or more", "--limit %d is below zero", f.limit)
			}
			answer, err := a.reconcile(cmd.Context(), f)
			if err != nil {
				return err
			}
			if a.flags.json {
				err = a.answer(answer)
			} else {
				showReconciled(a.out.Printer(), answer, f.expected)
			}
			return errors.Join(err, found(answer.Code))
		},
	}
	set := cmd.Flags()
	set.StringVar(&f.expected, "expected", "", "the application's records: a `FILE`, s3://bucket/key, or -")
	set.StringVar(&f.format, "format", "", "what the records are: `csv|ndjson|parquet` (default: by the file's name)")
	set.StringVar(&f.delimiter, "delimiter", "", "what divides the columns of CSV: one `CHARACTER`, \\t for a TAB (default: a comma)")
	set.StringSliceVar(&f.columns, "columns", nil, "what the records call a column: `NAME=THEIRS,…`, as in group_id=room,user_id=uid; also role and source")
	set.StringArrayVar(&f.roles, "role", nil, "what a word for a role means: `WORD=ROLE`, as in Manager=admin, or Guest= for one that is not compared; may be given several times")
	set.StringVar(&f.source, "source", "", "the records are of this `SOURCE` alone, such as rongcloud.prod (default: of all)")
	set.StringVar(&f.out, "out", "", "write all differences into this Parquet `FILE`")
	set.IntVar(&f.limit, "limit", 20, "show `N` differences of each kind")
	set.BoolVar(&f.only, "only-listed-groups", false, "leave out groups that the records don't name")
	set.BoolVar(&f.strict, "strict", false, "end with 7 also where it can't be told whether something differs")
	return cmd
}

// mapping reads flags of the form NAME=VALUE. A name is given once; fits tells what is wrong with a pair.
func mapping(flag string, given []string, fits func(name, value string) error) (map[string]string, error) {
	all := map[string]string{}
	for _, one := range given {
		name, value, ok := strings.Cut(one, "=")
		if !ok || name == "" {
			return nil, misused("give both names with = between them, and without blanks", "--%s %q is no pair of names", flag, one)
		}
		if err := fits(name, value); err != nil {
			return nil, err
		}
		if other, twice := all[name]; twice && other != value {
			return nil, misused("keep one of them", "--%s gives %q twice", flag, name)
		}
		all[name] = value
	}
	return all, nil
}

// mappings reads what the records call columns and roles.
func (f reconcileFlags) mappings() (columns, roles map[string]string, err error) {
	names := reconcile.Columns()
	columns, err = mapping("columns", f.columns, func(name, theirs string) error {
		switch {
		case !slices.Contains(names, name):
			return misused("map one of "+strings.Join(names, ", ")+", as in --columns group_id=room,user_id=uid", "there is no column %q to map", name)
		case theirs == "":
			return misused("name it, as in --columns group_id=room", "--columns names no column for %s", name)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for i, name := range names {
		for _, other := range names[i+1:] {
			if theirs := columns[name]; theirs != "" && theirs == columns[other] {
				return nil, nil, misused("give each its own", "--columns gives %q for %s and for %s", theirs, name, other)
			}
		}
	}
	lower := make([]string, len(f.roles))
	for i, role := range f.roles {
		lower[i] = strings.ToLower(role)
	}
	roles, err = mapping("role", lower, func(word, role string) error {
		if _, ok := schema.ParseRole(role); role != "" && !ok {
			return misused("give owner, admin or member, or nothing for a role that is not compared", "--role gives %q a role that is not known: %q", word, role)
		}
		return nil
	})
	return columns, roles, err
}

func (a *app) reconcile(ctx context.Context, f reconcileFlags) (reconciled, error) {
	columns, roles, err := f.mappings()
	if err != nil {
		return reconciled{}, err
	}
	delimiter, err := oneCharacter(f.delimiter)
	if err != nil {
		return reconciled{}, err
	}
	l, err := a.look(ctx)
	if err != nil {
		return reconciled{}, err
	}
	s, err := snapshot.Open(ctx, l.sink, a.flags.date)
	if err != nil {
		return reconciled{}, err
	}
	hash, err := l.hasher(s)
	if err != nil {
		return reconciled{}, err
	}
	temp, done, err := a.temporary()
	if err != nil {
		return reconciled{}, err
	}
	defer done()
	told := a.listener()
	defer told.close()
	answer := reconciled{Limit: f.limit, Out: f.out, Details: []reconcile.Difference{}}
	take, finish, err := answer.taker(f.out)
	if err != nil {
		return reconciled{}, err
	}
	answer.Summary, err = reconcile.Run(ctx, s, reconcile.Options{
		Records:     keys.RowOptions{Path: f.expected, Format: f.format, Delimiter: delimiter, Objects: pipeline.ObjectReader(l.job.Sink, job.List{}, func(text, _ string) { a.notice(event.Notice{Warning: true, Text: text}) }), Stdin: a.env.Stdin},
		ColumnNames: columns, Roles: roles,
		Source: f.source, OnlyListedGroups: f.only, Blind: blindUsers(all.Definitions()), Hash: hash, Scratch: temp,
		Listen: func(rows int64) {
			told.tell(func() string { return "reconciling: " + humanize.Comma(rows) + " rows read" })
		},
	}, take)
	if err = finish(err); err != nil {
		return reconciled{}, err
	}
	if answer.Differs() || f.strict && answer.Counts[reconcile.CantTell] > 0 {
		answer.Code = Different
	}
	return answer, nil
}

// oneCharacter is what --delimiter names; 0 where it names nothing.
func oneCharacter(text string) (rune, error) {
	switch text {
	case "":
		return 0, nil
	case `\t`:
		return '\t', nil
	}
	r, ok := keys.Delimiter(text)
	if !ok {
		return 0, misused(`give one character, such as --delimiter ';' or --delimiter '\t'`, "--delimiter %q is no single character", text)
	}
	return r, nil
}

// taker gives what takes differences: the first of each kind for the screen, all of them into a file
// where one is named. Finish ends the file, or takes it away after an error.
func (r *reconciled) taker(out string) (take func(*reconcile.Difference) error, finish func(error) error, err error) {
	kept := map[reconcile.Kind]int{}
	keep := func(d *reconcile.Difference) error {
		if kept[d.Kind] < r.Limit {
			kept[d.Kind]++
			r.Details = append(r.Details, *d)
		}
		return nil
	}
	if out == "" {
		return keep, func(err error) error { return err }, nil
	}
	file, err := reconcile.CreateFile(out)
	if err != nil {
		return nil, nil, err
	}
	return func(d *reconcile.Difference) error { return errors.Join(keep(d), file.Add(d)) }, func(err error) error {
		if err != nil {
			return errors.Join(err, file.Abort())
		}
		return file.Close()
	}, nil
}

// blindUsers tells of which groups users' own lists may say nothing although they are read whole.
// Tencent leaves topic communities out unless they are asked for, and live groups always: of a
// group that no view names, a user's list can't say that it does not exist.
func blindUsers(definitions []sources.Definition) func(source, group string, known bool) bool {
	prefixes := map[string]string{} // by the type of the source
	for _, d := range definitions {
		for _, data := range d.Data {
			if data.TopicIDs != "" {
				prefixes[d.Type] = data.TopicIDs
			}
		}
	}
	return func(source, group string, known bool) bool {
		kind, _, _ := strings.Cut(source, ".")
		prefix, some := prefixes[kind]
		return some && (!known || strings.HasPrefix(group, prefix))
	}
}

// showReconciled tells a person what differs, the figures first.
func showReconciled(w console.Printer, r reconciled, file string) {
	w.Printf("Reconciled %s with the snapshot of %s in %s\n", file, dated(r.Date, r.Late), r.Place)
	w.Printf("  %s records of %s, %s memberships; %s agree\n", humanize.Comma(r.Pairs), strings.Join(r.Sources, " and "), humanize.Comma(r.Memberships), humanize.Comma(r.Agree))
	for _, aside := range []struct {
		n    int64
		text string
	}{
		{r.Duplicates, "records stand there twice"},
		{r.Others, "records are of other sources and were left out"},
		{r.Unlisted, "memberships are of groups that no record names and were left out"},
	} {
		if aside.n > 0 {
			w.Printf("  %s %s\n", humanize.Comma(aside.n), aside.text)
		}
	}
	if len(r.NotCompared) > 0 {
		w.Printf("  not compared: %s, of which there is no record\n", strings.Join(r.NotCompared, ", "))
	}
	headings := map[reconcile.Kind]string{
		reconcile.MissingAtVendor: "missing at the vendor", reconcile.UnknownToApplication: "unknown to the application",
		reconcile.RoleDiffers: "with another role", reconcile.Contradiction: "contradicted by the records themselves", reconcile.CantTell: "of which nothing can be told",
	}
	for _, kind := range reconcile.Kinds() {
		w.Printf("  %8s %s\n", humanize.Comma(r.Counts[kind]), headings[kind])
	}
	showSpellings(w, r.Spellings)
	for _, kind := range reconcile.Kinds() {
		showDifferences(w, r, kind, headings[kind])
	}
	if r.Out != "" {
		w.Printf("\nAll of them: %s\n", r.Out)
	}
	if !r.Differs() {
		w.Printf("Nothing differs.\n")
	}
}

// showSpellings tells of records that fail only by how their IDs are spelt.
func showSpellings(w console.Printer, s reconcile.Spellings) {
	tell := func(n int64, how string) {
		w.Printf("  %s of the %s unmatched records would agree %s\n", humanize.Comma(n), humanize.Comma(s.Unmatched), how)
	}
	if s.Trimmed > 0 {
		tell(s.Trimmed, "without the blanks around their IDs")
	}
	if s.LowerCase > 0 {
		tell(s.LowerCase, "in lower case")
	}
	if s.Both > max(s.Trimmed, s.LowerCase) {
		tell(s.Both, "without the blanks around their IDs, in lower case")
	}
}

func showDifferences(w console.Printer, r reconciled, kind reconcile.Kind, heading string) {
	list := slices.DeleteFunc(slices.Clone(r.Details), func(d reconcile.Difference) bool { return d.Kind != kind })
	if len(list) == 0 {
		return
	}
	w.Printf("\n%s%s:\n", strings.ToUpper(heading[:1]), heading[1:])
	table, flush := w.Table()
	table.Printf("  SOURCE\tGROUP\tUSER\tAPPLICATION\tVENDOR\tWHY\n")
	for _, d := range list {
		table.Printf("  %s\t%s\t%s\t%s\t%s\t%s\n", dash(d.Source), d.GroupID, d.UserID, dash(d.ExpectedRole), dash(d.VendorRole), d.Why)
	}
	flush()
	if more := r.Counts[kind] - int64(len(list)); more > 0 {
		w.Printf("  and %s more: --limit shows them, --out keeps all\n", humanize.Comma(more))
	}
}

func dash(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}
