package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"rollcall/cmd/export/console"
	"rollcall/cmd/export/scratch"
	"rollcall/pipeline/config"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// app is one command line being carried out.
type app struct {
	env     Env
	flags   flags
	command *cobra.Command // that was typed
	started bool           // a command was found and its flags and arguments were right
	screen  atomic.Pointer[screen]

	talk      *console.Talk                  // stderr
	out       *console.Answer                // stdout
	scratch   atomic.Pointer[scratch.Folder] // of the command at work
	warnings  config.Diagnostics             // of the configuration, which was read
	sealedNow bool                           // the answer is about a sealed snapshot: its code is that one's
}

// screen is where the run at work shows its progress; there is none while no run is at work.
type screen struct{ renderer }

// flags are those that every command shares.
type flags struct {
	config   string
	date     string
	state    string
	json     bool
	progress string
}

// defaultConfig is the configuration of who names none.
const defaultConfig = "rollcall.hcl"

const about = `Rollcall asks chat vendors who is in which group and with which role, and seals the
answer as one normalized Parquet snapshot on S3 or on a local disk.

To see it work without any account:   rollcall demo
To start with an account of your own: rollcall init`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "rollcall",
		Short:         "seal who is in which group, and with which role, as Parquet snapshots",
		Long:          about + "\n\nExit codes:\n" + codeTable(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          a.runRoot,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.started, a.command = true, cmd
			if cmd.Flags().Changed("date") && a.flags.date == "" {
				return misused("write it as 2026-11-21, or leave it out for tonight's; is the variable set that should hold it?", "--date is empty")
			}
			return a.flags.check()
		},
	}
	shared := root.PersistentFlags()
	shared.SortFlags = false
	shared.StringVar(&a.flags.config, "config", defaultConfig, "the configuration `FILE`")
	shared.StringVar(&a.flags.date, "date", "", "the date of the snapshot, as `YYYY-MM-DD` (default: the unsealed night, else today in UTC)")
	shared.StringVar(&a.flags.state, "state", "", "the `DIR` that keeps what was fetched (default: .rollcall beside the configuration)")
	shared.BoolVar(&a.flags.json, "json", false, "give the answer, and an error, as JSON; progress stays text")
	shared.StringVar(&a.flags.progress, "progress", "auto", "show progress on stderr as `auto|bar|log|none`")
	root.Version = a.env.Version // makes --version, which prints what the command does
	root.SetVersionTemplate(a.versionLine())
	root.SetFlagErrorFunc(misusedFlag)
	root.AddCommand(a.commands()...)
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: "explain a command",
		RunE:  a.runHelp,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range root.Commands() {
				names = append(names, c.Name())
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	})
	complete(root)
	return root
}

// commands are all of them, in the order in which a newcomer meets them.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.demoCommand(),
		a.initCommand(),
		a.validateCommand(),
		a.planCommand(),
		a.runCommand(),
		a.statusCommand(),
		a.snapshotsCommand(),
		a.verifyCommand(),
		a.diffCommand(),
		a.reconcileCommand(),
		a.explainCommand(),
		a.keygenCommand(),
		a.sqlCommand(),
		a.reportCommand(),
		a.simulateCommand(),
		a.versionCommand(),
	}
}

func (a *app) runRoot(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return unknown(cmd, args[0])
}

func (a *app) runHelp(cmd *cobra.Command, args []string) error {
	target, rest, err := cmd.Root().Find(args)
	if err != nil || (target == cmd.Root() && len(rest) > 0) {
		return unknown(cmd.Root(), strings.Join(args, " "))
	}
	target.InitDefaultHelpFlag()
	target.InitDefaultVersionFlag()
	return target.Help()
}

// unknown names the command that is nearest to what was typed.
func unknown(root *cobra.Command, name string) error {
	e := fault.New(fault.Configuration, "there is no command %q", name)
	e.Hint, e.Commands = "{} lists the commands", []advice.Command{advice.Rollcall("help")}
	if root.SuggestionsMinimumDistance <= 0 {
		root.SuggestionsMinimumDistance = 2
	}
	if near := root.SuggestionsFor(name); len(near) > 0 {
		e.Hint, e.Commands = "did you mean {}?", []advice.Command{advice.Rollcall(near[0])}
	}
	return e
}

func (f flags) check() error {
	if f.date != "" && !sinks.IsDate(f.date) {
		return misused("write it as 2026-11-21", "--date %q is no date", f.date)
	}
	if !slices.Contains(progresses(), f.progress) {
		return misused("use auto, bar, log or none", "--progress %q is not known", f.progress)
	}
	return nil
}

// progresses are the ways to show progress.
func progresses() []string { return []string{"auto", "bar", "log", "none"} }

// stateDir is where a run keeps what it fetched.
func (f flags) stateDir() string {
	if f.state != "" {
		return f.state
	}
	return filepath.Join(filepath.Dir(f.config), ".rollcall")
}

// temporary gives the command an empty folder for temporary files, until done is called or the process
// ends.
func (a *app) temporary() (path string, done func(), err error) {
	folder, err := scratch.New(os.TempDir(), a.env.Now)
	if err != nil {
		return "", nil, err
	}
	a.scratch.Store(folder)
	return folder.Path, folder.Remove, nil
}

// misused is a mistake on the command line, and what to type instead.
func misused(hint, format string, args ...any) error {
	return misusedSo(advice.Say(hint), format, args...)
}

// misusedSo is misused where what to type is a command of Rollcall.
func misusedSo(todo advice.Advice, format string, args ...any) error {
	e := fault.New(fault.Configuration, format, args...)
	e.Hint, e.Commands = todo.Text, todo.Commands
	return e
}

func codeTable() string {
	var b strings.Builder
	for _, c := range Codes() {
		b.WriteString(fmt.Sprintf("  %d  %s\n", c.Number, c.Meaning))
	}
	return strings.TrimRight(b.String(), "\n")
}
