package plots

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// The sheet of a chart, in units of its viewBox. A page may write its letters
// smaller than chartText, for which the layout has room, and not larger.
const (
	chartWidth  = 480.0
	chartHeight = 264.0
	chartText   = 16.0
	// spare is for fonts that are wider than the one that texts are measured with.
	spare    = 1.12
	labelGap = 10.0 // between neighbours
	rowPitch = chartText + 3
)

func chartTextWidth(s string) float64 { return textWidth(s, chartText) * spare }

// dashes distinguish the lines of a chart without their colours, in screen pixels.
var chartDashes = []string{"", "7 3", "2 3", "9 3 2 3", "4 2", "1 2"}

const asideDashes = "3 4"

// sheet is a chart that is laid out.
type sheet struct {
	Chart
	extent
	area  box
	x, y  axis
	names []bandName
	keys  []key
	b     strings.Builder
}

// SVG returns the picture as an element for a page, "" if there is nothing to draw.
// Its lines have the classes line and line-1, line-2 and so on, or aside; what is
// around them has grid, band, tick, phase and key. All are in currentColor until
// the page says otherwise.
func (c Chart) SVG() string {
	if c.Empty() {
		return ""
	}
	s := &sheet{Chart: c}
	s.layOut()
	s.open()
	s.paintBands()
	s.paintAxes()
	for i, l := range c.Lines {
		s.paintLine(i, l)
	}
	s.paintKeys()
	s.b.WriteString("</svg>")
	return s.b.String()
}

// layOut divides the sheet: the legend and the names of bands above the plot area,
// labels to its left and below.
func (s *sheet) layOut() {
	x, xs := s.survey()
	s.layKeys()
	top := 10.0
	if len(s.keys) > 0 {
		top += (s.keys[len(s.keys)-1].y + rowPitch)
	}
	s.area = box{top: top, bottom: chartHeight - chartText - 14, right: chartWidth - 20}
	ticks := func() int {
		if s.Y.Log {
			return int(s.area.height() / 22)
		}
		return int(s.area.height() / 32)
	}
	s.y = s.Y.yAxis(s.extent, ticks())
	for _, t := range s.y.ticks {
		s.area.left = max(s.area.left, math.Ceil(chartTextWidth(t.label))+8)
	}
	s.x = s.X.xAxis(x, xs, s.area.width())
	s.layNames()
	if len(s.names) > 0 {
		rows := 0
		for _, n := range s.names {
			rows = max(rows, n.row+1)
		}
		s.area.top += float64(rows) * rowPitch
		s.y = s.Y.yAxis(s.extent, ticks())
	}
}

// survey finds out how far the figures reach, along x and along y, and where along
// x they are.
func (s *sheet) survey() (x extent, xs []float64) {
	for _, l := range s.Lines {
		for _, p := range l.Points {
			if !s.X.takes(p.X) {
				continue
			}
			if s.Y.takes(p.Y) {
				s.add(p.Y)
			}
			xs = append(xs, p.X)
			if at := s.X.place(p.X); !math.IsInf(at, 0) {
				x.add(at)
			}
		}
	}
	if s.X.Unit == Elapsed {
		for _, b := range s.Bands {
			if s.X.takes(b.From) && s.X.takes(b.To) {
				x.add(b.To)
			}
		}
	}
	slices.Sort(xs)
	return x, slices.Compact(xs)
}

// open begins the element, with what it says to who does not see it.
func (s *sheet) open() {
	fmt.Fprintf(&s.b, `<svg class="chart" viewBox="0 0 %g %g" role="img" fill="none" stroke-width="1.75" stroke-linejoin="round" stroke-linecap="round" font-family="system-ui, sans-serif" font-size="13">`, chartWidth, chartHeight)
	fmt.Fprintf(&s.b, "<title>%s</title><desc>%s</desc>", html.EscapeString(oneLine(s.Title)), html.EscapeString(s.describe()))
}

// describe returns in words what the picture shows.
func (s *sheet) describe() string {
	var parts []string
	for _, l := range s.Lines {
		var e extent
		for _, p := range l.Points {
			if s.drawable(p) {
				e.add(p.Y)
			}
		}
		if !e.known {
			continue
		}
		text := "From " + s.Y.text(e.low) + " to " + s.Y.text(e.high)
		if e.low == e.high {
			text = s.Y.text(e.low)
		}
		if l.Name != "" {
			text = oneLine(l.Name) + ": " + strings.ToLower(text[:1]) + text[1:]
		}
		parts = append(parts, text)
	}
	for _, b := range s.Bands {
		if _, _, ok := s.span(b); !ok || b.Name == "" {
			continue
		}
		parts = append(parts, fmt.Sprintf("Phase %s: %s to %s", oneLine(b.Name), s.X.text(b.From), s.X.text(b.To)))
	}
	return strings.Join(parts, ". ") + "."
}

