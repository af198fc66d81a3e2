package bench

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// screen is a terminal: it goes to the next line behind its last column, and
// when its width changes it breaks its lines anew.
type screen struct {
	t       *testing.T
	columns int
	rows    []row
	y, x    int
}

// row has a cell for each column; the second one of a wide character is 0.
type row struct {
	cells   []rune
	wrapped bool // goes on in the next
}

func newScreen(t *testing.T, columns int) *screen {
	t.Helper()
	return &screen{t: t, columns: columns, rows: make([]row, 1)}
}

var control = regexp.MustCompile(`^\x1b\[([0-9]*)([AJK])`)

func (s *screen) Write(p []byte) (int, error) {
	for text := string(p); text != ""; {
		if m := control.FindStringSubmatch(text); m != nil {
			s.control(m[1], m[2])
			text = text[len(m[0]):]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch {
		case r == '\r':
			s.x = 0
		case r == '\n':
			s.next(false)
		case r < ' ' || r == 0x7f:
			s.t.Errorf("the terminal was sent %q", r)
		default:
			s.put(r)
		}
	}
	return len(p), nil
}

func (s *screen) control(number, what string) {
	line := &s.rows[s.y]
	line.cells = line.cells[:min(s.x, len(line.cells))]
	switch what {
	case "A":
		n, _ := strconv.Atoi(number)
		if n > s.y {
			s.t.Errorf("the cursor went up %d lines from line %d", n, s.y)
		}
		s.y -= min(n, s.y)
	case "J":
		line.wrapped = false
		s.rows = s.rows[:s.y+1]
	}
}

func (s *screen) next(wrapped bool) {
	s.rows[s.y].wrapped = wrapped
	s.y, s.x = s.y+1, 0
	if s.y == len(s.rows) {
		s.rows = append(s.rows, row{})
	}
}

func (s *screen) put(r rune) {
	n := columnsOfRune(r)
	if s.x+n > s.columns {
		s.next(true)
	}
	line := &s.rows[s.y]
	for len(line.cells) < s.x {
		line.cells = append(line.cells, ' ')
	}
	line.cells = append(line.cells[:s.x], append([]rune{r}, make([]rune, max(0, n-1))...)[:n]...)
	s.x += n
}

// resize breaks the lines anew; the cursor stays at the end of what was written
// last.
func (s *screen) resize(columns int) {
	old := s.rows
	s.columns, s.rows, s.y, s.x = columns, make([]row, 1), 0, 0
	for i, line := range old {
		for _, r := range line.cells {
			if r != 0 {
				s.put(r)
			}
		}
		if !line.wrapped && i < len(old)-1 {
			s.next(false)
		}
	}
}

// lines returns what is to be seen, without the empty last line.
func (s *screen) lines() []string {
	var lines []string
	for _, r := range s.rows {
		lines = append(lines, strings.TrimRight(strings.ReplaceAll(string(r.cells), "\x00", ""), " "))
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

var terminalWidths = []int{1, 7, 20, 40, 59, 60, 80, 200}

// However narrow the terminal is, the line is redrawn in place.
func TestProgressLeavesNoTrail(t *testing.T) {
	for _, columns := range terminalWidths {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScreen(t, columns)
				p := &progress{w: s, terminal: true, columns: func() int { return s.columns }}
				for i := range 50 {
					p.counted("messages", float64(i)/50, float64(i)*200, "%d delivered, p99 %d.25 ms", i*200, i)
					if lines := s.lines(); len(lines) > 1 {
						t.Fatalf("a trail of %d lines:\n%s", len(lines), strings.Join(lines, "\n"))
					}
					time.Sleep(200 * time.Millisecond)
				}
				if columns >= 20 && !strings.HasPrefix(s.lines()[0], "messages ") {
					t.Errorf("it reads %q", s.lines())
				}
				p.line("done")
				if lines := s.lines(); len(lines) != 1+3/max(columns, 4) && columns >= 4 || lines[0][:1] != "d" {
					t.Errorf("behind it stays %q", lines)
				}
			})
		})
	}
}

// A window that changes its width while the line is drawn has no trail either.
func TestProgressInAWindowThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(t, 200)
		p := &progress{w: s, terminal: true, columns: func() int { return s.columns }}
		p.line("server")
		for i, columns := range []int{200, 80, 59, 20, 41, 7, 120, 60, 200} {
			s.resize(columns)
			p.counted("connect", float64(i)/10, float64(i), "%d connected, 0 failed, 世界 🙂 %s", i, strings.Repeat("x", 30))
			if lines := s.lines(); len(lines) != 2 || lines[0] != "server" {
				t.Fatalf("at %d columns:\n%s", columns, strings.Join(lines, "\n"))
			}
			time.Sleep(time.Second)
		}
	})
}

