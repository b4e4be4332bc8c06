// Package job is a night's work as plain data: what the configuration says once it has been read
// and checked, with every reference resolved and every default filled in. It holds no HCL, opens
// nothing and does nothing; package config makes it and package pipeline carries it out.
package job

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"rollcall/schema"
	"rollcall/sinks/signature"
	"rollcall/sources"
)

// Job is one configuration.
type Job struct {
	File         string   // the configuration's path, for messages
	Sources      []Source // sorted by address
	Lists        []List   // sorted by name; only those that a data block uses, and in the order of names
	Data         []Data   // sorted by source, then address
	Sink         Sink
	Tolerate     Tolerance
	Checks       []Check           // sorted by name
	Columns      []Column          // sorted by name: those that are not written as the vendors tell them
	Acknowledged []Acknowledgement // in the order of the file
	Report       bool              // a page about the snapshot is written beside it

	// Sign signs manifests; nil: they aren't signed. Its key is zero where secrets were not asked
	// for. It is no part of the fingerprint: another key asks and answers the same.
	Sign *signature.Signer
}

// Budget is what the configuration allows one endpoint of a source, before share.
func (j *Job) Budget(source, name string) Budget {
	for _, s := range j.Sources {
		if s.Address == source {
			return s.Budgets[name]
		}
	}
	return Budget{}
}

// Source is one vendor account.
type Source struct {
	Address    string // without its kind: "rongcloud.prod"
	Definition sources.Definition
	Config     sources.Config
	Share      float64           // of every budget, above 0 and at most 1
	Budgets    map[string]Budget // by data block name ("group_members"), all of the definition's, defaults filled in
	Windows    []Window
}

// Budget is how many requests a second one endpoint may receive.
type Budget struct {
	PerSecond float64
	Even      bool // pacing = "even"
}

// Window is another share at some time of day.
type Window struct {
	From, To int // minutes after midnight; To may be before From: over midnight
	Share    float64
	TimeZone string // IANA name; "UTC" where not given
}

// List is one ids block: a file with IDs, or the IDs themselves.
type List struct {
	Name      string
	Path      string // a file or folder, local or on s3://, or "-" for standard input; empty where Values are given
	Column    string // of CSV, NDJSON and Parquet
	Delimiter rune   `json:",omitempty"` // of CSV; 0: a comma
	NoHeader  bool   `json:",omitempty"` // of CSV: its first line is a row like the others
	Values    []string

	Region    string `json:",omitempty"` // of a path on s3://; empty: the sink's
	Endpoint  string `json:",omitempty"` // likewise
	PathStyle *bool  `json:",omitempty"` // as a bucket's; nil: the sink's where Endpoint is
}

// Input is where the keys of a data block come from.
type Input struct {
	Lists []string // names of Lists
	From  []string // addresses of data blocks whose answers name keys
}

// Empty tells whether nothing was given.
func (i Input) Empty() bool { return len(i.Lists) == 0 && len(i.From) == 0 }

// Data is one data block.
type Data struct {
	Address     string // "rongcloud_group_members.all"
	Source      string // address of its source
	Kind        sources.Data
	Users       Input    // of user keys; with Groups, of role keys: every user asked in every group
	Groups      Input    // of group keys, or of role keys
	Memberships []string // addresses of data blocks whose (group, user) pairs are asked; role keys only
	Only        []schema.Role
	Topics      bool
}

// Upstream lists the addresses of all data blocks that d waits for, each once.
func (d Data) Upstream() []string {
	var all []string
	seen := map[string]bool{}
	for _, from := range [][]string{d.Users.From, d.Groups.From, d.Memberships} {
		for _, address := range from {
			if !seen[address] {
				seen[address] = true
				all = append(all, address)
			}
		}
	}
	return all
}

// Sink is the place for snapshots. Exactly one of Local and S3 is set.
type Sink struct {
	Address string // "s3.lake"
	Local   *Local
	S3      *S3
}

// Place is the sink as its own String has it.
func (s Sink) Place() string {
	if s.S3 == nil {
		return s.Local.Path
	}
	return strings.TrimSuffix("s3://"+s.S3.Bucket+"/"+s.S3.Prefix, "/")
}

// Local is a folder.
type Local struct {
	Path string // absolute
}

// S3 is a bucket. Credentials come from the AWS SDK's chain.
type S3 struct {
	Bucket, Prefix, Region string
	Endpoint               string // optional
	PathStyle              *bool  // whether the bucket stands in the path or in the host's name; nil: in the path where there is an Endpoint
	Encryption             string // "", "AES256" or "aws:kms"
	KMSKeyID               string
	Retention              Retention
}

// Retention is how long what is sealed is locked against removal; the zero value is not at all.
type Retention struct {
	Mode string // "COMPLIANCE" or "GOVERNANCE"
	Days int    // from the moment of sealing
}

// Tolerance is how many keys may be failed or denied in a sealed snapshot.
type Tolerance struct {
	Share float64 // of the keys asked, 0 to 1
	Count int64   // or so many; the larger of both counts
}

// Allows tells whether missing of asked keys are tolerated.
func (t Tolerance) Allows(missing, asked int64) bool {
	const almost = 1e-9 // 0.7 % of 1000 is 7, whatever binary fractions make of it
	return missing <= max(t.Count, int64(math.Floor(t.Share*float64(asked)+almost)))
}

// String is the tolerance as the configuration has it: "0.1%" or "10". Where both count it is "20%, or 19 if more".
func (t Tolerance) String() string {
	if t.Share > 0 && t.Count > 0 {
		return fmt.Sprintf("%v, or %d if more", Tolerance{Share: t.Share}, t.Count)
	}
	if t.Share > 0 {
		return strconv.FormatFloat(math.Round(t.Share*1e12)/1e10, 'f', -1, 64) + "%"
	}
	return strconv.FormatInt(t.Count, 10)
}

// Check is one condition that is looked at before a snapshot is sealed.
type Check struct {
	Name  string
	Kind  CheckKind
	Table string    // of Drop, and of Emptied, where it may be empty: the three that matter
	Limit Tolerance // of Drop: rows lost, of those in the base; of Ownerless: groups, of those judged; of ListShrunk and Uncovered: as Drop
	Warn  bool      // what it finds is told, and keeps nothing from being sealed
	Off   bool      `json:",omitempty"` // it is not looked at
}

// Column is a column of the tables that is left out, or whose IDs become pseudonyms.
type Column struct {
	Name string
	Drop bool          // null is written; else IDs become pseudonyms
	Key  schema.Secret // of the pseudonyms; empty where it was not asked for, or is not set
	Keep []string      // what IDs of groups may begin with that says of which kind they are: pseudonyms begin so, too
	From string        `json:"-"` // where the key comes from, as the configuration has it: env("NAME")
}

// Pseudonymous tells whether some IDs become pseudonyms.
func (j *Job) Pseudonymous() bool {
	return slices.ContainsFunc(j.Columns, func(c Column) bool { return !c.Drop })
}

// Label is the last part of an address: "all" of "rongcloud_group_members.all".
func Label(address string) string { return address[strings.LastIndexByte(address, '.')+1:] }
