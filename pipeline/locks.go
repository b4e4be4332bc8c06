package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"rollcall/pipeline/applock"
	"rollcall/pipeline/budget"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/state"
	"rollcall/schema/process"
	"rollcall/sinks"
)

// dead tells for certain that who held a sink's lock has ended. An earlier run of this very process has: the
// state folder's lock, which is ours, was its own.
func (w World) dead(o sinks.Owner) bool {
	if o.Process.Known() && o.Process == w.Process {
		return true
	}
	return w.Look != nil && w.Look(o.Process) == process.Dead
}

// openState takes the state folder.
func (r Request) openState() (*state.Folder, error) {
	return state.Open(state.Options{
		Path: r.State, Random: r.Random, Disk: r.Disk, Look: r.Look,
		Holder: state.Holder{PID: r.PID, Host: r.Host, Command: "run", Since: r.Now(), Process: r.Process},
	})
}

// lockApps takes the lock of each app that the run asks, against other runs on this machine, unless it has them.
func (r *run) lockApps() (err error) {
	if r.apps != nil {
		return nil
	}
	folder := r.State
	if absolute, err := filepath.Abs(folder); err == nil {
		folder = absolute
	}
	r.apps, err = applock.Take(r.Apps, apps(r.Job), applock.Holder{PID: r.PID, Host: r.Host, Since: r.Now().UTC().Truncate(time.Second), State: folder, Sink: r.sink.String(), Date: r.date})
	if err != nil {
		return err
	}
	if r.apps.Skipped != nil {
		r.notice("nobody keeps another run on this machine from asking the same apps at the same time, which would exceed their budgets: "+r.apps.Skipped.Error(),
			"name a folder of this user alone, of mode 0700, with XDG_RUNTIME_DIR or TMPDIR")
	}
	return nil
}

func (r *run) unlockApps() {
	if r.apps == nil {
		return
	}
	var counting time.Time
	if left := r.grace(); left > 0 {
		counting = r.Now().Add(left).UTC()
	}
	if err := r.apps.Release(counting); err != nil {
		r.notice("the locks of the apps on this machine could not be released: "+err.Error(), "they end with this process")
	}
}

// apps are those that a job asks. A server on this machine is a simulated vendor, whose apps are its own.
func apps(j *job.Job) []applock.App {
	var all []applock.App
	for _, s := range j.Sources {
		if !slices.ContainsFunc(j.Data, func(d job.Data) bool { return d.Source == s.Address }) {
			continue
		}
		account := s.Config.Account()
		all = append(all, applock.App{Source: s.Address, Vendor: s.Definition.Type, ID: account.AppID, Address: loopback(account.Endpoint)})
	}
	return all
}

// loopback is the port of an endpoint on this machine, empty for any other.
func loopback(endpoint string) string {
	to, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(to.Hostname()); to.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return ""
	}
	return "loopback:" + to.Port()
}

// waitTold is after how long a person is told that a lock is waited for.
const waitTold = 2 * time.Second

// lockSink takes the sink's lock, and says so where that takes long.
func (r *run) lockSink(ctx context.Context) (sinks.Lock, error) {
	done := make(chan struct{})
	told := make(chan struct{})
	begun, waited := r.Now(), false
	go func() {
		defer close(told)
		timer := time.NewTimer(waitTold)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			waited = true
			r.Listen(event.Notice{Text: "waiting for the lock of " + r.sink.String() + ": whoever held it last has not released it",
				Hint: "a run that is at work shows itself within " + sinks.StaleAfter.String() + "; where none does, this one goes on"})
		}
	}()
	lock, err := r.sink.Lock(ctx, sinks.Owner{State: r.folder.Owner, Host: r.Host, PID: r.PID, Date: r.date, Since: r.Now().UTC(), Process: r.Process})
	close(done)
	<-told
	if waited && err == nil {
		r.Listen(event.Notice{Text: fmt.Sprintf("the lock of %s is ours after %v: going on", r.sink.String(), r.Now().Sub(begun).Round(time.Second))})
	}
	return lock, err
}

// unlockSink releases the sink's lock, whatever happened and although ctx may be cancelled. The next run may
// begin at once: a manifest tells it when the last request was sent, and where there is none the lock is held
// until that request can't count any more.
func (r *run) unlockSink(ctx context.Context, failed error) {
	if failed != nil {
		r.waitForGrace()
	}
	last, cancel := cleanup(ctx)
	defer cancel()
	if err := r.lock.Release(last); err != nil && failed == nil {
		r.notice("the lock of "+r.sink.String()+" could not be released: "+err.Error(), "it goes stale by itself in half a minute")
	}
}

// grace is how long the last request may still count.
func (r *run) grace() time.Duration {
	if r.vendors == nil || r.vendors.lastAsked().IsZero() {
		return 0
	}
	grace := cmp.Or(r.Linger, budget.Grace)
	return min(grace, grace-r.Now().Sub(r.vendors.lastAsked()))
}

func (r *run) waitForGrace() {
	if left := r.grace(); left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		<-timer.C
	}
}

// checkEvery is how often a run that fetches asks whether the sink's lock is still its own: a host
// that slept for half a minute may have lost it. Requests don't wait for that: package fence holds them.
const checkEvery = 15 * time.Second

// checkLock stops the run where one of its locks is lost. A sink that does not answer stops nothing yet.
func (r *run) checkLock(ctx context.Context) error {
	if err := r.folder.Held(); err != nil {
		return err
	}
	if now := r.Now(); now.Sub(r.checked) < checkEvery {
		return nil
	}
	r.checked = r.Now()
	ctx, stop := context.WithTimeout(ctx, sinks.HeartbeatEvery) // whoever waits here writes nothing down
	defer stop()
	err := r.lock.Check(ctx)
	if isHeld(err) {
		return err
	}
	return nil
}

// isHeld tells whether a lock is another's.
func isHeld(err error) bool {
	_, sink := errors.AsType[*sinks.HeldError](err)
	_, folder := errors.AsType[*state.HeldError](err)
	return sink || folder
}
