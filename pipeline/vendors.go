package pipeline

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/client"
	"rollcall/pipeline/event"
	"rollcall/pipeline/fence"
	"rollcall/pipeline/job"
	"rollcall/pipeline/state"
	"rollcall/pipeline/status"
	"rollcall/schema/advice"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
	"rollcall/sinks/manifest"
	"rollcall/sources"
)

// vendors are the job's sources, opened, with one client for all and an endpoint for each budget.
type vendors struct {
	sources   map[string]sources.Source
	endpoints map[endpointName]*client.Endpoint
	before    map[string]map[string]tally // by source and endpoint: what earlier processes of the night asked
	file      string
	disk      disk.Disk
	close     func() error // of connections; whoever handed in a transport closes it
}

type endpointName struct{ source, name string }

func (a endpointName) compare(b endpointName) int {
	return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.name, b.name))
}

// tally is what one endpoint was asked by the processes of one night.
type tally struct {
	Requests  int64         `json:"requests"`
	Retries   int64         `json:"retries"`
	Throttles int64         `json:"throttles"`
	Failures  int64         `json:"failures"` // transient
	Active    time.Duration `json:"active"`   // from the first request to the last answer, over processes
	Answers   int64         `json:"answers"`
	Latency   time.Duration `json:"latency"` // of all answers together
	First     time.Time     `json:"first"`
	Last      time.Time     `json:"last"`
	Latencies [12]int64     `json:"latencies"` // answers by client.LatencyBounds
	Series    client.Series `json:"series"`
}

// mean is the mean latency of all answers.
func (t tally) mean() time.Duration {
	return t.Latency / time.Duration(max(1, t.Answers))
}

// figures are t as a manifest tells it; perSecond is the budget.
func (t tally) figures(perSecond float64) manifest.Figures {
	f := manifest.Figures{
		Requests: t.Requests, Retries: t.Retries, Throttles: t.Throttles, PerSecond: perSecond,
		LatencyMS: float64(t.mean().Microseconds()) / 1000, Seconds: t.Active.Seconds(), Failures: t.Failures,
	}
	bounds := client.LatencyBounds()
	for i, answers := range t.Latencies {
		l := manifest.Latency{Answers: answers}
		if i < len(bounds) {
			ms := float64(bounds[i].Milliseconds())
			l.UpToMS = &ms
		}
		f.Latencies = append(f.Latencies, l)
	}
	if s := t.Series; !s.Empty() {
		f.Series = &manifest.Series{From: manifest.At(time.Unix(s.From, 0)), Step: s.Step, Sent: s.Sent, Throttled: s.Throttled, Failed: s.Failed, Limit: s.Limit}
	}
	return f
}

func (r *run) openVendors() (*vendors, error) {
	v := &vendors{sources: map[string]sources.Source{}, endpoints: map[endpointName]*client.Endpoint{}, before: map[string]map[string]tally{}, file: r.night.Figures(), disk: disk.Or(r.Disk)}
	if err := v.load(r); err != nil {
		return nil, err
	}
	heldUntil, err := r.heldUntil()
	if err != nil {
		return nil, err
	}
	transport := r.Transport
	v.close = func() error { return nil }
	if transport == nil {
		own := client.NewTransport(nil, nil)
		transport, v.close = own, own.Close
	}
	c := client.New(client.Options{Transport: transport, Now: r.Now, Random: r.Random, Fence: fence.New(r.sink.String(), r.lock, r.Now, r.Listen)})
	shared := map[appEndpoint]*client.Endpoint{} // two sources of one app have one budget
	for _, s := range r.Job.Sources {
		account := s.Config.Account()
		v.sources[s.Address] = s.Config.Open(sources.Environment{Now: r.Now, Random: r.Random})
		for _, data := range s.Definition.Data {
			app := appEndpoint{s.Definition.Type, account.AppID, data.Name}
			if shared[app] == nil {
				limit, err := budget.Schedule(s.Budgets[data.Name].PerSecond, s.Share, s.Windows, client.DefaultTimeout)
				if err != nil {
					return nil, fault.Wrap(err, "source.%s", s.Address)
				}
				shared[app] = c.Endpoint(client.Name{Source: s.Address, Data: data.Name, Path: data.Path}, budget.New(budget.Config{
					Limit: limit, Even: s.Budgets[data.Name].Even, Timeout: client.DefaultTimeout, HeldUntil: heldUntil,
				}, r.Now), client.Hosts{Main: account.Endpoint, Backup: account.Backup})
			}
			v.endpoints[endpointName{s.Address, data.Name}] = shared[app]
		}
	}
	return v, nil
}

