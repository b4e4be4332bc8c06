package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/metrics"
)

const aboutRun = `Asks the vendors about every key, merges the answers into the seven tables, and seals them as one
snapshot. What an earlier run of the same date left is gone on with, by itself: after any stop, type
the same command again. A date that is sealed is not asked again.

Ends with 0 (sealed and complete), 3 (sealed, but not whole), 4 (not sealed: too much is missing; run
it again), 5 (stopped before the end; run it again) or 6 (another run is at work).`

func (a *app) runCommand() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "fetch, merge, write and seal one snapshot; resume what an earlier run left",
		Long:  aboutRun,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			j, err := a.load(true)
			if err != nil {
				return err
			}
			watch, stop, err := a.metrics(address)
			if err != nil {
				return err
			}
			defer stop()
			begun := a.env.Now()
			result, err := a.night(cmd.Context(), j, a.flags.stateDir(), nil, watch)
			if err != nil {
				return err
			}
			if a.flags.json {
				err = a.answer(sealedJSON(result, a.env.Now().Sub(begun)))
			} else {
				report(a.env.Stdout, result, a.env.Now().Sub(begun))
			}
			return errors.Join(err, found(result.Code))
		},
	}
	cmd.Flags().StringVar(&address, "metrics", "", "serve metrics to Prometheus at this `ADDRESS`, such as 127.0.0.1:9100, while it runs")
	return cmd
}

// metrics serves metrics at an address until stop is called; at the empty one, none. The listener
// is what they learn the run from.
func (a *app) metrics(address string) (watch event.Listener, stop func(), err error) {
	if address == "" {
		return func(event.Event) {}, func() {}, nil
	}
	m := metrics.New(a.env.Version)
	server, err := metrics.Serve(address, m)
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(a.env.Stderr, "Metrics are served at %s\n", server.URL) // whatever --progress says: port 0 is known from nowhere else
	return m.Listen, func() {
		if err := server.Close(); err != nil { // the run went on without them
			fmt.Fprintf(a.env.Stderr, "Warning: metrics were not served to the end: %s\n", escape(err.Error()))
		}
	}, nil
}

// night runs a job with progress on stderr, and tells others about it too. Without a transport it
// asks over the network.
func (a *app) night(ctx context.Context, j *job.Job, state string, transport http.RoundTripper, others ...event.Listener) (pipeline.Result, error) {
	progress := a.renderer()
	a.screen.Store(&screen{progress})
	listen := func(e event.Event) {
		for _, other := range others {
			other(e)
		}
		progress.Listen(e)
	}
	result, err := pipeline.Run(ctx, pipeline.Request{
		World: pipeline.World{
			Now: a.env.Now, Random: a.env.Random, Stdin: a.env.Stdin, Transport: transport,
			Host: a.env.Host, PID: a.env.PID, Version: a.env.Version,
		},
		Job: j, Date: a.flags.date, State: state, Listen: listen,
	})
	progress.Close()
	a.screen.Store(nil)
	if unsealed, ok := errors.AsType[*pipeline.NotSealedError](err); ok && !a.flags.json {
		gaps(a.env.Stderr, unsealed.Gaps)
	}
	return result, err
}
