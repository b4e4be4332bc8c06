package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"time"

	"rollcall/pipeline/event"
	"rollcall/pipeline/state"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// choice is the date that a run is for, and what is there already.
type choice struct {
	date  string
	done  *Result          // its snapshot, where nothing is left to do
	kept  *state.Night     // with done: the state folder's replacement of it, which stays
	old   *manifest.Sealed // its snapshot, where that is to be replaced
	stale bool             // with old: what the state folder has of the date belongs to another order
}

// choose tells which date the run is for. One that names none takes up the state folder's newest
// fresh night that is not done, else today.
func choose(ctx context.Context, r Request, folder *state.Folder, sink sinks.Sink) (choice, error) {
	if r.Date != "" {
		return settle(ctx, r, folder, sink, r.Date)
	}
	today := state.Today(r.Now())
	nights, err := folder.Nights()
	if err != nil {
		return choice{}, err
	}
	for _, night := range state.Fresh(nights, r.Now()) {
		if night.Date == today {
			break
		}
		sealed, err := sealedBefore(ctx, sink, night.Date)
		if err != nil {
			return choice{}, err
		}
		how := standingOf(&night, sealed)
		if how == unsealed || r.Replace && (how == halfway || how == finished) {
			what := map[standing]string{unsealed: "taking up the unsealed date ", halfway: "going on with the replacement of ", finished: "looking at the replacement of "}[how]
			r.Listen(event.Notice{Text: what + night.Date + "; today, " + today + ", is for another run", Hint: "for another date, name it with --date"})
			return settle(ctx, r, folder, sink, night.Date)
		}
		if how == halfway {
			r.tellKept(&night)
		} else if err := folder.Forget(night.Date); err != nil {
			return choice{}, err
		}
	}
	return settle(ctx, r, folder, sink, today)
}

// settle tells what is to be done about a date.
func settle(ctx context.Context, r Request, folder *state.Folder, sink sinks.Sink, date string) (choice, error) {
	sealed, err := sealedBefore(ctx, sink, date)
	if err != nil {
		return choice{}, err
	}
	night, err := folder.Night(date)
	if err != nil {
		return choice{}, err
	}
	if sealed == nil {
		return choice{date: date}, r.timely(date, night, false)
	}
	how := standingOf(night, sealed)
	if r.Replace && how != finished {
		if err := r.timely(date, night, true); err != nil {
			return choice{}, err
		}
		if err := replaceable(ctx, sink, *sealed); err != nil {
			return choice{}, err
		}
	}
	switch {
	case how == halfway && r.Replace:
		return choice{date: date, old: sealed}, nil
	case how == halfway:
		return choice{date: date, done: already(sink, *sealed), kept: night}, nil
	case how == closed && r.Replace:
		return choice{date: date, old: sealed, stale: true}, nil
	default:
		return choice{date: date, done: already(sink, *sealed)}, nil
	}
}

// discardStale throws away what the state folder has of a date that is to be fetched anew.
func (r *run) discardStale(ctx context.Context, chosen choice) error {
	if !chosen.stale || !r.folder.Holds(r.date) {
		return nil
	}
	r.clear(ctx)
	return r.folder.Discard(r.date)
}

// standing is how far a date has come, by its manifest and by what the state folder remembers.
type standing int

const (
	unsealed standing = iota // no manifest seals it
	closed                   // one does, and the state folder has nothing that matters
	halfway                  // one does, and a run that is to replace just that one was stopped
	finished                 // one does, and it is what a stopped run with --replace wanted
)

func standingOf(night *state.Night, m *manifest.Sealed) standing {
	switch {
	case m == nil:
		return unsealed
	case night == nil || !night.Replace:
		return closed
	case night.Replaces == m.Sum:
		return halfway
	case night.Sealing == m.Sum, m.Replaces != nil && m.Replaces.SHA256 == night.Replaces:
		return finished
	default:
		return closed
	}
}

