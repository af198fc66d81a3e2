package plots

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"sort"
	"strings"
	"sync"
	"time"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/encoding/charmap"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"
)

// px is a CSS pixel, 1/96 inch. Everything is laid out in pixels from
// the upper left corner; only canvas knows vg's points and its lower left one.
const px = vg.Inch / 96

// canvas is a sheet of one format.
type canvas struct {
	vg     vg.CanvasWriterTo
	format string
	height float64
	widths []float64 // of each text of an SVG, in points
}

// newCanvas makes a sheet, of a PNG with density pixels for each.
func newCanvas(format string, width, height, density int) (*canvas, error) {
	c := &canvas{format: format, height: float64(height)}
	w, h := vg.Length(width)*px, vg.Length(height)*px
	switch format {
	case PNG:
		c.vg = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(96*density))}
	case SVG:
		c.vg = vgsvg.New(w, h)
	case PDF:
		stablePDF()
		c.vg = vgpdf.New(w, h)
	default:
		return nil, fmt.Errorf("plots: there is no format %q, only png, svg and pdf", format)
	}
	c.rect(0, 0, float64(width), float64(height), color.White)
	return c, nil
}

// stablePDF makes equal pictures equal bytes: fpdf would write the time of
// day, and its resources in the order of a map.
var stablePDF = sync.OnceFunc(func() {
	fpdf.SetDefaultCreationDate(time.Unix(0, 0).UTC())
	fpdf.SetDefaultModificationDate(time.Unix(0, 0).UTC())
	fpdf.SetDefaultCatalogSort(true)
})

// writeTo finishes the picture.
func (c *canvas) writeTo(w io.Writer) error {
	var out bytes.Buffer
	if _, err := c.vg.WriteTo(&out); err != nil {
		return fmt.Errorf("plots: encoding as %s: %w", c.format, err)
	}
	picture := out.Bytes()
	if c.format == SVG {
		picture = c.portable(picture)
	}
	if _, err := w.Write(picture); err != nil {
		return fmt.Errorf("plots: %w", err)
	}
	return nil
}

// portable lets an SVG keep its layout where there is another font. Few
// machines have Liberation Sans; Arial and Helvetica have the same widths, and
// any other font is told how wide the texts are.
func (c *canvas) portable(svg []byte) []byte {
	const text = "<text "
	parts := bytes.Split(svg, []byte(text))
	out := bytes.NewBuffer(make([]byte, 0, len(svg)+64*len(parts)))
	for i, part := range parts {
		if i > 0 {
			out.WriteString(text)
			if i <= len(c.widths) {
				fmt.Fprintf(out, `textLength="%.2f" lengthAdjust="spacingAndGlyphs" `, c.widths[i-1])
			}
		}
		out.Write(part)
	}
	return bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
}

func (c *canvas) point(x, y float64) vg.Point {
	return vg.Point{X: vg.Length(x) * px, Y: vg.Length(c.height-y) * px}
}

// pen is how a line looks; widths in pixels.
type pen struct {
	color  color.Color
	width  float64
	dashes []float64
}

// maxStroke is the most points that a line on pixels is drawn with at once. The
// rasteriser keeps the cells of a row in a list that it walks for each new one,
// so that a long jagged line would take a second.
const maxStroke = 24

func (c *canvas) line(p pen, points ...point) {
	if len(points) < 2 {
		return
	}
	c.vg.SetColor(p.color)
	c.vg.SetLineWidth(vg.Length(p.width) * px)
	dashes := make([]vg.Length, len(p.dashes))
	for i, d := range p.dashes {
		dashes[i] = vg.Length(d) * px
	}
	if c.format != PNG {
		c.stroke(dashes, 0, points)
		return
	}
	drawn := 0.0 // length, so that dashes go on where they stopped
	for {
		part := points[:min(maxStroke, len(points))]
		c.stroke(dashes, vg.Length(drawn)*px, part)
		if len(part) == len(points) {
			return
		}
		// The last pixels are drawn again, which gives the corner its join and
		// covers the blurred end.
		end, next := part[len(part)-1], len(part)-2
		for next > maxStroke/2 && math.Hypot(end.x-part[next].x, end.y-part[next].y) < 2 {
			next--
		}
		for i := range next {
			drawn += math.Hypot(part[i+1].x-part[i].x, part[i+1].y-part[i].y)
		}
		points = points[next:]
	}
}

func (c *canvas) stroke(dashes []vg.Length, offset vg.Length, points []point) {
	path := make(vg.Path, 0, len(points))
	path.Move(c.point(points[0].x, points[0].y))
	for _, q := range points[1:] {
		path.Line(c.point(q.x, q.y))
	}
	c.vg.SetLineDash(dashes, offset)
	c.vg.Stroke(path)
}

