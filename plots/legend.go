package plots

import "slices"

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

// keyHeight returns the height of a panel's key above its plot area.
func keyHeight(p panel) float64 {
	if p.key() == nil {
		return 0
	}
	return markSize + 4
}

// paintKey writes what the looks of a panel's lines stand for, that many pixels
// above its plot area. It is grey where several logs have colours of their own.
func (p *picture) paintKey(c *canvas, area box, above float64, panel panel) {
	entries := panel.key()
	x, base := area.right, area.top-above-5
	for _, e := range slices.Backward(entries) {
		x -= textWidth(e.name, markSize)
		c.text(x, base, markSize, left, softInk, e.name)
		x -= 5 + swatch
		pen := pen{color: softInk, width: lineWidth}
		if len(p.names) == 1 {
			pen = penOf(0)
		}
		pen = pen.as(e.look)
		c.line(pen, point{x, base - markSize*0.32}, point{x + swatch, base - markSize*0.32})
		x -= 14
	}
}
