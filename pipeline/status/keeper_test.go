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
	return event.Progress{Phase: event.Fetching, Left: -1, SpoolSize: done, Blocks: []event.Block{{Address: "a", Unit: "users", Done: done, Pending: 2, Known: 100, Requests: 3 + done}},
		Endpoints: []event.Endpoint{{Rate: 7.04}, {Rate: -1}}}
}

func TestOnlyWhatASpoolHasKeptIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "progress.json")
		k := status.NewKeeper(nil, path, time.Now, status.Report{Date: "2026-11-21", Process: holder(7)}, nil)
		k.Asking(func() status.Requests { return status.Requests{Throttles: 1, Last: now} })
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
		if r := written(); r.Phase != status.Preparing || r.Done() != 0 || r.Requests != 0 || !r.LastRequest.Equal(now) || !r.At.Equal(time.Now()) {
			t.Errorf("at first: %+v", r)
		}
		k.Listen(told(3)) // at first it is what the spool had
		if r := written(); r.Done() != 3 || r.Phase != event.Fetching || r.SpoolBytes != 3 || r.Requests != 6 {
			t.Errorf("before the first flush: %+v", r)
		}
		k.Listen(told(10))
		k.Flushed() // that flush may have begun before the ten were there
		if r := written(); r.Done() != 3 || r.Blocks[0].Pending != 9 || r.Requests != 13 || r.Blocks[0].Requests != 13 {
			t.Errorf("told before they were kept: %+v", r)
		}
		k.Listen(told(20))
		k.Flushed()
		if r := written(); r.Done() != 10 || r.Blocks[0].Pending != 12 || r.Requests != 23 || r.Phase != event.Fetching || r.SpoolBytes != 10 || r.Rate == nil || *r.Rate != 7 {
			t.Errorf("after the next flush: %+v", r)
		}
		k.Settled()
		k.Listen(event.Progress{Phase: event.Merging, Left: -1})
		k.Listen(event.Progress{Phase: event.Merging, Merged: 7, Left: -1})
		if r := written(); r.Done() != 20 || r.Phase != event.Merging || r.Merged != 7 || r.Blocks[0].Known != 100 || r.Blocks[0].Pending != 0 || r.Requests != 23 || r.Rate != nil {
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

// TestARunThatGoesOnReportsWhatTheOneBeforeItAsked from its first moment: also requests whose answers a kill lost.
func TestARunThatGoesOnReportsWhatTheOneBeforeItAsked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "progress.json")
	before := &status.Report{
		Requests: 23, Retries: 2, Throttles: 1, LastRequest: now, Rate: new(7.0), Left: new(3.0),
		Blocks: []status.Block{{Data: "a", Unit: "users", Done: 10, Pending: 12, Known: 100, Requests: 23}},
	}
	k := status.NewKeeper(nil, path, time.Now, status.Report{Date: "2026-11-21"}, before)
	written := func() *status.Report {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		stop()
		k.Keep(ctx) // writes once
		r, err := status.Read(path)
		if err != nil || r == nil {
			t.Fatalf("%+v, %v", r, err)
		}
		return r
	}
	if r := written(); r.Phase != status.Preparing || r.Done() != 10 || r.Requests != 23 || r.Retries != 2 || !r.LastRequest.Equal(now) || r.Blocks[0].Pending != 0 || r.Rate != nil || r.Left != nil {
		t.Errorf("at first: %+v", r)
	}
	k.Listen(told(11)) // one key more had come to the disk, and 14 requests are known of in the spool
	if r := written(); r.Done() != 11 || r.Requests != 23 || r.Blocks[0].Requests != 23 {
		t.Errorf("with what lies in the spool: %+v", r)
	}
	k.Listen(told(20))
	if r := written(); r.Done() != 11 || r.Blocks[0].Pending != 11 || r.Requests != 32 {
		t.Errorf("after nine more: %+v", r)
	}
	k.End(errors.New("stopped"))
	if r := written(); r.Done() != 11 || r.Blocks[0].Pending != 0 || r.Requests != 32 || r.Rate != nil {
		t.Errorf("at the end: %+v", r)
	}
}

// full is a disk without room for another byte.
type full struct{ disk.Disk }

func (full) Create(string, fs.FileMode) (disk.File, error) { return nil, errors.New("no space left") }

func TestAReportThatCannotBeWrittenLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "progress.json")
	status.NewKeeper(nil, path, time.Now, status.Report{Date: "2026-11-21"}, nil).End(errors.New("stopped"))
	status.NewKeeper(full{disk.OS{}}, path, time.Now, status.Report{Date: "2026-11-22"}, nil).End(errors.New("stopped"))
	if r, err := status.Read(path); err != nil || r == nil || r.Date != "2026-11-21" {
		t.Errorf("%+v, %v", r, err)
	}
}
