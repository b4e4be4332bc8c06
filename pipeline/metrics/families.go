package metrics

import (
	"strconv"
	"time"

	"rollcall/pipeline/event"
)

// Type is what Prometheus may do with a metric.
type Type string

// The types that are in use.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Family is one metric with all its labels' values.
type Family struct {
	Name   string
	Type   Type
	Labels []string
	Help   string
	read   func(state, *samples)
}

// Families are all metrics, in the order of the documentation.
func Families() []Family {
	var all []Family
	all = append(all, runFamilies()...)
	all = append(all, endpointFamilies()...)
	return append(all, blockFamilies()...)
}

func runFamilies() []Family {
	return []Family{
		{"rollcall_run_info", Gauge, []string{"date", "place", "resumed", "version"},
			"1. The snapshot date, the sink, whether an earlier run of the date is resumed, and the program's version.",
			started(func(s state, out *samples) {
				out.number(1, s.started.Date, s.started.Place, strconv.FormatBool(s.started.Resumed), s.version)
			})},
		{"rollcall_run_started_timestamp_seconds", Gauge, nil,
			"When the run began, or the first of the date where an earlier one is resumed.",
			started(func(s state, out *samples) { out.number(unix(s.started.Since)) })},
		{"rollcall_run_resumed_keys", Gauge, nil,
			"Keys whose answers an earlier run left.",
			started(func(s state, out *samples) { out.number(float64(s.started.Found)) })},
		{"rollcall_run_phase", Gauge, []string{"phase"},
			"1 for what the run is doing: fetching, merging, storing or sealing; 0 for the others.",
			progress(func(p *event.Progress, out *samples) {
				for _, phase := range []event.Phase{event.Fetching, event.Merging, event.Storing, event.Sealing} {
					out.number(truth(phase == p.Phase), string(phase))
				}
			})},
		{"rollcall_run_left_seconds", Gauge, nil,
			"Time until all keys known are asked; absent while it is not known.",
			progress(func(p *event.Progress, out *samples) { out.duration(p.Left) })},
		{"rollcall_run_progress_timestamp_seconds", Gauge, nil,
			"When the run last told its state: twice a second while fetching, then at each step.",
			progress(func(p *event.Progress, out *samples) { out.number(unix(p.At)) })},
		{"rollcall_run_warnings_total", Counter, nil,
			"Warnings told.",
			func(s state, out *samples) { out.number(float64(s.warnings)) }},
		{"rollcall_spool_bytes", Gauge, nil,
			"Size on disk of the answers that are kept until the snapshot is sealed.",
			progress(func(p *event.Progress, out *samples) { out.number(float64(p.SpoolSize)) })},
		{"rollcall_stored_files", Gauge, nil,
			"Files stored in the sink; readers see them when the snapshot is sealed.",
			progress(func(p *event.Progress, out *samples) { out.number(float64(p.Files)) })},
	}
}

