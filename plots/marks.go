package plots

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"
)

// mark is a moment that is marked across all panels.
type mark struct {
	minute float64
	log    int
	text   string
	kind   markKind
}

type markKind int

const (
	markEvent markKind = iota
	markRestart
	markCollection // memory that was freed by force
)

const (
	// A picture has a row of texts for each markRowsPer pixels of its height.
	markRowsPer = 100
	maxMarkRows = 3
	// More texts than the widest picture has room for are not even tried.
	mostCaptions  = 1000
	markRowHeight = markSize + 2
	// markFoot is between the lowest row of texts and the plot area.
	markFoot = 8.0
	// Marks closer than this on average are short, or they would be a hatching
	// over the data.
	markDistance = 12.0
)

// collectMarks takes the phases, and the restarts, the steps back in time and the
// events of all logs, in the order of time. What lies outside the logs is not drawn,
// but for the phase in which they begin.
func (p *picture) collectMarks(phases []Band) {
	for _, b := range phases {
		from, to := (b.From-p.origins[0])/60, (b.To-p.origins[0])/60
		if from <= p.minutes && to > 0 {
			p.marks = append(p.marks, mark{minute: max(from, 0), text: oneLine(b.Name)})
		}
	}
	for i, s := range p.surveys {
		add := func(at float64, text string, kind markKind) {
			p.marks = append(p.marks, mark{(at - p.origins[i]) / 60, i, text, kind})
		}
		for _, row := range s.restarts {
			add(s.time(row), "restart", markRestart)
		}
		for _, row := range s.backwards {
			add(s.time(row), "time goes back", markRestart)
		}
		for _, e := range s.events {
			text := oneLine(e.text)
			kind := markEvent
			switch word, _, _ := strings.Cut(text, " "); word {
			case "gc":
				kind = markCollection
			case "restart":
				kind = markRestart
			}
			add(e.at, text, kind)
		}
	}
	slices.SortStableFunc(p.marks, func(a, b mark) int { return cmp.Compare(a.minute, b.minute) })
	// What memlog calls a restart is one that its pid tells as well.
	p.marks = slices.Compact(p.marks)
}

// caption is the text of a mark, in a row above the plot areas.
type caption struct {
	mark
	at    float64 // of its line, in pixels
	begin float64 // of its text
	row   int     // 0 is the lowest
	text  string
}

// captions are the texts that found a place.
type captions struct {
	placed []caption
	rows   int
	note   string // what is said of those that did not
}

func (f captions) height() float64 {
	if f.rows == 0 {
		return 0
	}
	height := markRowHeight*float64(f.rows) + markFoot - 3
	if f.note != "" {
		height += markRowHeight
	}
	return height
}

// placeMarks finds places for the texts: for all in as few rows as can be; or,
// if they are too many, for one of each that are called the same; or for as
// many as there is room for, and a note of that.
func (p *picture) placeMarks(area box) captions {
	if len(p.marks) == 0 {
		return captions{}
	}
	most := max(1, min(maxMarkRows, int(p.height/markRowsPer)))
	merged, kinds := p.mergedCaptions(area)
	tries := [][]caption{merged}
	if len(p.marks) <= mostCaptions {
		tries = [][]caption{p.captionsOf(area, p.marks), merged}
	}
	for _, wanted := range tries {
		for _, crossing := range []bool{false, true} {
			for rows := 1; rows <= most; rows++ {
				if placed := p.place(wanted, rows, crossing); len(placed) == len(wanted) && len(merged) == kinds {
					return captions{placed: placed, rows: rows}
				}
			}
		}
	}
	placed := p.place(merged, most, true)
	return captions{placed: placed, rows: most, note: fmt.Sprintf("%d of %d events are named", len(placed), kinds)}
}

func (p *picture) captionsOf(area box, marks []mark) []caption {
	out := make([]caption, 0, len(marks))
	for _, m := range marks {
		out = append(out, caption{mark: m, at: p.markAt(area, m), text: shorten(m.text, markSize, area.width()/2)})
	}
	return out
}

