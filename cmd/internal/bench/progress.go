package bench

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"example.org/comet/cmd/internal/result"
)

// progress shows a person what goes on: on a terminal in one line that is
// redrawn and always fits, elsewhere in a line now and then.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	columns  func() int // nil: those of w
	drawn    int        // columns of the line to be redrawn; 0: there is none
	last     time.Time
	speed    speed
}

// quietInterval is how often progress is printed where it cannot be redrawn.
const quietInterval = 10 * time.Second

// Write prints lines that stay.
func (p *progress) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		p.line("%s", strings.TrimSuffix(line, "\n"))
	}
	return len(text), nil
}

// line prints a line that stays. On a terminal it is wrapped between words, and
// what follows is indented as the text of a line is.
func (p *progress) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	text := printable(fmt.Sprintf(format, args...))
	if p.terminal {
		text = wrap(text, p.width())
	}
	fmt.Fprintln(p.w, text)
	p.last = time.Now()
}

// update shows how far a phase is: a fraction from 0 to 1, live figures, and the
// time left.
func (p *progress) update(phase string, fraction float64, format string, args ...any) {
	p.counted(phase, fraction, uncounted, format, args...)
}

// counted does the same for a phase that counts something, and shows its rate.
func (p *progress) counted(phase string, fraction, count float64, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.speed.add(phase, moment{now, clamp(fraction), count})
	text := strings.ReplaceAll(printable(fmt.Sprintf(format, args...)), "\n", " ")
	b := bar{phase, clamp(fraction), text, p.speed.rate(), p.speed.left()}
	if !p.terminal {
		if now.Sub(p.last) >= quietInterval {
			p.last = now
			fmt.Fprintf(p.w, "  %s: %s\n", phase, joined(b.figures, b.rate, b.left))
		}
		return
	}
	p.erase()
	// The last column stays free: a terminal may go to the next line after it.
	text = b.fit(p.width() - 1)
	fmt.Fprint(p.w, text)
	p.drawn = columnsOf(text)
}

// erase removes the redrawn line (ECMA-48, EL). In a terminal that has become
// narrower since it was drawn it takes several lines (CUU, ED).
func (p *progress) erase() {
	switch rows := (p.drawn - 1) / max(1, p.width()); {
	case p.drawn == 0:
		return
	case rows > 0:
		fmt.Fprintf(p.w, "\r\x1b[%dA\x1b[J", rows)
	default:
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.drawn = 0
}

// width returns the terminal's columns now, which may change while it is used.
func (p *progress) width() int {
	if p.columns != nil {
		return p.columns()
	}
	if file, ok := p.w.(interface{ Fd() uintptr }); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	//nolint:forbidigo // a fact of the terminal, like its size
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		return columns
	}
	return 80
}

// uncounted is the count of a phase that counts nothing.
var uncounted = math.NaN()

// moment is how far a phase was at some time; uncounted where there is none.
type moment struct {
	at       time.Time
	fraction float64
	count    float64
}

// speed knows the last seconds of a phase.
type speed struct {
	phase   string
	moments []moment // oldest first
}

const (
	rateSpan = 2 * time.Second  // what "now" means of a rate
	leftSpan = 10 * time.Second // what the time left is reckoned from
)

func (s *speed) add(phase string, m moment) {
	if n := len(s.moments); phase != s.phase || n > 0 && m.fraction < s.moments[n-1].fraction {
		*s = speed{phase: phase} // another phase, or one that has begun again
	}
	for len(s.moments) > 1 && m.at.Sub(s.moments[1].at) >= leftSpan {
		s.moments = s.moments[1:]
	}
	s.moments = append(s.moments, m)
}

// since returns the latest moment and the last one at least that long before
// it, or the first.
func (s *speed) since(span time.Duration) (from, to moment) {
	to = s.moments[len(s.moments)-1]
	from = s.moments[0]
	for _, m := range s.moments {
		if to.at.Sub(m.at) < span {
			break
		}
		from = m
	}
	return from, to
}

// rate returns what was counted per second just now; "" if that is unknown.
func (s *speed) rate() string {
	from, to := s.since(rateSpan)
	seconds := to.at.Sub(from.at).Seconds()
	if per := (to.count - from.count) / seconds; seconds >= 0.5 && per >= 0 {
		return result.Of(per).Text(result.UnitCount) + "/s"
	}
	return ""
}

// left returns how long the phase will take at this speed; "" if that is
// unknown.
func (s *speed) left() string {
	from, to := s.since(leftSpan)
	passed, done := to.at.Sub(from.at), to.fraction-from.fraction
	if passed < time.Second || done <= 0 || to.fraction >= 1 {
		return ""
	}
	seconds := (1 - to.fraction) / done * passed.Seconds()
	if seconds > 100*24*3600 {
		return ""
	}
	left := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	text := left.String()
	if left >= time.Hour {
		text = strings.TrimSuffix(left.Round(time.Minute).String(), "0s")
	}
	return text + " left"
}

// clamp returns a fraction as one from 0 to 1, whatever it is.
func clamp(fraction float64) float64 {
	if !(fraction > 0) { // or NaN
		return 0
	}
	return min(fraction, 1)
}

// bar is a line to be redrawn.
type bar struct {
	phase    string
	fraction float64
	figures  string
	rate     string
	left     string
}

// fit returns as much of the bar as the columns hold: first the drawing
// shrinks to a percentage, then the figures go, then the rate and the time left.
func (b bar) fit(columns int) string {
	const longest, shortest = 24, 8
	head := fmt.Sprintf("%-8s ", b.phase)
	tail := " " + joined(b.figures, b.rate, b.left)
	if room := min(longest, columns-columnsOf(head)-columnsOf(tail)-2); room >= shortest {
		full := int(clamp(b.fraction) * float64(room))
		return head + "[" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "]" + tail
	}
	percent := fmt.Sprintf("%s %.0f%%", b.phase, 100*clamp(b.fraction))
	first, _, _ := strings.Cut(b.figures, ", ")
	text := percent
	for _, figures := range [][]string{
		{b.figures, b.rate, b.left}, {first, b.rate, b.left}, {first, b.left}, {b.rate, b.left}, {b.left}, {b.rate}, {},
	} {
		if text = strings.TrimSpace(percent + " " + joined(figures...)); columnsOf(text) <= columns {
			return text
		}
	}
	return cut(text, columns)
}

// joined lists what is not empty.
func joined(parts ...string) string {
	var some []string
	for _, part := range parts {
		if part != "" {
			some = append(some, part)
		}
	}
	return strings.Join(some, ", ")
}
