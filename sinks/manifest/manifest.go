// Package manifest is the sealed statement of what a snapshot contains, and the chain that these
// statements form.
//
// A manifest is one line of canonical JSON: the same [Manifest] always gives the same bytes, so
// that its SHA-256 names it. Each carries the sum of the manifest sealed before it, whatever their
// dates; a statement that was altered or taken away therefore shows in the next one. It may be
// signed ([Sign]): then whoever can write the sink can't write another that passes for it.
//
// [Decode] is strict. What it accepts is whole and in order; a manifest of a newer Rollcall is a
// Configuration fault that says so, anything else that is not a manifest is a fault of kind Bug
// naming what is wrong: words and figures that readers believe (exit code, counts, outcomes, verdicts,
// places of files) are held against the closed lists that they come from. Nothing here reads a clock.
package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/signature"
)

// Version is the version of the format that this package writes.
const Version = 1

// timeLayout is RFC 3339 in UTC with microseconds, always six digits.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// Manifest is what one sealed snapshot claims. Its fields stand in the JSON in this order.
type Manifest struct {
	Version       int                           `json:"version"`
	Date          string                        `json:"date"`     // the snapshot date, 2026-11-21
	Sequence      int64                         `json:"sequence"` // place in the order of sealing, from 1
	Previous      *Link                         `json:"previous"` // the manifest sealed before it; null for the first
	Replaces      *Link                         `json:"replaces"` // the manifest of the same date that it replaces; null where it is the first of its date
	Tool          string                        `json:"tool"`     // version of the program that sealed
	ExitCode      int                           `json:"exit_code"`
	SealedAt      Time                          `json:"sealed_at"`
	AskedFrom     Time                          `json:"asked_from"`  // when the first request was sent to a vendor
	AskedUntil    Time                          `json:"asked_until"` // when the last answer had been read
	Configuration string                        `json:"configuration"`
	Lists         Lists                         `json:"lists"` // in the order of names
	Files         []File                        `json:"files"` // sorted by path
	Outcomes      map[string]map[string]int64   `json:"outcomes"`
	Verdicts      Verdicts                      `json:"verdicts"`
	Requests      map[string]map[string]Figures `json:"requests"` // by source ("rongcloud.prod") and endpoint ("group_members")
	ReplacedTexts int64                         `json:"replaced_texts"`
	ChangesBase   *string                       `json:"changes_base"` // the date that changes compares with; null for the first
	Discrepancies int64                         `json:"discrepancies"`

	// Since the format was first written; older manifests don't have them.
	Checks    []Check                     `json:"checks"`    // what was looked at before sealing, in the order of names
	Roles     map[string]map[string]int64 `json:"roles"`     // memberships, by source and the vendor's word for the role; nil: not counted
	Ownership Ownership                   `json:"ownership"` // of groups

	Backdated bool `json:"backdated,omitzero"` // the vendors were asked after the date was over in UTC; absent where they were not

	CutTexts         int64            `json:"cut_texts,omitzero"`  // texts of more than 64 KiB that were cut; absent where there are none
	Data             map[string]Data  `json:"data"`                // what was asked, by data block: "rongcloud_group_members.all"; nil: not told
	ChangesBaseSum   *string          `json:"changes_base_sha256"` // of the base's manifest as it was read
	ChangesNote      string           `json:"changes_note"`        // why changes compares with nothing although there is an earlier date, or leaves something out
	Changes          map[string]int64 `json:"changes"`             // rows: "joined", "left", "role_changed"
	ChangesUncertain int64            `json:"changes_uncertain"`   // of these, those that are not certain

	RoleCounts map[string]int64 `json:"role_counts"` // memberships: "owner", "admin", "member", "unknown"; nil: not counted

	Acknowledged []Acknowledged `json:"acknowledged,omitempty"` // in the order of the configuration

	Columns map[string]Column `json:"columns,omitempty"` // by name: columns that are not written as the vendors tell them

	Uncovered *int64 `json:"uncovered,omitempty"` // memberships of the base whose group and user nobody asked about; absent: not known

	Signature *signature.Signature `json:"signature"` // of all other words of this manifest; null: it is not signed

	formerLists bool // it was read with its lists as an object by name, and is encoded so
}

// Column is what was done to a column before it was written. With pseudonyms, the fingerprints of ID
// lists are keyed, too.
type Column struct {
	Treatment   string `json:"treatment"`                 // "dropped": it is null; "pseudonym": HMAC-SHA-256 of the ID, 128 bits in hex
	Fingerprint string `json:"key_fingerprint,omitempty"` // tells keys of pseudonyms apart, and tells nothing else of them; hex
}

// The treatments of columns.
const (
	Dropped   = "dropped"
	Pseudonym = "pseudonym"
)

