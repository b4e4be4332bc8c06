package pipeline

import (
	"bytes"
	"context"
	"time"

	"rollcall/pipeline/report"
	"rollcall/pipeline/snapshot"
	"rollcall/schema/advice"
	"rollcall/sinks"
)

// publishTime bounds what a sealed night waits for its page.
const publishTime = 5 * time.Minute

// publish writes the page about the sealed night where the configuration asks for one, and gives its
// path in the sink. The night is sealed whatever becomes of it: a failure is told and no more.
func (r *run) publish(ctx context.Context) string {
	if !r.Job.Report {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	path := sinks.ReportPath(r.date)
	if err := r.writePage(ctx, path); err != nil {
		r.notice("the report of "+r.date+" was not written: "+err.Error(), "the snapshot is sealed; make the report from it with {}", advice.Rollcall("report", r.date))
		return ""
	}
	return path
}

func (r *run) writePage(ctx context.Context, path string) error {
	s, err := snapshot.Open(ctx, r.sink, r.date)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := report.Write(ctx, &page, s); err != nil {
		return err
	}
	return r.sink.Publish(ctx, path, page.Bytes())
}
