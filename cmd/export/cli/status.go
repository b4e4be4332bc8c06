package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/pipeline/config"
	"rollcall/pipeline/event"
	"rollcall/pipeline/state"
	"rollcall/pipeline/status"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
)

const aboutStatus = `Tells what a run at work, or one that was stopped, has done so far, and what the next one would do.
Looks at the state folder alone: takes no lock, disturbs no run, needs neither the sink nor secrets.
Without --date it shows the night that was at work last. Ends with 0, whatever it finds.`

// statusAnswer is a status as a script reads it.
type statusAnswer struct {
	status.Status
	Next    string `json:"next"` // what the next run would do, in words
	Refused string `json:"refused,omitempty"`
	Also    string `json:"-"` // dates that are unsealed, too, and how to see them
	of      string // " of 2026-11-21", where that date was asked for
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "show what a running or interrupted run has done so far",
		Long:  aboutStatus,
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			s, err := status.Look(status.Request{Folder: a.flags.stateDir(), Date: a.flags.date, Now: a.env.Now(), Host: a.env.Host, Alive: a.env.Alive, Look: a.env.Look})
			if err != nil {
				return err
			}
			refused, err := a.refusal(s)
			if err != nil {
				return err
			}
			answer := statusAnswer{Status: s, Refused: refused}
			if a.flags.date != "" {
				answer.of = " of " + a.flags.date
			}
			answer.Next, answer.Also = a.say(next(s, refused)), a.say(also(s.AlsoLeft))
			if s.Report != nil {
				s.Report.Hint, s.Report.Commands = a.say(advice.Say(s.Report.Hint, s.Report.Commands...)), nil
			}
			if a.flags.json {
				return a.answer(answer)
			}
			showStatus(a.out.Printer(), answer, a.env.Now())
			return nil
		},
	}
}

// refusal says why the next run would not take the night up: the configuration has changed. One
// that is missing or faulty is for validate to complain of.
func (a *app) refusal(s status.Status) (string, error) {
	if s.Night == nil || s.State == status.Running {
		return "", nil
	}
	if _, err := os.Stat(a.flags.config); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	j, faults := a.read(a.flags.config, config.Options{})
	if faults.HasErrors() {
		return "", nil
	}
	err := pipeline.Fits(*s.Night, j)
	if changed, ok := errors.AsType[*fault.Error](err); ok {
		return changed.Message, nil
	}
	return "", err
}

// showStatus tells a status to a person.
func showStatus(w console.Printer, s statusAnswer, now time.Time) {
	switch {
	case s.State == status.None:
		w.Printf("Nothing%s is unfinished in %s", s.of, s.Folder)
		if s.OtherCalls != "" {
			w.Printf("; rollcall %s is looking into it just now", s.OtherCalls)
		}
		w.Printf(".\n")
	case s.Date == "":
		w.Printf("A run has begun: %s, and has not come to its first word yet.\n", processOf(s.Status, now))
	default:
		replacing := ""
		if s.Replace {
			replacing = ", to replace the one that is sealed"
		}
		w.Printf("Snapshot %s%s: %s\n", s.Date, replacing, headline(s.Status, now))
		if s.State == status.Stopped && s.Report != nil && s.Report.Hint != "" {
			w.Printf("  what to do: %s\n", s.Report.Hint)
		}
		showProgress(w, s.Status, now)
	}
	if len(s.AlsoLeft) > 0 {
		w.Printf("Also unsealed: %s.\n", s.Also)
	}
	w.Printf("Next: %s\n", s.Next)
}

// headline says whether somebody is at work.
func headline(s status.Status, now time.Time) string {
	switch {
	case s.State == status.Running:
		return "running, " + processOf(s, now)
	case s.State == status.Silent:
		return fmt.Sprintf("should be running, %s, but has not been heard of for %s", processOf(s, now), span(now.Sub(s.HeardAt)))
	case s.Report == nil:
		return "stopped before it could say anything"
	case s.Killed:
		return fmt.Sprintf("killed; last heard of %s", ago(s.HeardAt, now))
	default:
		return fmt.Sprintf("stopped %s: %s", ago(s.HeardAt, now), s.Report.Ended)
	}
}