// Data is what one data block asked, as far as its answers can only be understood with it.
type Data struct {
	Source string   `json:"source"`
	View   string   `json:"view"`   // "user", "group" or "role"
	Only   []string `json:"only"`   // the roles that were asked for; empty: all
	Topics bool     `json:"topics"` // topic communities were asked for
	Blind  string   `json:"blind"`  // groups whose IDs begin so may be there and were not asked for; empty: none
}

// Check is one check before sealing and what it found.
type Check struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`     // "drop", "emptied", "new_roles", "ownerless", "list_shrunk", "uncovered", "list_without_rows"
	Result   string `json:"result"`   // "pass", "warn", "fail", or "accepted": it failed, and a person overruled it
	Measured string `json:"measured"` // a sentence with figures
	Limit    string `json:"limit"`    // as configured: "5%", "10"; empty where the kind has none
}

// Ownership counts groups that were read completely, see schema.OwnershipOf.
type Ownership struct {
	Judged    int64  `json:"judged"`          // owned or ownerless
	Ownerless int64  `json:"ownerless"`       // of these, those that nobody owns
	Empty     *int64 `json:"empty,omitempty"` // without a member, which are not judged; nil: not counted, in older manifests
}

// Link names another manifest by its path in the sink and its SHA-256 in hex.
type Link struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

// File is one data file.
type File struct {
	Path   string   `json:"path"`
	Table  string   `json:"table"`
	Size   int64    `json:"size"` // bytes
	Rows   int64    `json:"rows"`
	SHA256 string   `json:"sha256"`  // hex
	MinKey []string `json:"min_key"` // primary key of the first row; empty where there are no rows
	MaxKey []string `json:"max_key"` // of the last row
}

// Verdicts counts how complete groups and users are known to be, by verdict.
type Verdicts struct {
	Groups map[string]int64 `json:"groups"`
	Users  map[string]int64 `json:"users"`
}

// Figures is what one endpoint was asked.
type Figures struct {
	Requests  int64   `json:"requests"` // sent, retries included
	Retries   int64   `json:"retries"`
	Throttles int64   `json:"throttles"`
	PerSecond float64 `json:"per_second"` // the budget
	LatencyMS float64 `json:"latency_ms"` // mean time from sending to the whole answer, in milliseconds
	Seconds   float64 `json:"seconds"`    // from the first request to the last answer, over all processes of the run

	// Since the format was first written; older manifests don't have them.
	Failures  int64     `json:"failures"`  // transient: cut connections, 5xx, answers that can't be read
	Latencies []Latency `json:"latencies"` // of answers, in ascending order of their bounds; empty: not told
	Series    *Series   `json:"series"`    // what was sent when; null: not told
}

// Latency counts answers by how long they took: more than the bound before, and up to this one.
type Latency struct {
	UpToMS  *float64 `json:"up_to_ms"` // milliseconds; null for the last, which has no bound
	Answers int64    `json:"answers"`
}

// Series is what one endpoint was sent over time, in at most 240 buckets of equal width. The four lists
// have one value for each bucket.
type Series struct {
	From      Time      `json:"from"` // when the first bucket begins
	Step      int64     `json:"step"` // width of a bucket in seconds
	Sent      []int64   `json:"sent"` // requests
	Throttled []int64   `json:"throttled"`
	Failed    []int64   `json:"failed"` // transient failures
	Limit     []float64 `json:"limit"`  // requests a second that were allowed; 0 where nothing was sent
}

// whole tells whether each list has a value for each bucket.
func (s *Series) whole() bool {
	return s == nil || s.Step > 0 && len(s.Sent) == len(s.Throttled) && len(s.Sent) == len(s.Failed) && len(s.Sent) == len(s.Limit)
}

// Precedes tells whether a date was over in UTC when the first request was sent: its snapshot is backdated.
func Precedes(date string, askedFrom Time) bool {
	return !askedFrom.at.IsZero() && date < askedFrom.at.Format(time.DateOnly)
}

// AskedLate tells whether the snapshot is backdated; older manifests don't say it themselves.
func (m Manifest) AskedLate() bool { return m.Backdated || Precedes(m.Date, m.AskedFrom) }

// Path is where the manifest of date lies in a sink.
func Path(date string) string { return sinks.ManifestPath(date) }

// ReplacedPath is where the manifest of date with that sequence lies once it was replaced.
func ReplacedPath(date string, sequence int64) string {
	return sinks.ReplacedPath(date, sequence)
}

// Sum is the SHA-256 of an encoded manifest in hex, as links carry it.
func Sum(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

// Encode gives the one line of canonical JSON, with its newline. Files are put in order first.
// A manifest that [Decode] would refuse is a fault.
func Encode(m Manifest) ([]byte, error) {
	m.Version = Version
	m.Files = slices.Clone(m.Files)
	slices.SortFunc(m.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	if err := check(m); err != nil {
		return nil, err
	}
	options := []json.Options{json.Deterministic(true), jsontext.AllowInvalidUTF8(false)}
	if m.formerLists {
		options = append(options, json.WithMarshalers(writeLists()))
	}
	line, err := json.Marshal(m, options...)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Bug, Message: "manifest of " + m.Date, Err: err}
	}
	return append(line, '\n'), nil
}

// Decode reads one manifest. See the package comment for what it refuses.
func Decode(encoded []byte) (Manifest, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(encoded, &head); err != nil {
		return Manifest{}, &fault.Error{Kind: fault.Bug, Message: "not a manifest", Err: err}
	}
	if head.Version > Version {
		return Manifest{}, &fault.Error{Kind: fault.Configuration,
			Message: fmt.Sprintf("manifest of version %d, this program reads up to version %d", head.Version, Version),
			Hint:    "it was sealed by a newer Rollcall: use that version or a later one"}
	}
	var m Manifest
	former := false
	if err := json.Unmarshal(encoded, &m, json.RejectUnknownMembers(true), json.WithUnmarshalers(readLists(&former))); err != nil {
		return Manifest{}, &fault.Error{Kind: fault.Bug, Message: "not a manifest", Err: err}
	}
	m.formerLists = former
	if err := check(m); err != nil {
		return Manifest{}, err
	}
	if line := bytes.TrimSuffix(encoded, []byte("\n")); len(line) == len(encoded) || bytes.ContainsAny(line, "\r\n") {
		return Manifest{}, fault.New(fault.Bug, "manifest of %s is not one whole line", m.Date)
	}
	return m, nil
}

// check holds m against what every manifest promises.
func check(m Manifest) error {
	wrong := func(format string, args ...any) error {
		return fault.New(fault.Bug, "manifest of %q: "+format, append([]any{m.Date}, args...)...)
	}
	if m.Version != Version {
		return wrong("version %d is not known", m.Version)
	}
	if !sinks.IsDate(m.Date) {
		return wrong("its date is not like 2026-11-21")
	}
	if m.Sequence < 1 {
		return wrong("sequence %d is below 1", m.Sequence)
	}
	if (m.Sequence == 1) != (m.Previous == nil) {
		return wrong("sequence %d and its link to the one before do not go together", m.Sequence)
	}
	for _, link := range []*Link{m.Previous, m.Replaces} {
		if link != nil && (!isSum(link.SHA256) || !fs.ValidPath(link.Path)) {
			return wrong("link %q %q is no path with a SHA-256", link.Path, link.SHA256)
		}
	}
	if err := m.Lists.check(); err != nil {
		return wrong("%s", err.Error())
	}
	for source, endpoints := range m.Requests {
		for name, f := range endpoints {
			if !f.Series.whole() {
				return wrong("the requests over time to %s %s are not told whole", source, name)
			}
		}
	}
	for i, file := range m.Files {
		if !fs.ValidPath(file.Path) || !isSum(file.SHA256) || file.Size < 0 || file.Rows < 0 {
			return wrong("file %q is not described whole", file.Path)
		}
		if i > 0 && m.Files[i-1].Path >= file.Path {
			return wrong("file %q is out of order or named twice", file.Path)
		}
	}
	if err := believable(m); err != nil {
		return wrong("%s", err.Error())
	}
	return nil
}

func isSum(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size && strings.ToLower(s) == s
}

// Time is a moment that is written as RFC 3339 in UTC with microseconds. The zero moment is the
// empty text: a run that asked nothing has no asked_from.
type Time struct{ at time.Time }

// At is t as a manifest keeps it: UTC, whole microseconds.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.UTC().Truncate(time.Microsecond)}
}

// Time is the moment, in UTC.
func (t Time) Time() time.Time { return t.at }

// MarshalText writes the moment.
func (t Time) MarshalText() ([]byte, error) {
	if t.at.IsZero() {
		return nil, nil
	}
	if year := t.at.Year(); year < 0 || year > 9999 {
		return nil, fmt.Errorf("year %d has no four digits", year)
	}
	return []byte(t.at.Format(timeLayout)), nil
}

// UnmarshalText reads the moment and accepts nothing but what MarshalText writes.
func (t *Time) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = Time{}
		return nil
	}
	at, err := time.Parse(timeLayout, string(text))
	if err != nil {
		return err
	}
	if at = at.UTC(); at.IsZero() || at.Format(timeLayout) != string(text) {
		return fmt.Errorf("%q is not like 2026-11-21T03:04:05.000000Z", text)
	}
	*t = Time{at}
	return nil
}
