package verify

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/schema/advice"
)

// Kind names what is wrong.
type Kind string

// The kinds of finding. Their names are published and don't change.
const (
	Altered    Kind = "altered"
	Truncated  Kind = "truncated"
	Missing    Kind = "missing"
	Extra      Kind = "extra"
	Swapped    Kind = "swapped"
	Unreadable Kind = "unreadable"
	Schema     Kind = "schema"
	Unsorted   Kind = "unsorted"
	Duplicate  Kind = "duplicate"
	Values     Kind = "values"
	Figures    Kind = "figures"
	Sums       Kind = "sums"
	Misplaced  Kind = "misplaced"
	Removed    Kind = "removed"
	Resealed   Kind = "resealed"
	Forked     Kind = "forked"
	Unproved   Kind = "unproved"
	NotAFile   Kind = "not_a_file"
	NoSnapshot Kind = "no_snapshot"

	Unsigned       Kind = "unsigned"
	BadSignature   Kind = "signature"
	BadEndorsement Kind = "endorsement"
	Stranger       Kind = "stranger"
	Retired        Kind = "retired"
)

// Kinds explains every kind of finding.
func Kinds() []schema.Term {
	return []schema.Term{
		{Word: string(Altered), Meaning: "the bytes are not those that were sealed"},
		{Word: string(Truncated), Meaning: "the file is shorter than it was sealed"},
		{Word: string(Missing), Meaning: "a manifest names the file, and it is not there"},
		{Word: string(Extra), Meaning: "no manifest names the file, although its date is sealed, or no run is at work that could seal it"},
		{Word: string(Swapped), Meaning: "the file holds what another one was sealed with"},
		{Word: string(Unreadable), Meaning: "the file has its bytes and can't be read as Parquet"},
		{Word: string(Schema), Meaning: "columns, types, field IDs, nullability or recorded sorting are not those of the table"},
		{Word: string(Unsorted), Meaning: "a row does not come after the row before it"},
		{Word: string(Duplicate), Meaning: "a key stands there twice"},
		{Word: string(Values), Meaning: "a value is none of those that its column can have"},
		{Word: string(Figures), Meaning: "the manifest's figures are not those of the files, or contradict each other"},
		{Word: string(Sums), Meaning: "tables of one snapshot contradict each other"},
		{Word: string(Misplaced), Meaning: "a manifest or a data file lies under another's name"},
		{Word: string(Removed), Meaning: "a manifest of the chain is not there: a night was taken away"},
		{Word: string(Resealed), Meaning: "a manifest is not the one that the next one names: it was altered, or its night sealed again"},
		{Word: string(Forked), Meaning: "two manifests claim the same place in the chain, or one follows the wrong one"},
		{Word: string(Unproved), Meaning: "no manifest has the hash that was kept elsewhere: the newest nights were taken away, or the chain was written anew"},
		{Word: string(NotAFile), Meaning: "a symbolic link, a pipe or a device lies where a file or a folder belongs; it was not opened"},
		{Word: string(NoSnapshot), Meaning: "a date has no snapshot, and one a day is expected"},
		{Word: string(Unsigned), Meaning: "a manifest has no signature, although one before it has; or none at all is signed"},
		{Word: string(BadSignature), Meaning: "a manifest's signature is not that of its words: one of them was altered, or the signature is another's"},
		{Word: string(BadEndorsement), Meaning: "what should prove that one key took another's place was altered, or is by another key"},
		{Word: string(Stranger), Meaning: "a manifest is signed with a key that is none of those given, and that none of them endorsed"},
		{Word: string(Retired), Meaning: "a manifest is signed, or its key endorsed, with a key whose place another had taken"},
	}
}

// Finding is one thing that is wrong.
type Finding struct {
	Kind    Kind   `json:"kind"`
	Path    string `json:"path"` // in the sink: a file, or the folder of a table's partition
	Message string `json:"message"`
	More    int64  `json:"more,omitempty"` // how many more of this kind there are at this path

	Commands []advice.Command `json:"-"` // each in the place of a {} in Message
}

// alike is how many findings of one kind at one path are told.
const alike = 5

// findings collects; of those that are alike it counts what exceeds the first few.
type findings struct {
	list  []Finding
	count map[string]int64
	last  map[string]int // index in list of the last that was told
}

