package result

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// ScaleFileName is what a series is called in its folder.
const ScaleFileName = "scale.json"

// Scale is a series: the same experiment with more and more connections.
type Scale struct {
	// Schema is set by Write.
	Schema int `json:"schema"`
	// Asked are the numbers of connections that were to be tried, Steps the
	// experiments in which at least one was established.
	Asked []int  `json:"asked"`
	Steps []Step `json:"steps"`
	// Interrupted tells that the series did not come to its planned end,
	// InterruptedBy at which step and why.
	Interrupted   bool         `json:"interrupted"`
	InterruptedBy string       `json:"interrupted_by,omitempty"`
	Environment   *Environment `json:"environment"`
	// Settings are those that all steps have in common.
	Settings map[string]any `json:"settings"`
}

// Step is what one experiment of a series is compared by, under the keys of its
// result.json.
type Step struct {
	// Folder holds the whole result of it, below that of the series.
	Folder        string        `json:"folder"`
	Connections   Connections   `json:"connections"`
	Connect       Connect       `json:"connect"`
	Memory        Memory        `json:"memory"`
	Messages      Messages      `json:"messages"`
	Latency       Latency       `json:"latency_ms"`
	Service       *Quantiles    `json:"service_ms,omitempty"`
	CPUPerMessage CPUPerMessage `json:"cpu_us_per_message"`
	Processes     Processes     `json:"processes"`
	LimitedBy     Limits        `json:"limited_by"`
	Interrupted   bool          `json:"interrupted"`
}

// CPUPerMessage is microseconds of CPU for each message delivered.
type CPUPerMessage struct {
	Server Figure `json:"server"`
	Router Figure `json:"router"`
	Flood  Figure `json:"flood"`
}

// Add appends an experiment, unless nothing was connected in it.
func (s *Scale) Add(folder string, r *Result) {
	if n, _ := r.Connections.Established.Value(); n <= 0 {
		return
	}
	memory, processes := r.Memory, r.Processes
	memory.Slabs, processes.List = nil, nil // long, and in the step's own file
	s.Steps = append(s.Steps, Step{
		Folder: folder, Connections: r.Connections, Connect: r.Connect, Memory: memory, Messages: r.Messages,
		Latency: r.Latency, Service: r.Service, Processes: processes, LimitedBy: r.LimitedBy, Interrupted: r.Interrupted,
		CPUPerMessage: CPUPerMessage{r.ServerCPUPerMessage(), r.CPUPerMessage(r.CPU.Router), r.CPUPerMessage(r.CPU.Flood)},
	})
}

// Write writes s as scale.json into folder, at once or not at all.
func (s *Scale) Write(folder string) error {
	s.Schema = Schema
	if s.Steps == nil {
		s.Steps = []Step{} // a list, never null
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("result: cannot write the series as JSON: %w", err)
	}
	return writeFile(filepath.Join(folder, ScaleFileName), append(text, '\n'))
}

// Title says what the series is, in a line.
func (s *Scale) Title() string {
	if len(s.Asked) == 0 {
		return "Connections"
	}
	first, last := s.Asked[0], s.Asked[len(s.Asked)-1]
	title := fmt.Sprintf("From %s to %s connections", group(float64(first)), group(float64(last)))
	if first == last {
		title = group(float64(first)) + " connections"
	}
	for _, step := range s.Steps {
		if rate, unit := step.Messages.AskedPerSecond.Format(UnitPerSecond); rate != NotMeasured {
			return title + ", " + rate + " messages" + unit
		}
	}
	return title
}

// ByService tells that messages had no due time (--rate max), so that there is
// service time instead of latency.
func (s *Scale) ByService() bool {
	for _, step := range s.Steps {
		if step.Service == nil {
			return false
		}
	}
	return len(s.Steps) > 0
}

// scaleColumn is a column of the table: two lines of heading, and a cell.
type scaleColumn struct {
	Name, In string
	unit     Unit
	figure   func(Step) Figure
}

