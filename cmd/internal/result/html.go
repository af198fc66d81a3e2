package result

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

//go:embed report.html.tmpl
var reportText string

var reportTemplate = template.Must(template.New("report").Parse(reportText))

// WriteHTML writes r as one page that needs no script and no network: the
// verdict, the picture if png is not empty, the table, settings and environment.
func (r *Result) WriteHTML(w io.Writer, png []byte) error {
	page := struct {
		Title       string
		Facts       []row
		Verdict     string
		Caveats     []string
		Picture     template.URL
		Sections    []section
		Settings    []named
		Environment []named
		ProcessHead []string
		Processes   [][]string
	}{
		Title:       r.title(),
		Facts:       r.facts(),
		Verdict:     r.verdict(),
		Caveats:     r.caveats(),
		Picture:     embedded(png),
		Sections:    r.sections(),
		Settings:    settingsOf(r.Settings),
		Environment: r.Environment.facts(),
		ProcessHead: processHead,
		Processes:   r.processRows(),
	}
	if err := reportTemplate.Execute(w, page); err != nil {
		return fmt.Errorf("result: cannot write the report: %w", err)
	}
	return nil
}

// facts returns the figures that people look for first.
func (r *Result) facts() []row {
	var facts []row
	for _, fact := range []named{
		{"memory.bytes_per_connection", "memory per connection"},
		{"connect.per_second", "connections per second"},
		{"messages.delivered_per_second", "messages delivered"},
		{"messages.missing", "missing"},
		{"latency_ms.p99", "p99 latency"},
	} {
		m, _ := Lookup(fact.Name)
		if one := rowOf(fact.Value, m.Of(r), m.Unit); one.Number != NotMeasured {
			facts = append(facts, one)
		}
	}
	return facts
}

// embedded returns a picture as a link to itself; "" if there is none.
func embedded(png []byte) template.URL {
	if len(png) == 0 {
		return ""
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png)) // base64 of our own making
}
