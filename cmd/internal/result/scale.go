package result

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// ScaleFileName is what a series is called in its folder.
const ScaleFileName = "scale.json"

// Scale is a series: the same experiment with a growing number of connections.
type Scale struct {
	// Schema is set by Write.
	Schema int `json:"schema"`
	// Asked lists the numbers of connections to try, Steps the experiments that
	// established at least one.
	Asked []int  `json:"asked"`
	Steps []Step `json:"steps"`
	// Interrupted says that the series ended before its planned end,
	// InterruptedBy at which step and why.
	Interrupted   bool         `json:"interrupted"`
	InterruptedBy string       `json:"interrupted_by,omitempty"`
	Environment   *Environment `json:"environment"`
	// Settings are those that all steps have in common.
	Settings map[string]any `json:"settings"`
}

// Step holds the figures by which one experiment of a series is compared, under
// the keys of its result.json.
type Step struct {
	// Folder holds its whole result, below the folder of the series.
	Folder        string        `json:"folder"`
	Targets       Outcomes      `json:"targets"`
	Connections   Connections   `json:"connections"`
	Connect       Connect       `json:"connect"`
	Memory        Memory        `json:"memory"`
	Messages      Messages      `json:"messages"`
	Latency       Latency       `json:"latency_ms"`
	Service       *Quantiles    `json:"service_ms,omitempty"`
	CPU           CPU           `json:"cpu"`
	CPUPerMessage CPUPerMessage `json:"cpu_us_per_message"`
	Processes     Processes     `json:"processes"`
	LimitedBy     Limits        `json:"limited_by"`
	Interrupted   bool          `json:"interrupted"`
}

// CPUPerMessage is the CPU microseconds for each message delivered.
type CPUPerMessage struct {
	Server Figure `json:"server"`
	Router Figure `json:"router"`
	Flood  Figure `json:"flood"`
}

// Add appends an experiment, unless it established no connection.
func (s *Scale) Add(folder string, r *Result) {
	if n, _ := r.Connections.Established.Value(); n <= 0 {
		return
	}
	memory, processes := r.Memory, r.Processes
	memory.Slabs, processes.List = nil, nil // long, and in the step's own file
	s.Steps = append(s.Steps, Step{
		Folder: folder, Targets: r.Targets, Connections: r.Connections, Connect: r.Connect, Memory: memory, Messages: r.Messages,
		Latency: r.Latency, Service: r.Service, Processes: processes, LimitedBy: r.LimitedBy, Interrupted: r.Interrupted,
		CPU: r.CPU, CPUPerMessage: CPUPerMessage{r.CPUPerMessage(r.CPU.Server), r.CPUPerMessage(r.CPU.Router), r.CPUPerMessage(r.CPU.Flood)},
	})
}

// Write writes s as scale.json into folder, at once or not at all.
func (s *Scale) Write(folder string) error {
	s.Schema = Schema
	if s.Steps == nil {
		s.Steps = []Step{} // a list, never null
	}
	return writeJSON(filepath.Join(folder, ScaleFileName), s)
}

// Result returns the step as the catalogue reads it.
func (s *Step) Result() *Result {
	return &Result{
		Connections: s.Connections, Connect: s.Connect, Memory: s.Memory, Messages: s.Messages,
		Latency: s.Latency, Service: s.Service, CPU: s.CPU, Processes: s.Processes,
	}
}

// Title returns a line about what the series measured.
func (s *Scale) Title() string {
	if len(s.Asked) == 0 {
		return "Connections"
	}
	first, last := float64(s.Asked[0]), float64(s.Asked[len(s.Asked)-1])
	title := "From " + group(first) + " to " + connections(last)
	if first == last {
		title = connections(first)
	}
	for _, step := range s.Steps {
		if _, ok := step.Messages.AskedPerSecond.Value(); ok {
			return title + ", " + askedRate(step.Messages, s.Settings)
		}
	}
	return title
}

