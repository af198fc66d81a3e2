package plots

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"example.org/comet/memlog/series"
)

// Log is one log to draw: of memlog, of flood or of msggen, which its columns
// tell. Fill it with Add. It keeps of each line only what a picture needs, 8
// bytes for the time and 4 for each figure that is known: 16 MB for a million
// lines of a memory log. It must not be copied while it is being filled.
type Log struct {
	// Name stands in the legend and in errors.
	Name string

	lines   int // added, with or without a figure
	rows    int // of them, those with a place in the columns
	times   []*[pageRows]float64
	figures [figureCount]column

	processes []processRun
	events    []event

	location   *time.Location // of the first line, for the clock
	start, end float64        // earliest and latest line, in unix seconds
	backwards  []int          // the rows whose time is before that of the row above
	tooLarge   int            // figures that were left out for that

	received, asked, sent, refused counter
}

// pageRows is the length of a page. Columns grow by pages, so that nothing is
// copied and nothing thrown away while a long log is read.
const pageRows = 4096

// column is one figure of all rows. A float32 is exact up to 16 GB in
// kilobytes and beyond that off by a ten-millionth, far less than a pixel. NaN
// is unknown, as is all of a page that is missing.
type column struct {
	pages []*[pageRows]float32
	extent
}

func (c *column) set(row int, v float64) {
	page := row / pageRows
	for len(c.pages) <= page {
		c.pages = append(c.pages, nil)
	}
	if c.pages[page] == nil {
		c.pages[page] = new([pageRows]float32)
		for i := range c.pages[page] {
			c.pages[page][i] = float32(math.NaN())
		}
	}
	c.pages[page][row%pageRows] = float32(v)
	c.add(float64(float32(v)))
}

func (c *column) at(row int) float64 {
	page := row / pageRows
	if page >= len(c.pages) || c.pages[page] == nil {
		return math.NaN()
	}
	return float64(c.pages[page][row%pageRows])
}

// extent is the range of a figure; none when nothing was known.
type extent struct {
	low, high float64
	least     float64 // the smallest above 0, for a logarithmic axis; 0 when there is none
	known     bool
}

func (e *extent) add(v float64) {
	if !e.known {
		e.low, e.high, e.known = v, v, true
	}
	e.low, e.high = min(e.low, v), max(e.high, v)
	if v > 0 && (e.least == 0 || v < e.least) {
		e.least = v
	}
}

func (e *extent) join(f extent) {
	if !f.known {
		return
	}
	e.add(f.low)
	e.add(f.high)
	if f.least > 0 {
		e.add(f.least)
	}
}

// event is what a line says in event=TEXT.
type event struct {
	at   float64 // unix seconds
	text string
}

// counter makes a rate of a count that only grows.
type counter struct {
	at, count float64
	known     bool
}

// rate returns the count per second since the sample before. It is NaN for the
// first sample, and where the count or the clock went back: that is another run.
func (c *counter) rate(at, count float64) float64 {
	before := *c
	span := at - before.at
	if before.known && span == 0 && count >= before.count {
		return math.NaN() // twice in one second: the next sample counts both
	}
	*c = counter{at, count, true}
	if !before.known || span < 0 || count < before.count {
		return math.NaN()
	}
	return (count - before.count) / span
}

// seconds returns a moment as unix time. A float64 holds it to a microsecond, does
// not overflow in any year, and is quicker to compare than a time.Time.
func seconds(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())*1e-9 }

// Add appends a line of the log, in the order of the file. Where time goes back
// (a clock that was set, an older log that was continued) the drawn line is
// broken and marked; a log in which it often does is sorted, as that of several
// writers. Notes says so.
func (l *Log) Add(s series.Sample) {
	at := seconds(s.Time)
	if l.lines == 0 {
		l.start, l.end, l.location = at, at, s.Time.Location()
	}
	l.lines++
	l.start, l.end = min(l.start, at), max(l.end, at)

	var values [figureCount]float64
	known, marked := l.read(s, at, &values)
	if marked && !known {
		return // a line with only an event is not a sample
	}
	row := l.appendTime(at)
	for f, v := range values {
		if !math.IsNaN(v) {
			l.figures[f].set(row, v)
		}
	}
	who := processOf(s)
	if n := len(l.processes); who != (process{}) && (n == 0 || l.processes[n-1].process != who) {
		who.pid, who.start = strings.Clone(who.pid), strings.Clone(who.start)
		l.processes = append(l.processes, processRun{row, who})
	}
}

