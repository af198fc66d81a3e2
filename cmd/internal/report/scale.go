package report

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
)

var scaleTemplate = parsed("scale.html.tmpl", pageFile)

// WriteScale writes s as one page that needs nothing else: pictures, and the table,
// whose lines link to the reports of the steps. Of with it takes the command and
// the files.
func WriteScale(w io.Writer, s *result.Scale, with Extras) error {
	type line struct {
		Report string
		Cells  []string
	}
	text, err := result.Marshal(s, "  ")
	if err != nil {
		return fmt.Errorf("report: cannot write the series as JSON: %w", err)
	}
	content := struct {
		page
		Caveats []string
		Columns []result.Column
		Lines   []line
	}{
		page: page{
			Title:       s.Title(),
			Where:       s.Environment.Where("comet bench, a series"),
			Figures:     figuresOf(picturesOf(DrawScale(s))),
			Command:     commandLine(with.Command),
			Settings:    slices.DeleteFunc(result.SettingsOf(s.Settings), func(n result.Fact) bool { return n.Name == "connections" }),
			Environment: s.Environment.Facts(),
			Downloads:   links(append([]File{{result.ScaleFileName, text}}, with.Files...)),
		},
		Caveats: s.Doubts(),
		Columns: s.Columns(),
	}
	for i, cells := range s.Cells() {
		content.Lines = append(content.Lines, line{path.Join(s.Steps[i].Folder, "report.html"), cells})
	}
	if err := scaleTemplate.Execute(w, content); err != nil {
		return fmt.Errorf("report: cannot write the report of the series: %w", err)
	}
	return nil
}

// picturesOf returns the panels of a drawing as charts.
func picturesOf(drawing plots.Scale) (list []picture) {
	for _, panel := range drawing.Panels {
		name, unit, _ := strings.Cut(panel.Label, " (")
		unit, note, _ := strings.Cut(unit, ")")
		p := picture{Name: name, Note: strings.Trim(unit+note, ", ")}
		y := plots.Axis{Name: unit}
		switch unit {
		case "bytes":
			y.Unit = plots.Bytes
		case "ms":
			y.Unit = plots.Millis
		}
		p.chart = plots.Chart{X: plots.Axis{Name: strings.ToLower(drawing.Label), Log: true}, Y: y}
		for _, l := range panel.Lines {
			line := plots.Line{Name: l.Name, Marked: true}
			for i, v := range l.Values {
				line.Points = append(line.Points, plots.Point{X: drawing.At[i], Y: v})
			}
			p.chart.Lines = append(p.chart.Lines, line)
		}
		list = append(list, p)
	}
	return list
}
