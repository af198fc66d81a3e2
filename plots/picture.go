package plots

import (
	"fmt"
	"image/color"
	"math"
	"time"
)

// Looks, in pixels.
const (
	margin     = 10.0
	titleSize  = 15.0
	labelSize  = 13.0 // of the axes
	leastLabel = 9.0
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

// dashing distinguishes logs that share a colour.
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
	clock         bool     // the x axis is the time of day
	article       bool     // units are the article's, whatever the figures
	plain         bool     // axes begin at zero, and a short time is in seconds
	names         []string // of the logs; a legend from two on
	surveys       []survey
	origins       []float64 // minute 0 of each log, in unix seconds
	minutes       float64   // from minute 0 to the last line of all
	marks         []mark    // in the order of time
	captions      captions  // their texts, once they are laid out
	panels        []panel
}

func newPicture(cfg Config) (*picture, error) {
	p := &picture{
		width: float64(cfg.width()), title: oneLine(cfg.Title),
		clock: cfg.Align == AlignClock, article: cfg.ArticleUnits, plain: cfg.Plain,
	}
	if len(cfg.Logs) == 0 {
		return nil, fmt.Errorf("plots: no log was given: %w", ErrNoData)
	}
	for i, l := range cfg.Logs {
		name := oneLine(l.Name)
		if name == "" {
			name = fmt.Sprintf("log %d", i+1)
		}
		if l.lines == 0 {
			return nil, fmt.Errorf("plots: %s has no samples: %w", name, ErrNoData)
		}
		p.names = append(p.names, name)
		p.surveys = append(p.surveys, surveyLog(l))
		p.origins = append(p.origins, l.start)
	}
	p.align()
	p.collectMarks(cfg.Phases)
	return p, p.choosePanels(cfg.Height)
}

// align gives each log its minute 0: its own start, or that of the logs of
// other kinds that were written at the same time, or on a clock that of all.
func (p *picture) align() {
	for range p.origins { // so often that it has gone from each to each
		for i := range p.origins {
			for j := range p.origins {
				if p.clock || p.surveys[i].accompanies(p.surveys[j].Log) {
					p.origins[i] = min(p.origins[i], p.origins[j])
				}
			}
		}
	}
	for i, s := range p.surveys {
		p.minutes = max(p.minutes, (s.end-p.origins[i])/60)
	}
	if p.minutes == 0 { // one sample, or all at the same moment
		p.minutes = 1
	}
}

// xAxis fits its labels to a width in pixels.
func (p *picture) xAxis(width float64) axis {
	fits := func(labels []tick) bool { return fitsBeside(labels, width/p.minutes) }
	if !p.clock && p.plain && p.minutes <= fewMinutes {
		return secondsAxis(p.minutes, fits)
	}
	if !p.clock {
		return elapsedAxis(p.minutes, p.article, fits)
	}
	sec, fraction := math.Modf(p.origins[0])
	origin := time.Unix(int64(sec), int64(fraction*1e9)).In(p.surveys[0].location)
	return clockAxis(origin, p.minutes, fits)
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
	room.top += tickSize / 2                                 // the uppermost label's upper half
	room.bottom -= labelSize + 4 + tickSize + 4 + tickLength // what stands below the x axis
	// How much the marks' texts take depends on where the areas are, and the
	// reverse.
	areas, ys = p.layPanels(room)
	for taken := 0.0; ; {
		p.captions = p.placeMarks(areas[0])
		more := p.captions.height() - taken
		if more <= 0 {
			break
		}
		taken += more
		room.top += more
		areas, ys = p.layPanels(room)
	}
	for _, a := range areas {
		if a.height() < minPlot || a.width() < minPlot {
			return nil, axis{}, nil, fmt.Errorf("plots: %.0f by %.0f pixels leave no room for the lines beside what is written around them: make the picture larger or draw fewer logs",
				p.width, p.height)
		}
	}
	return areas, p.xAxis(areas[0].width()), ys, nil
}

func (p *picture) paintAreas(c *canvas, areas []box, x axis, ys []axis) {
	for i, panel := range p.panels {
		p.paintAxes(c, areas[i], x, ys[i], panel.label, i == len(p.panels)-1)
		above := 0.0
		if i == 0 {
			above = p.captions.height()
		}
		p.paintKey(c, areas[i], above, panel)
	}
	p.paintMarks(c, areas)
	for i, panel := range p.panels {
		p.paintTraces(c, areas[i], x, ys[i], panel)
	}
}

// fitsBeside reports whether labels keep their distance on an axis with scale
// pixels per unit.
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
// left edges. The first is the largest.
func (p *picture) layPanels(room box) ([]box, []axis) {
	const firstShare = 1.38 // of the others' height
	areas, ys := make([]box, len(p.panels)), make([]axis, len(p.panels))
	height := room.height() - panelGap*float64(len(p.panels)-1)
	for _, panel := range p.panels {
		height -= keyHeight(panel)
	}
	unit := height / (float64(len(p.panels)-1) + firstShare)
	top, widest := room.top, 0.0
	for i, panel := range p.panels {
		top += keyHeight(panel)
		bottom := top + unit
		if i == 0 {
			bottom = top + unit*firstShare
		}
		areas[i] = box{top: math.Round(top), bottom: math.Round(bottom)}
		top = bottom + panelGap
		ys[i] = panel.yAxis(int(min(8, areas[i].height()/26)))
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
	if y.low > 0 && !y.log {
		label += ", not from 0" // which makes much of little
	}
	size, room := labelSize, area.height()+panelGap
	for size > leastLabel && textWidth(label, size) > room {
		size--
	}
	c.upwards(margin+labelSize*0.8, (area.top+area.bottom)/2, size, ink, shorten(label, size, room))
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
		text := shorten(x.label, labelSize, p.width-2*margin)
		most := p.width - margin - textWidth(text, labelSize)/2
		c.text(min((area.left+area.right)/2, most), p.height-margin, labelSize, center, ink, text)
	}
}
