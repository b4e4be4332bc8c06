// Package spool keeps what a run has fetched, on local disk, until it is merged: whole keys only,
// in sorted, self-contained runs of Arrow IPC.
package spool

import (
	"rollcall/schema"
	"rollcall/sources"
)

// Block is one data block as the spool knows it.
type Block struct {
	Address string      // "rongcloud_group_members.all"
	Source  string      // "rongcloud.prod"
	View    schema.View // of its rows
}

// Entry is one whole key: its outcome and its rows enter the spool together.
type Entry struct {
	Record Record
	Rows   []sources.Row
	Whole  bool // the reading was whole, so its rows may accuse
}

// Record is what became of one key, or of one batch of a role key.
type Record struct {
	Block      int // index into the spool's blocks
	Key        string
	Generation int // number of the process start that asked, from 1; later generations supersede failures of earlier ones
	Outcome    schema.Outcome
	Verdict    schema.Verdict
	Rows       int64
	Declared   int64 // -1: none
	Requests   int64
	Attempts   int64
	Replaced   int64  // texts in which invalid Unicode became U+FFFD
	Code       string // the vendor's, empty where there is none
	Message    string
	AskedAt    int64 // microseconds since 1970 UTC
	AnsweredAt int64
}

// Row is one row of one view, as it lies in the spool.
type Row struct {
	Block int
	Whole bool
	sources.Row
}

// Group is what one run of one block learned of a group besides its members.
type Group struct {
	Block      int
	ID         string
	Name, Type schema.Text
}
