package plots

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// along returns a line with a point at each second.
func along(name string, ys ...float64) Line {
	l := Line{Name: name}
	for i, y := range ys {
		l.Points = append(l.Points, Point{float64(i), y})
	}
	return l
}

var inSeconds = Axis{Name: "seconds", Unit: Elapsed}

func TestChartOfNothing(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string]Chart{
		"no lines":                     {},
		"a line without points":        {Lines: []Line{{Name: "a"}}},
		"not a number":                 {Lines: []Line{along("a", nan, nan)}},
		"infinite":                     {Lines: []Line{along("a", inf, -inf)}},
		"too large":                    {Lines: []Line{along("a", 1e16, -1e300)}},
		"nowhere":                      {Lines: []Line{{Points: []Point{{nan, 1}, {inf, 1}}}}},
		"no logarithm":                 {Y: Axis{Log: true}, Lines: []Line{along("a", 0, -1)}},
		"no percentile":                {X: Axis{Unit: Percentile}, Lines: []Line{{Points: []Point{{-0.1, 1}, {1.1, 1}}}}},
		"nothing to compare with":      {Lines: []Line{{Aside: true, Points: []Point{{1, 1}, {2, 1}}}}},
		"bands without anything in it": {Bands: []Band{{"idle", 0, 5}}},
	} {
		if svg := c.SVG(); svg != "" || !c.Empty() {
			t.Errorf("%s: %s", name, svg)
		}
	}
}

// extremes returns charts that are hard to draw.
func extremes() map[string]Chart {
	nan, inf := math.NaN(), math.Inf(1)
	charts := map[string]Chart{
		"one point":      {X: inSeconds, Lines: []Line{along("", 7)}},
		"all the same":   {X: inSeconds, Lines: []Line{along("", 7, 7, 7)}},
		"all zero":       {X: inSeconds, Y: Axis{Unit: Bytes}, Lines: []Line{along("", 0, 0, 0)}},
		"negative":       {X: inSeconds, Y: Axis{Unit: Bytes}, Lines: []Line{along("", -5000, -70, 12)}},
		"huge":           {X: Axis{}, Lines: []Line{{Points: []Point{{-1e15, 1e15}, {0, -1e15}, {1e15, 0}}}}},
		"tiny":           {X: inSeconds, Y: Axis{Unit: Millis, Log: true}, Lines: []Line{along("", 1e-9, 2e-9, 1e-8)}},
		"wide":           {X: inSeconds, Y: Axis{Unit: Millis, Log: true}, Lines: []Line{along("", 1e-9, 1e15)}},
		"holes":          {X: inSeconds, Lines: []Line{along("a", nan, 1, nan, inf, 2, 3, nan), along("b", nan, nan, nan)}},
		"at one moment":  {X: inSeconds, Lines: []Line{{Points: []Point{{5, 1}, {5, 2}, {5, 3}}}}},
		"time goes back": {X: inSeconds, Lines: []Line{{Points: []Point{{5, 1}, {6, 2}, {3, 3}, {4, 3}}}}},
		"long ago":       {X: inSeconds, Lines: []Line{{Points: []Point{{-1e9, 1}, {1e9, 2}}}}},
		"percentiles":    {X: Axis{Unit: Percentile}, Y: Axis{Unit: Millis, Log: true}, Lines: []Line{{Points: []Point{{0, 0.1}, {0.5, 0.2}, {0.999999999, 3}, {1, 700}}}}},
		"only the most":  {X: Axis{Unit: Percentile}, Y: Axis{Unit: Millis, Log: true}, Lines: []Line{{Points: []Point{{1, 700}}}}},
		"steps":          {X: Axis{Log: true}, Lines: []Line{{Marked: true, Points: []Point{{100, 1}, {1000, nan}, {1e6, 5}}}}},
		"one step":       {X: Axis{Log: true}, Lines: []Line{{Marked: true, Points: []Point{{100, 1}}}}},
		"bands": {
			X: inSeconds, Y: Axis{Unit: Bytes}, Lines: []Line{along("<script>", 1, 2, 3), along("b & \"c\"", 3, 2, 1)}, Title: "</title><script>alert(1)</script>\x00\xff",
			Bands: []Band{{"<b>", 0, 0.01}, {"connect", 0.01, 0.02}, {"", 0.02, 0.5}, {"messages", 0.5, 2}, {"drain", 2, 2}, {"never", nan, inf}, {"back", 2, 1}},
		},
	}
	for _, high := range []float64{0.004, 0.9, 3, 59, 200, 3600, 86_400, 40 * 86_400} {
		charts[fmt.Sprintf("%v seconds", high)] = Chart{X: inSeconds, Y: Axis{Unit: Bytes}, Lines: []Line{{Points: []Point{{0, 5 << 30}, {high, 6 << 30}}}}}
	}
	for e := -8; e <= 15; e++ {
		for _, unit := range []Unit{Number, Bytes, Millis} {
			y := 3.3 * math.Pow(10, float64(e))
			charts[fmt.Sprintf("unit %d, 10^%d", unit, e)] = Chart{X: Axis{}, Y: Axis{Unit: unit}, Lines: []Line{{Points: []Point{{0, 0}, {y, min(y, mostFigure)}}}}}
		}
	}
	return charts
}

