package fetch_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/client"
	"rollcall/pipeline/event"
	"rollcall/pipeline/fetch"
	"rollcall/pipeline/job"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// vendor is a source in memory: who is in which group. It counts what it is asked.
type vendor struct {
	members map[string][]string // users by group

	mu     sync.Mutex
	asked  map[string]int   // by data block, key and, of role keys, user
	sizes  map[string][]int // of role batches, by group
	failed map[string]bool  // keys that fail
	moving map[string]bool  // keys whose answers contradict themselves
	gone   map[string]bool  // groups of which nobody's role is told any more
	stop   int              // after so many questions every one is a fault that stops; 0: never
	delay  time.Duration    // of every answer
	url    string           // of a server that every question is sent to, too; empty: none
}

func newVendor(users, groups int) *vendor {
	v := &vendor{members: map[string][]string{}, asked: map[string]int{}, sizes: map[string][]int{}, failed: map[string]bool{}}
	random := rand.New(rand.NewPCG(1, 2))
	for g := range groups {
		for u := range users {
			if random.IntN(100) < 10+g%60 {
				name := fmt.Sprintf("g%04d", g)
				v.members[name] = append(v.members[name], fmt.Sprintf("u%04d", u))
			}
		}
	}
	return v
}

func (v *vendor) count(q sources.Question) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked[q.Data+" "+q.Key]++
	for _, user := range q.Users {
		v.asked[q.Data+" "+q.Key+" "+user]++
	}
	if len(q.Users) > 0 {
		v.sizes[q.Key] = append(v.sizes[q.Key], len(q.Users))
	}
	if v.stop > 0 {
		if v.stop--; v.stop == 0 {
			v.stop = 1
			return &fault.Error{Kind: fault.Transient, Message: "the vendor is down", Err: client.ErrDown}
		}
	}
	if v.failed[q.Key] {
		return fault.New(fault.Item, "refused")
	}
	if v.gone[q.Key] && q.Data == "roles" {
		return &fault.Error{Kind: fault.Item, Message: "no such group", Outcome: schema.Gone}
	}
	if v.moving[q.Key] {
		return fault.New(fault.Transient, "two pages that can't both be true")
	}
	return nil
}

func (v *vendor) Ask(ctx context.Context, call sources.Caller, q sources.Question) (sources.Reading, error) {
	time.Sleep(v.delay)
	if err := v.count(q); err != nil {
		return sources.Reading{}, err
	}
	if v.url != "" {
		if err := call.Call(ctx, sources.Exchange{
			Build: func() (*http.Request, error) { return http.NewRequest(http.MethodGet, v.url, http.NoBody) },
			Read: func(answer sources.Answer) (echoed bool, err error) {
				switch {
				case answer.Status == http.StatusTooManyRequests:
					return false, fault.New(fault.Throttled, "too many")
				case answer.Status != http.StatusOK:
					return false, fault.New(fault.Transient, "status %d", answer.Status)
				}
				return false, nil
			},
		}); err != nil {
			return sources.Reading{}, err
		}
	}
	r := sources.Reading{Declared: -1}
	switch q.Data {
	case "members":
		for _, user := range v.members[q.Key] {
			r.Rows = append(r.Rows, sources.Row{Group: q.Key, User: user})
		}
	case "groups":
		for _, group := range slices.Sorted(maps.Keys(v.members)) {
			if slices.Contains(v.members[group], q.Key) {
				r.Rows = append(r.Rows, sources.Row{Group: group, User: q.Key})
			}
		}
	case "roles":
		for _, user := range q.Users {
			r.Rows = append(r.Rows, sources.Row{Group: q.Key, User: user, Role: schema.Member})
		}
	}
	return r, nil
}

// ids is a list of keys in memory.
type ids map[string][]string

type cursor struct {
	ids []string
	at  int
}

func (c *cursor) Next() bool   { c.at++; return c.at <= len(c.ids) }
func (c *cursor) ID() string   { return c.ids[c.at-1] }
func (c *cursor) Err() error   { return nil }
func (c *cursor) Close() error { return nil }

func (i ids) With(_ context.Context, lists []string, more func(add func(string) error) error) (fetch.Cursor, error) {
	var all []string
	for _, list := range lists {
		all = append(all, i[list]...)
	}
	err := more(func(id string) error { all = append(all, id); return nil })
	slices.Sort(all)
	return &cursor{ids: slices.Compact(all)}, err
}

func (i ids) Union(lists []string) (fetch.Cursor, error) {
	return i.With(context.Background(), lists, func(func(string) error) error { return nil })
}

func (i ids) Count(lists []string) (int64, error) {
	c, err := i.Union(lists)
	return int64(len(c.(*cursor).ids)), err
}

var kinds = map[string]sources.Data{
	"members": {Name: "members", Key: sources.GroupKey, View: schema.GroupView},
	"groups":  {Name: "groups", Key: sources.UserKey, View: schema.UserView},
	"roles":   {Name: "roles", Key: sources.RoleKey, View: schema.RoleView, Batch: 10},
}