func (c *canvas) rect(x, y, width, height float64, fill color.Color) {
	var path vg.Path
	path.Move(c.point(x, y))
	path.Line(c.point(x+width, y))
	path.Line(c.point(x+width, y+height))
	path.Line(c.point(x, y+height))
	path.Close()
	c.vg.SetColor(fill)
	c.vg.Fill(path)
}

func (c *canvas) dot(p point, radius float64, fill color.Color) {
	var path vg.Path
	path.Move(c.point(p.x+radius, p.y))
	path.Arc(c.point(p.x, p.y), vg.Length(radius)*px, 0, 2*math.Pi)
	path.Close()
	c.vg.SetColor(fill)
	c.vg.Fill(path)
}

// triangle stands on its tip.
func (c *canvas) triangle(tip point, size float64, fill color.Color) {
	var path vg.Path
	path.Move(c.point(tip.x, tip.y))
	path.Line(c.point(tip.x-size, tip.y-1.5*size))
	path.Line(c.point(tip.x+size, tip.y-1.5*size))
	path.Close()
	c.vg.SetColor(fill)
	c.vg.Fill(path)
}

// Where a text lies relative to its point.
const (
	left   = 0.0
	center = 0.5
	right  = 1.0
)

// text writes one line with its baseline at y.
func (c *canvas) text(x, y, size, anchor float64, fill color.Color, s string) {
	at := c.point(x, y)
	at.X -= vg.Length(textWidth(s, size)*anchor) * px
	c.vg.SetColor(fill)
	c.write(at, size, s)
}

// upwards writes one line that reads from bottom to top, centred on y, with
// its baseline at x.
func (c *canvas) upwards(x, y, size float64, fill color.Color, s string) {
	c.vg.SetColor(fill)
	c.vg.Push()
	c.vg.Rotate(math.Pi / 2)
	at := c.point(x, y)
	c.write(vg.Point{X: at.Y - vg.Length(textWidth(s, size)/2)*px, Y: -at.X}, size, s)
	c.vg.Pop()
}

func (c *canvas) write(at vg.Point, size float64, s string) {
	if s == "" {
		return
	}
	face := face(size)
	switch c.format {
	case PDF:
		// vgpdf's fonts have one byte a character. What is not among them is
		// drawn, which looks the same but cannot be copied as text.
		encoded, err := charmap.Windows1252.NewEncoder().String(s)
		if err != nil {
			c.outline(at, size, s)
			return
		}
		s = encoded
	case SVG:
		c.widths = append(c.widths, face.Width(s).Points())
	}
	c.vg.FillString(face, at, s)
}

// outline draws text as the shapes of its letters.
func (c *canvas) outline(at vg.Point, size float64, s string) {
	const ppem = 1024 // pixels an em, to which the shapes are asked for
	var (
		buffer sfnt.Buffer
		path   vg.Path
		font   = sans()
		scale  = vg.Length(size) * px / ppem
	)
	for _, r := range s {
		place := func(p fixed.Point26_6) vg.Point { // down is up here
			return vg.Point{X: at.X + vg.Length(p.X)/64*scale, Y: at.Y - vg.Length(p.Y)/64*scale}
		}
		// Index 0, which is also that of an error, is the font's sign for a
		// letter that it does not have.
		glyph, _ := font.GlyphIndex(&buffer, r)
		segments, err := font.LoadGlyph(&buffer, glyph, fixed.I(ppem), nil)
		if err != nil {
			continue
		}
		for i, segment := range segments {
			to := segment.Args
			switch segment.Op {
			case sfnt.SegmentOpMoveTo:
				if i > 0 {
					path.Close()
				}
				path.Move(place(to[0]))
			case sfnt.SegmentOpLineTo:
				path.Line(place(to[0]))
			case sfnt.SegmentOpQuadTo:
				path.QuadTo(place(to[0]), place(to[1]))
			case sfnt.SegmentOpCubeTo:
				path.CubeTo(place(to[0]), place(to[1]), place(to[2]))
			}
		}
		if len(segments) > 0 {
			path.Close()
		}
		at.X += vg.Length(textWidth(string(r), size)) * px
	}
	c.vg.Fill(path)
}

// sans returns the font, which is parsed when the first picture is drawn.
var sans = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(liberationsansregular.TTF)
	if err != nil {
		panic("plots: the font that is built in does not parse: " + err.Error())
	}
	return f
})

// face returns the font at a size in pixels.
func face(size float64) font.Face {
	return font.Face{
		Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(size) * px},
		Face: sans(),
	}
}

// textWidth returns the width in pixels.
func textWidth(s string, size float64) float64 {
	f := face(size)
	return float64(f.Width(s) / px)
}

// shorten cuts text that is wider than it may be and marks the cut.
func shorten(s string, size, width float64) string {
	if textWidth(s, size) <= width {
		return s
	}
	runes := []rune(s)
	cut := sort.Search(len(runes), func(n int) bool {
		return textWidth(string(runes[:n])+"…", size) > width
	})
	return strings.TrimSpace(string(runes[:max(0, cut-1)])) + "…"
}
