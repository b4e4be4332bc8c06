package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rollcall/schema/advice"
	"rollcall/schema/spelling"
)

// misusedFlag puts a fault of the flags in our own words.
func misusedFlag(cmd *cobra.Command, err error) error {
	unknown, novalue, wrong := &pflag.NotExistError{}, &pflag.ValueRequiredError{}, &pflag.InvalidValueError{}
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &novalue):
		return misused(fmt.Sprintf("give it one: --%s %s", novalue.GetFlag().Name, placeholder(novalue.GetFlag())), "--%s has no value", novalue.GetFlag().Name)
	case errors.As(err, &wrong):
		is, example := wanted(wrong.GetFlag())
		return misused("give "+example, "--%s %q is no %s", wrong.GetFlag().Name, wrong.GetValue(), is)
	default:
		return misusedSo(helpWith(cmd), "%s", firstLine(err.Error()))
	}
}

// unknownFlag names the flag that is nearest to what was typed.
func unknownFlag(cmd *cobra.Command, e *pflag.NotExistError) error {
	if short := e.GetSpecifiedShortnames(); short != "" {
		return misusedSo(helpWith(cmd), "there is no flag -%s", e.GetSpecifiedName())
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) }) // the shared ones too
	slices.Sort(names)
	if near := spelling.Nearest(e.GetSpecifiedName(), names); near != "" {
		return misused(fmt.Sprintf("did you mean --%s?", near), "there is no flag --%s", e.GetSpecifiedName())
	}
	return misusedSo(helpWith(cmd), "there is no flag --%s", e.GetSpecifiedName())
}

// wanted is what a flag takes, and an example of it.
func wanted(f *pflag.Flag) (is, example string) {
	switch f.Value.Type() {
	case "int":
		return "whole number", "a whole number, such as 100"
	case "uint64":
		return "whole number from 0", "a whole number from 0, such as 7"
	case "duration":
		return "time", "a number with its unit, such as 40ms or 2s"
	case "bool":
		return "yes or no", "true or false, or leave the value out for true"
	default:
		return "value of this flag", placeholder(f)
	}
}

// placeholder is what the help calls a flag's value.
func placeholder(f *pflag.Flag) string {
	name, _ := pflag.UnquoteUsage(f)
	return name
}

func helpWith(cmd *cobra.Command) advice.Advice {
	if !cmd.HasParent() {
		return advice.Say("{} lists the commands and the flags", advice.Rollcall("help"))
	}
	return advice.Say("{} lists its flags", advice.Rollcall("help", cmd.Name()))
}

// noArguments refuses what stands after a command and is no flag.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return misusedSo(helpWith(cmd), "rollcall %s takes flags only, and was given %q", cmd.Name(), strings.Join(args, " "))
}

// complete says what the shell may offer: files only where a file is asked for.
func complete(root *cobra.Command) {
	nothing := cobra.NoFileCompletions
	root.ValidArgsFunction = nothing
	offer := map[string]cobra.CompletionFunc{
		"progress": cobra.FixedCompletions(progresses(), cobra.ShellCompDirectiveNoFileComp),
		"config":   cobra.FixedCompletions([]string{"hcl"}, cobra.ShellCompDirectiveFilterFileExt),
		"state":    cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
		"out":      cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),

		"public-key": cobra.FixedCompletions([]string{"pub"}, cobra.ShellCompDirectiveFilterFileExt),
		"rotate":     cobra.FixedCompletions([]string{"pem"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	register := func(cmd *cobra.Command) func(*pflag.Flag) {
		return func(f *pflag.Flag) {
			of := offer[f.Name]
			if of == nil {
				of = nothing
			}
			_ = cmd.RegisterFlagCompletionFunc(f.Name, of) // the flag is there, and has none yet
		}
	}
	root.PersistentFlags().VisitAll(register(root))
	for _, c := range root.Commands() {
		c.ValidArgsFunction = nothing
		c.LocalNonPersistentFlags().VisitAll(register(c))
	}
}
