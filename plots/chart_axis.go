package plots

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// place returns where a value lies in the terms of the drawn axis.
func (a Axis) place(v float64) float64 {
	if a.Unit == Percentile {
		return -math.Log10(1 - v) // +Inf for the maximum, which lies at the end
	}
	return v
}

// yAxis fits at most maxTicks marks to the figures of e.
func (a Axis) yAxis(e extent, maxTicks int) axis {
	if a.Log {
		drawn := magnitudeAxis(e.low, max(e.high, e.low*1.01), maxTicks)
		if low := drawn.low; drawn.high < 11*low { // a single power of ten
			drawn.ticks = slices.Insert(drawn.ticks, 1, tick{value: 2 * low}, tick{value: 5 * low})
		}
		for i := range drawn.ticks {
			drawn.ticks[i].label = a.text(drawn.ticks[i].value)
		}
		return drawn
	}
	low, high := min(0, e.low), max(0, e.high, a.Least)
	scale, unit := a.scale(max(high, -low))
	least := 1e-9
	if a.Unit == Number && max(high, -low) >= 2 {
		least = 1
	}
	drawn := linearAxis(low/scale, high/scale, least, maxTicks)
	if high == low {
		drawn = linearAxis(0, 1, 1, maxTicks)
	}
	step := drawn.ticks[1].value - drawn.ticks[0].value
	drawn.low, drawn.high = drawn.low*scale, drawn.high*scale
	for i := range drawn.ticks {
		t := &drawn.ticks[i]
		switch {
		case t.value == 0:
			t.label = "0"
		case a.Unit == Number && scale == 1 && math.Abs(drawn.high) >= 10_000:
			t.label = signed(t.value, shortCount)
		default:
			t.label = decimal(t.value, step) + unit
		}
		t.value *= scale
	}
	return drawn
}

// scale returns what figures up to v are counted in, and its name.
func (a Axis) scale(v float64) (scale float64, unit string) {
	switch a.Unit {
	case Bytes:
		scale, unit = 1, " B"
		for _, next := range []string{" KiB", " MiB", " GiB", " TiB"} {
			if v < scale*1024 {
				break
			}
			scale, unit = scale*1024, next
		}
		return scale, unit
	case Millis:
		switch {
		case v < 1:
			return 0.001, " µs"
		case v >= 1000:
			return 1000, " s"
		}
		return 1, " ms"
	}
	return 1, ""
}

// text writes a figure for a sentence or a logarithmic axis.
func (a Axis) text(v float64) string {
	switch a.Unit {
	case Number:
		if math.Abs(v) >= 100 {
			return thousands(strconv.FormatFloat(v, 'f', 0, 64))
		}
	case Percentile:
		if v == 1 {
			return "max"
		}
		return strconv.FormatFloat(100*v, 'f', -1, 64) + " %"
	case Elapsed:
		for _, u := range timeUnits {
			if v <= u.most {
				return threeDigits(v/u.seconds) + " " + u.name
			}
		}
	}
	scale, unit := a.scale(math.Abs(v))
	return threeDigits(v/scale) + unit
}

// threeDigits writes a number with the first three that count.
func threeDigits(v float64) string {
	if math.Abs(v) >= 100 {
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64) // its own text
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

func signed(v float64, write func(float64) string) string {
	if v < 0 {
		return "-" + write(-v)
	}
	return write(v)
}

// timeUnit is what time is counted in, up to most seconds.
type timeUnit struct {
	name          string
	seconds, most float64
	steps         []float64 // of marks
}

var timeUnits = []timeUnit{
	{"s", 1, 300, []float64{1, 2, 5, 10, 15, 20, 30, 60, 120}},
	{"min", 60, 3 * 3600, []float64{1, 2, 5, 10, 15, 20, 30, 60, 120}},
	{"h", 3600, 3 * 86400, []float64{1, 2, 3, 6, 12, 24, 48}},
	{"d", 86400, math.Inf(1), []float64{1, 2, 5, 7, 10, 20, 30, 60, 90, 180, 365}},
}

// xAxis marks what lies along x, in a width of the picture.
func (a Axis) xAxis(e extent, xs []float64, width float64) axis {
	fits := func(labels []tick, perUnit float64) bool {
		for i := 1; i < len(labels); i++ {
			room := (labels[i].value - labels[i-1].value) * perUnit
			if (chartTextWidth(labels[i].label)+chartTextWidth(labels[i-1].label))/2+labelGap > room {
				return false
			}
		}
		return true
	}
	switch {
	case a.Unit == Percentile:
		return percentileAxis(e.high, width)
	case a.Log: // as wide as letters that are smaller by that much would need
		return Scale{At: xs}.xAxis(width * tickSize / (chartText * spare))
	case a.Unit == Elapsed:
		low, high := min(0, e.low), max(e.high, a.Least)
		if high <= low {
			high = low + 1
		}
		return timeAxis(low, high, func(t []tick) bool { return fits(t, width/(high-low)) })
	}
	for most := 8; ; most-- {
		if drawn := a.yAxis(e, most); most <= 2 || fits(drawn.ticks, width/(drawn.high-drawn.low)) {
			return drawn
		}
	}
}

// timeAxis marks seconds in the unit that fits, as densely as labels fit.
func timeAxis(low, high float64, fits func([]tick) bool) axis {
	unit := timeUnits[slices.IndexFunc(timeUnits, func(u timeUnit) bool { return high <= u.most })]
	next := func(v float64) float64 {
		i := slices.IndexFunc(unit.steps, func(s float64) bool { return s >= v*(1-1e-9) })
		if i < 0 || unit.seconds == 1 && v <= 0.5 {
			return nice(v)
		}
		return unit.steps[i]
	}
	for step := next((high - low) / unit.seconds / 12); ; step = next(step * 1.01) {
		drawn := axis{low: low, high: high}
		for v := math.Ceil(low/unit.seconds/step) * step; v*unit.seconds <= high*(1+1e-9); v += step {
			label := "0"
			if v != 0 {
				label = decimal(v, step) + " " + unit.name
			}
			drawn.ticks = append(drawn.ticks, tick{v * unit.seconds, label})
		}
		if len(drawn.ticks) <= 2 || fits(drawn.ticks) {
			return drawn
		}
	}
}

// percentileAxis goes from the least of all to the maximum, which has a place
// behind the last percentile that there are enough figures for.
func percentileAxis(last, width float64) axis {
	const beyond = 0.3
	drawn := axis{high: max(last, 1) + beyond}
	drawn.ticks = []tick{{drawn.high, "max"}}
	add := func(v float64, label string) {
		for _, t := range drawn.ticks {
			if math.Abs(t.value-v)*width/drawn.high < (chartTextWidth(t.label)+chartTextWidth(label))/2+labelGap {
				return
			}
		}
		drawn.ticks = append(drawn.ticks, tick{v, label})
	}
	share := Axis{Unit: Percentile}
	for _, q := range []float64{0.99, 0.5, 0.999, 0.9, 0.9999, 0.99999, 0.999999, 0.9999999} {
		if at := share.place(q); at <= drawn.high {
			add(at, share.text(q))
		}
	}
	slices.SortFunc(drawn.ticks, func(a, b tick) int { return cmp.Compare(a.value, b.value) })
	return drawn
}