// heldUntil is before when no request may be sent, since those of an earlier process may still
// count: one that was killed may have sent until just now. A clock that was set back since changes
// nothing.
func (r *run) heldUntil() (time.Time, error) {
	last, known, err := r.folder.Asking()
	now := r.Now()
	if r.resumed || !known || last.After(now) || r.apps != nil && r.apps.Recent || r.sealedJustNow(now) {
		return now.Add(budget.Grace), err
	}
	// Counted from now, since what was read from a file knows the wall clock alone, which may jump.
	return now.Add(last.Sub(now) + budget.Grace), err
}

// sealedJustNow tells whether requests of the run that sealed last may still count, by its manifest: it may
// have run elsewhere, and its clock may be a little ahead.
func (r *run) sealedJustNow(now time.Time) bool {
	if len(r.chain.Chain) == 0 {
		return false
	}
	last := r.chain.Chain[len(r.chain.Chain)-1].AskedUntil.Time()
	return !last.IsZero() && now.Sub(last).Abs() < budget.Grace
}

// asked adds up what all endpoints were asked.
func (v *vendors) asked() (sum status.Requests) {
	for _, endpoints := range v.tallies() {
		for _, t := range endpoints {
			sum.Retries += t.Retries
			sum.Throttles += t.Throttles
			if t.Last.After(sum.Last) {
				sum.Last = t.Last
			}
		}
	}
	return sum
}

// lastAsked is when this process last sent a request.
func (v *vendors) lastAsked() (last time.Time) {
	for _, endpoint := range v.endpoints {
		if at := endpoint.Figures().Last; at.After(last) {
			last = at
		}
	}
	return last
}

type appEndpoint struct{ vendor, app, name string }

func (r *run) notice(text, hint string, commands ...advice.Command) {
	r.Listen(event.Notice{Warning: true, Text: text, Hint: hint, Commands: commands})
}

func (v *vendors) endpoint(source, name string) *client.Endpoint {
	return v.endpoints[endpointName{source, name}]
}

// recall tells the endpoints that have answered in this night what the spool knows of it. The figures of
// earlier processes could not: a refusal of the credentials counts as an answer there, and they may be lost.
func (v *vendors) recall(j *job.Job, found ledger) {
	for i, d := range j.Data {
		if found.answered[i] {
			v.endpoint(d.Source, d.Kind.Name).Recall()
		}
	}
}

// load reads the figures of earlier processes. They are no answers: damaged ones cost a warning, not the night.
func (v *vendors) load(r *run) error {
	text, err := os.ReadFile(v.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text, whole := state.Unstamp(text)
	if err := json.Unmarshal(text, &v.before); err != nil || !whole {
		v.before = map[string]map[string]tally{}
		r.notice("the request figures of the run before were damaged on the disk ("+v.file+")", "the sources table and the manifest count requests from now on; the outcomes of keys are not touched by this")
	}
	return nil
}

// save writes down what was asked so far, this process included.
func (v *vendors) save() error {
	text, err := json.Marshal(v.tallies())
	if err != nil {
		return err
	}
	return disk.Replace(v.disk, v.file, 0o600, state.Stamp(append(text, '\n')))
}

// tallies adds what this process asked to what earlier ones did.
func (v *vendors) tallies() map[string]map[string]tally {
	all := map[string]map[string]tally{}
	counted := map[*client.Endpoint]bool{} // two sources of one app share it: the first in order has the figures
	for _, name := range slices.SortedFunc(maps.Keys(v.endpoints), endpointName.compare) {
		endpoint := v.endpoints[name]
		if counted[endpoint] {
			continue
		}
		counted[endpoint] = true
		t, g := v.before[name.source][name.name], endpoint.Figures()
		if g.Requests > 0 {
			t.Requests += g.Requests
			t.Retries += g.Retries
			t.Throttles += g.Throttles
			t.Failures += g.Failures
			t.Active += g.Last.Sub(g.First)
			t.Answers += g.Answers
			t.Latency += g.Took
			for i, answers := range g.Buckets {
				t.Latencies[i] += answers
			}
			t.Series = t.Series.Plus(g.Series)
			if t.First.IsZero() {
				t.First = g.First
			}
			t.Last = g.Last
		}
		if t.Requests == 0 {
			continue
		}
		if all[name.source] == nil {
			all[name.source] = map[string]tally{}
		}
		all[name.source][name.name] = t
	}
	return all
}
