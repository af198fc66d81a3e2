package plots

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// Scale is a picture of how figures change with a number that grows by
// factors, such as the connections of a series of experiments: panels under
// each other over one logarithmic x axis, with a mark at each number.
type Scale struct {
	// Title stands above the picture, Label below the x axis; "" leaves one out.
	Title, Label string
	// Width and Height are in pixels, as those of [Config]; 0 means 700 and
	// what the panels need.
	Width, Height int
	// At are the numbers along x, above 0 and each larger than the one before.
	At []float64
	// Panels from top to bottom. One without a figure is left out.
	Panels []ScalePanel
}

// ScalePanel is one plot area with a y axis from zero; by magnitudes where its
// figures are a hundred times apart and more.
type ScalePanel struct {
	// Label says above the panel what it shows, with the unit.
	Label string
	// Lines of one panel have different colours; two and more get a key, above
	// the plot area, where it hides nothing.
	Lines []ScaleLine
}

// ScaleLine is a figure at each of the numbers along x. NaN is not measured
// and leaves a gap.
type ScaleLine struct {
	Name   string
	Values []float64
}

// leastScale is the smallest figure that differs from 0 in a picture.
const leastScale = 1e-9

// The default width of such a picture, and what it is high for a panel.
const (
	scaleWidth = 700
	scalePanel = 150
)

// Validate reports what is wrong with a picture, each fault once.
func (s Scale) Validate() error {
	size := Config{Width: s.width(), Height: s.Height}
	errs := []error{size.Validate()}
	for i, at := range s.At {
		if !(at >= leastScale && at <= mostFigure) || i > 0 && at <= s.At[i-1] {
			errs = append(errs, fmt.Errorf("plots: %v cannot be number %d along a logarithmic axis: each must be above 0, at most 10^15 and larger than the one before", at, i+1))
		}
	}
	for _, p := range s.Panels {
		for _, l := range p.Lines {
			if len(l.Values) != len(s.At) {
				errs = append(errs, fmt.Errorf("plots: the line %q has %d values for %d numbers along x: mark what was not measured with NaN", cmp.Or(l.Name, p.Label), len(l.Values), len(s.At)))
			}
			if i := slices.IndexFunc(l.Values, func(v float64) bool { return math.Abs(v) > mostFigure }); i >= 0 {
				errs = append(errs, fmt.Errorf("plots: the line %q has the value %v, which is too large to draw: the limit is 10^15", cmp.Or(l.Name, p.Label), l.Values[i]))
			}
		}
	}
	return errors.Join(errs...)
}

func (s Scale) width() int { return cmp.Or(s.Width, scaleWidth) }

// drawScale writes one picture, whole or not at all. The error wraps
// [ErrNoData] when no panel has a figure.
func drawScale(w io.Writer, format string, s Scale) error {
	if err := s.Validate(); err != nil {
		return err
	}
	s.Panels = slices.DeleteFunc(slices.Clone(s.Panels), func(p ScalePanel) bool { return !p.extent().known })
	if len(s.Panels) == 0 {
		return fmt.Errorf("plots: nothing was measured: %w", ErrNoData)
	}
	height := cmp.Or(s.Height, min(maxSide, 60+scalePanel*len(s.Panels)))
	c, err := newCanvas(format, s.width(), height, 1)
	if err != nil {
		return err
	}
	sheet := &picture{width: float64(s.width()), height: float64(height), title: oneLine(s.Title)}
	if err := s.paint(c, sheet); err != nil {
		return err
	}
	return c.writeTo(w)
}

// WriteScale draws into a file, as [WriteFile] does.
func WriteScale(name string, s Scale) error {
	return writePicture(name, func(w io.Writer, format string) error { return drawScale(w, format, s) })
}

func (p ScalePanel) extent() (e extent) {
	for _, l := range p.Lines {
		for _, v := range l.Values {
			if math.Abs(v) < leastScale {
				v = 0
			}
			if !math.IsNaN(v) {
				e.add(v)
			}
		}
	}
	return e
}

// yAxis begins at zero, so that the picture does not make much of little; below
// it where a figure is negative, as a difference of memories can be.
func (p ScalePanel) yAxis(maxTicks int) axis {
	e := p.extent()
	if e.low > 0 && e.high/e.low >= 100 {
		return magnitudeAxis(e.low, e.high, maxTicks)
	}
	low, high := min(0, e.low), max(0, e.high)
	if low == high {
		high = 1
	}
	return linearAxis(low, high, (high-low)/1000, maxTicks)
}

