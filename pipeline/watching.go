package pipeline

import (
	"context"
	"fmt"
	"sync"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"rollcall/pipeline/event"
	"rollcall/pipeline/state"
	"rollcall/pipeline/status"
)

// report lets others see how far the run is, until what it returns is called.
func (r *run) report(ctx context.Context) (silence func()) {
	before, _ := status.Read(r.night.Progress()) // one that can't be read costs figures alone
	keeper := status.NewKeeper(r.Disk, r.night.Progress(), r.Now, status.Report{Date: r.date, Place: r.sink.String(), Process: r.folder.Holder}, before)
	listen := r.Listen
	r.keeper, r.Listen = keeper, func(e event.Event) {
		keeper.Listen(e)
		listen(e)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var beside sync.WaitGroup
	beside.Go(func() { keeper.Keep(ctx) })
	return func() {
		stop()
		beside.Wait()
	}
}

// discard throws away what an earlier run of the date fetched, and says what that was.
func (r *run) discard() error {
	nights, err := r.folder.Nights()
	if err != nil {
		return err
	}
	for _, n := range nights {
		if n.Date != r.date {
			continue
		}
		r.Listen(event.Notice{Text: "throwing away " + discarded(n)})
		if err := r.folder.Discard(r.date); err != nil {
			return err
		}
	}
	return nil
}

func discarded(n state.Night) string {
	what := fmt.Sprintf("the night of %s, begun %s", n.Date, n.Started.UTC().Format("2006-01-02 15:04:05 MST"))
	if report, err := status.Read(n.Progress()); err == nil && report != nil {
		answers := "no answers"
		if done := report.Done(); done > 0 {
			answers = "the answers about " + countKeys(done)
		}
		what += fmt.Sprintf(", with %s after %s %s", answers, humanize.Comma(report.Requests), english.PluralWord(int(report.Requests), "request", ""))
	}
	return what
}
