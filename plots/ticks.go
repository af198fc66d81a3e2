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
	label     string // of an x axis
	log       bool   // equal factors lie equally far apart; low is above 0
}

// position returns where a value lies on the axis: 0 at its low end, 1 at its high
// end.
func (a axis) position(v float64) float64 {
	if a.log {
		return math.Log(max(v, a.low)/a.low) / math.Log(a.high/a.low)
	}
	return (v - a.low) / (a.high - a.low)
}

// zoomedAxis returns an axis for a range of whole numbers: from zero, or, when everything
// lies in the upper half, zoomed in so that a slow leak is seen; but never so
// far that the noise of a constant looks like mountains.
func zoomedAxis(e extent, maxTicks int) axis {
	if e.low <= e.high/2 {
		return zeroAxis(e, maxTicks)
	}
	low, high := e.low, e.high
	if least := high / 20; high-low < least {
		middle := (low + high) / 2
		low, high = middle-least/2, middle+least/2
	}
	return linearAxis(low, high, 1, maxTicks)
}

// zeroAxis returns an axis from zero to the highest in whole numbers.
func zeroAxis(e extent, maxTicks int) axis { return linearAxis(0, e.high, 1, maxTicks) }

// millisAxis returns an axis for latencies: from zero, or by magnitudes where the slow ones
// are so slow that the usual ones would lie on the ground.
func millisAxis(e extent, maxTicks int) axis {
	const microsecond = 0.001
	if least := max(e.least, microsecond); e.high/least >= 100 {
		return magnitudeAxis(least, e.high, maxTicks)
	}
	return linearAxis(0, max(e.high, microsecond), microsecond, maxTicks)
}

// linearAxis returns an axis of two to maxTicks marks, at least that far apart,
// which begins and ends at one.
func linearAxis(low, high, least float64, maxTicks int) axis {
	if high <= low {
		high = low + least
	}
	maxTicks = max(2, maxTicks)
	step := max(least, nice((high-low)/float64(maxTicks)))
	for {
		first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
		last = max(last, first+1) // of figures that differ by next to nothing
		if n := int(last-first) + 1; n <= maxTicks {
			a := axis{low: first * step, high: last * step}
			for i := range n {
				v := (first + float64(i)) * step
				a.ticks = append(a.ticks, tick{v, decimal(v, step)})
			}
			return a
		}
		step = nice(step * 1.01)
	}
}

// magnitudeAxis returns an axis with marks at powers of ten, at all or every few.
func magnitudeAxis(least, most float64, maxTicks int) axis {
	low, high := math.Floor(math.Log10(least)+1e-9), math.Ceil(math.Log10(most)-1e-9)
	step := math.Ceil((high - low) / float64(max(1, maxTicks-1)))
	high = low + math.Ceil((high-low)/step)*step
	a := axis{low: math.Pow(10, low), high: math.Pow(10, high), log: true}
	for e := low; e <= high; e += step {
		v := math.Pow(10, e)
		a.ticks = append(a.ticks, tick{v, decimal(v, v)})
	}
	return a
}

// decimal writes a value with as many decimals as a step of the axis needs.
func decimal(v, step float64) string {
	decimals := 0
	if step < 1 {
		decimals = int(math.Ceil(-math.Log10(step) - 1e-9))
	}
	return thousands(strconv.FormatFloat(v, 'f', decimals, 64))
}

// nice returns the smallest of 1, 2 and 5 times a power of ten that is at least v;
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
