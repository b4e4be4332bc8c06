// Package metrics serves the state of a run to Prometheus.
//
// [Metrics] listens to the run's events and shows the last state that they told; it knows nothing
// else of the work. [Serve] shows it over HTTP at /metrics. What is shown is listed by [Families],
// which METRICS.md is made from.
//
// It promises: counters are the run's own and exact, not samples of it; names and labels are
// never renamed or taken away; what is not known (the time left, a pace before the first request)
// is absent rather than zero; nothing that a scraper does slows or fails the run. The one failure
// is an address that can't be listened on: a Configuration fault before the run begins.
package metrics

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"rollcall/pipeline/event"
)

// Metrics is a run as its events told it last. It is safe for concurrent use.
type Metrics struct {
	families []Family
	descs    []*prometheus.Desc // of the families

	mu    sync.Mutex
	state state
}

// state is what the events have told.
type state struct {
	version  string
	started  *event.Started  // nil: not yet
	progress *event.Progress // nil: not yet
	warnings int64
}

// New makes the metrics of one run of a program of this version.
func New(version string) *Metrics {
	m := &Metrics{families: Families(), state: state{version: version}}
	for _, f := range m.families {
		m.descs = append(m.descs, prometheus.NewDesc(f.Name, f.Help, f.Labels, nil))
	}
	return m
}

// Listen takes in what an event tells. It is an [event.Listener].
func (m *Metrics) Listen(e event.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e := e.(type) {
	case event.Started:
		m.state.started = &e
	case event.Progress:
		m.state.progress = follow(m.state.progress, e)
	case event.Notice:
		if e.Warning {
			m.state.warnings++
		}
	}
}

// follow is the progress that follows another one: after fetching nothing is told of blocks and
// endpoints any more, so they stay as they were, but for the pace: nothing is asked.
func follow(before *event.Progress, p event.Progress) *event.Progress {
	p.Blocks, p.Endpoints = slices.Clone(p.Blocks), slices.Clone(p.Endpoints)
	if p.Phase == event.Fetching || before == nil {
		return &p
	}
	p.Blocks, p.Endpoints = before.Blocks, slices.Clone(before.Endpoints)
	for i := range p.Endpoints {
		p.Endpoints[i].Pace = 0
	}
	return &p
}

// Handler answers scrapes, from a registry of its own. The error is a Bug: two families of one name.
func (m *Metrics) Handler() (http.Handler, error) {
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(m); err != nil {
		return nil, err
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}), nil
}

var _ prometheus.Collector = (*Metrics)(nil)

// Describe lists the families.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range m.descs {
		out <- d
	}
}

// Collect reads every family off one and the same state.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	now := m.state // what it points to is never changed, only replaced
	m.mu.Unlock()
	for i, f := range m.families {
		f.read(now, &samples{desc: m.descs[i], kind: f.Type, out: out})
	}
}

// samples are the values of one family.
type samples struct {
	desc *prometheus.Desc
	kind Type
	out  chan<- prometheus.Metric
}

func (s *samples) number(value float64, labels ...string) {
	kind := prometheus.GaugeValue
	if s.kind == Counter {
		kind = prometheus.CounterValue
	}
	s.send(prometheus.NewConstMetric(s.desc, kind, value, spelled(labels)...))
}

// latencies are an endpoint's answers as a histogram, whose buckets each hold those before.
func (s *samples) latencies(e event.Endpoint) {
	buckets := map[float64]uint64{}
	sum := uint64(0)
	for i, bound := range e.Bounds {
		sum += uint64(e.Latencies[i])
		buckets[bound.Seconds()] = sum
	}
	sum += uint64(e.Latencies[len(e.Bounds)])
	s.send(prometheus.NewConstHistogram(s.desc, sum, e.Took.Seconds(), buckets, spelled([]string{e.Source, e.Name})...))
}

func (s *samples) send(metric prometheus.Metric, err error) {
	if err != nil {
		metric = prometheus.NewInvalidMetric(s.desc, err)
	}
	s.out <- metric
}

// spelled makes labels of texts: a folder's name need not be UTF-8, a label must be.
func spelled(labels []string) []string {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	return labels
}
