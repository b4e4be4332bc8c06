package cli

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/verify"
	"rollcall/schema"
	"rollcall/schema/advice"
	"rollcall/sinks"
	"rollcall/sources"
	"rollcall/sources/all"
)

const aboutVerify = `Proves that the sink still holds what was sealed: the chain of all manifests, presence and size of every
file of every snapshot, and, of one snapshot (the latest, or DATE) or of --all, each file's SHA-256, schema,
order, unique keys and row count, and the sums that must agree between tables. Needs read access to
the sink and no secrets; a file of each table at a time is copied into the system's temporary folder.

Dates between the first and the last snapshot that have none are named; with --expect daily they are wrong, and so is a
newest snapshot that is older than yesterday (UTC).

Ends with 0 where nothing is wrong and with 7 where something is; everything that is wrong is told. Data files
of a date that no manifest seals are wrong where no run holds the sink's lock: a run would seal them.

--sample reads a share of the files only, always the same ones, at least one; the chain, presence and
sizes are looked at all the same, and sums only between tables that were read whole. --from says that
history before a date was pruned. --head holds the chain against the hash of a manifest that was kept
elsewhere: "rollcall run" prints it. Everything up to that manifest is proved then. Without it, who may
write the sink may have written all of it anew.

--public-key holds every signature against the key that should have made it, or against one to which
that key leads by endorsements; a manifest without a signature after one that has one is found. Whoever
lacks the private key can't have written a proved manifest, nor the files that it names. Without it
signatures are held against the keys that they carry, which proves nothing about who signed.`

// verifyFlags are those of verify.
type verifyFlags struct {
	all    bool
	from   string
	sample string
	head   string
	keys   []string // files
	expect string
}

func (a *app) verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [DATE]",
		Short: "prove files, order, sums and the chain of manifests",
		Long:  aboutVerify,
		Args:  oneDate,
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := a.verifyOptions(f, args)
			if err != nil {
				return err
			}
			report, err := a.verify(cmd.Context(), options)
			if err != nil {
				return err
			}
			if a.flags.json {
				err = a.answer(report)
			} else {
				showVerified(a.out.Printer(), report, a.say)
			}
			if err != nil || report.Whole() {
				return err
			}
			return found(Different)
		},
	}
	cmd.Flags().BoolVar(&f.all, "all", false, "read the files of every snapshot")
	cmd.Flags().StringVar(&f.from, "from", "", "history before `DATE` may have been pruned")
	cmd.Flags().StringVar(&f.sample, "sample", "100%", "read this `SHARE` of the files, such as 1%")
	cmd.Flags().StringVar(&f.head, "head", "", "the SHA-256 of a manifest, kept elsewhere: `HASH`")
	cmd.Flags().StringArrayVar(&f.keys, "public-key", nil, "a `FILE` with a public key that is trusted to have signed; may be given several times")
	expectFlag(cmd, &f.expect)
	return cmd
}

// oneDate takes one date at most.
func oneDate(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return misusedSo(helpWith(cmd), "rollcall %s takes one date, and was given %q", cmd.Name(), strings.Join(args, " "))
	}
	if len(args) == 1 && !sinks.IsDate(args[0]) {
		return misused("write it as 2026-11-21", "%q is no date", args[0])
	}
	return nil
}

// dateOf is the date that a command was given, behind it or with --date; empty where there is none.
func (a *app) dateOf(args []string) (string, error) {
	if len(args) == 0 {
		return a.flags.date, nil
	}
	if a.flags.date != "" && a.flags.date != args[0] {
		return "", misused("give one of them", "there are two dates, %s and --date %s", args[0], a.flags.date)
	}
	return args[0], nil
}

