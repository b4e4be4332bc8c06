// Package verify proves that a sink still holds what was sealed in it.
//
// [Run] looks at three things. The chain: every manifest, in the order of sealing, with its place,
// its own words and its link to the one before it. The files: each that a manifest names lies there
// with its size, nothing else lies among them, and none of a date that nobody seals: where the sink's lock names such a
// date, it is watched for up to ten seconds, since only a heartbeat that moves excuses anything. The content of one snapshot or of all: SHA-256,
// schema, order, keys and figures of each file, and the sums that must agree between tables.
//
// Everything that is wrong is a [Finding], and all of them are reported; of many alike the first
// few are told and the others counted. Dates between snapshots that have none are named, and are a finding where
// one snapshot a day is expected. An error, unlike a finding, means that the sink could not
// be read or the disk is full, and that nothing was proved. Only reading is needed. Each file is
// read once, onto local disk, and memory stays flat whatever its size.
//
// What can't be proved here: who may write the sink may also have written all of it anew, manifests
// and all. A hash kept elsewhere (Options.Head) is what shows that.
package verify

import (
	"context"
	"os"
	"slices"
	"time"

	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
	"rollcall/sinks/signature"
)

// Options says what to prove.
type Options struct {
	Date  string    // whose content is read; empty: the latest
	All   bool      // the content of every snapshot is read
	From  string    // history before this date may have been pruned; empty: it must be whole
	Share float64   // of the files whose content is read, above 0 to 1
	Daily time.Time // the time now, where a snapshot of each day is expected; zero: it is not
	Head  string    // SHA-256 of a manifest that was kept elsewhere, in hex; empty: none was

	PublicKeys []signature.PublicKey // that are trusted to have signed; none: signatures are held against the keys that they carry

	// Key tells what the keys of a data block ("rongcloud_group_members.all") are; nil or unknown:
	// its outcomes are counted, but not held against groups and users.
	Key func(data string) (kind Key, known bool)

	Scratch string         // an existing folder for one file of each table at a time
	Memory  int            // bytes for sorting; 0 means 64 MiB
	Listen  func(Progress) // may be nil

	Pause func(ctx context.Context, d time.Duration) error // waits while a lock is watched; nil: by the clock
}

// Key is what the keys of a data block are.
type Key struct {
	Groups bool // groups, else users
	Lists  bool // whether the block lists them, so that they get a verdict
}

// Progress is how far the reading of content has come.
type Progress struct {
	Date, Path  string // what is being read
	Read, Total int64  // bytes
}

// verifier is one run.
type verifier struct {
	Options
	sink   sinks.Sink
	report Report
	found  *findings

	tables     []string            // names of all
	nodes      []*node             // in the order of sealing
	dates      []string            // of the manifests that are there, readable or not
	unreadable map[string]bool     // dates whose manifests can't be read
	archived   map[string]bool     // paths of manifests that must be restored before they can be read
	chosen     map[string]bool     // paths of the files whose content is read
	orphans    map[string]bool     // dates with data files that nobody sealed or will seal
	sealedSums map[string][]string // paths of files by the SHA-256 that they were sealed with
	read       int64               // bytes

	sealedSizes map[int64]bool   // of files, in bytes
	limits      map[string]int64 // how many bytes are read of a chosen file at most, by path
}