func endpointFamilies() []Family {
	labels := []string{"source", "endpoint"}
	return []Family{
		{"rollcall_requests_sent_total", Counter, labels,
			"Requests sent, repeated ones included.",
			endpoints(func(e event.Endpoint, out *samples) { out.number(float64(e.Requests), e.Source, e.Name) })},
		{"rollcall_requests_total", Counter, []string{"source", "endpoint", "result"},
			"Requests that came to a result: ok (answered, be it that one key is refused), throttled, or failed (cut off, 5xx, unreadable).",
			endpoints(func(e event.Endpoint, out *samples) {
				out.number(float64(e.Answers), e.Source, e.Name, "ok")
				out.number(float64(e.Throttles), e.Source, e.Name, "throttled")
				out.number(float64(e.Failures), e.Source, e.Name, "failed")
			})},
		{"rollcall_retries_total", Counter, labels,
			"Of the requests sent, those sent again for one that had failed or been throttled.",
			endpoints(func(e event.Endpoint, out *samples) { out.number(float64(e.Retries), e.Source, e.Name) })},
		{"rollcall_requests_elsewhere_total", Counter, labels,
			"Of the requests sent, those to the backup host.",
			endpoints(func(e event.Endpoint, out *samples) { out.number(float64(e.Elsewhere), e.Source, e.Name) })},
		{"rollcall_host_switches_total", Counter, labels,
			"How often the endpoint went over to its other host, be it to the backup or back.",
			endpoints(func(e event.Endpoint, out *samples) { out.number(float64(e.Switches), e.Source, e.Name) })},
		{"rollcall_backup_in_use", Gauge, labels,
			"1 while the endpoint's requests go to the backup host, else 0.",
			endpoints(func(e event.Endpoint, out *samples) { out.number(truth(e.Backup), e.Source, e.Name) })},
		{"rollcall_request_duration_seconds", Histogram, labels,
			"Latency of requests with result ok, from their place in the budget to the last byte of the answer.",
			endpoints(func(e event.Endpoint, out *samples) { out.latencies(e) })},
		{"rollcall_budget_requests_per_second", Gauge, labels,
			"The budget that the configuration gives the endpoint.",
			endpoints(func(e event.Endpoint, out *samples) { out.number(e.PerSecond, e.Source, e.Name) })},
		{"rollcall_allowed_requests_per_second", Gauge, labels,
			"What share, window and throttling leave of the budget now.",
			endpoints(func(e event.Endpoint, out *samples) { out.number(e.Allowed, e.Source, e.Name) })},
		{"rollcall_pace_requests_per_second", Gauge, labels,
			"Requests sent in the last ten seconds, a second; 0 after fetching.",
			endpoints(func(e event.Endpoint, out *samples) { out.number(e.Pace, e.Source, e.Name) })},
	}
}

func blockFamilies() []Family {
	labels, keyLabels := []string{"data", "source", "endpoint"}, []string{"data", "source", "endpoint", "unit"}
	key := func(value func(event.Block) float64) func(state, *samples) {
		return blocks(func(b event.Block, out *samples) { out.number(value(b), b.Address, b.Source, b.Endpoint, b.Unit) })
	}
	return []Family{
		{"rollcall_keys_known", Gauge, keyLabels,
			"Keys of the data block, at least, until rollcall_keys_final is 1: users, groups, or of a role block pairs of both.",
			key(func(b event.Block) float64 { return float64(b.Known) })},
		{"rollcall_keys_final", Gauge, keyLabels,
			"1 when no more keys can become known, else 0.",
			key(func(b event.Block) float64 { return truth(b.Final) })},
		{"rollcall_keys_done", Gauge, keyLabels,
			"Keys with an outcome, earlier runs of the date included.",
			key(func(b event.Block) float64 { return float64(b.Done) })},
		{"rollcall_keys_missing", Gauge, keyLabels,
			"Of the keys done, those that failed or were denied.",
			key(func(b event.Block) float64 { return float64(b.Missing) })},
		{"rollcall_rows", Gauge, labels,
			"Rows that the keys done gave.",
			blocks(func(b event.Block, out *samples) { out.number(float64(b.Rows), b.Address, b.Source, b.Endpoint) })},
		{"rollcall_data_left_seconds", Gauge, labels,
			"Time until the data block's keys known are asked; absent while it is not known.",
			blocks(func(b event.Block, out *samples) { out.duration(b.Left, b.Address, b.Source, b.Endpoint) })},
	}
}

// started, progress, endpoints and blocks read what has been told, and nothing before.

func started(read func(state, *samples)) func(state, *samples) {
	return func(s state, out *samples) {
		if s.started != nil {
			read(s, out)
		}
	}
}

func progress(read func(*event.Progress, *samples)) func(state, *samples) {
	return func(s state, out *samples) {
		if s.progress != nil {
			read(s.progress, out)
		}
	}
}

func endpoints(read func(event.Endpoint, *samples)) func(state, *samples) {
	return progress(func(p *event.Progress, out *samples) {
		for _, e := range p.Endpoints {
			read(e, out)
		}
	})
}

func blocks(read func(event.Block, *samples)) func(state, *samples) {
	return progress(func(p *event.Progress, out *samples) {
		for _, b := range p.Blocks {
			read(b, out)
		}
	})
}

// duration is absent where it is negative: not known.
func (s *samples) duration(d time.Duration, labels ...string) {
	if d >= 0 {
		s.number(d.Seconds(), labels...)
	}
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
