package report

import (
	"math"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"rollcall/schema"
	"rollcall/schema/spelling"
)

// longest is how many letters of a vendor's text are shown.
const longest = 160

// shown is text from elsewhere as it can be shown: no control or invisible mark takes effect, and
// it is not endless. The template escapes what HTML would read.
func shown(s string) string {
	runes := 0
	for at := range s {
		if runes == longest {
			s = s[:at] + "…"
			break
		}
		runes++
	}
	return spelling.Visible(s)
}

// figure is a number that was counted, and under which name a test recounts it.
type figure struct {
	Name string
	N    int64
}

// ID is the name as it can stand in a page: a data block of somebody's manifest may be called anything.
func (f figure) ID() string { return spelling.Visible(f.Name) }

// Text is the number as people write it.
func (f figure) Text() string { return humanize.Comma(f.N) }

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(n) + " " + many
}

// signed is a difference: "+120", "−3", "no change".
func signed(n int64) string {
	switch {
	case n > 0:
		return "+" + humanize.Comma(n)
	case n < 0:
		return "−" + humanize.Comma(-n)
	default:
		return "no change"
	}
}

// compact is a number for an axis: 950, 12.5k, 3M.
func compact(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= unit.size {
			return strconv.FormatFloat(v/unit.size, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
}

// rate is requests a second with as many digits as say something.
func rate(v float64) string {
	switch {
	case v >= 100:
		return humanize.Comma(int64(math.Round(v)))
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}

// percent is a share that is neither 0 % nor 100 % unless it is exactly that.
func percent(n, of int64) string {
	if of == 0 {
		return "–"
	}
	switch p := 100 * float64(n) / float64(of); {
	case n == 0:
		return "0%"
	case n == of:
		return "100%"
	case p < 0.1:
		return "<0.1%"
	case p > 99.9:
		return ">99.9%"
	default:
		return strconv.FormatFloat(p, 'f', 1, 64) + "%"
	}
}

// span is a duration: 1 h 05 min, 4 min 10 s, 12 s.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, s := int64(d/time.Hour), int64(d%time.Hour/time.Minute), int64(d%time.Minute/time.Second)
	switch {
	case h > 0:
		return strconv.FormatInt(h, 10) + " h " + strconv.FormatInt(m, 10) + " min"
	case m > 0 && s == 0:
		return strconv.FormatInt(m, 10) + " min"
	case m > 0:
		return strconv.FormatInt(m, 10) + " min " + strconv.FormatInt(s, 10) + " s"
	default:
		return strconv.FormatInt(s, 10) + " s"
	}
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// sized is a number of bytes in the units of files.
func sized(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

// advice says what to do about keys that have no rows.
func advice(o schema.Outcome) string {
	switch o {
	case schema.Failed:
		return "The vendor gave no whole answer after all attempts. The next night asks these keys again; rollcall run --replace asks everything of this date again. If they fail every night, ask the vendor with this code."
	case schema.Denied:
		return "The vendor refuses to answer about these keys: grant the app the right in the vendor's console, or take them from the ID list."
	case schema.Gone:
		return "The vendor says that they don't exist any more: an answer, nothing is lost. Taking them from the ID list spares their requests."
	case schema.Unsupported:
		return "The vendor can't list keys of this kind, such as an AVChatRoom: an answer, nothing to do."
	default:
		return ""
	}
}
