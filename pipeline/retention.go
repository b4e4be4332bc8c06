package pipeline

import (
	"context"
	"fmt"
	"time"

	"rollcall/pipeline/event"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// retains tells whether a sink locks what is sealed.
func retains(sink sinks.Sink) bool {
	retainer, ok := sink.(sinks.Retainer)
	return ok && retainer.Retains()
}

// retain locks a sealed snapshot against removal, where the sink is told to. It tells whether there
// was anything left to lock.
func retain(ctx context.Context, sink sinks.Sink, m manifest.Manifest) (bool, error) {
	if !retains(sink) {
		return false, nil
	}
	locked, err := sink.(sinks.Retainer).Retain(ctx, m.SealedAt.Time(), paths(m), manifest.Path(m.Date))
	if err != nil {
		return false, fault.Wrap(err, "the snapshot of %s is sealed, but not all of it is locked against removal yet", m.Date)
	}
	return locked, nil
}

// finishRetention does for a snapshot of an earlier run what that one did not come to, and says so.
func (r Request) finishRetention(ctx context.Context, sink sinks.Sink, m manifest.Manifest) error {
	locked, err := retain(ctx, sink, m)
	if locked {
		r.Listen(event.Notice{Text: "the snapshot of " + m.Date + ", sealed at " + m.SealedAt.Time().Format(time.RFC3339) + ", was not locked against removal: now it is"})
	}
	return err
}

// finishLatest looks after the snapshot sealed last: the run that sealed it may have died before it
// had locked it. Those before it were looked after by the run that sealed this one.
func (r *run) finishLatest(ctx context.Context) error {
	if !retains(r.sink) {
		return nil
	}
	live := manifest.Live(r.chain.Chain)
	if len(live) == 0 {
		return nil
	}
	return r.finishRetention(ctx, r.sink, live[len(live)-1].Manifest)
}

// replaceable refuses to replace a snapshot of which anything is locked.
func replaceable(ctx context.Context, sink sinks.Sink, m manifest.Sealed) error {
	retainer, ok := sink.(sinks.Retainer)
	if !ok {
		return nil
	}
	until, err := retainer.Retained(ctx, append(paths(m.Manifest), m.Path))
	if err != nil || until.IsZero() {
		return err
	}
	return &fault.Error{Kind: fault.Configuration,
		Message: fmt.Sprintf("the snapshot of %s is locked against removal until %s, and can't be replaced before", m.Date, until.UTC().Format(time.RFC3339)),
		Hint:    "seal another date, or replace this one when its retention has ended"}
}

func paths(m manifest.Manifest) []string {
	var all []string
	for _, f := range m.Files {
		all = append(all, f.Path)
	}
	return all
}
