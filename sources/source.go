// Package sources says what a vendor is to Rollcall: data blocks that can be asked about one key
// at a time, and a source that knows how to ask and how to read the answers.
//
// A source turns one [Question] into one [Reading]. It builds requests, signs them, walks pages,
// decodes answers and classifies the vendor's errors (package fault). It never sleeps, retries,
// paces, stores or logs: budgets, retries, concurrency and time belong to the host, which hands in
// a [Caller] and a clock. A source reaches the network through that Caller alone, so a budget
// can't be bypassed. It knows nothing of sinks, HCL, Arrow or the process it runs in, is safe for
// use by many goroutines, and holds nothing that outlives a call but its cached signature.
//
// What a source promises: a Reading is all that the vendor gave for the key, each (group, user)
// once, or there is an error and no Reading. It never returns part of an answer as whole. An answer
// that names another question is an error (see [ErrForeign]), and so are answers that can't all be
// true: two roles of one user, or no total where the vendor declares one. A total is compared with what
// came, and never ends a walk; a walk that brings nothing new ends as a failed key.
//
// A new vendor is a folder beside this file and one line in package all; sourcetest says whether
// it keeps these promises. The interface may still change with each release.
package sources

import (
	"context"
	"errors"
	"net/http"
	"time"

	"rollcall/schema"
)

// KeyKind is what one question is about.
type KeyKind uint8

// The kinds of key.
const (
	UserKey  KeyKind = iota // a user ID
	GroupKey                // a group ID
	RoleKey                 // a group ID with up to Data.Batch user IDs
)

// Data describes one kind of data block. It is plain data, read by the host, by the
// configuration and by sourcetest alike.
type Data struct {
	Name      string      // without the vendor, "group_members"; also the name of its budget
	Path      string      // of the endpoint, for messages and metrics: "/entrust/group/member/query.json"
	Key       KeyKind     // what one question is about
	View      schema.View // which view its rows are
	PerSecond float64     // default budget, requests a second
	PageSize  int         // rows in a full page; what one request answers at most, for planning
	Batch     int         // users in one role request; 0 unless Key is RoleKey
	Total     bool        // whether the vendor declares a total in every answer: one without it is contradictory
	Roles     bool        // whether its rows name roles
	Only      bool        // whether `only = ["owner", …]` can be asked for
	Topics    bool        // whether `topics = true` can be asked for
	TopicIDs  string      // prefix of the IDs among which are communities that are listed with topics only
	OpenEnd   bool        // whether a list ends at a page that is not full, so that behind a full one another is asked for
	Linked    string      // prefix of the keys whose pages name the next one, so that OpenEnd is not true of them; empty for none
	Doc       string      // one line
}

// Question asks one data block about one key.
type Question struct {
	Data   string        // Data.Name
	Key    string        // user or group ID
	Users  []string      // of a RoleKey question: 1 to Data.Batch distinct IDs
	Only   []schema.Role // ask for these roles alone; empty asks for all
	Topics bool          // ask for topic communities too
}

// Reading is all that one reading of one key gave.
type Reading struct {
	Rows       []Row // each (group, user) once, in the vendor's order
	Declared   int64 // the vendor's last total; -1 where it gives none, which is where Data.Total is false, or where only some were asked for
	Drifted    bool  // the total changed while paging
	Unverified bool  // only some were asked for, so that the total says nothing (Only)
	Replaced   int   // displayed values that can't be read: invalid Unicode became U+FFFD, and what has a wrong type is absent
	Cut        int   // display texts longer than schema.MaxText, which were cut
}

// Row is one user in one group, as one view tells it.
type Row struct {
	Group, User string
	GroupName   schema.Text // told by user views
	GroupType   schema.Text // the vendor's own word
	Role        schema.Role
	RoleRaw     schema.Text // the role in the vendor's own word
	NotMember   bool        // a role view's denial
	Nickname    schema.Text
	Joined      schema.Micros
	Extra       schema.Text
}

// Caller sends requests for one question. The host's Caller waits for the endpoint's budget,
// sends, reads the whole body within bounds, retries what is transient or throttled with a
// request built afresh, and counts.
type Caller interface {
	// Call sends the request of one exchange and hands its answer to e.Read. Build is called once
	// for every attempt, so that nonces and times are fresh. An answer that Read refuses is sent
	// again or not as the kind of its error says. Call returns Read's last error, or the network's,
	// unchanged in kind, but for one that stayed transient in all attempts: that is an Item fault
	// with outcome failed.
	Call(ctx context.Context, e Exchange) error
}

// Exchange is one request and how its answer is read.
type Exchange struct {
	// Build makes the request. It must not send anything.
	Build func() (*http.Request, error)

	// Read judges the answer: nil, or a classified *fault.Error. It must not keep answer.Body. Echoed
	// tells that the answer repeats Echo, so that it can't be the answer to a question with another
	// one. An answer that names another question than this one is an error with ErrForeign in its chain.
	Read func(answer Answer) (echoed bool, err error)

	// Echo is what an answer may repeat of the question, such as a group's ID: the same text for
	// questions that can't be told apart by it. Empty where no answer ever names its question.
	Echo string
}

// ErrForeign is in the chain of the fault of an answer that belongs to another question.
var ErrForeign = errors.New("the answer belongs to another question")

// Answer is one HTTP answer, its body read to the end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // valid until read returns
}

// Source is one vendor account.
type Source interface {
	// Ask answers one question with one Reading, calling the Caller once for each page. Errors are
	// *fault.Error of every kind but Bug where the vendor is at fault: Item for what concerns the
	// key alone (with its outcome and the vendor's code), Credentials and Configuration for what
	// stops the run, Transient when what was read can't be believed. An error of call comes back
	// as it is. Ask returns soon after ctx is cancelled.
	Ask(ctx context.Context, call Caller, q Question) (Reading, error)
}

// Environment is what a source is given of the world.
type Environment struct {
	Now    func() time.Time
	Random func() uint64 // uniform; for nonces
}

// Config is a vendor's typed configuration: a pointer to a struct whose fields carry `hcl` tags
// (a tag only: sources know no HCL), `default` texts and `doc` lines. Fields of type schema.Secret
// must come from env() or file().
type Config interface {
	// Validate tells every fault at once, by attribute.
	Validate() []Problem
	// Account tells whose data this is, without secrets.
	Account() Account
	// Open makes the source. It asks nothing of the vendor.
	Open(env Environment) Source
}

// Account identifies one vendor account in manifests, fingerprints and budgets.
type Account struct {
	AppID    string // app key or SDKAppID
	Endpoint string // https://host, without a path
	Backup   string // the same app's second host, for when the first can't be reached; empty: none
}

// Problem is one fault of one attribute.
type Problem struct {
	Attribute string // "endpoint"
	Message   string // what is wrong with it
	Hint      string // what to do
}

// Definition is what a vendor's package hands to the list of all vendors.
type Definition struct {
	Type   string // the word in the configuration: source "rongcloud" "prod"
	Title  string // the vendor's name for people: RongCloud
	Doc    string
	Data   []Data
	Config func() Config // a fresh pointer, defaults filled in
}

// Find gives the data block called name.
func (d Definition) Find(name string) (Data, bool) {
	for _, data := range d.Data {
		if data.Name == name {
			return data, true
		}
	}
	return Data{}, false
}
