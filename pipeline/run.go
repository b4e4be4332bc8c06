// Package pipeline is what each command of Rollcall does, without HCL and without printing.
//
// [Run] is the night's work: it takes a job, asks the vendors, merges the answers and seals one
// snapshot. It goes on by itself where an earlier run of the same date stopped. Its promises: a
// snapshot is sealed whole or not at all; what was fetched survives any stop; every key that was
// asked has its outcome in the snapshot; a date that is sealed is not asked again, unless it is to
// be replaced: then the old snapshot stands until the new one is ready.
//
// Failures come back as errors that package cmd/export/cli turns into exit codes: *NotSealedError
// where more is missing than tolerated, *ChecksError where a check
// failed, *StoppedError where running again goes on, *state.HeldError,
// *applock.HeldError and *sinks.HeldError where another run is at work, and *fault.Error by its kind for the rest.
//
// A run holds three locks while it asks: that of its state folder, that of each app on this machine, and
// that of the sink, without whose heartbeat no request leaves (package fence). It gives the last two back
// when its last request has been counted by the vendor, and no sooner.
package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"rollcall/pipeline/applock"
	"rollcall/pipeline/budget"
	"rollcall/pipeline/event"
	"rollcall/pipeline/fence"
	"rollcall/pipeline/fetch"
	"rollcall/pipeline/job"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/spool"
	"rollcall/pipeline/state"
	"rollcall/pipeline/status"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/schema/process"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// World is what a run is given of the machine it runs on.
type World struct {
	Now       func() time.Time
	Random    func() uint64
	Stdin     io.Reader
	Transport http.RoundTripper // nil: client.NewTransport without a proxy
	Bucket    HTTPClient        // sends what the S3 sink asks; nil: the AWS SDK's own
	Disk      disk.Disk         // nil: the real one
	Host      string            // for the locks
	PID       int
	Process   process.Identity                        // this one's, for the locks
	Look      func(process.Identity) process.Liveness // tells whether a process lives; nil: nobody can tell
	Apps      applock.Place                           // where this machine's runs meet that ask the same app
	Linger    time.Duration                           // how long the locks outlive the last request; 0: budget.Grace
	Version   string                                  // of the program, for the manifest
}

// HTTPClient is an *http.Client, or what stands in for one.
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

// Request asks for one snapshot.
type Request struct {
	World
	Job    *job.Job
	Date   string    // 2026-11-21; empty: the state folder's fresh unsealed date, else today in UTC
	Given  time.Time // when that was asked for: what Date is held against; zero: Now()
	State  string    // the state folder
	Listen event.Listener
	Accept []string // checks that seal all the same when they fail

	Discard  bool       // throw away what an earlier run of the date fetched, and begin anew
	Backdate bool       // seal a date although it is over
	Replace  bool       // seal a date anew that is sealed; one that is not is sealed as ever
	Sink     sinks.Sink // nil: the one that the job names

	Workers int // of each endpoint; 0: as many as its pace and latency need
	Memory  int // what the spool gathers before it writes a run, in bytes; 0: 16 MiB
}

// Result is a sealed snapshot.
type Result struct {
	Date     string
	Place    string // the sink
	Already  bool   // it was sealed before this run, which asked nothing
	Code     int    // 0: complete; 3: sealed, but not whole
	Path     string // of the manifest in the sink
	Sum      string // SHA-256 of the manifest, in hex
	Manifest manifest.Manifest
	Gaps     []Gap  // what is missing, largest first; empty when Already
	Report   string // path of the page in the sink; empty: this run wrote none
	URL      func(path string) string
}

// Exit codes of a sealed snapshot; see the published table.
const (
	CodeComplete = 0
	CodeNotWhole = 3
)

// StoppedError says that a run ended before its snapshot was sealed, and that running it again
// goes on from there.
type StoppedError struct {
	Date    string
	Done    int64 // keys whose answers are kept; -1: it was not looked at
	Message string
	Err     error
}

// Error says how far the run came.
func (e *StoppedError) Error() string {
	if e.Done < 0 {
		return e.Message
	}
	switch e.Done {
	case 0:
		return fmt.Sprintf("%s; no answers of %s are kept yet", e.Message, e.Date)
	case 1:
		return fmt.Sprintf("%s; the answer about 1 key of %s is kept", e.Message, e.Date)
	}
	return fmt.Sprintf("%s; the answers about %s of %s are kept", e.Message, countKeys(e.Done), e.Date)
}

// Unwrap gives the cause.
func (e *StoppedError) Unwrap() error { return e.Err }

// NotSealedError says that more keys are missing than the configuration tolerates.
type NotSealedError struct {
	Date           string
	Missing, Asked int64
	Gaps           []Gap
}

// Error counts what is missing.
func (e *NotSealedError) Error() string {
	return fmt.Sprintf("the snapshot of %s is not sealed: %d of %d keys are missing, more than tolerate_failed allows", e.Date, e.Missing, e.Asked)
}

