package chaos_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/schema"
	"rollcall/schema/disk/disktest"
	"rollcall/sources/simulated"
)

var (
	chaosTime = flag.Duration("chaos", 0, "go on drawing nights for so long")
	chaosSeed = flag.Uint64("seed", 0, "draw this night alone")
)

// draw is one night of chaos: all that must not change a byte of its snapshot.
type draw struct {
	seed    uint64
	world   simulated.Options // how the answers are spelled, never what they say
	workers int
	memory  int
	batch   int
	dishes  []simulated.Dish
	rate    float64 // of all answers, the dishes together
	stops   []stop
}

// stop ends one process of a night.
type stop struct {
	request int64 // as many requests were sent: it is told to stop; 0: never
	step    int   // of the disk: it dies there; 0: never
	loss    disktest.Loss
}

func (s stop) String() string {
	if s.step > 0 {
		return fmt.Sprintf("%v at step %d", s.loss, s.step)
	}
	return fmt.Sprintf("stopped after %d requests", s.request)
}

func (d draw) String() string {
	var names []string
	for _, dish := range d.dishes {
		names = append(names, dish.Name)
	}
	return fmt.Sprintf("seed %d: %d workers, runs of %d bytes, batches of %d, %.0f %% of %s, %v", d.seed, d.workers, d.memory, d.batch, 100*d.rate, strings.Join(names, "+"), d.stops)
}

// drawn throws the dice for one night. A quiet night took so many requests and steps.
func drawn(seed uint64, requests int64, steps int) draw {
	r := rand.New(rand.NewPCG(seed, 4))
	d := draw{
		seed: seed, workers: 1 + r.IntN(40), memory: 1 << (10 + r.IntN(14)), batch: 1 + r.IntN(500),
		rate: []float64{0.01, 0.05, 0.1, 0.2, 0.5}[r.IntN(5)],
		world: simulated.Options{
			ShuffledRoles: r.IntN(2) == 0, PagedOrderDiffers: r.IntN(2) == 0, NumbersAsStrings: r.IntN(2) == 0, EscapeUnicode: r.IntN(2) == 0, NewFields: r.IntN(2) == 0,
			TokenEnd: simulated.TokenEnd(r.IntN(3)), EmptyListsLeftOut: r.IntN(2) == 0, NoJSONType: r.IntN(2) == 0, PaddedRoles: r.IntN(2) == 0,
			MaxLatency: time.Duration(r.IntN(3)) * 100 * time.Millisecond,
		},
	}
	var passing []simulated.Dish
	for _, dish := range simulated.Menu() {
		if dish.Passing {
			passing = append(passing, dish)
		}
	}
	for _, i := range r.Perm(len(passing))[:1+r.IntN(4)] {
		d.dishes = append(d.dishes, passing[i])
	}
	for range r.IntN(4) {
		s := stop{request: 1 + r.Int64N(requests)}
		if r.IntN(2) == 0 {
			s = stop{step: 1 + r.IntN(steps), loss: disktest.Losses()[r.IntN(3)]}
		}
		d.stops = append(d.stops, s)
	}
	return d
}

// chaotic is the world of all chaotic nights: lists of many pages, nothing that is odd in itself.
func chaotic(o simulated.Options) *simulated.World {
	o.Seed, o.Users, o.Groups, o.Disagreements = 13, 60, 14, 2
	w := simulated.New(unlimited(o))
	for app, sizes := range map[*simulated.App]map[string]int{w.RongCloud: {"big": 230}, w.Tencent: {"big": 410, "@TGS#_big": 430}} {
		for group, size := range sizes {
			kind := ""
			if strings.HasPrefix(group, "@") {
				kind = "Community"
			}
			app.AddGroup(simulated.Group{ID: group, Name: group, Type: kind})
			for i := range size {
				user := fmt.Sprintf("member%03d", i)
				app.AddUnlistedUser(user)
				app.AddMember(group, user, simulated.Member{Joined: time.Unix(1_600_000_000+int64(i), 0)})
			}
		}
	}
	return w
}

