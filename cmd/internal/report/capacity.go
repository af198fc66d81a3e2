package report

import (
	"fmt"
	"io"
	"slices"

	"example.org/comet/cmd/internal/result"
)

var capacityTemplate = parsed("capacity.html.tmpl", pageFile)

// WriteCapacity writes c as one page that needs nothing else: the answer, the curve, and
// the steps in their order. Of with it takes the command and the files.
func WriteCapacity(w io.Writer, c *result.Capacity, with Extras) error {
	text, err := result.Marshal(c, "  ")
	if err != nil {
		return fmt.Errorf("report: cannot write the search as JSON: %w", err)
	}
	content := struct {
		page
		Sentences []string
		Targets   []string
		Columns   []result.Column
		Lines     [][]string
		Agents    rows
	}{
		page: page{
			Title:       c.Title(),
			Where:       c.Environment.Where("comet capacity"),
			Figures:     figuresOf(capacityPictures(c)),
			Command:     commandLine(with.Command),
			Settings:    result.SettingsOf(c.Settings),
			Environment: c.Environment.Facts(),
			Downloads:   links(append([]File{{result.CapacityFileName, text}}, with.Files...)),
		},
		Sentences: c.Sentences(),
		Targets:   c.Targets,
		Columns:   capacityColumns(c),
		Agents:    agentRows(c.Agents),
	}
	for _, s := range c.Steps {
		content.Lines = append(content.Lines, capacityCells(s))
	}
	if err := capacityTemplate.Execute(w, content); err != nil {
		return fmt.Errorf("report: cannot write the report of the search: %w", err)
	}
	return nil
}

// capacityPictures returns the curve as charts. Latency spans orders of magnitude, and that
// nothing failed is nothing to look at.
func capacityPictures(c *result.Capacity) []picture {
	list := picturesOf(DrawCapacity(c))
	list[0].chart.Y.Log = true
	if !slices.ContainsFunc(c.Steps, func(s result.CapacityStep) bool { n, _ := s.Errors.Value(); return n > 0 }) {
		list = slices.Delete(list, 1, 2)
	}
	return list
}

func capacityColumns(c *result.Capacity) []result.Column {
	return []result.Column{
		{Name: c.Search, In: map[string]string{result.SearchRate: "/s"}[c.Search]},
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

// capacityCells writes the figures of a step without their units, which the heading says.
func capacityCells(s result.CapacityStep) []string {
	outcome := "ok"
	if !s.OK {
		outcome = "fails"
	}
	held, _ := result.Of(s.HoldSeconds).Format(result.UnitSeconds)
	cells := []string{result.Of(s.Load).Text(result.UnitCount), held, outcome}
	for _, one := range []struct {
		result.Figure
		result.Unit
	}{
		{s.Errors, result.UnitCount},
		{s.Loss, result.UnitShare},
		{s.P50, result.UnitMillis},
		{s.P99, result.UnitMillis},
		{s.DeliveredPerSecond, result.UnitPerSecond},
		{s.BytesPerConnection, result.UnitCount},
		{s.ServerCores, result.UnitCores},
	} {
		number, in := one.Format(one.Unit)
		if one.Unit == result.UnitShare && in != "" {
			number += " " + in
		}
		cells = append(cells, number)
	}
	return cells
}
