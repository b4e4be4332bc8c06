package status

import (
	"cmp"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"rollcall/pipeline/event"
	"rollcall/pipeline/state"
	"rollcall/schema/process"
)

// State is what a night's run is doing.
type State string

// The states.
const (
	None    State = "none"    // no night is unsealed
	Running State = "running" // a process is at work
	Stopped State = "stopped" // it ended before the seal, or was killed
	Silent  State = "silent"  // it should be at work, and has not been heard of
)

// heardWithin is how old the word of a process at work may be.
const heardWithin = 15 * time.Second

// Request asks what a state folder holds.
type Request struct {
	Folder string
	Date   string // empty: the night that was at work last
	Now    time.Time
	Host   string
	Alive  func(pid int) bool // of this machine

	Look func(process.Identity) process.Liveness // what is certain of a process; nil: nothing is
}

// Status is what a run has done so far.
type Status struct {
	State      State         `json:"state"`
	Folder     string        `json:"state_folder"`
	Date       string        `json:"date,omitempty"`
	Replace    bool          `json:"replace,omitempty"` // it is to replace what seals the date
	Started    time.Time     `json:"started,omitzero"`  // the night
	Starts     int           `json:"starts,omitempty"`  // processes so far
	Process    *state.Holder `json:"process"`           // that is at work, or was last
	Killed     bool          `json:"killed"`            // it stopped without a word
	HeardAt    time.Time     `json:"heard_at,omitzero"`
	Report     *Report       `json:"progress"` // nil: it has not said anything yet
	TakenUp    bool          `json:"taken_up"` // by a run that names no date
	AlsoLeft   []string      `json:"also_unsealed"`
	OtherCalls string        `json:"other_command,omitempty"` // not a run, that holds the folder just now
	NextDate   string        `json:"next_date"`               // of a run that names no date

	Night *state.Night `json:"-"`
}

// Look tells what a state folder holds.
func Look(r Request) (Status, error) {
	s := Status{State: None, Folder: r.Folder, AlsoLeft: []string{}, NextDate: r.Now.UTC().Format(time.DateOnly)}
	nights, err := state.Nights(r.Folder)
	if err != nil {
		return s, err
	}
	pending := state.Pending(nights, r.Now)
	s.NextDate = cmp.Or(pending, s.NextDate)
	holder, held, err := state.ReadHolder(r.Folder)
	if err != nil {
		return s, err
	}
	if held && holder.Command != "run" {
		if r.at(holder) {
			s.OtherCalls = holder.Command
		}
		held = false
	}
	if err := s.choose(r, nights); err != nil {
		return s, err
	}
	s.TakenUp = s.Date != "" && pending == s.Date
	s.judge(r, holder, held)
	if s.Report != nil {
		s.Report.SpoolBytes = kept(s.Night.Spool())
	}
	return s, nil
}

// kept is the size of what lies in a night's spool now, a folder for each of its runs: a report is older
// than the last files, above all that of a run that was killed. What goes away meanwhile is not counted.
func kept(spool string) (bytes int64) {
	_ = filepath.WalkDir(spool, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

// at tells whether a process may be at work: one of another machine may always be. Its ID alone is given
// again, to others.
func (r Request) at(h state.Holder) bool {
	if r.Look != nil {
		if seen := r.Look(h.Process); seen != process.Unknown {
			return seen == process.Alive
		}
	}
	return h.Host != r.Host || r.Alive(h.PID)
}

// choose finds the night asked for, or the one that was at work last.
func (s *Status) choose(r Request, nights []state.Night) error {
	var last time.Time
	for i, n := range nights {
		report, err := Read(n.Progress())
		if err != nil {
			return err
		}
		at := n.Started
		if report != nil && report.At.After(at) {
			at = report.At
		}
		if r.Date == n.Date || r.Date == "" && !at.Before(last) {
			last, s.Night, s.Report = at, &nights[i], report
		}
	}
	for _, n := range nights {
		if s.Night == nil || n.Date != s.Night.Date {
			s.AlsoLeft = append(s.AlsoLeft, n.Date)
		}
	}
	slices.Sort(s.AlsoLeft)
	if s.Night != nil {
		s.Date, s.Replace, s.Started, s.Starts = s.Night.Date, s.Night.Replace, s.Night.Started, s.Night.Generation
	}
	return nil
}

// judge says whether a process is at work on the night.
func (s *Status) judge(r Request, holder state.Holder, held bool) {
	if s.Report != nil {
		s.Process, s.HeardAt = &s.Report.Process, s.Report.At
	}
	alive := held && r.at(holder)
	mine := s.Report != nil && holder == s.Report.Process
	switch {
	case alive && mine && s.Report.Ended == "":
		s.State = Running
		if r.Now.Sub(s.HeardAt) > heardWithin {
			s.State = Silent
		}
	case alive && !mine && r.Date == "":
		// It has just begun, and has not come to its night: what is told there is of one before.
		if s.Night != nil {
			s.AlsoLeft = slices.Sorted(slices.Values(append(s.AlsoLeft, s.Date)))
		}
		*s = Status{State: Running, Folder: s.Folder, Process: &holder, HeardAt: holder.Since, AlsoLeft: s.AlsoLeft, NextDate: s.NextDate}
		if r.Now.Sub(holder.Since) > startsWithin {
			s.State = Silent
		}
	case s.Night != nil:
		s.State = Stopped
		s.Killed = s.Report == nil || s.Report.Ended == ""
		if s.Report != nil { // what was pending when it was killed says how much may be asked again
			s.Report.Left, s.Report.AtLeast, s.Report.Rate = nil, false, nil
		}
	}
}

// startsWithin is how long a process may take until it says how far it is: it may watch another's
// lock in the sink, through a network that is slow.
const startsWithin = 5 * time.Minute

// Fetched tells whether all that is known was asked, so that only merging and sealing are left.
func (s Status) Fetched() bool {
	return s.Report != nil && s.Report.Phase != Preparing && s.Report.Phase != event.Fetching
}