// chartNumber is one in an attribute of an SVG or a path.
var chartNumber = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?`)

func TestChartsAreFitToBeSeen(t *testing.T) {
	for name, c := range extremes() {
		t.Run(name, func(t *testing.T) {
			svg := c.SVG()
			if svg == "" {
				t.Fatal("nothing is drawn")
			}
			if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Contains(svg, "<script") {
				t.Errorf("%s", svg)
			}
			texts := checkElements(t, svg)
			for i, a := range texts {
				for _, b := range texts[i+1:] {
					if a.y == b.y && a.right > b.left && b.right > a.left {
						t.Errorf("%q and %q are written over each other", a.text, b.text)
					}
				}
			}
			if c.SVG() != svg {
				t.Error("it differs from one time to the next")
			}
		})
	}
}

// written is a text of a chart, and the place that it takes.
type written struct {
	text           string
	left, right, y float64
}

// checkElements reads svg as XML, checks that all lies on the sheet, and returns the
// texts.
func checkElements(t *testing.T, svg string) (texts []written) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	attributes := map[string]string{}
	within := func(name string, most float64) float64 {
		v, err := strconv.ParseFloat(attributes[name], 64)
		if err != nil || v < 0 || v > most {
			t.Errorf("%s=%q is not on the sheet", name, attributes[name])
		}
		return v
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		switch e := token.(type) {
		case xml.StartElement:
			attributes = map[string]string{"": e.Name.Local}
			for _, a := range e.Attr {
				attributes[a.Name.Local] = a.Value
			}
			switch e.Name.Local {
			case "circle":
				within("cx", chartWidth)
				within("cy", chartHeight)
			case "path":
				for _, n := range chartNumber.FindAllString(attributes["d"], -1) {
					if v, _ := strconv.ParseFloat(n, 64); v < 0 || v > chartWidth {
						t.Errorf("%s lies outside the sheet", attributes["d"])
						break
					}
				}
			}
		case xml.CharData:
			if attributes[""] != "text" {
				break
			}
			w := written{text: string(e), y: within("y", chartHeight)}
			share := map[string]float64{"start": left, "middle": center, "end": right}[attributes["text-anchor"]]
			w.left = within("x", chartWidth) - share*textWidth(w.text, chartText)
			w.right = w.left + textWidth(w.text, chartText)
			if w.left < -1 || w.right > chartWidth+1 {
				t.Errorf("%q reaches from %.0f to %.0f", w.text, w.left, w.right)
			}
			texts = append(texts, w)
		}
	}
}

// ticks returns the labels of a chart's axes, in the order in which they are drawn.
func ticks(c Chart) (labels []string) {
	for _, m := range regexp.MustCompile(`class="tick"[^>]*>([^<]*)<`).FindAllStringSubmatch(c.SVG(), -1) {
		labels = append(labels, m[1])
	}
	return labels
}

func TestChartTicks(t *testing.T) {
	line := func(high float64) []Line { return []Line{along("", high*0.99, high)} }
	for _, test := range []struct {
		axis Axis
		high float64
		want string
	}{
		{Axis{}, 100, "0 20 40 60 80 100"},
		{Axis{}, 1000, "0 200 400 600 800 1,000"},
		{Axis{}, 1e6, "0 200k 400k 600k 800k 1M"},
		{Axis{}, 3, "0 1 2 3"},
		{Axis{Least: 0.1}, 0.02, "0 0.02 0.04 0.06 0.08 0.10"},
		{Axis{Unit: Bytes}, 900, "0 200 B 400 B 600 B 800 B 1,000 B"},
		{Axis{Unit: Bytes}, 20 << 20, "0 5 MiB 10 MiB 15 MiB 20 MiB"},
		{Axis{Unit: Millis}, 0.2, "0 50 µs 100 µs 150 µs 200 µs"},
		{Axis{Unit: Millis}, 2000, "0 0.5 s 1.0 s 1.5 s 2.0 s"},
		{Axis{Unit: Millis, Log: true}, 30, "10 ms 20 ms 50 ms 100 ms"},
	} {
		labels := ticks(Chart{X: inSeconds, Y: test.axis, Lines: line(test.high)})
		if got := strings.Join(labels, " "); !strings.HasPrefix(got, test.want+" 0 ") {
			t.Errorf("%+v up to %v: %s; want %s", test.axis, test.high, got, test.want)
		}
	}
	for high, want := range map[float64]string{
		0.9: "0.8 s", 59: "50 s", 240: "240 s", 1000: "15 min", 3 * 3600: "180 min", 20 * 3600: "18 h", 30 * 86400: "30 d",
	} {
		labels := ticks(Chart{X: inSeconds, Lines: []Line{{Points: []Point{{0, 1}, {high, 1}}}}})
		if got := labels[len(labels)-1]; got != want {
			t.Errorf("the last mark of %v seconds is %s, want %s", high, got, want)
		}
	}
	share := Chart{X: Axis{Unit: Percentile}, Lines: []Line{{Points: []Point{{0, 1}, {0.9995, 2}, {1, 3}}}}}
	if got := strings.Join(ticks(share)[4:], " "); got != "50 % 90 % 99 % 99.9 % max" {
		t.Errorf("percentiles are marked %s", got)
	}
}

// pieces returns how many unbroken lines and how many dots a line is drawn as.
func pieces(l Line) (lines, dots int) {
	svg := Chart{X: inSeconds, Lines: []Line{l}}.SVG()
	_, line, _ := strings.Cut(svg, `<g class="line`)
	return strings.Count(line, "M"), strings.Count(line, "<circle")
}

