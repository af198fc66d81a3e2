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

// WriteHTML writes r as one page that needs nothing else, no script and no
// network: the table, the verdict, settings and environment, and the picture if
// png is not empty.
func (r *Result) WriteHTML(w io.Writer, png []byte) error {
	picture := ""
	if len(png) > 0 {
		picture = "data:image/png;base64," + base64.StdEncoding.EncodeToString(png)
	}
	page := struct {
		Title       string
		Facts       []row
		Verdict     []string
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
		Picture:     template.URL(picture), // base64 of our own making
		Sections:    r.sections(),
		Settings:    r.settings(),
		Environment: r.environment(),
		ProcessHead: processHead,
		Processes:   r.processRows(),
	}
	if err := reportTemplate.Execute(w, page); err != nil {
		return fmt.Errorf("result: cannot write the report: %w", err)
	}
	return nil
}

func (r *Result) title() string {
	n, _ := r.Connections.Asked.Format(UnitCount)
	title := n + " connections"
	if _, ok := r.Connections.Asked.Value(); !ok {
		title = "Connections"
	}
	if rate, unit := r.Messages.AskedPerSecond.Format(UnitPerSecond); rate != NotMeasured {
		title += ", " + rate + " messages" + unit
	}
	return title
}

// facts are the figures that people look for first.
func (r *Result) facts() []row {
	var facts []row
	for _, fact := range []struct {
		label  string
		figure Figure
		unit   Unit
	}{
		{"memory per connection", r.Memory.BytesPerConnection, UnitBytes},
		{"connects", r.Connect.PerSecond, UnitPerSecond},
		{"messages delivered", r.Messages.DeliveredPerSecond, UnitPerSecond},
		{"missing", r.Messages.Missing, UnitCount},
		{"p99 latency", r.Latency.P99, UnitMillis},
	} {
		if number, unit := fact.figure.Format(fact.unit); number != NotMeasured {
			facts = append(facts, row{fact.label, number, unit})
		}
	}
	return facts
}
