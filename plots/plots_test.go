package plots

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag" //nolint:depguard // -update is go test's
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"

	"example.org/comet/memlog/series"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func load(t *testing.T, name string) Log {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	samples, malformed, err := series.ReadAll(f, name)
	if err != nil || len(malformed) > 0 {
		t.Fatal(err, malformed)
	}
	return Log{Name: name, Samples: samples}
}

func draw(t *testing.T, format string, cfg Config) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Draw(&b, format, cfg); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The article's two printed logs, as they stand in its text.
func TestArticlesLogs(t *testing.T) {
	const title = "Mem usage with 10k active connections, 1000 msg/sec"
	for name, lines := range map[string]int{"article-connect.log": 8, "article-10min.log": 15} {
		t.Run(name, func(t *testing.T) {
			log := load(t, name)
			if len(log.Samples) != lines {
				t.Fatalf("%d samples, the article prints %d", len(log.Samples), lines)
			}
			cfg := Config{Title: title, Logs: []Log{log}}
			img, err := png.Decode(bytes.NewReader(draw(t, PNG, cfg)))
			if err != nil {
				t.Fatal(err)
			}
			if got := img.Bounds().Size(); got != image.Pt(500, 300) {
				t.Errorf("the picture is %v, the article's was 500 by 300", got)
			}
			checkLine(t, img, cfg)
			svg := string(draw(t, SVG, cfg))
			for _, text := range []string{title, "Minutes Elapsed", "Mem (KB)", "20,000"} {
				if !strings.Contains(svg, ">"+text+"<") {
					t.Errorf("the picture lacks the text %q", text)
				}
			}
			if pdf := draw(t, PDF, cfg); !bytes.HasPrefix(pdf, []byte("%PDF-")) {
				t.Errorf("the PDF begins with %q", pdf[:8])
			}
		})
	}
}