func (s *sheet) text(class string, x, y, anchor float64, text string) {
	at := map[float64]string{left: "start", center: "middle", right: "end"}[anchor]
	fmt.Fprintf(&s.b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s" fill="currentColor">%s</text>`, class, x, y, at, html.EscapeString(text))
}

func (s *sheet) paintAxes() {
	for _, t := range s.y.ticks {
		at := s.area.bottom - s.y.position(t.value)*s.area.height()
		opacity := 0.16
		if t.value == 0 {
			opacity = 0.5
		}
		fmt.Fprintf(&s.b, `<path class="grid" stroke="currentColor" stroke-opacity="%g" stroke-width="1" vector-effect="non-scaling-stroke" d="M%.1f %.1fH%.1f"/>`, opacity, s.area.left, at, s.area.right)
		s.text("tick", s.area.left-7, at+chartText*0.33, right, t.label)
	}
	for _, t := range s.x.ticks {
		at := s.area.left + s.x.position(t.value)*s.area.width()
		half := chartTextWidth(t.label) / 2
		fmt.Fprintf(&s.b, `<path class="grid" stroke="currentColor" stroke-opacity=".5" stroke-width="1" vector-effect="non-scaling-stroke" d="M%.1f %.1fv4"/>`, at, s.area.bottom)
		s.text("tick", min(max(at, half), chartWidth-half), s.area.bottom+chartText+7, center, t.label)
	}
}

// paintLine draws a figure, reduced to what can be seen of it.
func (s *sheet) paintLine(i int, l Line) {
	t := s.trace(l)
	class, dashes, width := s.look(i)
	fmt.Fprintf(&s.b, `<g class="%s" stroke="currentColor"%s>`, class, width)
	var path strings.Builder
	for _, line := range t.lines {
		for j, p := range line {
			command := "L"
			if j == 0 {
				command = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", command, s.area.left+p.x, s.height(p.y))
		}
	}
	if path.Len() > 0 {
		fmt.Fprintf(&s.b, `<path vector-effect="non-scaling-stroke"%s d="%s"/>`, dashes, path.String())
	}
	dots := t.dots
	if l.Marked {
		dots = slices.Concat(append(t.lines, dots)...)
	}
	for _, p := range dots {
		fmt.Fprintf(&s.b, `<circle cx="%.1f" cy="%.1f" r="2.6" fill="currentColor" stroke="none"/>`, s.area.left+p.x, s.height(p.y))
	}
	s.b.WriteString("</g>")
}

func (s *sheet) height(y float64) float64 { return s.area.bottom - s.y.position(y)*s.area.height() }

// look returns the class of a line and its attributes. Lines that are compared with
// are not counted.
func (s *sheet) look(i int) (class, dashes, width string) {
	if s.Lines[i].Aside {
		return "line aside", fmt.Sprintf(` stroke-dasharray="%s"`, asideDashes), ` stroke-width="1.25" stroke-opacity=".75"`
	}
	n := 0
	for _, l := range s.Lines[:i] {
		if !l.Aside {
			n++
		}
	}
	if d := chartDashes[n%len(chartDashes)]; d != "" {
		dashes = fmt.Sprintf(` stroke-dasharray="%s"`, d)
	}
	return fmt.Sprintf("line line-%d", n+1), dashes, ""
}

// trace reduces a line to a few points for each unit of the width, in places along
// x. It is broken where a point cannot be drawn, and where time goes on without any.
func (s *sheet) trace(l Line) trace {
	t := tracer{columns: int(s.area.width()), perMinute: 1, specks: map[int]*[2]point{}}
	points := slices.DeleteFunc(slices.Clone(l.Points), func(p Point) bool { return !s.X.takes(p.X) })
	for i, p := range points {
		if !s.drawable(p) {
			t.breakLine()
			continue
		}
		if i > 0 && (p.X < points[i-1].X || s.X.Unit == Elapsed && skips(points, i)) {
			t.breakLine()
		}
		at := min(s.x.position(s.X.place(p.X)), 1) // the maximum of all lies at the end
		t.add(point{at * s.area.width(), p.Y})
	}
	return t.finish()
}

// skips reports whether there is a gap before point i: whether it is further from the
// one before than neighbours around them are. A long log may have been thinned in its
// older parts, so that what is usual differs along it.
func skips(points []Point, i int) bool {
	const around = 5
	usual := 0.0
	for j := max(1, i-around); j <= min(i+around, len(points)-1); j++ {
		if j != i {
			usual = max(usual, points[j].X-points[j-1].X)
		}
	}
	return usual > 0 && points[i].X-points[i-1].X > gapFactor*usual
}
