package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"sync"
	"time"

	"rollcall/pipeline/event"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// Requests are what became of what the vendors were asked so far.
type Requests struct {
	Retries, Throttles int64
	Last               time.Time
}

// Keeper writes the report of a run at work. It is safe for use by many goroutines. What it can't
// write is not told of: a report that stays behind shows its age, and the run is what matters.
type Keeper struct {
	path string
	disk disk.Disk
	now  func() time.Time

	mu     sync.Mutex
	report Report           // as it is written
	latest event.Progress   // as it was told last
	kept   event.Progress   // as it was told before the last flush of the spool began
	lost   map[string]int64 // requests of earlier processes for answers that were not kept, by data block
	asked  func() Requests  // nil: nothing was asked by this process
}

// NewKeeper writes to path; begin says whose report it is, and before, which may be nil, what the last process of
// the run reported.
func NewKeeper(d disk.Disk, path string, now func() time.Time, begin Report, before *Report) *Keeper {
	begin.Phase = Preparing
	if before != nil {
		begin.Blocks, begin.SpoolBytes = before.Blocks, before.SpoolBytes
		begin.Requests, begin.Retries, begin.Throttles, begin.LastRequest = before.Requests, before.Retries, before.Throttles, before.LastRequest
		begin.rest()
	}
	return &Keeper{path: path, disk: disk.Or(d), now: now, report: begin}
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
		if before == "" { // what it says at first it has from the spool
			k.carry(p)
			k.take(p)
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

// carry remembers what the processes before this one were answered in vain: the spool does not know of it.
func (k *Keeper) carry(p event.Progress) {
	k.lost = map[string]int64{}
	for _, before := range k.report.Blocks {
		for _, b := range p.Blocks {
			if b.Address == before.Data {
				k.lost[b.Address] = max(0, before.Requests-b.Requests)
			}
		}
	}
}

// take puts into the report what is durable of a progress. Phases after fetching tell nothing of blocks: theirs
// stay.
func (k *Keeper) take(p event.Progress) {
	k.report.Phase, k.report.SpoolBytes, k.report.Merged, k.report.Files = p.Phase, p.SpoolSize, p.Merged, p.Files
	if len(p.Blocks) == 0 {
		k.report.rest()
		return
	}
	k.report.Blocks = nil
	for _, b := range p.Blocks {
		k.report.Blocks = append(k.report.Blocks, Block{Data: b.Address, Unit: b.Unit, Done: b.Done, Rows: b.Rows, Missing: b.Missing})
	}
	k.ask()
}

// ask puts into the report what was told last of requests and of keys that are not durable. All figures of a
// written report are so of one moment, but for what is done, which is of the flush before it.
func (k *Keeper) ask() {
	p := k.latest
	if p.Phase != event.Fetching || len(p.Blocks) != len(k.report.Blocks) {
		return
	}
	k.report.Requests, k.report.Left, k.report.AtLeast, k.report.Rate = 0, nil, false, nil
	for i, b := range p.Blocks {
		kept := &k.report.Blocks[i]
		kept.Known, kept.Final, kept.Requests = b.Known, b.Final, b.Requests+k.lost[b.Address]
		kept.Pending = b.Done + b.Pending - kept.Done
		k.report.Requests += kept.Requests
	}
	if p.Left >= 0 {
		left := p.Left.Round(time.Second).Seconds()
		k.report.Left, k.report.AtLeast = &left, p.AtLeast
	}
	if rate := p.Rate(); rate >= 0 {
		rate = math.Round(10*rate) / 10
		k.report.Rate = &rate
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
	k.ask()
	k.report.rest()
	k.latest = event.Progress{} // nothing more happens
	k.report.Ended, k.report.Hint, k.report.Commands = why.Error(), todo.Text, todo.Commands
	k.write()
}

// write replaces the file, without waiting for the disk: after a power cut nobody needs it.
func (k *Keeper) write() {
	k.ask()
	k.report.At = k.now().UTC()
	if k.asked != nil {
		asked := k.asked()
		k.report.Retries, k.report.Throttles, k.report.LastRequest = asked.Retries, asked.Throttles, asked.Last.UTC()
	}
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
