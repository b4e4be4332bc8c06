package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/sources/simulated"
)

// reference is the quiet night that all others are held against.
type reference struct {
	snapshot
	requests int64
	steps    int
}

// line is one row of CHAOS.md.
type line struct {
	fault, happened string
	times           int
	harm            harm
	repeated        int64 // requests more than a quiet night takes
	resumed         int   // processes more than one
}

// tell prints the line; make chaos gathers them.
func (l line) tell(t *testing.T) {
	happened := l.happened
	if happened == "" {
		happened = "sealed, the bytes of a quiet night"
		if l.resumed > 0 {
			happened += fmt.Sprintf("; gone on with %d times", l.resumed)
		}
	}
	t.Logf("| %s | %d | %s | %d | %d | %d | %d |", l.fault, l.times, happened, l.harm.lost, l.harm.twice, l.harm.lies, l.repeated)
}

// night carries out a draw and adds it to the line.
func (l *line) night(t *testing.T, d draw, quiet reference) {
	s, requests, processes, err := d.night(t)
	if err != nil {
		t.Errorf("%v: %v", d, err)
		return
	}
	h := compared(s, quiet.snapshot)
	l.times++
	l.harm.add(h)
	l.repeated += requests - quiet.requests
	l.resumed += processes - 1
	if !h.none() || s.Code != quiet.Code || !sameTables(s, quiet.snapshot) {
		t.Errorf("%v: %+v, code %d; once more with: go test ./pipeline/chaos -seed %d", d, h, s.Code, d.seed)
	}
}

// TestChaos is all scenarios, one after the other in one bubble.
func TestChaos(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(name, value)
	}
	synctest.Test(t, func(t *testing.T) {
		var quiet reference
		var err error
		if quiet.snapshot, quiet.requests, quiet.steps, err = quietNight(t); err != nil {
			t.Fatal(err)
		}
		if *chaosSeed != 0 {
			(&line{}).night(t, drawn(*chaosSeed, quiet.requests, quiet.steps), quiet)
			return
		}
		eachFault(t, quiet)
		away(t, quiet)
		clocks(t, quiet)
		midnight(t, quiet)
		paging(t, quiet)
		bucketTrouble(t, quiet)
		leases(t, quiet)
		anyNight(t, quiet)
	})
}

// eachFault plays every fault that a run must get over, alone, often enough to hit nearly every key.
func eachFault(t *testing.T, quiet reference) {
	rates := []float64{0.3}
	if *chaosTime > 0 {
		rates = []float64{0.01, 0.1, 0.3, 0.5}
	}
	for _, dish := range simulated.Menu() {
		if !dish.Passing {
			continue
		}
		l := line{fault: fmt.Sprintf("`%s`: %s; %s of answers", dish.Name, dish.Doc, percents(rates))}
		for i, rate := range rates {
			l.night(t, draw{seed: uint64(i), dishes: []simulated.Dish{dish}, rate: rate}, quiet)
		}
		l.tell(t)
	}
}

// many is how often something is tried: once in the ordinary tests.
func many(n int) int {
	if *chaosTime > 0 {
		return n
	}
	return 1
}

// seed is what the i-th night is drawn from: the same ones in the ordinary tests, others each time
// that chaos is asked for.
func seed(i int) uint64 {
	if *chaosTime > 0 {
		return rand.Uint64()
	}
	return uint64(i)
}

func percents(rates []float64) string {
	var all []string
	for _, rate := range rates {
		all = append(all, fmt.Sprintf("%g %%", 100*rate))
	}
	return strings.Join(all, ", ")
}

// anyNight draws workers, sizes, spellings, faults and stops at random: no night may differ from the
// quiet one by a byte.
func anyNight(t *testing.T, quiet reference) {
	l := line{fault: "everything at once, drawn at random: workers, sizes of runs and batches, page order, spellings, 1 % to 50 % of up to four faults, up to three stops, kills and power cuts"}
	for i, end := 1, realNow().Add(*chaosTime); i <= 4 || realNow().Before(end); i++ {
		l.night(t, drawn(seed(i), quiet.requests, quiet.steps), quiet)
	}
	l.tell(t)
}

// realNow is the time outside the bubble, which -chaos is about.
func realNow() time.Time {
	var now syscall.Timeval
	if err := syscall.Gettimeofday(&now); err != nil {
		return time.Time{}
	}
	return time.Unix(now.Unix())
}
