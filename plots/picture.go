package plots

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"example.org/comet/memlog/series"
)

// Looks, in pixels.
const (
	margin     = 10.0
	titleSize  = 15.0
	labelSize  = 13.0 // of the axes
	tickSize   = 12.0
	legendSize = 12.0
	markSize   = 11.0
	tickLength = 4.0
	lineWidth  = 1.6
	dotRadius  = 2.4
	swatch     = 22.0 // of line beside a name in the legend
	panelGap   = 16.0
	minPlot    = 24.0 // a smaller plot area is no use
)

var (
	ink     = color.Gray{0x22}
	softInk = color.Gray{0x55}
	frame   = color.Gray{0x88}
	grid    = color.Gray{0xe4}
)

// palette is that of Okabe and Ito, "Color Universal Design" (2008), which
// people with any kind of colour blindness can tell apart, less the yellow,
// which is too pale for a line.
var palette = [...]color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, // blue
	{0xd5, 0x5e, 0x00, 0xff}, // vermilion
	{0x00, 0x9e, 0x73, 0xff}, // bluish green
	{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
	{0xe6, 0x9f, 0x00, 0xff}, // orange
	{0x56, 0xb4, 0xe9, 0xff}, // sky blue
	{0x00, 0x00, 0x00, 0xff},
}

// dashing tells logs apart that had to get the same colour.
var dashing = [...][]float64{nil, {7, 3}, {2, 2}, {8, 2, 2, 2}}

func penOf(i int) pen {
	return pen{
		color:  palette[i%len(palette)],
		width:  lineWidth,
		dashes: dashing[i/len(palette)%len(dashing)],
	}
}

// picture is everything that is drawn, in the terms of the data.
type picture struct {
	width, height float64
	title         string
	names         []string // of the logs; a legend from two on
	surveys       []survey
	origins       []float64 // minute 0 of each log, in unix seconds
	minutes       float64   // from minute 0 to the last sample of all
	restarted     bool      // at least one log has a restart
	panels        []panel
}

// panel is one of the plot areas, which share their x axis.
type panel struct {
	label string
	share float64 // of the height
	data  extent
	value func(*series.Sample) int64
}

func newPicture(cfg Config) (*picture, error) {
	p := &picture{width: float64(cfg.width()), height: float64(cfg.height()), title: oneLine(cfg.Title)}
	if len(cfg.Logs) == 0 {
		return nil, fmt.Errorf("plots: no log was given: %w", ErrNoData)
	}
	for i, l := range cfg.Logs {
		name := oneLine(l.Name)
		if name == "" {
			name = fmt.Sprintf("log %d", i+1)
		}
		if len(l.Samples) == 0 {
			return nil, fmt.Errorf("plots: %s has no samples: %w", name, ErrNoData)
		}
		s := surveyLog(l.Samples)
		p.names = append(p.names, name)
		p.surveys = append(p.surveys, s)
		p.origins = append(p.origins, s.start)
		p.restarted = p.restarted || len(s.restarts) > 0
	}
	p.align(cfg.Align)
	return p, p.choosePanels()
}

func (p *picture) align(how Align) {
	if how == AlignClock {
		earliest := slices.Min(p.origins)
		for i := range p.origins {
			p.origins[i] = earliest
		}
	}
	for i, s := range p.surveys {
		p.minutes = max(p.minutes, (s.end-p.origins[i])/60)
	}
	if p.minutes == 0 { // one sample, or all at the same moment
		p.minutes = 1
	}
}

// choosePanels takes what there is: memory, and connections where there is
// room for two panels or where nobody knows the memory (flood's own log).
func (p *picture) choosePanels() error {
	var memory, connections extent
	for _, s := range p.surveys {
		memory.join(s.memory)
		connections.join(s.connections)
	}
	if memory.known {
		p.panels = append(p.panels, panel{"Mem (KB)", 1, memory, func(s *series.Sample) int64 { return s.RSSKB }})
	}
	if connections.known && (!memory.known || p.height >= twoPanelHeight) {
		p.panels = append(p.panels, panel{"Connections", 1, connections, func(s *series.Sample) int64 { return s.Connections }})
	}
	if len(p.panels) == 2 {
		p.panels[0].share, p.panels[1].share = 0.58, 0.42
	}
	for i, s := range p.surveys {
		shown := s.memory.known
		for _, panel := range p.panels {
			if panel.label == "Connections" {
				shown = shown || s.connections.known
			}
		}
		if !shown {
			return p.unseen(i)
		}
	}
	return nil
}

