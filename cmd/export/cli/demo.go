package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/pipeline"
	"rollcall/schema/advice"
	"rollcall/schema/dialect"
)

const aboutDemo = `Does the whole job with no account: simulated vendors on a loopback port with real budgets, two
discovery chains, and a local sink. Takes about half a minute. Stop it with Ctrl-C and type it
again: it goes on where it was.`

func (a *app) demoCommand() *cobra.Command {
	var flags worldFlags
	var n order
	var out string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "the whole job with no account: simulated vendors, real budgets, local snapshots",
		Long:  aboutDemo,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			options, err := flags.options(a.env.Now)
			if err != nil {
				return err
			}
			if err := own(out); err != nil {
				return err
			}
			s, err := serve(options, "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			s.again = a.again(s, flags)
			n.given = a.env.Now()
			return a.demo(cmd, s, n, out)
		},
	}
	flags.register(cmd.Flags())
	n.register(cmd.Flags())
	cmd.Flags().StringVar(&out, "out", "rollcall-demo", "write everything into this `DIR`")
	return cmd
}

func (a *app) demo(cmd *cobra.Command, s *server, n order, out string) error {
	path, err := s.write(out)
	if err != nil {
		return err
	}
	if a.flags.progress != "none" {
		a.talk.Printer().Printf("Simulating %s\n", s)
	}
	j, err := a.loadFile(path, true)
	if err != nil {
		return err
	}
	if err := acceptable(n.accept, j.Checks); err != nil {
		return err
	}
	n.job, n.state = j, cmp.Or(a.flags.state, filepath.Join(out, ".rollcall"))
	result, err := a.night(cmd.Context(), n)
	if err != nil {
		return err
	}
	a.sealedAnswers()
	if a.flags.json {
		return a.answer(sealedJSON(result, a.env.Now().Sub(n.given)))
	}
	report(a.out.Printer(), result, a.env.Now().Sub(n.given))
	a.farewell(s, result, out)
	return nil
}

// farewell says how the budgets were kept, where things are and what to try next.
func (a *app) farewell(s *server, r pipeline.Result, out string) {
	w := a.out.Printer()
	if !r.Already {
		w.Printf("What the vendors saw:\n")
		s.counts(w)
	}
	if r.Code != Done {
		w.Printf("A run of your own would end with exit code %d here: %s.\n", r.Code, Codes()[r.Code].Meaning)
	}
	query := roleQuery(r)
	w.Printf("\nWho holds which role, in DuckDB (a download of its own: https://duckdb.org):\n  duckdb -c %s\n", shell(query))
	w.Printf("The same in Python, after `pip install duckdb`:\n  python3 -c %s\n", shell("import duckdb; print(duckdb.sql('''"+query+"'''))"))
	for _, c := range a.tries(s, r, out) {
		w.Printf("%s:\n  %s\n", c.what, c.line)
	}
}

// try is a command and what it is for.
type try struct{ what, line string }

// tries are the commands that show what was made, as they can be typed.
func (a *app) tries(s *server, r pipeline.Result, out string) []try {
	line := func(c advice.Command) string { return a.line(c.With("config", filepath.Join(out, "rollcall.hcl"))) }
	page, views := filepath.Join(out, "report.html"), shell(filepath.Join(out, "views.sql"))
	when := "Tomorrow, with both apps a night older"
	if r.Date < a.env.Now().UTC().Format(time.DateOnly) {
		when = "The night after that, in which members join and leave"
	}
	all := []try{
		{"A page about this snapshot, for a browser", line(advice.Rollcall("report", r.Date).With("out", page))},
		{"All views of all snapshots, for DuckDB", line(advice.Rollcall("sql", "duckdb")) + " > " + views + " && duckdb --init " + views},
		{"All that is known of one group", line(advice.Rollcall("explain").With("group", s.sample()))},
		{"The snapshots", line(advice.Rollcall("snapshots"))},
		{when, a.nextNight(s.options.Night + 1)},
		{"With an account of your own", a.env.Program + " init"},
	}
	if r.Already {
		all = append(all, try{"To see it work again", "rm -r " + shell(out) + " && " + a.line(advice.Rollcall("demo"))})
	}
	return all
}

// nextNight is the command that lets the demo go on with the night after, under the date that it is then.
func (a *app) nextNight(night int) string {
	next := advice.Rollcall("demo").With("night", strconv.Itoa(night))
	ofThisDate := []string{"date", "accept", "backdate", "replace"}
	return a.typed(next, slices.DeleteFunc(a.given(next), func(f advice.Flag) bool { return slices.Contains(ofThisDate, f.Name) }))
}

// roleQuery counts memberships by role, from the files that the manifest names.
func roleQuery(r pipeline.Result) string {
	var files []string
	for _, f := range r.Manifest.Files {
		if f.Table == "memberships" {
			files = append(files, "'"+strings.ReplaceAll(dialect.Literally(r.URL(f.Path)), "'", "''")+"'")
		}
	}
	return fmt.Sprintf("SELECT source, role, count(*) AS memberships FROM read_parquet([%s]) GROUP BY ALL ORDER BY ALL", strings.Join(files, ", "))
}

// shell quotes a word for a POSIX shell where it needs that.
func shell(word string) string {
	if regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`).MatchString(word) {
		return word
	}
	if !strings.ContainsAny(word, "\"$`\\!") {
		return `"` + word + `"`
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
