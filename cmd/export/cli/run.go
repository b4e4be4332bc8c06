package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rollcall/cmd/export/scratch"
	"rollcall/pipeline"
	"rollcall/pipeline/client"
	"rollcall/pipeline/config"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/metrics"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
	"rollcall/schema/spelling"
)

const aboutRun = `Asks the vendors about every key, merges the answers into the seven tables, and seals them as one
snapshot. An unfinished run of the same date is resumed: after any stop, type the same command again.
A date that is sealed is not asked again. rollcall status shows from another terminal how far it is.

A --date is today's in some time zone, or yesterday's in UTC, as schedulers name a night by the day that ended. An older one is
refused, for the vendors tell how things are now, unless --backdate is given: then the manifest says so. One that was sealed
before is always accepted, and so is one that an earlier run left unsealed.

With --replace a sealed date is asked again: everything is fetched anew, and when all is ready the old manifest moves to
_snapshots/replaced/, where the new one names it, and the files are swapped. Until then the old snapshot
stands. Stopped at whatever moment, the same command goes on.

Where a check fails, be it of the configuration or built in, nothing is sealed and nothing is lost: the same
command with --accept NAME seals all the same, asks nothing again, and the manifest says so. Built-in checks
compare with the snapshot before: emptied, fewer_memberships, list_shrunk, uncovered; and list_without_rows
finds a list none of whose IDs has a membership.

Ends with 0 (sealed, and complete for the lists given), 3 (sealed, but not whole), 4 (not sealed: too
much is missing, run it again; or a check failed), 5 (stopped before the end; run it again) or 6
(another run is at work).`

func (a *app) runCommand() *cobra.Command {
	var address string
	var n order
	cmd := &cobra.Command{
		Use:   "run",
		Short: "fetch, merge, write and seal one snapshot; resume what an earlier run left",
		Long:  aboutRun,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			begun := a.env.Now()
			j, err := a.load(true)
			if err != nil {
				if sealed := a.sealed(cmd.Context()); sealed != nil && !n.replace {
					return a.tellSealed(*sealed, a.env.Now().Sub(begun))
				}
				return err
			}
			if err := acceptable(n.accept, j.Checks); err != nil {
				return err
			}
			watch, stop, err := a.metrics(address)
			if err != nil {
				return err
			}
			defer stop()
			n.job, n.given, n.state = j, begun, a.flags.stateDir()
			result, err := a.night(cmd.Context(), n, watch)
			if err != nil {
				return err
			}
			return a.tellSealed(result, a.env.Now().Sub(begun))
		},
	}
	cmd.Flags().StringVar(&address, "metrics", "", "serve metrics to Prometheus at this `ADDRESS`, such as 127.0.0.1:17655, while it runs")
	n.register(cmd.Flags())
	return cmd
}

