package result

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"

	"example.org/comet/plots"
)

//go:embed capacity.html.tmpl
var capacityText string

// capacityTemplate looks like the report of one experiment.
var capacityTemplate = template.Must(template.Must(reportTemplate.Clone()).New("capacity").Parse(capacityText))

// WriteHTML writes c as one page that needs nothing else: the answer, the curve, and
// the steps in their order. Of with it takes the command and the files.
func (c *Capacity) WriteHTML(w io.Writer, with Extras) error {
	text, err := marshal(c, "  ")
	if err != nil {
		return fmt.Errorf("result: cannot write the search as JSON: %w", err)
	}
	page := struct {
		Title       string
		Where       []string
		Sentences   []string
		Targets     []string
		Figures     []figure
		Columns     []scaleColumn
		Lines       [][]string
		Command     string
		Settings    []named
		Environment []named
		Downloads   []link
	}{
		Title: c.Title(), Where: c.Environment.where("comet capacity"), Sentences: c.Sentences(), Targets: c.Targets,
		Figures: figuresOf(c.pictures()), Columns: c.columns(),
		Command: commandLine(with.Command), Settings: settingsOf(c.Settings), Environment: c.Environment.facts(),
		Downloads: links(append([]File{{CapacityFileName, text}}, with.Files...)),
	}
	for _, s := range c.Steps {
		page.Lines = append(page.Lines, s.cells())
	}
	if err := capacityTemplate.Execute(w, page); err != nil {
		return fmt.Errorf("result: cannot write the report of the search: %w", err)
	}
	return nil
}

// pictures returns the curve as charts. Latency spans orders of magnitude, and that
// nothing failed is nothing to look at.
func (c *Capacity) pictures() []picture {
	list := picturesOf(c.Drawing())
	list[0].chart.Y.Log = true
	if !slices.ContainsFunc(c.Steps, func(s CapacityStep) bool { n, _ := s.Errors.Value(); return n > 0 }) {
		list = slices.Delete(list, 1, 2)
	}
	return list
}

// Title returns a line about what was searched for.
func (c *Capacity) Title() string {
	if c.Search == SearchRate {
		return "How many messages a second does " + c.Server + " deliver?"
	}
	return "How many connections does " + c.Server + " hold?"
}

func (c *Capacity) columns() []scaleColumn {
	return []scaleColumn{
		{Name: c.Search, In: map[string]string{SearchRate: "/s"}[c.Search]},
		{Name: "held", In: "s"},
		{Name: "outcome"},
		{Name: "errors"},
		{Name: "loss"},
		{Name: "p50", In: "ms"},
		{Name: "p99", In: "ms"},
		{Name: "delivered", In: "/s"},
		{Name: "memory", In: "B/conn"},
		{Name: "server", In: "cores"},
	}
}

// cells writes the figures without their units, which the heading says.
func (s CapacityStep) cells() []string {
	outcome := "ok"
	if !s.OK {
		outcome = "fails"
	}
	cells := []string{group(s.Load), significant(s.HoldSeconds), outcome}
	for _, one := range []struct {
		Figure
		Unit
	}{
		{s.Errors, UnitCount},
		{s.Loss, UnitShare},
		{s.P50, UnitMillis},
		{s.P99, UnitMillis},
		{s.DeliveredPerSecond, UnitPerSecond},
		{s.BytesPerConnection, UnitCount},
		{s.ServerCores, UnitCores},
	} {
		number, in := one.Format(one.Unit)
		if one.Unit == UnitShare && in != "" {
			number += " " + in
		}
		cells = append(cells, number)
	}
	return cells
}

// Drawing returns the curve: what each load was seen to cost, in the last of its
// trials.
func (c *Capacity) Drawing() plots.Scale {
	last := make(map[float64]CapacityStep)
	for _, s := range c.Steps {
		last[s.Load] = s
	}
	steps := slices.SortedFunc(maps.Values(last), func(a, b CapacityStep) int { return cmp.Compare(a.Load, b.Load) })
	picture := plots.Scale{Title: c.Title(), Label: "Connections"}
	if c.Search == SearchRate {
		picture.Label = "Messages per second"
	}
	line := func(name string, of func(CapacityStep) Figure) plots.ScaleLine {
		l := plots.ScaleLine{Name: name}
		for _, s := range steps {
			value, ok := of(s).Value()
			if !ok {
				value = math.NaN()
			}
			l.Values = append(l.Values, value)
		}
		return l
	}
	for _, s := range steps {
		picture.At = append(picture.At, s.Load)
	}
	picture.Panels = []plots.ScalePanel{
		{Label: "Latency (ms)", Lines: []plots.ScaleLine{
			line("p50", func(s CapacityStep) Figure { return s.P50 }),
			line("p99", func(s CapacityStep) Figure { return s.P99 }),
		}},
		{Label: "Errors", Lines: []plots.ScaleLine{line("errors", func(s CapacityStep) Figure { return s.Errors })}},
		{Label: "Messages delivered per second", Lines: []plots.ScaleLine{line("delivered", func(s CapacityStep) Figure { return s.DeliveredPerSecond })}},
		{Label: "Processors that the server uses", Lines: []plots.ScaleLine{line("server", func(s CapacityStep) Figure { return s.ServerCores })}},
	}
	return picture
}