// timely is a fault where a date may not be asked about now: it has not come yet, or it is over, so that
// the answers of today would pass for its own. A date of which the state folder has something is no new one, unless
// the clock was ahead when that was fetched.
func (r Request) timely(date string, night *state.Night, sealed bool) error {
	given := cmp.Or(r.Given, r.Now())
	again := advice.Rollcall("run").With("date", date)
	switch {
	case state.ToCome(date, given):
		return &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf("%s has not come yet: in UTC it is %s", date, given.UTC().Format(time.DateTime)),
			Hint: "name a date that has come, or leave --date out for " + state.Today(given)}
	case night != nil && !(sealed && !night.Replace):
		return nil
	case r.Backdate:
		return nil
	case sealed && date < state.Yesterday(given):
		return &fault.Error{Kind: fault.Configuration, Message: date + " is over, and what the vendors tell now would replace what they told then",
			Hint: "if that is meant, {}: the manifest will say that the snapshot is backdated", Commands: []advice.Command{again.With("replace", "").With("backdate", "")}}
	case !sealed && state.Over(date, given):
		return &fault.Error{Kind: fault.Configuration, Message: date + " is over, and what the vendors tell now would pass for what they told then",
			Hint:     "leave --date out for " + state.Today(given) + "; if that date is meant, {}: the manifest will say that the snapshot is backdated",
			Commands: []advice.Command{again.With("backdate", "")}}
	default:
		return nil
	}
}

// tellKept says that a replacement stays as it was left, where there is one.
func (r Request) tellKept(night *state.Night) {
	if night == nil {
		return
	}
	r.Listen(event.Notice{
		Text: "a replacement of " + night.Date + " was stopped half way, and stays as it is: the old snapshot stands",
		Hint: "{} goes on with it; remove the folder " + night.Path + " to give it up", Commands: []advice.Command{night.Command()},
	})
}

// sealedBefore is the manifest that seals a date; nil where none does.
func sealedBefore(ctx context.Context, sink sinks.Sink, date string) (*manifest.Sealed, error) {
	m, err := manifest.Read(ctx, sink, manifest.Path(date))
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, believed(err, "what seals "+date+" can't be believed")
	}
	return &m, nil
}

// already is a snapshot that was sealed before.
func already(sink sinks.Sink, m manifest.Sealed) *Result {
	return &Result{Date: m.Date, Place: sink.String(), Already: true, Code: m.ExitCode, Path: m.Path, Sum: m.Sum, Manifest: m.Manifest, URL: sink.URL}
}

// setOut makes the night remember that it is to replace, and what.
func (r *run) setOut() error {
	if !r.Replace {
		return nil
	}
	sum := ""
	if r.old != nil {
		sum = r.old.Sum
		r.Listen(event.Notice{Text: "replacing the snapshot of " + r.date + " that was sealed at " + r.old.SealedAt.Time().Format(time.RFC3339) + ": it stands until the new one is ready"})
	}
	return r.night.SetOut(sum)
}

// stage opens the staging for what is to be sealed.
func (r *run) stage(ctx context.Context) (sinks.Staging, error) {
	if r.old == nil {
		return r.sink.Begin(ctx, r.lock, r.date, r.night.Journal())
	}
	return r.sink.Replace(ctx, r.lock, r.date, r.night.Journal(), sinks.Old{SHA256: r.old.Sum, To: manifest.ReplacedPath(r.date, r.old.Sequence)})
}

// place gives a manifest its place in the order of sealing. What it replaces lies aside by the time
// it is sealed; that was perhaps moved by a run that was stopped right then and has left no other trace.
func (r *run) place(ctx context.Context, m *manifest.Manifest) error {
	history, err := r.currentChain(ctx)
	if err != nil {
		return err
	}
	r.roles = namedBefore(history.Chain, r.date)
	latest, err := history.Head()
	if err != nil {
		return err
	}
	m.Sequence = 1
	if latest != nil {
		m.Sequence, m.Previous = latest.Sequence+1, r.link(*latest)
		r.tellSigner(*latest)
	}
	old, err := history.LatestOf(r.date)
	if old != nil {
		m.Replaces = r.link(*old)
	}
	return err
}

// namedBefore are the roles that the snapshots of earlier dates hold, by source and word; nil where
// none of them counted roles.
func namedBefore(chain []manifest.Sealed, date string) (named map[string]map[string]int64) {
	for _, m := range manifest.Live(chain) {
		if m.Date >= date || m.Roles == nil {
			continue
		}
		if named == nil {
			named = map[string]map[string]int64{}
		}
		for source, roles := range m.Roles {
			if named[source] == nil {
				named[source] = map[string]int64{}
			}
			maps.Copy(named[source], roles)
		}
	}
	return named
}

// link names m by the path at which it lies once this night is sealed.
func (r *run) link(m manifest.Sealed) *manifest.Link {
	if m.Date == r.date {
		m.Path = manifest.ReplacedPath(m.Date, m.Sequence)
	}
	return m.Link()
}