// mergedCaptions returns one for all marks of a log with the same text, at the
// first, and how many there are of them, if they are more than can be tried.
func (p *picture) mergedCaptions(area box) (merged []caption, kinds int) {
	type kind struct {
		log  int
		text string
	}
	count := map[kind]int{}
	var firsts []mark
	for _, m := range p.marks {
		k := kind{m.log, m.text}
		if count[k]++; count[k] == 1 {
			firsts = append(firsts, m)
		}
	}
	kinds = len(firsts)
	if kinds > mostCaptions {
		for i := range mostCaptions { // evenly spread
			firsts[i] = firsts[i*kinds/mostCaptions]
		}
		firsts = firsts[:mostCaptions]
	}
	merged = p.captionsOf(area, firsts)
	for i, m := range merged {
		if n := count[kind{m.log, m.mark.text}]; n > 1 {
			merged[i].text += fmt.Sprintf(" ×%d", n)
		}
	}
	return merged, kinds
}

// markAt returns where a mark's line stands: on a pixel, where it is sharp.
func (p *picture) markAt(area box, m mark) float64 {
	return math.Round(area.left+m.minute/p.minutes*area.width()) + 0.5
}

// place puts each text to the right of its line, which goes up to it like a
// mast to its flag. A mast may run behind the texts below only if crossing is
// allowed; if not, the next text is lower as long as it stands under the one
// before. What finds no place is left out.
func (p *picture) place(wanted []caption, rows int, crossing bool) (placed []caption) {
	const distance, gap = 3.0, 8.0
	free := make([]float64, rows) // where the next text of each row may begin
	last := math.Inf(-1)          // mast
	rowFor := func(begin float64) (row int) {
		row = -1
		for r, f := range free {
			switch {
			case f <= begin && crossing:
				return r
			case f <= begin:
				row = r
			case !crossing:
				return row
			}
		}
		return row
	}
	for _, f := range wanted {
		width := textWidth(f.text, markSize)
		f.begin = f.at + distance
		begin := f.at
		if f.begin+width > p.width-2 { // no room at the edge: to the left of the line
			f.begin = f.at - distance - width
			begin = f.begin
			if begin < 2 || begin < last && !crossing {
				continue
			}
		}
		f.row = rowFor(begin)
		if f.row < 0 {
			continue
		}
		free[f.row] = max(f.at, f.begin+width+gap)
		last = f.at
		placed = append(placed, f)
	}
	return placed
}

// paintMarks draws a line through all panels for each mark, and the texts.
func (p *picture) paintMarks(c *canvas, areas []box) {
	base := func(row int) float64 { return areas[0].top - markFoot - markRowHeight*float64(row) }
	crowded := p.crowded(areas[0])
	var before mark
	drawn := math.Inf(-1)
	for _, m := range p.marks {
		at := p.markAt(areas[0], m)
		if at == drawn && m.log == before.log && m.kind == before.kind {
			continue
		}
		before, drawn = m, at
		pen, size := p.markPen(m), 4.0
		if crowded {
			pen.dashes, size = nil, 2.5
		}
		for _, area := range areas {
			bottom := area.bottom
			if crowded {
				bottom = area.top + 8
			}
			c.line(pen, point{at, area.top}, point{at, bottom})
		}
		if m.kind == markCollection {
			c.triangle(point{at, areas[0].top + 1}, size, pen.color)
		}
	}
	for _, f := range p.captions.placed {
		mast := p.markPen(f.mark)
		mast.dashes = nil
		c.line(mast, point{f.at, base(f.row) - markSize*0.7}, point{f.at, areas[0].top})
	}
	for _, f := range p.captions.placed {
		c.rect(f.begin-1, base(f.row)-markSize*0.8, textWidth(f.text, markSize)+2, markSize, color.White)
		c.text(f.begin, base(f.row), markSize, left, softInk, f.text)
	}
	if note := p.captions.note; note != "" {
		c.text(areas[0].right, base(p.captions.rows), markSize, right, softInk, note)
	}
}

// crowded reports whether there are too many marks for long lines.
func (p *picture) crowded(area box) bool {
	places, last := 0, math.Inf(-1)
	for _, m := range p.marks {
		if at := p.markAt(area, m); at != last {
			places++
			last = at
		}
	}
	return float64(places) > area.width()/markDistance
}

func (p *picture) markPen(m mark) pen {
	mark := pen{color: color.Gray{0x77}, width: 1}
	if len(p.surveys) > 1 {
		mark.color = palette[m.log%len(palette)]
	}
	switch m.kind {
	case markRestart:
		mark.dashes = []float64{4, 3}
	case markCollection:
		mark.dashes = []float64{1.5, 2.5}
	}
	return mark
}