// unseen is the error for a log with nothing to show.
func (p *picture) unseen(i int) error {
	if p.surveys[i].connections.known {
		return fmt.Errorf("plots: %s knows no memory, only connections, for which a picture beside other logs must be %d pixels high: %w",
			p.names[i], twoPanelHeight, ErrNoData)
	}
	return fmt.Errorf("plots: %s has %d samples, but memory and connections are unknown in all of them: %w",
		p.names[i], len(p.surveys[i].samples), ErrNoData)
}

// box is a rectangle on the canvas.
type box struct{ left, top, right, bottom float64 }

func (b box) width() float64  { return b.right - b.left }
func (b box) height() float64 { return b.bottom - b.top }

// paint lays the picture out from the outside to the inside and draws it.
func (p *picture) paint(c *canvas) error {
	areas, x, ys, err := p.layout(c)
	if err != nil {
		return err
	}
	p.paintAreas(c, areas, x, ys)
	return nil
}

// layout writes what stands above the plot areas and divides what remains.
func (p *picture) layout(c *canvas) (areas []box, x axis, ys []axis, err error) {
	room := box{margin, margin, p.width - margin, p.height - margin}
	room.top += p.paintTitle(c, room)
	if len(p.names) > 1 {
		room.top += p.paintLegend(c, room)
	}
	if p.restarted {
		room.top += markSize + 2
	}
	room.top += tickSize / 2                                 // the uppermost label's upper half
	room.bottom -= labelSize + 4 + tickSize + 4 + tickLength // what stands below the x axis
	areas, ys = p.layPanels(room)
	for _, a := range areas {
		if a.height() < minPlot || a.width() < minPlot {
			return nil, axis{}, nil, fmt.Errorf("plots: %.0f by %.0f pixels leave no room for the lines beside what is written around them: make the picture larger or draw fewer logs",
				p.width, p.height)
		}
	}
	x = minuteAxis(p.minutes, func(labels []tick) bool {
		return fitsBeside(labels, areas[0].width()/p.minutes)
	})
	return areas, x, ys, nil
}

func (p *picture) paintAreas(c *canvas, areas []box, x axis, ys []axis) {
	for i, panel := range p.panels {
		p.paintAxes(c, areas[i], x, ys[i], panel.label, i == len(p.panels)-1)
	}
	p.paintRestarts(c, areas, x)
	for i, panel := range p.panels {
		p.paintTraces(c, areas[i], x, ys[i], panel)
	}
}

// fitsBeside tells whether labels keep their distance on an axis with so many
// pixels a unit.
func fitsBeside(labels []tick, scale float64) bool {
	const gap = 16
	for i := 1; i < len(labels); i++ {
		room := (labels[i].value - labels[i-1].value) * scale
		if (textWidth(labels[i].label, tickSize)+textWidth(labels[i-1].label, tickSize))/2+gap > room {
			return false
		}
	}
	return true
}

// layPanels divides the room among the panels, one under the other, with equal
// left edges.
func (p *picture) layPanels(room box) ([]box, []axis) {
	areas, ys := make([]box, len(p.panels)), make([]axis, len(p.panels))
	height := room.height() - panelGap*float64(len(p.panels)-1)
	top, widest := room.top, 0.0
	for i, panel := range p.panels {
		areas[i] = box{top: math.Round(top), bottom: math.Round(top + height*panel.share)}
		top += height*panel.share + panelGap
		ys[i] = valueAxis(panel.data, int(min(8, areas[i].height()/26)))
		for _, t := range ys[i].ticks {
			widest = max(widest, textWidth(t.label, tickSize))
		}
	}
	for i := range areas {
		areas[i].left = math.Round(room.left + labelSize + 6 + widest + 6)
		areas[i].right = math.Round(room.right - 6)
	}
	return areas, ys
}

// paintTitle returns the height that it took.
func (p *picture) paintTitle(c *canvas, room box) float64 {
	if p.title == "" {
		return 0
	}
	size := titleSize
	for size > tickSize && textWidth(p.title, size) > room.width() {
		size--
	}
	c.text(p.width/2, room.top+size*0.8, size, center, ink, shorten(p.title, size, room.width()))
	return size + 6
}