func (a *app) verifyOptions(f verifyFlags, args []string) (verify.Options, error) {
	date, err := a.dateOf(args)
	o := verify.Options{All: f.all, Date: date, From: f.from, Head: strings.ToLower(f.head), Key: keyOf(all.Definitions())}
	if err != nil {
		return o, err
	}
	switch sum, err := hex.DecodeString(o.Head); {
	case o.All && o.Date != "":
		return o, misused("leave one of them out", "--all reads every snapshot, and %s is one of them", o.Date)
	case f.from != "" && !sinks.IsDate(f.from):
		return o, misused("write it as 2026-11-21", "--from %q is no date", f.from)
	case o.Date != "" && o.Date < o.From:
		return o, misused("name an earlier --from", "%s is before --from %s, where history may have been pruned", o.Date, o.From)
	case err != nil || o.Head != "" && len(sum) != 32:
		return o, misused("give the 64 hexadecimal digits that run printed", "--head %q is no SHA-256", f.head)
	}
	for _, file := range f.keys {
		key, err := publicKey(file)
		if err != nil {
			return o, err
		}
		o.PublicKeys = append(o.PublicKeys, key)
	}
	if o.Daily, err = a.expected(f.expect); err != nil {
		return o, err
	}
	o.Share, err = share(f.sample)
	return o, err
}

// share reads a part of the whole: "1%", "100%".
func share(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	part, err := strconv.ParseFloat(number, 64)
	if percent {
		part /= 100
	}
	if err != nil || !(part > 0 && part <= 1) {
		return 0, misused("give a share such as 1% or 25%", "--sample %q is no share of the files", text)
	}
	return part, nil
}

// keyOf tells what the keys of data blocks are, by the vendors' definitions.
func keyOf(definitions []sources.Definition) func(data string) (verify.Key, bool) {
	keys := map[string]verify.Key{}
	for _, d := range definitions {
		for _, data := range d.Data {
			keys[d.Type+"_"+data.Name] = verify.Key{Groups: data.Key != sources.UserKey, Lists: data.View != schema.RoleView}
		}
	}
	return func(data string) (verify.Key, bool) {
		kind, _, _ := strings.Cut(data, ".")
		key, known := keys[kind]
		return key, known
	}
}

func (a *app) verify(ctx context.Context, options verify.Options) (verify.Report, error) {
	sink, err := a.openSink(ctx)
	if err != nil {
		return verify.Report{}, err
	}
	temp, done, err := a.temporary()
	if err != nil {
		return verify.Report{}, err
	}
	defer done()
	options.Scratch = temp
	heard := a.listener()
	options.Listen = func(p verify.Progress) {
		heard.tell(func() string {
			return fmt.Sprintf("verifying %s: %s of %s", p.Path, humanize.IBytes(uint64(p.Read)), humanize.IBytes(uint64(p.Total)))
		})
	}
	defer heard.close()
	return verify.Run(ctx, sink, options)
}

// openSink opens the sink of the configuration for reading; no secrets are evaluated.
func (a *app) openSink(ctx context.Context) (sinks.Sink, error) {
	j, err := a.load(false)
	if err != nil {
		return nil, err
	}
	return pipeline.OpenSink(ctx, j.Sink, a.env.Now, nil, a.notice)
}

// notice says on stderr what a person who waits should know.
func (a *app) notice(e event.Event) {
	if notice, ok := e.(event.Notice); ok {
		a.talk.Printer().Println(sentence(notice))
	}
}

// heard tells on stderr how far reading has come, now and then: on a terminal in one line that
// is overwritten, elsewhere in lines.
type heard struct {
	talk  *console.Talk
	now   func() time.Time
	every time.Duration // 0: never
	last  time.Time
	line  bool // overwritten
	drawn bool
}

func (a *app) listener() *heard {
	_, tty := a.env.Width()
	switch {
	case a.flags.progress == "none":
		return &heard{}
	case a.flags.progress == "bar", a.flags.progress == "auto" && tty:
		return &heard{talk: a.talk, now: a.env.Now, every: 250 * time.Millisecond, last: a.env.Now(), line: true}
	default:
		return &heard{talk: a.talk, now: a.env.Now, every: 10 * time.Second, last: a.env.Now()}
	}
}

func (h *heard) tell(text func() string) {
	if h.every == 0 || h.now().Sub(h.last) < h.every {
		return
	}
	h.last = h.now()
	if h.line {
		h.drawn = true
		console.NewPrinter(h.talk.Frames()).Printf("\r\x1b[K%s", text())
	} else {
		h.talk.Progress().Println(text())
	}
}