// Run carries out the job for one snapshot date. See the package comment for how it ends.
func Run(ctx context.Context, r Request) (result Result, err error) {
	defer func() { err = r.diskFault(err) }()
	r.Listen = hiding(pseudonym.New(r.Job.Columns), r.Listen)
	folder, err := r.openState()
	if err != nil {
		return Result{}, err
	}
	defer folder.Close()
	sink, err := r.open(ctx)
	if err != nil {
		return Result{}, err
	}
	chosen, err := choose(ctx, r, folder, sink)
	if err != nil {
		return Result{}, err
	}
	date, sealed := chosen.date, chosen.done
	if sealed != nil && (chosen.kept != nil || !folder.Holds(date)) {
		r.tellKept(chosen.kept)
		return *sealed, r.finishRetention(ctx, sink, sealed.Manifest)
	}
	run := &run{Request: r, date: date, folder: folder, sink: sink, veil: pseudonym.New(r.Job.Columns)}
	defer run.unlockApps()
	if sealed == nil {
		if err := run.lockApps(); err != nil {
			return Result{}, err
		}
	}
	run.lock, err = run.lockSink(ctx)
	if err != nil && sealed != nil {
		return *sealed, r.finishRetention(ctx, sink, sealed.Manifest) // what the run left that sealed it is for the next one to clear away
	}
	if ctx.Err() != nil && err != nil {
		return Result{}, &StoppedError{Date: date, Done: -1, Message: "stopped while waiting for the lock of " + sink.String(), Err: err}
	}
	if err != nil {
		return Result{}, err // which names the place
	}
	result, err = run.locked(ctx)
	run.unlockSink(ctx, err)
	if err == nil && !run.spare { // now, and not before: where the date is still there, a run clears away what is left in the sink, too
		run.forget()
	}
	return result, err
}

// Sealed is the snapshot that a run would find sealed and ask nothing for; nil where there is
// something to do. It takes no lock, changes nothing, and needs no secrets in the job.
func Sealed(ctx context.Context, r Request) (*Result, error) {
	sink, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	date := r.Date
	if date == "" {
		nights, err := state.Nights(r.State)
		if err != nil {
			return nil, err
		}
		date = cmp.Or(state.Pending(nights, r.Now()), r.Now().UTC().Format(time.DateOnly))
	}
	sealed, err := sealedBefore(ctx, sink, date)
	if sealed == nil || err != nil || r.Replace {
		return nil, err
	}
	return already(sink, *sealed), nil
}

// open opens the sink.
func (r Request) open(ctx context.Context) (sinks.Sink, error) {
	if r.Sink != nil {
		return r.Sink, nil
	}
	return openSink(ctx, r.Job.Sink, r.World, r.Listen)
}

// locked carries the run out, unless the date was sealed while this run waited for the lock, or
// is found to be sealed when it comes to its own seal.
func (r *run) locked(ctx context.Context) (Result, error) {
	chosen, err := settle(ctx, r.Request, r.folder, r.sink, r.date)
	if err != nil {
		return Result{}, err
	}
	if chosen.done != nil {
		if r.spare = chosen.kept != nil; r.spare {
			r.tellKept(chosen.kept)
		} else {
			if err := r.proveBefore(ctx, *chosen.done); err != nil {
				return Result{}, err
			}
			r.clear(ctx)
			chosen.done.Report = r.publish(ctx) // the run that sealed may have died before it did
		}
		return *chosen.done, r.finishRetention(ctx, r.sink, chosen.done.Manifest)
	}
	if err := r.readChain(ctx); err != nil {
		return Result{}, err
	}
	r.tellChain()
	if err := r.finishLatest(ctx); err != nil {
		return Result{}, err
	}
	r.old = chosen.old
	if err := r.discardStale(ctx, chosen); err != nil {
		return Result{}, err
	}
	if err := r.lockApps(); err != nil {
		return Result{}, err
	}
	result, err := r.carryOut(ctx)
	if err == nil {
		_, err = retain(ctx, r.sink, result.Manifest)
	}
	if _, faster := errors.AsType[*sinks.SealedError](err); !faster {
		return result, err
	}
	sealed, broken := sealedBefore(ctx, r.sink, r.date)
	if broken != nil || sealed == nil {
		return Result{}, errors.Join(err, broken)
	}
	if err := r.proveWinner(ctx, sealed.Manifest); err != nil {
		return Result{}, r.stopped(ctx, err)
	}
	return *already(r.sink, *sealed), nil
}

// What a run may hold in memory, in bytes: two buffers of the spool while fetching, and two sorters
// while merging. More of either makes fewer files and no night shorter.
const (
	spoolMemory = 16 << 20
	mergeMemory = 32 << 20
)

// What a run that ended still does at its sink is bounded: what it leaves there the next one
// removes. A run that was told to stop has less time, of the ten seconds that it has in all.
const (
	cleanupTime = 30 * time.Second
	stopTime    = 3 * time.Second
)

