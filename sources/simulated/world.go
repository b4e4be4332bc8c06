// Package simulated is both vendors as one strict HTTP server, for tests, for `rollcall demo` and
// for `rollcall simulate`.
//
// It is written from the vendors' documents and shares no code with the clients of Rollcall, so
// that a misread document shows as a refused request. It promises:
//
//   - Strictness: what the documents forbid is refused with the documented code, and so is a
//     parameter or a field that they don't know. Where the documents are silent, an option of
//     [Options] decides; its comment says what is assumed.
//   - Budgets: every request is counted where it arrives, per path, in every sliding (or fixed)
//     second; what is over is refused, and [World.Counts] tells how many there were at most.
//   - Truth: [App.Truth] says what an honest client could collect, and [App.Fewest] how many
//     requests that takes at least, both computed without any client.
//   - Repeatability: the same options give the same population, the same answers and, for requests
//     in the same order, the same faults. Night N of a world is night N-1 with a small part changed.
//   - Size: ten million memberships fit into less than 2 GB; an answer of a hundred members takes
//     some tens of microseconds.
//
// A request it can't serve is answered as the vendor would answer it; the server itself never
// fails. Faults come on demand only, by [World.Fault].
package simulated

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The paths of both vendors; they don't collide.
const (
	PathUserGroups    = "/user/group/query.json"
	PathGroupMembers  = "/entrust/group/member/query.json"
	PathJoinedGroups  = "/entrust/joined/group/query.json"
	PathTencentJoined = "/v4/group_open_http_svc/get_joined_group_list"
	PathTencentRoles  = "/v4/group_open_http_svc/get_role_in_group"
	PathTencentMember = "/v4/group_open_http_svc/get_group_member_info"
)

// The well-known credentials of the simulated apps.
const (
	DemoAppKey     = "demo-app-key"
	DemoAppSecret  = "demo-app-secret"
	DemoSDKAppID   = "1400000001"
	DemoIdentifier = "administrator"
	DemoSecretKey  = "demo-secret-key-demo-secret-key-demo-secret-key-demo-secret-key0"
)

// Window says which second a budget is counted in. The documents don't say.
type Window uint8

// The windows.
const (
	Sliding     Window = iota // every second, however it is cut
	FixedSecond               // calendar seconds
)

// TokenEnd says how RongCloud's last page spells that there is no more. The documents promise a
// pageToken only while more exists.
type TokenEnd uint8

// The ways to end.
const (
	TokenAbsent TokenEnd = iota
	TokenEmpty
	TokenNull
)

// Options describe a world. The zero value is an empty, lawful world with the demo credentials.
type Options struct {
	Seed          uint64
	Users, Groups int  // generated for each vendor, before what Nasty adds
	TencentUsers  int  // 0: as Users
	TencentGroups int  // 0: as Groups
	Nasty         bool // add every kind of nasty text, ID, size and state
	Huge          bool // add a group of 20,000 members and users in 4999 to 6500 groups
	Disagreements int  // memberships that only one of the two views names, for each vendor
	Night         int  // how many nights the world has moved on: members joined and left, groups came and went

	AppKey, AppSecret               string // RongCloud; empty: the demo's
	SDKAppID, Identifier, SecretKey string // Tencent; empty: the demo's

	MinLatency, MaxLatency time.Duration    // every answer waits for a time between them
	Limits                 map[string]int   // requests a second by path; 0: RongCloud 100, Tencent 200; negative: none
	Window                 Window           // which second is counted
	Record                 bool             // keep the arrival times for Counts
	Now                    func() time.Time // the vendors' clock; nil: the real one

	// Both
	EscapeUnicode bool // \uXXXX instead of UTF-8
	Gzip          bool // for who accepts it
	NewFields     bool // fields that no document knows, as a vendor may add at any time
	NoJSONType    bool // no Content-Type, as some live answers

	// RongCloud
	NumbersAsStrings   bool     // code, totalCount, role, time and their like as "1"; the page's table says String, its sample shows numbers
	StrictClock        bool     // demand a Timestamp in milliseconds within five minutes
	LooseNonce         bool     // accept a Nonce of more than the documented 18 characters
	HostingOff         bool     // profile hosting was never enabled: 430/1009 from the entrust calls
	TokenEnd           TokenEnd // how the last page ends
	TotalFollowsFilter bool     // whether totalCount counts only the asked role; undocumented
	UnknownGroupCode   int      // 0: 25410 with HTTP 200; 1002 comes with HTTP 400
	PagedOrderDiffers  bool     // user_groups: paged answers in another order than the unpaged one

	// Tencent
	ThrottleCode       int  // 0: 60007; 60011 and 10006 are as likely
	UnknownAccountCode int  // 0: 70107, of get_joined_group_list
	ShuffledRoles      bool // role rows not in the order of the request, which the page never promises
	PaddedRoles        bool // "Member " with a trailing blank, as in an old sample
	MaxTencentLimit    int  // 0: 200; older pages of get_group_member_info allowed more
	MaxTencentAnswer   int  // bytes; 0: 1 MB, beyond which the answer is 10018
	EmptyListsLeftOut  bool // Tencent: no list at all instead of an empty one
	OldMuteName        bool // Tencent: ShutUpUntil instead of MuteUntil where no filter names either
}