// paint lays the panels out under the title and draws them.
func (s Scale) paint(c *canvas, sheet *picture) error {
	const (
		heading = labelSize + 8 // above each plot area
		gap     = 12.0
	)
	room := box{margin, margin, sheet.width - margin, sheet.height - margin}
	room.top += sheet.paintTitle(c, room)
	room.bottom -= tickSize + 4 + tickLength
	if s.Label != "" {
		room.bottom -= labelSize + 4
	}
	n := float64(len(s.Panels))
	each := (room.height()-gap*(n-1))/n - heading
	areas, ys, widest := make([]box, len(s.Panels)), make([]axis, len(s.Panels)), 0.0
	for i, p := range s.Panels {
		top := room.top + float64(i)*(each+heading+gap) + heading
		areas[i] = box{top: math.Round(top), bottom: math.Round(top + each)}
		ys[i] = p.yAxis(int(min(8, each/26)))
		for _, t := range ys[i].ticks {
			widest = max(widest, textWidth(t.label, tickSize))
		}
	}
	for i := range areas {
		areas[i].left, areas[i].right = math.Round(room.left+widest+6), math.Round(room.right-6)
		if areas[i].height() < minPlot || areas[i].width() < minPlot {
			return fmt.Errorf("plots: %.0f by %.0f pixels leave no room for %d panels: make the picture larger or draw fewer of them",
				sheet.width, sheet.height, len(s.Panels))
		}
	}
	x := s.xAxis(areas[0].width())
	for i, p := range s.Panels {
		sheet.paintAxes(c, areas[i], x, ys[i], "", i == len(s.Panels)-1)
		p.paintHeading(c, areas[i])
		s.paintLines(c, areas[i], x, ys[i], p)
	}
	return nil
}

// xAxis marks each number, as far as the labels fit beside each other,
// the first and the last before those between them. The outer ones lie inside
// the area, where all of their dots is seen; one alone lies in the middle.
func (s Scale) xAxis(width float64) axis {
	const inset = 20 // pixels
	first, last := s.At[0], s.At[len(s.At)-1]
	a := axis{low: first / 2, high: first * 2, log: true, label: oneLine(s.Label)}
	if last > first {
		factor := math.Pow(last/first, inset/max(width-2*inset, 1))
		a.low, a.high = first/factor, last*factor
	}
	label := func(v float64) tick { return tick{v, shortCount(v)} }
	end := label(last)
	for i, v := range s.At {
		t := label(v)
		apart := func(u tick) bool {
			return math.Abs(a.position(u.value)-a.position(t.value))*width >= (textWidth(u.label, tickSize)+textWidth(t.label, tickSize))/2+8
		}
		if i == 0 || apart(a.ticks[len(a.ticks)-1]) && (i == len(s.At)-1 || apart(end)) {
			a.ticks = append(a.ticks, t)
		}
	}
	return a
}

// measured reports whether any value of the line was measured.
func (l ScaleLine) measured() bool {
	return slices.ContainsFunc(l.Values, func(v float64) bool { return !math.IsNaN(v) })
}

// paintHeading writes above the plot area what it shows, and to the right the
// key of what is in it, shortened where both do not fit.
func (p ScalePanel) paintHeading(c *canvas, area box) {
	const dot, between = 4.0, 14.0
	base, x := area.top-7, area.right
	if len(p.Lines) > 1 {
		most := area.width() * 0.7 / float64(len(p.Lines))
		for i, l := range slices.Backward(p.Lines) {
			if !l.measured() {
				continue
			}
			name := shorten(oneLine(l.Name), legendSize, most-swatch-between)
			x -= textWidth(name, legendSize)
			c.text(x, base, legendSize, left, softInk, name)
			x -= 5 + swatch
			middle := point{x + swatch/2, base - legendSize*0.32}
			c.line(penOf(i), point{x, middle.y}, point{x + swatch, middle.y})
			c.dot(middle, dot, penOf(i).color)
			x -= between
		}
	}
	c.text(area.left, base, labelSize, left, ink, shorten(oneLine(p.Label), labelSize, x-area.left))
}

// paintLines joins what was measured at neighbouring numbers; each has a dot,
// so that one alone is seen too. The first line is on top.
func (s Scale) paintLines(c *canvas, area box, x, y axis, p ScalePanel) {
	for i, l := range slices.Backward(p.Lines) {
		var run []point
		flush := func() {
			c.line(penOf(i), run...)
			for _, q := range run {
				c.dot(q, 3.4, penOf(i).color)
			}
			run = nil
		}
		for j, v := range l.Values {
			if math.IsNaN(v) {
				flush()
				continue
			}
			run = append(run, point{
				area.left + x.position(s.At[j])*area.width(), area.bottom - y.position(v)*area.height(),
			})
		}
		flush()
	}
}

// shortCount writes a number as flags take it: 500, 10k, 1M, 2.5M; with three
// digits that count.
func shortCount(v float64) string {
	unit := ""
	for _, next := range []string{"k", "M", "G"} {
		if v < 999.5 {
			break
		}
		v /= 1000
		unit = next
	}
	digits := strconv.FormatFloat(v, 'g', 3, 64)
	if v >= 999.5 {
		digits = strconv.FormatFloat(v, 'f', 0, 64)
	}
	return digits + unit
}