// cleanup gives the time for one thing that is done although ctx may have ended.
func cleanup(ctx context.Context) (context.Context, context.CancelFunc) {
	within := cleanupTime
	if ctx.Err() != nil {
		within = stopTime
	}
	return context.WithTimeout(context.WithoutCancel(ctx), within)
}

// run is one run at work, its locks held.
type run struct {
	Request
	date   string
	folder *state.Folder
	sink   sinks.Sink
	apps   *applock.Locks // nil: the run has had nothing to ask
	lock   sinks.Lock
	chain  manifest.History // of the sink, as it was when this run had the lock
	old    *manifest.Sealed // what seals the date and is to be replaced; nil: the date is not sealed
	spare  bool             // the state folder's night of the date is another run's to go on with

	night        *state.Night
	resumed      bool
	spool        *spool.Spool
	vendors      *vendors
	veil         *pseudonym.Veil             // over what is written and shown
	compared     compared                    // what the night was compared with
	acknowledged *acknowledgements           // made by the merge
	roles        map[string]map[string]int64 // that snapshots of earlier dates hold, by source and word
	kept         int64                       // keys whose answers are in the spool
	checked      time.Time                   // when the lock was last seen to be ours
	keeper       *status.Keeper
}

func (r *run) carryOut(ctx context.Context) (Result, error) {
	if r.Discard {
		if err := r.discard(); err != nil {
			return Result{}, err
		}
	}
	night, resumed, err := r.folder.Begin(r.date, Binding(r.Job), r.Now())
	if err != nil {
		return Result{}, err
	}
	r.night, r.resumed = night, resumed
	if err := r.setOut(); err != nil {
		return Result{}, err
	}
	silence := r.report(ctx)
	result, err := r.work(ctx)
	if err == nil {
		result.Report = r.publish(ctx)
	}
	silence()
	if err != nil {
		err = r.stopped(ctx, r.veil.Hide(err))
		r.keeper.End(err)
		return Result{}, err
	}
	return result, nil
}

func (r *run) work(ctx context.Context) (Result, error) {
	lists, err := r.importLists(ctx)
	if err != nil {
		return Result{}, err
	}
	if r.spool, err = spool.Open(spool.Options{Dir: r.night.Spool(), Blocks: fetch.Blocks(r.Job), Memory: cmp.Or(r.Memory, spoolMemory), Disk: r.Disk, Dropped: r.tellDropped}); err != nil {
		return Result{}, err
	}
	defer r.spool.Close()
	if r.vendors, err = r.openVendors(); err != nil {
		return Result{}, err
	}
	defer r.vendors.close()
	r.keeper.Asking(r.vendors.asked)
	if err := r.tellStart(ctx); err != nil {
		return Result{}, err
	}
	if err := r.fetch(ctx, lists); err != nil {
		return Result{}, err
	}
	return r.seal(ctx)
}

func (r *run) tellStart(ctx context.Context) error {
	found, err := readLedger(ctx, r.spool, fetch.Blocks(r.Job))
	if err != nil {
		return err
	}
	r.kept = found.asked - found.missing
	r.vendors.recall(r.Job, found)
	r.Listen(event.Started{Date: r.date, Place: r.sink.String(), Resumed: r.resumed, Since: r.night.Started, Found: r.kept})
	if r.resumed {
		r.Listen(event.Notice{Text: fmt.Sprintf("requests begin in %v: those of the run before may still count", budget.Grace)})
	}
	return nil
}

func (r *run) fetch(ctx context.Context, lists fetch.Keys) error {
	f := fetch.New(fetch.Options{
		Job: r.Job, Sources: r.vendors.sources, Endpoint: r.vendors.endpoint, Keys: lists, Spool: r.spool,
		Generation: r.night.Generation, Resumed: r.resumed, Now: r.Now, Listen: r.Listen, Every: func() error { r.keeper.Flushed(); return errors.Join(r.vendors.save(), r.checkLock(ctx)) }, Workers: r.Workers,
	})
	err := f.Run(ctx)
	if r.spool.Flush(context.WithoutCancel(ctx)) == nil {
		r.keeper.Settled()
	}
	if err != nil {
		if l, broken := readLedger(context.WithoutCancel(ctx), r.spool, fetch.Blocks(r.Job)); broken == nil {
			r.kept = l.asked - l.missing
		}
	}
	return errors.Join(err, r.folder.Asked(r.vendors.lastAsked()))
}

// stopped says in one error what a run that can go on should be told as; others pass unchanged.
func (r *run) stopped(ctx context.Context, err error) error {
	stopped := &StoppedError{Date: r.date, Done: r.kept, Err: err}
	kind := fault.KindOf(err)
	closed := &fence.ClosedError{}
	switch {
	case isHeld(err):
		return err
	case errors.As(err, &closed):
		stopped.Message = closed.Error()
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))):
		stopped.Message = "stopped before the snapshot was sealed"
	case kind == fault.Transient || kind == fault.Throttled:
		stopped.Message = err.Error()
	default:
		return err
	}
	return stopped
}
