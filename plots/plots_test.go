package plots

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// logOf is a log of samples.
func logOf(name string, samples []series.Sample) *Log {
	l := &Log{Name: name}
	for _, s := range samples {
		l.Add(s)
	}
	return l
}

func loadSamples(t *testing.T, name string) []series.Sample {
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
	return samples
}

func load(t *testing.T, name string) *Log {
	t.Helper()
	return logOf(name, loadSamples(t, name))
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
			if log.Len() != lines {
				t.Fatalf("%d samples, the article prints %d", log.Len(), lines)
			}
			cfg := Config{Title: title, Logs: []*Log{log}}
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
		log := cfg.Logs[0]
		for row := range log.rows {
			v := log.figures[panel.strands[0].figure].at(row)
			px := areas[i].left + x.position((log.time(row)-p.origins[0])/60)*areas[i].width()
			py := areas[i].bottom - ys[i].position(v)*areas[i].height()
			if !blueNear(img, int(px), int(py)) {
				t.Errorf("no line at %.0f,%.0f, where %s of row %d belongs", px, py, panel.label, row)
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
	tenSamples := loadSamples(t, "article-10min.log")
	ten, connect := logOf("article-10min.log", tenSamples), load(t, "article-connect.log")
	restarts := &Log{Name: "restarts.log"}
	for i := range 200 {
		if i >= 90 && i < 100 {
			continue // a gap
		}
		restarts.Add(series.Sample{
			Time: time.Unix(epoch+int64(i)*60, 0), RSSKB: 40_000 + int64(i%50)*1000, Connections: int64(min(i*100, 10_000)),
			Fields: []series.Field{{Key: "pid", Value: fmt.Sprint(1 + i/50 + i/198)}},
		})
	}
	many := []*Log{}
	for i := range 12 {
		l := &Log{Name: fmt.Sprintf("run-%d.log", i+1)}
		for _, s := range tenSamples {
			s.RSSKB += int64(i) * 9000
			l.Add(s)
		}
		many = append(many, l)
	}
	huge := logOf("huge.log", sampled([2]int64{0, 24_000_000_000}, [2]int64{365 * 86400, 48_000_000_123}))
	flood, gen, events := floodLog(), msggenLog(), eventLog()
	onlyConnections := &Log{Name: "flood.log"}
	for _, s := range tenSamples {
		s.RSSKB = series.Unknown
		onlyConnections.Add(s)
	}
	day := &Log{Name: "day.log"}
	for i := range int64(1600) {
		s := line(i*60, "pid=1")
		s.RSSKB = 2_000_000 + i*1000
		day.Add(s)
	}
	long := strings.Repeat("a title that is too long ", 20)
	return map[string]Config{
		"article":          {Title: "Mem usage with 10k active connections, 1000 msg/sec", Logs: []*Log{ten}},
		"two-panels":       {Title: "Mem usage", Width: 700, Height: 450, Logs: []*Log{ten}},
		"overlay":          {Title: "Überlagert – 50 % < 100 & \"more\"", Width: 700, Height: 500, Logs: []*Log{ten, connect, restarts}},
		"restarts":         {Title: "Restarts", Width: 600, Height: 450, Logs: []*Log{restarts}},
		"clock":            {Align: AlignClock, Logs: []*Log{ten, restarts}},
		"many":             {Title: long, Logs: many},
		"huge":             {Title: "Huge", Logs: []*Log{huge}},
		"one-sample":       {Title: "One sample", Logs: []*Log{logOf("one", tenSamples[:1])}},
		"constant":         {Title: "Constant", Logs: []*Log{logOf("", sampled([2]int64{0, 90964}, [2]int64{60, 90964}, [2]int64{120, 90964}))}},
		"zero":             {Title: "Zero", Logs: []*Log{logOf("", sampled([2]int64{0, 0}, [2]int64{60, 0}))}},
		"only-connections": {Title: "Connections", Logs: []*Log{onlyConnections}},
		"smallest":         {Title: "Small", Width: minWidth, Height: minHeight, Logs: []*Log{ten}},
		"large":            {Title: "Large", Width: 800, Height: 600, Logs: []*Log{restarts}},
		"flood":            {Title: "Flood", Logs: []*Log{flood}},
		"msggen":           {Title: "Msggen", Logs: []*Log{gen}},
		"run":              {Title: "A run", Logs: []*Log{runMemory(), flood, gen}},
		"events":           {Title: "Events", Logs: []*Log{events}},
		"many-events":      {Title: "Events", Width: 600, Height: 450, Logs: []*Log{manyEvents(), events}},
		"day":              {Title: "A day", Align: AlignClock, Logs: []*Log{day}},
		"hours":            {Title: "Hours", Logs: []*Log{day, events}},
		"long-names":       {Logs: []*Log{logOf(long, tenSamples), logOf("line\nbreak\x1b[31m\xff", loadSamples(t, "article-connect.log"))}},
	}
}

// floodLog is of 200 seconds in which the server stumbles and some leave.
func floodLog() *Log {
	log := &Log{Name: "flood.log"}
	chunks := 0
	for i := range 200 {
		p99 := "1.5"
		if i >= 100 && i < 110 {
			p99 = fmt.Sprint(80 + i%7)
		} else {
			chunks += 1000 + i%5
		}
		log.Add(line(int64(i), fmt.Sprint("connected=", min(i*100, 10_000)), fmt.Sprint("closed=", max(0, i-150)*4),
			fmt.Sprint("chunks=", chunks), fmt.Sprintf("p50_ms=%.3f", 0.4+float64(i%3)/100), "p99_ms="+p99))
	}
	return log
}

// runMemory is of the server at which floodLog was, with a collection forced.
func runMemory() *Log {
	log := &Log{Name: "mem.log"}
	for i := range 200 {
		s := line(int64(i))
		s.RSSKB, s.Connections = int64(6000+min(i, 100)*12+i), int64(min(i*100, 10_000))
		if i >= 160 {
			s.RSSKB -= 900
		}
		if i == 160 {
			s.Fields = []series.Field{{Key: "event", Value: "gc"}}
		}
		log.Add(s)
	}
	return log
}

// msggenLog is of the same time as floodLog.
func msggenLog() *Log {
	log := &Log{Name: "msggen.log"}
	for i := range 200 {
		held := min(max(0, i-100), 10) * 1000 // what was not sent in the ten seconds
		log.Add(line(int64(i), fmt.Sprint("asked=", i*1000), fmt.Sprint("sent=", i*1000-held), fmt.Sprint("refused=", held),
			"late_p50_ms=0.06", fmt.Sprintf("late_p99_ms=%.2f", 0.3+float64(i%4)/10)))
	}
	return log
}

func eventLog() *Log {
	names := map[int]string{10: "msggen on", 40: "deploy v2", 42: "roll back", 120: "gc", 150: "restarted by hand", 195: "msggen off"}
	log := &Log{Name: "events.log"}
	for i := range 200 {
		s := line(int64(i)*10, fmt.Sprint("pid=", i/170))
		s.RSSKB, s.Connections = int64(90_000+i*i), int64(min(i*100, 5000))
		if names[i] != "" {
			s.Fields = append(s.Fields, series.Field{Key: "event", Value: names[i]})
		}
		log.Add(s)
	}
	return log
}

func manyEvents() *Log {
	log := &Log{Name: "many.log"}
	for i := range 300 {
		s := line(int64(i)*7, fmt.Sprint("event=", []string{"gc", "deploy", "step "}[i%3], i/100))
		s.RSSKB = int64(80_000 + i%10*300)
		log.Add(s)
	}
	return log
}

func TestGolden(t *testing.T) {
	pictures := gallery(t)
	for _, name := range []string{"article", "restarts", "overlay", "run", "events", "day"} {
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
			if got := img.Bounds().Size(); cfg.Height > 0 && got != image.Pt(cfg.width(), cfg.Height) {
				t.Errorf("the picture is %v, asked were %d by %d", got, cfg.width(), cfg.Height)
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

// spied returns a picture, and a canvas to draw it on whose texts are noted.
func spied(t *testing.T, cfg Config) (*picture, *canvas, *spy) {
	t.Helper()
	p, err := newPicture(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCanvas(SVG, int(p.width), int(p.height), 1)
	if err != nil {
		t.Fatal(err)
	}
	s := &spy{CanvasWriterTo: c.vg, height: p.height}
	c.vg = s
	return p, c, s
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
			p, c, s := spied(t, cfg)
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
		p, c, s := spied(t, cfg)
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
	many := make([]*Log, 200)
	for i := range many {
		many[i] = logOf("a log with a name", good)
	}
	tests := []struct {
		name   string
		format string
		cfg    Config
		noData bool
		want   string
	}{
		{"no log", PNG, Config{}, true, "no log was given"},
		{"no samples", PNG, Config{Logs: []*Log{{Name: "mem.log"}}}, true, "mem.log has no samples"},
		{"all unknown", PNG, Config{Logs: []*Log{logOf("mem.log", unknown)}}, true, "mem.log has 2 samples, but every figure is unknown in all of them"},
		{"one of two unknown", PNG, Config{Logs: []*Log{logOf("", good), logOf("", unknown)}}, true, "log 2 has 2 samples, but"},
		{"no room for what one knows", PNG, Config{Height: 300, Logs: []*Log{logOf("", good), logOf("flood.log", connections)}}, true, "flood.log knows only connections, for which a picture beside the other logs must be higher than 300 pixels"},
		{"format", "gif", Config{Logs: []*Log{logOf("", good)}}, false, "only png, svg and pdf"},
		{"size", PNG, Config{Width: 10, Height: 100_000, Logs: []*Log{logOf("", good)}}, false, "width of 10 pixels is outside 200 to 4000\nplots: a height of 100000 pixels is outside 150 to 4000"},
		{"alignment", PNG, Config{Align: 7, Logs: []*Log{logOf("", good)}}, false, "no alignment 7"},
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
	unknown := logOf("x.log", sampled([2]int64{0, 1}))
	single := logOf("x.log", []series.Sample{{Connections: 1}})
	for _, tt := range []struct {
		logs []*Log
		want string
	}{
		{[]*Log{ten}, "Mem usage with up to 10,001 connections"},
		{[]*Log{unknown, ten}, "Mem usage with up to 10,001 connections"},
		{[]*Log{single}, "Mem usage with up to 1 connection"},
		{[]*Log{unknown}, "Mem usage: x.log"},
		{[]*Log{unknown, unknown}, "Mem usage"},
		{nil, "Mem usage"},
	} {
		if got := DefaultTitle(tt.logs); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// Log.Add keeps of a line what a picture needs, and no text of it.
func TestLogAdd(t *testing.T) {
	var log Log
	for i := range 10_000 { // more than a page
		log.Add(series.Sample{Time: time.Unix(epoch+int64(i), 0), RSSKB: int64(i), Connections: series.Unknown, Fields: []series.Field{
			{Key: "procs", Value: "1"}, {Key: "pid", Value: fmt.Sprint(7 + i/5000)}, {Key: "cpu_s", Value: fmt.Sprint(i)},
		}})
	}
	s := surveyLog(&log)
	if !slices.Equal(s.restarts, []int{5000}) || len(log.processes) != 2 {
		t.Errorf("restarts at %v, want 5000; processes %v", s.restarts, log.processes)
	}
	for _, row := range []int{0, 4095, 4096, 9999} {
		if log.time(row) != epoch+float64(row) || log.figures[memory].at(row) != float64(row) {
			t.Errorf("row %d is %v KB at %v", row, log.figures[memory].at(row), log.time(row))
		}
		if v := log.figures[connections].at(row); !math.IsNaN(v) {
			t.Errorf("row %d has %v connections, which nobody counted", row, v)
		}
	}
	if log.figures[connections].pages != nil {
		t.Error("a figure that no line has takes memory")
	}
}

// line is a sample without memory and connections, of key=value columns.
func line(second int64, fields ...string) series.Sample {
	s := series.Sample{Time: time.Unix(epoch+second, 0).UTC(), RSSKB: series.Unknown, Connections: series.Unknown}
	for _, f := range fields {
		key, value, _ := strings.Cut(f, "=")
		s.Fields = append(s.Fields, series.Field{Key: key, Value: value})
	}
	return s
}

// What flood and msggen count becomes a rate, and what it cannot be known from
// is unknown.
func TestLogRates(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name    string
		figure  figure
		samples []series.Sample
		want    []float64
	}{
		{"chunks", received, []series.Sample{line(0, "chunks=0"), line(1, "chunks=100"), line(3, "chunks=700")}, []float64{nan, 100, 300}},
		{"sent", sent, []series.Sample{line(0, "asked=9", "sent=5"), line(10, "asked=20", "sent=15")}, []float64{nan, 1}},
		{"refused", refused, []series.Sample{line(0, "refused=0"), line(1, "refused=3")}, []float64{nan, 3}},
		{"another run", received, []series.Sample{line(0, "chunks=500"), line(1, "chunks=600"), line(2, "chunks=10"), line(3, "chunks=30")}, []float64{nan, 100, nan, 20}},
		{"the clock was set back", received, []series.Sample{line(9, "chunks=1"), line(5, "chunks=2"), line(6, "chunks=4")}, []float64{nan, nan, 2}},
		{"twice in a second", received, []series.Sample{line(0, "chunks=0"), line(0, "chunks=60"), line(2, "chunks=100")}, []float64{nan, nan, 50}},
		{"nothing known", received, []series.Sample{line(0, "chunks=0"), line(1, "chunks=-"), line(2, "chunks=x"), line(4, "chunks=4")}, []float64{nan, nan, nan, 1}},
		{"no rate", latency99, []series.Sample{line(0, "p99_ms=-"), line(1, "p99_ms=0.125"), line(2, "p99_ms=-1")}, []float64{nan, 0.125, nan}},
		{"late", late50, []series.Sample{line(0, "late_p50_ms=0.5", "late_p99_ms=2")}, []float64{0.5}},
		{"connected where the column is unknown", connections, []series.Sample{line(0, "connected=7")}, []float64{7}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log := logOf("", tt.samples)
			for row, want := range tt.want {
				if got := log.figures[tt.figure].at(row); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Errorf("row %d is %v, want %v", row, got, want)
				}
			}
		})
	}
}

// The marks of a picture, whoever made them.
func TestMarks(t *testing.T) {
	log := logOf("mem.log", []series.Sample{
		{Time: time.Unix(epoch, 0), RSSKB: 1, Fields: []series.Field{{Key: "pid", Value: "1"}}},
		line(60, "event=deploy\tv2"), // put there by another: no sample
		{Time: time.Unix(epoch+120, 0), RSSKB: 2, Fields: []series.Field{{Key: "pid", Value: "1"}, {Key: "event", Value: "gc"}}},
		{Time: time.Unix(epoch+240, 0), RSSKB: 3, Fields: []series.Field{{Key: "pid", Value: "2"}, {Key: "event", Value: "restart"}}},
		{Time: time.Unix(epoch+360, 0), RSSKB: 3, Fields: []series.Field{{Key: "pid", Value: "2"}, {Key: "event", Value: "-"}}},
		line(600, "event=gc by hand"),
	})
	if log.rows != 4 || log.Len() != 6 {
		t.Errorf("%d rows of %d lines, want 4 of 6", log.rows, log.Len())
	}
	p, err := newPicture(Config{Logs: []*Log{log}})
	if err != nil {
		t.Fatal(err)
	}
	want := []mark{
		{1, 0, "deploy v2", markEvent},
		{2, 0, "gc", markCollection},
		{4, 0, "restart", markRestart},
		{10, 0, "gc by hand", markCollection},
	}
	if !slices.Equal(p.marks, want) {
		t.Errorf("got  %v\nwant %v", p.marks, want)
	}
	if p.minutes != 10 {
		t.Errorf("the picture ends at minute %v, before its last event", p.minutes)
	}
}

// Each event is named, or one of each kind, or it is said that not all are.
func TestPlaceMarks(t *testing.T) {
	events := func(n int, name func(i int) string) *Log {
		log := &Log{Name: "mem.log"}
		for i := range n {
			s := line(int64(i)*60, "event="+name(i))
			s.RSSKB = 1000
			log.Add(s)
		}
		return log
	}
	tests := []struct {
		name string
		log  *Log
		rows int
		want string // of the texts, in order
		note string
	}{
		{"few", events(3, func(i int) string { return fmt.Sprint("e", i) }), 1, "e0 e1 e2", ""},
		{"in rows", events(12, func(i int) string { return fmt.Sprint("deploy", i) }), 3, "", ""},
		{"many of two kinds", events(100, func(i int) string { return []string{"gc", "deploy"}[i%2] }), 2, "gc ×50 deploy ×50", ""},
		{"far too many", events(5000, func(i int) string { return fmt.Sprint("event", i) }), 3, "", " of 5000 events are named"},
		{"too many", events(100, func(i int) string { return fmt.Sprint("event", i) }), 3, "", " of 100 events are named"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := newPicture(Config{Logs: []*Log{tt.log}})
			if err != nil {
				t.Fatal(err)
			}
			f := p.placeMarks(box{60, 40, 480, 250})
			if f.rows != tt.rows || (f.note == "") != (tt.note == "") || !strings.HasSuffix(f.note, tt.note) {
				t.Errorf("%d rows, note %q, want %d and %q", f.rows, f.note, tt.rows, tt.note)
			}
			var texts []string
			for _, flag := range f.placed {
				texts = append(texts, flag.text)
			}
			if tt.want != "" && strings.Join(texts, " ") != tt.want {
				t.Errorf("texts %q, want %q", texts, tt.want)
			}
			if tt.note != "" && !strings.HasPrefix(f.note, fmt.Sprint(len(texts), " of")) {
				t.Errorf("the note %q is of %d texts", f.note, len(texts))
			}
			if tt.want == "" && tt.note == "" && len(texts) != tt.log.Len() {
				t.Errorf("%d of %d are named, and nothing says so", len(texts), tt.log.Len())
			}
		})
	}
}

// Which panels a log gets, without being told.
func TestPanels(t *testing.T) {
	g := gallery(t)
	mem, flood, gen := g["article"].Logs[0], g["flood"].Logs[0], g["msggen"].Logs[0]
	big := logOf("big.log", sampled([2]int64{0, 2_000_000}, [2]int64{60, 3_000_000}))
	huge := logOf("huge.log", sampled([2]int64{0, 200 << 20}, [2]int64{60, 210 << 20}))
	tests := []struct {
		name   string
		cfg    Config
		height float64
		want   string
	}{
		{"memory", Config{Logs: []*Log{mem}}, 300, "Mem (KB)"},
		{"memory, higher", Config{Height: 450, Logs: []*Log{mem}}, 450, "Mem (KB), Connections"},
		{"much memory", Config{Logs: []*Log{big}}, 300, "Mem (MiB)"},
		{"very much memory", Config{Logs: []*Log{huge}}, 300, "Mem (GiB)"},
		{"much memory, as the article has it", Config{ArticleUnits: true, Logs: []*Log{huge}}, 300, "Mem (KB)"},
		{"flood", Config{Logs: []*Log{flood}}, 600, "Connections, Chunks/s, Latency (ms)"},
		{"flood, low", Config{Height: 200, Logs: []*Log{flood}}, 200, "Connections, Chunks/s"},
		{"msggen", Config{Logs: []*Log{gen}}, 450, "Messages/s, Sent late (ms)"},
		{"all", Config{Logs: []*Log{mem, flood, gen}}, 750, "Mem (KB), Connections, Messages/s, Latency (ms)"},
		{"memory and flood, low", Config{Height: 300, Logs: []*Log{mem, flood}}, 300, "Mem (KB), Chunks/s, Latency (ms)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := newPicture(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, panel := range p.panels {
				got = append(got, panel.label)
			}
			if strings.Join(got, ", ") != tt.want || p.height != tt.height {
				t.Errorf("panels %q, %v high, want %s, %v high", got, p.height, tt.want, tt.height)
			}
		})
	}
}

// Logs of one kind begin each at its own start, those of a run together.
func TestAlign(t *testing.T) {
	at := func(start int64, fields ...string) *Log {
		a, b := line(start, fields...), line(start+100, fields...)
		if len(fields) == 0 {
			a.RSSKB, b.RSSKB = 1, 2
		}
		return logOf("", []series.Sample{a, b})
	}
	logs := []*Log{at(0), at(30, "chunks=1"), at(60, "sent=1"), at(1000), at(1040, "chunks=1")}
	for _, tt := range []struct {
		align Align
		want  []float64
	}{
		{AlignStart, []float64{0, 0, 0, 1000, 1000}},
		{AlignClock, []float64{0, 0, 0, 0, 0}},
	} {
		p := &picture{clock: tt.align == AlignClock}
		for _, l := range logs {
			p.surveys = append(p.surveys, surveyLog(l))
			p.origins = append(p.origins, l.start-epoch)
		}
		p.align()
		if !slices.Equal(p.origins, tt.want) {
			t.Errorf("alignment %d: logs begin at %v, want %v", tt.align, p.origins, tt.want)
		}
	}
}

// Of two logs with the same figures both are seen.
func TestEqualLogsAreBothSeen(t *testing.T) {
	ten := load(t, "article-10min.log")
	img, err := png.Decode(bytes.NewReader(draw(t, PNG, Config{Logs: []*Log{ten, ten}})))
	if err != nil {
		t.Fatal(err)
	}
	blue, orange := 0, 0
	for x := 100; x < 450; x++ {
		var b, o bool
		for y := 60; y < 250; y++ { // below the legend
			red, _, bl, _ := img.At(x, y).RGBA()
			b = b || bl > red+0x3000
			o = o || red > bl+0x6000
		}
		if b {
			blue++
		}
		if o {
			orange++
		}
	}
	if blue < 300 || orange < 300 {
		t.Errorf("of 350 columns %d show the first log and %d the second", blue, orange)
	}
}

// A PDF shows letters that its fonts lack; a question mark would be all that
// is left of them.
func TestPDFShowsAllLetters(t *testing.T) {
	cfg := Config{Logs: []*Log{load(t, "article-10min.log")}}
	pictures := map[string]bool{}
	for _, title := range []string{"", "????", "Имя", "имя", "Ωμέγα"} {
		cfg.Title = title
		pictures[string(draw(t, PDF, cfg))] = true
	}
	if len(pictures) != 5 {
		t.Errorf("five titles make %d pictures", len(pictures))
	}
}

// An SVG says how wide its texts are, so that it holds with any font.
func TestSVGHoldsItsLayout(t *testing.T) {
	svg := string(draw(t, SVG, gallery(t)["overlay"]))
	texts, widths := strings.Count(svg, "<text "), regexp.MustCompile(`<text textLength="[1-9]`).FindAllString(svg, -1)
	if texts < 10 || len(widths) != texts {
		t.Errorf("%d texts, %d of them with a width", texts, len(widths))
	}
}

// The line of a PNG is drawn in pieces; they must make one line.
func TestLongLinesAreWhole(t *testing.T) {
	c, err := newCanvas(PNG, 400, 200, 1)
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

// The article's experiment of 30 minutes, which the README shows.
func TestBeforeAndAfterLogs(t *testing.T) {
	for _, name := range []string{"before-30min.log", "after-30min.log"} {
		samples := loadSamples(t, name)
		if span := samples[len(samples)-1].Time.Sub(samples[0].Time); span < 30*time.Minute {
			t.Errorf("%s spans %v", name, span)
		}
		collections := 0
		for _, s := range samples {
			if event, ok := s.Field("event"); ok && event == "gc" {
				collections++
			}
		}
		if collections != 3 {
			t.Errorf("%s has %d forced collections marked, want 3", name, collections)
		}
	}
}
