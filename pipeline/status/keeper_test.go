package status_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/event"
	"rollcall/pipeline/status"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

func told(done int64) event.Progress {
	return event.Progress{Phase: event.Fetching, Left: -1, SpoolSize: done, Blocks: []event.Block{{Address: "a", Unit: "users", Done: done, Known: 100}}}
}

func TestOnlyWhatASpoolHasKeptIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "progress.json")
		k := status.NewKeeper(nil, path, time.Now, status.Report{Date: "2026-11-21", Process: holder(7)})
		k.Asking(func() status.Requests { return status.Requests{Sent: 12, Throttles: 1, Last: now} })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			k.Keep(ctx)
		}()
		written := func() *status.Report {
			t.Helper()
			time.Sleep(status.Every)
			synctest.Wait()
			r, err := status.Read(path)
			if err != nil || r == nil {
				t.Fatalf("%+v, %v", r, err)
			}
			return r
		}
		if r := written(); r.Phase != status.Preparing || r.Done() != 0 || r.Requests != 12 || !r.LastRequest.Equal(now) || !r.At.Equal(time.Now()) {
			t.Errorf("at first: %+v", r)
		}
		k.Listen(told(3))
		if r := written(); r.Done() != 0 || r.Phase != event.Fetching || r.SpoolBytes != 3 {
			t.Errorf("before the first flush: %+v", r)
		}
		k.Listen(told(10))
		k.Flushed() // that flush may have begun before the ten were there
		if r := written(); r.Done() != 0 {
			t.Errorf("told before they were kept: %+v", r)
		}
		k.Listen(told(20))
		k.Flushed()
		if r := written(); r.Done() != 10 || r.Phase != event.Fetching || r.SpoolBytes != 10 {
			t.Errorf("after the next flush: %+v", r)
		}
		k.Settled()
		k.Listen(event.Progress{Phase: event.Merging, Left: -1})
		k.Listen(event.Progress{Phase: event.Merging, Merged: 7, Left: -1})
		if r := written(); r.Done() != 20 || r.Phase != event.Merging || r.Merged != 7 {
			t.Errorf("while merging: %+v", r)
		}
		stop()
		<-ended
		k.End(&fault.Error{Kind: fault.Transient, Message: "the sink is down", Hint: "wait for it"})
		if r, err := status.Read(path); err != nil || r.Ended != "the sink is down" || r.Hint != "wait for it" || r.Done() != 20 {
			t.Errorf("at the end: %+v, %v", r, err)
		}
		if left, err := filepath.Glob(path + ".tmp"); err != nil || left != nil {
			t.Errorf("left: %v, %v", left, err)
		}
	})
}

// full is a disk without room for another byte.
type full struct{ disk.Disk }

func (full) Create(string, fs.FileMode) (disk.File, error) { return nil, errors.New("no space left") }

func TestAReportThatCannotBeWrittenLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "progress.json")
	status.NewKeeper(nil, path, time.Now, status.Report{Date: "2026-11-21"}).End(errors.New("stopped"))
	status.NewKeeper(full{disk.OS{}}, path, time.Now, status.Report{Date: "2026-11-22"}).End(errors.New("stopped"))
	if r, err := status.Read(path); err != nil || r == nil || r.Date != "2026-11-21" {
		t.Errorf("%+v, %v", r, err)
	}
}
