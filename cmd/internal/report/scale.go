package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"path"
	"slices"
	"strings"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
)

//go:embed scale.html.tmpl
var scaleText string

// scaleTemplate looks like the report of one experiment.
var scaleTemplate = template.Must(template.Must(reportTemplate.Clone()).New("scale").Parse(scaleText))

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
	page := struct {
		Title       string
		Where       []string
		Caveats     []string
		Figures     []figure
		Columns     []result.Column
		Lines       []line
		Command     string
		Settings    []result.Fact
		Environment []result.Fact
		Downloads   []link
	}{
		Title:       s.Title(),
		Where:       s.Environment.Where("comet bench, a series"),
		Caveats:     s.Doubts(),
		Figures:     figuresOf(picturesOf(DrawScale(s))),
		Columns:     s.Columns(),
		Command:     commandLine(with.Command),
		Settings:    slices.DeleteFunc(result.SettingsOf(s.Settings), func(n result.Fact) bool { return n.Name == "connections" }),
		Environment: s.Environment.Facts(),
		Downloads:   links(append([]File{{result.ScaleFileName, text}}, with.Files...)),
	}
	for i, cells := range s.Cells() {
		page.Lines = append(page.Lines, line{path.Join(s.Steps[i].Folder, "report.html"), cells})
	}
	if err := scaleTemplate.Execute(w, page); err != nil {
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
