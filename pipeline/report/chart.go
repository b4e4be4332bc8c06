package report

import (
	"fmt"
	"math"
	"strings"
)

// A chart is drawn in units that are about a pixel on a phone; it grows with its column.
const (
	chartWidth  = 360.0
	chartHeight = 170.0
	plotLeft    = 46.0
	plotRight   = chartWidth - 12
	plotTop     = 10.0
	plotBottom  = chartHeight - 24
)

// chart is a picture with its text alternative. The template draws it.
type chart struct {
	ID, Title string
	Summary   string // what the picture shows, for who can't see it; shown below it, too
	Legend    []key  // empty for a single series
	YTicks    []tick
	XTicks    []tick
	Paths     []path
	Dots      []dot
	Bars      []bar
	Last      *label
}

type key struct{ Class, Text string }

type tick struct {
	At     float64
	Text   string
	Anchor string // start, middle or end
}

type path struct{ D, Class string }

type dot struct {
	X, Y  float64
	Class string
	Text  string // the tooltip
}

type bar struct {
	X, Y, W, H float64
	Class      string
	Text       string
}

type label struct {
	X, Y float64
	Text string
}

// Width, Height and so on are for the template.
func (chart) Width() float64  { return chartWidth }
func (chart) Height() float64 { return chartHeight }
func (chart) Left() float64   { return plotLeft }
func (chart) Right() float64  { return plotRight }
func (chart) Top() float64    { return plotTop }
func (chart) Bottom() float64 { return plotBottom }

// scale maps values to a stretch of the picture.
type scale struct{ low, high, from, to float64 }

func (s scale) at(v float64) float64 {
	if s.high == s.low {
		return (s.from + s.to) / 2
	}
	return round(s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from))
}

func round(v float64) float64 { return math.Round(v*100) / 100 }

// axis chooses round ticks that hold low and high. A low that is near high does not drag the axis down
// to zero; labels say where it begins. Whole values get whole ticks.
func axis(low, high float64, whole bool) (s scale, ticks []tick) {
	if low > high/2 && low != high {
		spread := high - low
		low, high = max(0, low-spread/4), high+spread/4
	} else {
		low = 0
	}
	if high <= low {
		high = low + 1
	}
	step := niceStep((high-low)/3, whole)
	low, high = math.Floor(low/step)*step, math.Ceil(high/step)*step
	s = scale{low, high, plotBottom, plotTop}
	for i := 0; ; i++ {
		v := low + float64(i)*step
		if v > high+step/2 {
			return s, ticks
		}
		ticks = append(ticks, tick{At: s.at(v), Text: compact(v)})
	}
}

// niceStep is the least of 1, 2, 2.5, 5 times a power of ten that is not below raw.
func niceStep(raw float64, whole bool) float64 {
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, factor := range []float64{1, 2, 2.5, 5, 10} {
		step := factor * power
		if whole && step != math.Trunc(step) {
			continue
		}
		if step >= raw*0.999 {
			return max(step, ifWhole(whole))
		}
	}
	return max(10*power, ifWhole(whole))
}

func ifWhole(whole bool) float64 {
	if whole {
		return 1
	}
	return 0
}

// line draws points in order, and begins anew after each that is not known.
func line(xs []float64, ys []*float64) string {
	var b strings.Builder
	pen := "M"
	for i, x := range xs {
		if ys[i] == nil {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%g %g", pen, x, *ys[i])
		pen = "L"
	}
	return b.String()
}

// steps fills the area between the ground and values that each hold from one x to the next; there is
// one x more than there are values.
func steps(xs []float64, ys []float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%g %g", xs[0], plotBottom)
	for i, y := range ys {
		fmt.Fprintf(&b, "L%g %gL%g %g", xs[i], y, xs[i+1], y)
	}
	fmt.Fprintf(&b, "L%g %gZ", xs[len(xs)-1], plotBottom)
	return b.String()
}

// spread keeps at most n of the ticks, the first and the last among them.
func spread(ticks []tick, n int) []tick {
	if len(ticks) <= n {
		return ticks
	}
	var few []tick
	for i := range n {
		few = append(few, ticks[i*(len(ticks)-1)/(n-1)])
	}
	return few
}

// anchored keeps the texts of the outermost ticks within the picture.
func anchored(ticks []tick) []tick {
	for i := range ticks {
		switch {
		case len(ticks) == 1:
			ticks[i].Anchor = "middle"
		case i == 0:
			ticks[i].Anchor = "start"
		case i == len(ticks)-1:
			ticks[i].Anchor = "end"
		default:
			ticks[i].Anchor = "middle"
		}
	}
	return ticks
}
