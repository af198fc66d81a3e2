package result

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// CapacityFileName is what a search is called in its folder.
const CapacityFileName = "capacity.json"

// The two things that a search looks for.
const (
	SearchConnections = "connections"
	SearchRate        = "rate"
)

// Capacity is what a search for the highest load found that meets every target.
type Capacity struct {
	// Schema and Verdict are set by Write.
	Schema  int    `json:"schema"`
	Verdict string `json:"verdict"`
	// Search is what was searched for: connections or rate.
	Search string `json:"search"`
	// Answer is the highest load that held; null if none did.
	Answer Figure `json:"answer"`
	// AtLeast says that nothing above the answer was seen to fail.
	AtLeast bool `json:"at_least"`
	// Spread is where the limit lies by all trials in full.
	Spread Spread `json:"spread"`
	// Held is in how many of its Repeats the answer held.
	Held    int `json:"held"`
	Repeats int `json:"repeats"`
	// Ended says in a sentence why the search went no further; "" if it found its
	// answer.
	Ended     string    `json:"ended,omitempty"`
	StoppedBy StoppedBy `json:"stopped_by"`
	// Targets are what had to hold.
	Targets []string `json:"targets"`
	// Server is what was searched: a host, or the engine of our own.
	Server string `json:"server"`
	// Connections is how many there were in a search for a rate.
	Connections Figure         `json:"connections"`
	Steps       []CapacityStep `json:"steps"`
	// Agents are the load hosts, and what they did in all steps together.
	Agents []Agent `json:"agents,omitempty"`
	// Interrupted says that the search ended before its planned end, InterruptedBy
	// why.
	Interrupted   bool           `json:"interrupted"`
	InterruptedBy string         `json:"interrupted_by,omitempty"`
	Environment   *Environment   `json:"environment"`
	Settings      map[string]any `json:"settings"`
}

// Spread is where a limit lies: at Low and below no trial in full failed, at High and
// above none held. High is null if that was not seen.
type Spread struct {
	Low  Figure `json:"low"`
	High Figure `json:"high"`
}

// StoppedBy is what keeps a server from more: a part, the limit that it is at, how that
// was seen, and what to raise.
type StoppedBy struct {
	Part     string `json:"part"`
	Limit    string `json:"limit"`
	Evidence string `json:"evidence"`
	Raise    string `json:"raise,omitempty"`
}

// CapacityStep is one trial of a search.
type CapacityStep struct {
	Load float64 `json:"load"`
	// HoldSeconds is how long the load was to hold, Seconds what the trial took.
	HoldSeconds float64 `json:"hold_seconds"`
	Seconds     float64 `json:"seconds"`
	OK          bool    `json:"ok"`
	// Missed says of each target that was not met by how much.
	Missed []string `json:"missed,omitempty"`
	// Why says how connections failed, and the like.
	Why string `json:"why,omitempty"`
	// Extended is how often the step was held longer because it was not steady.
	Extended           int    `json:"extended,omitempty"`
	Established        Figure `json:"established"`
	Errors             Figure `json:"errors"`
	Loss               Figure `json:"loss"`
	P50                Figure `json:"p50_ms"`
	P99                Figure `json:"p99_ms"`
	DeliveredPerSecond Figure `json:"delivered_per_second"`
	BytesPerConnection Figure `json:"bytes_per_connection"`
	ServerCores        Figure `json:"server_cores"`
	LimitedBy          Limits `json:"limited_by"`
}

// NewCapacityStep returns a step with the figures of its trial, without a memory per
// connection that is little more than noise.
func NewCapacityStep(load float64, hold, took time.Duration, r *Result) CapacityStep {
	p50, p99 := r.Latency.P50, r.Latency.P99
	if r.Service != nil {
		p50, p99 = r.Service.P50, r.Service.P99
	}
	each := r.Memory.BytesPerConnection
	if !r.ResolvesMemory() { // noise
		each = Figure{}
	}
	return CapacityStep{
		Load: load, HoldSeconds: hold.Seconds(), Seconds: took.Seconds(),
		Established: r.Connections.Established, Errors: r.Errors(), Loss: r.Loss(), P50: p50, P99: p99,
		DeliveredPerSecond: r.Messages.DeliveredPerSecond, BytesPerConnection: each,
		ServerCores: r.ServerCores(), LimitedBy: r.LimitedBy,
	}
}

// Write writes c as capacity.json into folder, at once or not at all. It sets Schema
// and Verdict.
func (c *Capacity) Write(folder string) error {
	c.Schema, c.Verdict = Schema, strings.Join(c.Sentences(), " ")
	if c.Steps == nil {
		c.Steps = []CapacityStep{} // a list, never null
	}
	if c.Targets == nil {
		c.Targets = []string{}
	}
	return writeJSON(filepath.Join(folder, CapacityFileName), c)
}

