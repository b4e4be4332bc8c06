package pipeline_test

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/client"
	"rollcall/pipeline/job"
	"rollcall/schema/disk/disktest"
	"rollcall/sources/simulated"
)

const pathMembers = "/entrust/group/member/query.json"

// few is a night of three keys of each vendor's, of whom one may ask so much a second. It tolerates everything.
func few(t *testing.T, perSecond float64) *night {
	t.Helper()
	world := simulated.New(unlimited(simulated.Options{Seed: 6, Users: 12, Groups: 3}))
	n := newNight(t, world).block("rongcloud_group_members", groups("rc_groups")).block("tencentchat_group_members", groups("tx_groups"))
	for i := range n.job.Lists {
		n.job.Lists[i].Values = n.job.Lists[i].Values[:3]
	}
	for _, s := range n.job.Sources {
		for name := range s.Budgets {
			s.Budgets[name] = job.Budget{PerSecond: perSecond}
		}
	}
	n.job.Tolerate.Share = 1
	return n
}

func TestAVendorThatIsDownFromTheBeginningSealsNothingHoweverFewAreAsked(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]simulated.Effect{
		"503": simulated.Status(503, "busy"), "HTML": simulated.HTML(200), "truncated": simulated.Truncated(), "busy": simulated.OfClass(simulated.Busy),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := few(t, 5)
			n.inBubble(func() {
				n.world.Fault(simulated.Fault{Path: pathMembers, Do: effect})
				for range 2 { // the second goes on with the first, and knows no more of the vendor than it did
					began := time.Now()
					_, err := n.virtually(disktest.New(n.t, disktest.Options{}), nil)
					stopped := &pipeline.StoppedError{}
					if !errors.As(err, &stopped) || !errors.Is(err, client.ErrDown) || stopped.Done != 3 {
						n.t.Fatalf("after %v: %+v, %v", time.Since(began), stopped, err)
					}
					if took := time.Since(began); took > 3*time.Minute {
						n.t.Errorf("it was given up after %v only", took)
					}
					if !n.left()[date] || len(n.visible()) > 0 {
						n.t.Errorf("in the state folder %v, in the sink %v", n.left(), n.visible())
					}
				}
				n.world.Heal()
				if result, err := n.virtually(disktest.New(n.t, disktest.Options{}), nil); err != nil || result.Code != pipeline.CodeComplete {
					n.t.Errorf("once it answers: code %d, %v", result.Code, err)
				}
			})
		})
	}
}

func TestAKeyThatIsAlwaysAnsweredBadlyFailsAloneAlsoWhenItAloneIsLeft(t *testing.T) {
	t.Parallel()
	n := few(t, 5)
	n.job.Tolerate.Share = 0
	n.inBubble(func() {
		poisoned := n.world.RongCloud.GroupIDs()[1]
		n.world.Fault(simulated.Fault{Path: pathMembers, Key: poisoned, Do: simulated.Status(503, "busy")})
		for resumed := range 3 {
			_, err := n.virtually(disktest.New(n.t, disktest.Options{}), nil)
			missing := &pipeline.NotSealedError{}
			if !errors.As(err, &missing) || missing.Missing != 1 || missing.Gaps[0].Key != poisoned {
				n.t.Fatalf("gone on with %d times: %+v, %v", resumed, missing, err)
			}
		}
		n.job.Tolerate.Share = 1
		if result, err := n.virtually(disktest.New(n.t, disktest.Options{}), nil); err != nil || result.Code != pipeline.CodeNotWhole {
			n.t.Errorf("tolerated: code %d, %v", result.Code, err)
		}
	})
}

// arrivals is a transport that writes down when requests arrive.
type arrivals struct {
	http.RoundTripper
	mu sync.Mutex
	at []int64 // microseconds since 1970
}

func (a *arrivals) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.at = append(a.at, time.Now().UnixMicro())
	a.mu.Unlock()
	return a.RoundTripper.RoundTrip(r)
}

func TestAKeyWasAskedWhenItsRequestWasSentAndNotWhenItWaitedForTheBudget(t *testing.T) {
	t.Parallel()
	n := few(t, 0.2)
	sent := &arrivals{RoundTripper: n.world.Transport()}
	var result pipeline.Result
	n.inBubble(func() {
		var err error
		result, err = n.virtually(disktest.New(n.t, disktest.Options{}), func(r *pipeline.Request) { r.Transport = sent })
		if err != nil {
			n.t.Fatal(err)
		}
	})
	s := n.read(result)
	if len(s.outcomes) != 6 || len(sent.at) < 6 {
		t.Fatalf("%d outcomes of %d requests", len(s.outcomes), len(sent.at))
	}
	times := map[int64]bool{}
	for _, o := range s.outcomes {
		times[o.AskedAt] = true
		if !slices.Contains(sent.at, o.AskedAt) || o.AnsweredAt < o.AskedAt {
			t.Errorf("%s is said to have been asked at %d, answered at %d; requests were sent at %v", o.Key, o.AskedAt, o.AnsweredAt, sent.at)
		}
	}
	if len(times) < 3 {
		t.Errorf("keys of one endpoint were asked at %v: the budget held nobody up", times)
	}
	from := result.Manifest.AskedFrom.Time()
	if from.UnixMicro() != slices.Min(sent.at) {
		t.Errorf("asked from %v, first sent at %d", from, slices.Min(sent.at))
	}
	for source, endpoints := range result.Manifest.Requests {
		for name, f := range endpoints {
			if begun := f.Series.From.Time(); from.Before(begun) || from.Sub(begun) > time.Second {
				t.Errorf("asked from %v, and %s %s from %v", from, source, name, begun)
			}
		}
	}
}
