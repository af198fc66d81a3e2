package plots

import (
	"fmt"
	"math"
	"slices"
)

// key is an entry of a chart's legend.
type key struct {
	x, y float64
	line int
	name string
}

const keySwatch = 26.0

// layKeys places the names of several lines in rows.
func (s *sheet) layKeys() {
	if len(s.Lines) < 2 {
		return
	}
	x, y := 0.0, chartText
	for i, l := range s.Lines {
		if !slices.ContainsFunc(l.Points, s.drawable) {
			continue
		}
		name := shorten(oneLine(l.Name), chartText, chartWidth/2)
		width := keySwatch + 6 + chartTextWidth(name)
		if x > 0 && x+width > chartWidth {
			x, y = 0, y+rowPitch
		}
		s.keys = append(s.keys, key{x, y, i, name})
		x += width + 16
	}
}

func (s *sheet) paintKeys() {
	for _, k := range s.keys {
		class, dashes, width := s.look(k.line)
		fmt.Fprintf(&s.b, `<path class="%s" stroke="currentColor"%s%s vector-effect="non-scaling-stroke" d="M%.1f %.1fh%g"/>`,
			class, width, dashes, k.x+1, k.y-chartText*0.33, keySwatch-2)
		s.text("key", k.x+keySwatch+6, k.y, left, k.name)
	}
}

// bandName is the name of a band: in the middle of it, or if it is too narrow, like a
// flag to the right of its beginning, on a mast. Row 0 is next to the plot area.
type bandName struct {
	left, width, mast float64 // mast is NaN for one in the middle
	row               int
	name              string
}

const bandRows = 2

// layNames places the names of bands above them. A name for which there is no place
// is left out; [sheet.describe] has them all.
func (s *sheet) layNames() {
	var flags []bandName
	for _, b := range s.Bands {
		from, to, ok := s.span(b)
		if !ok || b.Name == "" {
			continue
		}
		n := bandName{name: oneLine(b.Name), mast: math.NaN()}
		n.width = chartTextWidth(n.name)
		if n.left = (from + to - n.width) / 2; n.width <= to-from {
			s.names = append(s.names, n)
			continue
		}
		n.mast = from
		if n.left = from + 4; n.left+n.width > chartWidth { // no room: to the left of it
			n.left = from - 4 - n.width
		}
		flags = append(flags, n)
	}
	for _, n := range slices.Backward(flags) { // the masts of the earlier ones go up before the later
		for ; n.row < bandRows; n.row++ {
			if !slices.ContainsFunc(s.names, n.touches) {
				s.names = append(s.names, n)
				break
			}
		}
	}
}

func (n bandName) touches(other bandName) bool {
	const gap = 6
	return n.row == other.row && n.left < other.left+other.width+gap && other.left < n.left+n.width+gap
}

// span returns where a band lies on the sheet.
func (s *sheet) span(b Band) (from, to float64, ok bool) {
	if !s.X.takes(b.From) || !s.X.takes(b.To) || b.To < b.From {
		return 0, 0, false
	}
	at := func(v float64) float64 {
		return s.area.left + min(max(s.x.position(s.X.place(v)), 0), 1)*s.area.width()
	}
	return at(b.From), at(b.To), true
}

// paintBands tints every second band, so that each is seen beside its neighbours.
func (s *sheet) paintBands() {
	for i, b := range s.Bands {
		from, to, ok := s.span(b)
		if !ok || i%2 == 0 {
			continue
		}
		fmt.Fprintf(&s.b, `<rect class="band" x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="currentColor" fill-opacity=".06"/>`,
			from, s.area.top, max(to-from, 0.5), s.area.height())
	}
	for _, n := range s.names {
		base := s.area.top - 6 - float64(n.row)*rowPitch
		if math.IsNaN(n.mast) {
			s.text("phase", n.left+n.width/2, base, center, n.name)
			continue
		}
		fmt.Fprintf(&s.b, `<path class="grid" stroke="currentColor" stroke-opacity=".45" stroke-width="1" vector-effect="non-scaling-stroke" d="M%.1f %.1fV%.1f"/>`,
			n.mast, base-chartText*0.7, s.area.top)
		if n.left < n.mast { // no room to the right of it
			s.text("phase", n.mast-4, base, right, n.name)
			continue
		}
		s.text("phase", n.left, base, left, n.name)
	}
}
