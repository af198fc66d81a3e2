package plots

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"math"
	"slices"
	"strconv"
)

// Chart is a picture inside a page: [Chart.SVG] takes its colours from the page,
// for light and dark, and its letters from the reader's system.
//
// A linear axis begins at zero. A figure that cannot be drawn, because it is NaN,
// infinite, beyond 10^15, or not above 0 on a logarithmic axis, leaves a gap.
type Chart struct {
	// Title says what the picture shows, for who does not see it.
	Title string
	X, Y  Axis
	// Bands are parts of the x axis, in their order.
	Bands []Band
	// Lines differ by their dashes as well as by colour; two and more get a legend.
	// The later ones, whose dashes let the first be seen, are drawn over it.
	Lines []Line
}

// Axis says what an axis counts.
type Axis struct {
	// Name heads its column in [Chart.CSV].
	Name string
	Unit Unit
	// Log has equal factors lie equally far apart.
	Log bool
	// Least is what a linear axis reaches at least, so that the noise of a figure
	// that is near zero does not fill the picture.
	Least float64
}

// Line is a figure along the x axis, whose values do not go back.
type Line struct {
	Name   string
	Points []Point
	// Marked has a dot at each point. Aside is a line to compare others with.
	Marked, Aside bool
}

// Point is one figure, in the units of the axes.
type Point struct{ X, Y float64 }

// Band is a part of the x axis with a name, such as a phase of an experiment.
type Band struct {
	Name     string
	From, To float64
}

// Unit says how the figures of an axis are written.
type Unit int

// The units of axes.
const (
	Number     Unit = iota
	Bytes           // as KiB, MiB or GiB where they are many
	Millis          // milliseconds, as µs or s where that is shorter
	Elapsed         // seconds, in a unit that fits their number
	Percentile      // a share from 0 to 1, by powers of ten of what is left; 1 is the maximum
)

// Empty reports whether the chart has nothing to draw.
func (c Chart) Empty() bool {
	return !slices.ContainsFunc(c.Lines, func(l Line) bool {
		return !l.Aside && slices.ContainsFunc(l.Points, c.drawable)
	})
}

// drawable reports whether p has a place in the picture.
func (c Chart) drawable(p Point) bool {
	return c.X.takes(p.X) && c.Y.takes(p.Y)
}

// takes reports whether a value can stand on the axis.
func (a Axis) takes(v float64) bool {
	switch {
	case math.IsNaN(v) || math.Abs(v) > mostFigure:
		return false
	case a.Unit == Percentile:
		return v >= 0 && v <= 1
	}
	return !a.Log || v >= leastScale
}

// CSV returns the figures of all lines, a row for each x and a column for each
// line, which is empty where it has none.
func (c Chart) CSV() string {
	var xs []float64
	columns := make([]map[float64]float64, len(c.Lines))
	for i, l := range c.Lines {
		columns[i] = make(map[float64]float64, len(l.Points))
		for _, p := range l.Points {
			if !math.IsNaN(p.X) {
				xs = append(xs, p.X)
				columns[i][p.X] = p.Y
			}
		}
	}
	slices.Sort(xs)
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	head := []string{c.X.Name}
	for _, l := range c.Lines {
		head = append(head, cmp.Or(l.Name, c.Y.Name))
	}
	_ = w.Write(head) // into memory
	for _, x := range slices.Compact(xs) {
		row := []string{plainNumber(x)}
		for _, column := range columns {
			cell := ""
			if y, ok := column[x]; ok {
				cell = plainNumber(y)
			}
			row = append(row, cell)
		}
		_ = w.Write(row)
	}
	w.Flush()
	return out.String()
}

// plainNumber writes a number without an exponent, "" for none.
func plainNumber(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