// night carries a drawn night out, process after process, until it is sealed.
func (d draw) night(t *testing.T) (s snapshot, requests int64, processes int, err error) {
	world := chaotic(d.world)
	n := newNight(t, world)
	defer n.clear()
	for i, data := range n.job.Data {
		if data.Kind.Batch > 0 && d.batch > 0 {
			n.job.Data[i].Kind.Batch = d.batch
		}
	}
	for _, dish := range d.dishes {
		world.Fault(dish.Order(d.rate / float64(len(d.dishes)))...)
	}
	var told strings.Builder
	for processes = 1; ; processes++ {
		var now stop
		if processes <= len(d.stops) {
			now = d.stops[processes-1]
		}
		result, err := n.process(d, now)
		if err == nil {
			s, err := n.read(result)
			return s, arrived(world), processes, err
		}
		fmt.Fprintf(&told, "\n%d (%v): %v", processes, now, err)
		missing, stopped := &pipeline.NotSealedError{}, &pipeline.StoppedError{}
		if now.step == 0 && !errors.As(err, &missing) && !errors.As(err, &stopped) || processes == 40 {
			return snapshot{}, 0, processes, fmt.Errorf("never sealed:%s", told.String())
		}
	}
}

// process is one process of a night, which ends where it is told to.
func (n *night) process(d draw, s stop) (pipeline.Result, error) {
	ctx, cancel := context.WithCancel(n.t.Context())
	defer cancel()
	drive := disktest.New(n.t, disktest.Options{Crash: s.step, Seed: d.seed})
	r := n.request()
	transport := &cutAfter{RoundTripper: n.world.Transport(), cut: cancel}
	transport.left.Store(s.request)
	r.Transport, r.Disk, r.Workers, r.Memory = transport, drive, d.workers, d.memory
	result, err := pipeline.Run(ctx, r)
	if drive.Crashed() {
		drive.Lose(n.t, s.loss)
	}
	return result, err
}

func arrived(w *simulated.World) (sum int64) {
	for _, count := range w.Counts() {
		sum += int64(count.Requests)
	}
	return sum
}

// quietNight is the same night without chaos, and what it took.
func quietNight(t *testing.T) (s snapshot, requests int64, steps int, err error) {
	world := chaotic(simulated.Options{})
	n := newNight(t, world)
	defer n.clear()
	drive := disktest.New(t, disktest.Options{})
	r := n.request()
	r.Transport, r.Disk = world.Transport(), drive
	result, err := pipeline.Run(t.Context(), r)
	if err != nil {
		return s, 0, 0, err
	}
	s, err = n.read(result)
	return s, arrived(world), drive.Steps(), err
}

// harm is what chaos did to a snapshot: nothing, or the promise is broken.
type harm struct{ lost, twice, lies int }

func (h harm) none() bool { return h == harm{} }

func (h *harm) add(other harm) {
	h.lost += other.lost
	h.twice += other.twice
	h.lies += other.lies
}

// compared holds the rows of a snapshot against those of the quiet one.
func compared(got, want snapshot) (h harm) {
	h.add(rowsCompared(got.memberships, want.memberships, func(m schema.Membership) string { return m.Source + "\x00" + m.GroupID + "\x00" + m.UserID }))
	h.add(rowsCompared(got.groups, want.groups, func(g schema.Group) string { return g.Source + "\x00" + g.GroupID }))
	h.add(rowsCompared(got.users, want.users, func(u schema.User) string { return u.Source + "\x00" + u.UserID }))
	h.add(rowsCompared(got.discrepancies, want.discrepancies, func(d schema.Discrepancy) string {
		return d.Source + "\x00" + d.GroupID + "\x00" + d.UserID + "\x00" + d.Kind
	}))
	h.add(rowsCompared(timeless(got.outcomes), timeless(want.outcomes), func(o schema.KeyOutcome) string { return o.Source + "\x00" + o.Data + "\x00" + o.Key }))
	return h
}

// timeless leaves out of the ledger what timing alone decides.
func timeless(rows []schema.KeyOutcome) []schema.KeyOutcome {
	var all []schema.KeyOutcome
	for _, o := range rows {
		o.Requests, o.Attempts, o.AskedAt, o.AnsweredAt = 0, 0, 0, 0
		all = append(all, o)
	}
	return all
}

// spelled is a row with what its pointers point to.
func spelled(row any) string {
	text, err := json.Marshal(row)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func rowsCompared[Row any](got, want []Row, key func(Row) string) (h harm) {
	wanted, found := map[string]string{}, map[string]bool{}
	for _, row := range want {
		wanted[key(row)] = spelled(row)
	}
	for _, row := range got {
		k := key(row)
		switch text, known := wanted[k]; {
		case found[k]:
			h.twice++
		case !known || text != spelled(row):
			h.lies++
		}
		found[k] = true
	}
	for k := range wanted {
		if !found[k] {
			h.lost++
		}
	}
	return h
}

// sameTables tells whether the tables that depend on the vendors' data alone are byte for byte alike.
func sameTables(a, b snapshot) bool {
	for _, table := range []string{"memberships", "groups", "users", "discrepancies"} {
		if a.sums[table] != b.sums[table] {
			return false
		}
	}
	return true
}
