package plots

import (
	"math"
	"strconv"
)

// tick is one mark on an axis.
type tick struct {
	value float64
	label string
}

// axis is a range of values with its marks.
type axis struct {
	low, high float64
	ticks     []tick
}

// position is where a value lies on the axis: 0 at its low end, 1 at its high
// end.
func (a axis) position(v float64) float64 { return (v - a.low) / (a.high - a.low) }

// valueAxis holds a range of whole numbers: from zero, or, when everything lies
// in the upper half, zoomed in so that a slow leak is seen; but never so far
// that the noise of a constant looks like mountains. It has no more than
// maxTicks marks, at least two, and ends at marks.
func valueAxis(e extent, maxTicks int) axis {
	low, high := 0.0, float64(e.high)
	if float64(e.low) > high/2 {
		low = float64(e.low)
		if least := high / 20; high-low < least {
			middle := (low + high) / 2
			low, high = middle-least/2, middle+least/2
		}
	}
	if high <= low {
		high = low + 1
	}
	step := max(1, nice((high-low)/float64(max(2, maxTicks))))
	for {
		first, last := math.Floor(low/step), math.Ceil(high/step)
		if n := int(last-first) + 1; n <= max(2, maxTicks) {
			a := axis{low: first * step, high: last * step}
			for i := range n {
				v := (first + float64(i)) * step
				a.ticks = append(a.ticks, tick{v, thousands(strconv.FormatFloat(v, 'f', 0, 64))})
			}
			return a
		}
		step = nice(step * 1.01)
	}
}

// minuteSteps are natural steps of minutes; below and above, nice steps of
// minutes and of days take over.
var minuteSteps = [...]float64{1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 720}

const minutesPerDay = 24 * 60

// minuteAxis goes from 0 to the last minute exactly. The step is the smallest
// whose labels all fit, as fits tells; minutes must be above 0.
func minuteAxis(minutes float64, fits func(labels []tick) bool) axis {
	a := axis{high: minutes}
	// Begin with few enough marks; what does not fit is thinned out.
	for step := minuteStep(minutes / 12); ; step = minuteStep(step * 1.01) {
		a.ticks = a.ticks[:0]
		decimals := 0
		if step < 1 {
			decimals = int(math.Ceil(-math.Log10(step) - 1e-9))
		}
		// The last mark may lie on the end, whatever rounding says.
		for i := 0; float64(i)*step <= minutes*(1+1e-9); i++ {
			v := float64(i) * step
			a.ticks = append(a.ticks, tick{min(v, minutes), thousands(strconv.FormatFloat(v, 'f', decimals, 64))})
		}
		if len(a.ticks) <= 2 || fits(a.ticks) {
			return a
		}
	}
}

// minuteStep is the smallest natural step of at least v minutes.
func minuteStep(v float64) float64 {
	if v <= 0.5 {
		return nice(v)
	}
	for _, s := range minuteSteps {
		if s >= v {
			return s
		}
	}
	return minutesPerDay * max(1, nice(v/minutesPerDay))
}

// nice is the smallest of 1, 2 and 5 times a power of ten that is at least v;
// v must be above 0.
func nice(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range [...]float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// thousands puts separators into a decimal number.
func thousands(s string) string {
	whole := len(s)
	for i := range len(s) {
		if s[i] == '.' {
			whole = i
			break
		}
	}
	out := make([]byte, 0, len(s)+whole/3)
	for i := range len(s) {
		if i > 0 && i < whole && (whole-i)%3 == 0 && s[i-1] != '-' {
			out = append(out, ',')
		}
		out = append(out, s[i])
	}
	return string(out)
}
