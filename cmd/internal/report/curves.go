package report

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
)

// latencyCurve shows how late messages were, by percentile; of their service time
// where they were never due.
func latencyCurve(r *result.Result) picture {
	if r.Service != nil {
		return picture{
			"Service time by percentile", "share of messages that came within, from sent",
			curves(plots.Line{Points: percentiles(r.Histograms.Service, result.Figure{})},
				r.Service.P50, r.Service.P90, r.Service.P99, result.Figure{}, r.Service.Max),
		}
	}
	return picture{
		"Latency by percentile", "share of messages that came within, from when they were due",
		curves(plots.Line{Points: percentiles(r.Histograms.Latency, r.Latency.ClockError)},
			r.Latency.P50, r.Latency.P90, r.Latency.P99, r.Latency.P999, r.Latency.Max),
	}
}

// connectCurve shows how long connecting took.
func connectCurve(r *result.Result) picture {
	c := r.Connect.Latency
	p := picture{
		"Time to connect by percentile", "share of connections, from the first packet",
		curves(plots.Line{Name: "first byte of the answer", Points: percentiles(r.Histograms.FirstByte, result.Figure{})}, c.P50, c.P90, c.P99, result.Figure{}, c.Max),
	}
	if points := percentiles(r.Histograms.Connect, result.Figure{}); len(points) > 0 {
		p.chart.Lines = append(p.chart.Lines, plots.Line{Name: "connected", Points: points})
	}
	return p
}

// curves returns a chart of percentiles. Where there is no distribution, as of the
// medians of several runs, it has the percentiles that are known.
func curves(whole plots.Line, p50, p90, p99, p999, most result.Figure) plots.Chart {
	c := plots.Chart{
		X:     plots.Axis{Name: "share", Unit: plots.Percentile},
		Y:     plots.Axis{Name: "milliseconds", Unit: plots.Millis, Log: true},
		Lines: []plots.Line{whole},
	}
	if len(whole.Points) > 0 {
		return c
	}
	known := plots.Line{Name: whole.Name, Marked: true}
	for _, p := range []struct {
		share float64
		result.Figure
	}{{0.5, p50}, {0.9, p90}, {0.99, p99}, {0.999, p999}, {1, most}} {
		if ms, ok := p.Value(); ok {
			known.Points = append(known.Points, plots.Point{X: p.share, Y: ms})
		}
	}
	c.Lines = []plots.Line{known}
	return c
}

// percentiles returns the points of a distribution, as densely as a picture can
// show: none if it was not measured. What is below least, the error of the clocks,
// is left out.
func percentiles(h result.Histogram, least result.Figure) (points []plots.Point) {
	if h == "" {
		return nil
	}
	decoded, err := hdrhistogram.Decode([]byte(h))
	if err != nil || decoded.TotalCount() == 0 {
		return nil // of another version; the table has its percentiles
	}
	const (
		apart  = 0.02 // powers of ten of what is left
		micros = 1000 // in a millisecond
	)
	from, _ := least.Value()
	total, counted, last := float64(decoded.TotalCount()), 0.0, math.Inf(-1)
	add := func(share, ms float64, always bool) {
		if at := -math.Log10(1 - share); ms >= from && (always || at-last >= apart) {
			points, last = append(points, plots.Point{X: share, Y: ms}), at
		}
	}
	for _, bar := range decoded.Distribution() {
		if bar.Count == 0 {
			continue
		}
		ms := float64(bar.To) / micros
		add(counted/total, ms, false) // a value that many have is a step
		counted += float64(bar.Count)
		add(counted/total, ms, counted == total)
	}
	return points
}
