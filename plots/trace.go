package plots

import (
	"math"
	"slices"
)

// gapFactor is how many intervals neighbours may be apart and still be joined.
const gapFactor = 2.5

// point is a sample as drawn: minutes elapsed, and the figure.
type point struct{ x, y float64 }

// survey is a log, ready to be drawn.
type survey struct {
	*Log             // its rows in the order in which they are drawn
	interval float64 // median spacing in seconds; 0 when there is none
	restarts []int   // the first row of each further process
}

// maxBackwards is how often time may go back before the rows are sorted. A few
// such steps are a clock that was set or logs that were joined, and are drawn as
// they stand; many are several writers in one file, whose lines would be broken
// everywhere.
const maxBackwards = 100

func surveyLog(l *Log) survey {
	if len(l.backwards) > maxBackwards {
		l = l.sorted()
	}
	return survey{Log: l, interval: medianSpacing(l), restarts: l.restarts()}
}

// medianSpacing returns the median of the steps in which time goes forward. Of a
// long log it looks at some thousands of them, evenly spread: sorting a
// million would take longer than drawing them.
func medianSpacing(l *Log) float64 {
	const enough = 8192
	stride := max(1, l.rows/enough)
	spacings := make([]float64, 0, min(l.rows, 2*enough))
	for i := stride; i < l.rows; i += stride {
		if d := l.time(i) - l.time(i-1); d > 0 {
			spacings = append(spacings, d)
		}
	}
	if len(spacings) == 0 {
		return 0
	}
	slices.Sort(spacings)
	n := len(spacings)
	return (spacings[(n-1)/2] + spacings[n/2]) / 2
}

// trace is one figure of one log, ready to be drawn.
type trace struct {
	lines [][]point // each unbroken
	dots  []point   // what has no neighbour to be joined to
}

// tracer makes a trace, one sample after the other, in bounded space: at most
// four points of each of its pixel columns.
type tracer struct {
	columns   int
	perMinute float64 // columns a minute

	out trace
	// line is the one under way; first, low, high and last are of its current
	// column and not in it yet.
	line                   []point
	column                 int
	first, low, high, last point
	open                   bool
	// specks are lines too short to leave their column: only their lowest and
	// highest points are kept, for each column once. Otherwise a log with a gap
	// after every sample would be as many dots as samples.
	specks map[int]*[2]point
}

// makeTrace draws a figure from minute 0 at origin to the given minute (above
// 0), in the given number of pixel columns.
func makeTrace(s *survey, origin, minutes float64, columns int, f figure) trace {
	t := tracer{columns: columns, perMinute: float64(columns) / minutes, specks: map[int]*[2]point{}}
	gap := s.interval * gapFactor
	if gap == 0 {
		gap = math.Inf(1)
	}
	restarts := s.restarts
	before := 0.0
	for row := range s.rows {
		if len(restarts) > 0 && restarts[0] == row {
			t.breakLine()
			restarts = restarts[1:]
		}
		v := s.figures[f].at(row)
		if math.IsNaN(v) {
			continue
		}
		at := s.time(row)
		if d := at - before; t.open && (d < 0 || d > gap) {
			t.breakLine()
		}
		before = at
		t.add(point{(at - origin) / 60, v})
	}
	return t.finish()
}

func (t *tracer) columnOf(p point) int { return min(int(p.x*t.perMinute), t.columns-1) }

func (t *tracer) add(p point) {
	column := t.columnOf(p)
	if t.open && column == t.column {
		t.last = p
		if p.y < t.low.y {
			t.low = p
		}
		if p.y > t.high.y {
			t.high = p
		}
		return
	}
	t.closeColumn()
	t.column, t.open = column, true
	t.first, t.low, t.high, t.last = p, p, p, p
}

// closeColumn moves the column under way into the line, in the order of time.
func (t *tracer) closeColumn() {
	if !t.open {
		return
	}
	early, late := t.low, t.high
	if late.x < early.x {
		early, late = late, early
	}
	for _, p := range [...]point{t.first, early, late, t.last} {
		if n := len(t.line); n == 0 || t.line[n-1] != p {
			t.line = append(t.line, p)
		}
	}
}

func (t *tracer) breakLine() {
	if !t.open {
		return
	}
	if len(t.line) == 0 { // never left its column
		t.speck()
	} else {
		t.closeColumn()
		t.out.lines = append(t.out.lines, t.line)
	}
	t.line, t.open = nil, false
}

func (t *tracer) speck() {
	s := t.specks[t.column]
	if s == nil {
		t.specks[t.column] = &[2]point{t.low, t.high}
		return
	}
	if t.low.y < s[0].y {
		s[0] = t.low
	}
	if t.high.y > s[1].y {
		s[1] = t.high
	}
}

func (t *tracer) finish() trace {
	t.breakLine()
	for column := range t.columns {
		s := t.specks[column]
		switch {
		case s == nil:
		case s[0].y == s[1].y:
			t.out.dots = append(t.out.dots, s[0])
		default:
			if s[1].x < s[0].x {
				s[0], s[1] = s[1], s[0]
			}
			t.out.dots = append(t.out.dots, s[0], s[1])
			t.out.lines = append(t.out.lines, s[:])
		}
	}
	return t.out
}
