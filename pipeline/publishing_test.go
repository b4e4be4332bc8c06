package pipeline_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/sources/simulated"
)

func TestANightLeavesItsPageBesideItsSnapshot(t *testing.T) {
	t.Parallel()
	n := newNight(t, simulated.New(unlimited(simulated.Options{Seed: 2, Users: 40, Groups: 8}))).everything()
	n.job.Report = true
	result, err := n.run(nil)
	if err != nil || result.Code != pipeline.CodeComplete || result.Report != "_reports/"+date+".html" {
		t.Fatalf("code %d, report %q, %v", result.Code, result.Report, err)
	}
	page, err := os.ReadFile(filepath.Join(n.out, result.Report))
	if err != nil || !strings.Contains(string(page), "Sealed and complete for the lists given") || !strings.Contains(string(page), result.Sum) {
		t.Errorf("the page does not tell of the night (%v):\n%.2000s", err, page)
	}
	n.job.Report = false
	if again, err := n.run(nil); err != nil || again.Report != "" {
		t.Errorf("a run without a report names %q, %v", again.Report, err)
	}
}

func TestAPageThatCanNotBeWrittenCostsNoNight(t *testing.T) {
	t.Parallel()
	n := newNight(t, simulated.New(unlimited(simulated.Options{Seed: 2, Users: 40, Groups: 8}))).everything()
	n.job.Report = true
	if err := os.WriteFile(filepath.Join(n.out, "_reports"), []byte("in the way"), 0o644); err != nil {
		t.Fatal(err)
	}
	var told []event.Notice
	result, err := n.run(func(r *pipeline.Request) {
		r.Listen = func(e event.Event) {
			if notice, ok := e.(event.Notice); ok {
				told = append(told, notice)
			}
		}
	})
	if err != nil || result.Code != pipeline.CodeComplete || result.Report != "" {
		t.Fatalf("code %d, report %q, %v", result.Code, result.Report, err)
	}
	if len(told) != 1 || !told[0].Warning || !strings.HasPrefix(told[0].Text, "the report of "+date+" was not written: ") || !strings.Contains(told[0].Advice().String(), "rollcall report "+date) {
		t.Errorf("told %+v", told)
	}
}

func TestWhatWasAskedOverTimeSurvivesAStop(t *testing.T) {
	t.Parallel()
	n := newNight(t, simulated.New(unlimited(simulated.Options{Seed: 2, Users: 200, Groups: 20}))).everything()
	if _, err := n.runCut(100); !errors.As(err, new(*pipeline.StoppedError)) {
		t.Fatalf("the run was not stopped: %v", err)
	}
	result, err := n.run(nil)
	if err != nil {
		t.Fatal(err)
	}
	for source, endpoints := range result.Manifest.Requests {
		for name, f := range endpoints {
			var sent, answers int64
			for _, requests := range f.Series.Sent {
				sent += requests
			}
			for _, l := range f.Latencies {
				answers += l.Answers
			}
			if sent != f.Requests || answers == 0 || answers > f.Requests || len(f.Series.Sent) > 240 {
				t.Errorf("%s %s: %d requests, over time %d in %d buckets, answers %d", source, name, f.Requests, sent, len(f.Series.Sent), answers)
			}
		}
	}
	held := int64(0)
	for _, memberships := range result.Manifest.RoleCounts {
		held += memberships
	}
	rows := int64(0)
	for _, f := range result.Manifest.Files {
		if f.Table == "memberships" {
			rows += f.Rows
		}
	}
	if held != rows || result.Manifest.RoleCounts["owner"] == 0 {
		t.Errorf("%d memberships by role, %d rows: %v", held, rows, result.Manifest.RoleCounts)
	}
}