// Len returns how many lines were added.
func (l *Log) Len() int { return l.lines }

// read takes the figures and events out of a line and reports whether there were
// any.
func (l *Log) read(s series.Sample, at float64, values *[figureCount]float64) (known, marked bool) {
	for f := range values {
		values[f] = math.NaN()
	}
	if s.RSSKB >= 0 {
		values[memory], known = l.drawable(float64(s.RSSKB)), true
	}
	if s.Connections >= 0 {
		values[connections], known = l.drawable(float64(s.Connections)), true
	}
	for _, field := range s.Fields {
		switch field.Key {
		case "event":
			if text := strings.TrimSpace(field.Value); text != "" && text != "-" {
				l.events = append(l.events, event{at, strings.Clone(text)})
				marked = true
			}
			continue
		case "pid", "start":
			continue
		case "fds":
			if n, ok := field.Number(); ok && n >= 0 {
				values[files] = n
			}
			continue
		}
		f, count := l.figureOf(field.Key)
		if f < 0 {
			continue
		}
		v, err := strconv.ParseFloat(field.Value, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			continue
		}
		known = true
		if v = l.drawable(v); count != nil && !math.IsNaN(v) {
			v = l.drawable(count.rate(at, v))
		}
		values[f] = v
	}
	return known, marked
}

// mostFigure is the largest figure that is drawn: a larger one, of a broken log,
// would leave no room for the others nor for its own label.
const mostFigure = 1e15

// drawable returns the figure: 0 if it differs from it by next to nothing, NaN if
// it is too large, which it counts.
func (l *Log) drawable(v float64) float64 {
	switch {
	case v > mostFigure:
		l.tooLarge++
		return math.NaN()
	case v < leastScale:
		return 0
	}
	return v
}

// figureOf returns which figure a column holds, and if that is to be a rate, the
// counter that makes it one; -1: none.
func (l *Log) figureOf(key string) (figure, *counter) {
	switch key {
	case "connected":
		return connections, nil
	case "closed":
		return closed, nil
	case "chunks":
		return received, &l.received
	case "p50_ms":
		return latency50, nil
	case "p99_ms":
		return latency99, nil
	case "asked":
		return asked, &l.asked
	case "sent":
		return sent, &l.sent
	case "refused":
		return refused, &l.refused
	case "late_p50_ms":
		return late50, nil
	case "late_p99_ms":
		return late99, nil
	}
	return -1, nil
}

func (l *Log) appendTime(at float64) (row int) {
	row = l.rows
	if row > 0 && at < l.time(row-1) {
		l.backwards = append(l.backwards, row)
	}
	if row%pageRows == 0 {
		l.times = append(l.times, new([pageRows]float64))
	}
	l.times[row/pageRows][row%pageRows] = at
	l.rows++
	return row
}

// accompanies reports whether two logs cover the same time and other figures: the
// memory of a server and what its clients saw.
func (l *Log) accompanies(m *Log) bool {
	for _, f := range [...]figure{memory, received, sent} {
		if l.figures[f].known && m.figures[f].known {
			return false
		}
	}
	return l.start <= m.end && m.start <= l.end
}

func (l *Log) time(row int) float64 { return l.times[row/pageRows][row%pageRows] }

// sorted returns a copy with its rows in the order of time.
func (l *Log) sorted() *Log {
	order := make([]int, l.rows)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := l.time(a), l.time(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	out := &Log{Name: l.Name, lines: l.lines, events: l.events, location: l.location, start: l.start, end: l.end}
	for row, from := range order {
		out.appendTime(l.time(from))
		for f := range l.figures {
			if v := l.figures[f].at(from); !math.IsNaN(v) {
				out.figures[f].set(row, v)
			}
		}
		run := sort.Search(len(l.processes), func(i int) bool { return l.processes[i].row > from }) - 1
		if n := len(out.processes); run >= 0 && (n == 0 || out.processes[n-1].process != l.processes[run].process) {
			out.processes = append(out.processes, processRun{row, l.processes[run].process})
		}
	}
	return out
}
