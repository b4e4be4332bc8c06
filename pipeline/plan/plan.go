// Package plan says what a run would ask, how long it would take and what it would seal, without
// asking a vendor anything.
//
// What it knows it counts: the IDs of the lists, each once, and what a stopped run of the date
// still has to ask. What only the vendors know it takes from the snapshot sealed last: each key is
// expected to cost what it cost then. Where there is no such snapshot it says "at least". Lists are
// compared with those of the nearest earlier date, as a run would. Every
// figure is therefore a [Count] with its bounds, and a [Basis] that tells where it comes from.
//
// Time follows from package budget: places are held for a second and the latency, so requests
// leave at limit/(1.001 s + latency); over time windows this is integrated. A run takes as long as
// its busiest endpoint or its longest chain.
//
// Make changes nothing: not the sink, not what a run left. It reads the state folder under its
// lock; where a run is at work there, it plans as if nothing had been asked and says so. A sink that
// can't be read, or is silent for ten seconds, costs the figures of the snapshot sealed last: who plans needs no
// access to it. Errors are those that a run would end with: an unreadable list, a damaged manifest, a
// configuration that the unsealed night doesn't fit.
package plan

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"rollcall/pipeline/job"
	"rollcall/pipeline/state"
	"rollcall/schema/process"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// Request asks for a plan.
type Request struct {
	Job    *job.Job
	Date   string     // 2026-11-21; empty: as a run would choose
	State  string     // the state folder; it need not exist
	Sink   sinks.Sink // nil: Closed says why
	Closed error      // why the sink could not be opened
	Temp   string     // an empty folder for copies of lists and of the base's ledger
	Stdin  io.Reader
	Now    func() time.Time // when the run would start; its zone is the one that people read
	Random func() uint64
	Holder state.Holder // who looks into the state folder, for who is kept out meanwhile

	Warn func(text, hint string)                 // hears of what may be a mistake in a list; nil: nobody does
	Look func(process.Identity) process.Liveness // tells whether a process lives; nil: nobody can tell
}

// Plan is what a run would do.
type Plan struct {
	Date            string     `json:"date"`
	Place           string     `json:"place"`
	Sealed          bool       `json:"sealed"` // the date is sealed: a run would ask nothing, and nothing below is set
	SealedAt        *time.Time `json:"sealed_at"`
	Base            string     `json:"base"`              // date of the snapshot whose figures were used; empty: none
	Running         bool       `json:"running"`           // a run is at work in the state folder
	Resumed         bool       `json:"resumed"`           // the run would go on where an earlier one stopped
	Answered        int64      `json:"answered"`          // keys that the earlier run had answered
	Lists           []List     `json:"lists"`             // in the order of their names
	ListsBase       string     `json:"lists_base"`        // the nearest earlier sealed date, with which a run compares its lists; empty: none
	Blocks          []Block    `json:"blocks"`            // in the order of their addresses; the command line shows upstream first
	Endpoints       []Endpoint `json:"endpoints"`         // the slowest first
	Requests        Count      `json:"requests"`          // of all endpoints
	SecondsAtBudget float64    `json:"seconds_at_budget"` // of the slowest endpoint: requests over its limit
	Seconds         float64    `json:"seconds"`           // of the whole run
	Bound           string     `json:"bound"`             // what decides them: an endpoint, or the data block that ends a chain
	StartsAt        time.Time  `json:"starts_at"`         // now
	EndsAt          time.Time  `json:"ends_at"`
	EndsAtUTC       time.Time  `json:"ends_at_utc"`
	Files           int64      `json:"files"`
	Rows            *int64     `json:"rows"`  // of all tables; null: not known before the first snapshot
	Bytes           *int64     `json:"bytes"` // of all files
	Warnings        []Warning  `json:"warnings"`
	Notes           []string   `json:"notes"`
	Unread          []Unread   `json:"unread"` // what would have told more
}

// Unread is what could not be read, which costs the plan its figures and no more.
type Unread struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
	Hint   string `json:"hint"`
}

// List is one ID list.
type List struct {
	Name   string `json:"name"`
	IDs    int64  `json:"ids"`    // each counted once
	Before *int64 `json:"before"` // of the list of that name in ListsBase; null: there is none
}

// Block is one data block.
type Block struct {
	Address  string  `json:"address"`
	Endpoint string  `json:"endpoint"` // name of the Endpoint that it asks
	Unit     string  `json:"unit"`     // users, groups or batches
	Given    int64   `json:"given"`    // different keys in its lists
	Answered int64   `json:"answered"` // keys that an earlier run had answered
	Unread   bool    `json:"unread"`   // a list of its keys, or of those of a block before it, could not be read
	Keys     Count   `json:"keys"`     // to be asked, given and discovered
	Requests Count   `json:"requests"`
	Basis    Basis   `json:"basis"`   // of Requests
	Seconds  float64 `json:"seconds"` // from the run's start to its last answer
}

// Basis is where a figure comes from.
type Basis string

// The bases.
const (
	Exact    Basis = "exact"
	Snapshot Basis = "snapshot" // the figures of Plan.Base
	Tonight  Basis = "tonight"  // what the stopped run was answered so far
	AtLeast  Basis = "at_least" // nothing is known but the keys
)

