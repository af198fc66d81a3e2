package plots

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"example.org/comet/memlog/series"
)

// What the font lacks is drawn as □, in every format, and Notes says so.
func TestLabels(t *testing.T) {
	tests := []struct {
		name, label, want, lacking string
	}{
		{"plain", "Mem usage – 50 % <b>", "Mem usage – 50 % <b>", ""},
		{"Greek, Cyrillic, Hebrew", "Ω Имя שלום", "Ω Имя שלום", ""},
		{"Chinese", "内存 usage", "□□ usage", "内存"},
		{"emoji", "run 🚀", "run □", "🚀"},
		{"an emoji of several", "👩‍👩‍👧 x", "□□□ x", "👩👩👧"},
		{"a heart with a selector", "❤\uFE0F", "□", "❤"},
		{"Arabic", "سعة", "□□□", "سعة"},
		{"combining", "e\u0301te\u0301", "été", ""},
		{"control characters", "a\x00b\x1b[31m\tc\nd\u0085e\u2028f", "a b [31m c d e f", ""},
		{"reordering", "a\u202eb\u200bc\ufeffd", "abcd", ""},
		{"broken UTF-8", "a\xff\xfeb", "a□b", ""},
		{"nothing", " \t\n", "", ""},
		{"very long", strings.Repeat("x", 1<<20), strings.Repeat("x", mostLabel), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, lacking := fitFont(tt.label)
			if got != tt.want || lacking != tt.lacking {
				t.Errorf("%.60q is drawn as %.60q, lacking %q, want %.60q and %q", tt.label, got, lacking, tt.want, tt.lacking)
			}
			log := logOf(tt.label, sampled([2]int64{0, 1}, [2]int64{60, 2}))
			cfg := Config{Title: tt.label, Logs: []*Log{log, log}}
			for _, format := range []string{PNG, SVG, PDF} {
				checkNumbers(t, draw(t, format, cfg), format)
			}
			if notes := strings.Join(Notes(cfg), "\n"); (tt.lacking != "") != strings.Contains(notes, "the font of pictures lacks") {
				t.Errorf("notes %q", notes)
			}
		})
	}
	// Of two names that the font lacks each leaves something to be seen.
	with, without := Config{Title: "内存", Logs: []*Log{load(t, "article-10min.log")}}, Config{Logs: []*Log{load(t, "article-10min.log")}}
	if bytes.Equal(draw(t, PNG, with), draw(t, PNG, without)) {
		t.Error("a title that the font lacks vanishes")
	}
	events := logOf("mem.log", []series.Sample{line(0, "event=发布"), line(60, "event=发布")})
	if notes := Notes(Config{Logs: []*Log{events}}); len(notes) != 1 || !strings.Contains(notes[0], `"发布"`) {
		t.Errorf("of an event: %q", notes)
	}
}

// checkNumbers fails if a picture is not well formed or has a number that is
// none.
func checkNumbers(t *testing.T, picture []byte, format string) {
	t.Helper()
	if format != SVG {
		return // what is drawn is the same
	}
	checkWellFormed(t, picture)
	for _, bad := range []string{"NaN", "Inf", "e+"} {
		if bytes.Contains(picture, []byte(bad)) {
			t.Errorf("the picture has %s", bad)
		}
	}
}