// work is a fetch that can be run again on the same spool.
type work struct {
	t          *testing.T
	vendor     *vendor
	lists      ids
	data       []job.Data
	dir        string
	generation int
	waiting    int
	workers    int
	transport  http.RoundTripper // nil: the real one
	perSecond  float64           // of every endpoint; 0: any number
	now        func() time.Time  // nil: time.Now
	all        []event.Progress
	notices    []event.Notice
	last       event.Progress
}

func (w *work) run() error {
	w.t.Helper()
	w.generation++
	slices.SortFunc(w.data, func(a, b job.Data) int { return strings.Compare(a.Address, b.Address) })
	j := &job.Job{Sources: []job.Source{{Address: "v.a", Budgets: map[string]job.Budget{}}}, Data: w.data}
	store, err := spool.Open(spool.Options{Dir: w.dir, Blocks: fetch.Blocks(j)})
	if err != nil {
		w.t.Fatal(err)
	}
	defer store.Close()
	transport, now := w.transport, w.now
	if now == nil {
		now = time.Now
	}
	if transport == nil {
		transport = client.NewTransport(nil, nil)
	}
	c := client.New(client.Options{Transport: transport, Now: time.Now, Random: rand.Uint64})
	endpoints := map[string]*client.Endpoint{}
	for name := range kinds {
		endpoints[name] = c.Endpoint(client.Name{Source: "v.a", Data: name}, budget.New(budget.Config{Limit: budget.Steady(cmp.Or(w.perSecond, 1e6))}, time.Now), client.Hosts{})
	}
	return fetch.New(fetch.Options{
		Job: j, Sources: map[string]sources.Source{"v.a": w.vendor}, Keys: w.lists, Spool: store, Waiting: w.waiting, Workers: w.workers,
		Endpoint:   func(_, name string) *client.Endpoint { return endpoints[name] },
		Generation: w.generation, Resumed: w.generation > 1, Now: now,
		Listen: func(e event.Event) {
			if notice, ok := e.(event.Notice); ok {
				w.notices = append(w.notices, notice)
			}
			if p, ok := e.(event.Progress); ok {
				w.last = p
				p.Blocks = slices.Clone(p.Blocks)
				w.all = append(w.all, p)
			}
		},
		Every: func() error { return nil },
	}).Run(w.t.Context())
}

func newWork(t *testing.T, v *vendor) *work {
	return &work{t: t, vendor: v, dir: t.TempDir(), lists: ids{}}
}

func (w *work) block(kind string, users, groups job.Input, memberships ...string) *work {
	w.data = append(w.data, job.Data{Address: kind + ".a", Source: "v.a", Kind: kinds[kind], Users: users, Groups: groups, Memberships: memberships})
	return w
}

func given(lists ...string) job.Input { return job.Input{Lists: lists} }

// once fails unless everything that was asked was asked once, and returns how many there were.
func (w *work) once(prefix string, want int) {
	w.t.Helper()
	n := 0
	for key, times := range w.vendor.asked {
		if strings.HasPrefix(key, prefix) {
			n++
			if times != 1 {
				w.t.Errorf("%s was asked %d times", key, times)
			}
		}
	}
	if n != want {
		w.t.Errorf("%d of %swere asked, want %d", n, prefix, want)
	}
}

