package budget_test

import (
	"testing"
	"time"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/job"
)

var epoch = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return epoch.Add(milliseconds(ms)) }

func pace(limit float64) *budget.Pace {
	return budget.NewPace(budget.Config{Limit: budget.Steady(limit), Timeout: 30 * time.Second})
}

func wantWait(t *testing.T, p *budget.Pace, now time.Time, want time.Duration) {
	t.Helper()
	if wait, ok := p.Next(now); wait != want || !ok {
		t.Errorf("at %v: wait %v, %v; want %v", now.Sub(epoch), wait, ok, want)
	}
}

func TestAPlaceIsHeldUntilOneSecondAfterTheAnswer(t *testing.T) {
	t.Parallel()
	p := pace(1)
	wantWait(t, p, at(0), 0)
	ticket := p.Sent(at(0))
	if _, ok := p.Next(at(2000)); ok {
		t.Error("a wait was told although the only place waits for its answer")
	}
	p.Answered(ticket, at(2000))
	wantWait(t, p, at(2000), budget.Second)
	wantWait(t, p, at(3001), 0)
	if held := p.Held(at(3001)); held != 0 {
		t.Errorf("%d places are held", held)
	}
}

func TestAnUnansweredRequestHoldsItsPlaceUntilASecondAfterItsTimeout(t *testing.T) {
	t.Parallel()
	p := pace(1)
	p.Unanswered(p.Sent(at(0)), at(10))
	wantWait(t, p, at(10), 30*time.Second+budget.Second-milliseconds(10))
}

func TestAFractionOfARequestASecondIsOneRequestInSeveralSeconds(t *testing.T) {
	t.Parallel()
	p := pace(0.1)
	p.Answered(p.Sent(at(0)), at(0))
	wantWait(t, p, at(0), 10*time.Second+time.Millisecond)
}

func TestNothingIsSentBeforeHeldUntil(t *testing.T) {
	t.Parallel()
	p := budget.NewPace(budget.Config{Limit: budget.Steady(100), HeldUntil: at(2000)})
	wantWait(t, p, at(500), milliseconds(1500))
	wantWait(t, p, at(2000), 0)
}

func TestNoLimitSendsNothing(t *testing.T) {
	t.Parallel()
	for _, limit := range []float64{0, -1} {
		if wait, _ := pace(limit).Next(at(0)); wait <= 0 {
			t.Errorf("limit %v sends", limit)
		}
	}
}

func TestThrottlingHalvesThePaceOnceForAllThatWereOnTheWay(t *testing.T) {
	t.Parallel()
	p := pace(100)
	first, second := p.Sent(at(0)), p.Sent(at(10))
	if !p.Throttled(first, at(50)) || p.Throttled(second, at(51)) {
		t.Error("want one cut for two answers that were on the way together")
	}
	if got := p.Allowed(at(50)); got != 50 {
		t.Errorf("allowed %v, want 50", got)
	}
	if got := p.Allowed(at(2050)); got != 60 {
		t.Errorf("allowed %v two seconds later, want 60", got)
	}
	if !p.Throttled(p.Sent(at(2060)), at(2100)) {
		t.Error("a request sent after the cut tells of the new pace")
	}
	if got := p.Allowed(at(60_000)); got != 100 {
		t.Errorf("allowed %v a minute later, want 100", got)
	}
}

func TestThrottlingNeverStopsThePace(t *testing.T) {
	t.Parallel()
	for limit, floor := range map[float64]float64{100: 1, 1000: 1, 5: 0.5, 0.5: 0.05} {
		p := pace(limit)
		for i := range 50 {
			p.Throttled(p.Sent(at(i)), at(i))
		}
		if got := p.Allowed(at(49)); got < floor*0.999 || got > floor*1.001 {
			t.Errorf("limit %v: allowed %v, want %v", limit, got, floor)
		}
	}
}

func TestAPauseIsKeptAndNeverLongerThanFiveMinutes(t *testing.T) {
	t.Parallel()
	p := pace(100)
	p.Pause(at(0), 7*time.Second)
	p.Pause(at(0), 3*time.Second)
	wantWait(t, p, at(0), 7*time.Second)
	p.Pause(at(0), time.Hour)
	wantWait(t, p, at(0), 5*time.Minute)
}

func TestAScheduleFollowsTheClockOfItsTimeZone(t *testing.T) {
	t.Parallel()
	limit, err := budget.Schedule(100, 0.8, []job.Window{
		{From: 9 * 60, To: 18 * 60, Share: 0.2, TimeZone: "Asia/Shanghai"},
		{From: 23 * 60, To: 60, Share: 0.5, TimeZone: "UTC"},
	}, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for clock, want := range map[string]float64{
		"00:59:00": 50, // night window, over midnight
		"00:59:45": 20, // the smaller share of 01:00 (09:00 in Shanghai) is kept to 30 s before
		"01:00:00": 20, "09:59:59": 20,
		"10:00:00": 80, "22:59:00": 80, "22:59:31": 50, "23:30:00": 50,
	} {
		now, err := time.Parse(time.TimeOnly, clock)
		if err != nil {
			t.Fatal(err)
		}
		if got := limit(now.AddDate(2026, 0, 0)); got != want {
			t.Errorf("at %s the limit is %v, want %v", clock, got, want)
		}
	}
	if _, err := budget.Schedule(1, 1, []job.Window{{TimeZone: "Mars/Olympus"}}, 0); err == nil {
		t.Error("an unknown time zone passes")
	}
}