// sealed is the snapshot of a date that is sealed already, where the configuration can't be used as
// it is: who asks nothing needs no secrets. It is nil where that does not help.
func (a *app) sealed(ctx context.Context) *pipeline.Result {
	j, faults := a.read(a.flags.config, config.Options{})
	if faults.HasErrors() {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	result, err := pipeline.Sealed(ctx, pipeline.Request{World: pipeline.World{Now: a.env.Now}, Listen: a.notice, Job: j, Date: a.flags.date, State: a.flags.stateDir()})
	if err != nil {
		return nil // the configuration's faults are told instead
	}
	return result
}

// answerWithin is how long a sink may take to tell whether a date is sealed before the configuration's
// faults are told instead.
const answerWithin = 10 * time.Second

// readWithin is how long the answer about a sealed snapshot waits for its reader: the exit code says
// enough.
const readWithin = 5 * time.Second

// sealedAnswers says that what is answered from here on is about a sealed snapshot.
func (a *app) sealedAnswers() {
	a.sealedNow = true
	a.out.Limit(readWithin)
}

// tellSealed gives the answer about a sealed snapshot.
func (a *app) tellSealed(result pipeline.Result, took time.Duration) error {
	a.sealedAnswers()
	if a.flags.json {
		return errors.Join(a.answer(sealedJSON(result, took)), found(result.Code))
	}
	report(a.out.Printer(), result, took)
	if result.Already {
		a.out.Printer().Printf("To fetch that date anew: %s\n", a.line(advice.Rollcall("run").With("replace", "").With("date", result.Date)))
	}
	return found(result.Code)
}

// acceptable refuses names that are no check's.
func acceptable(accept []string, checks []job.Check) error {
	var names []string
	for _, c := range checks {
		names = append(names, c.Name)
	}
	for _, name := range accept {
		if slices.Contains(names, name) {
			continue
		}
		hint := "there are these: " + strings.Join(names, ", ")
		if near := spelling.Nearest(name, names); near != "" {
			hint = fmt.Sprintf("did you mean --accept %s?", near)
		}
		return misused(hint, "there is no check %q", name)
	}
	return nil
}

// metrics serves metrics at an address until stop is called; at the empty one, none. The listener
// is what they learn the run from. An address that another program has costs the metrics, not the run.
func (a *app) metrics(address string) (watch event.Listener, stop func(), err error) {
	none := func(event.Event) {}
	if address == "" {
		return none, func() {}, nil
	}
	m := metrics.New(a.env.Version)
	server, err := metrics.Serve(address, m)
	switch {
	case fault.KindOf(err) == fault.Transient:
		a.talk.Printer().Printf("Warning: %s; the run goes on without them (%s)\n", err.Error(), fault.HintOf(err))
		return none, func() {}, nil
	case err != nil:
		return nil, nil, err
	}
	a.talk.Printer().Printf("Metrics are served at %s\n", server.URL) // whatever --progress says: port 0 is known from nowhere else
	if a.env.served != nil {
		a.env.served(server.URL)
	}
	return m.Listen, func() {
		if err := server.Close(); err != nil { // the run went on without them
			a.talk.Printer().Printf("Warning: metrics were not served to the end: %s\n", err.Error())
		}
	}, nil
}

// order is what a command asks of a run.
type order struct {
	job      *job.Job
	state    string
	accept   []string
	given    time.Time // when the command was typed
	discard  bool
	replace  bool
	backdate bool
}

// register adds the flags of all commands that run a job: what is advised of one can be typed of each.
func (n *order) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&n.accept, "accept", nil, "seal although the check `NAME` fails; may be given several times")
	flags.BoolVar(&n.backdate, "backdate", false, "seal a --date that is over, although the vendors tell how things are today; the manifest says so")
	flags.BoolVar(&n.discard, "discard", false, "throw away what an earlier run of the date fetched, and begin anew")
	flags.BoolVar(&n.replace, "replace", false, "seal the date anew although it is sealed; the old snapshot stands until the new one is ready")
}

// checkTemporary refuses a TMPDIR that is not there. A run makes its locks against other runs of the same app in it.
func (a *app) checkTemporary() error {
	folder, set := a.env.LookupEnv("TMPDIR")
	if !set || folder == "" {
		return nil
	}
	return scratch.Check(folder)
}

// night runs a job with progress on stderr, and tells others about it too.
func (a *app) night(ctx context.Context, n order, others ...event.Listener) (pipeline.Result, error) {
	if err := a.checkTemporary(); err != nil {
		return pipeline.Result{}, err
	}
	progress := a.renderer()
	a.screen.Store(&screen{progress})
	listen := func(e event.Event) {
		for _, other := range others {
			other(e)
		}
		if notice, ok := e.(event.Notice); ok {
			notice.Hint, notice.Commands = a.say(notice.Advice()), nil
			e = notice
		}
		progress.Listen(e)
		if a.env.heard != nil {
			a.env.heard(e)
		}
	}
	transport := client.NewTransport(a.proxy(), nil)
	defer transport.Close()
	result, err := pipeline.Run(ctx, pipeline.Request{
		World: pipeline.World{
			Now: a.env.Now, Random: a.env.Random, Stdin: a.env.Stdin, Transport: transport,
			Host: a.env.Host, PID: a.env.PID, Process: a.env.Process, Look: a.env.Look, Apps: a.env.Apps, Version: a.env.Version,
		},
		Job: n.job, Date: a.flags.date, Given: n.given, Backdate: n.backdate, State: n.state, Listen: listen, Accept: n.accept, Discard: n.discard, Replace: n.replace,
	})
	progress.Close()
	a.screen.Store(nil)
	if a.flags.json {
		return result, err
	}
	if unsealed, ok := errors.AsType[*pipeline.NotSealedError](err); ok {
		gaps(a.talk.Printer(), unsealed.Gaps)
	}
	if unsealed, ok := errors.AsType[*pipeline.ChecksError](err); ok {
		checks(a.talk.Printer(), unsealed.Results)
	}
	return result, err
}
