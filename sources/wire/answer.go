package wire

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestWait bounds what a vendor may ask for, so that a broken header can't stop a night.
const longestWait = 24 * time.Hour

// RetryAfter reads the Retry-After header in each spelling that has been seen: seconds, fractions
// of seconds, an HTTP date, and a moment in seconds or milliseconds since 1970. It is 0 for a
// header that is absent, empty, negative, past or unreadable, and never more than a day.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		const epoch, epochMillis = 1e9, 1e12 // as a wait these would be 30 years and more
		switch {
		case seconds >= epochMillis:
			seconds = seconds/1000 - float64(now.UnixMilli())/1000
		case seconds >= epoch:
			seconds -= float64(now.UnixMilli()) / 1000
		}
		if math.IsNaN(seconds) {
			return 0
		}
		wait = time.Duration(min(max(seconds, 0), longestWait.Seconds()) * float64(time.Second))
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), longestWait)
}