func TestChartGaps(t *testing.T) {
	nan := math.NaN()
	at := func(xs ...float64) (l Line) {
		for _, x := range xs {
			l.Points = append(l.Points, Point{x, 1})
		}
		return l
	}
	for name, test := range map[string]struct {
		line        Line
		lines, dots int
	}{
		"unbroken":                      {at(0, 1, 2, 3, 4), 1, 0},
		"nothing for long":              {at(0, 1, 2, 12, 13, 14), 2, 0},
		"thinned in its older part":     {at(0, 8, 16, 24, 25, 26, 27, 28, 29, 30, 31, 32), 1, 0},
		"a short one between":           {at(0, 1, 2, 2.1, 3.1, 4.1), 1, 0},
		"not measured":                  {along("", 1, 1, nan, 1, 1), 2, 0},
		"alone between what is unknown": {along("", 1, 1, nan, 1, nan, 1, 1), 2, 1},
		"two":                           {at(0, 100), 1, 0},
	} {
		if lines, dots := pieces(test.line); lines != test.lines || dots != test.dots {
			t.Errorf("%s: %d lines and %d dots, want %d and %d", name, lines, dots, test.lines, test.dots)
		}
	}
}

// TestChartOfMany: it stays small, and no peak is lost.
func TestChartOfMany(t *testing.T) {
	l := Line{Name: "a"}
	for i := range 100_000 {
		l.Points = append(l.Points, Point{float64(i), float64(i % 7)})
	}
	l.Points[31_415].Y = 1000
	svg := Chart{X: inSeconds, Lines: []Line{l}}.SVG()
	if len(svg) > 40_000 {
		t.Errorf("it has %d bytes", len(svg))
	}
	s := &sheet{Chart: Chart{X: inSeconds, Lines: []Line{l}}}
	s.layOut()
	if top := fmt.Sprintf(" %.1fL", s.height(1000)); !strings.Contains(svg, top) {
		t.Errorf("the peak at%s is lost", top)
	}
}

func TestChartTellsLinesApartWithoutColour(t *testing.T) {
	svg := Chart{X: inSeconds, Lines: []Line{along("a", 1, 2), along("b", 2, 1), {Name: "asked", Aside: true, Points: []Point{{0, 1}, {1, 1}}}}}.SVG()
	dashes := regexp.MustCompile(`stroke-dasharray="([^"]*)"`).FindAllStringSubmatch(svg, -1)
	var kinds []string
	for _, d := range dashes {
		kinds = append(kinds, d[1])
	}
	slices.Sort(kinds)
	if kinds = slices.Compact(kinds); len(kinds) != 2 || strings.Count(svg, `class="key"`) != 3 || !strings.Contains(svg, `class="line aside"`) {
		t.Errorf("dashes %q in %s", kinds, svg)
	}
	for _, want := range []string{`role="img"`, "<desc>a: from 1 to 2. b: from 1 to 2. asked: 1.</desc>", "system-ui"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not in %s", want, svg)
		}
	}
}

func TestChartCSV(t *testing.T) {
	c := Chart{
		X: inSeconds, Y: Axis{Name: "bytes"},
		Lines: []Line{{Points: []Point{{0, 1e15}, {1.5, math.NaN()}, {3, 0.25}}}, {Name: `a "b", c`, Points: []Point{{1, -7}, {math.NaN(), 5}}}},
	}
	const want = "seconds,bytes,\"a \"\"b\"\", c\"\n0,1000000000000000,\n1,,-7\n1.5,,\n3,0.25,\n"
	if got := c.CSV(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
