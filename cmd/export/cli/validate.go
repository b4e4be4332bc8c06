package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"rollcall/pipeline/job"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "check the configuration; every fault at once, with its line",
		Long:  "Checks the configuration and asks nobody. Secrets must be there, since a run would need them.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			j, err := a.load(true)
			if err != nil {
				return err
			}
			if a.flags.json {
				return a.answer(validAnswer(j))
			}
			_, err = fmt.Fprintf(a.env.Stdout, "%s is valid: %s, %s, sink %s\n", j.File, count(len(j.Sources), "source"), count(len(j.Data), "data block"), j.Sink.Address)
			return err
		},
	}
}

func validAnswer(j *job.Job) any {
	addresses := []string{}
	for _, d := range j.Data {
		addresses = append(addresses, d.Address)
	}
	return struct {
		File string   `json:"file"`
		Data []string `json:"data"`
		Sink string   `json:"sink"`
	}{j.File, addresses, j.Sink.Address}
}

// count is "1 source" or "2 sources".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
