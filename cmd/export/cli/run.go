package cli

import (
	"context"
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"rollcall/pipeline"
	"rollcall/pipeline/job"
)

const aboutRun = `Asks the vendors about every key, merges the answers into the seven tables, and seals them as one
snapshot. What an earlier run of the same date left is gone on with, by itself: after any stop, type
the same command again. A date that is sealed is not asked again.

Ends with 0 (sealed and complete), 3 (sealed, but not whole), 4 (not sealed: too much is missing; run
it again), 5 (stopped before the end; run it again) or 6 (another run is at work).`

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "fetch, merge, write and seal one snapshot; resume what an earlier run left",
		Long:  aboutRun,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			j, err := a.load(true)
			if err != nil {
				return err
			}
			result, err := a.night(cmd.Context(), j, a.flags.stateDir(), nil)
			if err != nil {
				return err
			}
			if a.flags.json {
				err = a.answer(sealedJSON(result))
			} else {
				report(a.env.Stdout, result)
			}
			return errors.Join(err, found(result.Code))
		},
	}
}

// night runs a job with progress on stderr. Without a transport it asks over the network.
func (a *app) night(ctx context.Context, j *job.Job, state string, transport http.RoundTripper) (pipeline.Result, error) {
	progress := a.renderer()
	result, err := pipeline.Run(ctx, pipeline.Request{
		World: pipeline.World{
			Now: a.env.Now, Random: a.env.Random, Stdin: a.env.Stdin, Transport: transport,
			Host: a.env.Host, PID: a.env.PID, Version: a.env.Version,
		},
		Job: j, Date: a.flags.date, State: state, Listen: progress.Listen,
	})
	progress.Close()
	if unsealed, ok := errors.AsType[*pipeline.NotSealedError](err); ok && !a.flags.json {
		gaps(a.env.Stderr, unsealed.Gaps)
	}
	return result, err
}