// Run proves what options ask for. A date that is not sealed in a sink whose chain is whole, a sink
// without any, and one without any from Options.From on, give *snapshot.MissingError, unless files of it lie about. Other errors are the sink's, the disk's or the context's.
func Run(ctx context.Context, sink sinks.Sink, options Options) (Report, error) {
	if options.Memory <= 0 {
		options.Memory = 64 << 20
	}
	if options.Pause == nil {
		options.Pause = pause
	}
	scratch, err := os.MkdirTemp(options.Scratch, "rollcall-verify-*")
	if err != nil {
		return Report{}, fault.Wrap(err, "make a folder for files that are being verified")
	}
	defer os.RemoveAll(scratch)
	options.Scratch = scratch
	v := &verifier{
		Options: options, sink: sink, found: newFindings(), report: Report{Place: sink.String(), From: options.From, Share: options.Share, Dates: []string{}, Findings: []Finding{}},
		tables: tables(), unreadable: map[string]bool{}, archived: map[string]bool{}, chosen: map[string]bool{}, orphans: map[string]bool{},
		sealedSums: map[string][]string{}, sealedSizes: map[int64]bool{}, limits: map[string]int64{},
	}
	if err := v.chain(ctx); err != nil {
		return Report{}, err
	}
	if v.Date != "" && v.archived[sinks.ManifestPath(v.Date)] {
		return Report{}, v.archivedError(sinks.ManifestPath(v.Date))
	}
	v.report.Late = v.backdated()
	v.report.Missing = append([]snapshot.MissingDates{}, snapshot.Missing(v.dates, v.From, v.Daily)...)
	targets, broken := v.targets(), v.found.any()
	v.choose(targets)
	if err := v.files(ctx); err != nil {
		return Report{}, err
	}
	if len(targets) == 0 {
		if err := v.nothing(broken); err != nil {
			return Report{}, err
		}
	}
	for _, n := range targets {
		if err := v.content(ctx, n); err != nil {
			return Report{}, err
		}
		v.report.Dates = append(v.report.Dates, n.Date)
	}
	v.expectedDates()
	v.report.Findings = append(v.report.Findings, v.found.list...)
	v.report.Verdict = Verified
	if !v.report.Whole() {
		v.report.Verdict = Failed
	}
	return v.report, nil
}

// backdated are the dates of the snapshots whose vendors were asked after the date was over.
func (v *verifier) backdated() []string {
	dates := []string{}
	for _, n := range v.sealed() {
		if n.AskedLate() {
			dates = append(dates, n.Date)
		}
	}
	return dates
}

// targets are the snapshots whose content is read, by date.
func (v *verifier) targets() []*node {
	sealed := slices.DeleteFunc(v.sealed(), func(n *node) bool { return n.Date < v.From })
	switch {
	case v.All:
		return sealed
	case v.Date == "":
		return sealed[max(0, len(sealed)-1):]
	default:
		return slices.DeleteFunc(sealed, func(n *node) bool { return n.Date != v.Date })
	}
}

// sealed are the snapshots that were not replaced, by date.
func (v *verifier) sealed() []*node {
	var sealed []*node
	for _, n := range v.nodes {
		if !n.Replaced {
			sealed = append(sealed, n)
		}
	}
	slices.SortFunc(sealed, func(a, b *node) int { return compareTexts(a.Date, b.Date) })
	return sealed
}

// expectedDates finds the dates without a snapshot where one of each day is expected.
func (v *verifier) expectedDates() {
	if v.Daily.IsZero() {
		return
	}
	for _, missing := range v.report.Missing {
		v.found.add(NoSnapshot, manifest.Path(missing.From), "%s", missing.String())
	}
}

// nothing says why there is no target: what was asked for is not sealed, or what seals it is gone.
// In a chain that is broken a date that nobody ever sealed can't be told from one that was taken away.
func (v *verifier) nothing(broken bool) error {
	var dates []string
	for _, n := range v.sealed() {
		dates = append(dates, n.Date)
	}
	switch {
	case v.Date == "" && v.From != "" && len(v.dates) > 0 && slices.Max(v.dates) < v.From && len(v.report.Missing) == 0 && !v.found.any():
		return &snapshot.MissingError{Place: v.sink.String(), Date: v.From, Sealed: dates}
	case v.Date == "" && (len(dates) > 0 || len(v.archived) > 0 || v.found.any()):
		return nil
	case v.Date == "" || !broken && !v.orphans[v.Date]:
		return &snapshot.MissingError{Place: v.sink.String(), Date: v.Date, Sealed: dates}
	case !v.unreadable[v.Date] && !v.orphans[v.Date]:
		v.found.add(Missing, sinks.ManifestPath(v.Date), "no manifest seals %s", v.Date)
	}
	return nil
}

// tables are the names of all tables.
func tables() []string {
	var names []string
	for _, t := range schema.Tables() {
		names = append(names, t.Name)
	}
	return names
}
