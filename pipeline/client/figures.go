package client

import "time"

// Figures is what an endpoint has done in this process.
type Figures struct {
	Requests  int64 // sent, repeated ones included
	Retries   int64 // of these, sent again for a request that had failed or been throttled
	Throttles int64 // throttling answers
	Failures  int64 // transient: cut connections, 5xx, answers that can't be read
	Elsewhere int64 // of all requests, those that were sent to the backup host
	InFlight  int

	Switches int64  // from one host to the other
	Backup   bool   // the backup host is in use
	Host     string // in use, without its scheme; empty where there is no backup
	Why      string // the last switch was made

	Limit   float64 // what the configuration allows now, requests a second
	Allowed float64 // what throttling leaves of it
	Pace    float64 // requests sent in the last ten seconds, a second

	Answers int64         // all others: an answer that is final, be it that the key is refused
	Took    time.Duration // all of them together, each from the place taken to the body read
	Latency time.Duration // their mean
	Buckets [12]int64     // their latency by LatencyBounds; the last is for those above all bounds

	First, Last time.Time // when requests were sent; zero: none was
	Series      Series    // what was sent when

	FailingSince time.Time // when the first request was sent after the last good answer; zero: it answers well
	Failure      string    // the last transient failure since then
}

// LatencyBounds are the upper bounds of Figures.Buckets.
func LatencyBounds() [11]time.Duration {
	return [11]time.Duration{
		5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
		100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
	}
}

// Figures tells what the endpoint has done up to now.
func (e *Endpoint) Figures() Figures {
	limit, allowed, now := e.budget.Limit(), e.budget.Allowed(), e.client.options.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.figures
	f.Series = f.Series.Clone()
	f.Limit, f.Allowed, f.Pace = limit, allowed, e.recent.pace(now, f.First)
	if e.route.hosts.Backup != "" {
		f.Switches, f.Backup, f.Host, f.Why = e.route.switches, e.route.backup, e.route.host(), e.route.reason
	}
	if e.health.failures > 0 {
		f.FailingSince, f.Failure = e.health.since, e.failure
	}
	if f.Answers > 0 {
		f.Latency = f.Took / time.Duration(f.Answers)
	}
	return f
}

// took counts one good answer's latency.
func (e *Endpoint) took(latency time.Duration) {
	const weight = 0.05
	if e.smooth == 0 {
		e.smooth = latency.Seconds()
	}
	e.smooth += weight * (latency.Seconds() - e.smooth)
	e.figures.Answers++
	e.figures.Took += latency
	bounds := LatencyBounds()
	bucket := 0
	for bucket < len(bounds) && latency > bounds[bucket] {
		bucket++
	}
	e.figures.Buckets[bucket]++
}

const window = 10 // seconds

// recent counts requests by second for the last ten whole seconds and the one under way.
type recent struct {
	second [window + 1]int64
	count  [window + 1]int64
}

func (r *recent) add(at time.Time) {
	second := at.Unix()
	slot := second % (window + 1)
	if r.second[slot] != second {
		r.second[slot], r.count[slot] = second, 0
	}
	r.count[slot]++
}

// pace is the mean of the last ten whole seconds, or of those since the first request.
func (r *recent) pace(now, first time.Time) float64 {
	if first.IsZero() {
		return 0
	}
	var sum int64
	current := now.Unix()
	for slot, second := range r.second {
		if second < current && second >= current-window {
			sum += r.count[slot]
		}
	}
	whole := min(window, current-first.Unix())
	if whole <= 0 {
		return float64(r.count[current%(window+1)])
	}
	return float64(sum) / float64(whole)
}