func TestProgressShowsRateAndTimeLeft(t *testing.T) {
	for _, tt := range []struct {
		name   string
		passed time.Duration // since the phase began
		at     func(seconds float64) (fraction, count float64)
		want   string
	}{
		{"steady", 20 * time.Second, func(s float64) (float64, float64) { return s / 60, 1000 * s }, "x, 1,000/s, 40s left"},
		{"slower now", 40 * time.Second, func(s float64) (float64, float64) { return min(s, 20) / 40, 5000 * min(s, 20) }, "x, 0/s"},
		{"long", 20 * time.Second, func(s float64) (float64, float64) { return s / 86_400, math.NaN() }, "x, 24h0m left"},
		{"minutes", 20 * time.Second, func(s float64) (float64, float64) { return s / 220, math.NaN() }, "x, 3m20s left"},
		{"at once", 200 * time.Millisecond, func(s float64) (float64, float64) { return s / 60, 1000 * s }, "x"},
		{"over", 20 * time.Second, func(s float64) (float64, float64) { return s / 10, 2.6 * s }, "x, 3/s"},
		{"never", 20 * time.Second, func(s float64) (float64, float64) { return s * 1e-12, s * 0.1 }, "x, 0/s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScreen(t, 200)
				p := &progress{w: s, terminal: true, columns: func() int { return 200 }}
				p.counted("before", 0.9, 1e9, "another phase")
				begun := time.Now()
				for {
					fraction, count := tt.at(time.Since(begun).Seconds())
					p.counted("phase", fraction, count, "x")
					if time.Since(begun) >= tt.passed {
						break
					}
					time.Sleep(200 * time.Millisecond)
				}
				if _, got, _ := strings.Cut(s.lines()[0], "] "); got != tt.want {
					t.Errorf("it reads %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestBarFits(t *testing.T) {
	b := bar{"messages", 0.5, "30,000 delivered, p99 1.25 ms", "1,000/s", "30s left"}
	for columns, want := range map[int]string{
		200: "messages [############............] 30,000 delivered, p99 1.25 ms, 1,000/s, 30s left",
		79:  "messages [#########..........] 30,000 delivered, p99 1.25 ms, 1,000/s, 30s left",
		62:  "messages 50% 30,000 delivered, p99 1.25 ms, 1,000/s, 30s left",
		59:  "messages 50% 30,000 delivered, 1,000/s, 30s left",
		39:  "messages 50% 30,000 delivered, 30s left",
		31:  "messages 50% 1,000/s, 30s left",
		21:  "messages 50% 30s left",
		19:  "messages 50%",
		5:   "messa",
		0:   "",
		-1:  "",
	} {
		if got := b.fit(columns); got != want {
			t.Errorf("%d columns: got %q, want %q", columns, got, want)
		}
	}
	for _, odd := range []float64{-1, 7, math.NaN(), math.Inf(1)} {
		b.fraction = odd
		for _, columns := range terminalWidths {
			if got := columnsOf(b.fit(columns)); got > columns {
				t.Errorf("%v in %d columns takes %d", odd, columns, got)
			}
		}
	}
}

// Lines that stay are wrapped between words; a path can be copied whole.
func TestLinesThatStayWrap(t *testing.T) {
	const text = "server   pid 4711 on 127.0.0.1:8000 (epoll); results in comet-report/20260102-030405-epoll-10000"
	for columns, want := range map[int][]string{
		200: {text},
		60:  {"server   pid 4711 on 127.0.0.1:8000 (epoll); results in", "         comet-report/20260102-030405-epoll-10000"},
		40:  {"server   pid 4711 on 127.0.0.1:8000", "         (epoll); results in", "         comet-report/20260102-030405-epoll-10000"},
		20:  {"server   pid 4711 on", "  127.0.0.1:8000", "  (epoll); results", "  in", "  comet-report/20260102-030405-epoll-10000"},
		1:   {"server", "  pid", "  4711", "  on", "  127.0.0.1:8000", "  (epoll);", "  results", "  in", "  comet-report/20260102-030405-epoll-10000"},
	} {
		var out bytes.Buffer
		p := &progress{w: &out, terminal: true, columns: func() int { return columns }}
		p.line("%s", text)
		if got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"); !slices.Equal(got, want) {
			t.Errorf("%d columns: got\n%s\nwant\n%s", columns, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if got := wrap("lost     世界 世界 世界 世界 世界\nnext", 20); got != "lost     世界 世界\n  世界 世界 世界\nnext" {
		t.Errorf("wide characters: %q", got)
	}
}

func TestProgressElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &progress{w: &out}
		for i := range 150 { // half a minute
			p.counted("connect", float64(i)/300, float64(i)*20, "%d connected", i*20)
			time.Sleep(200 * time.Millisecond)
		}
		p.line("server   %s", strings.Repeat("long ", 40)+"\x1b[2J\x00\u202e")
		const want = "  connect: 0 connected\n  connect: 1000 connected, 100/s, 50s left\n  connect: 2000 connected, 100/s, 40s left\n"
		rest, ok := strings.CutPrefix(out.String(), want)
		if !ok || strings.Count(rest, "\n") != 1 || strings.ContainsAny(rest, "\x1b\x00\u202e") {
			t.Errorf("it wrote %q", out.String())
		}
	})
}

func TestProgressWidth(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "no terminal"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := &progress{w: file}
	for columns, want := range map[string]int{"": 80, "100": 100, "0": 80, "-5": 80, "wide": 80} {
		t.Setenv("COLUMNS", columns)
		if got := p.width(); got != want {
			t.Errorf("COLUMNS=%q: %d columns, want %d", columns, got, want)
		}
	}
}

func FuzzProgress(f *testing.F) {
	f.Add("messages", "30,000 delivered", 0.5, 40)
	f.Add("世界", "e\u0301 ❤️ \x1b[7m\xff", math.NaN(), 3)
	f.Fuzz(func(t *testing.T, phase, figures string, fraction float64, columns int) {
		columns = 1 + (columns%200+200)%200
		s := newScreen(t, columns)
		p := &progress{w: s, terminal: true, columns: func() int { return columns }}
		p.update(strings.ReplaceAll(printable(phase), "\n", " "), fraction, "%s", figures)
		if lines := s.lines(); len(lines) > 1 {
			t.Errorf("%d columns: %q", columns, lines)
		}
		if text := printable(figures); columns >= 2 {
			for line := range strings.SplitSeq(wrap(text, columns), "\n") {
				if columnsOf(line) > columns && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%d columns: %q could have been broken", columns, line)
				}
			}
		}
	})
}