func (v *vendor) users() []string {
	var all []string
	for _, members := range v.members {
		all = append(all, members...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (v *vendor) pairs() (n int) {
	for _, members := range v.members {
		n += len(members)
	}
	return n
}

func TestGivenAndDiscoveredKeysAreAskedOnceHoweverFewWait(t *testing.T) {
	t.Parallel()
	for _, waiting := range []int{0, 1, 7} {
		v := newVendor(60, 40)
		w := newWork(t, v).block("groups", given("users"), job.Input{}).
			block("members", job.Input{}, job.Input{Lists: []string{"groups"}, From: []string{"groups.a"}})
		w.waiting = waiting
		w.lists["users"] = v.users()
		w.lists["groups"] = []string{"g0003", "g0007", "nobody knows it"}
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		w.once("groups ", len(v.users()))
		w.once("members ", len(v.members)+1)
		for _, b := range w.last.Blocks {
			if b.Done != b.Known || !b.Final {
				t.Errorf("waiting %d: %s ended with %d of %d, final %v", waiting, b.Address, b.Done, b.Known, b.Final)
			}
		}
	}
}

// TestRoleBatchesAreAsFewAsThePairsAllow: also where no answer is proved before its connection ends, so
// that many batches that were asked are not in the spool when the rest is asked.
func TestRoleBatchesAreAsFewAsThePairsAllow(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	for i, waiting := range []int{0, 25, 0, 25} {
		v := newVendor(60, 40)
		if i > 1 {
			v.url = server.URL
		}
		w := newWork(t, v).block("groups", given("users"), job.Input{}).
			block("roles", job.Input{}, job.Input{}, "groups.a")
		w.waiting = waiting
		w.lists["users"] = v.users()
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		w.once("roles g", len(v.members)+v.pairs()-w.repeats())
		for group, members := range v.members {
			if got, want := len(v.sizes[group]), (len(members)+9)/10; got != want {
				t.Errorf("waiting %d: %s with %d members took %d batches %v", waiting, group, len(members), got, v.sizes[group])
			}
		}
	}
}

// repeats takes the groups out that rightly were asked more than once, batch by batch.
func (w *work) repeats() int {
	n := 0
	for group, batches := range w.vendor.sizes {
		if len(batches) > 1 {
			delete(w.vendor.asked, "roles "+group)
			n++
		}
	}
	return n
}

func TestEveryUserIsAskedInEveryGroup(t *testing.T) {
	t.Parallel()
	v := newVendor(23, 5)
	w := newWork(t, v).block("members", job.Input{}, given("groups")).
		block("roles", job.Input{Lists: []string{"users"}, From: []string{"members.a"}}, job.Input{Lists: []string{"groups"}})
	w.lists["groups"] = slices.Sorted(maps.Keys(v.members))
	w.lists["users"] = []string{"somebody", "u9999"}
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	users := len(v.users()) + 2
	w.once("roles g", len(v.members)+len(v.members)*users-w.repeats())
}

func TestAResumedFetchAsksOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, stop := range []int{1, 5, 40, 75, 100, 130} {
		v := newVendor(60, 40)
		w := newWork(t, v).block("groups", given("users"), job.Input{}).
			block("members", job.Input{}, job.Input{From: []string{"groups.a"}}).
			block("roles", job.Input{}, job.Input{}, "groups.a")
		w.lists["users"] = v.users()
		v.gone = map[string]bool{"g0007": true, "g0023": true}
		v.stop = stop
		err := w.run()
		if err == nil || !strings.Contains(err.Error(), "the vendor is down") || fault.KindOf(err) != fault.Transient {
			t.Fatalf("stopped after %d questions: %v", stop, err)
		}
		first := maps.Clone(v.asked)
		v.stop = 0
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		again := 0
		for key, times := range v.asked {
			if !strings.HasPrefix(key, "roles ") {
				again += times - 1
			}
		}
		if limit := 2 * 64; again > limit { // what the workers had in hand
			t.Errorf("stopped after %d questions: %d keys of %d were asked again", stop, again, len(first))
		}
		for _, user := range v.users() {
			if v.asked["groups "+user] == 0 {
				t.Errorf("%s was never asked", user)
			}
		}
		second := w.last.Blocks
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		for i, b := range w.last.Blocks {
			if b.Done != b.Known || b.Done != second[i].Done || b.Rows != second[i].Rows {
				t.Errorf("a third run, with nothing to do, ended with %+v, the one before it with %+v", b, second[i])
			}
		}
	}
}

func TestFailedBatchesAreNotAskedAgainInTheSameRun(t *testing.T) {
	t.Parallel()
	v := newVendor(60, 10)
	v.failed["g0004"] = true
	w := newWork(t, v).block("groups", given("users"), job.Input{}).block("roles", job.Input{}, job.Input{}, "groups.a")
	w.lists["users"] = v.users()
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.repeats()
	for key, times := range v.asked {
		if times > 1 {
			t.Errorf("%s was asked %d times", key, times)
		}
	}
}

func TestAPanicInASourceStopsTheRunAsABug(t *testing.T) {
	t.Parallel()
	w := newWork(t, newVendor(5, 2)).block("groups", given("users"), job.Input{})
	w.lists["users"] = []string{"u0001"}
	w.vendor.members = map[string][]string{"g": nil}
	w.vendor.asked = nil // counting will panic
	err := w.run()
	if fault.KindOf(err) != fault.Bug || !strings.Contains(err.Error(), "panic") || errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestAKeyThatContradictsItselfFailsAlone(t *testing.T) {
	t.Parallel()
	v := newVendor(20, 10)
	v.moving = map[string]bool{"u0003": true}
	w := newWork(t, v).block("groups", given("users"), job.Input{})
	w.lists["users"] = v.users()
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	if asked := v.asked["groups u0003"]; asked != 2 {
		t.Errorf("it was read %d times", asked)
	}
	if b := w.last.Blocks[0]; b.Done != b.Known || b.Missing != 1 {
		t.Errorf("ended with %+v", b)
	}
}

// A source that lets an answer without its total pass is not believed either.
func TestAReadingWithoutTheTotalThatIsDeclaredFailsItsKey(t *testing.T) {
	t.Parallel()
	v := newVendor(5, 3)
	w := newWork(t, v).block("groups", given("users"), job.Input{})
	w.lists["users"] = v.users()
	w.data[0].Kind.Total = true
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	if b := w.last.Blocks[0]; b.Missing != b.Known || b.Rows != 0 {
		t.Errorf("ended with %+v", b)
	}
	for key, times := range v.asked {
		if times != 2 {
			t.Errorf("%s was read %d times", key, times)
		}
	}
}