// Default is a nasty world of middling size without latency.
func Default() Options {
	return Options{Seed: 1, Users: 2000, Groups: 400, Nasty: true, Huge: true, ShuffledRoles: true, NewFields: true}
}

// Demo is the world of `rollcall demo`: real budgets, and as much to ask as takes half a minute.
func Demo() Options {
	return Options{
		Seed: 7, Users: 1000, Groups: 330, TencentUsers: 3480, TencentGroups: 1800, Nasty: true, Disagreements: 3, ShuffledRoles: true, NewFields: true,
		MinLatency: 5 * time.Millisecond, MaxLatency: 40 * time.Millisecond,
	}
}

// World is two vendors with an app each. Its methods are safe for use by many goroutines.
type World struct {
	RongCloud, Tencent *App

	options Options
	now     func() time.Time
	limits  *limits
	faults  faults
	door    atomic.Pointer[Door]
	buffers sync.Pool
	sigs    sigCache
	dice    dice
}

// New builds a world and its population.
func New(o Options) *World {
	o = o.filled()
	w := &World{options: o, now: o.Now, limits: newLimits(o)}
	w.buffers.New = func() any { b := make([]byte, 0, 16<<10); return &b }
	w.dice.state = o.Seed
	w.faults.dice.state = o.Seed + 1
	w.RongCloud = newApp(rongCloud, o)
	w.Tencent = newApp(tencent, o)
	for _, a := range []*App{w.RongCloud, w.Tencent} {
		a.populate(o)
	}
	return w
}

func (o Options) filled() Options {
	for _, s := range []struct {
		field *string
		value string
	}{
		{&o.AppKey, DemoAppKey}, {&o.AppSecret, DemoAppSecret}, {&o.SDKAppID, DemoSDKAppID},
		{&o.Identifier, DemoIdentifier}, {&o.SecretKey, DemoSecretKey},
	} {
		if *s.field == "" {
			*s.field = s.value
		}
	}
	for _, n := range []struct {
		field *int
		value int
	}{
		{&o.UnknownGroupCode, 25410}, {&o.ThrottleCode, 60007}, {&o.UnknownAccountCode, 70107},
		{&o.MaxTencentLimit, 200}, {&o.MaxTencentAnswer, 1 << 20},
	} {
		if *n.field == 0 {
			*n.field = n.value
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Handler serves both vendors on one address.
func (w *World) Handler() http.Handler { return http.HandlerFunc(w.serve) }

// vendor is what the server must know of a vendor to serve a request.
type vendor interface {
	// admit checks everything that comes before the question itself and tells its key.
	admit(q *query) (key string, refusal *answer)
	// reply answers the question.
	reply(q *query) answer
	// refuse spells an error code.
	refuse(q *query, code int, message string) answer
	// throttle spells that a budget was passed.
	throttle(q *query) answer
	// codes are those that stand for a class, except TooMany, which throttle spells.
	codes() map[Class]int
}

// query is one request on its way through the server.
type query struct {
	*World
	http *http.Request
	path string
	body []byte
	buf  []byte // where the answer is written
	plan plan   // what the faults demand
	form form   // RongCloud's question
	ask  any    // Tencent's question
}

// answer is what goes back.
type answer struct {
	status     int
	body       []byte
	mediaType  string
	retryAfter string
}

func (w *World) serve(rw http.ResponseWriter, r *http.Request) {
	over := w.limits.arrive(r.URL.Path)
	scratch := w.buffers.Get().(*[]byte)
	q := &query{World: w, http: r, path: r.URL.Path, buf: (*scratch)[:0]}
	defer func() {
		if cap(q.buf) < 8<<20 {
			*scratch = q.buf[:0]
			w.buffers.Put(scratch)
		}
	}()
	if !q.readBody() || !w.latency(r.Context()) {
		return
	}
	v := w.vendorOf(q.path)
	key, refusal := v.admit(q)
	if over && (refusal == nil || refusal.status != http.StatusUnauthorized) {
		q.send(rw, v.throttle(q))
		return
	}
	if refusal != nil {
		q.send(rw, *refusal)
		return
	}
	q.plan = w.faults.plan(q.path, key)
	if !pause(r.Context(), q.plan.delay) {
		return
	}
	if q.plan.stop != nil {
		q.plan.stop.act(q, v, rw)
		return
	}
	a := v.reply(q)
	if q.plan.truncate {
		a.body = a.body[:len(a.body)*2/3]
	}
	q.send(rw, a)
}

func (w *World) vendorOf(path string) vendor {
	if strings.HasPrefix(path, "/v4/") {
		return tencentServer{}
	}
	return rongServer{}
}
