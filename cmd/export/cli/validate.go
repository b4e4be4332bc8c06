package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/pipeline/job"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "check the configuration; every fault at once, with its line",
		Long:  "Checks the configuration and asks nobody. Secrets must be there, since a run would need them.\nOf an ID list that can't be opened yet it warns.",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			j, err := a.load(true)
			if f, ok := errors.AsType[*faulty](err); ok && a.flags.json { // here faults are what was asked for
				if err := a.answer(f.said()); err != nil {
					return err
				}
				return found(ChangeFirst)
			}
			if err != nil {
				return err
			}
			warnings := unreadable(j)
			if a.flags.json {
				for _, d := range a.warnings.List() {
					warnings = append(warnings, fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Summary))
				}
				return a.answer(validAnswer(j, warnings))
			}
			for _, w := range warnings {
				a.talk.Printer().Printf("Warning: %s\n", w)
			}
			return a.out.Printer().Printf("%s is valid: %s, %s, sink %s\n", j.File, count(len(j.Sources), "source"), count(len(j.Data), "data block"), j.Sink.Address)
		},
	}
}

// unreadable tells which local ID lists can't be opened yet: a list may be written just before each
// run, so that this is no fault of the configuration.
func unreadable(j *job.Job) []string {
	warnings := []string{}
	for _, list := range j.Lists {
		if list.Path == "" || list.Path == "-" || strings.Contains(list.Path, "://") {
			continue
		}
		file, err := os.Open(list.Path)
		if err == nil {
			_ = file.Close() // nothing was written
			continue
		}
		if cause, ok := errors.AsType[*fs.PathError](err); ok {
			err = cause.Err
		}
		warnings = append(warnings, fmt.Sprintf("ids.%s can't be opened yet: %s: %v; a run needs it", list.Name, list.Path, err))
	}
	return warnings
}

func validAnswer(j *job.Job, warnings []string) any {
	addresses := []string{}
	for _, d := range j.Data {
		addresses = append(addresses, d.Address)
	}
	return struct {
		Valid    bool     `json:"valid"`
		File     string   `json:"file"`
		Data     []string `json:"data"`
		Sink     string   `json:"sink"`
		Warnings []string `json:"warnings"`
	}{true, j.File, addresses, j.Sink.Address, warnings}
}

// count is "1 source" or "2 sources".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
