package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
)

// picture is a chart with its caption.
type picture struct {
	Name, Note string
	chart      plots.Chart
}

// figure is a picture as a page has it: an SVG, and its numbers to save.
type figure struct {
	Name, Note string
	SVG        template.HTML
	Numbers    link
}

// figuresOf returns those of the pictures that have something to show.
func figuresOf(pictures []picture) (list []figure) {
	for _, p := range pictures {
		p.chart.Title = p.Name
		if p.chart.Empty() {
			continue
		}
		file := strings.ReplaceAll(strings.ToLower(p.Name), " ", "-") + ".csv"
		list = append(list, figure{
			Name: p.Name, Note: p.Note,
			SVG:     template.HTML(p.chart.SVG()), //nolint:gosec // plots escapes what it writes
			Numbers: link{"CSV", embedded([]byte(p.chart.CSV()), mediaType(file)), file},
		})
	}
	return list
}

// pictures returns what can be drawn of r and of a timeline, if there is one.
func pictures(r *result.Result, with Extras) []picture {
	list := []picture{latencyCurve(r)}
	if of := with.Timeline; of != nil && len(of.Moments) > 0 {
		t := timeline{of}
		for _, p := range []picture{
			latencyPicture(r, t), deliveredPicture(r, t), t.connectionsPicture(), t.stormPicture(), memoryPicture(r, t), machinePicture(r, t), cpuPicture(r, t),
		} {
			if with.Course != "" {
				p.Note = strings.TrimPrefix(p.Note+"; of "+with.Course+", the run nearest to the medians", "; ")
			}
			list = append(list, p)
		}
	}
	return append(list, connectCurve(r))
}

// timeline draws what was seen of an experiment as it went.
type timeline struct{ *result.Timeline }

// over returns a chart of the timeline, with its phases. Lines in which nothing was
// measured are left out.
func (t timeline) over(y plots.Axis, lines ...plots.Line) plots.Chart {
	c := plots.Chart{X: plots.Axis{Name: "seconds", Unit: plots.Elapsed}, Y: y}
	for _, s := range t.Phases() {
		c.Bands = append(c.Bands, plots.Band{Name: s.Phase, From: s.From, To: s.To})
	}
	for _, l := range lines {
		if len(l.Points) > 0 {
			c.Lines = append(c.Lines, l)
		}
	}
	return c
}

// line returns a figure of all moments that have it. Of one moment without it, such
// as the short one at the end of a phase, the picture makes no gap.
func (t timeline) line(name string, of func(result.Moment) result.Figure) plots.Line {
	l := plots.Line{Name: name}
	for _, m := range t.Moments {
		if y, ok := of(m).Value(); ok {
			l.Points = append(l.Points, plots.Point{X: m.Seconds, Y: y})
		}
	}
	return l
}

// lineIf does the same for what is worth a line only if it ever happened.
func (t timeline) lineIf(name string, of func(result.Moment) result.Figure) plots.Line {
	if t.most(of) > 0 {
		return t.line(name, of)
	}
	return plots.Line{Name: name}
}

// most returns the highest of a figure, 0 if none is above.
func (t timeline) most(of func(result.Moment) result.Figure) (most float64) {
	for _, m := range t.Moments {
		v, _ := of(m).Value()
		most = max(most, v)
	}
	return most
}

// each returns what a moment stands for: "each second", or of a long run "every 1 to
// 4 seconds".
func (t timeline) each() string {
	var steps []float64
	for i := 1; i < len(t.Moments); i++ {
		steps = append(steps, t.Moments[i].Seconds-t.Moments[i-1].Seconds)
	}
	if len(steps) == 0 {
		return "at one moment"
	}
	slices.Sort(steps)
	low, high := math.Round(steps[len(steps)/10]), math.Round(steps[len(steps)-1-len(steps)/10])
	switch {
	case high <= 1:
		return "each second"
	case low >= high:
		return fmt.Sprintf("every %.0f seconds", high)
	}
	return fmt.Sprintf("every %.0f to %.0f seconds", max(low, 1), high)
}

func latencyPicture(r *result.Result, t timeline) picture {
	name, from := "Latency over time", "from due to received, "
	if r.Service != nil {
		name, from = "Service time over time", "from sent to received, "
	}
	return picture{
		name, from + t.each(),
		t.over(plots.Axis{Name: "milliseconds", Unit: plots.Millis, Log: true},
			t.line("p50", func(m result.Moment) result.Figure { return m.Latency.P50 }),
			t.line("p99", func(m result.Moment) result.Figure { return m.Latency.P99 }),
			t.line("of it the generator's lateness, p99", func(m result.Moment) result.Figure { return m.Late.P99 })),
	}
}

func deliveredPicture(r *result.Result, t timeline) picture {
	p := picture{Name: "Messages delivered per second"}
	if _, ok := r.Messages.Sent.Value(); !ok && t.most(func(m result.Moment) result.Figure { return m.Delivered }) == 0 {
		return p // none were to be
	}
	delivered := t.line("delivered", func(m result.Moment) result.Figure { return m.DeliveredPerSecond })
	p.chart = t.over(plots.Axis{Name: "messages per second"}, append(t.refusedLines(r.Deliveries()), delivered, askedLine(r, t))...)
	var notes []string
	if _, ok := r.Messages.Delivered.Value(); ok {
		notes = append(notes, r.Messages.Delivered.Text(result.UnitCount)+" in all")
	}
	if _, ok := r.Messages.Missing.Value(); ok {
		notes = append(notes, r.Messages.Missing.Text(result.UnitCount)+" missing")
	}
	p.Note = strings.Join(notes, ", ")
	return p
}

