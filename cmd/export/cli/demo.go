package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/pipeline"
	"rollcall/schema/dialect"
)

const aboutDemo = `Does the whole job with no account: simulated vendors on a loopback port with real budgets, two
discovery chains, and a local sink. Takes about half a minute. Stop it with Ctrl-C and type it
again: it goes on where it was.`

func (a *app) demoCommand() *cobra.Command {
	var flags worldFlags
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
			return a.demo(cmd, s, out)
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().StringVar(&out, "out", "rollcall-demo", "write everything into this `DIR`")
	return cmd
}

func (a *app) demo(cmd *cobra.Command, s *server, out string) error {
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
	state := a.flags.state
	if state == "" {
		state = filepath.Join(out, ".rollcall")
	}
	begun := a.env.Now()
	result, err := a.night(cmd.Context(), order{job: j, state: state})
	if err != nil {
		return err
	}
	a.sealedAnswers()
	if a.flags.json {
		return a.answer(sealedJSON(result, a.env.Now().Sub(begun)))
	}
	report(a.out.Printer(), result, a.env.Now().Sub(begun))
	a.farewell(s, result, out)
	return nil
}

// farewell says how the budgets were kept, where things are and what to try next.
func (a *app) farewell(s *server, r pipeline.Result, out string) {
	w := a.out.Printer()
	switch {
	case r.Already:
		w.Printf("To see it work again: rm -r %s, or give another --date.\n", shell(out))
	default:
		w.Printf("What the vendors saw:\n")
		s.counts(w)
	}
	if r.Code != Done {
		w.Printf("A run of your own would end with exit code %d here: %s.\n", r.Code, Codes()[r.Code].Meaning)
	}
	query := roleQuery(r)
	w.Printf("\nWho holds which role, in DuckDB (a download of its own: https://duckdb.org):\n  duckdb -c %s\n", shell(query))
	w.Printf("The same in Python, after `pip install duckdb`:\n  python3 -c %s\n", shell("import duckdb; print(duckdb.sql('''"+query+"'''))"))
	w.Printf("The snapshots:\n  %s snapshots --config %s\n", a.env.Program, shell(filepath.Join(out, "rollcall.hcl")))
	w.Printf("With an account of your own:\n  %s init\n", a.env.Program)
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
