package report

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"path"

	"example.org/comet/cmd/internal/result"
)

//go:embed report.html.tmpl
var reportText string

var reportTemplate = template.Must(template.New("report").Parse(reportText))

// Extras are what a report shows besides figures. Each may be missing.
type Extras struct {
	Timeline *result.Timeline
	// Command is what repeats the experiment: a program and its arguments.
	Command []string
	// Files can be saved from the page, besides those that it makes itself.
	Files []File
	// Runs are the folders of the runs that the figures are the medians of, as seen
	// from the folder of the report.
	Runs []string
}

// File is one to be saved from a page.
type File struct {
	Name    string
	Content []byte
}

// mostSaved is how long, in bytes, a file may be that a page carries. The folder
// has longer ones.
const mostSaved = 4 << 20

// Write writes r as one page that needs no script and no network: what was
// measured, the verdict, pictures, tables, how to repeat it, and the numbers to save.
func Write(w io.Writer, r *result.Result, with Extras) error {
	page := struct {
		Title       string
		Where       []string
		Verdict     string
		Targets     result.Outcomes
		Tiles       []tile
		Figures     []figure
		Caveats     []string
		Measured    bool
		Sections    []result.Section
		Command     string
		Runs        []link
		Settings    []result.Fact
		Environment []result.Fact
		ProcessHead []string
		Processes   [][]string
		Downloads   []link
	}{
		Title:       r.Title(),
		Where:       r.Environment.Where("comet bench"),
		Verdict:     r.Course(), // what became of targets stands below it
		Targets:     r.Targets,
		Tiles:       tiles(r),
		Figures:     figuresOf(pictures(r, with.Timeline)),
		Caveats:     r.Doubts(),
		Measured:    !r.Nothing(),
		Sections:    r.Sections(),
		Command:     commandLine(with.Command),
		Settings:    result.SettingsOf(r.Settings),
		Environment: r.Environment.Facts(),
	}
	page.ProcessHead, page.Processes = r.ProcessRows()
	for _, folder := range with.Runs {
		page.Runs = append(page.Runs, link{folder, template.URL((&url.URL{Path: path.Join(folder, "report.html")}).String()), ""}) //nolint:gosec // a path, escaped
	}
	var err error
	if page.Downloads, err = downloads(r, with); err != nil {
		return err
	}
	if err := reportTemplate.Execute(w, page); err != nil {
		return fmt.Errorf("report: cannot write the report: %w", err)
	}
	return nil
}

// link is one of a page; with a File it saves one by that name.
type link struct {
	Text string
	To   template.URL
	File string
}

// downloads returns the files that the page carries: the result, the timeline, and
// what it was given.
func downloads(r *result.Result, with Extras) ([]link, error) {
	text, err := result.Marshal(r, "  ")
	files := []File{{result.FileName, text}}
	if with.Timeline != nil && err == nil {
		text, err = result.Marshal(with.Timeline, "")
		files = append(files, File{result.TimelineFileName, text})
	}
	if err != nil {
		return nil, fmt.Errorf("report: cannot write what the report carries as JSON: %w", err)
	}
	return links(append(files, with.Files...)), nil
}

// links returns a link for each file that has something in it and that a page can
// carry.
func links(files []File) (list []link) {
	for _, f := range files {
		if len(f.Content) > 0 && len(f.Content) <= mostSaved {
			list = append(list, link{f.Name, embedded(f.Content, mediaType(f.Name)), f.Name})
		}
	}
	return list
}

// mediaType returns what a browser is told of a file.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".json":
		return "application/json"
	case ".csv":
		return "text/csv"
	case ".png":
		return "image/png"
	}
	return "text/plain"
}

// embedded returns content as a link to itself; "" if there is none.
func embedded(content []byte, mediaType string) template.URL {
	if len(content) == 0 {
		return ""
	}
	return template.URL("data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(content)) // base64 of our own making
}
