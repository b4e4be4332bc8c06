package fetch_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/client"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
)

// chained is a fetch of every kind of data block, most of which discover each other's keys.
func chained(t *testing.T) *work {
	v := newVendor(60, 40)
	v.delay = 100 * time.Millisecond
	w := newWork(t, v).block("groups", given("users"), job.Input{}).
		block("members", job.Input{}, job.Input{Lists: []string{"groups"}, From: []string{"groups.a"}}).
		block("roles", job.Input{}, job.Input{}, "groups.a", "members.a")
	w.workers = 2
	w.lists["users"] = v.users()
	w.lists["groups"] = append(slices.Sorted(maps.Keys(v.members))[5:], "nobody knows it")
	return w
}

// steady fails where progress ran backwards or promised too much.
func (w *work) steady() {
	w.t.Helper()
	var before event.Progress
	for i, p := range w.all {
		for j, b := range p.Blocks {
			end := w.last.Blocks[j]
			if b.Done > b.Known || b.Known > end.Known || b.Final && b.Known != end.Known || b.Pending < 0 || b.Done+b.Pending > b.Known {
				w.t.Errorf("%v, which ends with %d: %+v", p.Elapsed, end.Known, b)
			}
			if i == 0 {
				continue
			}
			if was := before.Blocks[j]; b.Done < was.Done || b.Known < was.Known || b.Rows < was.Rows || b.Requests < was.Requests || was.Final && !b.Final {
				w.t.Errorf("%v: %+v\nafter %+v", p.Elapsed, b, was)
			}
		}
		before = p
	}
}

func TestProgressNeverRunsBackwards(t *testing.T) {
	t.Parallel()
	for _, waiting := range []int{0, 7} {
		synctest.Test(t, func(t *testing.T) {
			w := chained(t)
			w.waiting = waiting
			if err := w.run(); err != nil {
				t.Fatal(err)
			}
			if len(w.all) < 10 {
				t.Fatalf("%d times told", len(w.all))
			}
			w.steady()
			for _, b := range w.last.Blocks {
				if b.Activity != event.Ended || b.Pending != 0 || b.Done != b.Known {
					t.Errorf("ended with %+v", b)
				}
			}
		})
	}
}

func TestAResumedFetchKnowsFromItsFirstMomentWhatIsKept(t *testing.T) {
	t.Parallel()
	for _, stop := range []int{30, 75, 130} {
		synctest.Test(t, func(t *testing.T) {
			w := chained(t)
			w.data = append(w.data, job.Data{
				Address: "roles.b", Source: "v.a", Kind: kinds["roles"],
				Users: job.Input{Lists: []string{"some"}}, Groups: job.Input{Lists: []string{"groups"}},
			})
			w.lists["some"] = w.vendor.users()[:20]
			w.vendor.stop = stop
			if err := w.run(); err == nil {
				t.Fatal("not stopped")
			}
			stopped := w.last
			for _, b := range stopped.Blocks {
				if b.Pending != 0 || b.Done < b.Known && b.Activity != event.Stopped {
					t.Errorf("stopped with %+v", b)
				}
			}
			w.all, w.vendor.stop = nil, 0
			if err := w.run(); err != nil {
				t.Fatal(err)
			}
			for i, b := range w.all[0].Blocks {
				if was := stopped.Blocks[i]; b.Done != was.Done || b.Rows != was.Rows || b.Pending != 0 {
					t.Errorf("stopped with %+v\ngoes on with %+v", was, b)
				}
			}
			w.steady()
		})
	}
}

func TestABlockSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVendor(60, 40)
		v.delay = time.Second
		w := newWork(t, v).block("groups", given("users"), job.Input{}).
			block("members", job.Input{}, job.Input{From: []string{"groups.a"}}).
			block("roles", job.Input{}, job.Input{}, "groups.a")
		w.lists["users"], w.workers = v.users(), 1
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, p := range w.all {
			for _, b := range p.Blocks {
				seen[fmt.Sprint(b.Address, " ", b.Activity, " ", b.For)] = true
			}
		}
		for _, want := range []string{"members.a waiting [groups.a]", "roles.a filling [groups.a]", "roles.a waiting [groups.a]", "groups.a  []", "roles.a finished []"} {
			if !seen[want] {
				t.Errorf("never told: %q, but %v", want, slices.Sorted(maps.Keys(seen)))
			}
		}
		// The last requests that are left are counted and not guessed at.
		first := slices.IndexFunc(w.all, func(p event.Progress) bool { return p.Blocks[2].Final })
		if b := w.all[first].Blocks[2]; b.Left < 0 || b.Activity != event.Asking {
			t.Errorf("once all pairs are known: %+v", b)
		}
	})
}

func TestTheTimeThatIsLeftIsALowerBoundUntilItIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := chained(t)
		w.vendor.url = "http://vendor.test"
		w.transport, w.perSecond = answers{}, 10
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		w.steady()
		total := w.last.Elapsed
		for _, p := range w.all {
			really := total - p.Elapsed
			if p.AtLeast && p.Left > really+time.Second {
				t.Errorf("after %v: at least %v left, really %v", p.Elapsed, p.Left, really)
			}
			if !p.AtLeast && p.Left >= 0 && (p.Left-really).Abs() > 2*time.Second+really/10 {
				t.Errorf("after %v: %v left, really %v", p.Elapsed, p.Left, really)
			}
			for _, e := range p.Endpoints {
				if e.Rate > 11 {
					t.Errorf("after %v: %+v", p.Elapsed, e)
				}
			}
		}
		if !slices.ContainsFunc(w.all, func(p event.Progress) bool { return !p.AtLeast && p.Left > 3*time.Second }) {
			t.Error("it was never known")
		}
	})
}

// answers answers every request, with an empty body unless answer says otherwise; prove, where there is one, is
// how long it takes until an answer is proved to be its request's.
type answers struct {
	answer func() (status int, err error)
	prove  time.Duration
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	response := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
	if a.answer != nil {
		status, err := a.answer()
		if err != nil {
			return nil, err
		}
		response.StatusCode = status
	}
	if a.prove > 0 {
		response.Body = unproved{http.NoBody, a.prove}
	}
	return response, nil
}

// unproved is the body of an answer that is proved later.
type unproved struct {
	io.ReadCloser
	after time.Duration
}

func (unproved) Judge(client.Verdict) {}

func (u unproved) Settled(tell func(bool)) { time.AfterFunc(u.after, func() { tell(true) }) }

func TestTheEndOfATroubleIsToldAsItsBeginningWas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status       int
		err          error
		begin, after string
	}{
		"no connection": {0, errors.New("connection refused"), "v.a groups has not answered well for 5s: ", "v.a groups answers again after 2"},
		"5xx":           {http.StatusServiceUnavailable, nil, "v.a groups has not answered well for 5s: ", "v.a groups answers again after 2"},
		"throttling":    {http.StatusTooManyRequests, nil, "v.a groups: the vendor refuses requests as too many; ", "v.a groups: the vendor takes requests at the full pace again after "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				v := newVendor(200, 5)
				v.url = "http://vendor.test"
				w := newWork(t, v).block("groups", given("users"), job.Input{})
				w.lists["users"], w.perSecond, w.workers = v.users(), 2, 3
				w.transport = answers{answer: func() (int, error) {
					if since := time.Since(begun); since > 10*time.Second && since < 32*time.Second {
						return c.status, c.err
					}
					return http.StatusOK, nil
				}}
				if err := w.run(); err != nil {
					t.Fatal(err)
				}
				for _, p := range w.all {
					if p.Elapsed > 14*time.Second && p.Elapsed < 31*time.Second && !p.AtLeast && p.Left >= 0 {
						t.Errorf("after %v, in which nothing is answered, %v are left", p.Elapsed, p.Left)
					}
				}
				if len(w.notices) != 2 || !w.notices[0].Warning || !strings.HasPrefix(w.notices[0].Text, c.begin) || !w.notices[1].Recovery || !strings.HasPrefix(w.notices[1].Text, c.after) {
					t.Errorf("%+v", w.notices)
				}
			})
		})
	}
}