// Line writes a step for people, in columns: the load, whether it held, and its
// figures, or why it did not.
func (s CapacityStep) Line() string {
	line := fmt.Sprintf("%9s  ", group(s.Load))
	if !s.OK {
		return line + "fails   " + oneLine(strings.Join(s.reasons(), "; "))
	}
	var figures []string
	if _, ok := s.P99.Value(); ok {
		figures = append(figures, "p99 "+s.P99.Text(UnitMillis))
	}
	if _, ok := s.BytesPerConnection.Value(); ok {
		figures = append(figures, perConnection(s.BytesPerConnection))
	}
	if _, ok := s.ServerCores.Value(); ok {
		figures = append(figures, s.ServerCores.Text(UnitCores))
	}
	return strings.TrimRight(fmt.Sprintf("%sok      %s", line, strings.Join(figures, "   ")), " ")
}

// perConnection writes 9.1 KB each.
func perConnection(f Figure) string {
	n, _ := f.Value()
	if n < 1000 {
		return significant(n) + " B each"
	}
	return significant(n/1000) + " KB each"
}

// reasons say why the step failed.
func (s CapacityStep) reasons() []string {
	reasons := s.Missed
	if why := s.Cause(); why != "" {
		reasons = append(slices.Clip(reasons), why)
	}
	return reasons
}

// Cause returns what happened to connections that failed: the clause of Why between
// their number and what to do.
func (s CapacityStep) Cause() string {
	clauses := strings.SplitN(s.Why, ": ", 3)
	return oneLine(clauses[min(len(clauses)-1, 1)])
}

// Title returns a line about what was searched for.
func (c *Capacity) Title() string {
	if c.Search == SearchRate {
		return "How many messages a second does " + c.Server + " deliver?"
	}
	return "How many connections does " + c.Server + " hold?"
}

// Sentences say what the search came to, as a person would.
func (c *Capacity) Sentences() []string {
	sentences := []string{c.finding()}
	if c.Interrupted {
		sentences = append(sentences, "It was stopped early: "+oneLine(cmp.Or(c.InterruptedBy, "interrupted"))+".")
	}
	if c.Ended != "" {
		sentences = append(sentences, c.Ended)
	}
	if by := c.StoppedBy; by.Part != "" {
		sentences = append(sentences, "Stopped by "+by.Part+" ("+by.Limit+"): "+oneLine(by.Evidence)+".")
		if by.Raise != "" {
			sentences = append(sentences, oneLine(by.Raise))
		}
	}
	return sentences
}

// Text writes what the search came to for a terminal: a sentence a line, and the agents.
func (c *Capacity) Text(w io.Writer) error {
	head, rows := AgentRows(c.Agents)
	_, err := io.WriteString(w, strings.Join(c.Sentences(), "\n")+"\n"+inColumns(head, rows, "agents"))
	return err
}

// Failed reports whether the first step did not hold.
func (c *Capacity) Failed() bool {
	_, ok := c.Answer.Value()
	return !ok && len(c.Steps) > 0
}

// finding returns the answer as a sentence.
func (c *Capacity) finding() string {
	answer, ok := c.Answer.Value()
	switch {
	case !ok && len(c.Steps) == 0:
		return "Nothing was tried."
	case !ok:
		return fmt.Sprintf("%s does not hold %s.", c.Server, c.load(c.Steps[0].Load))
	}
	sentence := c.Server + " holds "
	if c.AtLeast {
		sentence += "at least "
	}
	sentence += c.load(answer)
	if c.Repeats > 0 {
		sentence += fmt.Sprintf(" (%d of %s)", c.Held, count(float64(c.Repeats), "repeat"))
	} else {
		sentence += " for a short time"
	}
	low, lowKnown := c.Spread.Low.Value()
	high, known := c.Spread.High.Value()
	switch {
	case lowKnown && low < answer:
		sentence += fmt.Sprintf("; the repeats differ from %s on", group(max(low, 1)))
	case known && high-answer > 1:
		sentence += fmt.Sprintf(", and not %s", group(high))
	}
	return sentence + "."
}

// load writes a load: 1,531 connections, 12,000 messages/s with 5,000 connections.
func (c *Capacity) load(n float64) string {
	if c.Search == SearchConnections {
		return connections(n)
	}
	text := group(n) + " messages/s"
	if open, ok := c.Connections.Value(); ok {
		text += " with " + connections(open)
	}
	return text
}
