package report

import (
	"fmt"
	"html/template"
	"io"
	"net/url"
	"path"

	"example.org/comet/cmd/internal/result"
)

var reportTemplate = parsed("report.html.tmpl", pageFile)

// Extras are what a report shows besides figures. Each may be missing.
type Extras struct {
	Timeline *result.Timeline
	// Course is the run whose timeline that is, where the figures are the medians of
	// several.
	Course string
	// Command is what repeats the experiment: a program and its arguments.
	Command []string
	// Files can be saved from the page, besides those that it makes itself.
	Files []File
	// Runs are the folders of the runs that the figures are the medians of, as seen
	// from the folder of the report.
	Runs []string
}

// Write writes r as one page that needs no script and no network: what was
// measured, the verdict, pictures, tables, how to repeat it, and the numbers to save.
func Write(w io.Writer, r *result.Result, with Extras) error {
	files, err := downloads(r, with)
	if err != nil {
		return err
	}
	content := struct {
		page
		Verdict   string
		Targets   result.Outcomes
		Tiles     []tile
		Caveats   []string
		Measured  bool
		Sections  []result.Section
		Agents    rows
		Processes rows
		Runs      []link
	}{
		page: page{
			Title:       r.Title(),
			Where:       r.Environment.Where("comet bench"),
			Figures:     figuresOf(pictures(r, with)),
			Command:     commandLine(with.Command),
			Settings:    result.SettingsOf(r.Settings),
			Environment: r.Environment.Facts(),
			Downloads:   links(files),
		},
		Verdict:  r.Course(), // what became of targets stands below it
		Targets:  r.Targets,
		Tiles:    tiles(r),
		Caveats:  r.Doubts(),
		Measured: !r.Nothing(),
		Sections: r.Sections(),
		Agents:   agentRows(r.Processes.Agents),
	}
	head, list := r.ProcessRows()
	content.Processes = rows{"The processes one by one", head, list}
	for _, folder := range with.Runs {
		content.Runs = append(content.Runs, link{folder, template.URL((&url.URL{Path: path.Join(folder, "report.html")}).String()), ""}) //nolint:gosec // a path, escaped
	}
	if err := reportTemplate.Execute(w, content); err != nil {
		return fmt.Errorf("report: cannot write the report: %w", err)
	}
	return nil
}

// downloads returns the files that the page carries: the result, the timeline, and
// what it was given.
func downloads(r *result.Result, with Extras) ([]File, error) {
	text, err := result.Marshal(r, "  ")
	files := []File{{result.FileName, text}}
	if with.Timeline != nil && err == nil {
		text, err = result.Marshal(with.Timeline, "")
		files = append(files, File{result.TimelineFileName, text})
	}
	if err != nil {
		return nil, fmt.Errorf("report: cannot write what the report carries as JSON: %w", err)
	}
	return append(files, with.Files...), nil
}