// TestAVendorThatIsNotAskedAnyMoreIsNotSaidToTakeRequests: the pace recovers by itself while the last answers wait
// for proof, and nobody tries it.
func TestAVendorThatIsNotAskedAnyMoreIsNotSaidToTakeRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		v := newVendor(40, 5)
		v.url = "http://vendor.test"
		w := newWork(t, v).block("groups", given("users"), job.Input{})
		w.lists["users"], w.perSecond, w.workers = v.users(), 10, 40
		w.transport = answers{prove: 10 * time.Minute, answer: func() (int, error) {
			if since := time.Since(begun); since > time.Second && since < 4*time.Second {
				return http.StatusTooManyRequests, nil
			}
			return http.StatusOK, nil
		}}
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		if time.Since(begun) < 10*time.Minute || len(w.notices) != 1 || !w.notices[0].Warning {
			t.Errorf("%v: %+v", time.Since(begun), w.notices)
		}
	})
}

// TestAProcessThatWasSuspendedTellsNoRateOfThatTime lets nine seconds go by at once in the middle of the work: fewer than those whose rates are told.
func TestAProcessThatWasSuspendedTellsNoRateOfThatTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVendor(200, 5)
		v.url = "http://vendor.test"
		w := newWork(t, v).block("groups", given("users"), job.Input{})
		w.lists["users"], w.perSecond, w.workers, w.transport = v.users(), 10, 5, answers{}
		begun := time.Now()
		w.now = func() time.Time {
			if now := time.Now(); now.Sub(begun) < 8*time.Second {
				return now
			}
			return time.Now().Add(9 * time.Second)
		}
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		ended := w.now()
		for _, p := range w.all {
			if rest := ended.Sub(p.At); p.At.Sub(begun) > 17*time.Second && p.Left > rest+2*time.Second {
				t.Errorf("%v before the end %v are left (at least: %v)", rest, p.Left, p.AtLeast)
			}
			if rate := p.Rate(); rate >= 0 && rate < 9 {
				t.Errorf("%v after the begin %v requests a second", p.Elapsed, rate)
			}
		}
	})
}

// TestAVendorThatThrottlesAgainAndAgainIsToldLessAndLess: a log must not fill with it.
func TestAVendorThatThrottlesAgainAndAgainIsToldLessAndLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, asked := time.Now(), 0
		v := newVendor(100, 1)
		v.url = "http://vendor.test"
		w := newWork(t, v).block("groups", given("users"), job.Input{})
		w.lists["users"], w.perSecond, w.workers = v.users(), 1, 2
		for u := range 500 {
			w.lists["users"] = append(w.lists["users"], fmt.Sprintf("more-%d", u))
		}
		w.transport = answers{answer: func() (int, error) {
			if asked++; asked%40 == 0 { // every 40 seconds or so
				return http.StatusTooManyRequests, nil
			}
			return http.StatusOK, nil
		}}
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		if time.Since(begun) < 8*time.Minute || len(w.notices) != 3 || !w.notices[1].Recovery {
			t.Errorf("%v: %+v", time.Since(begun), w.notices)
		}
	})
}

func TestWaitingForProofIsTold(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]int{"at the end": 0, "after a stop": 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := newVendor(60, 40)
				v.url, v.stop = "http://vendor.test", stop
				w := newWork(t, v).block("groups", given("users"), job.Input{})
				w.lists["users"], w.transport, w.workers = v.users(), answers{prove: 2500 * time.Millisecond}, 4
				if err := w.run(); (err != nil) != (stop > 0) {
					t.Fatal(err)
				}
				proving := 0
				for _, p := range w.all {
					if b := p.Blocks[0]; b.Activity == event.Proving && b.Pending > 0 && b.Left < 0 {
						proving++
					}
				}
				if proving < 3 {
					t.Errorf("told %d times: %+v", proving, w.all)
				}
				w.steady()
			})
		})
	}
}