// ByService reports whether messages had no due time (--rate max), so that there
// is service time instead of latency.
func (s *Scale) ByService() bool {
	return len(s.Steps) > 0 && !slices.ContainsFunc(s.Steps, func(step Step) bool { return step.Service == nil })
}

// latency returns the key of a percentile: of the service time where there is no
// latency.
func (s *Scale) latency(percentile string) string {
	if s.ByService() {
		return "service_ms." + percentile
	}
	return "latency_ms." + percentile
}

// Column is a column of the table: two lines of heading, which say the
// unit, and a metric.
type Column struct{ Name, In, key string }

// Columns returns the columns of the table.
func (s *Scale) Columns() []Column {
	service := ""
	if s.ByService() {
		service = "service "
	}
	return []Column{
		{"connections", "asked", "connections.asked"},
		{"connections", "made", "connections.established"},
		{"process", "B/conn", "memory.bytes_per_connection"},
		{"PSS", "B/conn", "memory.pss_per_connection"},
		{"kernel", "B/conn", "memory.kernel_bytes_per_connection"},
		{"connects", "/s", "connect.per_second"},
		{"connect", "s", "connect.seconds"},
		{"server", "µs/msg", "cpu_us_per_message.server"},
		{"router", "µs/msg", "cpu_us_per_message.router"},
		{"flood", "µs/msg", "cpu_us_per_message.flood"},
		{service + "p50", "ms", s.latency("p50")},
		{service + "p99", "ms", s.latency("p99")},
		{"delivered", "/s", "messages.delivered_per_second"},
	}
}

// cell writes the figure of a step without its unit, which the heading says.
func (c Column) cell(r *Result) string {
	m, _ := Lookup(c.key)
	unit := m.Unit
	if unit == UnitBytes {
		unit = UnitCount // never KiB
	}
	text, _ := m.Of(r).Format(unit)
	return text
}

// Cells returns the figures of the table, a row for each step.
func (s *Scale) Cells() [][]string {
	columns := s.Columns()
	rows := make([][]string, 0, len(s.Steps))
	for _, step := range s.Steps {
		row := make([]string, len(columns))
		for i, column := range columns {
			row[i] = column.cell(step.Result())
		}
		rows = append(rows, row)
	}
	return rows
}

// Table writes s for people: what ended it early or limits its figures, a line
// for each experiment, and the machine that it ran on.
func (s *Scale) Table(w io.Writer) error {
	columns := s.Columns()
	rows := [][]string{make([]string, len(columns)), make([]string, len(columns))}
	for i, column := range columns {
		rows[0][i], rows[1][i] = column.Name, column.In
	}
	rows = append(rows, s.Cells()...)
	var b strings.Builder
	b.WriteString(s.Title() + "\n\n")
	if sentences := s.Doubts(); len(sentences) > 0 {
		b.WriteString(strings.Join(sentences, "\n") + "\n\n")
	}
	if len(s.Steps) > 0 {
		b.WriteString(aligned(rows) + "\n")
	}
	if machine := s.Environment.machine(); machine != "" {
		b.WriteString("Measured on " + machine + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// aligned writes columns of figures, each to the right.
func aligned(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(&b, "%*s", widths[i]+2*min(i, 1), cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// caveats say in sentences how far the figures can be trusted.
func (s *Scale) caveats() []string {
	var sentences []string
	switch {
	case s.Interrupted && len(s.Steps) == 0:
		sentences = append(sentences, "Nothing was measured: "+oneLine(cmp.Or(s.InterruptedBy, "it was interrupted")))
	case s.Interrupted:
		sentences = append(sentences, "Stopped early: "+oneLine(cmp.Or(s.InterruptedBy, "it was interrupted")))
	}
	for _, step := range s.Steps {
		asked, _ := step.Connections.Asked.Value()
		if len(step.Targets.Missed()) > 0 {
			sentences = append(sentences, connections(asked)+": "+step.Targets.String())
		}
		for _, limit := range step.LimitedBy {
			sentences = append(sentences, connections(asked)+": "+oneLine(limit.String()))
		}
	}
	return sentences
}