func newFindings() *findings { return &findings{count: map[string]int64{}, last: map[string]int{}} }

func (f *findings) any() bool { return len(f.list) > 0 }

func (f *findings) add(kind Kind, path, format string, args ...any) {
	key := string(kind) + " " + path
	f.count[key]++
	if f.count[key] > alike {
		f.list[f.last[key]].More++
		return
	}
	f.last[key] = len(f.list)
	f.list = append(f.list, Finding{Kind: kind, Path: path, Message: fmt.Sprintf(format, args...)})
}

// advise puts commands into the places of the {} in the message that was added last.
func (f *findings) advise(commands ...advice.Command) { f.list[len(f.list)-1].Commands = commands }

// removed is the place in the list where the manifest of date is told to be gone; -1 where it is not told.
func (f *findings) removed(date string) int {
	return slices.IndexFunc(f.list, func(f Finding) bool { return f.Kind == Removed && dateIn(f.Path) == date })
}

// take adds all that others found, which must be about other kinds or paths.
func (f *findings) take(others *findings) { f.list = append(f.list, others.list...) }

// Report is what was proved and what is wrong.
type Report struct {
	Verdict  string                  `json:"verdict"` // Verified or Failed
	Place    string                  `json:"place"`
	From     string                  `json:"from,omitempty"` // Options.From: files of earlier dates were not looked at
	Chain    Chain                   `json:"chain"`
	Signed   Signed                  `json:"signatures"`
	Listed   int64                   `json:"files_listed"` // files that manifests name and whose presence and size was looked at
	Dates    []string                `json:"dates_read"`   // whose content was read
	Share    float64                 `json:"share_read"`   // of their files
	Files    int64                   `json:"files_read"`
	Bytes    int64                   `json:"bytes_read"`
	Rows     int64                   `json:"rows_read"`
	Findings []Finding               `json:"findings"`
	Missing  []snapshot.MissingDates `json:"missing_dates"`   // between the first and the last snapshot; with Options.Daily, up to yesterday
	Late     []string                `json:"backdated"`       // dates of snapshots whose vendors were asked after the date was over in UTC
	Notes    []string                `json:"notes,omitempty"` // what a person should know and is not wrong
}

// The verdicts.
const (
	Verified = "verified" // nothing is wrong in what was looked at
	Failed   = "failed"   // there are findings
)

// Chain is what manifests there are.
type Chain struct {
	Manifests int    `json:"manifests"` // replaced ones too
	Replaced  int    `json:"replaced"`
	First     int64  `json:"first_sequence"`
	Last      int64  `json:"last_sequence"`
	Newest    string `json:"newest"` // path of the manifest sealed last
	Hash      string `json:"sha256"` // of the manifest sealed last
	Pruned    int64  `json:"pruned"` // manifests before Options.From that are not there
	Kept      string `json:"kept,omitempty"`
	Proved    int64  `json:"proved_sequence"` // up to here the kept hash proves the chain; 0: nothing
	From      int64  `json:"proved_from"`     // the first sequence of what is proved
}

// Signed is what manifests are signed, and what of that was proved.
type Signed struct {
	Manifests int       `json:"manifests"`   // that carry a signature
	Since     string    `json:"since"`       // date of the first of them; empty where none does
	First     int64     `json:"first"`       // its sequence
	Keys      []KeyUsed `json:"keys"`        // in the order of their first use
	Given     []string  `json:"public_keys"` // IDs of those that were given
	Proved    int       `json:"proved"`      // manifests signed by a key that was given, or by one to which it leads; 0 where none was given
	Linked    int       `json:"linked"`      // unsigned manifests before the first signed one, that one's links prove
}

// KeyUsed is a key that signed manifests.
type KeyUsed struct {
	ID        string `json:"id"`
	Manifests int    `json:"manifests"`
	First     int64  `json:"first_sequence"`
	Last      int64  `json:"last_sequence"`
	After     string `json:"endorsed_by,omitempty"` // ID of the key whose place it took
	Trusted   bool   `json:"trusted"`               // it was given, or one that was given leads to it
}

// Whole tells whether nothing is wrong.
func (r Report) Whole() bool { return len(r.Findings) == 0 }

func compareTexts(a, b string) int { return strings.Compare(a, b) }
