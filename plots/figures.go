package plots

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// figure is something that a log knows of a moment.
type figure int

const (
	memory      figure = iota // kilobytes
	connections               // established
	closed                    // connections closed since the start
	received                  // chunks each second, by flood
	sent                      // messages each second, by msggen
	asked
	refused
	latency50 // milliseconds from due to received, by flood
	latency99
	late50 // milliseconds from due to sent, by msggen
	late99
	files // open, which no panel shows
	figureCount
)

// look distinguishes the lines of one log in a panel; logs differ in colour.
type look int

const (
	solid look = iota
	pale
	dotted
)

// strand is a figure as a line of a panel.
type strand struct {
	figure figure
	name   string // in the panel's key
	look   look
}

// panel is one of the plot areas, which share their x axis.
type panel struct {
	label   string
	strands []strand // the first is drawn last, over the others
	data    extent
	unit    float64 // what the axis counts in: 1024 for MiB of kilobytes
	axis    func(e extent, maxTicks int) axis
}

// Where pictures of one, two and more panels are large enough to be read.
const (
	twoPanelHeight = 450
	panelHeight    = 150 // of each further one
	leastPanel     = 100 // what a panel of a picture whose height was asked needs of it
)

// panelsOf returns a panel for each figure that the logs have, from top to bottom.
func panelsOf(surveys []survey) (panels []panel) {
	all := [...]panel{
		{label: "Mem (KB)", strands: []strand{{memory, "", solid}}, axis: zoomedAxis},
		{label: "Connections", strands: []strand{{connections, "connected", solid}, {closed, "closed", dotted}}, axis: zoomedAxis},
		{label: "Chunks/s", strands: []strand{{received, "received", solid}, {sent, "sent", solid}, {asked, "asked", pale}, {refused, "refused", dotted}}, axis: zeroAxis},
		{label: "Latency (ms)", strands: []strand{{latency50, "p50", solid}, {late50, "p50", solid}, {latency99, "p99", pale}, {late99, "p99", pale}}, axis: millisAxis},
	}
	for _, p := range all {
		p.unit = 1
		p.strands = slices.DeleteFunc(p.strands, func(s strand) bool {
			e := extentOf(surveys, s.figure)
			// Nothing refused and nothing closed are nothing to look at.
			return !e.known || s.look == dotted && e.high == 0
		})
		for _, s := range p.strands {
			p.data.join(extentOf(surveys, s.figure))
		}
		if len(p.strands) > 0 {
			panels = append(panels, p.named())
		}
	}
	return panels
}

// named returns the panel with a label for its contents.
func (p panel) named() panel {
	switch {
	case p.has(sent) || p.has(asked):
		p.label = "Messages/s"
	case p.has(late50) && !p.has(latency50):
		p.label = "Sent late (ms)"
	}
	return p
}

func (p panel) has(f figure) bool {
	return slices.ContainsFunc(p.strands, func(s strand) bool { return s.figure == f })
}

func extentOf(surveys []survey, f figure) (e extent) {
	for _, s := range surveys {
		e.join(s.figures[f].extent)
	}
	return e
}

// inMebibytes counts memory in MiB, and if these are many, in GiB: where
// kilobytes would be numbers of seven digits.
func (p panel) inMebibytes() panel {
	const mib, gib = 1024, 1024 * 1024
	switch {
	case !p.has(memory) || p.data.high < 1_000_000:
	case p.data.high < 100*gib:
		p.label, p.unit = "Mem (MiB)", mib
	default:
		p.label, p.unit = "Mem (GiB)", gib
	}
	return p
}

// yAxis marks the range of the panel's data in its unit.
func (p panel) yAxis(maxTicks int) axis {
	e := p.data
	e.low, e.high, e.least = e.low/p.unit, e.high/p.unit, e.least/p.unit
	a := p.axis(e, maxTicks)
	a.low, a.high = a.low*p.unit, a.high*p.unit
	for i := range a.ticks {
		a.ticks[i].value *= p.unit
	}
	return a
}

// key returns what the looks of the panel's lines stand for, if there are several.
func (p panel) key() (entries []strand) {
	for _, s := range p.strands {
		i := slices.IndexFunc(entries, func(e strand) bool { return e.look == s.look })
		switch {
		case i < 0:
			entries = append(entries, s)
		case entries[i].name != s.name:
			entries[i].name += ", " + s.name
		}
	}
	if len(entries) == 1 && !strings.Contains(entries[0].name, ", ") {
		return nil
	}
	return entries
}

// choosePanels takes what there is and what there is room for. Of memory logs
// it is the memory alone below 450 pixels, as in the article. A picture whose
// height was not asked for is as high as its panels need.
func (p *picture) choosePanels(height int) error {
	panels := panelsOf(p.surveys)
	allMemlog := !slices.ContainsFunc(p.surveys, func(s survey) bool { return !s.figures[memory].known })
	switch {
	case height > 0:
		p.height = float64(height)
	case allMemlog:
		p.height = DefaultHeight
	default:
		p.height = float64(DefaultHeight + panelHeight*max(0, len(panels)-1))
	}
	if len(panels) > 1 && panels[0].has(memory) && panels[1].has(connections) && p.height < twoPanelHeight {
		panels = slices.Delete(panels, 1, 2)
	}
	for len(panels) > 1 && float64(len(panels)*leastPanel) > p.height {
		panels = panels[:len(panels)-1]
	}
	p.panels = panels
	if p.plain {
		for i := range panels {
			if panels[i].has(memory) || panels[i].has(connections) {
				panels[i].axis = zeroAxis
			}
		}
	}
	if len(panels) > 0 && !p.article {
		panels[0] = panels[0].inMebibytes()
	}
	for i, s := range p.surveys {
		if !slices.ContainsFunc(panels, func(p panel) bool { return p.shows(s) }) {
			return p.unseen(i)
		}
	}
	return nil
}

func (p panel) shows(s survey) bool {
	return slices.ContainsFunc(p.strands, func(line strand) bool { return s.figures[line.figure].known })
}

// unseen returns the error for a log with nothing to show.
func (p *picture) unseen(i int) error {
	var knows []string
	for _, panel := range panelsOf(p.surveys[i : i+1]) {
		knows = append(knows, strings.ToLower(panel.label))
	}
	if len(knows) > 0 {
		return fmt.Errorf("plots: %s knows only %s, for which a picture beside the other logs must be higher than %.0f pixels: %w",
			p.names[i], strings.Join(knows, " and "), p.height, ErrNoData)
	}
	return fmt.Errorf("plots: %s has %d samples, but every figure is unknown in all of them: %w",
		p.names[i], p.surveys[i].lines, ErrNoData)
}

// DefaultTitle returns a title in the article's manner: "Mem usage with up to
// 10,001 connections", or the name of the log where no connection was counted.
func DefaultTitle(logs []*Log) string {
	var most, mem, generated extent
	for _, l := range logs {
		most.join(l.figures[connections].extent)
		mem.join(l.figures[memory].extent)
		generated.join(l.figures[sent].extent)
	}
	title := "Mem usage"
	switch {
	case mem.known || !most.known && !generated.known:
	case most.known:
		title = "Messages received"
	default:
		title = "Messages sent"
	}
	switch {
	case most.high == 1:
		return title + " with up to 1 connection"
	case most.high > 0:
		return title + " with up to " + thousands(strconv.FormatFloat(most.high, 'f', 0, 64)) + " connections"
	case len(logs) == 1 && logs[0].Name != "":
		return title + ": " + logs[0].Name
	}
	return title
}
