// Package event says what a run tells while it works. Work emits events; the terminal, the log,
// JSON, metrics and tests are listeners, and none of them can slow or fail the work.
//
// A [Listener] is called from one goroutine at a time, must return soon and must not keep slices.
package event

import (
	"time"

	"rollcall/schema/advice"
)

// Event is one of the types below.
type Event interface{ isEvent() }

// Listener receives events in the order in which they happened.
type Listener func(Event)

// Started is the first event of a run that has something to do.
type Started struct {
	Date    string
	Place   string    // the sink
	Resumed bool      // an earlier run of this date left something
	Since   time.Time // when that earlier run began
	Found   int64     // keys whose answers are already in the spool
}

// Progress is the state of a run, told twice a second and once at the end of each phase.
type Progress struct {
	At        time.Time
	Elapsed   time.Duration
	Phase     Phase
	Blocks    []Block
	Endpoints []Endpoint
	Left      time.Duration // until all that is known is asked; negative: not known yet
	AtLeast   bool          // Left is a lower bound: more may become known, or nothing tells how much that costs
	SpoolSize int64         // bytes on disk
	Merged    int64         // rows merged so far
	Files     int           // files stored so far
}

// Rate is how many requests a second all endpoints get that have something to ask; negative where it is not known.
func (p Progress) Rate() float64 {
	sum := -1.0
	for _, e := range p.Endpoints {
		if e.Rate >= 0 {
			sum = max(sum, 0) + e.Rate
		}
	}
	return sum
}

// Phase is what a run is doing.
type Phase string

// The phases in their order.
const (
	Fetching Phase = "fetching"
	Merging  Phase = "merging"
	Storing  Phase = "storing"
	Sealing  Phase = "sealing"
)

// Block is the state of one data block. Done, Pending and Known count keys; of a role block, pairs. Done and
// Known never fall within a run.
type Block struct {
	Address  string
	Source   string
	Endpoint string // budget name
	Unit     string // what is counted: "users", "groups" or "pairs"
	Done     int64
	Pending  int64 // being asked, or answered and not in the spool yet
	Known    int64 // all keys of the block where Final, else at least so many
	Final    bool  // no more keys can become known
	Rows     int64
	Missing  int64 // failed and denied
	Requests int64 // sent, repeated ones included; of earlier runs those of the keys that are kept
	Activity Activity
	For      []string      // addresses of the data blocks that it waits for
	Batch    int           // pairs that fill a batch; 0: keys are asked one by one
	Left     time.Duration // negative: not known yet
	AtLeast  bool          // Left is a lower bound
}

// Activity is what a data block does.
type Activity string

// The activities.
const (
	Asking  Activity = ""         // keys are asked
	Waiting Activity = "waiting"  // for the data blocks in For to name more keys
	Filling Activity = "filling"  // pairs are known, and too few of each group to fill a batch: For may name more
	Proving Activity = "proving"  // all is asked, and connections are ended to prove whose the last answers are
	Stopped Activity = "stopped"  // no more keys are asked, although some are left
	Ended   Activity = "finished" // all keys have an outcome
)

// Endpoint is the state of one endpoint's budget.
type Endpoint struct {
	Source    string
	Name      string  // budget name
	PerSecond float64 // the budget
	Allowed   float64 // what share, window and throttling leave of it now, requests a second
	Pace      float64 // requests sent in the last ten seconds, a second
	Rate      float64 // the same, but for the time in which it had nothing to ask; negative: not known yet

	// Counted since this process began to ask. Requests that are on their way, and those that were
	// cut off when the run was stopped, are neither throttled nor failed nor answered.
	Requests  int64 // sent, repeated ones included
	Retries   int64 // of these, sent again for one that had failed or been throttled
	Throttles int64
	Failures  int64 // transient ones
	Answers   int64
	Elsewhere int64 // of Requests, those sent to the backup host
	Switches  int64 // from one host to the other
	Backup    bool  // the backup host is in use

	Latency   time.Duration     // of an answer, the mean
	Took      time.Duration     // all answers together
	Bounds    [11]time.Duration // ascending upper bounds of the latencies in Latencies
	Latencies [12]int64         // answers by latency; the last is for those above all bounds
}

// Notice is a sentence for the person who watches.
type Notice struct {
	Warning  bool
	Recovery bool // what an earlier warning said is over: it is shown wherever warnings are
	Text     string
	Hint     string

	Commands []advice.Command // each in the place of a {} in Hint
}

// Advice is what the notice says to do.
func (n Notice) Advice() advice.Advice { return advice.Say(n.Hint, n.Commands...) }

func (Started) isEvent()  {}
func (Progress) isEvent() {}
func (Notice) isEvent()   {}