// checkLine looks for the colour of the line where each sample must be.
func checkLine(t *testing.T, img image.Image, cfg Config) {
	t.Helper()
	p, err := newPicture(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &canvas{vg: discard{}, format: SVG, height: p.height}
	areas, x, ys, err := p.layout(c)
	if err != nil {
		t.Fatal(err)
	}
	for i, panel := range p.panels {
		for _, s := range cfg.Logs[0].Samples {
			if panel.value(&s) < 0 {
				continue
			}
			px := areas[i].left + x.position((seconds(s.Time)-p.origins[0])/60)*areas[i].width()
			py := areas[i].bottom - ys[i].position(float64(panel.value(&s)))*areas[i].height()
			if !blueNear(img, int(px), int(py)) {
				t.Errorf("no line at %.0f,%.0f, where %s of %+v belongs", px, py, panel.label, s)
			}
		}
	}
}

func blueNear(img image.Image, x, y int) bool {
	for dx := -2; dx <= 2; dx++ {
		for dy := -2; dy <= 2; dy++ {
			r, _, b, _ := img.At(x+dx, y+dy).RGBA()
			if r < 0x4000 && b > 0x9000 {
				return true
			}
		}
	}
	return false
}

// gallery is pictures of all kinds, for tests that hold for each of them.
func gallery(t *testing.T) map[string]Config {
	t.Helper()
	ten, connect := load(t, "article-10min.log"), load(t, "article-connect.log")
	restarts := Log{Name: "restarts.log"}
	for i := range 200 {
		if i >= 90 && i < 100 {
			continue // a gap
		}
		restarts.Add(series.Sample{
			Time: time.Unix(epoch+int64(i)*60, 0), RSSKB: 40_000 + int64(i%50)*1000, Connections: int64(min(i*100, 10_000)),
			Fields: []series.Field{{Key: "pid", Value: fmt.Sprint(1 + i/50 + i/198)}},
		})
	}
	many := []Log{}
	for i := range 12 {
		l := Log{Name: fmt.Sprintf("run-%d.log", i+1)}
		for _, s := range ten.Samples {
			s.RSSKB += int64(i) * 9000
			l.Add(s)
		}
		many = append(many, l)
	}
	huge := Log{Name: "huge.log", Samples: sampled([2]int64{0, 24_000_000_000}, [2]int64{365 * 86400, 48_000_000_123})}
	onlyConnections := Log{Name: "flood.log"}
	for _, s := range ten.Samples {
		s.RSSKB = series.Unknown
		onlyConnections.Add(s)
	}
	long := strings.Repeat("a title that is too long ", 20)
	return map[string]Config{
		"article":          {Title: "Mem usage with 10k active connections, 1000 msg/sec", Logs: []Log{ten}},
		"two-panels":       {Title: "Mem usage", Width: 700, Height: 450, Logs: []Log{ten}},
		"overlay":          {Title: "Überlagert – 50 % < 100 & \"more\"", Width: 700, Height: 500, Logs: []Log{ten, connect, restarts}},
		"restarts":         {Title: "Restarts", Width: 600, Height: 450, Logs: []Log{restarts}},
		"clock":            {Align: AlignClock, Logs: []Log{ten, restarts}},
		"many":             {Title: long, Logs: many},
		"huge":             {Title: "Huge", Logs: []Log{huge}},
		"one-sample":       {Title: "One sample", Logs: []Log{{Name: "one", Samples: ten.Samples[:1]}}},
		"constant":         {Title: "Constant", Logs: []Log{{Samples: sampled([2]int64{0, 90964}, [2]int64{60, 90964}, [2]int64{120, 90964})}}},
		"zero":             {Title: "Zero", Logs: []Log{{Samples: sampled([2]int64{0, 0}, [2]int64{60, 0})}}},
		"only-connections": {Title: "Connections", Logs: []Log{onlyConnections}},
		"smallest":         {Title: "Small", Width: minWidth, Height: minHeight, Logs: []Log{ten}},
		"large":            {Title: "Large", Width: 800, Height: 600, Logs: []Log{restarts}},
		"long-names":       {Logs: []Log{{long, ten.Samples}, {"line\nbreak\x1b[31m\xff", connect.Samples}}},
	}
}

func TestGolden(t *testing.T) {
	pictures := gallery(t)
	for _, name := range []string{"article", "restarts", "overlay"} {
		t.Run(name, func(t *testing.T) {
			got := draw(t, SVG, pictures[name])
			golden := filepath.Join("testdata", name+".svg")
			if *update {
				if err := os.WriteFile(golden, got, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !sameSVG(string(got), strings.ReplaceAll(string(want), "\r\n", "\n")) {
				t.Errorf("the picture differs from %s: look at it, and if it is as it should be, run go test -update", golden)
			}
		})
	}
}

var number = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?`)

// sameSVG allows numbers to differ in the last digit written: processors that
// fuse multiplication and addition round otherwise.
func sameSVG(a, b string) bool {
	if number.ReplaceAllString(a, "0") != number.ReplaceAllString(b, "0") {
		return false
	}
	as, bs := number.FindAllString(a, -1), number.FindAllString(b, -1)
	for i := range as {
		x, _ := strconv.ParseFloat(as[i], 64)
		y, _ := strconv.ParseFloat(bs[i], 64)
		if math.Abs(x-y) > 0.015 {
			return false
		}
	}
	return true
}

func TestSameBytesEachRun(t *testing.T) {
	cfg := gallery(t)["overlay"]
	for _, format := range []string{PNG, SVG, PDF} {
		first := draw(t, format, cfg)
		var wg sync.WaitGroup
		for range 4 { // at once, which is allowed too
			wg.Go(func() {
				if !bytes.Equal(first, draw(t, format, cfg)) {
					t.Errorf("two %s pictures of the same logs differ", format)
				}
			})
		}
		wg.Wait()
	}
}

func TestEachPictureIsWellFormed(t *testing.T) {
	for name, cfg := range gallery(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img, err := png.Decode(bytes.NewReader(draw(t, PNG, cfg)))
			if err != nil {
				t.Fatal(err)
			}
			if got := img.Bounds().Size(); got != image.Pt(cfg.width(), cfg.height()) {
				t.Errorf("the picture is %v, asked were %d by %d", got, cfg.width(), cfg.height())
			}
			for d := xml.NewDecoder(bytes.NewReader(draw(t, SVG, cfg))); ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if pdf := draw(t, PDF, cfg); !bytes.HasPrefix(pdf, []byte("%PDF-")) || !bytes.HasSuffix(bytes.TrimSpace(pdf), []byte("%%EOF")) {
				t.Error("the PDF is not whole")
			}
		})
	}
}

// spy notes where text is written, as boxes in pixels.
type spy struct {
	vg.CanvasWriterTo
	height  float64
	rotated bool
	texts   []textBox
}

type textBox struct {
	box
	text string
}

func (s *spy) Push()          { s.rotated = true; s.CanvasWriterTo.Push() }
func (s *spy) Pop()           { s.rotated = false; s.CanvasWriterTo.Pop() }
func (s *spy) Rotate(float64) {}

func (s *spy) FillString(f font.Face, at vg.Point, text string) {
	width, size := float64(f.Width(text)/px), float64(f.Font.Size/px)
	x, y := float64(at.X/px), s.height-float64(at.Y/px)
	b := box{x, y - 0.75*size, x + width, y + 0.22*size}
	if s.rotated {
		// Rotated by a quarter turn: (x, y) was written as (y, -x).
		x, y := -float64(at.Y/px), s.height-float64(at.X/px)
		b = box{x - 0.75*size, y - width, x + 0.22*size, y}
	}
	s.texts = append(s.texts, textBox{b, text})
}

// No label is cut off at an edge, and none lies on another.
func TestTextHasItsPlace(t *testing.T) {
	pictures := gallery(t)
	for _, size := range []image.Point{{200, 150}, {300, 449}, {300, 450}, {640, 480}, {1920, 1080}} {
		for _, name := range []string{"article", "huge", "restarts", "clock", "constant"} {
			cfg := pictures[name]
			cfg.Width, cfg.Height = size.X, size.Y
			pictures[fmt.Sprint(name, size)] = cfg
		}
	}
	for name, cfg := range pictures {
		t.Run(name, func(t *testing.T) {
			p, err := newPicture(cfg)
			if err != nil {
				t.Fatal(err)
			}
			c, err := newCanvas(SVG, cfg.width(), cfg.height())
			if err != nil {
				t.Fatal(err)
			}
			s := &spy{CanvasWriterTo: c.vg, height: p.height}
			c.vg = s
			if err := p.paint(c); err != nil {
				t.Fatal(err)
			}
			for i, a := range s.texts {
				if a.left < 0 || a.top < 0 || a.right > p.width || a.bottom > p.height {
					t.Errorf("%q at %+v leaves the picture of %.0f by %.0f", a.text, a.box, p.width, p.height)
				}
				for _, b := range s.texts[:i] {
					if a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom {
						t.Errorf("%q at %+v lies on %q at %+v", a.text, a.box, b.text, b.box)
					}
				}
			}
		})
	}
}

// The legend and the words over restarts stay out of the plot areas.
func TestNothingIsWrittenOnTheData(t *testing.T) {
	for name, cfg := range gallery(t) {
		p, err := newPicture(cfg)
		if err != nil {
			t.Fatal(err)
		}
		c, err := newCanvas(SVG, cfg.width(), cfg.height())
		if err != nil {
			t.Fatal(err)
		}
		s := &spy{CanvasWriterTo: c.vg, height: p.height}
		c.vg = s
		areas, x, ys, err := p.layout(c)
		if err != nil {
			t.Fatal(err)
		}
		p.paintAreas(c, areas, x, ys)
		for _, a := range areas {
			for _, text := range s.texts {
				if text.left < a.right && a.left < text.right && text.top < a.bottom && a.top < text.bottom {
					t.Errorf("%s: %q at %+v covers the plot area %+v", name, text.text, text.box, a)
				}
			}
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	good := sampled([2]int64{0, 1}, [2]int64{60, 2})
	unknown := sampled([2]int64{0, -1}, [2]int64{60, -1})
	connections := sampled([2]int64{0, -1})
	connections[0].Connections = 5
	many := make([]Log, 200)
	for i := range many {
		many[i] = Log{Name: "a log with a name", Samples: good}
	}
	tests := []struct {
		name   string
		format string
		cfg    Config
		noData bool
		want   string
	}{
		{"no log", PNG, Config{}, true, "no log was given"},
		{"no samples", PNG, Config{Logs: []Log{{Name: "mem.log"}}}, true, "mem.log has no samples"},
		{"all unknown", PNG, Config{Logs: []Log{{Name: "mem.log", Samples: unknown}}}, true, "mem.log has 2 samples, but memory and connections are unknown"},
		{"one of two unknown", PNG, Config{Logs: []Log{{Samples: good}, {Samples: unknown}}}, true, "log 2 has 2 samples, but"},
		{"no room for what one knows", PNG, Config{Logs: []Log{{Samples: good}, {Name: "flood.log", Samples: connections}}}, true, "flood.log knows no memory, only connections, for which a picture beside other logs must be 450 pixels high"},
		{"format", "gif", Config{Logs: []Log{{Samples: good}}}, false, "only png, svg and pdf"},
		{"size", PNG, Config{Width: 10, Height: 100_000, Logs: []Log{{Samples: good}}}, false, "width of 10 pixels is outside 200 to 4000\nplots: a height of 100000 pixels is outside 150 to 4000"},
		{"alignment", PNG, Config{Align: 7, Logs: []Log{{Samples: good}}}, false, "no alignment 7"},
		{"more logs than fit", PNG, Config{Logs: many}, false, "500 by 300 pixels leave no room"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			err := Draw(&b, tt.format, tt.cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrNoData) != tt.noData {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if b.Len() > 0 {
				t.Errorf("%d bytes were written next to the error", b.Len())
			}
		})
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestDrawReportsTheWriter(t *testing.T) {
	full := errors.New("the disk is full")
	for _, format := range []string{PNG, SVG, PDF} {
		if err := Draw(brokenWriter{full}, format, gallery(t)["article"]); !errors.Is(err, full) {
			t.Errorf("%s: error is %v", format, err)
		}
	}
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]string{"a.png": PNG, "b/A.SVG": SVG, "c.x.pdf": PDF} {
		if got, err := FormatOf(name); got != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "mem", "mem.gif", "png", ".png/mem"} {
		_, err := FormatOf(name)
		if err == nil || !strings.Contains(err.Error(), ".png") || !strings.Contains(err.Error(), ".svg") || !strings.Contains(err.Error(), ".pdf") {
			t.Errorf("%q: the error %v must name the three endings", name, err)
		}
	}
}

func TestDefaultTitle(t *testing.T) {
	ten := load(t, "article-10min.log")
	unknown := Log{Name: "x.log", Samples: sampled([2]int64{0, 1})}
	single := Log{Name: "x.log", Samples: []series.Sample{{Connections: 1}}}
	for _, tt := range []struct {
		logs []Log
		want string
	}{
		{[]Log{ten}, "Mem usage with up to 10,001 connections"},
		{[]Log{unknown, ten}, "Mem usage with up to 10,001 connections"},
		{[]Log{single}, "Mem usage with up to 1 connection"},
		{[]Log{unknown}, "Mem usage: x.log"},
		{[]Log{unknown, unknown}, "Mem usage"},
		{nil, "Mem usage"},
	} {
		if got := DefaultTitle(tt.logs); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// Log.Add keeps what a picture needs: the restarts, and nothing per sample.
func TestLogAdd(t *testing.T) {
	var log Log
	for i := range 100 {
		log.Add(series.Sample{Time: time.Unix(epoch+int64(i), 0), RSSKB: 1, Fields: []series.Field{
			{Key: "procs", Value: "1"}, {Key: "pid", Value: fmt.Sprint(7 + i/50)}, {Key: "cpu_s", Value: fmt.Sprint(i)},
		}})
	}
	if got := surveyLog(log.Samples).restarts; len(got) != 1 || got[0] != 50 {
		t.Errorf("restarts at %v, want 50", got)
	}
	for i, s := range log.Samples {
		if len(s.Fields) != 1 || s.Fields[0].Key != "pid" || i%50 > 0 && &s.Fields[0] != &log.Samples[i-1].Fields[0] {
			t.Fatalf("sample %d keeps %v", i, s.Fields)
		}
	}
	log.Add(series.Sample{Fields: []series.Field{{Key: "pid", Value: "-"}}})
	if got := log.Samples[100].Fields; got != nil {
		t.Errorf("an unknown process is kept as %v", got)
	}
}

// The line of a PNG is drawn in pieces; they must make one line.
func TestLongLinesAreWhole(t *testing.T) {
	c, err := newCanvas(PNG, 400, 200)
	if err != nil {
		t.Fatal(err)
	}
	var points []point
	for i := range 40 * maxStroke {
		points = append(points, point{10 + float64(i)*380/(40*maxStroke), 100.5})
	}
	c.line(pen{color: color.Black, width: 3}, points...)
	var b bytes.Buffer
	if err := c.writeTo(&b); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	for x := 12; x < 388; x++ {
		if r, _, _, _ := img.At(x, 100).RGBA(); r > 0x1000 {
			t.Fatalf("the line has a hole at %d", x)
		}
	}
}

// discard is a canvas that nothing is drawn on.
type discard struct{ vg.CanvasWriterTo }

func (discard) SetColor(color.Color)                   {}
func (discard) SetLineWidth(vg.Length)                 {}
func (discard) SetLineDash([]vg.Length, vg.Length)     {}
func (discard) Stroke(vg.Path)                         {}
func (discard) Fill(vg.Path)                           {}
func (discard) FillString(font.Face, vg.Point, string) {}