func processOf(s status.Status, now time.Time) string {
	return fmt.Sprintf("process %d on %s since %s", s.Process.PID, s.Process.Host, ago(s.Process.Since, now))
}

// ago is a moment and how long before now it was.
func ago(at, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", at.UTC().Format("2006-01-02 15:04:05 MST"), span(now.Sub(at)))
}

func showProgress(w console.Printer, s status.Status, now time.Time) {
	w.Printf("  night begun %s, %s\n", ago(s.Started, now), count(s.Starts, "start"))
	r := s.Report
	if r == nil {
		return
	}
	w.Printf("  into %s\n", r.Place)
	w.Printf("  phase: %s", doing(r))
	if r.Left != nil && s.State == status.Running {
		if text := left(asSpan(*r.Left), r.AtLeast); text != "" && r.AtLeast {
			w.Printf(", %s", text)
		} else if text != "" {
			w.Printf(", about %s", text)
		}
	}
	w.Println()
	w.Printf("  %s", plural(r.Requests, "request"))
	if r.Rate != nil && s.State == status.Running {
		w.Printf(", %s a second now", tenths(*r.Rate))
	}
	if r.Throttles > 0 {
		w.Printf(", %s of them refused as too many", humanize.Comma(r.Throttles))
	}
	if !r.LastRequest.IsZero() {
		w.Printf(", the last %s", ago(r.LastRequest, now))
	}
	w.Printf("; %s kept on disk\n", humanize.IBytes(uint64(max(0, r.SpoolBytes))))
	if len(r.Blocks) == 0 {
		return
	}
	w.Println()
	table, flush := w.Table()
	table.Printf("DATA BLOCK\tDONE\tPENDING\tROWS\tMISSING\tREQUESTS\n")
	pending := int64(0)
	for _, d := range r.Blocks {
		pending += d.Pending
		table.Printf("%s\t%s of %s %s\t%s\t%s\t%s\t%s\n", d.Data, humanize.Comma(d.Done), known(d.Known, d.Final), d.Unit,
			humanize.Comma(d.Pending), humanize.Comma(d.Rows), humanize.Comma(d.Missing), humanize.Comma(d.Requests))
	}
	flush()
	if s.Killed && pending > 0 {
		w.Printf("Pending keys are asked again where their answers had not come to the disk.\n")
	}
	w.Println()
}

// doing is what the run does, or did when it ended.
func doing(r *status.Report) string {
	return working(event.Progress{Phase: r.Phase, Merged: r.Merged, Files: r.Files})
}

// command is what goes on with the run of a date.
func command(s status.Status) advice.Command {
	return state.Night{Date: s.Date, Replace: s.Replace}.Command()
}

// also names dates that are unsealed, too.
func also(dates []string) advice.Advice {
	if len(dates) == 0 {
		return advice.Advice{}
	}
	return advice.Say(strings.Join(dates, ", ")+" ({} shows that one)", advice.Rollcall("status").With("date", dates[0]))
}

// next says what the next run would do.
func next(s status.Status, refused string) advice.Advice {
	switch {
	case s.State == status.Running:
		return advice.Say("a second run would end at once with code 6")
	case s.State == status.Silent:
		return advice.Say("if that process is gone, {} takes over what it left; while it is there, a second run ends with code 6", command(s))
	case s.Date == "" && slices.Contains(s.AlsoLeft, s.NextDate):
		return advice.Say("{} goes on with that one", advice.Rollcall("run").With("date", s.NextDate))
	case s.Date == "":
		return advice.Say("{} begins "+s.NextDate+", unless that is sealed", advice.Rollcall("run").With("date", s.NextDate))
	case refused != "":
		return advice.Say("{} would be refused: "+refused, command(s))
	}
	todo := "asks only what is missing"
	if s.Fetched() {
		todo = "has nothing left to ask but what failed, then merges and seals"
	}
	if s.Report != nil && len(s.Report.Commands) > 0 {
		todo += ", unless it ends as before: what to do about that stands above"
	}
	if s.TakenUp {
		return advice.Say("{} goes on with it: it "+todo, command(s))
	}
	return advice.Say("{} goes on with it: it "+todo+"; without --date a run takes "+s.NextDate, command(s))
}
