package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"rollcall/pipeline"
	"rollcall/pipeline/config"
	"rollcall/pipeline/job"
	"rollcall/pipeline/pseudonym"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "check the configuration; every fault at once, with its line",
		Long:  aboutValidate,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			j, notes, err := a.validate(cmd.Context())
			if f, ok := errors.AsType[*faulty](err); ok && a.flags.json { // here faults are what was asked for
				if err := a.answer(f.said()); err != nil {
					return err
				}
				return found(ChangeFirst)
			}
			if err != nil {
				return err
			}
			if a.flags.json {
				for _, d := range a.warnings.List() {
					notes = append(notes, fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Summary))
				}
				return a.answer(validAnswer(j, notes))
			}
			for _, note := range notes {
				a.talk.Printer().Printf("Note: %s\n", note)
			}
			return a.out.Printer().Printf("%s is valid: %s, %s, sink %s\n", j.File, count(len(j.Sources), "source"), count(len(j.Data), "data block"), j.Sink.Address)
		},
	}
}

const aboutValidate = `Checks the configuration and asks nobody. Secrets must be there, since a run would need them. Of each ID
list on this machine it reads the beginning: whether it is there, its format, its column and its first
1,000 IDs. Lists on s3:// and standard input are not read, which it says.`

// validate reads the configuration and the beginnings of its lists; notes say which of them it did not read.
func (a *app) validate(ctx context.Context) (j *job.Job, notes []string, err error) {
	temp, done, err := a.temporary()
	if err != nil {
		return nil, nil, err
	}
	defer done()
	notes = []string{}
	options := config.Options{Secrets: true, FileInfo: fileInfo()}
	options.CheckList = func(list job.List, columns []job.Column, warn func(text, hint string)) error {
		hide := pseudonym.New(columns)
		read, err := pipeline.ProbeList(ctx, list, temp, func(text, hint string) { warn(hide.Text(text), hide.Text(hint)) })
		if !read && err == nil {
			notes = append(notes, fmt.Sprintf("ids.%s is not read: %s; a run reads it", list.Name, list.Path))
		}
		return hide.Hide(err)
	}
	j, err = a.loadWith(a.flags.config, options)
	return j, notes, err
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
