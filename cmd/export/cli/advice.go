package cli

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rollcall/schema/advice"
)

// usersOf are the commands that a shared flag means something to; a flag that is not here means something to
// each of them.
func usersOf(flag string) []string {
	switch flag {
	case "config":
		return []string{"init", "validate", "plan", "run", "status", "snapshots", "verify", "diff", "reconcile", "explain", "sql", "report"}
	case "state":
		return []string{"plan", "run", "status", "demo"}
	case "date":
		return []string{"plan", "run", "status", "verify", "reconcile", "explain", "demo"}
	default:
		return nil
	}
}

// neverKept are flags that what is advised has of its own accord or not at all: --discard throws away what
// was fetched.
func neverKept() []string { return []string{"discard", "help"} }

// say is advice as a person reads it here.
func (a *app) say(what advice.Advice) string { return what.Render(a.line) }

// line is a command as it can be typed here: with all flags that were given and mean something to it. What
// the demo's vendors are to be asked, only the demo can ask.
func (a *app) line(c advice.Command) string {
	if a.command != nil && a.command.Name() == "demo" && c.Name == "run" {
		c.Name = "demo"
	}
	return a.typed(c, a.given(c))
}

// typed is a command with further flags, as a shell takes it.
func (a *app) typed(c advice.Command, further []advice.Flag) string {
	words := append([]string{cmp.Or(a.env.Program, "rollcall"), c.Name}, c.Args...)
	for _, f := range slices.Concat(c.Flags, further) {
		words = append(words, "--"+f.Name)
		if f.Value != "" {
			words = append(words, shell(f.Value))
		}
	}
	return strings.Join(words, " ")
}

// given are the flags of this command line that go with c, less those that c has itself.
func (a *app) given(c advice.Command) (flags []advice.Flag) {
	if a.command == nil {
		return nil
	}
	target, _, err := a.command.Root().Find([]string{c.Name})
	if err != nil {
		return nil
	}
	a.command.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case !takes(target, f), slices.Contains(neverKept(), f.Name), f.Name == "date" && len(c.Args) > 0:
		case f.Value.Type() == "stringArray":
			for _, value := range f.Value.(pflag.SliceValue).GetSlice() {
				if kept := (advice.Flag{Name: f.Name, Value: value}); !slices.Contains(c.Flags, kept) {
					flags = append(flags, kept)
				}
			}
		case c.Sets(f.Name):
		case f.Value.Type() == "bool" && f.Value.String() == "true":
			flags = append(flags, advice.Flag{Name: f.Name})
		case f.Value.Type() == "bool":
			flags = append(flags, advice.Flag{Name: f.Name + "=false"}) // a word of its own would be an argument
		case f.Value.String() == "":
			flags = append(flags, advice.Flag{Name: f.Name + "="}) // else the next word would be its value
		default:
			flags = append(flags, advice.Flag{Name: f.Name, Value: f.Value.String()})
		}
	})
	return flags
}

// takes tells whether a command knows a flag of another one, and means the same by it.
func takes(target *cobra.Command, f *pflag.Flag) bool {
	if users := usersOf(f.Name); users != nil && !slices.Contains(users, target.Name()) {
		return false
	}
	known := target.Flags().Lookup(f.Name)
	if known == nil {
		known = target.InheritedFlags().Lookup(f.Name)
	}
	return known != nil && known.Usage == f.Usage
}
