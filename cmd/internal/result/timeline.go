package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// TimelineFileName is what a timeline is called in the folder of its experiment.
const TimelineFileName = "timeline.json"

// Timeline is what was seen of an experiment as it went: a moment each second, of
// all its parts together. Of a long one a moment stands for several seconds.
type Timeline struct {
	// Started is the unix time, in seconds, that moments count from.
	Started float64  `json:"started"`
	Moments []Moment `json:"moments"`
}

// Moment is what was seen at one time. What is counted is counted since the
// experiment began; what is "per second", "latency" and CPU is over the time since
// the moment before.
type Moment struct {
	Seconds float64 `json:"seconds"`
	// Phase is the one that the moment is in: start, connect, idle, messages or
	// drain.
	Phase string `json:"phase"`
	// Connected are open now, as the clients see it. Attempts are those to open one
	// again.
	Connected Figure `json:"connected"`
	Closed    Figure `json:"closed"`
	Failed    Figure `json:"failed"`
	Attempts  Figure `json:"attempts"`
	Delivered Figure `json:"delivered"`
	// ConnectedPerSecond and AttemptsPerSecond count connections that were opened, the
	// first time and again; DeliveredPerSecond counts messages.
	ConnectedPerSecond Figure `json:"connected_per_second"`
	AttemptsPerSecond  Figure `json:"attempts_per_second"`
	DeliveredPerSecond Figure `json:"delivered_per_second"`
	// Latency is from due to received.
	Latency Quantiles `json:"latency_ms"`
	// Sent are the messages that the generator has on the wire, and Refused those that
	// were not accepted. Accepted are those of Sent that were, and alone never become
	// fewer: one without an answer may yet be refused. Late is from when one was due to
	// when it was written.
	Sent          Figure    `json:"sent"`
	SentPerSecond Figure    `json:"sent_per_second"`
	Accepted      Figure    `json:"-"`
	Refused       Figure    `json:"refused"`
	Late          Quantiles `json:"late_ms"`
	// Memory is resident, of all servers; Machine is the memory in use on this
	// machine. Both are in bytes.
	Memory  Figure `json:"memory_bytes"`
	Machine Figure `json:"machine_bytes"`
	// CPU is in processors, by the role of a part: server, flood, router, msggen.
	CPU map[string]Figure `json:"cpu"`
}

// Span is a phase of a timeline, in seconds since it started.
type Span struct {
	Phase    string
	From, To float64
}

// Phases returns the phases in their order, each to the start of the next.
func (t *Timeline) Phases() []Span {
	var spans []Span
	for i, m := range t.Moments {
		if last := len(spans) - 1; last < 0 || spans[last].Phase != m.Phase {
			from := m.Seconds
			if i > 0 {
				from = t.Moments[i-1].Seconds
			}
			spans = append(spans, Span{m.Phase, from, m.Seconds})
			continue
		}
		spans[len(spans)-1].To = m.Seconds
	}
	return spans
}

// Write writes t as timeline.json into folder, at once or not at all; nothing if t is
// nil.
func (t *Timeline) Write(folder string) error {
	if t == nil {
		return nil
	}
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("result: cannot write the timeline as JSON: %w", err)
	}
	return WriteFile(filepath.Join(folder, TimelineFileName), append(text, '\n'))
}

// ReadTimeline reads the timeline of a folder; nil if there is none, as in one that
// an older comet has written.
func ReadTimeline(folder string) (*Timeline, error) {
	text, err := os.ReadFile(filepath.Join(folder, TimelineFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	t := new(Timeline)
	if err := json.Unmarshal(text, t); err != nil {
		return nil, fmt.Errorf("result: %s in %s is not a timeline: %w", TimelineFileName, folder, err)
	}
	return t, nil
}
