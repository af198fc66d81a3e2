package plots

import (
	"image/color"
	"math"
)

// as returns the pen for a line of that look.
func (p pen) as(l look) pen {
	switch l {
	case pale:
		r, g, b, _ := p.color.RGBA()
		const white = 0xffff
		tint := func(v uint32) uint8 { return uint8((v + white) / 2 >> 8) }
		p.color = color.RGBA{tint(r), tint(g), tint(b), 0xff}
	case dotted:
		p.dashes = []float64{2, 3}
	}
	return p
}

// drawn is a trace in pixels.
type drawn struct {
	pen   pen
	lines [][]point
	dots  []point
	level []float64 // of each pixel column, NaN where there is no line
}

// paintTraces draws the logs over each other, the last on top, and of each log
// its main line on top.
func (p *picture) paintTraces(c *canvas, area box, x, y axis, panel panel) {
	var traces []drawn
	for i := range p.surveys {
		for j := range panel.strands {
			strand := panel.strands[len(panel.strands)-1-j]
			if !p.surveys[i].figures[strand.figure].known {
				continue
			}
			t := makeTrace(&p.surveys[i], p.origins[i], x.high, int(area.width()), strand.figure)
			traces = append(traces, t.place(area, x, y, penOf(i).as(strand.look)))
		}
	}
	widen(traces)
	for _, t := range traces {
		for _, line := range t.lines {
			c.line(t.pen, line...)
		}
		for _, q := range t.dots {
			c.dot(q, dotRadius*t.pen.width/lineWidth, t.pen.color)
		}
	}
}

// place puts a trace where it belongs in its area.
func (t trace) place(area box, x, y axis, pen pen) drawn {
	place := func(q point) point {
		return point{area.left + x.position(q.x)*area.width(), area.bottom - y.position(q.y)*area.height()}
	}
	d := drawn{pen: pen, level: make([]float64, int(area.width())+1)}
	for i := range d.level {
		d.level[i] = math.NaN()
	}
	for _, line := range t.lines {
		placed := make([]point, len(line))
		for i, q := range line {
			placed[i] = place(q)
			if i > 0 {
				d.fill(area, placed[i-1], placed[i])
			}
		}
		d.lines = append(d.lines, placed)
	}
	for _, q := range t.dots {
		d.dots = append(d.dots, place(q))
		d.fill(area, place(q), place(q))
	}
	return d
}

// fill records the level of the columns that a piece of line runs through.
func (d *drawn) fill(area box, from, to point) {
	first, last := int(from.x-area.left), int(to.x-area.left)
	for i := max(0, first); i <= min(last, len(d.level)-1); i++ {
		share := 0.0
		if to.x > from.x {
			share = min(1, max(0, (area.left+float64(i)-from.x)/(to.x-from.x)))
		}
		d.level[i] = from.y + share*(to.y-from.y)
	}
}

// widen makes a line that another is drawn over wider than that, so that it is
// seen on both sides of it: equal figures of two logs are two lines.
func widen(traces []drawn) {
	const (
		rim    = 2.0 // wider by this, in pixels
		widest = lineWidth + 2*rim
	)
	for i := len(traces) - 2; i >= 0; i-- {
		for _, over := range traces[i+1:] {
			if covers(over, traces[i]) {
				traces[i].pen.width = min(widest, max(traces[i].pen.width, over.pen.width+rim))
			}
		}
	}
}

// covers reports whether a line lies on another for a good part of it.
func covers(over, under drawn) bool {
	equal, total := 0, 0
	for i, y := range under.level {
		if math.IsNaN(y) {
			continue
		}
		total++
		if math.Abs(y-over.level[i]) < 1 {
			equal++
		}
	}
	return equal > 0 && equal*10 >= total
}
