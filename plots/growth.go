package plots

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Growth is how a figure went: the straight line through its samples, by least squares.
type Growth struct {
	// Figure names it: memory in bytes, connections, or open files.
	Figure string
	// From and To are where the line begins and ends, Over later.
	From, To float64
	Over     time.Duration
	// Scatter is the standard deviation of the samples from the line.
	Scatter float64
}

const (
	// leastGrowth is how many samples a Growth needs.
	leastGrowth = 20
	// oneTime is the share of a figure by which one-time costs may raise it.
	oneTime = 0.005
)

// GrowthOf returns the growth of values, taken at these times in seconds. Of fewer than
// three of them it knows nothing: all is NaN.
func GrowthOf(figure string, at, values []float64) Growth {
	g := Growth{Figure: figure, From: math.NaN(), To: math.NaN(), Scatter: math.NaN()}
	n := float64(len(values))
	if n < 3 {
		return g
	}
	var middle, mean float64
	for i, v := range values {
		middle += at[i] / n
		mean += v / n
	}
	var product, square float64
	for i, v := range values {
		product += (at[i] - middle) * (v - mean)
		square += (at[i] - middle) * (at[i] - middle)
	}
	if square == 0 {
		return g
	}
	line := func(t float64) float64 { return mean + product/square*(t-middle) }
	g.Scatter = 0
	for i, v := range values {
		g.Scatter += (v - line(at[i])) * (v - line(at[i])) / (n - 2)
	}
	first, last := slices.Min(at), slices.Max(at)
	g.Scatter = math.Sqrt(g.Scatter)
	g.From, g.To, g.Over = line(first), line(last), time.Duration((last-first)*float64(time.Second))
	return g
}

// Rises reports whether the figure has risen by more than twice its scatter, and by more
// than half a percent, which one-time costs explain. What is not known rises.
func (g Growth) Rises() bool {
	return !(g.To-g.From <= max(2*g.Scatter, oneTime*math.Abs(g.From)))
}

// Falls reports whether the figure has fallen as much.
func (g Growth) Falls() bool { return Growth{From: g.To, To: g.From, Scatter: g.Scatter}.Rises() }

// Growth returns how the memory, the connections and the open files of a memory log
// went: of its last process, and without the first quarter of its time, in which a
// server grows to its size. A figure that was hardly known is left out; an error says
// why there is none at all.
func (l *Log) Growth() ([]Growth, error) {
	if len(l.backwards) > 0 {
		l = l.sorted()
	}
	first := 0
	if restarts := l.restarts(); len(restarts) > 0 {
		first = restarts[len(restarts)-1]
	}
	var all []Growth
	if first < l.rows {
		begin, end := l.time(first), l.time(l.rows-1)
		for _, what := range []struct {
			figure
			name string
			unit float64
		}{{memory, "memory", 1024}, {connections, "connections", 1}, {files, "open files", 1}} {
			var at, values []float64
			for row := first; row < l.rows; row++ {
				if v := l.figures[what.figure].at(row); !math.IsNaN(v) && l.time(row) >= begin+(end-begin)/4 {
					at, values = append(at, l.time(row)), append(values, v*what.unit)
				}
			}
			if n := len(values); n >= leastGrowth && at[n-1] > at[0] {
				all = append(all, GrowthOf(what.name, at, values))
			}
		}
	}
	if len(all) == 0 || all[0].Figure != "memory" {
		return nil, fmt.Errorf("plots: %s has fewer than %d samples of the memory of its last process after the first quarter, or all of one moment: log for longer, or at a shorter interval", l.Name, leastGrowth)
	}
	return all, nil
}