func (s *Scale) columns() []scaleColumn {
	p50, p99 := "p50", "p99"
	latency := func(q Step) (Figure, Figure) { return q.Latency.P50, q.Latency.P99 }
	if s.ByService() {
		p50, p99 = "service p50", "service p99"
		latency = func(q Step) (Figure, Figure) { return q.Service.P50, q.Service.P99 }
	}
	return []scaleColumn{
		{"connections", "asked", UnitCount, func(q Step) Figure { return q.Connections.Asked }},
		{"connections", "made", UnitCount, func(q Step) Figure { return q.Connections.Established }},
		{"process", "B/conn", UnitCount, func(q Step) Figure { return q.Memory.BytesPerConnection }},
		{"PSS", "B/conn", UnitCount, func(q Step) Figure { return q.Memory.PSSPerConnection }},
		{"kernel", "B/conn", UnitCount, func(q Step) Figure { return q.Memory.KernelBytesPerConnection }},
		{"connects", "/s", UnitPerSecond, func(q Step) Figure { return q.Connect.PerSecond }},
		{"connect", "s", UnitSeconds, func(q Step) Figure { return q.Connect.Seconds }},
		{"server", "µs/msg", UnitMicros, func(q Step) Figure { return q.CPUPerMessage.Server }},
		{"router", "µs/msg", UnitMicros, func(q Step) Figure { return q.CPUPerMessage.Router }},
		{"flood", "µs/msg", UnitMicros, func(q Step) Figure { return q.CPUPerMessage.Flood }},
		{p50, "ms", UnitMillis, func(q Step) Figure { f, _ := latency(q); return f }},
		{p99, "ms", UnitMillis, func(q Step) Figure { _, f := latency(q); return f }},
		{"delivered", "/s", UnitPerSecond, func(q Step) Figure { return q.Messages.DeliveredPerSecond }},
	}
}

// cells are the figures of the table, a row for each step.
func (s *Scale) cells() [][]string {
	columns := s.columns()
	rows := make([][]string, 0, len(s.Steps))
	for _, step := range s.Steps {
		row := make([]string, len(columns))
		for i, column := range columns {
			row[i], _ = column.figure(step).Format(column.unit)
		}
		rows = append(rows, row)
	}
	return rows
}

// Table writes s for people: a line for each experiment, then what limits the
// figures, then the machine that they are from.
func (s *Scale) Table(w io.Writer) error {
	columns := s.columns()
	rows := [][]string{make([]string, len(columns)), make([]string, len(columns))}
	for i, column := range columns {
		rows[0][i], rows[1][i] = column.Name, column.In
	}
	rows = append(rows, s.cells()...)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", s.Title())
	for _, row := range rows {
		for i, cell := range row {
			width := 0
			for _, other := range rows {
				width = max(width, utf8.RuneCountInString(other[i]))
			}
			fmt.Fprintf(&b, "%*s", width+2*min(i, 1), cell)
		}
		b.WriteByte('\n')
	}
	if sentences := s.verdict(); len(sentences) > 0 {
		b.WriteString("\n" + strings.Join(sentences, "\n") + "\n")
	}
	if machine := s.machine(); machine != "" {
		b.WriteString("\nMeasured on " + machine + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// verdict says in sentences how far the figures can be trusted.
func (s *Scale) verdict() []string {
	var sentences []string
	if s.Interrupted {
		sentence := "This series did not come to its planned end; the figures are those until then."
		if s.InterruptedBy != "" {
			sentence += " The reason: " + s.InterruptedBy
		}
		sentences = append(sentences, sentence)
	}
	for _, step := range s.Steps {
		asked, _ := step.Connections.Asked.Format(UnitCount)
		for _, limit := range step.LimitedBy {
			sentences = append(sentences, asked+" connections: "+limit.String())
		}
	}
	return sentences
}

// machine is the environment in a line.
func (s *Scale) machine() string {
	var parts []string
	for _, fact := range (&Result{Environment: s.Environment}).environment() {
		switch fact.Name {
		case "cores":
			parts = append(parts, fact.Value+" cores")
		case "memory":
			parts = append(parts, fact.Value+" of memory")
		case "open files a process":
			parts = append(parts, fact.Value+" open files a process")
		case "kernel":
			parts = append(parts, "kernel "+fact.Value)
		case "CPU", "system", "go":
			parts = append(parts, fact.Value)
		}
	}
	return strings.Join(parts, ", ")
}
