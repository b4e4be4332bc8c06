package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"rollcall/pipeline/event"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// Requests are what the vendors were asked so far.
type Requests struct {
	Sent, Retries, Throttles int64
	Last                     time.Time
}

// Keeper writes the report of a run at work. It is safe for use by many goroutines. What it can't
// write is not told of: a report that stays behind shows its age, and the run is what matters.
type Keeper struct {
	path string
	disk disk.Disk
	now  func() time.Time

	mu     sync.Mutex
	report Report         // as it is written
	latest event.Progress // as it was told last
	kept   event.Progress // as it was told before the last flush of the spool began
	asked  func() Requests
}

// NewKeeper writes to path; begin says whose report it is.
func NewKeeper(d disk.Disk, path string, now func() time.Time, begin Report) *Keeper {
	begin.Phase = Preparing
	return &Keeper{path: path, disk: disk.Or(d), now: now, report: begin, asked: func() Requests { return Requests{} }}
}

// Asking says where the figures of requests come from.
func (k *Keeper) Asking(asked func() Requests) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = asked
}

// Listen takes the run's events.
func (k *Keeper) Listen(e event.Event) {
	p, ok := e.(event.Progress)
	if !ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.latest.Phase
	k.latest = p
	if p.Phase == event.Fetching {
		if before == "" { // of its blocks nobody knows yet what is durable, but the spool's files are
			k.report.Phase, k.report.SpoolBytes = p.Phase, p.SpoolSize
			k.write()
		}
		return
	}
	k.take(p) // all that was fetched is durable by now
	if p.Phase != before {
		k.write()
	}
}

// Flushed says that all is durable which was told before the last call.
func (k *Keeper) Flushed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept.Phase == event.Fetching {
		k.take(k.kept)
	}
	k.kept = k.latest
}

// Settled says that all is durable which was told.
func (k *Keeper) Settled() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.latest.Phase != "" {
		k.take(k.latest)
	}
}

// take puts progress into the report. Phases after fetching tell nothing of blocks: theirs stay.
func (k *Keeper) take(p event.Progress) {
	k.report.Phase, k.report.SpoolBytes, k.report.Merged, k.report.Files, k.report.Left = p.Phase, p.SpoolSize, p.Merged, p.Files, nil
	if p.Left >= 0 {
		left := p.Left.Round(time.Second).Seconds()
		k.report.Left = &left
	}
	if len(p.Blocks) == 0 {
		return
	}
	k.report.Blocks = nil
	for _, b := range p.Blocks {
		k.report.Blocks = append(k.report.Blocks, Block{b.Address, b.Unit, b.Done, b.Known, b.Final, b.Rows, b.Missing, b.Requests})
	}
}

// Keep writes the report again and again until ctx ends.
func (k *Keeper) Keep(ctx context.Context) {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for {
		k.mu.Lock()
		k.write()
		k.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// End writes the last report of a run that was not sealed.
func (k *Keeper) End(why error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	todo := fault.AdviceOf(why)
	k.report.Left, k.report.Ended, k.report.Hint, k.report.Commands = nil, why.Error(), todo.Text, todo.Commands
	k.write()
}

// write replaces the file, without waiting for the disk: after a power cut nobody needs it.
func (k *Keeper) write() {
	asked := k.asked()
	k.report.At = k.now().UTC()
	k.report.Requests, k.report.Retries, k.report.Throttles, k.report.LastRequest = asked.Sent, asked.Retries, asked.Throttles, asked.Last.UTC()
	text, err := json.Marshal(k.report)
	if err != nil {
		return
	}
	aside := k.path + ".tmp"
	file, err := k.disk.Create(aside, 0o600)
	if err != nil {
		return
	}
	_, err = bytes.NewReader(append(text, '\n')).WriteTo(file)
	if err := errors.Join(err, file.Close()); err != nil {
		_ = k.disk.Remove(aside) // the old report stays, and tells its age
		return
	}
	_ = k.disk.Rename(aside, k.path)
}
