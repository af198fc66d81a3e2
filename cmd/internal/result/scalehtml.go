package result

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"path"
	"slices"
)

//go:embed scale.html.tmpl
var scaleText string

// scaleTemplate looks like the report of one experiment.
var scaleTemplate = template.Must(template.Must(reportTemplate.Clone()).New("scale").Parse(scaleText))

// WriteHTML writes s as one page that needs nothing else: the picture if png is
// not empty, and the table, whose lines link to the reports of the steps.
func (s *Scale) WriteHTML(w io.Writer, png []byte) error {
	type line struct {
		Report string
		Cells  []string
	}
	page := struct {
		Title       string
		Verdict     []string
		Picture     template.URL
		Columns     []scaleColumn
		Lines       []line
		Settings    []named
		Environment []named
	}{
		Title:       s.Title(),
		Verdict:     s.caveats(),
		Columns:     s.columns(),
		Picture:     embedded(png),
		Settings:    slices.DeleteFunc(settingsOf(s.Settings), func(n named) bool { return n.Name == "connections" }),
		Environment: s.Environment.facts(),
	}
	for i, cells := range s.cells() {
		page.Lines = append(page.Lines, line{path.Join(s.Steps[i].Folder, "report.html"), cells})
	}
	if err := scaleTemplate.Execute(w, page); err != nil {
		return fmt.Errorf("result: cannot write the report of the series: %w", err)
	}
	return nil
}