// close takes the line away.
func (h *heard) close() {
	if h.drawn {
		console.NewPrinter(h.talk.Frames()).Printf("\r\x1b[K")
	}
}

// showVerified tells a person the verdict first, then everything that is wrong, what was looked at and
// what was not. Commands are as say has them.
func showVerified(w console.Printer, r verify.Report, say func(advice.Advice) string) {
	unread, place := r.Listed-r.Files, r.Place
	if r.From != "" {
		place += ", from " + r.From + " on"
	}
	switch {
	case !r.Whole():
		w.Printf("FAILED: %s, in %s\n", summary(r), place)
		showFindings(w, r.Findings, say)
	case unread > 0:
		w.Printf("Verified: nothing is wrong in what was read of %s\n", place)
	default:
		w.Printf("Verified: nothing is wrong in %s\n", place)
	}
	showChain(w, r.Chain)
	showSigned(w, r.Signed)
	showContent(w, r)
	if !slices.ContainsFunc(r.Findings, func(f verify.Finding) bool { return f.Kind == verify.NoSnapshot }) {
		showMissing(w, "  ", r.Missing)
	}
	if len(r.Late) > 0 {
		w.Printf("  backdated: %s; the vendors were asked after the date was over in UTC\n", spanOf(r.Late))
	}
	for _, note := range r.Notes {
		w.Printf("  note: %s\n", note)
	}
	switch {
	case unread <= 0:
	case r.Whole():
		w.Printf("The content of %s was not read: %s\n", count(int(unread), "file"), say(advice.Say("{} reads it.", advice.Rollcall("verify").With("all", ""))))
	default: // be it that it could not be
		w.Printf("The content of %s was not read.\n", count(int(unread), "file"))
	}
	showProof(w, r, say)
}

// showContent says which files were looked at, and which of them were read.
func showContent(w console.Printer, r verify.Report) {
	w.Printf("  files: presence and size of %s\n", humanize.Comma(r.Listed))
	if r.Files == 0 {
		w.Printf("  content: none was read\n")
		return
	}
	part := ""
	if r.Share < 1 {
		part = fmt.Sprintf(", a sample of %s of the files, the same ones each time", strconv.FormatFloat(r.Share*100, 'g', 6, 64)+"%")
	}
	w.Printf("  content: %s of %s read%s: %s, %s rows\n", count(int(r.Files), "file"), spanOf(r.Dates), part, humanize.IBytes(uint64(r.Bytes)), humanize.Comma(r.Rows))
}

// shownMissing is how many gaps between dates are named; where snapshots are weekly, there are many.
const shownMissing = 20

// showMissing names the dates without a snapshot, the newest gaps where there are many.
func showMissing(w console.Printer, before string, missing []snapshot.MissingDates) {
	if more := len(missing) - shownMissing; more > 0 {
		w.Printf("%sand %s before: --json has all of them\n", before, count(more, "gap"))
		missing = missing[more:]
	}
	for _, m := range missing {
		w.Printf("%s%s\n", before, m)
	}
}

func showChain(w console.Printer, c verify.Chain) {
	if c.Manifests == 0 {
		w.Printf("  chain: there is no manifest\n")
		return
	}
	w.Printf("  chain: %s, sequence %s", count(c.Manifests, "manifest"), sequence(c.First, c.Last))
	if c.Replaced > 0 {
		w.Printf(", %d of them replaced since", c.Replaced)
	}
	w.Printf("\n  sealed last: %s\n    SHA-256 %s\n", c.Newest, c.Hash)
}

func showFindings(w console.Printer, list []verify.Finding, say func(advice.Advice) string) {
	for _, f := range list {
		w.Printf("  %-10s  %s\n              %s\n", f.Kind, f.Path, say(advice.Say(f.Message, f.Commands...)))
		if f.More > 0 {
			w.Printf("              and %s more like this\n", humanize.Comma(f.More))
		}
	}
	w.Println()
}

// spanOf is "2026-11-21", or the first and the last of several dates.
func spanOf(dates []string) string {
	if len(dates) == 1 {
		return dates[0]
	}
	return fmt.Sprintf("%d snapshots from %s to %s", len(dates), dates[0], dates[len(dates)-1])
}