// Endpoint is one endpoint of one vendor app, with all data blocks that ask it.
type Endpoint struct {
	Name            string  `json:"name"`       // rongcloud.prod group_members
	PerSecond       float64 `json:"per_second"` // the budget
	Limit           float64 `json:"limit"`      // what share and windows leave of it now
	Use             float64 `json:"use"`        // the part of the limit that pacing can reach, 0 to 1
	LatencyMS       float64 `json:"latency_ms"`
	LatencyAssumed  bool    `json:"latency_assumed"` // no snapshot tells it
	Requests        Count   `json:"requests"`
	SecondsAtBudget float64 `json:"seconds_at_budget"` // requests over limit
	Seconds         float64 `json:"seconds"`           // from the run's start to its last answer
}

// Warning is something to change before running.
type Warning struct {
	Text   string   `json:"text"`
	Levers []string `json:"levers"` // what helps, and how much
}

const (
	startAndSeal = time.Second           // what a run takes beside asking
	guess        = 50 * time.Millisecond // latency where no snapshot tells it
	dayLong      = 24 * time.Hour        // a longer run can't be a nightly one
)

// place is the sink's name, whether it could be opened or not.
func (r Request) place() string {
	if r.Sink != nil {
		return r.Sink.String()
	}
	return r.Job.Sink.Place()
}

// Make plans one run. With the error of a list in a bucket that can't be read comes the plan of all the rest.
func Make(ctx context.Context, r Request) (Plan, error) {
	p := &planner{Request: r, Plan: Plan{StartsAt: r.Now(), Place: r.place(), Lists: []List{}, Warnings: []Warning{}, Notes: []string{}, Unread: []Unread{}}}
	found, err := p.openState()
	if err != nil {
		return Plan{}, err
	}
	defer found.close()
	err = p.readSink(ctx, "whether "+p.Plan.Date+" is sealed is not known, and figures of the snapshot sealed last are missing", p.findSealed)
	if err != nil || p.Sealed {
		return p.Plan, err
	}
	if err := found.takeUp(p); err != nil {
		return Plan{}, err
	}
	if err := p.readSink(ctx, "figures of the snapshot sealed last are missing", p.readBase); err != nil {
		return Plan{}, err
	}
	if err := p.lay(); err != nil {
		return Plan{}, err
	}
	if err := p.count(ctx, found); err != nil {
		return Plan{}, err
	}
	for _, b := range p.blocks {
		b.estimate()
	}
	p.schedule()
	p.expectFiles()
	p.compareLists()
	p.advise()
	p.judgeDate()
	p.render()
	return p.Plan, p.unlisted
}

// planner is a plan being made.
type planner struct {
	Request
	Plan
	base   *base              // nil: none
	before *manifest.Manifest // of ListsBase; nil: none
	blocks []*block
	lanes  []*lane

	unlisted error // why a list could not be read; nil: all were
}

// findSealed finds out whether there is nothing to plan.
func (p *planner) findSealed(ctx context.Context) error {
	m, err := manifest.Read(ctx, p.Sink, manifest.Path(p.Plan.Date))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	p.Sealed = true
	at := m.SealedAt.Time()
	p.SealedAt = &at
	p.EndsAt, p.EndsAtUTC = p.StartsAt, p.StartsAt.UTC()
	p.Plan.Blocks, p.Endpoints, p.Plan.Lists = []Block{}, []Endpoint{}, []List{}
	p.Requests = exactly(0)
	return nil
}

// judgeDate notes where a run would refuse the date.
func (p *planner) judgeDate() {
	switch {
	case p.Request.Date == "":
	case state.ToCome(p.Plan.Date, p.StartsAt): // also what was fetched by a clock that was ahead
		p.Notes = append(p.Notes, "a run refuses "+p.Plan.Date+", which has not come yet")
	case p.Resumed:
	case state.Over(p.Plan.Date, p.StartsAt):
		p.Notes = append(p.Notes, "a run refuses "+p.Plan.Date+", which is over, unless --backdate is given: the vendors tell how things are now")
	}
}

// lay connects blocks and endpoints as a run does: two sources of one app share its budgets.
func (p *planner) lay() error {
	lanes := map[laneKey]*lane{}
	byAddress := map[string]*block{}
	for i, d := range p.Job.Data {
		s := p.Job.Sources[slices.IndexFunc(p.Job.Sources, func(s job.Source) bool { return s.Address == d.Source })]
		key := laneKey{s.Definition.Type, s.Config.Account().AppID, d.Kind.Name}
		if key.app == "" { // it stands where secrets do, which a plan does without
			key.app = s.Address
		}
		if lanes[key] == nil {
			l, err := p.newLane(s, d.Kind.Name)
			if err != nil {
				return err
			}
			lanes[key] = l
			p.lanes = append(p.lanes, l)
		}
		b := &block{data: d, index: i, lane: lanes[key], definition: s.Definition, retries: p.base.retries(d), listed: p.base.listed(d), sizes: map[int64]int64{}, started: map[int64]int64{}}
		b.lane.blocks = append(b.lane.blocks, b)
		p.blocks = append(p.blocks, b)
		byAddress[d.Address] = b
	}
	for _, b := range p.blocks {
		for _, address := range b.data.Upstream() {
			b.upstream = append(b.upstream, byAddress[address])
		}
	}
	return nil
}

type laneKey struct{ vendor, app, name string }

// copyTo makes a local copy of a file of the sink.
func copyTo(ctx context.Context, sink sinks.Sink, path, target string) error {
	from, err := sink.Open(ctx, path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(target)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}
