package plots

import (
	"math"
	"slices"
	"time"

	"example.org/comet/memlog/series"
)

// gapFactor: neighbours further apart than so many intervals are not joined.
const gapFactor = 2.5

// point is a sample as drawn: minutes elapsed, and kilobytes or connections.
type point struct{ x, y float64 }

// extent is the range of a figure over a log; none when nothing was known.
type extent struct {
	low, high int64
	known     bool
}

func (e *extent) add(v int64) {
	switch {
	case v < 0:
	case !e.known:
		*e = extent{v, v, true}
	default:
		e.low, e.high = min(e.low, v), max(e.high, v)
	}
}

func (e *extent) join(f extent) {
	if f.known {
		e.add(f.low)
		e.add(f.high)
	}
}

// seconds is a moment as unix time. A float64 holds it to a microsecond, does
// not overflow in any year, and is quicker to compare than a time.Time.
func seconds(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())*1e-9 }

// survey is what one pass over a log finds out; moments and spans are in
// seconds.
type survey struct {
	samples     []series.Sample // in the order in which they are drawn
	start, end  float64         // earliest and latest sample
	interval    float64         // median spacing; 0 when there is none
	restarts    []int           // indexes of the first sample of each further process
	memory      extent
	connections extent
}

// maxBackwards is how often time may go back before the samples are sorted. A
// few such steps are a clock that was set or logs that were joined, and are
// drawn as they stand; many are two writers in one file.
const maxBackwards = 100

func surveyLog(samples []series.Sample) survey {
	s := survey{samples: samples, start: math.Inf(1), end: math.Inf(-1)}
	before, backwards := math.Inf(-1), 0
	for i := range samples {
		at := seconds(samples[i].Time)
		s.start, s.end = min(s.start, at), max(s.end, at)
		if at < before {
			backwards++
		}
		before = at
		s.memory.add(samples[i].RSSKB)
		s.connections.add(samples[i].Connections)
	}
	if backwards > maxBackwards {
		s.samples = slices.SortedStableFunc(slices.Values(samples), func(a, b series.Sample) int {
			return a.Time.Compare(b.Time)
		})
	}
	s.interval = medianSpacing(s.samples)
	s.restarts = findRestarts(s.samples)
	return s
}

// medianSpacing is the median of the steps in which time goes forward. Of a
// long log it looks at some thousands of them, evenly spread: sorting a
// million would take longer than drawing them.
func medianSpacing(samples []series.Sample) float64 {
	const enough = 8192
	stride := max(1, len(samples)/enough)
	spacings := make([]float64, 0, min(len(samples), 2*enough))
	for i := stride; i < len(samples); i += stride {
		if d := seconds(samples[i].Time) - seconds(samples[i-1].Time); d > 0 {
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

func findRestarts(samples []series.Sample) (restarts []int) {
	var who process
	var fields []series.Field // of the sample before
	for i := range samples {
		f := samples[i].Fields
		if len(f) == 0 || len(f) == len(fields) && &f[0] == &fields[0] {
			continue // shared, as Log.Add leaves them
		}
		fields = f
		if who.follow(processOf(samples[i])) {
			restarts = append(restarts, i)
		}
	}
	return restarts
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

// makeTrace draws the figure that value picks, from minute 0 at origin to so
// many minutes (above 0), in so many pixel columns.
func makeTrace(s *survey, origin, minutes float64, columns int, value func(*series.Sample) int64) trace {
	t := tracer{columns: columns, perMinute: float64(columns) / minutes, specks: map[int]*[2]point{}}
	gap := s.interval * gapFactor
	if gap == 0 {
		gap = math.Inf(1)
	}
	restarts := s.restarts
	before := 0.0
	for i := range s.samples {
		if len(restarts) > 0 && restarts[0] == i {
			t.breakLine()
			restarts = restarts[1:]
		}
		v := value(&s.samples[i])
		if v < 0 {
			continue
		}
		at := seconds(s.samples[i].Time)
		if d := at - before; t.open && (d < 0 || d > gap) {
			t.breakLine()
		}
		before = at
		t.add(point{(at - origin) / 60, float64(v)})
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
