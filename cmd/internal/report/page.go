package report

import (
	"embed"
	"encoding/base64"
	"html/template"
	"path"

	"example.org/comet/cmd/internal/result"
)

//go:embed *.html.tmpl
var templates embed.FS

// pageFile has what pages have in common.
const pageFile = "page.html.tmpl"

// parsed returns the first of the files as a template, which may use those that the
// others define.
func parsed(files ...string) *template.Template {
	funcs := template.FuncMap{"given": result.Setting, "bars": barsOf}
	return template.Must(template.New(files[0]).Funcs(funcs).ParseFS(templates, files...))
}

// page is what the pages have in common.
type page struct {
	Title       string
	Where       []string
	Figures     []figure
	Command     string
	Settings    []result.Fact
	Environment []result.Fact
	Downloads   []link
}

// rows are a table with a column for each word of its head.
type rows struct {
	Title string
	Head  []string
	Rows  [][]string
}

// agentRows returns a row for each agent.
func agentRows(agents []result.Agent) rows {
	head, list := result.AgentRows(agents)
	return rows{"The agents one by one", head, list}
}

// File is one to be saved from a page.
type File struct {
	Name    string
	Content []byte
}

// mostSaved is how long, in bytes, a file may be that a page carries. The folder
// has longer ones.
const mostSaved = 4 << 20

// link is one of a page; with a File it saves one by that name.
type link struct {
	Text string
	To   template.URL
	File string
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