// refusedLines returns what was sent and what was refused in each second, each message
// for so many deliveries, if any was refused: else what was sent is what was asked for.
func (t timeline) refusedLines(each float64) []plots.Line {
	refused := func(m result.Moment) result.Figure { return m.Refused }
	if t.most(refused) == 0 {
		return nil
	}
	lost := plots.Line{Name: "refused"}
	for i := 1; i < len(t.Moments); i++ {
		before, m := t.Moments[i-1], t.Moments[i]
		span := m.Seconds - before.Seconds
		if n, known := m.Refused.Minus(before.Refused).Value(); known && span >= leastSpan {
			lost.Points = append(lost.Points, plots.Point{X: m.Seconds, Y: each * n / span})
		}
	}
	return []plots.Line{t.line("sent", func(m result.Moment) result.Figure { return m.SentPerSecond.Times(each) }), lost}
}

// leastSpan is the shortest time, in seconds, that says something of a rate.
const leastSpan = 0.25

// askedLine returns the rate that was asked for, over the phase of the messages:
// for rooms and followers, that of the deliveries.
func askedLine(r *result.Result, t timeline) plots.Line {
	l := plots.Line{Name: "asked", Aside: true}
	asked := r.Messages.AskedPerSecond
	y, ok := asked.Times(r.Deliveries()).Value()
	for _, s := range t.Phases() {
		if ok && s.Phase == "messages" {
			l.Points = append(l.Points, plots.Point{X: s.From, Y: y}, plots.Point{X: s.To, Y: y})
		}
	}
	return l
}

func (t timeline) connectionsPicture() picture {
	return picture{
		"Connections", "open, as the clients count them",
		t.over(plots.Axis{Name: "connections"},
			t.line("open", func(m result.Moment) result.Figure { return m.Connected }),
			t.lineIf("closed", func(m result.Moment) result.Figure { return m.Closed }),
			t.lineIf("failed", func(m result.Moment) result.Figure { return m.Failed })),
	}
}

// stormPicture shows how connections came back, if any tried to. What was opened
// before the first attempt is left out: it came for the first time.
func (t timeline) stormPicture() picture {
	p := picture{Name: "Connections that come back", Note: "per second, from the first attempt on"}
	if t.most(func(m result.Moment) result.Figure { return m.AttemptsPerSecond }) > 0 {
		p.chart = t.over(plots.Axis{Name: "per second"},
			t.line("opened", func(m result.Moment) result.Figure {
				if n, _ := m.Attempts.Value(); n == 0 {
					return result.Figure{}
				}
				return m.ConnectedPerSecond
			}),
			t.line("attempts to return", func(m result.Moment) result.Figure { return m.AttemptsPerSecond }))
	}
	return p
}

func memoryPicture(r *result.Result, t timeline) picture {
	return picture{
		"Memory of the server", servedBy(r, "resident"),
		t.over(plots.Axis{Name: "bytes", Unit: plots.Bytes}, t.line("", func(m result.Moment) result.Figure { return m.Memory })),
	}
}

// servedBy returns of how many servers something is, if they are several.
func servedBy(r *result.Result, what string) string {
	if n, _ := r.Processes.Servers.Value(); n > 1 {
		return what + ", of " + r.Processes.Servers.Text(result.UnitCount) + " servers together"
	}
	return what
}

// machinePicture shows the memory of the whole machine, where connections and the
// server explain that it grew, and it grew by so much that it shows something.
func machinePicture(r *result.Result, t timeline) picture {
	const (
		least = 0.1     // of all that was in use
		share = 0.5     // of the growth that must be explained
		ends  = 8 << 10 // bytes, of what the kernel takes for both ends of a connection
	)
	p := picture{Name: "Memory of the machine", Note: "in use by all that runs on it, kernel and clients included"}
	line := t.line("", func(m result.Moment) result.Figure { return m.Machine })
	low, high := math.Inf(1), 0.0
	for _, q := range line.Points {
		low, high = min(low, q.Y), max(high, q.Y)
	}
	kernel, _ := r.Connections.Established.Times(ends).Value()
	server, _ := r.Memory.RSSPeak.Minus(r.Memory.RSSStart).Value()
	if grown := high - low; grown >= least*high && kernel+server >= share*grown {
		p.chart = t.over(plots.Axis{Name: "bytes", Unit: plots.Bytes}, line)
	}
	return p
}

// partNames are the parts whose processor time a timeline may know, in the order of
// the legend.
var partNames = []struct{ role, name string }{{"server", "server"}, {"router", "router"}, {"flood", "clients"}, {"msggen", "generator"}}

func cpuPicture(r *result.Result, t timeline) picture {
	var lines []plots.Line
	for _, part := range partNames {
		lines = append(lines, t.line(part.name, func(m result.Moment) result.Figure { return m.CPU[part.role] }))
	}
	p := picture{"CPU by part", "processors in use", t.over(plots.Axis{Name: "processors", Least: 0.1}, lines...)}
	if r.Environment != nil && r.Environment.Cores > 0 {
		p.Note += fmt.Sprintf(", of %d", r.Environment.Cores)
	}
	return p
}