// paintLegend writes the names in rows between the title and the plot area,
// where they hide nothing, and returns the height of them.
func (p *picture) paintLegend(c *canvas, room box) float64 {
	const gap, rowHeight = 18, legendSize + 5
	type entry struct {
		x, width float64
		row      int
		name     string
	}
	entries := make([]entry, len(p.names))
	widths := []float64{0} // of each row
	for i, name := range p.names {
		name = shorten(name, legendSize, room.width()-swatch-6)
		e := entry{width: swatch + 6 + textWidth(name, legendSize), name: name}
		row := len(widths) - 1
		if widths[row] > 0 && widths[row]+gap+e.width > room.width() {
			widths = append(widths, 0)
			row++
		}
		if widths[row] > 0 {
			widths[row] += gap
		}
		e.x, e.row = widths[row], row
		widths[row] += e.width
		entries[i] = e
	}
	for i, e := range entries {
		x := room.left + (room.width()-widths[e.row])/2 + e.x
		base := room.top + rowHeight*float64(e.row) + legendSize*0.85
		pen := penOf(i)
		pen.width = 2.4
		c.line(pen, point{x, base - legendSize*0.32}, point{x + swatch, base - legendSize*0.32})
		c.text(x+swatch+6, base, legendSize, left, ink, e.name)
	}
	return rowHeight*float64(len(widths)) + 4
}

func (p *picture) paintAxes(c *canvas, area box, x, y axis, label string, last bool) {
	for _, t := range y.ticks {
		// Half a pixel off, where a thin line is sharp.
		at := math.Round(area.bottom-y.position(t.value)*area.height()) + 0.5
		c.line(pen{color: grid, width: 1}, point{area.left, at}, point{area.right, at})
		c.text(area.left-6, at+tickSize*0.35, tickSize, right, softInk, t.label)
	}
	edge := pen{color: frame, width: 1}
	c.line(edge, point{area.left + 0.5, area.top}, point{area.left + 0.5, area.bottom})
	c.line(edge, point{area.left, area.bottom + 0.5}, point{area.right, area.bottom + 0.5})
	c.upwards(margin+labelSize*0.8, (area.top+area.bottom)/2, labelSize, ink, label)
	for _, t := range x.ticks {
		at := math.Round(area.left+x.position(t.value)*area.width()) + 0.5
		c.line(edge, point{at, area.bottom}, point{at, area.bottom + tickLength})
		if last {
			// The last label keeps inside the picture.
			half := textWidth(t.label, tickSize) / 2
			c.text(min(at, p.width-2-half), area.bottom+tickLength+3+tickSize*0.8, tickSize, center, softInk, t.label)
		}
	}
	if last {
		c.text((area.left+area.right)/2, p.height-margin, labelSize, center, ink, "Minutes Elapsed")
	}
}

// paintRestarts marks each by a broken line through all panels, with a word
// above where there is room for it.
func (p *picture) paintRestarts(c *canvas, areas []box, x axis) {
	const word = "restart"
	half := textWidth(word, markSize) / 2
	free := areas[0].left - half // where the next word may begin
	for i, s := range p.surveys {
		mark := pen{color: frame, width: 1, dashes: []float64{4, 3}}
		if len(p.surveys) > 1 {
			mark.color = palette[i%len(palette)]
		}
		drawn := math.Inf(-1)
		for _, first := range s.restarts {
			minute := (seconds(s.samples[first].Time) - p.origins[i]) / 60
			at := math.Round(areas[0].left+x.position(minute)*areas[0].width()) + 0.5
			if at == drawn {
				continue
			}
			drawn = at
			for _, area := range areas {
				c.line(mark, point{at, area.top - 3}, point{at, area.bottom})
			}
			begin := min(at, p.width-2-half) - half
			if begin >= free {
				c.text(begin, areas[0].top-6, markSize, left, softInk, word)
				free = begin + 2*half + 6
			}
		}
	}
}

func (p *picture) paintTraces(c *canvas, area box, x, y axis, panel panel) {
	for i := range p.surveys {
		t := makeTrace(&p.surveys[i], p.origins[i], x.high, int(area.width()), panel.value)
		place := func(q point) point {
			return point{area.left + x.position(q.x)*area.width(), area.bottom - y.position(q.y)*area.height()}
		}
		pen := penOf(i)
		for _, line := range t.lines {
			placed := make([]point, len(line))
			for j, q := range line {
				placed[j] = place(q)
			}
			c.line(pen, placed...)
		}
		for _, q := range t.dots {
			c.dot(place(q), dotRadius, pen.color)
		}
	}
}
