package capacity

import (
	"math"
	"slices"

	"example.org/comet/cmd/internal/result"
)

// trend is where a load is going while it is held.
type trend int

const (
	steady trend = iota
	worsening
	improving
)

const (
	// fewest is how many moments show a trend.
	fewest = 5
	// surely is how many standard errors a slope must be away from zero.
	surely = 3
	// noticeable is the least change over all moments that counts, as a share of
	// the mean.
	noticeable = 0.1
)

// settling returns the trend of what was seen while a load was held: steady where no
// slope stands out of its noise, and where too little was seen to tell.
func settling(moments []result.Moment) trend {
	moments = slices.DeleteFunc(slices.Clone(moments), func(m result.Moment) bool { return m.Phase != "messages" })
	if len(moments) > 0 {
		moments = moments[1:] // of which a part may be before the load
	}
	going := steady
	for _, one := range []struct {
		of     func(result.Moment) result.Figure
		better float64 // the sign of a slope that is good
	}{
		{func(m result.Moment) result.Figure { return m.Latency.P50 }, -1},
		{func(m result.Moment) result.Figure { return m.DeliveredPerSecond }, 1},
		{func(m result.Moment) result.Figure { return m.Connected }, 1},
	} {
		switch slope := one.better * slopeOf(moments, one.of); {
		case slope < 0:
			return worsening
		case slope > 0:
			going = improving
		}
	}
	return going
}

// slopeOf returns the slope of a figure over time, 0 if it is within its noise or too
// small to matter. It is the line of least squares; the noise is the standard error of
// its slope.
func slopeOf(moments []result.Moment, of func(result.Moment) result.Figure) float64 {
	var xs, ys []float64
	for _, m := range moments {
		if y, ok := of(m).Value(); ok {
			xs, ys = append(xs, m.Seconds), append(ys, y)
		}
	}
	n := float64(len(xs))
	if len(xs) < fewest {
		return 0
	}
	var mx, my, sxx, sxy float64
	for i := range xs {
		mx, my = mx+xs[i]/n, my+ys[i]/n
	}
	for i := range xs {
		sxx, sxy = sxx+(xs[i]-mx)*(xs[i]-mx), sxy+(xs[i]-mx)*(ys[i]-my)
	}
	if sxx == 0 || my == 0 {
		return 0
	}
	slope := sxy / sxx
	var rest float64
	for i := range xs {
		d := ys[i] - my - slope*(xs[i]-mx)
		rest += d * d
	}
	noise := math.Sqrt(rest / (n - 2) / sxx)
	change := math.Abs(slope) * (xs[len(xs)-1] - xs[0]) / math.Abs(my)
	if math.Abs(slope) <= surely*noise || change < noticeable {
		return 0
	}
	return slope
}

// contradicts reports whether a trend may yet turn the outcome of a trial around, so
// that it is worth holding on.
func (t trend) contradicts(held bool) bool {
	return t == worsening && held || t == improving && !held
}
