package fetch

import (
	"fmt"
	"time"

	"rollcall/pipeline/client"
	"rollcall/pipeline/event"
)

// failingFor is how long an endpoint fails before the listener is told.
const failingFor = 5 * time.Second

// notices is what the listener was told of an endpoint.
type notices struct {
	throttled time.Time     // since when; zero: it is not, or that is not told
	throttles int64         // answers that were seen so far
	refused   time.Time     // when the last of them was seen
	quiet     time.Duration // without any of them, until that is told to be over
	full      int64         // answers that show the full pace to be taken: one more than there were when it was allowed again; 0: it is not
	failing   time.Time     // likewise
	backup    bool
}

// warn tells each time that an endpoint has begun to throttle or to fail, and when that is over.
func (f *Fetch) warn(now time.Time) {
	for _, l := range f.lanes {
		name := l.endpoint.Name()
		f.tellThrottling(l, now)
		f.tellSwitch(l, l.figures)
		switch since := l.figures.FailingSince; {
		case since.IsZero() && !l.notices.failing.IsZero():
			f.recovered("%s answers again after %v", name, now.Sub(l.notices.failing))
			l.notices.failing = time.Time{}
		case !since.IsZero() && now.Sub(since) >= failingFor && l.notices.failing.IsZero():
			l.notices.failing = since
			f.Listen(event.Notice{Warning: true,
				Text: fmt.Sprintf("%s has not answered well for %v: %s", name, now.Sub(since).Round(time.Second), l.figures.Failure),
				Hint: "it is tried again; after two minutes without one good answer the run stops and keeps what was fetched"})
		}
	}
}

// tellThrottling tells that the vendor refuses requests as too many, and when the pace is what it was before. A
// vendor that does so again and again is told less and less often.
func (f *Fetch) tellThrottling(l *lane, now time.Time) {
	g, n := l.figures, &l.notices
	if g.Throttles > n.throttles {
		n.throttles, n.refused, n.full = g.Throttles, now, 0
		if n.throttled.IsZero() {
			n.throttled = now
			f.Listen(event.Notice{Warning: true,
				Text: fmt.Sprintf("%s: the vendor refuses requests as too many; the pace is cut and recovers slowly", l.endpoint.Name()),
				Hint: "something else uses this budget too (lower share), or the vendor grants less than per_second says"})
		}
		return
	}
	switch { // the pace recovers by itself, asked or not
	case n.throttled.IsZero():
		return
	case g.Allowed < g.Limit:
		n.full = 0
		return
	case n.full == 0:
		n.full = g.Answers + 1
	}
	if g.Answers >= n.full && now.Sub(n.refused) >= n.quiet {
		f.recovered("%s: the vendor takes requests at the full pace again after %v", l.endpoint.Name(), now.Sub(n.throttled))
		n.throttled, n.quiet = time.Time{}, min(max(time.Minute, 2*n.quiet), time.Hour)
	}
}

// recovered tells that an endpoint works as before, and how long it did not.
func (f *Fetch) recovered(format string, name client.Name, after time.Duration) {
	f.Listen(event.Notice{Recovery: true, Text: fmt.Sprintf(format, name, after.Round(time.Second))})
}

// tellSwitch tells that an endpoint has gone over to its other host.
func (f *Fetch) tellSwitch(l *lane, g client.Figures) {
	if g.Backup == l.notices.backup {
		return
	}
	l.notices.backup = g.Backup
	if g.Backup {
		f.Listen(event.Notice{Warning: true,
			Text: fmt.Sprintf("%s: going over to the backup host %s: %s", l.endpoint.Name(), g.Host, g.Why),
			Hint: "both share one budget; the main host is tried again now and then, and used as soon as it answers"})
		return
	}
	f.Listen(event.Notice{Recovery: true, Text: fmt.Sprintf("%s: back at %s: %s", l.endpoint.Name(), g.Host, g.Why)})
}