// checkWellFormed fails for a picture that is no XML, or that is drawn with a
// number that is none. Its texts may say anything.
func checkWellFormed(t *testing.T, svg []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		element, _ := token.(xml.StartElement)
		for _, a := range element.Attr {
			for _, bad := range []string{"NaN", "Inf", "e+"} {
				if strings.Contains(a.Value, bad) {
					t.Errorf("<%s %s=%q>", element.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
}

// A clock that was set back breaks the line and is marked; a file of several
// writers is sorted. Both are said.
func TestTimeThatGoesBack(t *testing.T) {
	back := logOf("mem.log", sampled([2]int64{100, 1}, [2]int64{160, 2}, [2]int64{0, 3}, [2]int64{60, 4}, [2]int64{120, 5}))
	p, err := newPicture(Config{Logs: []*Log{back}})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.marks) != 1 || p.marks[0].text != "time goes back" || p.marks[0].minute != 0 {
		t.Errorf("marks %v", p.marks)
	}
	if tr := makeTrace(&p.surveys[0], p.origins[0], p.minutes, 400, memory); len(tr.lines) != 2 || tr.lines[0][0].y != 1 {
		t.Errorf("lines %v, want two, in the order of the file", tr.lines)
	}
	several := &Log{Name: "two.log"}
	for i := range int64(200) {
		for _, s := range sampled([2]int64{i, 1}, [2]int64{1000 + i, 2}) {
			several.Add(s)
		}
	}
	for want, log := range map[string]*Log{
		"mem.log: its time goes back once: it is drawn in the order of the file, and its line is broken there":        back,
		"two.log: its time goes back 199 times, as where several programs write one file: it is drawn sorted by time": several,
		"": load(t, "article-10min.log"),
		"a log: its time goes back 3 times: it is drawn in the order of the file, and its line is broken there": logOf("", sampled([2]int64{9, 1}, [2]int64{8, 1}, [2]int64{7, 1}, [2]int64{6, 1})),
	} {
		if got := strings.Join(Notes(Config{Logs: []*Log{log}}), "\n"); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

var oddFigures = []float64{1e308, math.MaxFloat64, 1e39, 1e16, 1e15, 5e-324, 1e-300, 1e-45, 0, 1, 1e9}

// Figures that no axis holds draw no NaN, alone and beside others.
func TestFiguresThatNoAxisHolds(t *testing.T) {
	for _, key := range []string{"p99_ms", "late_p50_ms", "chunks", "connected", "sent", "closed"} {
		for _, v := range oddFigures {
			for _, alone := range []bool{true, false} {
				log := &Log{Name: "odd.log"}
				for i := range int64(4) {
					s := line(i, fmt.Sprintf("%s=%g", key, v*float64(1+i%2)))
					if !alone {
						s.RSSKB = 1000 + i
					}
					log.Add(s)
				}
				var out bytes.Buffer
				err := Draw(&out, SVG, Config{Height: 900, Logs: []*Log{log}})
				if err != nil && (!alone || !errors.Is(err, ErrNoData)) {
					t.Errorf("%s=%g: %v", key, v, err)
				}
				if err == nil {
					checkNumbers(t, out.Bytes(), SVG)
				}
				if notes := Notes(Config{Logs: []*Log{log}}); v > mostFigure && key != "chunks" && len(notes) != 1 {
					t.Errorf("%s=%g: notes %q", key, v, notes)
				}
			}
		}
	}
	log := logOf("mem.log", []series.Sample{{Time: time.Unix(epoch, 0), RSSKB: math.MaxInt64, Connections: math.MaxInt64}, {Time: time.Unix(epoch+1, 0), RSSKB: 7, Connections: 7}})
	checkNumbers(t, draw(t, SVG, Config{Height: 450, Logs: []*Log{log}}), SVG)
}

func TestScaleOfOddFigures(t *testing.T) {
	for _, v := range append([]float64{-1e308, -1e15, -5e-324, math.Inf(1), math.Inf(-1)}, oddFigures...) {
		for _, other := range []float64{math.NaN(), 0, 1e-9, -1e15, 1e15} {
			s := Scale{At: []float64{1, 10}, Panels: []ScalePanel{{Label: "x", Lines: []ScaleLine{{"x", []float64{v, other}}}}}}
			var out bytes.Buffer
			err := drawScale(&out, SVG, s)
			if tooLarge := math.Abs(v) > mostFigure; (err != nil) != tooLarge || tooLarge && !strings.Contains(err.Error(), "too large") {
				t.Errorf("%g, %g: %v", v, other, err)
			}
			if err == nil {
				checkNumbers(t, out.Bytes(), SVG)
			}
		}
	}
	for _, at := range []float64{0, -1, 1e308, 5e-324, math.NaN(), math.Inf(1)} {
		if err := drawScale(io.Discard, SVG, Scale{At: []float64{at}, Panels: []ScalePanel{{Lines: []ScaleLine{{"x", []float64{1}}}}}}); err == nil {
			t.Errorf("a picture at %g", at)
		}
	}
}

// Of a log with many bad lines the first are named and the others counted; of a
// file that is none one line is said.
func TestRead(t *testing.T) {
	const good = "Mon Oct 20 16:57:24 BST 2008\t1224518244\t40388\t1\n"
	for _, tt := range []struct {
		name, text string
		samples    int
		notes      []string
		err        string
	}{
		{"good", good + good, 2, nil, ""},
		{"one bad line", good + "bad\n" + good, 2, []string{"left out: x.log:2: "}, ""},
		{"many bad lines", good + strings.Repeat("bad\n", 4000), 1, []string{"left out: x.log:2: ", "left out: x.log:3: ", "left out: x.log:4: ", "left out: x.log: 3997 more lines that are not samples"}, ""},
		{"cut", good + "Mon", 1, []string{"left out: x.log: the last line does not end in a newline"}, ""},
		{"binary", strings.Repeat("\x7fELF\x00\x01\n", 4000), 0, nil, "series: x.log is a program, not a log"},
		{"another text", strings.Repeat("nothing\n", 4000), 0, nil, "x.log holds no sample to draw, and 4000 lines that are none, the first: x.log:1: "},
		{"empty", "", 0, nil, "x.log holds no sample to draw: its lines should be"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log, notes, err := Read(strings.NewReader(tt.text), "x.log", "x", false)
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.err) || strings.Contains(err.Error(), "\n") || len(notes) > 0 {
					t.Errorf("%v, %q, want %q", err, notes, tt.err)
				}
				return
			}
			if err != nil || log.Len() != tt.samples || log.Name != "x" || len(notes) != len(tt.notes) {
				t.Fatalf("%v, %q", err, notes)
			}
			for i, want := range tt.notes {
				if !strings.HasPrefix(notes[i], want) {
					t.Errorf("note %q, want %q", notes[i], want)
				}
			}
		})
	}
	if _, _, err := Read(strings.NewReader(good+"bad\n"), "x.log", "x", true); err == nil || !strings.Contains(err.Error(), "x.log:2") {
		t.Errorf("strict: %v", err)
	}
	broken := errors.New("the disk is gone")
	if _, _, err := Read(io.MultiReader(strings.NewReader(good), failing{broken}), "x.log", "x", false); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzDraw: whatever a log holds, the picture is well formed or there is an
// error.
func FuzzDraw(f *testing.F) {
	f.Add("a title", []byte("Mon 1224518244 40388 1\nMon 1224518200 40388 1 event=gc p99_ms=1e308\n"))
	f.Add("0", []byte("1224518244 40388 1\n1224518254 40389 1\n"))
	f.Add("NaN Inf e+", []byte("1224518244 40388 1 event=Inf\n1224518254 40389 1\n"))
	f.Add("内\x00", []byte("1224518244 9223372036854775807 - chunks=1e308\n9224518245 - 7 chunks=5e-324 pid=2\n"))
	f.Fuzz(func(t *testing.T, title string, text []byte) {
		log, _, err := Read(bytes.NewReader(text), "fuzz.log", title, false)
		if err != nil {
			return
		}
		cfg := Config{Title: title, Height: 700, Logs: []*Log{log}}
		Notes(cfg)
		for _, align := range []Align{AlignStart, AlignClock} {
			var out bytes.Buffer
			cfg.Align = align
			if err := Draw(&out, SVG, cfg); err == nil {
				checkWellFormed(t, out.Bytes())
			}
		}
	})
}
