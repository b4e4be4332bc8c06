// Package status tells what a run has done so far, from beside it: another process may look while
// the run writes, without any lock, and after the run was killed.
//
// A run at work writes a small file into its night, every [Every] and at each new phase: it is
// replaced whole, so that who reads it sees one moment. What it says of keys that are done was safely in
// the spool when it was written, so that nobody is told of answers that a kill then lost; all other keys
// that were asked are pending. Requests are all that were sent, for either. The spool
// itself, which a run renames and merges under its readers' hands, is not touched.
//
// [Look] reads that file and the state folder's other words. It promises to change nothing, and
// needs neither the sink nor secrets. A file that is missing or damaged costs figures, no error.
package status

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"rollcall/pipeline/event"
	"rollcall/pipeline/state"
	"rollcall/schema/advice"
)

// Every is how often a run at work says how far it is.
const Every = 2 * time.Second

// Preparing is the phase before the first request: lists are copied, what is there is looked through.
const Preparing event.Phase = "preparing"

// Report is how far a run is, as it stands in the night's file.
type Report struct {
	Date        string       `json:"date"`
	Place       string       `json:"place"` // the sink
	Process     state.Holder `json:"process"`
	At          time.Time    `json:"at"` // when this was written
	Phase       event.Phase  `json:"phase"`
	Blocks      []Block      `json:"data"`
	Requests    int64        `json:"requests"`            // of all data blocks together
	Rate        *float64     `json:"requests_per_second"` // of the endpoints that have something to ask; nil: not known, or none is asked
	Retries     int64        `json:"retries"`
	Throttles   int64        `json:"throttles"`
	LastRequest time.Time    `json:"last_request"` // zero: nothing was asked yet
	SpoolBytes  int64        `json:"spool_bytes"`
	Left        *float64     `json:"seconds_left"`          // until all that is known is asked; nil: not known, or nothing is asked
	AtLeast     bool         `json:"seconds_left_at_least"` // that is a lower bound
	Merged      int64        `json:"merged_rows"`
	Files       int          `json:"files_stored"`
	Ended       string       `json:"ended"`          // why it ended before the seal; empty while it works and after a kill
	Hint        string       `json:"hint,omitempty"` // what to do about that

	Commands []advice.Command `json:"commands,omitempty"` // each in the place of a {} in Hint
}

// Block is how far one data block is. Done, Pending and Known count keys; of a role block, pairs.
type Block struct {
	Data     string `json:"data"`
	Unit     string `json:"unit"`    // "users", "groups" or "pairs"
	Done     int64  `json:"done"`    // their answers are kept on disk
	Pending  int64  `json:"pending"` // asked, and the answers are not there or not kept yet
	Known    int64  `json:"known"`   // at least so many, until final
	Final    bool   `json:"final"`   // no more keys can become known
	Rows     int64  `json:"rows"`
	Missing  int64  `json:"missing"`  // failed and denied
	Requests int64  `json:"requests"` // sent by all processes of the run, repeated ones and those for pending keys included
}

// Done counts the answered keys of all data blocks.
func (r *Report) Done() (done int64) {
	for _, b := range r.Blocks {
		done += b.Done - b.Missing
	}
	return done
}

// rest takes out of the report what is true only while the vendors are asked.
func (r *Report) rest() {
	r.Left, r.AtLeast, r.Rate = nil, false, nil
	for i := range r.Blocks {
		r.Blocks[i].Pending = 0
	}
}

// Read reads a report. It is nil where there is none that could be read.
func Read(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if json.Unmarshal(text, r) != nil {
		return nil, nil // torn by a power cut: it was never synced
	}
	return r, nil
}
